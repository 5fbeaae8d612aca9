//! Convolutions of one tap on row-major images.

use super::Case;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, nested, params};
use crate::gpu::pieces::{EPILOGUE_ROW, ONE_TAP, SUBGROUP8};
use crate::ops::Variant;
use crate::ops::geometry::Geometry;
use crate::ops::rows8::Rows8;

pub(super) static POINTWISE: Kernel =
    kernel!("conv2d_pointwise_subgroup8", "problem/pointwise", ONE_TAP, EPILOGUE_ROW, SUBGROUP8);

impl Case<'_> {
    /// On adapters with subgroups of 8. Needs rows of weights that are whole vec4s.
    pub(super) fn pointwise(&self) -> Option<Variant> {
        let Geometry { n, ic, ih, iw, oc, .. } = self.geometry;
        if !self.is_product() || !ic.is_multiple_of(4) {
            return None;
        }
        let (ic4, hw) = (ic / 4, ih * iw);
        let launch = Rows8::new(self.site.caps, oc, hw.div_ceil(4))?
            .launch(&POINTWISE, n, params!(n, oc, ic4, hw))
            .iterations(nested(&[ic4]))
            .set("WHOLE", u8::from(hw.is_multiple_of(4)))
            .reads([Arg::Input(0), Arg::Input(1)]);
        Some(Variant::row_major(self.site, vec![self.finished(launch)]))
    }
}
