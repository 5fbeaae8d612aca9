//! Batches of matrix products: for Winograd's algorithm, and for convolutions of one tap.

use super::{BATCH_GEMM, BATCH_SUBGROUP8, Conv2d, POINTWISE_SUBGROUP8};
use crate::gpu::caps::Caps;
use crate::gpu::launch::{Arg, Launch, nested, params};
use crate::ops::geometry::Geometry;
use crate::ops::rows8::Rows8;
use crate::ops::tiled::{self, Product};
use crate::ops::{Site, Variant};

impl Conv2d {
    /// Whether it is a product of matrices with consecutive pixels as rows: one tap, stride 1, no padding.
    pub(super) fn is_product(&self, site: &Site<'_>) -> bool {
        let [kh, kw] = self.window(&site.inputs[1].shape).kernel;
        self.groups == 1 && [kh, kw] == [1, 1] && self.stride == [1, 1] && self.padding == [[0; 2]; 2]
    }

    /// Row-major, on adapters with subgroups of 8. Needs rows of weights that are whole vec4s.
    pub(super) fn pointwise(&self, site: &Site<'_>, s: &Geometry) -> Option<Variant> {
        let Geometry { n, ic, ih, iw, oc, .. } = *s;
        if !self.is_product(site) || !ic.is_multiple_of(4) {
            return None;
        }
        let (ic4, hw) = (ic / 4, ih * iw);
        let tile = Rows8::new(site.caps, oc, hw.div_ceil(4))?;
        let launch = tile
            .launch(&POINTWISE_SUBGROUP8, n, params!(n, oc, ic4, hw))
            .iterations(nested(&[ic4]))
            .set("WHOLE", u8::from(hw.is_multiple_of(4)))
            .reads([Arg::Input(0), Arg::Input(1)])
            .writes([Arg::Output(0)]);
        let launch = site.epilogue.attach(launch, oc, site.inputs, site.bias());
        Some(Variant::row_major(site, vec![launch]))
    }
}

/// The launches, best first, of `batch` products `[rows, ic] x [ic, oc]`, without their bindings and their epilogue.
pub(super) fn launches(caps: &Caps, [batch, rows, ic, oc]: [usize; 4]) -> [Launch; 2] {
    let (ic4, oc4) = (ic.div_ceil(4), oc.div_ceil(4));
    let product = Product { matrices: batch, rows, blocks: oc4, steps: ic4 };
    let tiled = product.unsplit(caps)[0].launch(&tiled::GEMM, &product, product.gemm());
    let own = match Rows8::new(caps, rows, oc4) {
        Some(tile) => tile.launch(&BATCH_SUBGROUP8, batch, product.gemm()).iterations(nested(&[ic4])),
        None => by_registers(&product),
    };
    if caps.software { [own, tiled] } else { [tiled, own] }
}

/// Without workgroup memory.
fn by_registers(product: &Product) -> Launch {
    let Product { matrices, rows, blocks, steps } = *product;
    let pair = blocks > 1;
    let columns = if pair { blocks.div_ceil(2) } else { blocks };
    let launch = Launch::flat(&BATCH_GEMM, matrices * rows.div_ceil(8) * columns, product.gemm());
    launch.iterations(nested(&[steps])).set("PAIR", u8::from(pair))
}
