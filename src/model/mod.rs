//! Files: networks and weights.

mod bind;
mod functions;
mod import;
mod inputs;
mod network;
mod node;
mod nodes;
mod onnx;
mod order;
mod outputs;
pub mod proto;
mod reader;
mod reads;
pub mod registry;
pub mod safetensors;
pub(crate) mod tensor_proto;

pub use import::operators::names as operators;
pub use network::Model;
pub use tensor_proto::tensor_from_bytes;
