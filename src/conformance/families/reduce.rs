//! Reductions, and what selects along an axis.

use crate::attr::{Extreme, ReduceKind};
use crate::conformance::draw::{Drawn, Draws, Fill, Values};
use crate::ops::reduce::{ArgReduce, Reduce};
use crate::ops::softmax::Softmax;
use crate::ops::top_k::TopK;
use crate::shape::Desc;

/// A shape and an axis of it: rows that one invocation adds, and rows that a tree adds.
fn rows(r: &mut Draws) -> (Vec<usize>, usize) {
    match r.rng.int(0, 3) {
        0 if !r.wild => (vec![r.rng.int(1, 4), r.rng.int(70, 3000)], 1),
        1 if !r.wild => (vec![r.rng.int(1, 3), r.rng.int(70, 600), r.rng.int(1, 9)], 1),
        _ => r.shape_and_axis(),
    }
}

pub fn softmax(r: &mut Draws) -> Drawn {
    let ((shape, axis), log) = (rows(r), r.flag());
    r.of(Softmax { axis, log }, &[&shape]).filled([Fill::Masked])
}

pub fn reduce(r: &mut Draws) -> Drawn {
    use ReduceKind::*;
    let exact = [Sum, Max, Min, L1, SumSquare];
    let all = [Sum, Mean, Max, Min, Prod, L1, L2, LogSum, LogSumExp, SumSquare];
    // A product of subnormal numbers that underflows, times an infinity, is NaN.
    let edges = [Sum, Mean, Max, Min, L1, L2, LogSum, LogSumExp, SumSquare];
    let kind = match r.values {
        Values::Integers => r.one(&exact),
        Values::Edges => r.one(&edges),
        Values::Numbers => r.one(&all),
    };
    let (shape, axes) = match r.rng.int(0, 2) {
        0 => r.shape_and_axis_list(),
        _ => {
            let (shape, axis) = rows(r);
            (shape, vec![axis])
        }
    };
    let (keep_dims, dtype) =
        (r.flag(), if r.values == Values::Integers { crate::shape::DType::F32 } else { r.dtype() });
    let drawn = Drawn::new(Reduce { axes, keep_dims, kind }, vec![Desc::new(shape, dtype)]);
    match kind {
        LogSum => drawn.filled([Fill::Positive]),
        LogSumExp => drawn.filled([Fill::Masked]),
        Prod => drawn.filled([Fill::Factors]),
        _ => drawn,
    }
}

impl Draws {
    /// A shape and some of its axes.
    fn shape_and_axis_list(&mut self) -> (Vec<usize>, Vec<usize>) {
        let shape = self.shape(7);
        let axes = self.some_axes(shape.len());
        (shape, axes)
    }
}

pub fn arg(r: &mut Draws) -> Drawn {
    let (shape, axis) = rows(r);
    let (keep_dims, select_last, kind) = (r.flag(), r.flag(), r.one(&[Extreme::Max, Extreme::Min]));
    r.of(ArgReduce { axis, keep_dims, select_last, kind }, &[&shape])
}

pub fn top_k(r: &mut Draws) -> Drawn {
    let (shape, axis) = r.shape_and_axis();
    let (k, smallest) = (r.count(), r.flag());
    r.of(TopK { axis, k, smallest }, &[&shape])
}
