//! Memory of the host: what does not fit is refused before anything is allocated, and weights have one copy.

use convgpu::functional::{Activation, BinaryKind, Conv2dOptions, InterpolateOptions, PadMode};
use convgpu::internals::memory::limited;
use convgpu::{CompileOptions, Data, Desc, Device, Error, ErrorKind, Graph, Session, Tensor, ValueId};

use crate::onnx_build::{integers, line, model, node, read};
use crate::support::{Rng, device};

/// Smaller amounts are not counted.
const FREE: u64 = 18 << 20;

/// What the elements of a result take: more than is free.
const LARGE: usize = 6 << 20;

fn check(e: &Error, node: &str, words: &[&str]) {
    let text = e.to_string();
    assert_eq!((e.kind(), e.node()), (ErrorKind::Memory, Some(node)), "{text}");
    assert!(words.iter().all(|word| text.contains(word)) && !text.contains('\n'), "{text}");
    assert!(text.ends_with(" of memory, 18 MiB is free"), "{text}");
}

#[test]
fn what_the_importer_computes_is_counted() {
    let nodes = || {
        let constant = node("ConstantOfShape", &["s"], &["c"], vec![]);
        vec![constant, node("Add", &["c", "x"], &["y"], vec![])]
    };
    let model = read(&model(line(nodes(), vec![integers("s", &[2], &[LARGE as i64 / 4, 4])]))).unwrap();
    let e = limited(FREE, || model.clone().compile(&Device::cpu()).unwrap_err());
    check(&e, "ConstantOfShape_0", &["f32[1572864, 4]", "24 MiB"]);
    model.compile(&Device::cpu()).unwrap();
}

#[test]
fn what_the_reference_computes_is_counted() {
    type Layer = fn(&mut Graph, ValueId) -> convgpu::Result<ValueId>;
    let layers: [(&str, Layer); 6] = [
        ("expand", |g, x| g.expand(x, &[LARGE as i64, 1])),
        ("tile", |g, x| g.tile(x, &[LARGE, 1])),
        ("pad", |g, x| g.pad(x, &[0, 0, 0, LARGE as i64], PadMode::Constant(0.0))),
        ("resize2d", |g, x| {
            let x = g.reshape(x, [1, 1, 1, 1])?;
            g.interpolate(x, InterpolateOptions::new().size([LARGE / 4, 4]))
        }),
        ("matmul", |g, x| {
            let row = g.expand(x, &[1, 2048])?;
            let column = g.reshape(row, [2048, 1])?;
            g.matmul(column, row)
        }),
        ("conv2d", |g, x| {
            let (x, w) = (g.reshape(x, [1, 1, 1, 1])?, g.constant("w", Tensor::full([1, 1, 1, 1], 1.0))?);
            g.conv2d(x, w, None, Conv2dOptions::new().padding(1000))
        }),
    ];
    let x = Tensor::full([1, 1], 1.0f32);
    for (name, layer) in layers {
        let mut g = Graph::new();
        let id = g.input("x", Desc::f32([1, 1])).unwrap();
        let y = layer(&mut g, id).unwrap();
        g.output("y", y);
        let node = g.nodes().last().unwrap().name.clone();
        let session = g.compile(&Device::cpu()).unwrap();
        let e = limited(FREE, || session.run(&[("x", &x)]).unwrap_err());
        check(&e, &node, &[&format!("{name}(f32["), "-> f32["]);
    }
}

#[test]
fn what_a_software_adapter_takes_is_counted() {
    if !device().adapter().is_some_and(|adapter| adapter.caps.software) {
        return;
    }
    let graph = || {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([LARGE])).unwrap();
        let y = g.activation(x, Activation::Relu).unwrap();
        g.output("y", y);
        g
    };
    let e = limited(FREE, || graph().compile(device()).unwrap_err());
    let node = graph().nodes()[0].name.clone();
    check(&e, &node, &["relu -> f32[6291456]"]);
    graph().compile(device()).unwrap();
}

/// As many owners as the elements of a tensor have.
fn owners(t: &Tensor) -> usize {
    let Data::F32(elements) = t.data() else { panic!("it has floats") };
    std::sync::Arc::strong_count(elements)
}

