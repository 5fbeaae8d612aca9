//! Splits a run into parts that are submitted one after another: drivers stop a submission that takes too long.

use crate::gpu::caps::Caps;
use crate::graph::{Graph, Node};
use crate::shape::Layout;

/// The default limit of work per submission, in seconds. Watchdogs of drivers wait for two seconds or more.
pub(super) const SECONDS: f64 = 1.0;

/// The least that a compute unit does per second: floating-point operations of the simplest kernels, and bytes moved.
const FLOPS: f64 = 1e10;
const BYTES: f64 = 2e9;

/// An upper estimate of the time that a node takes.
pub(super) fn seconds(graph: &Graph, node: &Node, caps: &Caps) -> f64 {
    let (inputs, outputs) = (graph.descs(&node.inputs), graph.descs(&node.outputs));
    let bytes: usize = inputs.iter().chain(&outputs).map(|d| d.bytes(Layout::RowMajor)).sum();
    (node.op.flops(&inputs, &outputs) as f64 / FLOPS + bytes as f64 / BYTES) / f64::from(caps.compute_units)
}

/// The parts of a run, built as nodes are added.
pub(super) struct Parts {
    most: f64,
    spent: f64,
    /// The steps before which the run is split.
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
