//! Splits a run into pieces, of which as many as fit are submitted together: drivers stop a submission that takes too long.

use std::ops::Range;

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

/// A node that is too long is split into dispatches of this share of a submission: few, since each leaves units idle at its end, with
/// room for an error of the estimate.
const ROOM: f64 = 2.0;

/// The most dispatches of a launch: what is longer by its estimate is not on any device.
const MOST_DISPATCHES: f64 = 1024.0;

/// How the steps of a run are split.
#[derive(Debug)]
pub(super) struct Parts {
    most: f64,
    steps: Vec<Share>,
}

/// A step's part of the work.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Share {
    /// The estimated seconds that are counted with it.
    pub seconds: f64,
    /// Into how many dispatches it is split.
    pub dispatches: u32,
}

impl Parts {
    /// Submissions of at most this many seconds, for a run of this many steps.
    pub fn new(most: f64, steps: usize) -> Parts {
        Parts { most, steps: vec![Share { seconds: 0.0, dispatches: 1 }; steps] }
    }

    /// Adds a node of this many seconds with these steps. If it is longer than a submission, each of its steps is split as if it
    /// took all of that. The work of a node without steps counts with the step that follows, or the last one.
    pub fn add(&mut self, steps: Range<usize>, seconds: f64) {
        if steps.is_empty() || seconds <= self.most {
            let step = steps.start.min(self.steps.len().saturating_sub(1));
            self.steps.iter_mut().skip(step).take(1).for_each(|share| share.seconds += seconds);
            return;
        }
        let dispatches = (seconds * ROOM / self.most).ceil().min(MOST_DISPATCHES) as u32;
        for share in &mut self.steps[steps] {
            share.seconds += seconds;
            share.dispatches = dispatches;
        }
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Share] {
        &self.steps
    }

    /// One piece, without work.
    pub fn pieces(&self) -> Pieces {
        Pieces { most: self.most, seconds: vec![0.0] }
    }
}

impl Pieces {
    /// Adds work to the last piece, or begins another one with it, if both have work and it does not fit.
    pub(super) fn begin(&mut self, seconds: f64) -> bool {
        let spent = self.seconds.last_mut().expect("there is a piece from the start");
        let begins = *spent > 0.0 && seconds > 0.0 && *spent + seconds > self.most / SHARE;
        if begins {
            self.seconds.push(seconds);
        } else {
            *spent += seconds;
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::conv2d::Conv2d;
    use crate::shape::Desc;

    #[test]
    fn a_piece_ends_before_it_is_too_long() {
        let mut pieces = Parts::new(5.0, 0).pieces();
        let begin: Vec<_> = [0.5, 0.5, 0.5, 3.0, 0.25, 0.0, 0.5, 0.5].into_iter().map(|s| pieces.begin(s)).collect();
        assert_eq!(begin, [false, false, true, true, true, false, false, true]);
        assert_eq!(pieces.seconds, [1.0, 0.5, 3.0, 0.75, 0.5]);
    }

    #[test]
    fn nodes_without_steps_count_with_the_next_or_the_last() {
        let mut parts = Parts::new(5.0, 3);
        for (steps, seconds) in [(0..0, 1.0), (0..2, 2.0), (2..2, 9.0), (2..3, 1.0), (3..3, 0.5)] {
            parts.add(steps, seconds);
        }
        assert_eq!(parts.steps().iter().map(|share| share.seconds).collect::<Vec<_>>(), [3.0, 0.0, 10.5]);
        assert!(parts.steps().iter().all(|share| share.dispatches == 1));
        Parts::new(5.0, 0).add(0..0, 1.0);
    }

    #[test]
    fn a_node_that_is_too_long_is_split_in_each_of_its_steps() {
        let mut parts = Parts::new(5.0, 4);
        [(0..1, 5.0), (1..3, 7.5), (3..4, 1e9)].into_iter().for_each(|(steps, seconds)| parts.add(steps, seconds));
        let dispatches: Vec<_> = parts.steps().iter().map(|share| share.dispatches).collect();
        assert_eq!(dispatches, [1, 3, 3, 1024]);
        assert_eq!(parts.steps()[1], parts.steps()[2]);
        let mut none = Parts::new(0.0, 1);
        none.add(0..1, 1e-9);
        assert_eq!(none.steps()[0].dispatches, 1024);
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
