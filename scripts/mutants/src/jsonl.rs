//! Files of JSON lines that grow: what is done is not done again.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Result, show};

/// The lines of a file; none if there is no file. A line that was not written to its end is left out.
pub fn read<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Adds a line.
pub fn append<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let line = serde_json::to_string(value).map_err(show)?;
    let mut file = File::options().create(true).append(true).open(path).map_err(show)?;
    file.write_all(format!("{line}\n").as_bytes()).map_err(show)
}
