//! Tensors near the limits of bindings and of 32-bit indices, by arithmetic: nothing is allocated.

use std::collections::BTreeMap;

use convgpu::functional::{Activation, BinaryKind};
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::graph::Graph;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::layer_norm::LayerNorm;
use convgpu::internals::ops::permute::Permute;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::{Desc, Tensor};

/// The largest binding that wgpu allows, of a device whose buffers may be larger than any index of 32 bits.
fn caps() -> Caps {
    let mut caps = Caps::webgpu_default();
    (caps.max_binding_bytes, caps.max_buffer_bytes) = ((1 << 31) - 1, 1 << 40);
    caps
}

/// Buffer, offset and length of every range that the commands of a recording name: `#1[0..+3136]`.
fn ranges(recording: &str) -> Vec<[u64; 3]> {
    let range = |text: &str| -> Option<[u64; 3]> {
        let (buffer, rest) = text.split_once('[')?;
        let (offset, rest) = rest.split_once("..+")?;
        let number = |text: &str| text.parse().ok();
        Some([number(buffer)?, number(offset)?, number(rest.split_once(']')?.0)?])
    };
    recording.split('#').filter_map(range).collect()
}

/// The sizes of the buffers of a recording: `#0 arena 0 3136 bytes`.
fn sizes(recording: &str) -> BTreeMap<u64, u64> {
    let size = |line: &str| {
        let line = line.strip_prefix('#')?.strip_suffix(" bytes")?;
        Some((line.split(' ').next()?.parse().ok()?, line.rsplit(' ').next()?.parse().ok()?))
    };
    recording.lines().filter_map(size).collect()
}

/// The ranges of a recording that are not inside their buffers, not aligned, or larger than a binding.
fn misplaced(recording: &str) -> Vec<[u64; 3]> {
    let sizes = sizes(recording);
    let mut all = ranges(recording);
    assert!(all.len() > 10, "{recording}");
    all.retain(|[buffer, offset, length]| {
        offset + length > sizes[buffer] || offset % 256 != 0 || *length > caps().max_binding_bytes
    });
    all
}

/// Several tensors of 1.9 GB live at once, so an arena is larger than 2^32 bytes.
#[test]
fn arenas_beyond_32_bits() {
    let mut graph = Graph::new();
    let shape = [1, 8, 7500, 7900];
    let bytes = 4 * shape.iter().product::<usize>() as u64;
    let x = graph.input("x", Desc::f32(shape)).unwrap();
    let weight = graph.constant("w", Tensor::full([8, 8, 1, 1], 0.5)).unwrap();
    let mut parts = vec![];
    for activation in [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Exp] {
        parts.push(graph.activation(x, activation).unwrap());
    }
    let conv = graph.apply("conv", Conv2d::default(), &[parts[0], weight]).unwrap();
    let normal = graph.apply("norm", LayerNorm { axes: 2, eps: 1e-5, stats: false }, &[conv]).unwrap();
    let turned = graph.apply("turn", Permute { order: vec![0, 1, 3, 2] }, &[normal]).unwrap();
    graph.output("turned", turned);
    let mut sum = conv;
    for part in parts {
        sum = graph.binary(sum, part, BinaryKind::Add).unwrap();
    }
    graph.output("sum", sum);
    for guarded in [false, true] {
        let plan = Plan::new(&graph, &caps(), &PlanOptions { guarded, ..PlanOptions::default() }).unwrap();
        let text = plan.recording.to_string();
        let (sizes, ranges) = (sizes(&text), ranges(&text));
        assert_eq!(misplaced(&text), [] as [[u64; 3]; 0], "{text}");
        // As 32 bits would have it, and the other way round.
        assert!(!misplaced(&text.replace(&format!("..+{bytes}]"), "..+4294967296]")).is_empty());
        assert!(ranges.iter().any(|[_, offset, length]| *offset > u64::from(u32::MAX) && *length >= bytes), "{text}");
        assert!(plan.peak_bytes >= plan.lower_bound && plan.lower_bound >= 5 * bytes, "{plan}");
        assert!(sizes.values().sum::<u64>() >= plan.peak_bytes, "{plan}");
    }
    // The same in buffers of one tensor each.
    let mut small = caps();
    small.max_buffer_bytes = small.max_binding_bytes;
    let plan = Plan::new(&graph, &small, &PlanOptions::default()).unwrap();
    assert!(sizes(&plan.recording.to_string()).values().all(|size| *size <= small.max_buffer_bytes), "{plan}");
}

/// A tensor larger than a binding is one error with its node.
#[test]
fn a_tensor_beyond_a_binding_is_an_error() {
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([1 << 28])).unwrap();
    let y = graph.expand(x, &[2, 1 << 28]).unwrap();
    graph.output("y", y);
    let node = graph.nodes()[0].name.clone();
    let e = Plan::new(&graph, &caps(), &PlanOptions::default()).unwrap_err();
    assert_eq!(e.node(), Some(&node[..]), "{e}");
}
