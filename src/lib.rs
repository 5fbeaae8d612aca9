//! Convolutional networks on any GPU that [wgpu](https://wgpu.rs) reaches (Vulkan, Metal, DX12), with every result
//! checkable against a CPU reference. Networks come from ONNX files, from PyTorch weights, or from code; the layers have
//! PyTorch's exact semantics.
//!
//! ```
//! use convgpu::{Device, Model, Tensor};
//!
//! let device = Device::new()?; // the best adapter, else the CPU reference
//! let session = Model::load("tests/models/lenet5_mnist.onnx")?.compile(&device)?;
//! let outputs = session.run(&[("input", &Tensor::zeros([1, 1, 28, 28]))])?; // named in, named out
//! println!("{}", outputs["probs"]);
//! # Ok::<(), convgpu::Error>(())
//! ```
//!
//! # Where things are
//!
//! | | |
//! |---|---|
//! | [`Device`], [`DeviceChoice`], [`Backend`], [`AdapterInfo`], [`Caps`], [`Class`] | where networks run: an adapter, or the CPU reference; [`Device::from_wgpu`] uses a program's own wgpu device, [`DeviceTensor::from_buffer`] its buffers, [`Session::record`] its encoders |
//! | [`Tensor`], [`DeviceTensor`], [`Desc`], [`DType`] | values on the host and on a device; images are `[n, c, h, w]` |
//! | [`ImageOptions`] | textures of the program as images: [`DeviceTensor::from_texture_async`], [`DeviceTensor::to_texture_async`] |
//! | [`Model`], [`onnx`] | networks from ONNX files |
//! | [`Graph`] | networks built by hand, one method per layer |
//! | [`Session`], [`CompileOptions`], [`Outputs`] | a network compiled for a device: planned once per set of input shapes, run any number of times |
//! | [`Input`], [`Run`], [`PlanInfo`] | what a run is given; a run in flight; what a plan takes |
//! | [`nn`], [`nn::zoo`] | `torch.nn`: layers with state, and known architectures that take torchvision's weights |
//! | [`functional`] | `torch.nn.functional`: functions of device tensors |
//! | [`vision`] | `torchvision.ops` on the host: non-maximum suppression of boxes |
//! | [`verify`] | each node of a network against the reference, within derived error bounds |
//! | `conformance` (a feature) | every operator with every kernel of an adapter, on cases whose answers are known |
//! | [`bench`](mod@bench) | layers timed through every kernel that can compute them |
//! | [`custom`] | operators of a program's own |
//!
//! Every call that waits for the device has an async form with the suffix `_async`.
//!
//! # What it does not do
//!
//! It does not train: there are forward passes, batch norm's training step included, but no gradients. It has no control flow that
//! depends on computed values, and quantised networks run in f32. A device holds integers in 32 bits and floats in 32 or 16. It is not expected to be as fast as a vendor's own library on the vendor's GPU.
//!
//! # Features
//!
//! None is on by default. `conformance`: the module of that name, with 2.7 MB of PyTorch's answers. `ndarray`: tensors from
//! arrays of the crate `ndarray`, and back. `image`: tensors from images of the crate `image`, and back; it reads PNG and JPEG,
//! other formats are features of that crate. Both crates are re-exported, as `convgpu::ndarray` and `convgpu::image`.
//! `static-dxc`, for Windows (MSVC, x86): Direct3D 12 has its shader compiler, DXC, in the program; otherwise wgpu looks for
//! dxcompiler.dll, and where that is missing FXC compiles, without f16 and subgroups.

#![deny(missing_docs)]
// Functions that run at once block, which a browser cannot: what serves them alone has no use there.
#![cfg_attr(target_arch = "wasm32", allow(dead_code))]

mod attr;
#[cfg(not(target_arch = "wasm32"))]
pub mod bench;
#[cfg(not(target_arch = "wasm32"))]
mod blocking;
mod bound;
#[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
pub mod conformance;
pub mod custom;
mod device;
mod error;
pub mod functional;
mod gpu;
mod graph;
mod identity;
#[doc(hidden)]
pub mod internals;
mod memory;
mod model;
mod names;
pub mod nn;
pub mod onnx;
mod ops;
mod options;
mod parallel;
mod plan;
mod reference;
mod rng;
mod session;
mod shape;
mod sync;
mod tensor;
mod textures;
mod threads;
mod upload;
pub mod verify;
pub mod vision;

pub use device::{Backend, Device, DeviceChoice, DeviceTensor};
pub use error::{Error, ErrorKind, Result};
pub use gpu::caps::Caps;
pub use gpu::class::Class;
pub use gpu::info::{AdapterInfo, AdapterKind};
pub use graph::{Graph, ValueId};
pub use model::Model;
pub use session::{CompileOptions, Input, Network, Outputs, PlanInfo, Run, Session};
pub use shape::{DType, Desc, Dim, Precision, ValueInfo};
pub use tensor::{Data, Element, Tensor};
pub use textures::{ImageLayout, ImageOptions};

/// The version of half whose types [`half::f16`] and [`half::bf16`] are elements of tensors.
#[doc(no_inline)]
pub use half;
/// The version of image whose types [`Tensor::from_image`] takes.
#[cfg(feature = "image")]
#[doc(no_inline)]
pub use image;
/// The version of ndarray whose types tensors are made from.
#[cfg(feature = "ndarray")]
#[doc(no_inline)]
pub use ndarray;
/// The version of wgpu whose types [`Device::from_wgpu`] and [`DeviceTensor::from_texture_async`] take.
#[doc(no_inline)]
pub use wgpu;

/// The program in the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
