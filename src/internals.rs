//! Items for the project's own tests and its command line. They are not part of the stable API.
//!
//! Nothing here lets a safe program run a shader of this crate with other params, on other buffers, or without its
//! run-time checks. Recordings come from the planner alone, and the planner leaves the checks out only for operators of
//! this crate (`crate::ops::Privileges`). Each pair below differs in one token; the first compiles, the second does not.
//!
//! A kernel has no public field:
//!
//! ```
//! let kernel = convgpu::custom::Kernel::new("name", "source");
//! assert_eq!(kernel.name(), "name");
//! ```
//! ```compile_fail
//! let kernel = convgpu::custom::Kernel::new("name", "source");
//! assert_eq!(kernel.name, "name");
//! ```
//!
//! A recording can be read and not made:
//!
//! ```
//! fn f(recording: &convgpu::internals::gpu::recording::Recording) {
//!     let _ = convgpu::internals::gpu::recording::Recording::parts(recording);
//! }
//! ```
//! ```compile_fail
//! fn f(recording: &convgpu::internals::gpu::recording::Recording) {
//!     let _ = convgpu::internals::gpu::recording::Recording::new(recording);
//! }
//! ```
//!
//! A dispatch cannot be changed:
//!
//! ```
//! fn f(d: &mut convgpu::internals::gpu::recording::Dispatch) {
//!     let _ = d.params();
//! }
//! ```
//! ```compile_fail
//! fn f(d: &mut convgpu::internals::gpu::recording::Dispatch) {
//!     let _ = d.params;
//! }
//! ```
//!
//! The code that executes recordings has no name here:
//!
//! ```
//! use convgpu::internals::gpu::recording;
//! ```
//! ```compile_fail
//! use convgpu::internals::gpu::program;
//! ```
//!
//! The launches of a variant cannot be changed:
//!
//! ```
//! fn f(variant: &convgpu::custom::Variant) {
//!     let _ = variant.run();
//! }
//! ```
//! ```compile_fail
//! fn f(variant: &convgpu::custom::Variant) {
//!     let _ = variant.run;
//! }
//! ```
//!
//! An operator cannot claim to be one of this crate, since the argument of that method has no name:
//!
//! ```
//! use convgpu::internals::ops::Op;
//! ```
//! ```compile_fail
//! use convgpu::internals::ops::Seal;
//! ```
//! ```
//! fn f(op: &dyn convgpu::custom::Op) {
//!     let _ = op.name();
//! }
//! ```
//! ```compile_fail
//! fn f(op: &dyn convgpu::custom::Op) {
//!     let _ = op.privileges();
//! }
//! ```
//!
//! A graph's nodes can be read and not changed:
//!
//! ```
//! fn f(graph: &mut convgpu::Graph) {
//!     let _ = graph.nodes();
//! }
//! ```
//! ```compile_fail
//! fn f(graph: &mut convgpu::Graph) {
//!     let _ = graph.nodes;
//! }
//! ```

/// Operators, one module each.
pub mod ops {
    pub use crate::ops::*;
}

/// Graphs and rewrites.
pub mod graph {
    pub use crate::graph::*;
    /// The inputs and the outputs of a graph.
    pub fn ends(graph: &Graph) -> (Vec<ValueId>, Vec<ValueId>) {
        (graph.inputs.clone(), graph.outputs.iter().map(|(_, id)| *id).collect())
    }
    /// The name of a value of the graph.
    pub fn value_name(graph: &Graph, value: ValueId) -> &str {
        &graph.values[value.0].name
    }
    /// Whether both graphs have one fingerprint; `None` if one of them has none.
    pub fn are_one(a: &Graph, b: &Graph) -> Option<bool> {
        Some(a.fingerprint()? == b.fingerprint()?)
    }
    /// Whether both operators have one identity; `None` if one of them has none.
    pub fn are_one_operator(a: &dyn crate::ops::Op, b: &dyn crate::ops::Op) -> Option<bool> {
        let identity = crate::graph::identity_of;
        Some(identity(a)? == identity(b)?)
    }
}

/// Plans.
pub mod plan {
    pub use crate::plan::{Plan, PlanOptions, PlannedNode, stages, tuning};
}

/// Commands for a device.
pub mod gpu {
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::gpu::profile;
    pub use crate::gpu::{caps, recording, script};
    pub mod adapter {
        pub use crate::gpu::choice::list;
        pub use crate::gpu::info::{AdapterInfo, AdapterKind};
    }
    pub mod kernel {
        pub use crate::gpu::bindings::{BINDINGS, Element};
        pub use crate::gpu::kernel::*;
        pub use crate::gpu::launch::*;
        pub use crate::gpu::pieces::*;
    }
    /// What the device compiles of a plan.
    pub mod pipelines {
        pub use crate::gpu::pipelines::Shared;
    }
    pub mod texture {
        pub use crate::gpu::texture::{LOAD, LOAD_TILE, Region};
    }
}

