//! The ONNX reader, on to plans and a run on the reference if the graph is small: `tests/fuzz/models.rs`.
#![no_main]

use convgpu::internals::model::proto::ModelProto;
use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target, fuzzer_mutate};
use prost::Message;

#[path = "../../tests/fuzz/models.rs"]
mod models;
#[expect(dead_code, reason = "a part of it changes bytes, which libFuzzer does here")]
#[path = "../../tests/fuzz/mutate.rs"]
mod mutate;
mod support {
    pub use convgpu::internals::conformance::Rng;
}

fuzz_target!(|file: &[u8]| {
    // The descriptions of the inputs follow from the size alone, so that most changes of bytes keep them.
    models::survives(file.len() as u64, file);
});

// Every other change keeps the message: changed bytes of a protobuf seldom do.
fuzz_mutator!(|file: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let kept = if seed.is_multiple_of(2) { changed(&[&file[..size]], max_size, seed) } else { None };
    match kept {
        Some(model) => put(&model, file),
        None => fuzzer_mutate(file, size, max_size),
    }
});

fuzz_crossover!(|a: &[u8], b: &[u8], out: &mut [u8], seed: u32| {
    changed(&[a, b], out.len(), seed).map_or(0, |model| put(&model, out))
});

/// A model of the parts of these; `None` if one of them is no message, or the result is too large.
fn changed(files: &[&[u8]], most: usize, seed: u32) -> Option<Vec<u8>> {
    let models = files.iter().map(|file| ModelProto::decode(*file).ok()).collect::<Option<Vec<_>>>()?;
    let model = mutate::changed_model(&mut support::Rng(seed.into()), &models);
    (model.len() <= most).then_some(model)
}

/// Copies a file to where libFuzzer wants it; gives its size.
fn put(file: &[u8], out: &mut [u8]) -> usize {
    out[..file.len()].copy_from_slice(file);
    file.len()
}
