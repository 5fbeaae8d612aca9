//! Weights of convolutions as 4x4 blocks.

use super::geometry::Geometry;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, Params, params};
use crate::gpu::pieces::FLAT;
use crate::parallel;

static PACK: Kernel = kernel!("conv2d_pack", FLAT).floats();

pub(super) const KERNELS: &[&Kernel] = &[&PACK];

/// The weight `[oc, ic / groups, kh, kw]` of a convolution as 4x4 blocks: the launch and the bytes it writes.
pub(super) fn pack(g: &Geometry) -> (Launch, usize) {
    let (launch, bytes) = pack_by(g, false);
    (Launch { on_host: Some(packed), ..launch }, bytes)
}

/// As [`pack`], for the weight `[ic, oc / groups, kh, kw]` of a transposed convolution.
pub(super) fn pack_transposed(g: &Geometry) -> (Launch, usize) {
    pack_by(g, true)
}

fn pack_by(g: &Geometry, transposed: bool) -> (Launch, usize) {
    let (oc, icg, ocg, [kh, kw]) = (g.oc, g.ic / g.groups, g.oc / g.groups, g.window.kernel);
    let (taps, columns) = (kh * kw, kh * kw * icg.div_ceil(4) * oc.div_ceil(4) * 4);
    let launch = Launch::flat(&PACK, columns, params!(oc, icg, ocg, taps));
    (launch.set("TRANSPOSED", u8::from(transposed)), columns * 16)
}

/// What `conv2d_pack` writes: `[tap, block of inputs, block of outputs]` of 4x4 blocks, in each an input's four outputs are
/// neighbours. A software adapter takes many times as long for it as the host.
fn packed(params: &Params, w: &[f32], out: &mut Vec<f32>) {
    let [oc, icg, taps] = ["oc", "icg", "taps"].map(|name| params.size(name));
    let (row, icg4) = (oc.div_ceil(4) * 16, icg.div_ceil(4));
    out.resize(taps * icg4 * row, 0.0);
    // For every block of inputs its rows, one per tap.
    let mut blocks: Vec<Vec<&mut [f32]>> = (0..icg4).map(|_| vec![]).collect();
    out.chunks_mut(row.max(1)).enumerate().for_each(|(i, row)| blocks[i % icg4].push(row));
    parallel::each(&mut blocks, |block, rows| {
        let first = block * 4;
        let inputs = icg.min(first + 4) - first;
        for (o, filters) in w.chunks(4 * icg * taps).enumerate() {
            if inputs < 4 || filters.len() < 4 * icg * taps {
                rows.iter_mut().for_each(|row| row[o * 16..][..16].fill(0.0));
            }
            // Four outputs' taps of these inputs; whole cache lines are read and written.
            for (lane, filter) in filters.chunks(icg * taps).enumerate() {
                for (input, taps) in filter[first * taps..][..inputs * taps].chunks(taps).enumerate() {
                    rows.iter_mut().zip(taps).for_each(|(row, &v)| row[o * 16 + input * 4 + lane] = v);
                }
            }
        }
    });
}
