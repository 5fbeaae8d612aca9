//! Products of matrices in the registers of subgroups of 8, for software adapters.

use super::Case;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::nested;
use crate::gpu::pieces::{self, BLOCKS, EPILOGUE4, IMPLICIT, ONE_TAP};
use crate::ops::Variant;
use crate::ops::rows8::Rows8;
use crate::ops::tiled::Product;

pub(super) static SUBGROUP8: Kernel =
    kernel!("conv2d_subgroup8", "problem/conv2d", IMPLICIT, EPILOGUE4, pieces::SUBGROUP8).floats();
/// Batches of products.
pub(super) static BATCH_SUBGROUP8: Kernel =
    kernel!("gemm_subgroup8", "problem/gemm", pieces::GEMM, BLOCKS, ONE_TAP, EPILOGUE4, pieces::SUBGROUP8).floats();

impl Case<'_> {
    /// The implicit product. Needs whole blocks of four channels in every group.
    pub(super) fn subgroup(&self) -> Option<Variant> {
        let (g, [kh, kw]) = (self.blocked()?, self.geometry.window.kernel);
        let tile = Rows8::implicit(self.site.caps, g.n * g.oh * g.ow, g.blocks().oc4, g.groups)?;
        let launch = tile.launch(&SUBGROUP8, 1, g.channels_last());
        Some(self.by_blocks(launch.iterations(nested(&[kh, kw, g.blocks().icg4]))))
    }

    /// The plain product.
    pub(super) fn subgroup_product(&self) -> Option<Variant> {
        let g = self.blocked().filter(|_| self.is_product())?;
        let product = Product { matrices: 1, rows: g.n * g.oh * g.ow, blocks: g.blocks().oc4, steps: g.blocks().ic4 };
        let tile = Rows8::new(self.site.caps, product.rows, product.blocks)?;
        let launch = tile.launch(&BATCH_SUBGROUP8, 1, product.gemm());
        Some(self.by_blocks(launch.iterations(nested(&[product.steps]))))
    }
}
