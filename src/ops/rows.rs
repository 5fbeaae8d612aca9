//! Copies between a tensor and a part of it along one axis: rows of one pitch to rows of another. Shared by `concat`
//! and `split`; not an operator itself.

use super::{Site, Variant};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::FLAT;
use crate::shape::{Desc, Layout};

static COPY: Kernel = kernel!("copy_rows", FLAT).declares("alias Element = u32; ");
static COPY4: Kernel = kernel!("copy_rows4", "copy_rows", FLAT).bits().declares("alias Element = vec4<Stored>; ");

pub(super) const KERNELS: &[&Kernel] = &[&COPY, &COPY4];

/// `part` is `whole` from index `first` of `axis` on.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub whole: &'a Desc,
    pub part: &'a Desc,
    pub axis: usize,
    pub first: usize,
}

/// The launch that copies `from` to `to`, if there is anything to copy: the part into the whole, or out of it.
pub(super) fn copies(piece: Piece<'_>, layout: Layout, from: Arg, to: Arg, into_whole: bool) -> Option<Launch> {
    let Piece { whole, part, axis, first } = piece;
    if part.numel() == 0 {
        return None;
    }
    // The rows, and the words of 4 or 16 bytes per step along the axis.
    let (rows, step, extents, first, vec4) = match layout {
        Layout::RowMajor => {
            let step: usize = whole.shape[axis + 1..].iter().product();
            let extents = [part.shape[axis] * step, whole.shape[axis] * step];
            let vec4 = extents.iter().chain([&(first * step)]).all(|n| n.is_multiple_of(4));
            let unit = if vec4 { 4 } else { 1 };
            (whole.shape[..axis].iter().product::<usize>(), 1, extents.map(|n| n / unit), first * step / unit, vec4)
        }
        Layout::ChannelsLast if axis == 1 => {
            let pixels = whole.shape[0] * whole.shape[2..].iter().product::<usize>();
            (pixels, 1, [part.shape[1].div_ceil(4), whole.shape[1].div_ceil(4)], first / 4, true)
        }
        Layout::ChannelsLast => {
            let inner = if axis == 0 { &whole.shape[2..] } else { &whole.shape[axis + 1..] };
            let step = inner.iter().product::<usize>() * whole.shape[1].div_ceil(4);
            let outer = if axis == 0 { 1 } else { whole.shape[0] * whole.shape[2..axis].iter().product::<usize>() };
            (outer, step, [part.shape[axis], whole.shape[axis]], first, true)
        }
    };
    let [width, pitch] = extents.map(|n| n * step);
    let (from_pitch, from_first, to_pitch, to_first) =
        if into_whole { (width, 0, pitch, first * step) } else { (pitch, first * step, width, 0) };
    let count = rows * width;
    let params = params!(count, width, from_pitch, from_first, to_pitch, to_first);
    Some(Launch::flat(if vec4 { &COPY4 } else { &COPY }, count, params).reads([from]).writes([to]))
}

/// The variants in both layouts, that of input 0 first. Along the channels, channels-last needs multiples of four
/// channels in all parts but the last.
pub(super) fn alternatives(
    site: &Site<'_>,
    axis: usize,
    whole_blocks: bool,
    variant: impl Fn(Layout) -> Variant,
) -> Vec<Variant> {
    let mut variants = vec![variant(Layout::RowMajor)];
    if site.inputs[0].rank() >= 2 && (axis != 1 || whole_blocks) {
        variants.insert(if site.is_channels_last(0) { 0 } else { 1 }, variant(Layout::ChannelsLast));
    }
    variants
}
