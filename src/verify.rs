//! Checks of a network on a device against the CPU reference, within derived error bounds.
//!
//! [`verify`] runs every node of a network on a device, with the inputs that the device itself computed for it, and
//! compares each element of its outputs with the reference. The bound of an element is derived from the operator and
//! its inputs: a correct evaluation in f32 stays within it. Where an own operator gives no bound, the difference is shown and
//! not judged. The report names the first wrong node. Then the whole
//! network runs as in a session, and its outputs are compared with those of the reference.
//!
//! ```
//! use convgpu::verify::{VerifyOptions, verify};
//! use convgpu::{Desc, Device, Graph, Tensor, functional::Activation};
//!
//! let mut graph = Graph::new();
//! let x = graph.input("x", Desc::f32([2, 3]))?;
//! let y = graph.activation(x, Activation::Tanh)?;
//! graph.output("y", y);
//!
//! let device = Device::new()?; // the best adapter, else the reference itself
//! let report = verify(&device, &graph, &[("x", &Tensor::full([2, 3], 0.5))], &VerifyOptions::new())?;
//! assert!(report.ok(), "{report}");
//! # Ok::<(), convgpu::Error>(())
//! ```

pub(crate) mod compare;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod report;

pub use compare::{Comparison, Mismatch, compare};
#[cfg(not(target_arch = "wasm32"))]
pub use network::verify;
pub use network::{VerifyOptions, verify_async};
pub use report::{ATOL, Evidence, NodeReport, NodeValue, OutputReport, RTOL, Replays, Report, Sibling};
