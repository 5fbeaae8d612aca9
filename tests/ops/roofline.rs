use convgpu::internals::bench::{Copy, FmaChain};

use crate::support::{Rng, check};

#[test]
fn integers_are_exact_off_the_tile_sizes() {
    let mut rng = Rng(5);
    for shape in [vec![3, 4], vec![7, 4, 67], vec![0, 4]] {
        let x = rng.integers(&shape);
        check(Copy, std::slice::from_ref(&x), true);
        for rounds in [0, 1, 5] {
            check(FmaChain { rounds }, std::slice::from_ref(&x), true);
        }
    }
}

#[test]
fn random_numbers_are_within_the_bound() {
    check(FmaChain { rounds: 9 }, &[Rng(6).tensor(&[13, 8])], false);
}
