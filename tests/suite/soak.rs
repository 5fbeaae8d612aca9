//! Long use: memory stays constant over runs, compilations and functional calls.
//!
//! Every kind of use runs in its own process (this test starts itself), so that the measurements are independent.

#![cfg(target_os = "linux")]

use std::process::Command;

use convgpu::functional;
use convgpu::functional::Conv2dOptions;
use convgpu::internals::session::{CompileOptions, Session};
use convgpu::{Device, Model, Tensor};

/// Growth that is accepted: allocators and drivers keep some free memory.
const SLACK: usize = 8 << 20;

/// Resident bytes of this process: the second number of `/proc/self/statm`, in pages of 4096 bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn lenet() -> Model {
    Model::load(format!("{}/tests/models/lenet5_mnist.onnx", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The network's input, filled with one value.
fn input(model: &Model, value: f32) -> (String, Tensor) {
    let info = &model.inputs()[0];
    let shape = info.dims.as_ref().unwrap().iter().map(|d| match d {
        convgpu::Dim::Fixed(n) => *n,
        _ => 2,
    });
    (info.name.clone(), Tensor::full(shape.collect::<Vec<_>>(), value))
}

/// Repeats `work`; memory after `rounds` repetitions must equal that after a tenth of them.
fn stays_flat(what: &str, rounds: usize, mut work: impl FnMut(usize)) {
    let mut early = 0;
    for k in 1..=rounds {
        work(k);
        if k == rounds / 10 {
            early = resident();
        }
    }
    let late = resident();
    let mib = |bytes: usize| bytes as f64 / (1 << 20) as f64;
    println!("{what}: {:.1} MiB after {}, {:.1} MiB after {rounds}", mib(early), rounds / 10, mib(late));
    assert!(late < early + SLACK, "{what}: memory grows");
}

/// Runs the ignored test of this name in a process of its own and shows what it prints.
fn alone(name: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--ignored", "--exact", &format!("soak::{name}"), "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter(|l| l.contains("MiB")).for_each(|l| println!("{l}"));
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_thousand_runs_of_one_session() {
    alone("runs");
}
#[test]
#[ignore = "by a_thousand_runs_of_one_session"]
fn runs() {
    let model = lenet();
    let (name, x) = input(&model, 0.5);
    let session = Session::new(crate::support::device(), model, CompileOptions::new()).unwrap();
    let first = session.run(&[(&name, &x)]).unwrap();
    stays_flat("runs of one session", 1000, |_| {
        assert!(session.run(&[(&name, &x)]).unwrap().first() == first.first());
    });
}

#[test]
fn two_hundred_sessions_one_after_the_other() {
    alone("sessions");
}
#[test]
#[ignore = "by two_hundred_sessions_one_after_the_other"]
fn sessions() {
    let model = lenet();
    let (name, x) = input(&model, 0.5);
    stays_flat("sessions made and dropped", 200, |_| {
        let session = Session::new(crate::support::device(), model.clone(), CompileOptions::new()).unwrap();
        session.run(&[(&name, &x)]).unwrap();
    });
}

#[test]
fn a_thousand_functional_calls() {
    alone("calls");
}
#[test]
#[ignore = "by a_thousand_functional_calls"]
fn calls() {
    let device: &Device = crate::support::device();
    let x = Tensor::full([1, 3, 20, 17], 0.5).to_device(device).unwrap();
    let w = Tensor::full([8, 3, 3, 3], 0.25).to_device(device).unwrap();
    stays_flat("functional calls", 1000, |_| {
        functional::conv2d(&x, &w, None, Conv2dOptions::new()).unwrap().to_host().unwrap();
    });
}

#[test]
fn thousands_of_shapes() {
    alone("shapes");
}
#[test]
#[ignore = "by thousands_of_shapes"]
fn shapes() {
    let device: &Device = crate::support::device();
    let w = Tensor::full([8, 3, 3, 3], 0.25).to_device(device).unwrap();
    // The first tenth exceeds the number of plans that are kept; each of 4001 shapes occurs once, large and small ones mixed.
    stays_flat("functional calls of new shapes", 4000, |k| {
        let shape = k * 1009 % 4001;
        let x = Tensor::full([1, 3, 20 + shape % 50, 20 + shape / 50], 0.5).to_device(device).unwrap();
        functional::conv2d(&x, &w, None, Conv2dOptions::new()).unwrap().to_host().unwrap();
    });
}
