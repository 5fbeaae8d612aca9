//! `relayout`: the planner's own operator, a tensor from one layout to the other. It never shows in a graph.

use crate::gpu::kernel::{Arg, INDEX, Kernel, Launch, kernel, params};
use crate::shape::{Desc, Layout};

static TO_CHANNELS_LAST: Kernel = kernel!("to_channels_last", INDEX);
static TO_ROW_MAJOR: Kernel = kernel!("to_row_major", INDEX);

pub(super) const KERNELS: &[&Kernel] = &[&TO_CHANNELS_LAST, &TO_ROW_MAJOR];

/// The launch that converts input 0 to output 0, which gets `layout`.
pub fn launch(desc: &Desc, layout: Layout) -> Launch {
    let (n, c) = (desc.shape[0], desc.shape[1]);
    let hw: usize = desc.shape[2..].iter().product();
    let c4 = c.div_ceil(4);
    let launch = match layout {
        Layout::ChannelsLast => Launch::flat(&TO_CHANNELS_LAST, n * hw * c4, params!(n, c, hw)),
        Layout::RowMajor => Launch::flat(&TO_ROW_MAJOR, n * hw * c4, params!(n, c, hw)),
    };
    launch.reads([Arg::Input(0)]).writes([Arg::Output(0)])
}
