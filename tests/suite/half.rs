//! Storing 16 bits: conversions, refusals, overflows, and real networks. The tests of the operators cover the kernels.

use std::fs;
use std::path::Path;

use crate::networks::npy;
use crate::support::{Rng, device};
use convgpu::internals::attr::Activation;
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::graph::Graph;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::unary::Unary;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::reference::half::{self, stored};
use convgpu::internals::session::Compiled;
use convgpu::internals::verify::{Setup, check_node, fail_at};
use convgpu::verify::{VerifyOptions, verify};
use convgpu::{CompileOptions, Desc, Device, ErrorKind, Model, Precision, Session, Tensor};

const HALF: PlanOptions = PlanOptions {
    alternative: None,
    input_layouts: vec![],
    guarded: false,
    precision: Precision::F16,
    tuning: None,
    submit_limit: None,
};

/// No stage of a plan stores 16 bits where the shaders of a device have none.
#[test]
fn stages_refuse_what_a_device_does_not_have() {
    use convgpu::internals::plan::stages::{Stage, text};
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([1, 4, 5, 5])).unwrap();
    let y = graph.apply("y", Unary(Activation::Exp), &[x]).unwrap();
    graph.output("y", y);
    let without = Caps::webgpu_default();
    let mut with = without.clone();
    with.f16 = true;
    for stage in [Stage::Choose, Stage::Lower, Stage::Elide, Stage::Lifetime, Stage::Pack, Stage::Record] {
        let e = text(&graph, &without, &HALF, stage).unwrap_err();
        assert!(e.kind() == ErrorKind::Unsupported && e.to_string().contains("16-bit floats"), "{e}");
        assert!(text(&graph, &with, &HALF, stage).is_ok());
    }
}

fn options() -> CompileOptions {
    CompileOptions::new().precision(Precision::F16)
}

/// Whether the device has f16. A device without it must refuse f16, and there is nothing else to test.
fn has_half() -> bool {
    let has = device().adapter().is_some_and(|a| a.caps.f16);
    if !has {
        crate::close::not_run(&format!("tests of f16: {} has none", device()));
        assert!(Compiled::new(device(), pointwise(Tensor::full([1, 1, 1, 1], 1.0)), &options()).is_err());
    }
    has
}

/// A 1x1 convolution of an image of two channels.
fn pointwise(weight: Tensor) -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, weight.shape()[1], 1, 64])).unwrap();
    let w = g.constant("w", weight).unwrap();
    let y = g.apply("conv", Conv2d::default(), &[x, w]).unwrap();
    g.output("y", y);
    g
}

/// Numbers of every magnitude of f16, subnormal ones included.
fn magnitudes(rng: &mut Rng, shape: &[usize]) -> Tensor {
    let n = shape.iter().product();
    Tensor::new(shape, (0..n).map(|k| rng.float() * 2f32.powi(k as i32 % 40 - 24)).collect::<Vec<_>>()).unwrap()
}

#[test]
fn conversions_take_a_neighbour() {
    if !has_half() {
        return;
    }
    let mut rng = Rng(1);
    let unit =
        |n: usize| Tensor::new([n, n, 1, 1], (0..n * n).map(|k| f32::from(k % (n + 1) == 0)).collect::<Vec<_>>());
    let near = |y: &Tensor, x: &Tensor| {
        for (y, x) in y.to_f64s().into_iter().zip(x.to_f64s()) {
            assert!((y - x).abs() <= stored(x, 0.0), "{y} for {x}");
        }
    };
    // Of an input, and back to f32.
    let x = magnitudes(&mut rng, &[1, 5, 1, 64]);
    let y = Compiled::new(device(), pointwise(unit(5).unwrap()), &options()).unwrap().run(&[("x", &x)]).unwrap();
    near(y.first(), &x);
    // Of weights: every output is one of them times 1.
    let w = magnitudes(&mut rng, &[64, 1, 1, 1]);
    let y = Compiled::new(device(), pointwise(w.clone()), &options()).unwrap();
    let y = y.run(&[("x", &Tensor::full([1, 1, 1, 64], 1.0))]).unwrap();
    let columns = y.first().to_f64s().chunks(64).map(|row| row[0] as f32).collect::<Vec<_>>();
    near(&Tensor::new([64, 1, 1, 1], columns).unwrap(), &w);
}

#[test]
fn devices_without_it_and_the_reference_refuse() {
    let graph = pointwise(Tensor::full([2, 2, 1, 1], 1.0));
    let e = Plan::new(&graph, &Caps::webgpu_default(), &HALF).unwrap_err();
    assert!(e.kind() == ErrorKind::Unsupported && e.to_string().contains("f16"), "{e}");
    let e = Compiled::new(&Device::cpu(), graph, &options()).err().unwrap();
    assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("reference"), "{e}");
}

/// 70 000 is finite in f32 and infinite in f16: the node is wrong, whatever its bound.
#[test]
fn an_overflow_is_seen() {
    if !has_half() {
        return;
    }
    let graph = pointwise(Tensor::full([1, 2, 1, 1], 350.0));
    for (value, right) in [(50.0, true), (100.0, false), (7e4, false)] {
        let x = Tensor::full([1, 2, 1, 64], value);
        let setup = Setup { precision: Precision::F16, ..Setup::default() };
        let node = &graph.nodes()[0];
        let inputs = [x.clone(), graph.constant_of(node.inputs[1]).unwrap().clone()];
        let checked = pollster::block_on(check_node(device(), &graph, 0, &inputs, &setup)).unwrap();
        assert_eq!(checked.precision, Precision::F16);
        assert_eq!(checked.comparisons[0].ok(), right, "{value}: {}", checked.comparisons[0]);
    }
}

