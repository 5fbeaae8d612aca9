//! The reader of `.npy` files, which is the command line's; what it reads is written and read again.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};

#[expect(dead_code, reason = "a part of it is for commands that this target does not call")]
#[path = "../../cli/src/failure.rs"]
mod failure;
mod header;
#[expect(dead_code, reason = "a part of it writes files, which this target does not")]
#[path = "../../cli/src/npy.rs"]
mod npy;

fuzz_target!(|file: &[u8]| {
    let streamed = npy::read(&mut { file });
    let Ok(tensor) = npy::parse(file) else { return assert!(streamed.is_err()) };
    for tensor in [&tensor, &streamed.expect("was parsed")] {
        let (mut written, mut again) = (vec![], vec![]);
        npy::write_as(&mut written, tensor).expect("was read");
        npy::write_as(&mut again, &npy::parse(&written).expect("was written")).expect("was read");
        assert!(again == written, "{tensor:?}");
    }
});

fuzz_mutator!(|file: &mut [u8], size: usize, max_size: usize, seed: u32| {
    // The length of version 1.
    header::mutate(file, size, max_size, seed, 8..10)
});
