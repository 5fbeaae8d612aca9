//! Depthwise convolutions: every filter has one channel.

use super::{Conv2d, DEPTHWISE, DEPTHWISE_PACK, DEPTHWISE_PLANE};
use crate::gpu::launch::{Arg, Launch, nested, params};
use crate::ops::geometry::Geometry;
use crate::ops::{Site, Variant};

/// The most taps of a row that `conv2d_depthwise_plane` slides over.
const MOST_SHIFTS: usize = 8;

impl Conv2d {
    /// Both variants, first the one for the image's present layout.
    pub(super) fn depthwise(&self, site: &Site<'_>, s: &Geometry) -> Vec<Variant> {
        if self.groups != s.ic {
            return vec![];
        }
        let mut ways = [self.planes(site, s), self.blocks(site, s)];
        if site.is_channels_last(0) {
            ways.reverse();
        }
        ways.into_iter().flatten().collect()
    }

    /// Channels-last. Needs one filter per channel.
    fn blocks(&self, site: &Site<'_>, s: &Geometry) -> Option<Variant> {
        if s.ic != s.oc || s.oc == 1 {
            return None;
        }
        let [kh, kw] = self.window(&site.inputs[1].shape).kernel;
        let Geometry { n, ih, iw, oc, oh, ow, .. } = *s;
        let ([sy, sx], [[py, _], [px, _]], [dy, dx]) = (self.stride, self.padding, self.dilation);
        let (c4, taps, step) = (oc.div_ceil(4), kh * kw, self.step(1, kw));
        let params = params!(n, ih, iw, oh, ow, c4, kh, kw, sy, sx, py, px, dy, dx, step);
        let iterations = nested(&[kh, step.min(kw), kw.div_ceil(step)]);
        let launch = Launch::flat(&DEPTHWISE, n * oh * ow.div_ceil(8) * c4, params).iterations(iterations);
        let packing = Launch::flat(&DEPTHWISE_PACK, taps * c4, params!(c: oc, taps));
        Some(self.channels_last(site, launch, (packing, taps * c4 * 16)))
    }

    /// Row-major. A channel may have several filters.
    fn planes(&self, site: &Site<'_>, s: &Geometry) -> Option<Variant> {
        let [kh, kw] = self.window(&site.inputs[1].shape).kernel;
        let [step_y, step_x] = [self.step(0, kh), self.step(1, kw)];
        let shifts = kw.div_ceil(step_x);
        let multiplier = s.oc.checked_div(s.ic)?;
        if shifts > MOST_SHIFTS {
            return None;
        }
        let Geometry { n, ih, iw, oc, oh, ow, .. } = *s;
        let ([sy, sx], [[py, _], [px, _]], [dy, dx]) = (self.stride, self.padding, self.dilation);
        let params = params!(
            planes: n * oc, multiplier, ih, iw, oc, oh, ow, kh, kw, sy, sx, py, px, dy, dx, step_y, step_x
        );
        let launch = Launch::flat(&DEPTHWISE_PLANE, n * oc * oh.div_ceil(4) * ow.div_ceil(8), params)
            .iterations(nested(&[step_x.min(kw), step_y.min(kh), kh.div_ceil(step_y) + 3, shifts]))
            .set_const("SHIFTS", shifts as u32)
            .reads([Arg::Input(0), Arg::Input(1)])
            .writes([Arg::Output(0)]);
        let launch = site.epilogue.attach(launch, oc, site.inputs, site.bias());
        Some(Variant::row_major(site, vec![launch]))
    }
}
