//! Convolutions by tiles in workgroup memory, for hardware.

use super::{Conv2d, pack};
use crate::gpu::launch::{Arg, Launch, folded, nested};
use crate::ops::geometry::{Blocks, Geometry};
use crate::ops::tiled::{self, Choice, Product};
use crate::ops::{Site, Variant};
use crate::shape::Layout;

impl Conv2d {
    /// Every kernel for hardware, best first. They need whole blocks of four channels in every group.
    pub(super) fn tiled(&self, site: &Site<'_>, g: &Geometry) -> Vec<Variant> {
        if !g.is_blocked() {
            return vec![];
        }
        let (Blocks { icg4, ocg4, .. }, [kh, kw]) = (g.blocks(), g.window.kernel);
        let product = Product { matrices: g.groups, rows: g.n * g.oh * g.ow, blocks: ocg4, steps: kh * kw * icg4 };
        let (kernel, params) = match self.is_product(site) {
            true => (&tiled::GEMM, product.gemm()),
            false => (&tiled::CONV2D, g.channels_last()),
        };
        let choices = product.choices(site.caps);
        let launch = |c: &Choice| c.launch(kernel, &product, params.clone());
        let tiles = choices.iter().map(|c| self.with_tiles(site, &product, c, launch(c)));
        let vector = (self.is_product(site) && product.rows <= 4).then(|| self.vector(site, &product));
        vector.into_iter().chain(tiles).collect()
    }

    /// At most four rows.
    fn vector(&self, site: &Site<'_>, product: &Product) -> Variant {
        let Product { steps, blocks, .. } = *product;
        let launch = Launch::grid(&tiled::GEMV, folded(blocks.div_ceil(2)), product.gemm());
        let launch = launch.iterations(nested(&[steps.div_ceil(128)]));
        self.channels_last(site, launch, pack(&site.inputs[1].shape))
    }

    /// The variant of a choice; `launch` has no bindings yet.
    fn with_tiles(&self, site: &Site<'_>, product: &Product, choice: &Choice, launch: Launch) -> Variant {
        let launch = launch.reads([Arg::Input(0), Arg::Prepared(0)]);
        let (run, scratch) = choice.run(product, launch, site, site.bias());
        let mut out = Variant::in_layout(site, Layout::ChannelsLast, run).with_epilogue(site.epilogue);
        out.inputs[1..site.own_inputs()].fill(Layout::RowMajor);
        let (packing, bytes) = pack(&site.inputs[1].shape);
        out.prepare = vec![packing.reads([Arg::Input(1)]).writes([Arg::Prepared(0)])];
        (out.prepared, out.scratch) = (vec![bytes], scratch);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::caps::Caps;
    use crate::ops::{Epilogue, Op};
    use crate::shape::{Desc, Precision};

    /// The kernels that a discrete GPU runs first.
    fn first(op: &Conv2d, x: [usize; 4], w: [usize; 4]) -> String {
        let inputs = [Desc::f32(x), Desc::f32(w)];
        let outputs = op.outputs(&inputs).unwrap();
        let caps = Caps { compute_units: 128, subgroup_size: Some(32), ..Caps::webgpu_default() };
        let (layouts, constant) = ([Layout::RowMajor; 2], [false, true]);
        let epilogue = &Epilogue::NONE;
        let site = Site {
            inputs: &inputs,
            outputs: &outputs,
            layouts: &layouts,
            constant: &constant,
            epilogue,
            precision: Precision::F32,
            caps: &caps,
        };
        let names = |l: &Launch| l.kernel.name;
        op.launches(&site).unwrap().remove(0).run.iter().map(names).collect::<Vec<_>>().join(" + ")
    }

    #[test]
    fn hardware_takes_tiles_by_shape() {
        let padded = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
        let halved = Conv2d { stride: [2, 2], ..padded.clone() };
        let winograd = "conv2d_winograd_input + gemm_tiled + conv2d_winograd_output";
        assert_eq!(first(&padded, [32, 128, 56, 56], [128, 128, 3, 3]), winograd);
        assert_eq!(first(&halved, [32, 128, 56, 56], [128, 128, 3, 3]), "conv2d_tiled");
        assert_eq!(first(&halved, [1, 512, 14, 14], [512, 512, 3, 3]), "conv2d_tiled + split_k_sum");
        assert_eq!(first(&Conv2d::default(), [8, 64, 56, 56], [256, 64, 1, 1]), "gemm_tiled");
        assert_eq!(first(&Conv2d::default(), [1, 512, 1, 1], [1000, 512, 1, 1]), "gemv");
        assert!(!first(&padded, [1, 32, 224, 224], [3, 32, 3, 3]).contains("tiled"));
        let depthwise = Conv2d { groups: 64, ..padded };
        assert_eq!(first(&depthwise, [1, 64, 56, 56], [64, 1, 3, 3]), "conv2d_depthwise_plane");
    }
}
