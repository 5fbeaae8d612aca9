//! Convolutions by tiles in workgroup memory, for hardware.

use super::Case;
use crate::gpu::launch::{Arg, Launch, folded, nested};
use crate::ops::Variant;
use crate::ops::geometry::Blocks;
use crate::ops::packing::pack;
use crate::ops::tiled::{self, Product};

impl Case<'_> {
    /// Every kernel for hardware, best first. They need whole blocks of four channels in every group.
    pub(super) fn workgroup(&self) -> Vec<Variant> {
        let Some(g) = self.blocked() else { return vec![] };
        let (Blocks { icg4, ocg4, .. }, [kh, kw]) = (g.blocks(), g.window.kernel);
        let product = Product { matrices: g.groups, rows: g.n * g.oh * g.ow, blocks: ocg4, steps: kh * kw * icg4 };
        let (kernel, params) = match self.is_product() {
            true => (&tiled::GEMM, product.gemm()),
            false => (&tiled::CONV2D, g.channels_last()),
        };
        let vector = (self.is_product() && product.rows <= 4).then(|| self.vector(&product));
        let tiles = product.choices(self.site.caps).into_iter().map(|choice| {
            let launch = choice.launch(kernel, &product, params.clone()).reads([Arg::Input(0), Arg::Prepared(0)]);
            let (run, scratch) = choice.run(&product, launch, self.site, self.site.bias());
            let (packing, bytes) = pack(&self.geometry);
            Variant { scratch, ..self.packed(run, packing, bytes) }
        });
        vector.into_iter().chain(tiles).collect()
    }

    /// At most four rows.
    fn vector(&self, product: &Product) -> Variant {
        let Product { steps, blocks, .. } = *product;
        let launch = Launch::grid(&tiled::GEMV, folded(blocks.div_ceil(2)), product.gemm());
        let launch = launch.set("MANY", u8::from(product.rows > 1));
        self.by_blocks(launch.iterations(nested(&[steps.div_ceil(128)])))
    }
}
