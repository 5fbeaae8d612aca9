//! After a device is lost, every call gives an error of that kind: no panic, no hang.

use std::time::Duration;

use convgpu::internals::device::destroy;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::session::Compiled;
use convgpu::{CompileOptions, Device, ErrorKind, Graph, Session, Tensor, wgpu};

use crate::shared::ends;

/// A device that no other test uses.
fn own_device() -> Device {
    Device::open(crate::support::choice()).expect("the test device opens")
}

fn graph() -> Graph {
    let mut graph = Graph::new();
    let x = graph.input("x", Tensor::zeros([1, 3, 9, 7]).desc()).unwrap();
    let w = graph.constant("w", crate::support::Rng(1).integers(&[5, 3, 3, 2])).unwrap();
    let y = graph.apply("conv", Conv2d::default(), &[x, w]).unwrap();
    graph.output("y", y);
    graph
}

fn lost<T>(result: convgpu::Result<T>) {
    let e = result.err().expect("the device is lost");
    assert_eq!(e.kind(), ErrorKind::DeviceLost, "{e}");
}

#[test]
fn every_call_on_a_lost_device_is_an_error() {
    ends(|| {
        let device = own_device();
        let x = crate::support::Rng(2).integers(&[1, 3, 9, 7]);
        let session = Session::new(&device, graph(), CompileOptions::new()).unwrap();
        session.run(&[("x", &x)]).unwrap();
        let there = x.to_device(&device).unwrap();
        let flying = session.submit(&[("x", &x)]).unwrap();
        destroy(&device);
        // It may have been done before.
        if let Err(e) = flying.wait() {
            assert_eq!(e.kind(), ErrorKind::DeviceLost, "{e}");
        }
        for _ in 0..2 {
            lost(session.run(&[("x", &x)]));
            lost(pollster::block_on(session.run_async(&[("x", &x)])));
            lost(session.submit(&[("x", &x)]));
            lost(session.run_device(&[("x", &there)]));
            lost(Session::new(&device, graph(), CompileOptions::new()));
            lost(Compiled::new(&device, graph(), &CompileOptions::default()));
            lost(x.to_device(&device));
            lost(there.to_host());
            lost(device.wait());
        }
    });
}

#[test]
fn a_device_lost_while_others_use_it() {
    ends(|| {
        let device = own_device();
        let x = crate::support::Rng(2).integers(&[1, 3, 9, 7]);
        let session = Session::new(&device, graph(), CompileOptions::new()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let failed = (0..100_000).find_map(|_| session.run(&[("x", &x)]).err());
                    assert_eq!(failed.map(|e| e.kind()), Some(ErrorKind::DeviceLost));
                });
            }
            std::thread::sleep(Duration::from_millis(200));
            destroy(&device);
        });
    });
}

#[test]
fn another_device_is_not_concerned() {
    ends(|| {
        let (lost, kept) = (own_device(), own_device());
        let x = crate::support::Rng(2).integers(&[1, 3, 9, 7]);
        let session = Session::new(&kept, graph(), CompileOptions::new()).unwrap();
        destroy(&lost);
        session.run(&[("x", &x)]).unwrap();
    });
}

/// A device that the program shares and destroys: every call is an error of that kind, and wgpu's handler of uncaptured errors,
/// which panics, is not called.
#[test]
fn a_shared_device_that_is_destroyed_gives_errors() {
    use convgpu::nn::{Linear, Module};
    ends(|| {
        let (wgpu_device, shared) = crate::shared::shared_device();
        let x = crate::support::Rng(2).integers(&[1, 3, 9, 7]);
        let session = Session::new(&shared, graph(), CompileOptions::new()).unwrap();
        session.run(&[("x", &x)]).unwrap();
        let (there, row) = (x.to_device(&shared).unwrap(), Tensor::zeros([2, 3]).to_device(&shared).unwrap());
        // One call is under way.
        let inputs = [("x", &x)];
        let mut run = std::pin::pin!(session.run_async(&inputs));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let first = run.as_mut().poll(&mut context);
        wgpu_device.destroy();
        if first.is_pending() {
            let out = std::iter::repeat_with(|| {
                let _ = wgpu_device.poll(wgpu::PollType::Poll);
                run.as_mut().poll(&mut context)
            });
            let out = out.into_iter().find_map(|out| match out {
                std::task::Poll::Ready(out) => Some(out),
                std::task::Poll::Pending => None,
            });
            // It may have ended before.
            if let Err(e) = out.expect("it ends") {
                assert_eq!(e.kind(), ErrorKind::DeviceLost, "{e}");
            }
        }
        for _ in 0..2 {
            lost(session.run(&[("x", &x)]));
            lost(pollster::block_on(session.run_async(&[("x", &x)])));
            lost(session.run_device(&[("x", &there)]));
            lost(Session::new(&shared, graph(), CompileOptions::new()));
            lost(x.to_device(&shared));
            lost(there.to_host());
            lost(Linear::new(3, 4).forward(&row));
        }
    });
}
