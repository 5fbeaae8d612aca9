//! How a network is compiled.

use std::sync::Arc;
use std::time::Duration;

use crate::gpu::pipelines::Progress;
use crate::plan::PlanOptions;
use crate::shape::Precision;

/// The default number of plans that a session keeps.
const MAX_PLANS: usize = 8;

/// The default number of runs of a session that are in flight.
const IN_FLIGHT: usize = 4;

/// How a network is compiled.
///
/// ```
/// use std::time::Duration;
///
/// use convgpu::{CompileOptions, Desc, Device, Graph, Session, Tensor};
///
/// let mut graph = Graph::new();
/// let x = graph.input("x", Desc::f32([2]))?;
/// graph.output("y", x);
///
/// let options = CompileOptions::new()
///     .max_plans(2)
///     .submit_limit(Duration::from_millis(200))
///     .progress(|done, all| eprintln!("{done} of {all} pipelines"));
/// let session = Session::new(&Device::cpu(), graph, options)?;
/// assert_eq!(session.run(&[("x", &Tensor::from([1.0f32, 2.0]))])?["y"].to_vec::<f32>()?, [1.0, 2.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CompileOptions {
    pub(crate) rewrite: bool,
    pub(crate) plan: PlanOptions,
    pub(crate) max_plans: usize,
    pub(crate) memory_limit: Option<u64>,
    pub(crate) in_flight: usize,
    pub(crate) keep_weights: bool,
    pub(crate) progress: Option<Progress>,
    /// Whether a graph that is compiled for a GPU keeps the elements of its constants once they are uploaded.
    pub(crate) weights: bool,
}

impl Default for CompileOptions {
    fn default() -> CompileOptions {
        CompileOptions {
            rewrite: true,
            plan: PlanOptions::default(),
            max_plans: MAX_PLANS,
            memory_limit: None,
            in_flight: IN_FLIGHT,
            keep_weights: false,
            progress: None,
            weights: true,
        }
    }
}

impl CompileOptions {
    /// f32, fusion, at most 8 plans, submissions as long as the device allows.
    pub fn new() -> CompileOptions {
        CompileOptions::default()
    }

    /// How the device stores floats between kernels that support 16 bits; sums are f32 either way. The CPU reference
    /// and adapters without `f16` in their [`Caps`](crate::Caps) refuse [`Precision::F16`].
    pub fn precision(mut self, precision: Precision) -> CompileOptions {
        self.plan.precision = precision;
        self
    }

    /// The most plans that a session keeps, one per set of input shapes that it has run. The least recently used is
    /// dropped first; where dropped plans are wanted again, more are in use than fit, and any one is dropped, so that sizes
    /// in turn are not all compiled in every round. Each plan holds its activations on the device; the weights are there
    /// once. 8 by default; 0 is an error when the session is made.
    pub fn max_plans(mut self, plans: usize) -> CompileOptions {
        self.max_plans = plans;
        self
    }

    /// The most bytes of the device that the plans of a session take together, weights counted once: plans are dropped, as
    /// for [`CompileOptions::max_plans`], until a new one fits. One that does not fit alone is an error of kind
    /// [`Memory`](crate::ErrorKind::Memory). No limit by default. [`Session::plan_for`](crate::Session::plan_for) tells
    /// what a plan takes.
    pub fn memory_limit(mut self, bytes: u64) -> CompileOptions {
        self.memory_limit = Some(bytes);
        self
    }

    /// The most runs of a session that are in flight at a time after [`Session::submit`](crate::Session::submit). Each holds
    /// a copy of its results for the host. 4 by default; 0 is an error when the session is made.
    pub fn in_flight(mut self, runs: usize) -> CompileOptions {
        self.in_flight = runs;
        self
    }

    /// Whether the host keeps the weights of a network whose shapes are all fixed, which it does not need once they are on the
    /// device; false by default. With them, [`Session::forget`](crate::Session::forget) and
    /// [`Session::clear`](crate::Session::clear) may drop its plan.
    pub fn keep_weights(mut self, keep: bool) -> CompileOptions {
        self.keep_weights = keep;
        self
    }

    /// Whether operators are fused and simplified before planning; true by default. Without fusion every node of the
    /// network has its own kernels.
    pub fn fusion(mut self, on: bool) -> CompileOptions {
        self.rewrite = on;
        self
    }

    /// The most estimated work per submission. A longer run is submitted in parts, since drivers stop a submission that takes
    /// too long; the parts that are done tell how far the estimates of the others are off. A node that alone is longer is split,
    /// unless the kernel is a program's own. By default the device says ([`Caps::submit_seconds`](crate::Caps)): 0.25 seconds on hardware, no limit on a software adapter.
    pub fn submit_limit(mut self, limit: Duration) -> CompileOptions {
        self.plan.submit_limit = Some(limit);
        self
    }

    /// Calls `tell(done, all)` after each compilation of a pipeline that a plan needs, from any thread, in any order.
    /// Pipelines that the device already has do not count; the CPU reference compiles none.
    pub fn progress(mut self, tell: impl Fn(usize, usize) + Send + Sync + 'static) -> CompileOptions {
        self.progress = Some(Progress(Arc::new(tell)));
        self
    }
}

/// The options with this plan, which includes precision and submit limit.
pub fn with_plan(options: CompileOptions, plan: PlanOptions) -> CompileOptions {
    CompileOptions { plan, ..options }
}
