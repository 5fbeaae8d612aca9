//! Reading files: regular ones, pipes, and `-` for stdin.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use convgpu::internals::memory::afford;

use crate::failure::{Failure, Outcome};

/// The most bytes of a pipe: more is a wrong pipe.
const MOST: u64 = 1 << 32;

/// Whether a path means stdin.
pub fn is_stdin(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0"].iter().any(|p| path == Path::new(p))
}

/// Whether a path is stdin or a pipe, which can be read only once and has no folder beside it.
pub fn is_stream(path: &Path) -> bool {
    is_stdin(path) || std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

/// The bytes of a file.
pub fn read(path: &Path) -> Outcome<Vec<u8>> {
    if path.as_os_str().is_empty() {
        return Err(Failure::call("the name of a file is empty"));
    }
    if let Some(meta) = std::fs::metadata(path).ok().filter(|meta| meta.is_file() && !is_stdin(path)) {
        afford(meta.len(), || path.display().to_string())?;
    }
    let found = if is_stdin(path) { stdin() } else { contents(path) };
    found.map_err(|e| Failure::file(e.to_string()).of(path.display()))
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let meta = std::fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::Error::other("is a folder"));
    }
    if meta.is_file() {
        return std::fs::read(path);
    }
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_fifo(&meta.file_type()) {
        return drain(pipe::Pipe::open(path)?);
    }
    Err(io::Error::other("is a device, not a file"))
}

/// Pipes with a name, which may have no writer: a plain read would wait for one for ever.
#[cfg(unix)]
mod pipe {
    use std::fs::{File, OpenOptions};
    use std::io::{self, ErrorKind, Read};
    use std::os::unix::fs::OpenOptionsExt;
    use std::path::Path;
    use std::time::{Duration, Instant};

    /// How long a writer may take to come.
    const PATIENCE: Duration = Duration::from_secs(5);
    const PAUSE: Duration = Duration::from_millis(2);

    pub struct Pipe {
        file: File,
        opened: Instant,
        /// Whether there was a writer.
        written: bool,
    }

    impl Pipe {
        pub fn open(path: &Path) -> io::Result<Pipe> {
            let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
            Ok(Pipe { file, opened: Instant::now(), written: false })
        }
    }

    impl Read for Pipe {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                match self.file.read(buffer) {
                    Ok(0) if !self.written && self.opened.elapsed() > PATIENCE => {
                        return Err(io::Error::other("is a pipe that nobody writes to"));
                    }
                    Ok(0) if !self.written => {}
                    Err(e) if e.kind() == ErrorKind::WouldBlock => self.written = true,
                    found => {
                        self.written = true;
                        return found;
                    }
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}

fn stdin() -> io::Result<Vec<u8>> {
    static READ: AtomicBool = AtomicBool::new(false);
    if READ.swap(true, Ordering::Relaxed) {
        return Err(io::Error::other("stdin can be read only once"));
    }
    drain(io::stdin().lock())
}

fn drain(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    from.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other("gives more than 4 GiB"));
    }
    Ok(bytes)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn pipes_are_read_and_devices_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let writer = path.clone();
        let thread = std::thread::spawn(move || std::fs::write(writer, vec![7u8; 300_000]).unwrap());
        assert!(is_stream(&path));
        assert_eq!(read(&path).unwrap(), vec![7u8; 300_000]);
        thread.join().unwrap();
        assert!(read(Path::new("/dev/zero")).unwrap_err().to_string().contains("is a device"));
        assert!(read(dir.path()).unwrap_err().to_string().contains("is a folder"));
    }
}
