//! `convgpu bench --ops`: layers with every kernel, checked and then timed.

use std::time::Duration;

use convgpu::bench::{
    Case, CaseReport, DEFAULT_LAYERS, Effort, Layer, Measured, Report, measure, memory_bound, products,
};
use convgpu::{Device, DeviceChoice, Error, ErrorKind};
use serde_json::{Value, json};

use super::Args;
use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome, kind};
use crate::progress::Bar;

/// The fewest samples of every kernel.
const SAMPLES: usize = 3;

pub fn run(args: &Args, device: &DeviceChoice, limit: Duration) -> Outcome<()> {
    let layers = layers(args)?;
    let opened = devices::open(device)?;
    let Some(adapter) = opened.adapter() else {
        return Err(Failure::call(
            "bench --ops measures kernels, and the CPU reference has none: choose a GPU adapter",
        ));
    };
    let images = if adapter.caps.software { 1 } else { 16 };
    let mut cases: Vec<Case> = vec![];
    for layer in &layers {
        cases.push(layer.case()?);
    }
    if args.layers.is_none() {
        cases.extend(products()?);
        cases.extend(memory_bound(images)?);
    }
    let mut cases: Vec<Case> = cases.into_iter().map(|c| c.stored_in(args.precision)).collect();
    if let Some(part) = &args.only {
        cases.retain(|c| c.name().contains(part.as_str()));
        if cases.is_empty() {
            return Err(Failure::call(format!("no layer or operator has {part:?} in its name")));
        }
    }
    let effort = Effort::new(limit).samples(SAMPLES).variants(if args.chosen { 1 } else { usize::MAX });
    let open = || -> Result<Device, Error> { Device::open(device.clone()) };
    let (mut at, total, bar) = (0, cases.len(), Bar::steps());
    let mut progress = |name: &str| {
        bar.at(at, total, name);
        at += 1;
    };
    let report = measure(&open, &cases, &effort, &mut progress)?;
    if args.json { console::print_json(&as_json(&report)) } else { console::print(&report.to_string()) }?;
    failed(&report).map_or(Ok(()), |what| Err(Failure::check(format!("{what}: see the table"))))
}

/// The worst that happened.
fn failed(report: &Report) -> Option<&'static str> {
    let failed: Vec<&Measured> =
        report.cases.iter().flat_map(|c| &c.variants).filter(|v| v.failure.is_some()).collect();
    let any = |which: fn(&Measured) -> bool| failed.iter().any(|variant| which(variant));
    match failed.is_empty() {
        true => None,
        false if any(|v| v.error.is_none()) => Some("a kernel is wrong"),
        false if any(|v| v.error == Some(ErrorKind::DeviceLost)) => Some("a kernel lost the device"),
        false => Some("a kernel did not run"),
    }
}

fn layers(args: &Args) -> Outcome<Vec<Layer>> {
    let Some(path) = &args.layers else { return Ok(Layer::read(DEFAULT_LAYERS)?) };
    let text = std::fs::read_to_string(path).map_err(|e| Failure::call(e.to_string()).of(path.display()))?;
    Layer::read(&text).map_err(|e| Failure::from(e).of(path.display()))
}

fn as_json(report: &Report) -> Value {
    json!({
        "device": report.device,
        "ok": report.ok(),
        "clock": report.ceilings.clock.word(),
        "ceilings": { "gflops": report.ceilings.flops / 1e9, "gbytes": report.ceilings.bytes / 1e9 },
        "cases": report.cases.iter().map(|c| case_json(report, c)).collect::<Vec<_>>(),
    })
}

/// Milliseconds; null where nothing was measured.
fn ms(duration: Option<Duration>) -> Option<f64> {
    duration.map(|d| d.as_secs_f64() * 1e3)
}

fn case_json(report: &Report, case: &CaseReport) -> Value {
    json!({
        "name": case.name,
        "flops": case.flops,
        "bytes": case.bytes,
        "chosen": 0,
        "fastest": case.fastest(),
        "copy_ms": case.copy.as_ref().and_then(|c| ms(c.median())),
        "ways": case.variants.iter().map(|w| way_json(report, case, w)).collect::<Vec<_>>(),
    })
}

fn way_json(report: &Report, case: &CaseReport, variant: &Measured) -> Value {
    if let Some(failure) = &variant.failure {
        let kind = kind(variant.error.unwrap_or(ErrorKind::Check)).1;
        return json!({ "kernels": variant.kernels, "failure": failure, "kind": kind });
    }
    let (flops, bytes) = (case.flop_rate(variant), case.byte_rate(variant));
    json!({
        "kernels": variant.kernels,
        "worst": crate::numbers::json(variant.worst),
        "median_ms": ms(variant.kernel.median()),
        "p95_ms": ms(variant.kernel.p95()),
        "samples": variant.kernel.len(),
        "gflops": flops / 1e9,
        "of_alu": flops / report.ceilings.flops,
        "gbytes": bytes / 1e9,
        "of_copy": bytes / report.ceilings.bytes,
        "copies": case.copy_ratio(variant),
        "call_ms": ms(variant.call.median()),
        "first_ms": ms(variant.first),
    })
}