/// Tensors and weights take half the memory.
#[test]
fn half_the_bytes() {
    let mut caps = Caps::webgpu_default();
    caps.f16 = true;
    let mut g = Graph::new();
    let mut rng = Rng(2);
    let mut y = g.input("x", Desc::f32([1, 8, 32, 31])).unwrap();
    for k in 0..4 {
        let w = g.constant("w", rng.tensor(&[8, 8, 3, 3])).unwrap();
        y = g.apply(format!("{k}"), Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() }, &[y, w]).unwrap();
    }
    g.output("y", y);
    let plan = |precision| Plan::new(&g, &caps, &PlanOptions { precision, ..PlanOptions::default() }).unwrap();
    let (wide, half) = (plan(Precision::F32), plan(Precision::F16));
    assert_eq!(half.weight_bytes * 2, wide.weight_bytes);
    assert!(half.nodes.iter().all(|n| n.chosen.precision() == Precision::F16));
    // Input and output of the graph stay f32, so such a short network saves only a quarter.
    assert!(half.peak_bytes * 4 <= wide.peak_bytes * 3, "{} {}", half.peak_bytes, wide.peak_bytes);
}

/// `verify` accepts a right network, and not a wrong plan or node.
#[test]
fn a_network_is_verified_end_to_end() {
    if !has_half() {
        return;
    }
    let mut g = Graph::new();
    let mut rng = Rng(3);
    let mut y = g.input("x", Desc::f32([2, 3, 9, 11])).unwrap();
    for k in 0..3 {
        let c = g.shape(y)[1];
        let w = g.constant("w", rng.tensor(&[13, c, 3, 3])).unwrap();
        y = g.apply(format!("conv{k}"), Conv2d::default(), &[y, w]).unwrap();
        y = g.apply(format!("act{k}"), Unary(Activation::Tanh), &[y]).unwrap();
    }
    g.output("y", y);
    let x = rng.tensor(&[2, 3, 9, 11]);
    let report_of = |node: Option<&str>| {
        let options = VerifyOptions::new().compile(CompileOptions::new().precision(Precision::F16));
        let options = node.map_or(options.clone(), |node| fail_at(options, node));
        verify(device(), &g, &[("x", &x)], &options).unwrap()
    };
    let report = report_of(None);
    assert!(report.ok(), "{report}");
    assert!(report.nodes.iter().all(|n| n.kernels.ends_with("in f16")), "{report}");
    let rounding = report.outputs[0].rounding;
    assert!(rounding > 0.0 && rounding < 0.1, "{rounding}");
    assert_eq!(report_of(Some("conv1")).first_wrong().unwrap().name, "conv1");
}

#[test]
fn lenet5_reads_its_seven() {
    if !has_half() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let model = Model::load(root.join("lenet5_mnist.onnx")).unwrap();
    let input = model.inputs()[0].name.clone();
    let session = Session::new(device(), model, options()).unwrap();
    let found = session.run(&[(&input, &npy(&root.join("golden/lenet5_mnist.digit7.in.npy")))]).unwrap();
    let expected = npy(&root.join("golden/lenet5_mnist.digit7.out.npy"));
    for (a, e) in found.first().to_f64s().into_iter().zip(expected.to_f64s()) {
        assert!((a - e).abs() < 1e-3, "{a} for {e}");
    }
}

/// The share of CIFAR-10 test images that resnet20 classifies correctly: as in f32 (`networks`).
#[test]
fn resnet20_accuracy() {
    if !has_half() {
        return;
    }
    let Some(root) = crate::close::shared_file("models", "the accuracy of resnet20 in f16") else { return };
    let records = fs::read(root.join("data/cifar10-test-first500.bin")).unwrap();
    let model = Model::load(root.join("models/resnet20_cifar10.onnx")).unwrap();
    let session = Session::new(device(), model, options()).unwrap();
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let mut right = 0;
    for record in records.chunks_exact(3073) {
        let pixel = |(i, &v): (usize, &u8)| (f32::from(v) / 255.0 - mean[i / 1024]) / std[i / 1024];
        let image: Vec<f32> = record[1..].iter().enumerate().map(pixel).collect();
        let image = Tensor::new([1, 3, 32, 32], image).unwrap();
        let logits = session.run(&[("input", &image)]).unwrap().first().to_f64s();
        let best = (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        right += usize::from(best == usize::from(record[0]));
    }
    println!("resnet20 in f16: {right} of {} images right", records.len() / 3073);
    // Up to two images may be so close to a tie that another device's rounding changes the class.
    assert!(records.len() / 3073 == 500 && right.abs_diff(455) <= 2, "{right}");
}

/// What is exact, and a normal number of f16, is stored as it is; the smallest of them as well.
#[test]
fn exact_numbers_are_stored_exactly() {
    let smallest = 2f64.powi(-14);
    for y in [0.0, smallest, -smallest, 1.0, -65_504.0] {
        assert_eq!(half::stored(y, 0.0), 0.0, "{y}");
    }
    // Below it a device may give 0.
    assert!(half::stored(smallest / 2.0, 0.0) >= smallest / 2.0);
}
