//! How a kernel that computes four elements of the output at a time reads a broadcast operand.

use crate::attr::{Coded, attribute};
use crate::gpu::launch::Launch;
use crate::shape::Layout;

/// The position of the operand's elements for output vec4 number i.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Operand {
    /// The layout the operand must have.
    pub layout: Layout,
    access: Access,
    step: usize,
    period: usize,
}

attribute! {
    /// How `shaders/binary.wgsl` finds the elements.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(super) enum Access, "ACCESS" {
        /// Vec4 number i.
        Whole,
        /// Vec4 number `i / step * period + i % period`.
        Blocks,
        /// Element number `i / step % period`, in all lanes.
        Splat,
    }
}

impl Operand {
    /// How an operand of `shape` is read for an output of shape `to` in `layout`; `None` if it needs general strides.
    pub fn new(shape: &[usize], to: &[usize], layout: Layout) -> Option<Operand> {
        let mut own = vec![1; to.len() - shape.len()];
        own.extend(shape);
        match layout {
            Layout::RowMajor => Operand::row_major(&own, to),
            Layout::ChannelsLast => Operand::channels_last(&own, shape.len(), to),
        }
    }

    /// An operand that covers a run of consecutive axes, `[outer, run, inner]`, and is broadcast over the others.
    fn row_major(own: &[usize], to: &[usize]) -> Option<Operand> {
        let layout = Layout::RowMajor;
        let count: usize = to.iter().product();
        let covered: Vec<_> = (0..to.len()).filter(|&i| own[i] != 1).collect();
        let (Some(&first), Some(&last)) = (covered.first(), covered.last()) else {
            return Some(Operand { layout, access: Access::Splat, step: count.max(1), period: 1 });
        };
        if (first..=last).any(|i| own[i] != to[i]) {
            return None;
        }
        let run: usize = own.iter().product();
        let inner: usize = to[last + 1..].iter().product();
        if run == count {
            Some(Operand { layout, access: Access::Whole, step: 1, period: 1 })
        } else if inner == 1 && run.is_multiple_of(4) {
            Some(Operand { layout, access: Access::Blocks, step: count, period: run / 4 })
        } else if inner.is_multiple_of(4) {
            Some(Operand { layout, access: Access::Splat, step: inner / 4, period: run })
        } else {
            None
        }
    }

    /// Output `[n, c, spatial..]`, in memory `[n, spatial, c4]`. `own` has the same rank; `rank` is the operand's own.
    fn channels_last(own: &[usize], rank: usize, to: &[usize]) -> Option<Operand> {
        let c4 = to[1].div_ceil(4);
        let pixels: usize = to[2..].iter().product();
        let one = |axes: &[usize]| axes.iter().all(|&d| d == 1);
        let row_major = |access, step, period| Some(Operand { layout: Layout::RowMajor, access, step, period });
        let channels_last = |access, step, period| Some(Operand { layout: Layout::ChannelsLast, access, step, period });
        if own == to && rank == to.len() {
            channels_last(Access::Whole, 1, 1)
        } else if one(own) {
            row_major(Access::Splat, to[0] * pixels * c4, 1)
        } else if own[0] == 1 && own[1] == to[1] && one(&own[2..]) {
            row_major(Access::Blocks, to[0] * pixels * c4, c4)
        } else if own[0] == to[0] && own[1] == to[1] && one(&own[2..]) {
            channels_last(Access::Blocks, pixels * c4, c4)
        } else if own[1] == 1 && own[2..] == to[2..] && (own[0] == to[0] || own[0] == 1) {
            row_major(Access::Splat, c4, own[0] * pixels)
        } else {
            None
        }
    }

    /// Sets the override and gives the params of this operand to a launch.
    pub fn attach(self, mut launch: Launch, kind: &'static str, step: &'static str, period: &'static str) -> Launch {
        launch.params = launch.params.with(step, self.step).with(period, self.period);
        launch.set(kind, self.access.code())
    }
}
