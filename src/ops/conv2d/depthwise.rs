//! Depthwise convolutions: every filter has one channel.

use super::Case;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, nested, params};
use crate::gpu::pieces::{CONV, EPILOGUE1, EPILOGUE4, FILTERS, FLAT, NAN};
use crate::ops::geometry::Geometry;
use crate::ops::{Variant, relayout};
use crate::shape::{Desc, Layout, Precision};

pub(super) static BLOCKS: Kernel = kernel!("conv2d_depthwise", "conv2d_slide", CONV, FILTERS, EPILOGUE4, FLAT)
    .floats()
    .declares("const DEPTHWISE = true; ");
pub(super) static PLANE: Kernel = kernel!("conv2d_depthwise_plane", NAN, EPILOGUE1, FLAT).sizes(&[("SHIFTS", 3)]);

/// The most taps of a row that `conv2d_depthwise_plane` slides over.
const MOST_SHIFTS: usize = 8;

impl Case<'_> {
    /// Channels-last. Needs one filter per channel.
    pub(super) fn depthwise_blocks(&self) -> Option<Variant> {
        let (g, [kh, kw], step) = (&self.geometry, self.geometry.window.kernel, self.step(1));
        if g.groups != g.ic || g.ic != g.oc || g.oc == 1 {
            return None;
        }
        let c4 = g.blocks().oc4;
        let params = g.channels_last().having("step", step);
        let launch = Launch::flat(&BLOCKS, g.n * g.oh * g.ow.div_ceil(8) * c4, params)
            .iterations(nested(&[kh, 1, step.min(kw), kw.div_ceil(step)]))
            .set("WIDE", 0);
        let filters = Desc::f32([1, g.oc, kh, kw]);
        let packing =
            relayout::launch(&filters, (Layout::RowMajor, Precision::F32), (Layout::ChannelsLast, Precision::F32));
        Some(self.channels_last(launch, packing, kh * kw * c4 * 16))
    }

    /// Row-major. A channel may have several filters.
    pub(super) fn depthwise_planes(&self) -> Option<Variant> {
        let Geometry { n, ic, ih, iw, oc, oh, ow, ref window, groups } = self.geometry;
        let ([kh, kw], [sy, sx], [dy, dx]) = (window.kernel, window.stride, window.dilation);
        let [[py, _], [px, _]] = window.padding;
        let [step_y, step_x] = [self.step(0), self.step(1)];
        let shifts = kw.div_ceil(step_x);
        let multiplier = oc.checked_div(ic)?;
        if groups != ic || shifts > MOST_SHIFTS {
            return None;
        }
        let params = params!(
            planes: n * oc, multiplier, ih, iw, oc, oh, ow, kh, kw, sy, sx, py, px, dy, dx, step_y, step_x
        );
        let launch = Launch::flat(&PLANE, n * oc * oh.div_ceil(4) * ow.div_ceil(8), params)
            .iterations(nested(&[step_x.min(kw), step_y.min(kh), kh.div_ceil(step_y) + 3, shifts]))
            .set_const("SHIFTS", shifts as u32)
            .reads([Arg::Input(0), Arg::Input(1)]);
        Some(Variant::row_major(self.site, vec![self.finished(launch)]))
    }
}
