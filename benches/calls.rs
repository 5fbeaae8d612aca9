//! `cargo bench`: calls of layers and of whole networks on the best adapter, upload and readback included.
//!
//! Each is checked against the reference once, within its derived bound, before it is timed. `CONVGPU_DEVICE` chooses
//! another adapter, `cargo bench -- conv2d` some of the benches. `convgpu bench --ops` times the kernels alone, in
//! every variant.

use convgpu::nn::{
    AvgPool2d, BatchNorm2d, Conv2d, Flatten, LayerNorm, Linear, MaxPool2d, Module, ReLU, Sequential, Softmax, Tanh,
    Upsample, manual_seed, zoo,
};
use convgpu::verify::{VerifyOptions, verify};
use convgpu::{CompileOptions, Desc, Device, Graph, Session, Tensor};
use divan::Bencher;

fn main() {
    eprintln!("{}", device());
    divan::main();
}

fn device() -> Device {
    let choice = std::env::var("CONVGPU_DEVICE").unwrap_or_default();
    Device::open(choice.parse().expect("CONVGPU_DEVICE names a device")).expect("the device opens")
}

/// Numbers in 0..1, the same every time.
fn numbers(shape: &[usize]) -> Tensor {
    let value = |i: usize| ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1u64 << 24) as f32;
    Tensor::new(shape, (0..shape.iter().product()).map(value).collect::<Vec<_>>()).expect("a number per element")
}

/// Checks the graph, whose input is `x`, then times its calls.
fn calls(bencher: Bencher<'_, '_>, graph: Graph, shape: &[usize]) {
    let (device, x) = (device(), numbers(shape));
    let inputs = [("x", &x)];
    let report = verify(&device, &graph, &inputs, &VerifyOptions::new()).expect("the network runs");
    assert!(report.ok(), "{report}");
    let session = Session::new(&device, graph, CompileOptions::new()).expect("the network compiles");
    bencher.bench_local(|| session.run(&inputs).expect("the network runs"));
}

fn module(bencher: Bencher<'_, '_>, mut net: impl Module, shape: &[usize]) {
    net.eval();
    calls(bencher, net.graph(Desc::f32(shape)).expect("the input fits"), shape);
}

/// Kernel size, stride, groups, input channels, output channels, height and width.
#[divan::bench(args = [
    (7, 2, 1, 3, 64, 224),
    (3, 1, 1, 64, 64, 56),
    (3, 1, 1, 256, 256, 14),
    (1, 1, 1, 256, 64, 56),
    (3, 1, 128, 128, 128, 56),
    (3, 1, 32, 128, 128, 56),
])]
fn conv2d(bencher: Bencher<'_, '_>, (k, stride, groups, ci, co, size): (usize, usize, usize, usize, usize, usize)) {
    manual_seed(1);
    let conv = Conv2d::new(ci, co, k).stride(stride).padding(k / 2).groups(groups);
    module(bencher, conv, &[1, ci, size, size]);
}

#[divan::bench(args = [(1, 784, 256), (128, 784, 256), (512, 512, 512)])]
fn linear(bencher: Bencher<'_, '_>, (rows, features, outputs): (usize, usize, usize)) {
    manual_seed(1);
    module(bencher, Linear::new(features, outputs), &[rows, features]);
}

#[divan::bench_group]
mod pooling {
    use super::*;

    const SHAPE: [usize; 4] = [1, 64, 112, 96];

    #[divan::bench]
    fn max_2x2(bencher: Bencher<'_, '_>) {
        module(bencher, MaxPool2d::new(2), &SHAPE);
    }
    #[divan::bench]
    fn max_3x3_stride_2(bencher: Bencher<'_, '_>) {
        module(bencher, MaxPool2d::new(3).stride(2).padding(1), &SHAPE);
    }
    #[divan::bench]
    fn avg_2x2(bencher: Bencher<'_, '_>) {
        module(bencher, AvgPool2d::new(2), &SHAPE);
    }
}

#[divan::bench(args = [2, 3])]
fn upsample_nearest(bencher: Bencher<'_, '_>, factor: usize) {
    module(bencher, Upsample::new().scale_factor(factor as f64), &[1, 64, 56, 48]);
}

#[divan::bench_group]
mod normalization {
    use super::*;

    /// The reductions alone: mean and variance of each channel, and the new running statistics.
    #[divan::bench]
    fn batch_norm_training(bencher: Bencher<'_, '_>) {
        let shape = [8, 64, 56, 48];
        let build = || -> convgpu::Result<Graph> {
            let mut graph = Graph::new();
            let x = graph.input("x", Desc::f32(shape))?;
            let mean = graph.constant("mean", Tensor::zeros([64]))?;
            let var = graph.constant("var", Tensor::full([64], 1.0))?;
            let [y, mean, var] = graph.batch_norm_training(x, Some([mean, var]), None, None, 0.1, 1e-5)?;
            for (name, value) in [("y", y), ("mean", mean), ("var", var)] {
                graph.output(name, value);
            }
            Ok(graph)
        };
        calls(bencher, build().expect("the shapes fit"), &shape);
    }
    #[divan::bench]
    fn batch_norm(bencher: Bencher<'_, '_>) {
        module(bencher, BatchNorm2d::new(64), &[8, 64, 56, 48]);
    }
    #[divan::bench]
    fn layer_norm(bencher: Bencher<'_, '_>) {
        module(bencher, LayerNorm::new([768]), &[896, 768]);
    }
    #[divan::bench]
    fn softmax(bencher: Bencher<'_, '_>) {
        module(bencher, Softmax::new(1), &[896, 768]);
    }
}

#[divan::bench_group(sample_count = 10)]
mod network {
    use super::*;

    #[divan::bench]
    fn lenet5_batch_128(bencher: Bencher<'_, '_>) {
        manual_seed(1);
        let net = Sequential::new()
            .with(Conv2d::new(1, 6, 5).padding(2))
            .with(Tanh)
            .with(AvgPool2d::new(2))
            .with(Conv2d::new(6, 16, 5))
            .with(Tanh)
            .with(AvgPool2d::new(2))
            .with(Flatten::new())
            .with(Linear::new(400, 120))
            .with(Tanh)
            .with(Linear::new(120, 84))
            .with(Tanh)
            .with(Linear::new(84, 10));
        module(bencher, net, &[128, 1, 28, 28]);
    }
    #[divan::bench]
    fn mlp_784_256_256_256_10(bencher: Bencher<'_, '_>) {
        manual_seed(1);
        let layer = |net: Sequential, inputs| net.with(Linear::new(inputs, 256)).with(ReLU);
        let net = [784, 256, 256].into_iter().fold(Sequential::new(), layer).with(Linear::new(256, 10));
        module(bencher, net, &[128, 784]);
    }
    #[divan::bench]
    fn squeezenet1_1(bencher: Bencher<'_, '_>) {
        manual_seed(1);
        module(bencher, zoo::squeezenet1_1(1000), &[1, 3, 224, 224]);
    }
    #[divan::bench]
    fn mobilenet_v2(bencher: Bencher<'_, '_>) {
        manual_seed(1);
        module(bencher, zoo::mobilenet_v2(1000), &[1, 3, 224, 224]);
    }
    #[divan::bench]
    fn resnet18(bencher: Bencher<'_, '_>) {
        manual_seed(1);
        module(bencher, zoo::resnet18(1000), &[1, 3, 224, 224]);
    }
}
