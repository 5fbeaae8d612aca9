//! Damaged model files give errors, never panics: bytes or numbers of the ONNX cases in `tests/onnx` are changed at
//! random, read, and, if that succeeds, bound to shapes (which runs every shape rule and folds constants).
//! `CONVGPU_FUZZ_SECONDS` says how long (5); `CONVGPU_FUZZ_SEED` where to start.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use convgpu::model::onnx::Dim;
use convgpu::model::proto::ModelProto;
use convgpu::session::{Given, Network};
use convgpu::{DType, Data, Desc, Model, Tensor};
use prost::Message;

#[allow(dead_code)]
#[path = "ops/support.rs"]
mod support;

use support::Rng;

/// Files of this name below a folder.
fn files(folder: &Path, name: &str, out: &mut Vec<Vec<u8>>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, name, out);
        } else if path.file_name().is_some_and(|n| n == name) {
            out.push(fs::read(&path).unwrap());
        }
    }
}

/// One or two changes: a bit, a byte, a piece removed, doubled, or taken from another file.
fn mutate(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = corpus[rng.int(0, corpus.len() - 1)].clone();
    for _ in 0..rng.int(1, 2) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.int(0, bytes.len() - 1);
        let end = (at + rng.int(1, 16)).min(bytes.len());
        match rng.int(0, 5) {
            0 => bytes[at] ^= 1 << rng.int(0, 7),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.int(0, 4)],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let other = &corpus[rng.int(0, corpus.len() - 1)];
                let from = rng.int(0, other.len() - 1);
                let piece = other[from..(from + end - at).min(other.len())].to_vec();
                bytes.splice(at..end, piece);
            }
        }
    }
    bytes
}

/// A number that a shape rule may stumble over.
fn odd(rng: &mut Rng) -> i64 {
    const ODD: &[i64] =
        &[i64::MIN, -1 << 31, -7, -2, -1, 0, 1, 2, 3, 5, 127, 1 << 16, (1 << 31) - 1, 1 << 32, i64::MAX];
    ODD[rng.int(0, ODD.len() - 1)]
}

/// The same model with one or two numbers changed: attributes, extents of inputs.
fn renumber(rng: &mut Rng, bytes: &[u8]) -> Vec<u8> {
    let mut model = ModelProto::decode(bytes).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let mut numbers: Vec<&mut i64> = vec![];
    for attribute in graph.node.iter_mut().flat_map(|n| &mut n.attribute) {
        numbers.extend(attribute.i.as_mut());
        numbers.extend(&mut attribute.ints);
        numbers.extend(attribute.t.iter_mut().flat_map(|t| &mut t.dims));
    }
    for info in &mut graph.input {
        let shape = info.r#type.as_mut().and_then(|t| t.tensor_type.as_mut()).and_then(|t| t.shape.as_mut());
        numbers.extend(shape.into_iter().flat_map(|s| &mut s.dim).filter_map(|d| d.dim_value.as_mut()));
    }
    for _ in 0..rng.int(1, 2) {
        if !numbers.is_empty() {
            let k = rng.int(0, numbers.len() - 1);
            *numbers[k] = odd(rng);
        }
    }
    model.encode_to_vec()
}

/// Reads and binds: inputs as they are declared, open extents 2; those that decide shapes have small values.
fn exercise(rng: &mut Rng, bytes: &[u8]) -> bool {
    let Ok(model) = Model::from_bytes(bytes) else { return false };
    let shape_inputs = model.shape_inputs();
    let mut given = vec![];
    for info in model.inputs() {
        let extent = |d: &Dim| if let Dim::Fixed(n) = d { *n } else { 2 };
        let shape: Vec<usize> = info.dims.iter().flatten().map(extent).collect();
        let small = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b)).filter(|n| *n <= 64);
        let value = small.filter(|_| shape_inputs.contains(&info.name)).map(|n| {
            let data: Data = match info.dtype {
                DType::F32 => (0..n).map(|_| rng.int(0, 8) as f32 / 2.0 - 0.5).collect::<Vec<_>>().into(),
                DType::I32 => (0..n).map(|_| rng.int(0, 8) as i32 - 3).collect::<Vec<_>>().into(),
                DType::I64 => (0..n)
                    .map(|_| if rng.int(0, 7) == 0 { odd(rng) } else { rng.int(0, 8) as i64 - 3 })
                    .collect::<Vec<_>>()
                    .into(),
                DType::Bool => (0..n).map(|_| rng.int(0, 1) == 1).collect::<Vec<_>>().into(),
            };
            Tensor::new(shape.clone(), data).unwrap()
        });
        given.push(Given { name: &info.name, desc: Desc::new(shape, info.dtype), value });
    }
    model.graph(&given).is_ok()
}

#[test]
fn damaged_models_are_errors() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |v| v.parse().unwrap());
    let budget = Duration::from_secs(number("CONVGPU_FUZZ_SECONDS", 5));
    let mut seed = number("CONVGPU_FUZZ_SEED", 1);
    let mut corpus = vec![];
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx"), "model.onnx", &mut corpus);
    // Values that decide shapes are random here, so not every case fits them.
    let whole = corpus.iter().filter(|bytes| exercise(&mut Rng(seed), bytes)).count();
    assert!(whole > corpus.len() / 2, "{whole} of {} undamaged files can be bound", corpus.len());
    static PANICS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
    static SEED: AtomicU64 = AtomicU64::new(0);
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or("somewhere".to_owned(), |l| l.to_string());
        PANICS.lock().unwrap().entry(place).or_insert(SEED.load(Ordering::Relaxed));
    }));
    let start = Instant::now();
    let (mut runs, mut bound) = (0, 0);
    while start.elapsed() < budget {
        SEED.store(seed, Ordering::Relaxed);
        let rng = &mut Rng(seed);
        let bytes = if rng.int(0, 1) == 0 {
            mutate(rng, &corpus)
        } else {
            let k = rng.int(0, corpus.len() - 1);
            renumber(rng, &corpus[k])
        };
        let result = catch_unwind(AssertUnwindSafe(|| exercise(&mut Rng(seed), &bytes)));
        runs += 1;
        bound += usize::from(result.unwrap_or(false));
        seed += 1;
    }
    drop(std::panic::take_hook());
    let panics = PANICS.lock().unwrap();
    assert!(panics.is_empty(), "panics, with a CONVGPU_FUZZ_SEED that leads to each: {panics:#?}");
    assert!(bound > 0, "none of {runs} files could be bound: the fuzzer has nothing to do");
    println!("{runs} damaged files, {bound} of them still models");
}
