//! Batches of matrix products: the middle of Winograd's algorithm.

use super::{BATCH_GEMM, BATCH_SUBGROUP8, Conv2d, Sizes};
use crate::gpu::caps::Caps;
use crate::gpu::kernel::{Launch, params};
use crate::ops::rows8::Rows8;
use crate::ops::{Epilogue, Site};
use crate::ops::tiled::{self, Product};

/// The launches, best first, of `batch` products `[rows, ic] x [ic, oc]`, without their bindings: a, packed w, the epilogue's, y.
pub(super) fn launches(
    caps: &Caps,
    [batch, rows, ic, oc]: [usize; 4],
    epilogue: &Epilogue,
    slopes: usize,
) -> [Launch; 2] {
    let product = Product { matrices: batch, rows, blocks: oc.div_ceil(4), steps: ic.div_ceil(4) };
    let (_, act_a, act_b) = epilogue.activation.code();
    let end = params!(slopes, act_a, act_b);
    let tiled = product.unsplit(caps)[0].launch(&tiled::GEMM, &product, params!(oc), end);
    let own = by_registers(caps, [batch, rows, ic, oc], epilogue, slopes);
    if caps.software { [own, tiled] } else { [tiled, own] }
}

impl Conv2d {
    /// Rows of pixels as they lie, times a matrix: a window of one tap that moves by one over an image without padding. For
    /// subgroups of 8; without its bindings.
    pub(super) fn plain(&self, site: &Site<'_>, s: &Sizes) -> Option<Launch> {
        let [kh, kw] = self.window(&site.inputs[1].shape).kernel;
        let [sy, sx] = self.stride;
        if self.groups > 1 || [kh, kw, sy, sx] != [1; 4] || self.padding != [0; 4] {
            return None;
        }
        let (rows, ic4, oc4) = (s.n * s.oh * s.ow, s.ic.div_ceil(4), s.oc.div_ceil(4));
        let (_, act_a, act_b) = site.epilogue.activation.code();
        let params = params!(batch: 1u32, rows, ic4, oc: s.oc, oc4, slopes: self.slopes(site), act_a, act_b);
        Some(Rows8::new(site.caps, rows, oc4)?.launch(&BATCH_SUBGROUP8, 1, params))
    }
}

/// Without workgroup memory.
fn by_registers(caps: &Caps, [batch, rows, ic, oc]: [usize; 4], epilogue: &Epilogue, slopes: usize) -> Launch {
    let (ic4, oc4) = (ic.div_ceil(4), oc.div_ceil(4));
    let (_, act_a, act_b) = epilogue.activation.code();
    let params = params!(batch, rows, ic4, oc, oc4, slopes, act_a, act_b);
    if let Some(tile) = Rows8::new(caps, rows, oc4) {
        return tile.launch(&BATCH_SUBGROUP8, batch, params);
    }
    let pair = oc4 > 1;
    let columns = if pair { oc4.div_ceil(2) } else { oc4 };
    Launch::flat(&BATCH_GEMM, batch * rows.div_ceil(8) * columns, params).set("PAIR", u8::from(pair))
}
