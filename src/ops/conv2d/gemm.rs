//! Batches of matrix products: the middle of Winograd's algorithm.

use super::{BATCH_GEMM, BATCH_SUBGROUP8};
use crate::gpu::caps::Caps;
use crate::gpu::kernel::{Launch, folded, params};
use crate::ops::tiled::{self, Product};

/// The launches, best first, of `batch` products `[rows, ic] x [ic, oc]`, without their bindings and their epilogue.
pub(super) fn launches(caps: &Caps, [batch, rows, ic, oc]: [usize; 4]) -> [Launch; 2] {
    let product = Product { matrices: batch, rows, blocks: oc.div_ceil(4), steps: ic.div_ceil(4) };
    let tiled = product.unsplit(caps)[0].launch(&tiled::GEMM, &product, params!(oc));
    let own = by_registers(caps, [batch, rows, ic, oc]);
    if caps.software { [own, tiled] } else { [tiled, own] }
}

/// Without workgroup memory.
fn by_registers(caps: &Caps, [batch, rows, ic, oc]: [usize; 4]) -> Launch {
    let (ic4, oc4) = (ic.div_ceil(4), oc.div_ceil(4));
    let params = params!(batch, rows, ic4, oc, oc4);
    if caps.subgroup_size == Some(8) && caps.software && oc4 > 2 {
        let band = if rows >= 24 { 32 } else { rows.next_multiple_of(8).min(16) };
        let groups = batch * rows.div_ceil(band) * oc4.div_ceil(8);
        return Launch::grid(&BATCH_SUBGROUP8, folded(groups), params).set("ROWS", band as f64);
    }
    let pair = oc4 > 1;
    let columns = if pair { oc4.div_ceil(2) } else { oc4 };
    Launch::flat(&BATCH_GEMM, batch * rows.div_ceil(8) * columns, params).set("PAIR", u8::from(pair))
}
