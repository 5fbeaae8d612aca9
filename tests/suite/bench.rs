//! The measuring tools: what they check, count and refuse. No test depends on times.

use std::time::Duration;

use convgpu::bench::{Case, Ceilings, Clock, Effort, Layer, Report, measure};
use convgpu::custom::{Arg, Bounds, Kernel, Launch, Op, Params, Site, Variant};
use convgpu::internals::bench::{Copy, OpenDevice, Tuned, Whole, clock, tune, use_clock};
use convgpu::internals::device::destroy;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::plan::PlanOptions;
use convgpu::internals::plan::tuning::Tuning;
use convgpu::internals::session::{Compiled, with_plan};
use convgpu::verify::{VerifyOptions, verify};
use convgpu::{CompileOptions, Desc, Device, Error, ErrorKind, Graph, Precision, Tensor};
use pollster::block_on;

use crate::shared::polled;

const ONCE: Effort = Effort::new(Duration::ZERO).samples(1);

fn open() -> Result<Device, Error> {
    Device::open(crate::support::choice())
}

fn report(cases: &[Case]) -> Report {
    measure(&open, cases, &ONCE, &mut |_| ()).unwrap()
}

fn layer(op: &str) -> Case {
    let text = format!(
        r#"{{"layers": [{{"name": "small", "op": "{op}", "n": 2, "ci": 8, "co": 12, "h": 7, "w": 9, "k": 3, "s": 2, "p": 1, "d": 1, "g": 1}}]}}"#
    );
    Layer::read(&text).unwrap()[0].case().unwrap()
}

/// A copy whose reference adds one.
#[derive(Debug)]
struct Wrong;