/// Compiled graphs.
pub mod memory {
    pub use crate::memory::{afford, limited, trying};
}

pub mod session {
    pub use crate::session::*;
}

/// Devices.
pub mod device {
    /// Loses the device on purpose: every later call on it gives an error.
    pub fn destroy(device: &crate::Device) {
        device.destroy();
    }
    /// Devices that are opened from now on get no kernel that uses workgroup memory.
    pub fn avoid_workgroup_memory() {
        crate::gpu::adapter::AVOID_WORKGROUP_MEMORY.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    /// Whether they get none.
    pub fn avoids_workgroup_memory() -> bool {
        crate::gpu::adapter::avoids_workgroup_memory()
    }
    /// Compiling this kernel loses the device, as a driver's failure does.
    pub fn fail(device: &crate::Device, kernel: &'static str) {
        if let Some(gpu) = device.gpu() {
            gpu.fail(kernel);
        }
    }
    /// Networks that are compiled from now on run their workgroups one by one, the last one first.
    #[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
    pub fn reverse_workgroups(device: &crate::Device) {
        if let Some(gpu) = device.gpu() {
            gpu.reverse_workgroups();
        }
    }
    /// Runs a small dispatch whose result is known.
    ///
    /// # Errors
    /// The device computes nothing, or something else; the reference has no dispatches.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn computes(device: &crate::Device) -> crate::Result<()> {
        crate::threads::block_on(device.gpu().ok_or_else(no_gpu)?.computes())
    }
    /// The bytes of the largest binding in which the device computes.
    ///
    /// # Errors
    /// As [`computes`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn usable_binding(device: &crate::Device) -> crate::Result<u64> {
        crate::threads::block_on(device.gpu().ok_or_else(no_gpu)?.usable_binding())
    }
    #[cfg(not(target_arch = "wasm32"))]
    fn no_gpu() -> crate::Error {
        crate::Error::argument("the reference has no dispatches")
    }
    /// The device has to prove that it computes, as hardware has, when it compiles its first kernels.
    pub fn distrust(device: &crate::Device) {
        if let Some(gpu) = device.gpu() {
            gpu.distrust();
        }
    }
}

/// Functions that run immediately.
#[cfg(not(target_arch = "wasm32"))]
pub mod functional {
    pub use crate::functional::eager::{Traced, traced};
}

/// Files.
pub mod model {
    pub use crate::model::*;
}

/// Comparison with the reference.
pub mod verify {
    pub use crate::verify::network::{distance as largest_difference, fail_at, tolerances, values};
    pub use crate::verify::node::*;
    pub use crate::verify::report::percent;
    pub use crate::verify::*;
}

/// Measuring.
#[cfg(not(target_arch = "wasm32"))]
pub mod bench {
    pub use crate::bench::open_device::OpenDevice;
    pub use crate::bench::race::clock;
    pub use crate::bench::roofline::{Copy, FmaChain};
    pub use crate::bench::tune::{Tuned, tune};
    pub use crate::bench::tuning_file::{path, read, text};
    pub use crate::bench::whole::{Gain, Whole};
    pub use crate::bench::*;

    /// Times the adapter of this device by this clock from now on, as if it had been calibrated.
    pub fn use_clock(device: &crate::Device, clock: Clock) {
        if let Some(gpu) = device.gpu() {
            gpu.use_clock(clock);
        }
    }
}

/// Random cases of operators.
#[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
pub mod conformance {
    pub use crate::conformance::case::Limits;
    pub use crate::conformance::check::{Exercise, Reproduction};
    pub use crate::conformance::check::{is_exact, is_refusal};
    pub use crate::conformance::draw::{Drawn, Draws, EDGES, Fill, Source, Values};
    pub use crate::conformance::families::{FAMILIES, Family};
    pub use crate::conformance::pytorch::{Golden, Kind, Params};
    pub use crate::conformance::run::{drift_at, exercises, fail_at, operators, reproduce};
    pub use crate::rng::Rng;
}

/// What every layer says of an operator.
pub mod attr {
    pub use crate::attr::*;
}

/// The reference.
pub mod reference {
    pub use crate::bound::UNIT;
    pub use crate::reference::half;
}

/// Shapes.
pub mod shape {
    pub use crate::shape::*;
}
