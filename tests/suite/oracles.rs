//! Who says what is right of each operator: the table of docs/verification.md. `CONVGPU_GENERATE=1` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use convgpu::conformance::{ConformanceOptions, Oracle};
use convgpu::internals::conformance::{Kind, operators};
use convgpu::internals::model::proto::ModelProto;
use convgpu::internals::ops::catalog::{CATALOG, Entry};
use prost::Message;

use crate::in_rten;

/// The row of an operator: its own, or that of all functions of one number or of two.
fn row(op: &str) -> &'static str {
    let own = CATALOG.iter().find(|entry| entry.name.split(", ").any(|name| name == op));
    let is_binary = || include_str!("../../src/attr/binary.rs").contains(&format!(" = \"{op}\""));
    own.map_or_else(|| if is_binary() { "binary functions" } else { "unary functions" }, |entry| entry.name)
}

/// The cases of `conformance`, by row and oracle.
fn cases() -> BTreeMap<(&'static str, Oracle), usize> {
    let mut out = BTreeMap::new();
    for parts in operators(&ConformanceOptions::new()).unwrap() {
        // A case counts once.
        let rows: BTreeSet<_> = parts.into_iter().map(|(op, oracle)| (row(op), oracle)).collect();
        rows.into_iter().for_each(|key| *out.entry(key).or_default() += 1);
    }
    out
}

/// The models of the ONNX suite in the repository that have an operator of ONNX.
fn models(folder: &Path, out: &mut BTreeMap<String, usize>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            models(&path, out);
        } else if path.extension().is_some_and(|e| e == "onnx") {
            let model = ModelProto::decode(&*fs::read(&path).unwrap()).unwrap();
            let mut ops: Vec<_> = model.graph.unwrap().node.iter().map(|node| node.op_type().to_owned()).collect();
            ops.sort_unstable();
            ops.dedup();
            ops.into_iter().for_each(|op| *out.entry(op).or_default() += 1);
        }
    }
}

fn table() -> String {
    let (cases, mut suite) = (cases(), BTreeMap::new());
    models(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx"), &mut suite);
    let mut out =
        "| operator | reference | integers | edges | PyTorch | ONNX suite | rten |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for Entry { name, onnx, .. } in CATALOG {
        let of = |oracle| cases.get(&(*name, oracle)).copied().unwrap_or(0);
        let onnx: Vec<_> = onnx.split(", ").filter(|op| !op.is_empty()).collect();
        let models: usize = onnx.iter().filter_map(|&op| suite.get(op)).sum();
        let compared = onnx.iter().filter(|op| in_rten::has("", op)).count();
        let rten = if onnx.is_empty() { String::new() } else { format!("{compared} of {}", onnx.len()) };
        let [random, integers, edges, torch] =
            [Oracle::Reference, Oracle::Integers, Oracle::Edges, Oracle::PyTorch].map(of);
        writeln!(out, "| {name} | {random} | {integers} | {edges} | {torch} | {models} | {rten} |").unwrap();
    }
    out
}

#[test]
fn the_page_of_verification_counts_the_oracles() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verification.md");
    let page = fs::read_to_string(path).unwrap();
    let (head, rest) = page.split_once("<!-- oracles -->\n").unwrap();
    let (shown, tail) = rest.split_once("<!-- /oracles -->").unwrap();
    let table = table();
    if std::env::var("CONVGPU_GENERATE").is_ok_and(|v| v == "1") {
        let page = format!("{head}<!-- oracles -->\n{table}<!-- /oracles -->{tail}");
        return fs::write(path, page).unwrap();
    }
    assert!(shown == table, "docs/verification.md: CONVGPU_GENERATE=1 cargo test --all-features --test suite oracles");
    // Somebody who is not of this project has an answer for each operator, or the operator moves bytes.
    for line in table.lines().skip(2) {
        let cells: Vec<_> = line.split(" | ").collect();
        let of_others = cells[4] != "0" || cells[5] != "0" || !cells[6].starts_with([' ', '0']);
        assert!(of_others || ["| from_bytes", "| from_pixels, to_pixels"].contains(&cells[0]), "{line}");
    }
}

/// The name that a line of `src/functional` gives a public function: its own, or an entry of a macro that makes functions.
fn function(line: &str) -> Option<&str> {
    let own = || line.strip_prefix("pub fn ");
    let entry = || line.strip_prefix("    ").filter(|rest| rest.ends_with("\";") || rest.contains(" = \""));
    let rest = own().or_else(entry)?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().filter(|name| !name.is_empty() && *name != "let")
}

/// The name that a line of `src/nn/mod.rs` or of its activations gives a layer.
fn layers(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// PyTorch says what is right of every function and of every layer that has its name.
#[test]
fn pytorch_answers_for_every_function_and_layer() {
    let answered = |kind: Kind| kind.cases().unwrap().iter().map(|golden| golden.op.as_str()).collect::<BTreeSet<_>>();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(root.join("src/functional")).unwrap().map(|entry| entry.unwrap().path());
    let text: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    let functions: BTreeSet<_> = text.lines().filter_map(function).collect();
    let known = answered(Kind::Functional);
    // Not PyTorch's; the cases of max_pool2d have the indices; random numbers are those of another generator.
    let own = ["activate", "clear_cache", "set_cache_limit", "traced", "max_pool2d_with_indices"];
    let own = [&own[..], &["bernoulli", "rand", "randn"]].concat();
    let missing: Vec<_> = functions.iter().filter(|name| !known.contains(name.trim_end_matches('_'))).collect();
    assert!(missing.iter().all(|name| own.contains(name)) && functions.len() > 90, "{missing:?} of {functions:?}");

    let exported = include_str!("../../src/nn/mod.rs").split("pub use ");
    let exported = exported.filter(|text| {
        ["attention", "conv", "linear", "norm", "pool", "recurrent", "resample", "sequential"]
            .iter()
            .any(|m| text.starts_with(&format!("{m}::")))
    });
    let exported = exported.filter_map(|text| text.split(';').next()).flat_map(layers);
    // What a layer is given.
    let exported = exported.filter(|name| *name != "AttentionInputs");
    let activations = include_str!("../../src/nn/activation.rs").lines();
    let activations = activations.filter(|line| line.starts_with("    ") && !line.starts_with("     "));
    let activations = activations.filter(|line| line.contains(" = ") || line.ends_with(" {"));
    let activations =
        activations.filter_map(|line| line.trim().split(' ').next()).filter(|word| layers(word).next() == Some(word));
    let named: BTreeSet<_> = exported.chain(activations).chain(["PReLU"]).collect();
    let known = answered(Kind::Module);
    let missing: Vec<_> = named.iter().filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty() && named.len() == known.len(), "{missing:?} of {named:?}, PyTorch's {known:?}");
}
