//! Files of networks and weights: ONNX.

mod import;
pub mod onnx;
mod order;
pub mod proto;
pub(crate) mod tensor_proto;

pub use onnx::Model;
pub use tensor_proto::tensor_from_bytes;
