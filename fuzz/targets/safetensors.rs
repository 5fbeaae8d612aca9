//! The reader of safetensors files; what it reads is written and read again.
#![no_main]

use convgpu::internals::model::safetensors::{from_bytes, to_bytes};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

mod header;

fuzz_target!(|file: &[u8]| {
    let Ok(tensors) = from_bytes(file) else { return };
    let written = to_bytes(&tensors).expect("was read");
    let again = to_bytes(&from_bytes(&written).expect("was written"));
    assert!(again.expect("was read") == written, "{tensors:?}");
});

fuzz_mutator!(|file: &mut [u8], size: usize, max_size: usize, seed: u32| {
    header::mutate(file, size, max_size, seed, 0..8)
});
