//! Writing files: whole or not at all, and every error is reported.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

/// A place where a file can be written. It is made before the work, so that a wrong place is found before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// As the call names it.
    named: PathBuf,
    place: Place,
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// A regular file, or none yet, behind all links: replaced as a whole.
    File(PathBuf),
    /// A device or a pipe.
    Stream(PathBuf),
    Stdout,
}

impl Target {
    /// Checks that a file can be written there.
    pub fn new(path: &Path) -> Outcome<Target> {
        let wrong = |e: io::Error| Failure::file(e.to_string()).of(path.display());
        if path.as_os_str().is_empty() {
            return Err(Failure::call("the name of a file is empty"));
        }
        let place = place(path).map_err(wrong)?;
        if let Place::File(file) = &place {
            probe(file).map_err(wrong)?;
        }
        Ok(Target { named: path.to_owned(), place })
    }

    /// Its path as the call names it.
    pub fn path(&self) -> &Path {
        &self.named
    }

    /// Whether it is a device, a pipe or stdout, which need no ending.
    pub fn is_stream(&self) -> bool {
        !matches!(self.place, Place::File(_))
    }

    /// Whether it is stdout, where nothing else should then be written.
    pub fn is_stdout(&self) -> bool {
        self.place == Place::Stdout
    }

    /// Whether both are the same file.
    pub fn is(&self, other: &Target) -> bool {
        self.place == other.place
    }

    /// Writes the file: `content` into a temporary file beside it, which then gets its name. Readers see the old file or the
    /// new one. A file that is replaced keeps its mode and its owner. Devices and pipes are written directly.
    pub fn write(&self, content: impl Fn(&mut dyn Write) -> io::Result<()>) -> Outcome<()> {
        let done = match &self.place {
            Place::File(file) => replace(file, &content),
            Place::Stream(file) => OpenOptions::new().write(true).open(file).and_then(|f| fill(f, &content).map(drop)),
            Place::Stdout => fill(io::stdout(), &content).map(drop),
        };
        done.map_err(|e| Failure::output(e.to_string()).of(self.named.display()))
    }
}

/// A folder for results. What of it was missing is removed when it is dropped, unless something is there then: a call that is
/// refused leaves nothing behind.
#[derive(Debug)]
pub struct Folder {
    /// The innermost first.
    made: Vec<PathBuf>,
}

impl Folder {
    /// Makes the folder, and those around it, where they are missing.
    pub fn new(path: &Path) -> Outcome<Folder> {
        let missing = |p: &&Path| !p.as_os_str().is_empty() && !p.exists();
        let made = path.ancestors().take_while(missing).map(Path::to_owned).collect();
        let folder = Folder { made };
        fs::create_dir_all(path).map_err(|e| Failure::file(e.to_string()).of(path.display()))?;
        Ok(folder)
    }

    /// A folder without files: those of an earlier call would seem to be of this one.
    pub fn empty(path: &Path, option: &str) -> Outcome<Folder> {
        if fs::read_dir(path).is_ok_and(|mut files| files.next().is_some()) {
            return Err(Failure::file(format!("is not empty: name a new folder for {option}")).of(path.display()));
        }
        Folder::new(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // One that is not empty cannot be removed.
        self.made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
    }
}

/// Where a path leads. Links to files that are still missing are followed too.
fn place(path: &Path) -> io::Result<Place> {
    if ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|p| path == Path::new(p)) {
        return Ok(Place::Stdout);
    }
    let mut file = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        match fs::metadata(&file) {
            Ok(meta) if meta.is_dir() => return Err(io::Error::other("is a folder")),
            Ok(meta) if meta.is_file() => return Ok(Place::File(fs::canonicalize(&file)?)),
            Ok(_) => return Ok(Place::Stream(file)),
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            Err(_) => match fs::read_link(&file) {
                Ok(to) => file = folder(&file).join(to),
                Err(_) => {
                    let name = file.file_name().ok_or_else(|| io::Error::other("is not the name of a file"))?;
                    return Ok(Place::File(fs::canonicalize(folder(&file))?.join(name)));
                }
            },
        }
    }
    Err(io::Error::other("too many links"))
}

/// The folder of a file.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An error if the file can neither be replaced nor written.
fn probe(file: &Path) -> io::Result<()> {
    if file.exists() { OpenOptions::new().write(true).open(file).map(drop) } else { temporary(file).map(drop) }
}

