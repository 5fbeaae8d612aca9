//! Files: networks and weights.

pub mod safetensors;
