//! ONNX nodes to operators: with all shapes known, each node becomes nodes of a [`Graph`], or is evaluated here if all
//! its inputs are known.
//!
//! One file for each family of operators; each exports a table of them, which [`operators`] joins.

mod activation;
mod arithmetic;
mod attention;
pub(super) mod constant;
mod context;
mod conv;
mod data;
mod einsum;
pub(super) mod extents;
mod fold;
mod grid;
mod linear;
mod lower;
mod masks;
mod microsoft;
mod node_view;
mod norm;
mod operator;
pub(super) mod operators;
mod pool;
mod qlinear;
mod quantize;
mod random;
mod recurrent;
mod reduce;
mod regions;
mod reshape;
mod resize;
mod scatter;
mod steps;
pub(super) mod trace;
mod val;
mod window;

use context::{Import, checked_numel};
pub(super) use node_view::NodeView;
use val::Val;
