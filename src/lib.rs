#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[cfg(not(target_arch = "wasm32"))]
pub mod bench;
#[cfg(not(target_arch = "wasm32"))]
mod blocking;
pub mod custom;
mod device;
mod error;
#[cfg(not(target_arch = "wasm32"))]
pub mod functional;
mod gpu;
mod graph;
#[doc(hidden)]
pub mod internals;
mod model;
#[cfg(not(target_arch = "wasm32"))]
pub mod nn;
mod ops;
mod options;
mod reference;
mod session;
mod shape;
mod tensor;
pub mod verify;

pub use device::{Device, DeviceChoice, DeviceTensor};
pub use error::{Error, ErrorKind, Result};
pub use gpu::adapter::{AdapterInfo, AdapterKind};
pub use gpu::caps::Caps;
pub use graph::{Graph, ValueId};
pub use model::Model;
pub use session::{CompileOptions, Network, Outputs, Session};
pub use shape::{DType, Desc, Dim, Precision, ValueInfo};
pub use tensor::{Data, Element, Tensor};
/// The version of wgpu whose types [`Device::from_wgpu`] takes.
#[doc(no_inline)]
pub use wgpu;
