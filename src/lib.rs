#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[cfg(not(target_arch = "wasm32"))]
pub mod bench;
#[cfg(not(target_arch = "wasm32"))]
mod blocking;
pub mod custom;
mod device;
mod error;
pub mod functional;
mod gpu;
mod graph;
#[doc(hidden)]
pub mod internals;
mod model;
pub mod nn;
mod ops;
mod options;
mod reference;
mod session;
mod shape;
mod tensor;
pub mod verify;

pub use device::{Device, DeviceTensor};
pub use error::{Error, ErrorKind, Result};
pub use graph::{Graph, ValueId};
pub use model::Model;
pub use session::{CompileOptions, Compiled, Given, Network, Outputs, Progress, Session};
pub use shape::{DType, Desc, Precision};
pub use tensor::{Data, Tensor};
