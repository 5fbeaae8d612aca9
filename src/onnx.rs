//! Networks from ONNX files.
//!
//! [`Model::load`] reads a file of the default operator set, versions 1 to 28. It checks the whole file: everything
//! that is not supported is listed in one error, before anything runs. Weights in external files are only looked for in
//! the model's folder or below. Floats of 16 bits are computed in f32;
//! what a device computes of f64 and 64-bit integers is in the README, under "What it does not do".
//!
//! Extents may be open, with or without a name: [`Model::inputs`] lists them. A [`Session`](crate::Session) plans the
//! network for each set of input shapes, and keeps the last few plans. Inputs whose values decide shapes are read on
//! the host before planning. [`Model::open_axis`] and [`Model::with_input`] change what the file declares, so that a network
//! exported for one image runs batches or images of another size; [`Model::output_at`] gives results of nodes inside the network.
//! `docs/operators.md` lists the operators. Operators of
//! `com.microsoft` that ONNX Runtime's optimiser writes are among them; a [`Registry`] adds operators of a program's own.
//! Calls of model-local functions are replaced by the functions' nodes, and nodes that no output needs are dropped.

pub use crate::model::Model;
pub use crate::model::registry::{Node, Registry};
pub use crate::shape::{Dim, ValueInfo};
