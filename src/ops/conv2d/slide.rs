//! Windows that slide along a row: neighbouring windows share pixels.

use super::Case;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, nested};
use crate::gpu::pieces::{BLOCKS, CONV, EPILOGUE4, FLAT};
use crate::ops::Variant;

pub(super) static SLIDE: Kernel =
    kernel!("conv2d_slide", CONV, BLOCKS, EPILOGUE4, FLAT).floats().declares("const DEPTHWISE = false; ");

impl Case<'_> {
    /// Needs windows of adjacent pixels that overlap, and whole blocks of four channels in every group.
    pub(super) fn slide(&self) -> Option<Variant> {
        let (g, [kh, kw], step) = (self.blocked()?, self.geometry.window.kernel, self.step(1));
        if step >= kw {
            return None;
        }
        let wide = g.ow > 8;
        let strips = g.ow.div_ceil(if wide { 16 } else { 8 });
        let iterations = nested(&[kh, g.blocks().icg4, step, kw.div_ceil(step)]);
        let params = g.channels_last().having("step", step);
        let launch = Launch::flat(&SLIDE, g.n * g.oh * strips * g.blocks().oc4, params);
        Some(self.by_blocks(launch.iterations(iterations).set("WIDE", u8::from(wide))))
    }

    /// After this many taps along an axis a window reaches the start of the next output's window; all taps if it never does.
    pub(super) fn step(&self, axis: usize) -> usize {
        let window = &self.geometry.window;
        let (stride, dilation) = (window.stride[axis], window.dilation[axis]);
        if stride.is_multiple_of(dilation) { stride / dilation } else { window.kernel[axis] }
    }
}
