//! The file of an adapter's tuning, which several programs may change at once.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use convgpu::AdapterInfo;
use convgpu::internals::bench::{read, text};
use convgpu::internals::graph::tuning::Tuning;

use crate::failure::{Failure, Outcome};
use crate::files::Target;

/// What the file holds; empty if it is missing or unreadable.
pub fn load(file: &Path, adapter: &AdapterInfo) -> Tuning {
    fs::read(file).map(|bytes| read(&bytes, adapter)).unwrap_or_default()
}

/// A file that can be written.
pub struct Store<'a> {
    file: Target,
    /// Locked while the file is read, changed and written.
    lock: PathBuf,
    adapter: &'a AdapterInfo,
}

impl Store<'_> {
    /// Makes the folder, and checks that files can be written there.
    pub fn new<'a>(file: &Path, adapter: &'a AdapterInfo) -> Outcome<Store<'a>> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|e| Failure::file(e.to_string()).of(folder.display()))?;
        Ok(Store { file: Target::new(file)?, lock: file.with_extension("lock"), adapter })
    }

    /// Changes what the file holds now, and writes it.
    pub fn update(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Outcome<()> {
        // Closing the lock's file unlocks it.
        let _locked = self.locked().map_err(|e| Failure::output(e.to_string()).of(self.lock.display()))?;
        let mut tuning = load(self.file.path(), self.adapter);
        change(&mut tuning.choices);
        let text = text(&tuning, self.adapter);
        self.file.write(|out| out.write_all(text.as_bytes()))
    }

    fn locked(&self) -> std::io::Result<File> {
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&self.lock)?;
        lock.lock()?;
        Ok(lock)
    }
}