/// A new file in the folder of another, which is removed when it is dropped. `tempfile` makes up the name only: its own errors
/// have that name.
fn temporary(file: &Path) -> io::Result<tempfile::NamedTempFile> {
    let new = |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).open(path);
    tempfile::Builder::new().prefix(".convgpu-").make_in(folder(file), new)
}

fn replace(file: &Path, content: &impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let before = fs::metadata(file).ok();
    let new = match (temporary(file), &before) {
        (Err(_), Some(_)) => return overwrite(file, content),
        (made, _) => made?,
    };
    if let Some(before) = &before
        && keep(new.as_file(), before).is_err()
    {
        return overwrite(file, content);
    }
    fill(new.as_file(), content)?.sync_all()?;
    new.persist(file).map_err(|e| e.error).map(drop)
}

/// Gives a new file the owner and the mode of another.
fn keep(new: &File, before: &fs::Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let made = new.metadata()?;
        if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
            std::os::unix::fs::fchown(new, Some(before.uid()), Some(before.gid()))?;
        }
    }
    new.set_permissions(before.permissions())
}

/// Writes a file whose folder or owner does not permit to replace it.
fn overwrite(file: &Path, content: &impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    fill(OpenOptions::new().write(true).truncate(true).open(file)?, content)?.sync_all()
}

/// Writes the content to a stream, to its end.
fn fill<W: Write>(to: W, content: &impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<W> {
    let mut out = BufWriter::new(to);
    content(&mut out)?;
    out.flush()?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, bytes: &[u8]) -> Outcome<()> {
        Target::new(path)?.write(|out| out.write_all(bytes))
    }

    #[test]
    fn a_file_is_written_whole_or_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        put(&file, b"old").unwrap();
        let broken = Target::new(&file).unwrap().write(|out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert!(broken.unwrap_err().to_string().ends_with("a: no more"));
        assert_eq!(fs::read(&file).unwrap(), b"old");
        put(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_wrong_place_is_found_before_the_work() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |path: &Path| Target::new(path).unwrap_err().to_string();
        assert!(refused(&dir.path().join("no/a")).contains("No such file"));
        assert!(refused(dir.path()).contains("is a folder"));
        assert!(refused(&dir.path().join("..")).contains("is a folder"));
        put(&dir.path().join("a"), b"").unwrap();
        assert!(refused(&dir.path().join("a/b")).contains("ot a directory"));
        assert!(Target::new(&dir.path().join("n".repeat(300))).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_modes_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (file, link, dangling) = (dir.path().join("a"), dir.path().join("link"), dir.path().join("dangling"));
        put(&file, b"old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a", &link).unwrap();
        symlink("b", &dangling).unwrap();
        put(&link, b"new").unwrap();
        put(&dangling, b"there").unwrap();
        assert_eq!(
            (fs::read(&file).unwrap(), fs::read(dir.path().join("b")).unwrap()),
            (b"new".to_vec(), b"there".to_vec())
        );
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(
            fs::symlink_metadata(&link).unwrap().is_symlink() && fs::symlink_metadata(&dangling).unwrap().is_symlink()
        );
        assert!(Target::new(&link).unwrap().is(&Target::new(&file).unwrap()));
        symlink("circle", dir.path().join("circle")).unwrap();
        assert!(Target::new(&dir.path().join("circle")).is_err());
    }

    #[test]
    fn a_folder_in_which_nothing_was_written_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (outer, inner) = (dir.path().join("a"), dir.path().join("a/b"));
        drop(Folder::new(&inner).unwrap());
        assert!(!outer.exists());
        let kept = Folder::new(&inner).unwrap();
        put(&inner.join("x"), b"x").unwrap();
        drop(kept);
        assert!(inner.join("x").exists());
        std::fs::create_dir(dir.path().join("old")).unwrap();
        drop(Folder::new(&dir.path().join("old")).unwrap());
        assert!(dir.path().join("old").exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_error_names_the_file_and_not_the_temporary_one() {
        let message = Target::new(Path::new("/proc/o.png")).unwrap_err().to_string();
        assert_eq!(message, "/proc/o.png: No such file or directory (os error 2)");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error() {
        let message = put(Path::new("/dev/full"), b"x").unwrap_err();
        assert!(message.status == 1 && message.to_string().contains("No space left"), "{message}");
        put(Path::new("/dev/null"), b"x").unwrap();
    }
}
