//! Tunings as files: one small JSON file per adapter, in the user's cache directory.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::gpu::info::AdapterInfo;
use crate::plan::tuning::Tuning;

/// The version of the file's format.
const VERSION: u32 = 4;

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

/// What the bytes of a file hold for this adapter: nothing if they are the tuning of another adapter, driver or version; `None`
/// if they are no tuning.
pub fn read(bytes: &[u8], adapter: &AdapterInfo) -> Option<Tuning> {
    let of = |f: &File| (f.version, f.convgpu.clone(), f.adapter.clone(), f.driver.clone());
    let found = serde_json::from_slice::<File>(bytes).ok()?;
    Some(if of(&found) == of(&empty(adapter)) { Tuning { choices: found.choices } } else { Tuning::default() })
}

/// The text of a file with the tuning of an adapter.
pub fn text(tuning: &Tuning, adapter: &AdapterInfo) -> String {
    let file = File { choices: tuning.choices.clone(), ..empty(adapter) };
    serde_json::to_string_pretty(&file).expect("strings and numbers are JSON") + "\n"
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
    use crate::gpu::caps::Caps;
    use crate::gpu::info::AdapterKind;

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
        let tuning = Tuning { choices: [("key".to_owned(), "variant".to_owned())].into() };
        let file = text(&tuning, &adapter("a"));
        assert_eq!(read(file.as_bytes(), &adapter("a")), Some(tuning));
        assert_eq!(read(file.as_bytes(), &adapter("b")), Some(Tuning::default()));
        let newer = AdapterInfo { driver: "2".to_owned(), ..adapter("a") };
        assert_eq!(read(file.as_bytes(), &newer), Some(Tuning::default()));
        assert_eq!(read(b"{ not json", &adapter("a")), None);
    }
}
