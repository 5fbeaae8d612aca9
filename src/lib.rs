#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[cfg(not(target_arch = "wasm32"))]
pub mod bench;
#[cfg(not(target_arch = "wasm32"))]
mod blocking;
pub mod device;
pub mod error;
#[cfg(not(target_arch = "wasm32"))]
pub mod functional;
pub mod gpu;
pub mod graph;
pub mod model;
#[cfg(not(target_arch = "wasm32"))]
pub mod nn;
pub mod ops;
pub mod options;
pub mod reference;
pub mod session;
pub mod shape;
pub mod tensor;
pub mod verify;

pub use device::{Device, DeviceTensor};
pub use error::{Error, ErrorKind, Result};
pub use graph::Graph;
pub use model::Model;
pub use ops::{Alternative, Epilogue, Op, Site};
pub use session::{CompileOptions, Compiled, Given, Network, Outputs, Progress, Session};
pub use shape::{DType, Desc, Layout, Precision};
pub use tensor::{Data, Tensor};
