//! A device that accepts work and computes nothing is found when it compiles its first kernels. wgpu's backend `noop` is one.

use convgpu::internals::device::{computes, distrust, usable_binding};
use convgpu::internals::ops::tile::Tile;
use convgpu::{CompileOptions, Desc, Device, ErrorKind, Graph, Session, Tensor, wgpu};

use crate::shared::{ends, shared_device};
use crate::support::choice;

fn graph() -> Graph {
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([3])).unwrap();
    let y = graph.apply("twice", Tile { repeats: vec![2] }, &[x]).unwrap();
    graph.output("y", y);
    graph
}

/// What [`run`] gives on a device that computes.
const RIGHT: [f32; 6] = [-1.0, 2.0, 3.0, -1.0, 2.0, 3.0];

fn run(device: &Device) -> convgpu::Result<Tensor> {
    let x = Tensor::from([-1.0f32, 2.0, 3.0]);
    Ok(Session::new(device, graph(), CompileOptions::new())?.run(&[("x", &x)])?.into_first())
}

#[test]
fn hardware_that_computes_nothing_is_an_error() {
    ends(|| {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let null = Device::from_wgpu(device, queue);
        // Nothing else notices: the run succeeds, and its result is what was in the buffer.
        assert_ne!(run(&null).unwrap(), Tensor::from(RIGHT));
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let null = Device::from_wgpu(device, queue);
        distrust(&null);
        for _ in 0..2 {
            let e = run(&null).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Device, "{e}");
            assert!(e.to_string().contains("the driver accepts work and computes nothing"), "{e}");
        }
    });
}

#[test]
fn the_check_finds_it_in_bindings_of_every_size() {
    ends(|| {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let null = Device::from_wgpu(device, queue);
        for e in [computes(&null).unwrap_err(), usable_binding(&null).unwrap_err()] {
            assert!(e.to_string().ends_with("accepts work and computes nothing"), "{e}");
        }
        let device = Device::open(choice()).unwrap();
        computes(&device).unwrap();
        let usable = usable_binding(&device).unwrap();
        assert!(usable >= 1 << 20 && usable <= device.adapter().unwrap().caps.max_binding_bytes, "{usable}");
        assert_eq!(computes(&Device::cpu()).unwrap_err().kind(), ErrorKind::Argument);
    });
}

#[test]
fn a_device_that_computes_proves_it() {
    ends(|| {
        let own = Device::open(choice()).unwrap();
        let (_, _, shared) = shared_device();
        for device in [own, shared] {
            distrust(&device);
            assert_eq!(run(&device).unwrap(), Tensor::from(RIGHT));
        }
    });
}
