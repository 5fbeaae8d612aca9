//! `relayout`: the planner's own operator, a tensor from one form to another. It never shows in a graph.

use crate::gpu::kernel::{Arg, INDEX, Kernel, Launch, kernel, params};
use crate::shape::{Desc, Layout, Precision};

static TO_CHANNELS_LAST: Kernel = kernel!("to_channels_last", INDEX);
static TO_CHANNELS_LAST4: Kernel = kernel!("to_channels_last4", INDEX);
static TO_ROW_MAJOR: Kernel = kernel!("to_row_major", INDEX);
static TO_ROW_MAJOR4: Kernel = kernel!("to_row_major4", INDEX);
static TO_HALF: Kernel = kernel!("to_half", INDEX);
static FROM_HALF: Kernel = kernel!("from_half", INDEX);
static NARROW: Kernel = kernel!("narrow", INDEX);
static WIDEN: Kernel = kernel!("widen", INDEX);

pub(super) const KERNELS: &[&Kernel] =
    &[&TO_CHANNELS_LAST, &TO_CHANNELS_LAST4, &TO_ROW_MAJOR, &TO_ROW_MAJOR4, &TO_HALF, &FROM_HALF, &NARROW, &WIDEN];

/// The launch that converts input 0 to output 0. A conversion to f16 rounds.
pub fn launch(desc: &Desc, from: (Layout, Precision), to: (Layout, Precision)) -> Launch {
    let (n, c) = (desc.shape[0], desc.shape[1]);
    let hw: usize = desc.shape[2..].iter().product();
    let count4 = n * hw * c.div_ceil(4);
    let four = hw.is_multiple_of(4);
    let half = (Layout::ChannelsLast, Precision::F16);
    let launch = match (from, to) {
        ((Layout::RowMajor, _), to) if to == half => Launch::flat(&TO_HALF, count4, params!(n, c, hw)),
        (from, (Layout::RowMajor, _)) if from == half => Launch::flat(&FROM_HALF, count4, params!(n, c, hw)),
        (_, to) if to == half => Launch::flat(&NARROW, count4, params!(count4)),
        (from, _) if from == half => Launch::flat(&WIDEN, count4, params!(count4)),
        (_, (Layout::ChannelsLast, _)) if four => Launch::flat(&TO_CHANNELS_LAST4, count4 / 4, params!(n, c, hw)),
        (_, (Layout::ChannelsLast, _)) => Launch::flat(&TO_CHANNELS_LAST, count4, params!(n, c, hw)),
        (_, (Layout::RowMajor, _)) if four => Launch::flat(&TO_ROW_MAJOR4, count4 / 4, params!(n, c, hw)),
        (_, (Layout::RowMajor, _)) => Launch::flat(&TO_ROW_MAJOR, count4, params!(n, c, hw)),
    };
    launch.reads([Arg::Input(0)]).writes([Arg::Output(0)])
}

/// Whether a kernel is one of these conversions.
pub fn is_conversion(kernel: &Kernel) -> bool {
    KERNELS.iter().any(|k| k.name == kernel.name)
}
