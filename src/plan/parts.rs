//! Splits a run into pieces, of which as many as fit are submitted together: drivers stop a submission that takes too long.

use crate::gpu::caps::Caps;
use crate::gpu::pacing::Pieces;
use crate::graph::{Graph, Node};
use crate::shape::Layout;

/// A submission may have this many pieces by their estimates. So its parts still fit where a device is as many times slower.
const SHARE: f64 = 5.0;

/// The least that a compute unit does per second: floating-point operations of the simplest kernels, and bytes moved.
const FLOPS: f64 = 1e10;
const BYTES: f64 = 2e9;

/// An upper estimate of the time that a node takes.
pub(super) fn seconds(graph: &Graph, node: &Node, caps: &Caps) -> f64 {
    let (inputs, outputs) = (graph.descs(&node.inputs), graph.descs(&node.outputs));
    let bytes: usize = inputs.iter().chain(&outputs).map(|d| d.bytes(Layout::RowMajor)).sum();
    (node.op.flops(&inputs, &outputs) as f64 / FLOPS + bytes as f64 / BYTES) / f64::from(caps.least_units)
}

/// The pieces of a run, built as nodes are added.
#[derive(Debug)]
pub(super) struct Parts {
    most: f64,
    /// The first step of each piece, and its seconds.
    pieces: Vec<(usize, f64)>,
}

impl Parts {
    /// Submissions of at most this many seconds, or of one node.
    pub fn new(most: f64) -> Parts {
        Parts { most, pieces: vec![(0, 0.0)] }
    }

    /// Adds a node of this many seconds whose first step is `step`.
    pub fn add(&mut self, step: usize, seconds: f64) {
        match self.pieces.last_mut() {
            // Nodes without steps of their own begin where the next one does.
            Some((first, spent)) if *first == step || *spent + seconds <= self.most / SHARE => *spent += seconds,
            _ => self.pieces.push((step, seconds)),
        }
    }

    /// Whether a piece begins before this step.
    pub fn begins(&self, step: usize) -> bool {
        step > 0 && self.pieces.binary_search_by_key(&step, |piece| piece.0).is_ok()
    }

    /// The pieces of a run of this many steps.
    pub fn pieces(&self, steps: usize) -> Pieces {
        let (there, beyond) = self.pieces.split_at(self.pieces.partition_point(|piece| piece.0 < steps.max(1)));
        let mut seconds: Vec<f64> = there.iter().map(|piece| piece.1).collect();
        *seconds.last_mut().expect("a piece begins at step 0") += beyond.iter().map(|piece| piece.1).sum::<f64>();
        Pieces { most: self.most, seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::conv2d::Conv2d;
    use crate::shape::Desc;

    #[test]
    fn a_piece_ends_before_it_is_too_long() {
        let mut parts = Parts::new(5.0);
        for (step, seconds) in [0.5, 0.5, 0.5, 3.0, 0.25, 0.5, 0.5].into_iter().enumerate() {
            parts.add(step, seconds);
        }
        assert_eq!((0..7).filter(|step| parts.begins(*step)).collect::<Vec<_>>(), [2, 3, 4, 6]);
        assert_eq!(parts.pieces(7).seconds, [1.0, 0.5, 3.0, 0.75, 0.5]);
        assert_eq!(parts.pieces(6).seconds, [1.0, 0.5, 3.0, 1.25], "what has no steps ends with the last that has");
    }

    #[test]
    fn nodes_without_steps_end_no_piece() {
        let mut parts = Parts::new(0.0);
        [(0, 0.0), (0, 1.0), (1, 2.0), (1, 3.0), (2, 4.0)].into_iter().for_each(|(step, s)| parts.add(step, s));
        assert_eq!(parts.pieces(3).seconds, [1.0, 5.0, 4.0]);
        assert_eq!(Parts::new(0.0).pieces(0).seconds, [0.0]);
    }

    /// Tiles are chosen for many compute units rather than few; a watchdog needs the opposite.
    #[test]
    fn estimates_do_not_depend_on_the_units_that_tiles_are_chosen_for() {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([1, 4, 6, 6])).unwrap();
        let w = graph.input("w", Desc::f32([4, 4, 3, 3])).unwrap();
        let y = graph.apply("y", Conv2d::default(), &[x, w]).unwrap();
        graph.output("y", y);
        let caps = Caps::webgpu_default();
        let of = |caps: &Caps| seconds(&graph, &graph.nodes()[0], caps);
        assert_eq!(of(&Caps { compute_units: 48, ..caps.clone() }), of(&caps));
        assert_eq!(of(&Caps { least_units: 2 * caps.least_units, ..caps.clone() }), of(&caps) / 2.0);
    }
}
