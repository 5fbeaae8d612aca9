//! A network as values and nodes; every shape is known.

pub(crate) mod assemble;
pub(crate) mod attention;
mod build;
pub(crate) mod deform;
mod fingerprint;
pub(crate) mod guard;
pub(crate) mod integers;
pub(crate) mod range;
pub mod rewrite;
pub(crate) mod single;
mod values;
pub(crate) mod volume;

pub(crate) use build::RecurrentWeights;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use build::flattened;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use fingerprint::Fingerprint;
pub(crate) use fingerprint::identity_of;
pub use values::{Graph, Node, Value, ValueId};
