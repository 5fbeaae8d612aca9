//! Runs that are submitted in parts, and dispatches that are split.

use std::collections::BTreeSet;
use std::time::Duration;

use convgpu::custom::Layout;
use convgpu::internals::device::reverse_workgroups;
use convgpu::internals::gpu::kernel::{FIRST_GROUP, Grid};
use convgpu::internals::ops::kernels;
use convgpu::internals::plan::PlanOptions;
use convgpu::internals::session::{Compiled, latest, with_plan};
use convgpu::{CompileOptions, Desc, Device, Outputs, Precision, Session};
use naga::valid::{Capabilities, ValidationFlags, Validator};

use crate::asynchronous::network;
use crate::onnx_extents::random;
use crate::samples;
use crate::support::{Rng, choice, device};

/// A long run is submitted in parts, here more than it has convolutions.
#[test]
fn parts_give_the_bits_of_the_whole() {
    let x = Rng(4).tensor(&[1, 8, 20, 20]);
    let run = |options: CompileOptions| {
        let session = Session::new(device(), network(), options).unwrap();
        let plan = latest(&session).unwrap();
        let recording = &plan.plan().unwrap().recording;
        let parts = (recording.parts(), recording.dispatches().count());
        let profile = plan.profile(&[("x", &x)]).unwrap();
        assert_eq!(profile.dispatches.len(), parts.1);
        (parts, session.run(&[("x", &x)]).unwrap().into_first())
    };
    let (whole, parts) = (run(CompileOptions::new()), run(CompileOptions::new().submit_limit(Duration::ZERO)));
    assert_eq!(whole.0.0, 1);
    assert!(parts.0.0 > 6 && parts.0.1 > whole.0.1, "{:?} {:?}", parts.0, whole.0);
    assert!(whole.1 == parts.1);
    // The options of a plan replace the others.
    let planned = with_plan(CompileOptions::new().submit_limit(Duration::ZERO), PlanOptions::default());
    assert_eq!(run(planned).0.0, 1);
}

/// The parts of a run are measured as they run.
#[test]
fn a_run_in_parts_is_measured() {
    let x = Rng(4).tensor(&[1, 8, 20, 20]);
    let rate = |options: CompileOptions| {
        let session = Session::new(device(), network(), options).unwrap();
        session.run(&[("x", &x)]).unwrap();
        latest(&session).unwrap().rate()
    };
    assert_eq!(rate(CompileOptions::new()), None, "a whole run is not measured");
    let rate = rate(CompileOptions::new().submit_limit(Duration::from_nanos(1)));
    assert!(rate.is_some_and(|rate| rate > 0.0), "{rate:?}");
}

fn bits(found: &Outputs, output: &str) -> Vec<u64> {
    found.get(output).unwrap().to_f64s().into_iter().map(f64::to_bits).collect()
}

/// Every workgroup of every variant of every sample in a dispatch of its own: the bits of the whole grid.
#[test]
fn every_kernel_may_be_split() {
    let (mut split, mut rng) = (BTreeSet::new(), Rng(5));
    for (name, graph) in samples::graphs() {
        let descs: Vec<_> = graph.inputs().map(|(name, desc)| (name.to_owned(), desc.clone())).collect();
        let inputs: Vec<_> = descs.iter().map(|(name, desc)| (name.as_str(), random(&mut rng, desc))).collect();
        let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| (*name, tensor)).collect();
        let layout = |(_, d): &(_, Desc)| if d.rank() < 2 { Layout::RowMajor } else { Layout::ChannelsLast };
        let mut seen = BTreeSet::new();
        for (alternative, input_layouts) in (0..16).flat_map(|k| [(k, vec![]), (k, descs.iter().map(layout).collect())])
        {
            let plan =
                PlanOptions { alternative: Some(alternative), input_layouts, guarded: true, ..Default::default() };
            let run = |submit_limit| {
                let options =
                    with_plan(CompileOptions::new().fusion(false), PlanOptions { submit_limit, ..plan.clone() });
                Compiled::new(device(), graph.clone(), &options).unwrap()
            };
            let whole = run(None);
            let recording = &whole.plan().unwrap().recording;
            if !seen.insert(recording.to_string()) {
                continue;
            }
            let parts = run(Some(Duration::ZERO));
            let dispatches = parts.plan().unwrap().recording.dispatches();
            let in_parts = dispatches.filter(|d| d.grid() == Grid::Part).map(|d| d.kernel());
            split.extend(in_parts);
            let [whole, parts] = [whole, parts].map(|c| c.run(&inputs).unwrap());
            for (output, _) in graph.outputs() {
                let [whole, parts] = [&whole, &parts].map(|found| bits(found, output));
                assert!(whole == parts, "{name}: {output} of variant {alternative}");
            }
        }
    }
    assert!(split.len() > 30, "of all kernels only {split:?}");
}

/// A GPU runs workgroups in any order, software the first one first, which hides one that writes into the part of a later one. Every
/// variant of every sample with its workgroups in the opposite order: the same bits.
#[test]
fn workgroups_may_run_in_any_order() {
    let (mut seen, mut rng) = (BTreeSet::new(), Rng(6));
    let backwards = Device::open(choice()).unwrap();
    reverse_workgroups(&backwards);
    for (name, graph) in samples::graphs() {
        let descs: Vec<_> = graph.inputs().map(|(name, desc)| (name.to_owned(), desc.clone())).collect();
        let inputs: Vec<_> = descs.iter().map(|(name, desc)| (name.as_str(), random(&mut rng, desc))).collect();
        let inputs: Vec<_> = inputs.iter().map(|(name, tensor)| (*name, tensor)).collect();
        for alternative in 0..16 {
            let plan = PlanOptions { alternative: Some(alternative), guarded: true, ..Default::default() };
            let options = with_plan(CompileOptions::new().fusion(false), plan);
            let [forwards, backwards] =
                [device(), &backwards].map(|device| Compiled::new(device, graph.clone(), &options).unwrap());
            if !seen.insert(forwards.plan().unwrap().recording.to_string()) {
                continue;
            }
            let [forwards, backwards] = [forwards, backwards].map(|c| c.run(&inputs).unwrap());
            for (output, _) in graph.outputs() {
                let [forwards, backwards] = [&forwards, &backwards].map(|found| bits(found, output));
                assert!(forwards == backwards, "{name}: {output} of variant {alternative}");
            }
        }
    }
}

/// The number of its first workgroup reaches the kernel in every text.
#[test]
fn every_kernel_reads_its_first_workgroup() {
    for kernel in kernels() {
        let text = kernel.text(&[], Precision::F32, false, Grid::Part);
        let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
        let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).unwrap();
        let is_first = |v: &naga::GlobalVariable| v.binding.is_some_and(|b| (b.group, b.binding) == (0, FIRST_GROUP));
        let first = module.global_variables.iter().find(|(_, v)| is_first(v)).expect("it is declared").0;
        assert!(!info.get_entry_point(0)[first].is_empty(), "{}: main does not read first_group", kernel.name());
        let others = module.global_variables.iter().filter_map(|(_, v)| v.binding.filter(|b| b.group == 0));
        assert_eq!(others.filter(|b| b.binding >= FIRST_GROUP).count(), 1, "{}", kernel.name());
    }
}
