//! Devices: choosing one, sharing one, and repeated work on it.

use std::sync::{Arc, Mutex};

use crate::support::{Rng, choice, device};
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::plan::PlanOptions;
use convgpu::internals::session::{Compiled, latest};
use convgpu::{Backend, CompileOptions, DType, Desc, Device, DeviceChoice, ErrorKind, Graph, Session, Tensor, wgpu};

fn network() -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([2, 5, 9, 7])).unwrap();
    let w = g.constant("w", Rng(1).tensor(&[6, 5, 3, 3])).unwrap();
    let y = g.apply("conv", Conv2d::default(), &[x, w]).unwrap();
    g.output("y", y);
    g
}

fn run(device: &Device) -> Tensor {
    let session = network().compile(device).unwrap();
    session.run(&[("x", &Rng(2).tensor(&[2, 5, 9, 7]))]).unwrap().into_first()
}

#[test]
fn a_program_can_share_its_device() {
    let instance = crate::shared::instance();
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let (wgpu_device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let shared = Device::from_wgpu(wgpu_device, queue);
    // The limits that the program requested, not those of the adapter.
    let caps = &shared.adapter().unwrap().caps;
    assert_eq!((caps.subgroup_size, caps.f16, caps.timestamps), (None, false, false));
    assert_eq!(caps.max_invocations, wgpu::Limits::default().max_compute_invocations_per_workgroup);
    assert_eq!(shared.adapter().unwrap().name, adapter.get_info().name);
    let features = adapter.features() & (wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16);
    let descriptor = wgpu::DeviceDescriptor { required_features: features, ..Default::default() };
    let (more, more_queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    let info = adapter.get_info();
    let fixed = features.contains(wgpu::Features::SUBGROUP) && info.subgroup_min_size == info.subgroup_max_size;
    let caps = Device::from_wgpu(more, more_queue).adapter().unwrap().caps.clone();
    assert_eq!(caps.subgroup_size, fixed.then_some(info.subgroup_min_size));
    assert_eq!(caps.f16, features.contains(wgpu::Features::SHADER_F16));
    let (required_features, required_limits) = Device::wanted(&adapter);
    let descriptor = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    let (best, best_queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    let opened = Device::open(DeviceChoice::Name(adapter.get_info().name)).unwrap();
    let caps = |device: &Device| format!("{:?}", device.adapter().unwrap().caps);
    assert_eq!(caps(&Device::from_wgpu(best, best_queue)), caps(&opened));
    let y = run(&shared);
    let expected = run(&Device::cpu());
    for (a, b) in y.to_f64s().iter().zip(expected.to_f64s()) {
        assert!((a - b).abs() < 1e-4, "{a} for {b}");
    }
}

#[test]
fn compiling_tells_how_far_it_is() {
    let told = Arc::new(Mutex::new(vec![]));
    let tell = told.clone();
    let options = CompileOptions::new().progress(move |done, all| tell.lock().unwrap().push((done, all)));
    // Pipelines of the shared device are not compiled again.
    let fresh = Device::open(choice()).unwrap();
    let session = Session::new(&fresh, network(), options).unwrap();
    let compiled = latest(&session).unwrap();
    let mut told = told.lock().unwrap().clone();
    told.sort_unstable();
    let pipelines = compiled.pipelines();
    assert!(pipelines > 1);
    assert_eq!(told, (1..=pipelines).map(|k| (k, pipelines)).collect::<Vec<_>>());
    let reference = Session::new(&Device::cpu(), network(), CompileOptions::new()).unwrap();
    assert_eq!(latest(&reference).unwrap().pipelines(), 0);
}

#[test]
fn runs_are_bit_identical() {
    let session = network().compile(device()).unwrap();
    let x = Rng(2).tensor(&[2, 5, 9, 7]);
    let first = session.run(&[("x", &x)]).unwrap();
    for _ in 0..20 {
        assert_eq!(session.run(&[("x", &x)]).unwrap().first(), first.first());
    }
}

#[test]
fn tensors_stay_on_the_device_between_networks() {
    let session = network().compile(device()).unwrap();
    let x = Rng(2).tensor(&[2, 5, 9, 7]);
    let on_device = x.to_device(device()).unwrap();
    let outputs = session.run_device(&[("x", &on_device)]).unwrap();
    assert_eq!(outputs.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["y"]);
    let y = &outputs["y"];
    let sum = convgpu::functional::add(y, y).unwrap().to_host().unwrap();
    let host = session.run(&[("x", &x)]).unwrap();
    let doubled: Vec<f32> = host.first().as_f32().unwrap().iter().map(|v| v + v).collect();
    assert_eq!(sum.as_f32().unwrap(), doubled);
    let e = session.run_device(&[("x", &x.to_device(&Device::cpu()).unwrap())]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Argument);
}

#[test]
fn integers_and_booleans_survive_the_way_there_and_back() {
    for t in [
        Tensor::new([3], vec![i64::from(i32::MIN), -1, i64::from(i32::MAX)]).unwrap(),
        Tensor::new([2, 2], vec![true, false, false, true]).unwrap(),
        Tensor::new([1], vec![-7i32]).unwrap(),
        Tensor::new([0, 4], Vec::<f32>::new()).unwrap(),
    ] {
        assert_eq!(t.to_device(device()).unwrap().to_host().unwrap(), t);
    }
    let e = Tensor::new([1], vec![1i64 << 31]).unwrap().to_device(device()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unsupported);
}

#[test]
fn wrong_inputs_are_named() {
    let compiled = Compiled::new(device(), network(), &CompileOptions::default()).unwrap();
    let x = Rng(2).tensor(&[2, 5, 9, 7]);
    let missing = compiled.run(&[]).unwrap_err();
    assert!(missing.to_string().contains("input x f32[2, 5, 9, 7] is missing"), "{missing}");
    let unknown = compiled.run(&[("x", &x), ("z", &x)]).unwrap_err();
    assert!(unknown.to_string().contains("no input named z; inputs: x"), "{unknown}");
    let shape = compiled.run(&[("x", &Tensor::zeros([2, 5, 7, 9]))]).unwrap_err();
    assert!(shape.to_string().contains("must be f32[2, 5, 9, 7], is f32[2, 5, 7, 9]"), "{shape}");
    let dtype = Tensor::new([2, 5, 9, 7], vec![0i32; 630]).unwrap();
    assert_eq!(dtype.dtype(), DType::I32);
    assert_eq!(compiled.run(&[("x", &dtype)]).unwrap_err().kind(), ErrorKind::Shape);
    let twice = compiled.run(&[("x", &x), ("x", &x)]).unwrap_err();
    assert!(twice.to_string().contains("is given twice"), "{twice}");
}

/// The summary of a session has its device and the size of its plan.
#[test]
fn a_session_shows_its_plan() {
    let session = network().compile(device()).unwrap();
    let text = session.to_string();
    let plan = latest(&session).unwrap().plan().unwrap().clone();
    let expected = format!(
        "session on {}\ninputs   x: f32[2, 5, 9, 7]\noutputs  y: f32[2, 6, 7, 5]\nplans    1 of at most 8, f32\n  \
         x: f32[2, 5, 9, 7]: 1 nodes, {} dispatches, activations {} bytes, weights {} bytes",
        device(),
        plan.dispatches(),
        plan.peak_bytes,
        plan.weight_bytes
    );
    assert_eq!(text, expected);
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    for choice in [DeviceChoice::Index(99), DeviceChoice::Name("no such adapter".to_owned())] {
        let e = Device::open(choice).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Argument);
        assert!(e.to_string().contains("no adapter"), "{e}");
    }
}

#[test]
fn adapters_are_opened_by_position_and_by_name() {
    let found = Device::list();
    assert!(!found.is_empty());
    let first = Device::open(DeviceChoice::Index(0)).unwrap();
    assert_eq!(first.to_string(), found[0].to_string());
    let named = Device::open(DeviceChoice::Name(found[0].name.to_uppercase())).unwrap();
    assert_eq!(named.adapter().unwrap().name, found[0].name);
    assert!(!first.same(&named) && first.same(&first.clone()), "every call opens a new device");
}

#[test]
fn an_adapter_is_opened_by_its_backend() {
    for found in Device::list() {
        let backend = Backend::named(&found.backend).expect("a backend");
        let choice: DeviceChoice = format!("{}@{backend}", found.name).parse().unwrap();
        assert_eq!(choice, DeviceChoice::Backend(backend, found.name.clone()));
        assert_eq!(choice.to_string().parse::<DeviceChoice>().unwrap(), choice);
        // A driver may list an adapter and refuse the device (NVIDIA's GL without a display); that is one error, which names it.
        let opened = match Device::open(choice) {
            Ok(opened) => opened,
            Err(e) => {
                assert!(
                    backend == Backend::Gl && e.kind() == ErrorKind::Device && e.to_string().contains(&found.name),
                    "{e}"
                );
                continue;
            }
        };
        assert_eq!(
            (&opened.adapter().unwrap().name, &opened.adapter().unwrap().backend),
            (&found.name, &found.backend)
        );
    }
    let e = Device::open(DeviceChoice::Backend(Backend::Metal, "nothing".to_owned())).unwrap_err();
    assert!(e.to_string().contains("the name \"nothing\" and the backend metal; adapters: 0: "), "{e}");
}

/// An image that is too large says how large one may be.
#[test]
fn an_error_of_size_says_what_fits() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 1, 4, 1 << 20])).unwrap();
    let y = g.softmax(x, 3).unwrap();
    g.output("y", y);
    let mut caps = device().adapter().unwrap().caps.clone();
    caps.max_binding_bytes = 1 << 20;
    let e = convgpu::internals::plan::Plan::new(&g, &caps, &PlanOptions::default()).unwrap_err().to_string();
    assert!(e.contains("x takes 16777216 bytes") && e.contains("25 % of the width and of the height"), "{e}");
    // The largest tensor counts, not the first one that does not fit.
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 1, 4, 1 << 20])).unwrap();
    let y = g.cat(&[x, x, x, x], 0).unwrap();
    g.output("y", y);
    let e = convgpu::internals::plan::Plan::new(&g, &caps, &PlanOptions::default()).unwrap_err().to_string();
    assert!(e.contains("x takes 16777216 bytes") && e.contains("12 % of the width and of the height"), "{e}");
}
