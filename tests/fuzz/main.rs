//! Bad input never panics, never hangs, never takes memory without bound: damaged models, damaged weights, operators
//! with any attributes on any shapes. And operators on a device agree with the reference. A case is determined by its
//! seed: `CONVGPU_FUZZ_SEED=n` runs one alone, `CONVGPU_FUZZ_SECONDS` is the time (5), `CONVGPU_FUZZ_CORPUS` a folder
//! with more models.

use std::fs;
use std::path::{Path, PathBuf};

use convgpu::internals::model::{proto::ModelProto, safetensors};
use prost::Message;

#[expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]
mod limits;
mod models;
mod mutate;
mod operators;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

use limits::Fuzzer;
use support::Rng;

/// Larger files take long and test little more.
const LARGEST_FILE: usize = 1 << 20;

/// The files with this ending below a folder.
fn files(folder: &Path, ending: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    let of = |path: &PathBuf| match path.is_dir() {
        true => files(path, ending),
        false if path.extension().is_some_and(|e| e == ending) => vec![fs::read(path).unwrap()],
        false => vec![],
    };
    paths.iter().flat_map(of).filter(|f| f.len() <= LARGEST_FILE).collect()
}

fn own(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder)
}

fn corpus() -> Vec<Vec<u8>> {
    let mut out = [files(&own("onnx"), "onnx"), files(&own("models"), "onnx")].concat();
    if let Some(more) = std::env::var_os("CONVGPU_FUZZ_CORPUS") {
        out.extend(files(Path::new(&more), "onnx"));
    }
    assert!(out.len() > 100, "{} models", out.len());
    out
}

#[test]
fn models_of_damaged_bytes() {
    let files = corpus();
    Fuzzer::new("models of damaged bytes", 0.2).run(|seed| mutate::damaged(&mut Rng(seed), &files), models::survives);
}

#[test]
fn models_with_changed_parts() {
    let protos: Vec<ModelProto> = corpus().iter().map(|f| ModelProto::decode(&f[..]).unwrap()).collect();
    let change = |seed| mutate::changed_model(&mut Rng(seed), &protos);
    Fuzzer::new("models with changed parts", 0.3).run(change, models::survives);
}

#[test]
fn operators_of_any_attributes() {
    Fuzzer::new("operators", 0.2).run(|_| vec![], |seed, _| operators::survives(Rng(seed)));
}

#[test]
fn operators_on_the_device() {
    let device = support::device();
    Fuzzer::new("operators on the device", 0.2).run(|_| vec![], |seed, _| operators::agrees(seed, device));
}

#[test]
fn damaged_weights() {
    let mut rng = Rng(1);
    let mut tensors = vec![];
    for (name, shape) in [("a.weight", &[2, 3][..]), ("b", &[]), ("empty", &[0, 4])] {
        tensors.push((name.to_owned(), rng.tensor(shape)));
    }
    let mut files = files(&own("golden"), "safetensors");
    files.push(safetensors::to_bytes(&tensors).unwrap());
    // Most of a file should be the header, which is the part that can be wrong.
    files.iter_mut().for_each(|f| f.truncate(1 << 14));
    let small = files.len() - 1;
    Fuzzer::new("damaged weights", 0.1).run(
        |seed| {
            let mut rng = Rng(seed);
            let of = if rng.int(0, 3) > 0 { &files[small..] } else { &files[..] };
            mutate::damaged(&mut rng, of)
        },
        |_, bytes| safetensors::from_bytes(bytes).is_ok(),
    );
}
