//! The same inputs give the same bits in every run and every session: no sum depends on the order in which workgroups finish.

use convgpu::custom::Op;
use convgpu::internals::graph::Graph;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::internals::plan::PlanOptions;
use convgpu::internals::session::{Compiled, with_plan};
use convgpu::internals::verify::alternatives;
use convgpu::{CompileOptions, Precision, Tensor};

use crate::support::{Rng, device};

/// The kernels of one variant of a product, and the bits of three runs in each of two sessions. The second session has
/// its tensors at other addresses, prefilled with NaNs.
fn runs(graph: &Graph, inputs: &[(&str, &Tensor)], alternative: usize) -> (String, Vec<Vec<u32>>) {
    let session = |guarded| {
        let plan = PlanOptions { alternative: Some(alternative), guarded, ..PlanOptions::default() };
        let options = with_plan(CompileOptions::new().fusion(false), plan);
        Compiled::new(device(), graph.clone(), &options).unwrap()
    };
    let run = |session: &Compiled| {
        let outputs = session.run(inputs).unwrap();
        outputs.first().as_f32().unwrap().iter().map(|v| v.to_bits()).collect()
    };
    let sessions = [false, true].map(session);
    let kernels = sessions[0].plan().expect("a GPU adapter").nodes[0].kernels.clone();
    (kernels, sessions.iter().flat_map(|session| (0..3).map(|_| run(session))).collect())
}

/// Every variant of `a` by `b` gives the same bits every time, including `split` with a split inner dimension. The bits
/// depend on the order of addition, since variants differ in them.
fn check(op: impl Op + 'static, a: &[usize], b: &[usize], split: &str) {
    let mut rng = Rng(11);
    let (a, b) = (rng.tensor(a), rng.tensor(b));
    let mut graph = Graph::new();
    let ids = [graph.input("a", a.desc()).unwrap(), graph.input("b", b.desc()).unwrap()];
    let y = graph.apply("product", op, &ids).unwrap();
    graph.output("y", y);
    let count = alternatives(device(), &graph, 0, Precision::F32).unwrap();
    let variants: Vec<_> = (0..count).map(|k| runs(&graph, &[("a", &a), ("b", &b)], k)).collect();
    for (kernels, bits) in &variants {
        assert!(bits.iter().all(|run| *run == bits[0]), "{kernels}: runs differ");
    }
    let (_, of_split) = variants.iter().find(|(kernels, _)| kernels.contains(split)).expect(split);
    assert!(variants.iter().any(|(_, bits)| bits[0] != of_split[0]), "any order gives these bits");
}

#[test]
fn a_split_convolution() {
    check(Conv2d::default(), &[1, 260, 7, 6], &[19, 260, 3, 3], "conv2d_tiled(8,8,4,1) + split_k_sum");
}

#[test]
fn a_split_linear_layer() {
    check(Conv2d::default(), &[5, 4096, 1, 1], &[40, 4096, 1, 1], "gemm_tiled(8,8,4,1) + split_k_sum");
}

#[test]
fn a_split_product() {
    check(MatMul, &[2, 5, 4099], &[2, 4099, 43], "matmul_tiled(8,8,4,1) + matmul_split_sum");
}
