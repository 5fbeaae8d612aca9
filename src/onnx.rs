//! Networks from ONNX files.
//!
//! [`Model::load`] reads a file of the default operator set, versions 6 to 28. It checks the file whole: everything that
//! is not supported is listed in one error, before anything runs. Weights in external files are looked for beside the
//! model and nowhere else. Floats of 16 and 64 bits become f32, integers of 8 and 16 bits i32.
//!
//! Extents may be open, by name or without: [`Model::inputs`] says which. A [`Session`](crate::Session) plans the network
//! for each set of input shapes that it runs, and keeps the last few plans. Inputs whose values decide shapes are read on the
//! host before planning. `docs/operators.md` lists the operators, those of `com.microsoft` that ONNX Runtime's optimiser writes
//! among them; a [`Registry`] adds a program's own. Model-local functions are put in place of their calls, and nodes that no
//! output needs are left out.

pub use crate::model::Model;
pub use crate::model::registry::{Node, Registry};
pub use crate::shape::{Dim, ValueInfo};
