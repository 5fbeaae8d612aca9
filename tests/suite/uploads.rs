//! Host tensors of 8 bits per element: those of many elements go up as bytes, and runs see the same elements.

use std::time::Duration;

use convgpu::functional::{Activation, BinaryKind};
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::top_k::TopK;
use convgpu::{CompileOptions, DType, Desc, Device, DeviceTensor, Graph, Input, Result, Run, Session, Tensor};

use crate::shared::shared_device;
use crate::support::{Rng, device};

/// Sizes below and above the one from which on bytes go up, with and without a last word that is not full.
const SIZES: [usize; 4] = [65_535, 65_536, 65_537, 3 * 180 * 181];

/// Random elements; the types of 8 bits, and one that is not.
fn tensors(rng: &mut Rng, size: usize) -> [Tensor; 4] {
    let mut bytes = || -> Vec<u8> { (0..size).map(|_| rng.next() as u8).collect() };
    let all = [
        Tensor::new([size], bytes()),
        Tensor::new([size], bytes().into_iter().map(|b| b as i8).collect::<Vec<_>>()),
        Tensor::new([size], bytes().into_iter().map(|b| b & 1 > 0).collect::<Vec<_>>()),
        Tensor::new([size], bytes().into_iter().map(i32::from).collect::<Vec<_>>()),
    ];
    all.map(Result::unwrap)
}

/// The input as it is, and as floats.
fn session(device: &Device, desc: Desc) -> Session {
    let mut graph = Graph::new();
    let x = graph.input("x", desc).unwrap();
    let y = graph.cast(x, DType::F32).unwrap();
    graph.output("x", x);
    graph.output("y", y);
    graph.compile(device).unwrap()
}

/// What a kernel cannot make of bytes, because it cannot bind that many words, goes up as words.
#[test]
fn more_than_a_kernel_can_bind_goes_up() {
    let limit = device().adapter().map_or(0, |adapter| adapter.caps.max_binding_bytes);
    if !(1..=128 << 20).contains(&limit) {
        return eprintln!("not tested: the device binds {limit} bytes");
    }
    let size = limit as usize / 4 + 1;
    let x = Tensor::new([size], (0..size).map(|i| (i % 251) as u8).collect::<Vec<_>>()).unwrap();
    let there = x.to_device(device()).unwrap();
    assert!(there.to_host().unwrap() == x);
}

#[test]
fn runs_see_the_elements() {
    let mut rng = Rng(1);
    for size in SIZES {
        let (first, second) = (tensors(&mut rng, size), tensors(&mut rng, size));
        for (a, b) in first.iter().zip(&second) {
            let session = session(device(), a.desc());
            let runs = [a, b].map(|x| session.submit(&[("x", x)]).unwrap());
            for (x, run) in [a, b].into_iter().zip(runs) {
                let outputs = run.wait().unwrap();
                assert_eq!((&outputs["x"], &outputs["y"]), (x, &x.to_dtype(DType::F32)), "{}", x.desc());
            }
            let outputs = session.run_device(&[("x", Input::from(a))]).unwrap();
            assert_eq!(outputs["y"].to_host().unwrap(), a.to_dtype(DType::F32), "{}", a.desc());
        }
    }
}

#[test]
fn tensors_on_the_device_have_the_elements() {
    let mut rng = Rng(2);
    for size in SIZES {
        for x in tensors(&mut rng, size) {
            let there: DeviceTensor = x.to_device(device()).unwrap();
            assert_eq!(there.to_host().unwrap(), x, "{}", x.desc());
            let outputs = session(device(), x.desc()).run_device(&[("x", &there)]).unwrap();
            assert_eq!(outputs["y"].to_host().unwrap(), x.to_dtype(DType::F32), "{}", x.desc());
        }
    }
}

/// The bytes of a run must be its own until the device has its work, although the next run is prepared meanwhile.
#[test]
fn runs_in_flight_have_their_own_bytes() {
    let (_wgpu, _queue, shared) = shared_device();
    let size = 65_539;
    for (device, limit) in [(device(), None), (device(), Some(1)), (&shared, Some(1)), (&shared, None)] {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::new([size], DType::U8)).unwrap();
        let floats = graph.cast(x, DType::F32).unwrap();
        let y = (0..8).fold(floats, |y, _| graph.activation(y, Activation::Relu).unwrap());
        graph.output("y", y);
        let options = CompileOptions::new().fusion(false).in_flight(6);
        let options = limit.map_or(options.clone(), |n| options.submit_limit(Duration::from_nanos(n)));
        let session = Session::new(device, graph, options).unwrap();
        for round in 0..12 {
            let images: Vec<Tensor> = (0..6).map(|k| Tensor::full([size], 6 * round + k as u8)).collect();
            let runs: Vec<Run> = images.iter().map(|x| session.submit(&[("x", x)]).unwrap()).collect();
            for (image, run) in images.iter().zip(runs) {
                assert_eq!(run.wait().unwrap()["y"], image.to_dtype(DType::F32), "{limit:?}");
            }
        }
    }
}

/// An input is uploaded before the first step, also one that a later step reads: what earlier steps write lies elsewhere, a result
/// that nothing reads included.
#[test]
fn an_input_is_there_until_it_is_read() {
    let mut graph = Graph::new();
    let [x, b] = ["x", "b"].map(|name| graph.input(name, Desc::f32([40, 30])).unwrap());
    let outputs = graph.add("top", TopK { axis: 1, k: 30, smallest: false }, &[x]).unwrap();
    let y = graph.apply("sum", Binary(BinaryKind::Add), &[outputs[0], b]).unwrap();
    graph.output("y", y);
    let [x, b] = [1, 2].map(|seed| Rng(seed).tensor(&[40, 30]));
    let run = |device: &Device| {
        let session = Session::new(device, graph.clone(), CompileOptions::new()).unwrap();
        session.run(&[("x", &x), ("b", &b)]).unwrap().into_first()
    };
    assert!(run(device()) == run(&Device::cpu()));
}
