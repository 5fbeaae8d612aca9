//! Batches of matrix products: the middle of Winograd's algorithm, and convolutions of one tap.

use super::{BATCH_GEMM, BATCH_SUBGROUP8, Conv2d};
use crate::gpu::caps::Caps;
use crate::gpu::kernel::{Launch, params};
use crate::ops::Site;
use crate::ops::rows8::Rows8;
use crate::ops::tiled::{self, Product};

impl Conv2d {
    /// Whether it is a product of matrices, rows of pixels as they lie: one tap that moves by one over an image without padding.
    pub(super) fn is_product(&self, site: &Site<'_>) -> bool {
        let [kh, kw] = self.window(&site.inputs[1].shape).kernel;
        self.groups == 1 && [kh, kw] == [1, 1] && self.stride == [1, 1] && self.padding == [0; 4]
    }
}

/// The launches, best first, of `batch` products `[rows, ic] x [ic, oc]`, without their bindings and their epilogue.
pub(super) fn launches(caps: &Caps, [batch, rows, ic, oc]: [usize; 4]) -> [Launch; 2] {
    let product = Product { matrices: batch, rows, blocks: oc.div_ceil(4), steps: ic.div_ceil(4) };
    let tiled = product.unsplit(caps)[0].launch(&tiled::GEMM, &product, params!(oc));
    let own = by_subgroups(caps, [batch, rows, ic, oc]).unwrap_or_else(|| by_registers([batch, rows, ic, oc]));
    if caps.software { [own, tiled] } else { [tiled, own] }
}

/// On adapters with subgroups of 8.
pub(super) fn by_subgroups(caps: &Caps, [batch, rows, ic, oc]: [usize; 4]) -> Option<Launch> {
    let (ic4, oc4) = (ic.div_ceil(4), oc.div_ceil(4));
    let tile = Rows8::new(caps, rows, oc4)?;
    Some(tile.launch(&BATCH_SUBGROUP8, batch, params!(batch, rows, ic4, oc, oc4)))
}

/// Without workgroup memory.
fn by_registers([batch, rows, ic, oc]: [usize; 4]) -> Launch {
    let (ic4, oc4) = (ic.div_ceil(4), oc.div_ceil(4));
    let pair = oc4 > 1;
    let columns = if pair { oc4.div_ceil(2) } else { oc4 };
    let params = params!(batch, rows, ic4, oc, oc4);
    Launch::flat(&BATCH_GEMM, batch * rows.div_ceil(8) * columns, params).set("PAIR", u8::from(pair))
}
