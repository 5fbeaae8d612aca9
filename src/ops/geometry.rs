//! The geometry of a convolution, transposed or not: what every kernel of it is told.

use crate::attr::Window;
use crate::gpu::launch::{Params, params};

/// Sizes of image, window and groups.
pub(super) struct Geometry {
    pub n: usize,
    pub ic: usize,
    pub ih: usize,
    pub iw: usize,
    pub oc: usize,
    pub oh: usize,
    pub ow: usize,
    pub window: Window,
    pub groups: usize,
}

/// Numbers of blocks of four channels: of inputs, of inputs of a group, of outputs, of outputs of a group.
pub(super) struct Blocks {
    pub ic4: usize,
    pub icg4: usize,
    pub oc4: usize,
    pub ocg4: usize,
}

impl Geometry {
    /// Whether every group has whole blocks of four channels.
    pub fn is_blocked(&self) -> bool {
        self.groups == 1 || [self.ic, self.oc].iter().all(|c| (c / self.groups).is_multiple_of(4))
    }

    /// The channels in blocks.
    pub fn blocks(&self) -> Blocks {
        let [ic4, icg4, oc4, ocg4] =
            [self.ic, self.ic / self.groups, self.oc, self.oc / self.groups].map(|c| c.div_ceil(4));
        Blocks { ic4, icg4, oc4, ocg4 }
    }

    /// Two blocks of output channels of one group per invocation, where there are two; and the invocations per pixel.
    pub fn pairs(&self) -> (bool, usize) {
        let Blocks { oc4, ocg4, .. } = self.blocks();
        let pair = oc4 > 1 && (self.groups == 1 || ocg4.is_multiple_of(2));
        (pair, if pair { oc4.div_ceil(2) } else { oc4 })
    }

    /// The params of the kernels of row-major images without weights of their own form.
    pub fn row_major(&self) -> Params {
        let Geometry { n, ic, ih, iw, oc, oh, ow, ref window, groups } = *self;
        let Window { kernel: [kh, kw], stride: [sy, sx], padding: [[py, _], [px, _]], dilation: [dy, dx] } = *window;
        params!(n, ic, ih, iw, oc, oh, ow, kh, kw, sy, sx, py, px, dy, dx, groups)
    }

    /// The params of `shaders/shared/conv.wgsl`; what only some kernels read is 0.
    pub fn channels_last(&self) -> Params {
        let Geometry { n, ih, iw, oh, ow, ref window, groups, .. } = *self;
        let Blocks { ic4, icg4, oc4, ocg4 } = self.blocks();
        let Window { kernel: [kh, kw], stride: [sy, sx], padding: [[py, _], [px, _]], dilation: [dy, dx] } = *window;
        params!(
            n, ih, iw, ic4, oh, ow, oc4, groups, icg4, ocg4, kh, kw, sy, sx, py, px, dy, dx,
            step: 0u32, share: 0u32, splits: 0u32
        )
    }
}
