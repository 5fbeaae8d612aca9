//! Where a run is cut into parts that are submitted one after another: drivers stop work that takes too long at a time.

use super::{Graph, Node};
use crate::gpu::caps::Caps;
use crate::shape::Layout;

/// Seconds of work that are submitted at once, unless a plan is told otherwise. Watchdogs wait for two or more.
pub(super) const SECONDS: f64 = 1.0;

/// What a compute unit does in a second, at the least: floating-point operations of the simplest kernels, and bytes moved.
const FLOPS: f64 = 1e10;
const BYTES: f64 = 2e9;

/// The time that a node takes, estimated from above.
pub(super) fn seconds(graph: &Graph, node: &Node, caps: &Caps) -> f64 {
    let (inputs, outputs) = (graph.descs(&node.inputs), graph.descs(&node.outputs));
    let bytes: usize = inputs.iter().chain(&outputs).map(|d| d.bytes(Layout::RowMajor)).sum();
    (node.op.flops(&inputs, &outputs) as f64 / FLOPS + bytes as f64 / BYTES) / f64::from(caps.compute_units)
}

/// The parts of a run, as nodes are added to it.
pub(super) struct Parts {
    most: f64,
    spent: f64,
    /// Before these steps.
    pub cuts: Vec<usize>,
}

impl Parts {
    /// Parts of at most this many seconds, or of one node.
    pub fn new(most: f64) -> Parts {
        Parts { most, spent: 0.0, cuts: vec![] }
    }

    /// Adds a node of this many seconds whose first step is `step`.
    pub fn add(&mut self, step: usize, seconds: f64) {
        if self.spent > 0.0 && self.spent + seconds > self.most {
            self.cuts.push(step);
            self.spent = 0.0;
        }
        self.spent += seconds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_before_it_is_too_long() {
        let mut parts = Parts::new(1.0);
        for (step, seconds) in [0.4, 0.4, 0.4, 3.0, 0.1, 0.9, 0.1].into_iter().enumerate() {
            parts.add(step, seconds);
        }
        assert_eq!(parts.cuts, [2, 3, 4, 6]);
    }
}
