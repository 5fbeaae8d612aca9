//! Answers of different engines to the same models. A random model of a seed is built once, as the bytes of an ONNX file;
//! convgpu runs it on the reference and on the device, and rten, an engine of other authors, on the CPU. `with_onnxruntime.py`
//! asks ONNX Runtime, from files. Random graphs are compared with what each rewrite makes of them.
//!
//! | variable | meaning |
//! |---|---|
//! | `CONVGPU_DIFF_SECONDS` | the time of all tests here (5); the fixed seeds run in any case |
//! | `CONVGPU_DIFF_SEED` | runs this seed alone, and prints its model |
//! | `CONVGPU_DIFF_SEEDS` | runs the seeds from 1 to this, whatever the time |
//! | `CONVGPU_DIFF_FOLDER` | a folder for the models, their inputs and convgpu's outputs |
//!
//! Inputs are multiples of 1/8, and functions with steps only get what is exact: no rounding decides an element.

#[path = "../support/close.rs"]
#[allow(dead_code)]
mod close;
#[path = "../support/in_rten.rs"]
mod in_rten;
#[allow(dead_code)]
#[path = "../suite/onnx_build.rs"]
mod onnx_build;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

mod attention;
mod bits;
mod chains;
mod elementwise;
mod engines;
mod files;
mod graphs;
mod idioms;
mod judge;
mod kinds;
mod known;
mod microsoft;
mod models;
mod movement;
mod net;
mod print;
mod qlinear;
mod quantised;
mod random;
mod recurrent;
mod regions;
mod resize;
mod rewrites;
mod sampling;
mod seeds;
mod sums;
mod window;
