//! Tunings on disk: one small JSON file per adapter, in the user's cache directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::gpu::adapter::AdapterInfo;
use crate::graph::tuning::Tuning;

/// The version of the file's format.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    convgpu: String,
    adapter: String,
    driver: String,
    choices: BTreeMap<String, String>,
}

/// Where an adapter's tuning is kept: `convgpu/tuning-<adapter>.json` in `$XDG_CACHE_HOME`, `%LOCALAPPDATA%` or
/// `$HOME/.cache`, whichever is set first. `None` if none is.
pub fn path(adapter: &AdapterInfo) -> Option<PathBuf> {
    let dir = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = dir("XDG_CACHE_HOME").or_else(|| dir("LOCALAPPDATA")).or_else(|| Some(dir("HOME")?.join(".cache")))?;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = format!("{}-{}", adapter.name, adapter.backend).chars().map(plain).collect();
    Some(cache.join("convgpu").join(format!("tuning-{name}.json")))
}

/// What the file holds for this adapter; empty if it is missing or unreadable, or was written for another adapter,
/// driver or version. A bad tuning file is never an error.
pub fn load(path: &Path, adapter: &AdapterInfo) -> Tuning {
    let file = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<File>(&bytes).ok());
    let of = |f: &File| (f.version, f.convgpu.clone(), f.adapter.clone(), f.driver.clone());
    match file {
        Some(found) if of(&found) == of(&empty(adapter)) => Tuning { choices: found.choices },
        _ => Tuning::default(),
    }
}

/// Writes the tuning of an adapter. A reader sees the old file or the new one, never a part.
///
/// # Errors
/// The directory or the file cannot be written.
pub fn save(path: &Path, adapter: &AdapterInfo, tuning: &Tuning) -> Result<()> {
    let file = File { choices: tuning.choices.clone(), ..empty(adapter) };
    let text = serde_json::to_string_pretty(&file).expect("strings and numbers are JSON");
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(&temporary, text + "\n")?;
        fs::rename(&temporary, path)
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::io(path, e)
    })
}

fn empty(adapter: &AdapterInfo) -> File {
    File {
        version: VERSION,
        convgpu: env!("CARGO_PKG_VERSION").to_owned(),
        adapter: format!("{} ({})", adapter.name, adapter.backend),
        driver: adapter.driver.clone(),
        choices: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::adapter::AdapterKind;
    use crate::gpu::caps::Caps;

    fn adapter(name: &str) -> AdapterInfo {
        AdapterInfo {
            name: name.to_owned(),
            kind: AdapterKind::Other,
            backend: "Vulkan".to_owned(),
            driver: "1".to_owned(),
            caps: Caps::webgpu_default(),
        }
    }

    #[test]
    fn a_file_serves_the_adapter_it_was_written_for() {
        let dir = std::env::temp_dir().join(format!("convgpu-tuning-{}", std::process::id()));
        let file = dir.join("deep").join("tuning.json");
        let tuning = Tuning { choices: [("key".to_owned(), "way".to_owned())].into() };
        assert_eq!(load(&file, &adapter("a")), Tuning::default());
        save(&file, &adapter("a"), &tuning).unwrap();
        assert_eq!(load(&file, &adapter("a")), tuning);
        assert_eq!(load(&file, &adapter("b")), Tuning::default());
        let newer = AdapterInfo { driver: "2".to_owned(), ..adapter("a") };
        assert_eq!(load(&file, &newer), Tuning::default());
        fs::write(&file, "{ not json").unwrap();
        assert_eq!(load(&file, &adapter("a")), Tuning::default());
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
        fs::remove_dir_all(&dir).unwrap();
    }
}
