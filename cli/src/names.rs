//! `NAME=FILE`: names may contain '=', and files need not be text.

use std::ffi::OsStr;
use std::path::Path;

/// What a text of `[NAME=]FILE` says.
#[derive(Debug, PartialEq)]
pub enum Named<'t> {
    /// The position of the name among those that are known, and the file.
    Known(usize, &'t Path),
    /// A file without a name.
    File(&'t Path),
    /// A name that is not known, or a file with a '=' that does not exist.
    Unknown(String),
}

impl<'t> Named<'t> {
    /// Of the known names, the longest that fits is taken.
    pub fn of<'n>(text: &'t OsStr, known: impl IntoIterator<Item = &'n str>) -> Named<'t> {
        let fitting = known.into_iter().enumerate().filter_map(|(k, name)| Some((k, name, behind(text, name)?)));
        if let Some((k, _, file)) = fitting.max_by_key(|(_, name, _)| name.len()) {
            return Named::Known(k, file);
        }
        match text.to_string_lossy().split_once('=') {
            Some((name, _)) if !Path::new(text).exists() => Named::Unknown(name.to_owned()),
            _ => Named::File(Path::new(text)),
        }
    }
}

/// What is behind `NAME=`.
#[cfg(unix)]
fn behind<'t>(text: &'t OsStr, name: &str) -> Option<&'t Path> {
    use std::os::unix::ffi::OsStrExt;
    let rest = text.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
    Some(Path::new(OsStr::from_bytes(rest)))
}

#[cfg(not(unix))]
fn behind<'t>(text: &'t OsStr, name: &str) -> Option<&'t Path> {
    text.to_str()?.strip_prefix(name)?.strip_prefix('=').map(Path::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'t>(text: &'t str, known: &[&str]) -> Named<'t> {
        Named::of(OsStr::new(text), known.iter().copied())
    }

    #[test]
    fn a_name_is_split_off_only_if_it_is_known() {
        assert_eq!(of("sizes=a=b.npy", &["x", "sizes"]), Named::Known(1, Path::new("a=b.npy")));
        assert_eq!(of("sizes=a=b.npy", &["sizes", "sizes=a"]), Named::Known(1, Path::new("b.npy")));
        assert_eq!(of("sizes=b.npy", &["sizes", "sizes=a"]), Named::Known(0, Path::new("b.npy")));
        assert_eq!(of("plain.npy", &["plain"]), Named::File(Path::new("plain.npy")));
        assert_eq!(of("other=b.npy", &["x"]), Named::Unknown("other".to_owned()));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a=b.npy");
        std::fs::write(&file, "").unwrap();
        assert_eq!(of(file.to_str().unwrap(), &["x"]), Named::File(&file));
    }

    #[cfg(unix)]
    #[test]
    fn files_need_not_be_text() {
        use std::os::unix::ffi::OsStrExt;
        let text = OsStr::from_bytes(b"x=\xff.npy");
        assert_eq!(Named::of(text, ["x"]), Named::Known(0, Path::new(OsStr::from_bytes(b"\xff.npy"))));
    }
}
