//! Weights on a device: once, whichever plans and sessions use them; and limits of a session's memory.

use convgpu::functional::Conv2dOptions;
use convgpu::{CompileOptions, Desc, Device, ErrorKind, Graph, Model, Session, Tensor, wgpu};

use crate::onnx_build::{floats, graph, ints, model, node, read};
use crate::shared::shared_device;
use crate::support::Rng;

/// Channels in and out of a convolution whose weights are much larger than its images: 2.25 MiB.
const CHANNELS: usize = 256;
const WEIGHTS: u64 = (CHANNELS * CHANNELS * 9 * 4) as u64;

/// A convolution of an image of any height, then batch norm, which is folded into it.
fn open_model(seed: u64) -> Model {
    let data = |shape: &[usize], seed: u64| Rng(seed).tensor(shape).to_vec::<f32>().unwrap();
    let c = CHANNELS as i64;
    let positive: Vec<f32> = data(&[CHANNELS], 9).iter().map(|v| v.abs() + 0.5).collect();
    let one = |name: &str, seed: u64| floats(name, &[c], &data(&[CHANNELS], seed));
    let initializers = vec![
        floats("first", &[c, 2, 1, 1], &data(&[CHANNELS, 2], 1)),
        floats("w", &[c, c, 3, 3], &data(&[CHANNELS, CHANNELS, 9], seed)),
        one("scale", 2),
        one("shift", 3),
        one("mean", 4),
        floats("var", &[c], &positive),
    ];
    let nodes = vec![
        node("Conv", &["x", "first"], &["a"], vec![]),
        node("Conv", &["a", "w"], &["b"], vec![ints("pads", &[1, 1, 1, 1])]),
        node("BatchNormalization", &["b", "scale", "shift", "mean", "var"], &["y"], vec![]),
    ];
    read(&model(graph(nodes, initializers))).unwrap()
}

/// Bytes of the device's buffers.
fn bytes(device: &wgpu::Device) -> u64 {
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let report = device.generate_allocator_report().expect("this backend counts");
    report.allocations.iter().map(|a| a.size).sum()
}

fn run(session: &Session, height: usize) -> Tensor {
    session.run(&[("x", &Rng(7).tensor(&[1, 2, height, 3]))]).unwrap().into_first()
}

fn shape(height: usize) -> [(&'static str, Desc); 1] {
    [("x", Desc::f32([1, 2, height, 3]))]
}

/// The weights with batch norm folded in are made anew for every size: they are recognised by what they hold.
#[test]
fn plans_and_sessions_share_weights() {
    let (own, _, device) = shared_device();
    let network = open_model(5);
    let session = network.clone().compile(&device).unwrap();
    let expected: Vec<Tensor> = (3..9).map(|n| run(&network.clone().compile(&Device::cpu()).unwrap(), n)).collect();
    run(&session, 3);
    let one = bytes(&own);
    assert!(one >= WEIGHTS);
    let close = |a: &Tensor, b: &Tensor| a.to_f64s().iter().zip(b.to_f64s()).all(|(a, b)| (a - b).abs() < 1e-3);
    for n in 4..9 {
        assert!(close(&run(&session, n), &expected[n - 3]), "{n}");
    }
    let second = network.clone().compile(&device).unwrap();
    assert!(close(&run(&second, 3), &expected[0]));
    // The plans of the other sizes and of the other session have their own images and sums: megabytes on a GPU that splits sums.
    let more: u64 = [4, 5, 6, 7, 8, 3]
        .map(|n| session.plan_for(&shape(n)).unwrap())
        .map(|plan| plan.peak_bytes() - plan.weight_bytes())
        .iter()
        .sum();
    assert!(bytes(&own) < one + more + WEIGHTS / 2, "{} bytes, {one} with one plan, {more} of others", bytes(&own));
    // Other weights are others.
    let other = open_model(6).compile(&device).unwrap();
    assert!(!close(&run(&other, 3), &expected[0]));
    assert!(bytes(&own) >= one + WEIGHTS);
    // They are gone with the last that uses them.
    drop((session, other));
    assert!(close(&run(&second, 3), &expected[0]));
    drop(second);
    assert!(bytes(&own) < WEIGHTS, "{} bytes", bytes(&own));
}

#[test]
fn a_plan_says_what_it_will_take() {
    let (own, _, device) = shared_device();
    let session = open_model(5).compile(&device).unwrap();
    let before = bytes(&own);
    let plan = session.plan_for(&shape(40)).unwrap();
    assert_eq!(bytes(&own), before, "nothing is allocated");
    assert!(plan.weight_bytes() >= WEIGHTS && plan.result_bytes() == (CHANNELS * 40 * 3 * 4) as u64, "{plan}");
    assert_eq!(plan.peak_bytes(), plan.weight_bytes() + plan.activation_bytes() + plan.result_bytes());
    run(&session, 40);
    // Besides: the params of the kernels, and the pool's rounding of sizes.
    let taken = bytes(&own) - before;
    assert!(taken >= plan.peak_bytes() && taken < plan.peak_bytes() * 11 / 10 + (64 << 10), "{taken} bytes, {plan}");
    assert_eq!(session.plan_for(&shape(40)).unwrap().peak_bytes(), plan.peak_bytes());
    session.clear();
    assert!(bytes(&own) < before + WEIGHTS / 2);
}

#[test]
fn a_session_keeps_to_its_limit() {
    let (own, _, device) = shared_device();
    let free = open_model(5).compile(&device).unwrap();
    let peak = |height| free.plan_for(&shape(height)).unwrap();
    let small = peak(8);
    // The weights once, and room for two plans.
    let limit = small.peak_bytes() + small.activation_bytes() + small.result_bytes() + 4096;
    let session = Session::new(&device, open_model(5), CompileOptions::new().memory_limit(limit)).unwrap();
    let expected = run(&free, 8);
    drop(free);
    let before = bytes(&own);
    for height in [8, 6, 7, 8, 6, 7] {
        run(&session, height);
        assert!(bytes(&own) < before + limit + (256 << 10), "{} bytes, the limit is {limit}", bytes(&own) - before);
    }
    assert!(run(&session, 8) == expected);
    let large = session.plan_for(&shape(4000)).unwrap();
    let e = session.run(&[("x", &Tensor::zeros([1, 2, 4000, 3]))]).unwrap_err();
    let text = e.to_string();
    assert!(e.kind() == ErrorKind::Memory && text.contains("x: f32[1, 2, 4000, 3]"), "{text}");
    assert!(text.contains(&large.peak_bytes().to_string()) && text.contains(&limit.to_string()), "{text}");
    assert!(run(&session, 8) == expected, "the others stay");
    // A network of fixed shapes that does not fit is an error when it is compiled.
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 2, 8, 8])).unwrap();
    let w = g.constant("w", Rng(1).tensor(&[2, 2, 3, 3])).unwrap();
    let y = g.conv2d(x, w, None, Conv2dOptions::new()).unwrap();
    g.output("y", y);
    let e = Session::new(&device, g, CompileOptions::new().memory_limit(100)).unwrap_err();
    assert!(e.kind() == ErrorKind::Memory && e.to_string().contains("limit is 100 bytes"), "{e}");
}
