//! Runs in flight: submitted now, awaited later.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use convgpu::functional::Conv2dOptions;
use convgpu::{CompileOptions, Desc, Device, ErrorKind, Graph, Model, Session, Tensor, wgpu};

use crate::shared::{ends, shared_device};
use crate::support::{Rng, device};

/// A chain of convolutions.
fn session(device: &Device, options: CompileOptions) -> Session {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 8, 20, 20])).unwrap();
    let w = g.constant("w", Rng(3).tensor(&[8, 8, 3, 3])).unwrap();
    let y = (0..4).fold(x, |y, _| g.conv2d(y, w, None, Conv2dOptions::new().padding(1)).unwrap());
    g.output("y", y);
    Session::new(device, g, options).unwrap()
}

fn image(seed: u64) -> Tensor {
    Rng(seed).tensor(&[1, 8, 20, 20])
}

fn alone(session: &Session, images: &[Tensor]) -> Vec<Tensor> {
    images.iter().map(|x| session.run(&[("x", x)]).unwrap().into_first()).collect()
}

/// In one part and in parts; on a device of our own, of the program, and on the reference; taken in any order.
#[test]
fn runs_in_flight_give_what_they_give_alone() {
    ends(|| {
        let (_own, _, shared) = shared_device();
        let cpu = Device::cpu();
        for device in [device(), &shared, &cpu] {
            for options in [CompileOptions::new(), CompileOptions::new().submit_limit(Duration::ZERO).in_flight(2)] {
                let session = session(device, options);
                let images: Vec<Tensor> = (0..6).map(image).collect();
                let expected = alone(&session, &images);
                let submit = |x| session.submit(&[("x", x)]).unwrap();
                let runs: Vec<_> = images.iter().map(submit).collect();
                for (run, expected) in runs.into_iter().zip(&expected).rev() {
                    assert!(run.wait().unwrap().first() == expected, "{device}");
                }
                // One behind the other, as a program that shows a video.
                let mut before = submit(&images[0]);
                for k in 1..images.len() {
                    let next = submit(&images[k]);
                    assert!(std::mem::replace(&mut before, next).wait().unwrap().first() == &expected[k - 1]);
                }
            }
        }
    });
}

/// A call that is polled once and then left alone keeps nobody from the session, and takes no place.
#[test]
fn a_submit_that_nobody_polls_takes_no_place() {
    for device in [device().clone(), Device::cpu()] {
        ends(move || {
            let model = Model::load("tests/models/lenet5_mnist.onnx").unwrap().open_axis("input", 0).unwrap();
            let session = Session::new(&device, model, CompileOptions::new().in_flight(1)).unwrap();
            let images = |n: usize| Rng(n as u64).tensor(&[n, 1, 28, 28]);
            let given = images(2);
            let inputs = [("input", &given)];
            // Its plan is compiled meanwhile, or is there: then the run has the place, and others move it on.
            let mut left_alone = Box::pin(session.submit_async(&inputs));
            let begun = left_alone.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            for n in [1, 3, 2] {
                assert_eq!(session.submit(&[("input", &images(n))]).unwrap().wait().unwrap().first().shape(), [n, 10]);
            }
            let run = match begun {
                Poll::Ready(run) => run,
                Poll::Pending => pollster::block_on(left_alone),
            };
            assert_eq!(run.unwrap().wait().unwrap().first(), session.run(&inputs).unwrap().first());
        });
    }
}

#[test]
fn a_run_is_a_future_that_needs_no_session() {
    let session = session(device(), CompileOptions::new());
    let images: Vec<Tensor> = (0..3).map(image).collect();
    let expected = alone(&session, &images);
    let submit = async |x| session.submit_async(&[("x", x)]).await.unwrap();
    let runs =
        pollster::block_on(async { [submit(&images[0]).await, submit(&images[1]).await, submit(&images[2]).await] });
    drop(session);
    for (run, expected) in runs.into_iter().zip(&expected) {
        assert!(pollster::block_on(run).unwrap().first() == expected);
    }
}

#[test]
fn a_run_can_be_looked_at_and_is_taken_once() {
    ends(|| {
        let (own, _, shared) = shared_device();
        for device in [device(), &shared, &Device::cpu()] {
            let session = session(device, CompileOptions::new());
            let expected = alone(&session, &[image(1)]);
            let mut run = session.submit(&[("x", &image(1))]).unwrap();
            let out = std::iter::repeat_with(|| {
                own.poll(wgpu::PollType::Poll).unwrap();
                std::thread::yield_now();
                run.try_take()
            });
            assert!(out.flatten().next().unwrap().unwrap().first() == &expected[0]);
            let again = run.try_take().expect("it is over").unwrap_err();
            assert!(again.kind() == ErrorKind::Argument && again.to_string().contains("taken before"), "{again}");
            assert_eq!(run.wait().unwrap_err().kind(), ErrorKind::Argument);
        }
    });
}

/// One more than may be in flight waits for the oldest, or is refused; a dropped run gives its place back.
#[test]
fn there_is_room_for_so_many() {
    ends(|| {
        for device in [device(), &Device::cpu()] {
            let session = session(device, CompileOptions::new().in_flight(2));
            let expected = alone(&session, &[image(1)]);
            let submit = || session.try_submit(&[("x", &image(1))]);
            let (first, second) = (submit().unwrap(), submit().unwrap());
            let e = submit().unwrap_err();
            assert!(e.kind() == ErrorKind::Busy && e.to_string().contains("2 runs"), "{e}");
            drop(first);
            let third = submit().unwrap();
            assert_eq!(submit().unwrap_err().kind(), ErrorKind::Busy);
            // This waits for the second, whose result stays.
            let fourth = session.submit(&[("x", &image(1))]).unwrap();
            for run in [fourth, third, second] {
                assert!(run.wait().unwrap().first() == &expected[0]);
            }
        }
        let none = Session::new(&Device::cpu(), lone(), CompileOptions::new().in_flight(0)).unwrap_err();
        assert!(none.to_string().contains("in_flight is 0"), "{none}");
    });
}

fn lone() -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([2])).unwrap();
    g.output("y", x);
    g
}

/// Calls that fail, and futures that are dropped before they have submitted, take no place.
#[test]
fn what_is_not_submitted_takes_no_place() {
    let session = session(device(), CompileOptions::new().in_flight(1));
    let x = image(1);
    for _ in 0..3 {
        let e = session.try_submit(&[("x", &Tensor::zeros([3]))]).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Shape, "{e}");
        let inputs = [("x", &x)];
        let mut begun = Box::pin(session.submit_async(&inputs));
        if let Poll::Ready(run) = begun.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            run.unwrap();
        }
    }
    session.try_submit(&[("x", &x)]).unwrap().wait().unwrap();
}

/// Clients share a session; some drop their runs.
#[test]
fn many_clients() {
    let session = Arc::new(session(device(), CompileOptions::new().in_flight(3)));
    let images: Vec<Tensor> = (0..8).map(image).collect();
    let expected = alone(&session, &images);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (session, images, expected) = (&session, &images, &expected);
            scope.spawn(move || {
                for k in 0..25 {
                    let at = (client + k) % images.len();
                    let run = match k % 2 {
                        0 => session.submit(&[("x", &images[at])]).unwrap(),
                        _ => pollster::block_on(session.submit_async(&[("x", &images[at])])).unwrap(),
                    };
                    if (client + k) % 5 != 0 {
                        let out = if k % 3 == 0 { pollster::block_on(run) } else { run.wait() };
                        assert!(out.unwrap().first() == &expected[at]);
                    }
                }
            });
        }
    });
}
