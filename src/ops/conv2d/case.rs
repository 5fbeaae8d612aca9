//! A convolution at its place in a plan, and what its variants share.

use crate::attr::Window;
use crate::gpu::launch::{Arg, Launch};
use crate::ops::geometry::Geometry;
use crate::ops::packing::pack;
use crate::ops::{Site, Variant};

/// A convolution at its place in a plan.
pub(super) struct Case<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) geometry: Geometry,
}

impl Case<'_> {
    /// The geometry, if every group has whole blocks of four channels.
    pub(super) fn blocked(&self) -> Option<&Geometry> {
        Some(&self.geometry).filter(|g| g.is_blocked())
    }

    /// Whether it is a product of matrices with consecutive pixels as rows: one tap, stride 1, no padding.
    pub(super) fn is_product(&self) -> bool {
        let Window { kernel, stride, padding, .. } = self.geometry.window;
        self.geometry.groups == 1 && [kernel, stride] == [[1, 1]; 2] && padding == [[0; 2]; 2]
    }

    /// The launch that writes the output, with the epilogue.
    pub(super) fn finished(&self, launch: Launch) -> Launch {
        let launch = launch.writes([Arg::Output(0)]);
        self.site.epilogue.attach(launch, self.geometry.oc, self.site.inputs, self.site.bias())
    }

    /// A variant of one launch with a channels-last image and a weight of 4x4 blocks.
    pub(super) fn by_blocks(&self, launch: Launch) -> Variant {
        let (packing, bytes) = pack(&self.geometry);
        self.channels_last(launch, packing, bytes)
    }

    /// A variant of one launch with a channels-last image; `packing` writes the weight, which then takes `bytes` bytes.
    pub(super) fn channels_last(&self, launch: Launch, packing: Launch, bytes: usize) -> Variant {
        let launch = launch.reads([Arg::Input(0), Arg::Prepared(0)]);
        self.packed(vec![self.finished(launch)], packing, bytes)
    }

    /// A variant with a channels-last image; `packing` writes the weight, which then takes `bytes` bytes.
    pub(super) fn packed(&self, run: Vec<Launch>, packing: Launch, bytes: usize) -> Variant {
        Variant::with_packed_weight(self.site, run, packing, bytes)
    }
}
