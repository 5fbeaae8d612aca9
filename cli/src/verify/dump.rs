//! `--dump DIR`: everything about the first wrong node, as .npy files.

use std::fs;
use std::path::{Path, PathBuf};

use convgpu::Tensor;
use convgpu::verify::Evidence;

use crate::failure::{Failure, Outcome};
use crate::files::{Folder, Target};
use crate::npy;

/// A folder for the files.
pub struct Dump(PathBuf, #[expect(dead_code, reason = "it is removed if nothing is written")] Folder);

impl Dump {
    /// Makes the folder, and checks that files can be written there.
    pub fn new(folder: &Path) -> Outcome<Dump> {
        let made = Folder::new(folder)?;
        Target::new(&folder.join("input_0.npy"))?;
        Ok(Dump(folder.to_owned(), made))
    }

    /// Writes `input_K.npy`, `output_K.npy`, `expected_K.npy` and `bound_K.npy`; gives their paths. Those of an earlier call,
    /// which may be of a node with more of them, are removed.
    pub fn write(&self, evidence: &Evidence) -> Outcome<Vec<String>> {
        let kinds: [(&str, &[Tensor]); 4] = [
            ("input", &evidence.inputs),
            ("output", &evidence.outputs),
            ("expected", &evidence.expected),
            ("bound", &evidence.bounds),
        ];
        let mut files = vec![];
        for (kind, tensors) in kinds {
            for (k, tensor) in tensors.iter().enumerate() {
                let file = self.0.join(format!("{kind}_{k}.npy"));
                Target::new(&file)?.write(|out| npy::write(out, tensor))?;
                files.push(file.display().to_string());
            }
            let more = (tensors.len()..).map(|k| self.0.join(format!("{kind}_{k}.npy")));
            for old in more.take_while(|file| file.is_file()) {
                fs::remove_file(&old).map_err(|e| Failure::output(e.to_string()).of(old.display()))?;
            }
        }
        Ok(files)
    }
}
