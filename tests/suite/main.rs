//! All tests except the operators (tests/ops) and the fuzzer (tests/fuzz), in one program to save linking.

#[path = "../support/close.rs"]
mod close;
#[path = "../support/in_rten.rs"]
mod in_rten;
#[path = "../samples/mod.rs"]
mod samples;
#[allow(dead_code)]
#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod asynchronous;
mod bench;
mod catalog;
mod concurrency;
mod conformance;
mod contract;
mod decisions;
mod device;
mod device_loss;
mod eager;
mod faults;
mod fingerprint;
mod functional;
mod graph;
mod guarded;
mod half;
mod imports;
mod in_flight;
mod in_range;
mod index;
mod inlined;
mod large;
mod memory;
mod modules;
mod networks;
mod nn;
mod nn_attention;
mod nn_clones;
mod nn_layers;
mod nn_names;
mod nn_recurrent;
mod nn_state;
mod nn_training;
mod null_hardware;
mod onnx_attention;
mod onnx_build;
mod onnx_extents;
mod onnx_forms;
mod onnx_functions;
mod onnx_import;
mod onnx_inside;
mod onnx_microsoft;
mod onnx_random;
mod onnx_registry;
mod onnx_resize;
mod onnx_suite;
mod oracles;
mod outside;
mod own_buffers;
mod parts;
mod quantised;
mod refused;
mod rewrite;
mod rules;
mod sensitive;
mod shared;
mod sibling;
mod soak;
mod soundness;
mod textures;
mod traced;
mod unknown_bounds;
mod uploads;
mod vision;
mod weights;
mod wide_integers;
mod zoo;
