//! The layers of docs/design.md: imports go downward only, files of a folder do not import each other in a circle, and only
//! `src/gpu` uses `wgpu`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::imports::File;

/// Lowest first. A file's layer is that of the first entry its path starts with.
const LAYERS: &[&[&str]] = &[
    &[
        "error", "memory", "names", "threads", "shape", "tensor", "options", "attr", "identity", "rng", "sync",
        "parallel",
    ],
    &["reference", "gpu"],
    &["bound"],
    &["ops"],
    &["graph", "device", "textures", "upload"],
    &["plan"],
    &["session"],
    &["model", "functional", "nn", "blocking", "vision"],
    &["verify", "bench"],
    &["conformance"],
    &["custom", "internals", "lib", "onnx"],
];

/// Folders whose files import each other in no circle.
const ACYCLIC: &[&str] =
    &["attr", "bench", "functional", "gpu", "graph", "model", "ops", "plan", "reference", "session", "verify"];

fn layer(module: &str) -> usize {
    LAYERS.iter().position(|l| l.contains(&module)).unwrap_or_else(|| panic!("src/{module} is in no layer"))
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, out);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            out.push(entry);
        }
    }
}

fn violations(path: &[&str], text: &str) -> Vec<String> {
    let module = path[0];
    let own = layer(module);
    let mut out = vec![];
    for import in File::parse(path, text).paths().filter_map(|path| path.first().cloned()) {
        if !LAYERS.iter().any(|l| l.contains(&import.as_str())) {
            continue; // a macro or a re-export at the root
        }
        let siblings_apart = ["reference", "gpu"].contains(&module) && layer(&import) == own && import != module;
        if layer(&import) > own || siblings_apart {
            out.push(format!("{module} imports {import}"));
        }
    }
    if !["gpu", "device", "lib", "internals"].contains(&module)
        && text.contains("wgpu::")
        && !text.contains("convgpu::")
    {
        out.push(format!("{module} uses wgpu"));
    }
    out
}

/// The texts of `src/` by path.
fn texts() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    sources(&root, &mut files);
    assert!(files.len() > 20);
    let text = |file: &PathBuf| {
        let path: Vec<_> = file.strip_prefix(&root).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
        (path.join("/"), fs::read_to_string(file).unwrap())
    };
    files.iter().map(text).collect()
}

/// The path of a file's module.
fn module(path: &str) -> Vec<&str> {
    let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    parts.strip_suffix(&["mod"]).map(<[_]>::to_vec).unwrap_or(parts)
}

/// Which files import which, for files by path.
///
/// What a file gets through a `use` of another file it imports from where that file got it. So a `mod.rs` that declares modules
/// and names what is in them is imported by nobody.
fn imports(texts: &BTreeMap<String, String>) -> BTreeMap<&str, BTreeSet<&str>> {
    let files: BTreeMap<Vec<&str>, (&str, File)> =
        texts.iter().map(|(path, text)| (module(path), (path.as_str(), File::parse(&module(path), text)))).collect();
    let home = |path: &[String]| {
        let mut path = path.to_vec();
        for _ in 0..8 {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let known = (1..=names.len()).rev().find_map(|n| Some((n, files.get(&names[..n])?)));
            let (n, (file, parsed)) = known?;
            let Some(from) = names.get(n).and_then(|name| parsed.imported(name)) else { return Some(*file) };
            path = [from, &path[n + 1..]].concat();
        }
        panic!("{path:?} is passed on in a circle");
    };
    let defining = files.values().filter(|(_, file)| file.defines);
    let imported =
        |(path, file): &(&'_ str, File)| file.paths().filter_map(|p| home(p)).filter(|to| to != path).collect();
    defining.map(|file| (file.0, imported(file))).collect()
}

/// The imports of one file of a folder from another that lead back to it.
fn circles(texts: &BTreeMap<String, String>, folder: &str) -> Vec<String> {
    let mut imports = imports(texts);
    imports.retain(|from, _| module(from)[0] == folder);
    let leads = |from: &str, wanted: &str| {
        let (mut seen, mut open) = (BTreeSet::from([from]), vec![from]);
        while let Some(next) = open.pop() {
            open.extend(imports.get(next).into_iter().flatten().filter(|to| seen.insert(to)));
        }
        seen.contains(wanted)
    };
    let pairs = imports.iter().flat_map(|(from, all)| all.iter().map(move |to| (from, to)));
    pairs.filter(|(from, to)| leads(to, from)).map(|(from, to)| format!("{from} imports {to}")).collect()
}

#[test]
fn imports_go_downward() {
    let mut found = vec![];
    for (path, text) in texts() {
        for v in violations(&module(&path), &text) {
            found.push(format!("{path}: {v}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_check_sees_a_violation() {
    assert_eq!(violations(&["reference"], "use crate::gpu::kernel;"), ["reference imports gpu"]);
    assert_eq!(violations(&["ops"], "use crate::session::Session;"), ["ops imports session"]);
    assert_eq!(violations(&["nn"], "let x: wgpu::Device;"), ["nn uses wgpu"]);
    assert_eq!(violations(&["plan", "pack"], "fn f() { super::super::nn::f() }"), ["plan imports nn"]);
    assert!(violations(&["ops"], "// crate::session\nuse crate::shape::Desc;").is_empty());
}

#[test]
fn files_import_each_other_in_no_circle() {
    let texts = texts();
    let found: Vec<String> = ACYCLIC.iter().flat_map(|folder| circles(&texts, folder)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_check_sees_a_circle() {
    let texts = |files: &[(&str, &str)]| {
        files.iter().map(|(path, text)| (format!("ops/{path}.rs"), (*text).to_owned())).collect()
    };
    let found = |files: &[(&str, &str)]| circles(&texts(files), "ops");
    let both = ["ops/a.rs imports ops/b.rs", "ops/b.rs imports ops/a.rs"];
    assert_eq!(found(&[("a", "use super::b::B; struct A;"), ("b", "fn f() { crate::ops::a::A }")]), both);
    // A mod.rs passes on what is in its files, and an inner module's `super` is the file.
    let passed = [
        ("mod", "mod a; mod b; pub use a::A; use b::{B, c as d};"),
        ("a", "use super::{B}; struct A; mod tests { use super::*; use super::A; }"),
        ("b", "use crate::ops::d; struct B; fn f() { super::A }"),
    ];
    assert_eq!(found(&passed), both);
    let parent = [("mod", "mod a; use a::A; fn f() {}"), ("a", "use super::f; struct A;")];
    assert_eq!(found(&parent), ["ops/a.rs imports ops/mod.rs", "ops/mod.rs imports ops/a.rs"]);
    // Neither a comment nor a text imports, and what is only imported is in no circle.
    let none = [("a", "// super::b\nstruct A; const T: &str = \"super::b\";"), ("b", "use super::a::A; struct B;")];
    assert!(found(&none).is_empty());
}
