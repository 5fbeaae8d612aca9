//! Changes of a file whose header is a text after its length.

use std::ops::Range;

use libfuzzer_sys::fuzzer_mutate;

/// Changes the file. In half of the calls the number at `at` keeps the distance of the header's end from the end of the file: if
/// it did not, a text that became longer or shorter would seldom be read.
pub fn mutate(file: &mut [u8], size: usize, max_size: usize, seed: u32, at: Range<usize>) -> usize {
    let length = |file: &[u8]| at.clone().rev().fold(0u64, |length, k| length << 8 | u64::from(file[k]));
    let before = if size >= at.end { length(file) } else { 0 };
    let changed = fuzzer_mutate(file, size, max_size);
    if seed.is_multiple_of(2) && size.min(changed) >= at.end {
        let after = before.wrapping_add(changed as u64).wrapping_sub(size as u64);
        let bytes = at.len();
        file[at].copy_from_slice(&after.to_le_bytes()[..bytes]);
    }
    changed
}
