//! Two runs in flight: the host prepares a run and takes the results of another while the device computes.
//!
//! `cargo run --release --example in_flight [-- MODEL.onnx ..]` measures images per second, one at a time and two in flight, in
//! turn; open extents are 1.

use std::time::{Duration, Instant};

use convgpu::{Device, Dim, Model, Result, Session, Tensor};

/// How often both are measured, and for how long.
const ALTERNATIONS: usize = 7;
const TIME: Duration = Duration::from_millis(400);

fn main() -> Result<()> {
    let device = Device::new()?;
    println!("{device}");
    println!("{:<28} {:>12} {:>12} {:>7}", "network", "1 at a time", "2 in flight", "ratio");
    let mut paths: Vec<String> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        paths.push(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/lenet5_mnist.onnx").to_owned());
    }
    for path in paths {
        let model = Model::load(&path)?;
        let inputs: Vec<(String, Tensor)> = model.inputs().iter().map(|v| (v.name.clone(), image(v))).collect();
        let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let session = model.compile(&device)?;
        let expected = session.run(&inputs)?;
        let (mut alone, mut flying, mut ratios) = (vec![], vec![], vec![]);
        for _ in 0..ALTERNATIONS {
            let (a, b) = (one_at_a_time(&session, &inputs)?, two_in_flight(&session, &inputs)?);
            alone.push(a);
            flying.push(b);
            ratios.push(b / a);
        }
        let again = session.submit(&inputs)?.wait()?;
        assert!(again.iter().zip(&expected).all(|(a, b)| a == b), "a run in flight gives the same");
        let name = path.rsplit('/').next().unwrap_or(&path);
        let [a, b, ratio] = [alone, flying, ratios].map(median);
        println!("{name:<28} {a:>10.1}/s {b:>10.1}/s {ratio:>7.2}");
    }
    Ok(())
}

/// An input whose open extents are 1.
fn image(input: &convgpu::ValueInfo) -> Tensor {
    let shape: Vec<usize> = input.dims.iter().flatten().map(|d| if let Dim::Fixed(n) = d { *n } else { 1 }).collect();
    Tensor::full(shape, 0.5f32)
}

fn one_at_a_time(session: &Session, inputs: &[(&str, &Tensor)]) -> Result<f64> {
    let (begin, mut runs) = (Instant::now(), 0);
    while begin.elapsed() < TIME {
        session.run(inputs)?;
        runs += 1;
    }
    Ok(f64::from(runs) / begin.elapsed().as_secs_f64())
}

fn two_in_flight(session: &Session, inputs: &[(&str, &Tensor)]) -> Result<f64> {
    let (begin, mut runs) = (Instant::now(), 1);
    let mut before = session.submit(inputs)?;
    while begin.elapsed() < TIME {
        let next = session.submit(inputs)?;
        std::mem::replace(&mut before, next).wait()?;
        runs += 1;
    }
    before.wait()?;
    Ok(f64::from(runs) / begin.elapsed().as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
