//! A lock between programs: a file that one of them holds.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::console;
use crate::failure::{Failure, Outcome};

/// How long it takes until it is said that another program holds the lock, and until that is an error.
const PATIENCE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];
const PAUSE: Duration = Duration::from_millis(20);

pub struct Lock {
    path: PathBuf,
    patience: [Duration; 2],
}

impl Lock {
    /// An error if there is something else than a regular file.
    pub fn new(path: PathBuf) -> Outcome<Lock> {
        is_regular(&path).map_err(|e| Failure::file(e.to_string()).of(path.display()))?;
        Ok(Lock { path, patience: PATIENCE })
    }

    /// The lock is held until the file is dropped.
    pub fn hold(&self) -> Outcome<File> {
        self.wait().map_err(|e| Failure::output(e.to_string()).of(self.path.display()))
    }

    fn wait(&self) -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        let [say, give_up] = self.patience;
        let (start, mut said) = (Instant::now(), false);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(e)) => return Err(e),
                Err(TryLockError::WouldBlock) => {}
            }
            if start.elapsed() > give_up {
                return Err(io::Error::other(format!("another program has held it for {} s", give_up.as_secs())));
            }
            if !said && start.elapsed() > say {
                console::note(&format!("waiting for {}, which another program holds", self.path.display()));
                said = true;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether there is a file; an error if it is no regular one.
pub fn is_regular(file: &Path) -> io::Result<bool> {
    match fs::metadata(file) {
        Ok(meta) if meta.is_file() => Ok(true),
        Ok(meta) if meta.is_dir() => Err(io::Error::other("is a folder")),
        Ok(_) => Err(io::Error::other("is a device, not a file")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_another_program_keeps_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::new(dir.path().join("x.lock")).unwrap();
        let lock = Lock { patience: [Duration::ZERO, Duration::from_millis(50)], ..lock };
        let other = File::create(&lock.path).unwrap();
        other.lock().unwrap();
        assert!(lock.hold().unwrap_err().to_string().contains("x.lock: another program has held it for 0 s"));
        drop(other);
        lock.hold().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(Lock::new(pipe).err().unwrap().to_string().ends_with("pipe: is a device, not a file"));
    }
}
