//! How a graph is planned.

use std::sync::Arc;
use std::time::Duration;

use super::tuning::Tuning;
use crate::shape::{Layout, Precision};

/// How a tensor lies in a buffer: its layout and the width of its floats.
pub(super) type Form = (Layout, Precision);

pub(super) const ROW_MAJOR: Form = (Layout::RowMajor, Precision::F32);

/// How a graph is planned.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Takes this variant of every operator (the last if there are fewer) instead of the first.
    pub alternative: Option<usize>,
    /// Converts the graph's inputs to these layouts first, in order; row-major where the list is shorter. Operators
    /// then choose their kernels as in the middle of a network.
    pub input_layouts: Vec<Layout>,
    /// Gives every tensor its own memory with a gap after it: prefilled with NaNs and checked after every run.
    pub guarded: bool,
    /// How floats are stored between kernels that support 16 bits; sums are f32 either way.
    pub precision: Precision,
    /// The most estimated work per submission; what the device allows if `None`. A longer run is submitted in parts.
    pub submit_limit: Option<Duration>,
    /// Measured choices; a node without one takes the first of the static order. `alternative` has priority.
    pub tuning: Option<Arc<Tuning>>,
}
