//! The layers of docs/design.md: imports go downward only, and only `src/gpu` uses `wgpu`.

use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. A file's layer is that of the first entry its path starts with.
const LAYERS: &[&[&str]] = &[
    &["error", "memory", "names", "threads", "shape", "tensor", "options", "attr", "identity", "sync"],
    &["reference", "gpu"],
    &["ops"],
    &["graph", "device", "textures", "upload"],
    &["plan"],
    &["session"],
    &["model", "functional", "nn", "blocking"],
    &["verify", "bench"],
    &["custom", "internals", "lib", "onnx"],
];

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

/// The top-level modules that a text names after `crate::`.
fn imports(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    code.match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with('$'))
        .map(|(at, m)| code[at + m.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .filter(|name: &String| name.chars().next().is_some_and(char::is_lowercase))
        .collect()
}

fn violations(module: &str, text: &str) -> Vec<String> {
    let own = layer(module);
    let mut out = vec![];
    for import in imports(text) {
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

#[test]
fn imports_go_downward() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    sources(&root, &mut files);
    assert!(files.len() > 20);
    let mut found = vec![];
    for file in files {
        let path = file.strip_prefix(&root).unwrap();
        let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        for v in violations(module, &fs::read_to_string(&file).unwrap()) {
            found.push(format!("{}: {v}", path.display()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_check_sees_a_violation() {
    assert_eq!(violations("reference", "use crate::gpu::kernel;"), ["reference imports gpu"]);
    assert_eq!(violations("ops", "use crate::session::Session;"), ["ops imports session"]);
    assert_eq!(violations("nn", "let x: wgpu::Device;"), ["nn uses wgpu"]);
    assert!(violations("ops", "// crate::session\nuse crate::shape::Desc;").is_empty());
}
