//! `--expect DIR|FILE.npz`: comparison with the results of another engine.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use convgpu::internals::graph::value_name;
use convgpu::internals::verify::{largest_difference, percent, tolerances};
use convgpu::verify::{ATOL, Comparison, NodeValue, RTOL, Report, compare};
use convgpu::{Graph, Tensor};
use serde_json::{Value, json};

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::npz::Npz;
use crate::numbers;
use crate::table::shown;
use crate::{npy, source};

/// Another engine's results by the names of the model's values, and how the device's compare.
pub struct Expected {
    values: Values,
    /// Of those that the network has, in the order in which they are computed.
    compared: Vec<Compared>,
    /// Names of values of the file that rewriting removed.
    fused: Vec<String>,
    /// Names that are no value which a node of the network computes.
    unknown: Vec<String>,
}

struct Compared {
    value: String,
    node: String,
    op: String,
    /// What storing f16 changes; the tolerance has twice that, as that of an output.
    rounding: f64,
    comparison: Comparison,
}

impl Expected {
    /// Reads the arrays of an .npz, or the .npy files of a folder and its subfolders, that are values of a network before
    /// rewriting. In names of files _ stands for / and :.
    pub fn read(path: &Path, graph: &Graph) -> Outcome<Expected> {
        let mut found = Found::of(graph);
        if path.is_dir() {
            found.read_folder(path, "")?;
        } else {
            let bytes = source::read(path)?;
            if !Npz::is(&bytes) {
                return Err(Failure::file("no .npz file, and no folder of .npy files").of(path.display()));
            }
            found.read_npz(bytes).map_err(|e| e.of(path.display()))?;
        }
        let Found { values, mut unknown, .. } = found;
        if values.is_empty() && unknown.is_empty() {
            return Err(Failure::file("holds no .npy files").of(path.display()));
        }
        unknown.sort();
        Ok(Expected { values: Values::new(values), compared: vec![], fused: vec![], unknown })
    }

    /// Whether there is something to compare with a value of this name.
    pub fn select(&self) -> impl Fn(&str) -> bool + Send + Sync + 'static {
        let names: HashSet<String> = self.values.plain.keys().cloned().collect();
        move |name| names.contains(&plain(name))
    }

    /// Compares what the device computed; the rest is fused away. In f16 there are also the values of the reference in f32, from
    /// which those of the device, whose nodes are checked, differ by what storing f16 changes.
    pub fn compare(&mut self, report: &Report, reference: &[NodeValue]) {
        let mut left: HashSet<String> = self.values.tensors.keys().cloned().collect();
        for NodeValue { name, node, op, tensor, .. } in &report.values {
            let Some((key, expected)) = self.values.find(name) else { continue };
            let expected = expected.to_dtype(tensor.dtype());
            let exact = reference.iter().find(|v| v.name == *name && v.tensor.desc() == tensor.desc());
            let rounding = exact.map_or(0.0, |v| largest_difference(tensor, &v.tensor));
            let comparison = compare(tensor, &expected, &tolerances(&expected, rounding));
            let (value, node, op) = (name.clone(), node.clone(), op.clone());
            self.compared.push(Compared { value, node, op, rounding, comparison });
            left.remove(key);
        }
        self.fused = left.into_iter().collect();
        self.fused.sort();
    }

    fn first_different(&self) -> Option<&Compared> {
        self.compared.iter().find(|c| !c.comparison.ok())
    }

    /// A failure that names the first value that differs and its node, or says that nothing was compared.
    pub fn verdict(&self, fusing: bool) -> Outcome<()> {
        if self.compared.is_empty() {
            let hint =
                if fusing && !self.fused.is_empty() { "; --no-fuse checks those that are fused away" } else { "" };
            let left = self.left().join("; ");
            return Err(Failure::check(format!("--expect: none of the expected values is compared: {left}{hint}")));
        }
        match self.first_different() {
            Some(Compared { value, node, op, comparison, .. }) => {
                let text = format!("the value {value} of the node {node} ({op}) differs from what is expected");
                Err(Failure::check(format!("{text}: {}", comparison.summary())).at(node))
            }
            None => Ok(()),
        }
    }

    pub fn as_json(&self) -> Value {
        let one = |c: &Compared| {
            let worst = numbers::json(c.comparison.worst);
            let (ok, rounding) = (c.comparison.ok(), numbers::json(c.rounding));
            json!({ "name": c.value, "node": c.node, "op": c.op, "ok": ok, "worst": worst, "rounding": rounding })
        };
        json!({
            "ok": self.verdict(false).is_ok(),
            "values": self.compared.iter().map(one).collect::<Vec<_>>(),
            "fused_away": self.fused,
            "not_computed": self.unknown,
            "first_different": self.first_different().map(|c| &c.value),
        })
    }

    /// Lines behind the report.
    pub fn as_text(&self, fusing: bool) -> String {
        let mut out = String::new();
        for Compared { value, node, op, comparison, .. } in &self.compared {
            let result = if comparison.ok() { "ok".to_owned() } else { format!("DIFFERENT: {}", comparison.summary()) };
            let error = percent(comparison.worst);
            let node = console::name(node);
            out += &format!("expected {value:?}, of {node} ({op}): error {error} of the tolerance  {result}\n");
        }
        let f16 = self.compared.iter().any(|c| c.rounding > 0.0);
        let stored = if f16 { " + 2 x what storing f16 changes" } else { "" };
        let (compared, all) = (self.compared.len(), self.values.tensors.len() + self.unknown.len());
        out += &format!(
            "{compared} of {all} expected values compared, with a tolerance of {RTOL:e} |x| + {ATOL:e} max|x|{stored}\n"
        );
        self.left().iter().for_each(|line| out += &format!("{line}\n"));
        if fusing && !self.fused.is_empty() {
            out += "--no-fuse checks the values that are fused away\n";
        }
        out
    }

    /// What was not compared, a line for each reason.
    fn left(&self) -> Vec<String> {
        let line = |names: &[String], why: &str| {
            (!names.is_empty()).then(|| format!("{} {why}: {}", names.len(), shown(names)))
        };
        let unknown = line(&self.unknown, "not in the network, or known before it runs");
        line(&self.fused, "fused away").into_iter().chain(unknown).collect()
    }
}

