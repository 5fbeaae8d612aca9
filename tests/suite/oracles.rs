//! Who says what is right of each operator: the table of docs/verification.md. `CONVGPU_GENERATE=1` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use convgpu::conformance::{ConformanceOptions, Oracle};
use convgpu::internals::conformance::operators;
use convgpu::internals::model::proto::ModelProto;
use convgpu::internals::ops::catalog::{CATALOG, Entry};
use prost::Message;

use crate::uncompared::UNCOMPARED;

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
        let compared = onnx.iter().filter(|op| !UNCOMPARED.contains(op)).count();
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
