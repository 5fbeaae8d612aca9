//! Operators with any attributes on any shapes, a byte for each draw: `tests/fuzz/operators.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "a part of it compares with a device, which this target has not")]
#[path = "../../tests/fuzz/operators.rs"]
mod operators;

fuzz_target!(|draws: &[u8]| {
    operators::survives(draws);
});
