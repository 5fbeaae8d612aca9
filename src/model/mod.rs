//! Files: networks and weights.

mod functions;
mod import;
mod inputs;
mod nodes;
pub mod onnx;
mod order;
mod outputs;
pub mod proto;
mod reader;
pub mod registry;
pub mod safetensors;
pub(crate) mod tensor_proto;

pub use onnx::Model;
pub use tensor_proto::tensor_from_bytes;
