//! `--expect DIR|FILE.npz`: comparison with the results of another engine.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;

use convgpu::Tensor;
use convgpu::internals::verify::tolerances;
use convgpu::verify::{ATOL, Comparison, RTOL, Report, compare};
use serde_json::{Value, json};

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::numbers;
use crate::{input, npy, source};

/// Another engine's results by the names of the model's values, and how the device's compare.
pub struct Expected {
    values: BTreeMap<String, Tensor>,
    /// Of those that the network has, in the order in which they are computed.
    compared: Vec<(String, Comparison)>,
}

impl Expected {
    /// Reads the arrays of an .npz, or the .npy files of a folder. In names of files _ stands for / and :.
    pub fn read(path: &Path) -> Outcome<Expected> {
        let values: BTreeMap<String, Tensor> = if path.is_dir() {
            folder(path)?
        } else {
            input::npz(&source::read(path)?).map_err(|e| e.of(path.display()))?.into_iter().collect()
        };
        if values.is_empty() {
            return Err(Failure::file("holds no .npy files").of(path.display()));
        }
        Ok(Expected { values, compared: vec![] })
    }

    /// Whether there is something to compare with a value of this name.
    pub fn select(&self) -> impl Fn(&str) -> bool + Send + Sync + 'static {
        let names: HashSet<String> = self.values.keys().cloned().collect();
        move |name| names.contains(name) || names.contains(&plain(name))
    }

    /// Compares what the device computed.
    pub fn compare(&mut self, report: &Report) {
        for (name, actual) in &report.values {
            if let Some(expected) = self.values.get(&plain(name)).or_else(|| self.values.get(name)) {
                let expected = expected.to_dtype(actual.dtype());
                self.compared.push((name.clone(), compare(actual, &expected, &tolerances(&expected))));
            }
        }
    }

    /// How many values the network as it is compiled does not have.
    fn removed(&self) -> usize {
        self.values.len() - self.compared.len()
    }

    fn first_different(&self) -> Option<&(String, Comparison)> {
        self.compared.iter().find(|(_, c)| !c.ok())
    }

    /// A failure that names the first value that differs, or says that nothing was compared.
    pub fn verdict(&self) -> Outcome<()> {
        if self.compared.is_empty() {
            let some: Vec<&str> = self.values.keys().take(3).map(String::as_str).collect();
            let text =
                format!("--expect: the network as it is compiled has none of its values ({}, ..)", some.join(", "));
            return Err(Failure::check(format!("{text}; --no-fuse keeps those of the file")));
        }
        match self.first_different() {
            Some((name, c)) => Err(Failure::check(format!("{name} differs from what is expected: {c}")).at(name)),
            None => Ok(()),
        }
    }

    pub fn as_json(&self) -> Value {
        let one =
            |(name, c): &(String, Comparison)| json!({ "name": name, "ok": c.ok(), "worst": numbers::json(c.worst) });
        json!({
            "values": self.compared.iter().map(one).collect::<Vec<_>>(),
            "not_compared": self.removed(),
            "first_different": self.first_different().map(|(name, _)| name),
        })
    }
}

/// Lines behind the report.
impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, c) in &self.compared {
            let result = if c.ok() { "ok" } else { "DIFFERENT" };
            writeln!(
                f,
                "expected {}: {:.1e} of rtol {RTOL} atol {ATOL} max|y|  {result}",
                console::name(name),
                c.worst
            )?;
        }
        let (compared, all) = (self.compared.len(), self.values.len());
        writeln!(
            f,
            "{compared} of {all} expected values compared; the others are fused away (--no-fuse keeps them) or unknown"
        )
    }
}

fn folder(path: &Path) -> Outcome<BTreeMap<String, Tensor>> {
    let wrong = |e: std::io::Error| Failure::file(e.to_string()).of(path.display());
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let file = entry.map_err(wrong)?.path();
        let Some(name) = file.file_stem().filter(|_| file.extension().is_some_and(|e| e == "npy")) else { continue };
        let tensor = npy::parse(&source::read(&file)?).map_err(|e| e.of(file.display()))?;
        out.insert(name.to_string_lossy().into_owned(), tensor);
    }
    Ok(out)
}

/// A value's name as that of a file.
fn plain(name: &str) -> String {
    name.replace(['/', ':'], "_")
}