impl Op for Wrong {
    fn name(&self) -> &'static str {
        "wrong"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>, Error> {
        Copy.outputs(inputs)
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        let added = inputs[0].as_f32()?.iter().map(|x| x + 1.0).collect::<Vec<_>>();
        Ok(vec![Tensor::new(inputs[0].shape(), added)?])
    }
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds, Error> {
        Copy.bounds(inputs, outputs)
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>, Error> {
        Copy.launches(site)
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

#[test]
fn every_alternative_is_checked_and_timed() {
    let report = report(&[layer("conv"), layer("conv_transpose").against_copy()]);
    assert!(report.ok(), "{report}");
    for case in &report.cases {
        assert!(case.variants.len() > 1 && case.fastest().is_some());
        assert!(case.variants.iter().all(|w| !w.kernel.is_empty() && w.first.is_some()));
    }
    assert_eq!(report.cases[0].flops, 2 * 2 * 4 * 5 * 12 * 8 * 9);
    assert_eq!(report.cases[0].bytes, 4 * (2 * 8 * 63 + 12 * 8 * 9 + 2 * 12 * 20));
    assert!(report.cases[0].copy.is_none() && report.cases[1].copy.is_some());
    assert!(report.to_string().contains("conv2d_direct"), "{report}");
}

#[test]
fn a_wrong_kernel_is_reported_and_not_timed() {
    let x = Tensor::new([3, 4], (0..12).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
    let report = report(&[Case::new("wrong", Wrong, vec![x], 1).unwrap()]);
    let variant = &report.cases[0].variants[0];
    assert!(!report.ok() && variant.kernel.is_empty() && report.cases[0].fastest().is_none());
    assert!(variant.failure.as_ref().unwrap().contains("12 of 12"), "{report}");
    assert!(report.to_string().contains("WRONG"), "{report}");
}

/// A kernel that the device refuses did not run: nobody knows whether it is wrong.
#[test]
fn a_kernel_that_is_refused_is_not_called_wrong() {
    let x = Tensor::new([3, 4], (0..12).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
    let report = report(&[Case::new("refused", Refused, vec![x], 1).unwrap()]);
    let variant = &report.cases[0].variants[0];
    assert_eq!((report.ok(), variant.error), (false, Some(ErrorKind::Device)), "{report}");
    assert!(report.to_string().contains("refused_kernel: DID NOT RUN: "), "{report}");
}

/// A copy by a kernel whose workgroups are too large for every device.
#[derive(Debug)]
struct Refused;

impl Op for Refused {
    fn name(&self) -> &'static str {
        "refused"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>, Error> {
        Copy.outputs(inputs)
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        Copy.reference(inputs)
    }
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds, Error> {
        Copy.bounds(inputs, outputs)
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>, Error> {
        static KERNEL: Kernel = Kernel::new(
            "refused_kernel",
            "@group(0) @binding(1) var<storage, read> x: array<f32>;
            @group(0) @binding(2) var<storage, read_write> y: array<f32>;
            @compute @workgroup_size(65535) fn main() { y[0] = x[0]; }",
        );
        let launch = Launch::grid(&KERNEL, [1, 1, 1], Params::new()).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
        Ok(vec![Variant::row_major(site, vec![launch])])
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

/// A kernel that loses the device costs its own times: it is named, and the others are measured on a device that is opened
/// again. The test loses it where the second variant has its first run on another device; the next one at work notices.
#[test]
fn a_lost_device_is_opened_again() {
    let opened = std::cell::RefCell::new(vec![]);
    let losing = || {
        let device = open()?;
        opened.borrow_mut().push(device.clone());
        if opened.borrow().len() == 3 {
            destroy(&opened.borrow()[0]);
        }
        Ok(device)
    };
    let report = measure(&losing, &[layer("conv"), layer("conv_transpose")], &ONCE, &mut |_| ()).unwrap();
    let [first, second] = &report.cases[..] else { panic!("{report}") };
    let complete = self::report(&[layer("conv"), layer("conv_transpose")]);
    let kernels = |report: &Report| -> Vec<String> {
        report.cases.iter().flat_map(|c| &c.variants).map(|v| v.kernels.clone()).collect()
    };
    assert_eq!(kernels(&report), kernels(&complete), "all in their places");
    let lost: Vec<_> = first.variants.iter().filter(|v| v.failure.is_some()).collect();
    assert_eq!((lost.len(), lost[0].error), (1, Some(ErrorKind::DeviceLost)), "{report}");
    assert!(lost[0].kernel.is_empty() && first.fastest().is_some() && !report.ok(), "{report}");
    assert!(
        first.variants.iter().chain(&second.variants).all(|v| v.failure.is_some() != v.first.is_some()),
        "{report}"
    );
    let text = report.to_string();
    assert!(text.contains(&format!("{}: LOST THE DEVICE: ", lost[0].kernels)) && !text.contains("WRONG"), "{text}");
}

/// The same in `tune`; and a device that nobody can open again ends it.
#[test]
fn tune_goes_on_after_a_lost_device() {
    for again in [Some(&open as &dyn Fn() -> Result<Device, Error>), None] {
        let device = OpenDevice::new(open().unwrap(), again);
        let mut lose = |_: &str| destroy(&device.device());
        let found = block_on(tune(&device, &network(), Precision::F32, &ONCE, &mut |_| Ok(()), &mut lose));
        match again {
            Some(_) => {
                let found = found.unwrap();
                assert_eq!((found.len(), found[0].lost.len(), found[0].wrong), (1, 1, 0), "{found:?}");
                assert!(found[0].best_seconds > 0.0 && found[0].best != found[0].lost[0], "{found:?}");
            }
            None => assert_eq!(found.unwrap_err().kind(), ErrorKind::DeviceLost),
        }
    }
}

#[test]
fn ceilings_are_rates() {
    let ceilings = block_on(Ceilings::measure(&open().unwrap(), &ONCE)).unwrap();
    assert!(ceilings.flops > 1e6 && ceilings.bytes > 1e6, "{ceilings:?}");
    assert!(block_on(Ceilings::measure(&Device::cpu(), &ONCE)).is_err());
}

/// Two convolutions of the same kind.
fn network() -> Graph {
    let mut graph = Graph::new();
    let weight = |k: usize| Tensor::full([12, 12, 3, 3], 0.01 * k as f32);
    let mut x = graph.input("x", Desc::f32([2, 12, 7, 9])).unwrap();
    for k in 1..=2 {
        let w = graph.constant(format!("w{k}"), weight(k)).unwrap();
        let op = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
        x = graph.apply(format!("conv{k}"), op, &[x, w]).unwrap();
    }
    graph.output("y", x);
    graph
}

#[test]
fn a_profile_has_every_dispatch_and_adds_up() {
    let compiled = Compiled::new(&open().unwrap(), network(), &CompileOptions::default()).unwrap();
    let x = Tensor::full([2, 12, 7, 9], 1.0);
    let profile = compiled.profile(&[("x", &x)]).unwrap();
    let plan = compiled.plan().unwrap();
    let kernels: Vec<_> = plan.recording.dispatches().map(|d| d.kernel()).collect();
    assert_eq!(profile.dispatches.iter().map(|d| d.kernel).collect::<Vec<_>>(), kernels);
    let parts = profile.dispatches.iter().map(|d| d.time).sum::<Duration>() + profile.other();
    assert_eq!(parts, profile.total);
    let cpu = Compiled::new(&Device::cpu(), network(), &CompileOptions::default()).unwrap();
    assert!(cpu.profile(&[("x", &x)]).unwrap_err().to_string().contains("reference"));
}

/// All timestamps of this device are 0: the calibration finds it, and so does every measurement, should the calibration have
/// been right by chance.
#[test]
fn a_clock_that_stands_is_not_used() {
    let (own, device) = crate::shared::idle_device();
    let clock = || polled(&own, clock(&device)).unwrap();
    assert!(device.adapter().unwrap().caps.timestamps);
    assert_eq!(clock(), Clock::Host);
    let compiled = Compiled::new(&device, network(), &CompileOptions::default()).unwrap();
    let x = Tensor::full([2, 12, 7, 9], 1.0);

    use_clock(&device, Clock::Device);
    let profile = compiled.profile(&[("x", &x)]).unwrap();
    assert_eq!((profile.clock, clock()), (Clock::Host, Clock::Host));
    assert!(profile.dispatches.iter().all(|d| !d.time.is_zero()), "{profile}");

    use_clock(&device, Clock::Device);
    let seconds = polled(&own, compiled.repeat_async(|_| true, 10)).unwrap();
    assert!(seconds > 0.0 && clock() == Clock::Host);
}

/// The test's own device has a clock that is right, if it has one; and a table tells which it is.
#[test]
fn tables_tell_the_clock() {
    let device = open().unwrap();
    let expected = if device.adapter().unwrap().caps.timestamps { Clock::Device } else { Clock::Host };
    assert_eq!(block_on(clock(&device)).unwrap(), expected);
    let report = report(&[layer("conv")]);
    assert_eq!(report.ceilings.clock, expected);
    assert!(report.to_string().contains(&format!("by {expected}")), "{report}");
    assert_eq!(block_on(clock(&Device::cpu())).unwrap(), Clock::Host);
}

#[test]
fn a_tuning_is_used_where_it_fits_and_ignored_where_not() {
    let device = open().unwrap();
    let mut learned = vec![];
    let mut keep = |t: &Tuned| {
        learned.push((t.key.clone(), t.best_signature.clone()));
        Ok(())
    };
    let opened = OpenDevice::new(device.clone(), Some(&open));
    let found = block_on(tune(&opened, &network(), Precision::F32, &ONCE, &mut keep, &mut |_| ())).unwrap();
    assert_eq!(learned, [(found[0].key.clone(), found[0].best_signature.clone())]);
    assert_eq!(found.len(), 1, "two nodes of one kind are measured once: {found:?}");
    assert_eq!((found[0].wrong, found[0].fixed_seconds.is_nan()), (0, false));

    let options = |tuning| {
        let plan = PlanOptions { tuning: Some(std::sync::Arc::new(tuning)), ..PlanOptions::default() };
        with_plan(CompileOptions::new(), plan)
    };
    let compiled = |tuning| Compiled::new(&device, network(), &options(tuning)).unwrap();
    let plain = compiled(Tuning::default());
    let last = PlanOptions { alternative: Some(usize::MAX), ..PlanOptions::default() };
    let last = Compiled::new(&device, network(), &with_plan(CompileOptions::new(), last)).unwrap();
    let chosen = |c: &Compiled| c.plan().unwrap().nodes.iter().map(|n| n.chosen.signature()).collect::<Vec<_>>();
    assert_ne!(chosen(&plain), chosen(&last));
    let key = Tuning::key(plain.graph(), &plain.graph().nodes()[0], Precision::F32).unwrap();
    let tuning = Tuning { choices: [(key.clone(), chosen(&last)[0].clone())].into() };
    let tuned = compiled(tuning.clone());
    assert_eq!(chosen(&tuned), chosen(&last));

    // And that is what verify then checks.
    let options = VerifyOptions::new().compile(options(tuning));
    let x = Tensor::full([2, 12, 7, 9], 1.0);
    let report = verify(&device, &network(), &[("x", &x)], &options).unwrap();
    let kernels = |c: &Compiled| c.plan().unwrap().nodes.iter().map(|n| n.kernels.clone()).collect::<Vec<_>>();
    assert!(report.ok(), "{report}");
    assert_eq!(report.nodes.iter().map(|n| n.kernels.clone()).collect::<Vec<_>>(), kernels(&last));

    let foreign = compiled(Tuning { choices: [(key, "a kernel of long ago".to_owned())].into() });
    assert_eq!(chosen(&foreign), chosen(&plain));
}

/// Which choices help depends on the machine; that they are those given, and that none are kept of none, does not.
#[test]
fn the_gain_of_choices_is_that_of_the_whole_network() {
    let device = open().unwrap();
    let (graph, x) = (network(), Tensor::full([2, 12, 7, 9], 1.0));
    let whole = Whole {
        device: &OpenDevice::new(device, Some(&open)),
        graph: &graph,
        inputs: &[("x", &x)],
        precision: Precision::F32,
        time: Duration::ZERO,
    };
    let mut tried = vec![];
    let none = block_on(whole.gain(&[].into(), &mut |n| tried.push(n))).unwrap();
    assert!(none.kept.is_empty() && tried.is_empty() && none.bytes[0] == none.bytes[1], "{none:?}");
    let foreign = [("no such node".to_owned(), "no such kernel".to_owned())].into();
    let gain = block_on(whole.gain(&foreign, &mut |n| tried.push(n))).unwrap();
    assert!(tried == [1] && gain.bytes[0] == gain.bytes[1] && gain.seconds.iter().all(|s| *s > 0.0), "{gain:?}");
}
