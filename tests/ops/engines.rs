//! What the frames of kernels in `shaders/engine` do at their ends: grids of more workgroups than fit along one axis, and the
//! last workgroup of a tensor.

use convgpu::internals::attr::{Activation, BinaryKind, PoolKind};
use convgpu::internals::ops::adaptive_pool2d::AdaptivePool2d;
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::internals::ops::unary::Unary;

use crate::support::{Rng, check};

/// The tiles in workgroup memory, as the names of kernels have them.
pub const TILES: [&str; 8] =
    ["16,16,8,2", "16,16,8,1", "8,16,8,1", "8,8,8,2", "16,8,8,1", "8,16,4,2", "8,8,8,1", "8,8,4,1"];

/// An invocation per element in 65 536 workgroups and one element.
#[test]
fn flat_grids_of_two_rows() {
    let n = 65_536 * 64 + 1;
    let x = Rng(1).integers(&[n]);
    check(Binary(BinaryKind::Add), &[x, Rng(2).integers(&[1])], true);
}

/// Blocks of 1 024 words of four elements, and what is left.
#[test]
fn stream_blocks_and_their_ends() {
    for n in [4 * 1024 - 3, 4 * 1024, 4 * 1024 + 1, 12 * 1024 + 7] {
        check(Unary(Activation::Relu), &[Rng(3).tensor(&[n])], true);
    }
}

/// A product per workgroup at least, in grids of two rows.
#[test]
fn grids_of_matrix_products_of_two_rows() {
    let n = 65_536 + 3;
    check(MatMul, &[Rng(1).integers(&[n, 8, 2]), Rng(2).integers(&[n, 2, 9])], true);
}

/// A set per workgroup, in a grid of three rows: the last two workgroups have none, and the second of them would write behind
/// the four elements in which the output ends.
#[test]
fn grids_of_trees_of_three_rows() {
    let x = Rng(1).integers(&[1, 2 * 65_535 + 1, 12, 12]);
    check(AdaptivePool2d { output: [1, 1], kind: PoolKind::Max }, &[x], true);
}