/// Tensors by name; a name also fits if it is the same as that of a file.
struct Values {
    tensors: BTreeMap<String, Tensor>,
    /// The names by those of files.
    plain: HashMap<String, String>,
}

impl Values {
    fn new(tensors: BTreeMap<String, Tensor>) -> Values {
        let plain = tensors.keys().map(|name| (plain(name), name.clone())).collect();
        Values { tensors, plain }
    }

    fn find(&self, name: &str) -> Option<(&String, &Tensor)> {
        let exact = self.tensors.get_key_value(name);
        exact.or_else(|| self.tensors.get_key_value(self.plain.get(&plain(name))?))
    }
}

/// What a file or folder holds for a network.
struct Found {
    /// The names of the network's values, as those of files.
    made: HashSet<String>,
    values: BTreeMap<String, Tensor>,
    /// Names that are no value of the network: their arrays are not read.
    unknown: Vec<String>,
}

impl Found {
    fn of(graph: &Graph) -> Found {
        let made = graph.nodes().iter().flat_map(|n| &n.outputs).map(|id| plain(value_name(graph, *id))).collect();
        Found { made, values: BTreeMap::new(), unknown: vec![] }
    }

    /// Takes an array if it is a value of the network.
    fn take(&mut self, name: String, read: impl FnOnce() -> Outcome<Tensor>) -> Outcome<()> {
        if self.made.contains(&plain(&name)) {
            self.values.insert(name, read()?);
        } else {
            self.unknown.push(name);
        }
        Ok(())
    }

    fn read_npz(&mut self, bytes: Vec<u8>) -> Outcome<()> {
        let mut arrays = Npz::open(bytes)?;
        let names = arrays.names().into_iter().enumerate();
        names.into_iter().try_for_each(|(k, name)| self.take(name, || arrays.read(k)))
    }

    /// `within` is the name of the folder in the names of values.
    fn read_folder(&mut self, path: &Path, within: &str) -> Outcome<()> {
        let wrong = |e: std::io::Error| Failure::file(e.to_string()).of(path.display());
        for entry in std::fs::read_dir(path).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let file = entry.path();
            let name = |stem: &std::ffi::OsStr| format!("{within}{}", stem.to_string_lossy());
            // A link to a folder may lead round in a circle.
            if entry.file_type().map_err(wrong)?.is_dir() {
                self.read_folder(&file, &format!("{}/", name(&entry.file_name())))?;
            } else if file.extension().is_some_and(|e| e == "npy") {
                let read = || npy::parse(&source::read(&file)?).map_err(|e| e.of(file.display()));
                self.take(name(file.file_stem().unwrap_or_default()), read)?;
            }
        }
        Ok(())
    }
}

/// A value's name as that of a file.
fn plain(name: &str) -> String {
    name.replace(['/', ':'], "_")
}
