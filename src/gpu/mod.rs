//! The only folder that uses `wgpu`. `kernel`, `recording` and `caps` are plain data; the rest executes them.

#[cfg(not(target_arch = "wasm32"))]
pub use wgpu::Buffer;
pub use wgpu::CommandEncoder;

pub mod adapter;
pub mod bindings;
pub mod caps;
#[cfg(not(target_arch = "wasm32"))]
mod check;
pub mod choice;
pub mod class;
#[cfg(not(target_arch = "wasm32"))]
pub mod clock;
pub mod direct;
mod fault;
pub mod info;
#[cfg(not(target_arch = "wasm32"))]
pub mod interface;
pub mod kernel;
pub mod launch;
pub mod memory;
pub(crate) mod pacing;
pub mod pieces;
mod pipeline_cache;
pub mod pipelines;
#[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
pub mod planted;
#[cfg(not(target_arch = "wasm32"))]
mod poller;
mod pool;
#[cfg(not(target_arch = "wasm32"))]
pub mod profile;
pub mod program;
pub mod recording;
pub(crate) mod refused;
pub mod roofline;
pub mod script;
mod signal;
#[cfg(not(target_arch = "wasm32"))]
mod specialise;
#[cfg(not(target_arch = "wasm32"))]
mod stamps;
pub mod submit;
pub mod tensor_buffer;
pub mod texture;
pub mod wait;
pub mod weights;
