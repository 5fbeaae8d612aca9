//! Which variant of a convolution comes first, and why.

use super::Case;
use crate::ops::{Variant, tiled};

/// A way to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Family {
    /// A filter per channel, channels-last.
    DepthwiseBlocks,
    /// A filter per channel, row-major.
    DepthwisePlanes,
    /// Products on row-major images.
    Pointwise,
    /// Winograd's algorithm.
    Winograd,
    /// Tiles in workgroup memory.
    Workgroup,
    /// Tiles in the registers of a subgroup of 8.
    Subgroup,
    /// The same for a layer that is a product of matrices.
    SubgroupProduct,
    /// Tiles in registers.
    Registers,
    /// Windows that slide along a row.
    Slide,
    /// The definition.
    Direct,
}

use Family::*;

/// The condition of a row.
type Holds = fn(&Case<'_>) -> bool;

/// A family comes at the first row whose condition holds. A family that has no kernel for the case gives nothing there.
#[rustfmt::skip]
const ORDER: &[(Family, Holds)] = &[
    (DepthwiseBlocks, |c| c.is_grouped() && c.is_channels_last()), // no product of matrices has so few columns
    (DepthwiseBlocks, |c| c.is_grouped() && !c.is_software()),     // hardware moves lines of memory: planes use 4 bytes of 32
    (DepthwisePlanes, |c| c.is_grouped()),                         // the same for a row-major image
    (DepthwiseBlocks, |c| c.is_grouped()),                         // at the cost of a conversion
    (Pointwise,       |c| !c.is_channels_last()),                  // it needs no conversion of layout
    (Winograd,        |c| c.winograd_pays()),                      // a quarter of the multiplications
    (Workgroup,       |c| c.tiles_come_first()),                   // what hardware is fastest at
    (Subgroup,        |_| true),                                   // what software adapters are fastest at
    (SubgroupProduct, |_| true),                                   // slightly faster, but one more kernel to compile
    (Slide,           |c| c.is_software() && !c.has_pairs()),      // a pixel serves several windows, but one block of channels
    (Registers,       |_| true),                                   // more invocations than slide has
    (Slide,           |_| true),                                   // fewer loads than the definition
    (Workgroup,       |_| true),                                   // slow on software adapters
    (Winograd,        |_| true),                                   // three more kernels to compile
    (Pointwise,       |_| true),                                   // the image would have to be converted
    (DepthwiseBlocks, |c| c.is_channels_last()),                   // an image of one channel: others use it for all filters
    (DepthwisePlanes, |_| true),                                   // the same for a row-major image
    (DepthwiseBlocks, |_| true),                                   // at the cost of a conversion
    (Direct,          |_| true),                                   // it takes every case
];

/// Every variant of the case, best first.
pub(super) fn variants(case: &Case<'_>) -> Vec<Variant> {
    let mut ranked: Vec<Family> = vec![];
    for (family, holds) in ORDER {
        if !ranked.contains(family) && holds(case) {
            ranked.push(*family);
        }
    }
    ranked.into_iter().flat_map(|family| family.variants(case)).collect()
}

impl Family {
    fn variants(self, case: &Case<'_>) -> Vec<Variant> {
        match self {
            DepthwiseBlocks => Vec::from_iter(case.depthwise_blocks()),
            DepthwisePlanes => Vec::from_iter(case.depthwise_planes()),
            Pointwise => Vec::from_iter(case.pointwise()),
            Winograd => case.winograd(),
            Workgroup => case.workgroup(),
            Subgroup => Vec::from_iter(case.subgroup()),
            SubgroupProduct => Vec::from_iter(case.subgroup_product()),
            Registers => Vec::from_iter(case.registers()),
            Slide => Vec::from_iter(case.slide()),
            Direct => vec![case.direct()],
        }
    }
}

impl Case<'_> {
    fn is_grouped(&self) -> bool {
        self.geometry.groups > 1
    }
    fn is_channels_last(&self) -> bool {
        self.site.is_channels_last(0)
    }
    fn is_software(&self) -> bool {
        self.site.caps.software
    }
    /// Whether an invocation computes two blocks of output channels from each pixel.
    fn has_pairs(&self) -> bool {
        self.geometry.pairs().0
    }
    fn tiles_come_first(&self) -> bool {
        let g = &self.geometry;
        tiled::come_first(self.site.caps, g.n * g.oh * g.ow, g.oc / g.groups)
    }
}
