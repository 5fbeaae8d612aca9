//! Threads that share a session, and concurrent sessions, give the same bits as sequential calls.

use std::sync::Barrier;

use convgpu::functional;
use convgpu::functional::Conv2dOptions;
use convgpu::{Desc, Graph, Model, Session, Tensor};

use crate::support::Rng;

const THREADS: usize = 4;
const RUNS: usize = 25;

fn lenet() -> Model {
    Model::load(format!("{}/tests/models/lenet5_mnist.onnx", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn session() -> Session {
    lenet().compile(crate::support::device()).unwrap()
}

/// Random digits, a batch of this size where the network leaves it open.
fn digits(seed: u64, batch: usize) -> Tensor {
    let shape: Vec<usize> = lenet().inputs()[0].dims.iter().flatten().map(|d| d.fixed().unwrap_or(batch)).collect();
    Rng(seed).tensor(&shape)
}

fn bits(t: &Tensor) -> Vec<u32> {
    t.as_slice::<f32>().unwrap().iter().map(|x| x.to_bits()).collect()
}

/// All threads make their calls at the same time; each call gives the same as alone.
fn agree(call: impl Fn(u64) -> Vec<u32> + Sync) {
    let alone: Vec<Vec<u32>> = (0..(THREADS * RUNS) as u64).map(&call).collect();
    assert!(alone[0] != alone[1], "the calls must differ to tell them apart");
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for t in 0..THREADS {
            let (start, call, alone) = (&start, &call, &alone);
            scope.spawn(move || {
                start.wait();
                for k in (t..THREADS * RUNS).step_by(THREADS) {
                    assert!(call(k as u64) == alone[k], "call {k} gives other bits beside others");
                }
            });
        }
    });
}

#[test]
fn threads_share_a_session() {
    let (session, name) = (session(), lenet().inputs()[0].name.clone());
    agree(|seed| bits(session.run(&[(&name, &digits(seed, 2))]).unwrap().first()));
}

#[test]
fn threads_share_a_session_with_inputs_on_the_device() {
    let (session, name) = (session(), lenet().inputs()[0].name.clone());
    agree(|seed| {
        let x = digits(seed, 2).to_device(crate::support::device()).unwrap();
        bits(&session.run_device(&[(&name, &x)]).unwrap().first().to_host().unwrap())
    });
}

#[test]
fn sessions_side_by_side() {
    let (sessions, name) = ([session(), session(), session()], lenet().inputs()[0].name.clone());
    agree(|seed| bits(sessions[seed as usize % 3].run(&[(&name, &digits(seed, 2))]).unwrap().first()));
}

#[test]
fn sessions_made_while_others_run() {
    let name = lenet().inputs()[0].name.clone();
    agree(|seed| bits(session().run(&[(&name, &digits(seed, 2))]).unwrap().first()));
}

#[test]
fn functional_calls_of_one_shape_and_of_several() {
    let device = crate::support::device();
    agree(|seed| {
        let x = Rng(seed).tensor(&[1, 5, 12, 7 + seed as usize % 6]).to_device(device).unwrap();
        let w = Rng(seed + 1).tensor(&[9, 5, 3, 2]).to_device(device).unwrap();
        bits(&functional::conv2d(&x, &w, None, Conv2dOptions::new()).unwrap().to_host().unwrap())
    });
}

/// Runs of 50 ms and more, which several threads wait for at a time.
#[test]
fn long_runs_side_by_side() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 64, 160, 160])).unwrap();
    let w = g.constant("w", Rng(1).tensor(&[64, 64, 3, 3])).unwrap();
    let y = g.conv2d(x, w, None, Conv2dOptions::new().padding(1)).unwrap();
    g.output("y", y);
    let session = g.compile(crate::support::device()).unwrap();
    let x = Rng(2).tensor(&[1, 64, 160, 160]);
    let expected = bits(session.run(&[("x", &x)]).unwrap().first());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                (0..4).for_each(|_| assert!(bits(session.run(&[("x", &x)]).unwrap().first()) == expected));
            });
        }
    });
}
