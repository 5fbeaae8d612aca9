//! The file of an adapter's tuning, which several programs may change at once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use convgpu::AdapterInfo;
use convgpu::internals::bench::{read, text};
use convgpu::internals::plan::tuning::Tuning;

use super::lock::{Lock, is_regular};
use crate::console;
use crate::failure::{Failure, Outcome};
use crate::files::Target;

/// What the file holds.
#[derive(PartialEq)]
pub enum Stored {
    /// Empty if there is no file, or one of another driver or version.
    Tuning(Tuning),
    /// The file is no tuning.
    Damaged,
}

/// What the file holds; an error if it is no regular file, or cannot be read.
pub fn load(file: &Path, adapter: &AdapterInfo) -> Outcome<Stored> {
    let wrong = |e: io::Error| Failure::file(e.to_string()).of(file.display());
    if !is_regular(file).map_err(wrong)? {
        return Ok(Stored::Tuning(Tuning::default()));
    }
    let bytes = fs::read(file).map_err(wrong)?;
    Ok(read(&bytes, adapter).map_or(Stored::Damaged, Stored::Tuning))
}

/// A file that can be written.
pub struct Store<'a> {
    file: Target,
    /// Locked while the file is read, changed and written.
    lock: Lock,
    adapter: &'a AdapterInfo,
}

impl Store<'_> {
    /// Makes the folder, and checks that files can be written there. It is said if the file is damaged.
    pub fn new<'a>(file: &Path, adapter: &'a AdapterInfo) -> Outcome<Store<'a>> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|e| Failure::file(e.to_string()).of(folder.display()))?;
        if load(file, adapter)? == Stored::Damaged {
            console::note(&format!("{} is damaged, and is replaced", file.display()));
        }
        Ok(Store { file: Target::new(file)?, lock: Lock::new(file.with_extension("lock"))?, adapter })
    }

    /// Changes what the file holds now, and writes it.
    pub fn update(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Outcome<()> {
        let _held = self.lock.hold()?;
        let mut tuning = match load(self.file.path(), self.adapter)? {
            Stored::Tuning(tuning) => tuning,
            Stored::Damaged => Tuning::default(),
        };
        change(&mut tuning.choices);
        let text = text(&tuning, self.adapter);
        self.file.write(|out| out.write_all(text.as_bytes()))
    }
}