#[test]
fn a_session_on_a_gpu_keeps_no_weights_on_the_host() {
    let (w, x) = (Rng(1).tensor(&[8, 4, 3, 3]), Rng(2).tensor(&[1, 4, 9, 9]));
    let session = |device: &Device| {
        let mut g = Graph::new();
        let id = g.input("x", Desc::f32([1, 4, 9, 9])).unwrap();
        let weight = g.constant("w", w.clone()).unwrap();
        let y = g.conv2d(id, weight, None, Conv2dOptions::new()).unwrap();
        g.output("y", y);
        Session::new(device, g, CompileOptions::new()).unwrap()
    };
    let on_gpu = session(device());
    assert_eq!(owners(&w), 1);
    let reference = session(&Device::cpu());
    assert_eq!(owners(&w), 2, "the reference computes with them");
    let [a, b] = [on_gpu, reference].map(|s| s.run(&[("x", &x)]).unwrap().into_first().to_f64s());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4));
}

/// Constant weights are packed by the host, others by a kernel.
#[test]
fn weights_are_packed_alike_by_host_and_kernel() {
    for ([ic, oc, groups], kernel) in [([5, 7, 1], 3), ([9, 18, 1], 1), ([16, 24, 2], 2), ([1, 3, 1], 5)] {
        let (w, x) = (Rng(3).tensor(&[oc, ic / groups, kernel, kernel]), Rng(4).tensor(&[1, ic, 12, 11]));
        let run = |constant: bool| {
            let mut g = Graph::new();
            let id = g.input("x", Desc::f32(x.shape())).unwrap();
            let weight = if constant { g.constant("w", w.clone()) } else { g.input("w", w.desc()) }.unwrap();
            let y = g.conv2d(id, weight, None, Conv2dOptions::new().groups(groups)).unwrap();
            g.output("y", y);
            let given = [("x", &x), ("w", &w)];
            let session = g.compile(device()).unwrap();
            session.run(&given[..if constant { 1 } else { 2 }]).unwrap().into_first()
        };
        assert_eq!(run(true), run(false), "{ic} to {oc} channels");
    }
}

/// Weights are packed into one piece of memory after others: what is left there does not reach the padding of the next.
#[test]
fn weights_are_padded_with_zeros_after_others() {
    let (x, z) = (Rng(4).tensor(&[1, 3, 6, 5]), Rng(6).tensor(&[1, 4, 6, 5]));
    // The others have no padding.
    let (weights, others) = (Rng(5).tensor(&[5, 3, 3, 3]), Tensor::full([8, 4, 3, 3], f32::INFINITY));
    for others_first in [true, false] {
        let mut g = Graph::new();
        let [id, beside] = [("x", &x), ("z", &z)].map(|(name, t)| g.input(name, t.desc()).unwrap());
        let mut branches = [("y", id, &weights), ("others", beside, &others)];
        if others_first {
            branches.reverse();
        }
        for (name, id, w) in branches {
            let (oc, w) = (w.shape()[0], g.constant(format!("{name} w"), w.clone()).unwrap());
            let y = g.conv2d(id, w, None, Conv2dOptions::new()).unwrap();
            // It reads padding lanes.
            let w = g.constant(format!("{name} v"), Tensor::full([2, oc, 1, 1], 1.0)).unwrap();
            let y = g.conv2d(y, w, None, Conv2dOptions::new()).unwrap();
            g.output(name, y);
        }
        let run = |g: Graph, device: &Device| {
            let outputs = g.compile(device).unwrap().run(&[("x", &x), ("z", &z)]).unwrap();
            outputs["y"].to_f64s()
        };
        let near = |(a, e): (f64, f64)| (a - e).abs() < 1e-4;
        let expected = run(g.clone(), &Device::cpu());
        assert!(run(g, device()).into_iter().zip(expected).all(near), "{others_first}");
    }
}

/// More bytes than are uploaded at once.
#[test]
fn large_constants_arrive_whole() {
    let w = Tensor::new([LARGE], (0..LARGE).map(|k| (k % 8191) as f32).collect::<Vec<_>>()).unwrap();
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1])).unwrap();
    let weight = g.constant("w", w.clone()).unwrap();
    let y = g.binary(x, weight, BinaryKind::Add).unwrap();
    g.output("y", y);
    let y = g.compile(device()).unwrap().run(&[("x", &Tensor::from([0.0f32]))]).unwrap().into_first();
    assert!(y == w);
}
