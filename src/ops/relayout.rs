//! `relayout`: the planner's conversion of a tensor from one form to another. It never appears in a graph.

use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::FLAT;
use crate::gpu::recording::Dispatch;
use crate::shape::{Desc, Layout, Precision};

static TO_CHANNELS_LAST: Kernel = kernel!("to_channels_last", FLAT).bits();
static TO_CHANNELS_LAST4: Kernel = kernel!("to_channels_last4", FLAT).bits();
static TO_ROW_MAJOR: Kernel = kernel!("to_row_major", FLAT).bits();
static TO_ROW_MAJOR4: Kernel = kernel!("to_row_major4", FLAT).bits();
static NARROW: Kernel = kernel!("narrow", "half", FLAT).declares("enable f16; alias From = f32; alias To = f16; ");
static WIDEN: Kernel = kernel!("widen", "half", FLAT).declares("enable f16; alias From = f16; alias To = f32; ");

pub(super) const KERNELS: &[&Kernel] =
    &[&TO_CHANNELS_LAST, &TO_CHANNELS_LAST4, &TO_ROW_MAJOR, &TO_ROW_MAJOR4, &NARROW, &WIDEN];

/// The launch that converts input 0 to output 0. A conversion to f16 rounds; only channels-last tensors may be f16.
pub(crate) fn launch(desc: &Desc, from: (Layout, Precision), to: (Layout, Precision)) -> Launch {
    let (n, c) = (desc.shape[0], desc.shape[1]);
    let hw: usize = desc.shape[2..].iter().product();
    let count4 = n * hw * c.div_ceil(4);
    let blocks = |whole, any| {
        let (kernel, count) = if hw.is_multiple_of(4) { (whole, count4 / 4) } else { (any, count4) };
        Launch::flat(kernel, count, params!(n, c, hw))
    };
    let launch = match (from, to) {
        ((Layout::RowMajor, _), (_, precision)) => {
            Launch { precision, ..blocks(&TO_CHANNELS_LAST4, &TO_CHANNELS_LAST) }
        }
        ((_, precision), (Layout::RowMajor, _)) => Launch { precision, ..blocks(&TO_ROW_MAJOR4, &TO_ROW_MAJOR) },
        (_, (_, Precision::F16)) => Launch::flat(&NARROW, count4, params!(count4)),
        (_, (_, Precision::F32)) => Launch::flat(&WIDEN, count4, params!(count4)),
    };
    launch.reads([Arg::Input(0)]).writes([Arg::Output(0)])
}

/// Whether a dispatch is one of these conversions.
pub fn is_conversion(dispatch: &Dispatch) -> bool {
    KERNELS.iter().any(|k| k.name == dispatch.kernel.name)
}
