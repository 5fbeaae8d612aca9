//! Calls that are awaited: the device wakes who waits for it, and a future may be dropped at any point.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::{CompileOptions, Desc, Device, Graph, Outputs, Result, Session, Tensor, wgpu};

use crate::onnx_build::{graph, model, node, read};
use crate::shared::{ends, shared_device};
use crate::support::{Rng, device};

/// A chain of six convolutions.
pub fn network() -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 8, 20, 20])).unwrap();
    let w = g.constant("w", Rng(3).tensor(&[8, 8, 3, 3])).unwrap();
    let conv = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
    let y = (0..6).fold(x, |y, k| g.apply(format!("conv {k}"), conv.clone(), &[y, w]).unwrap());
    g.output("y", y);
    g
}

fn session(device: &Device, options: CompileOptions) -> Session {
    Session::new(device, network(), options).unwrap()
}

fn image(seed: u64) -> Tensor {
    Rng(seed).tensor(&[1, 8, 20, 20])
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Awaits several futures at once.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, done) in futures.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(out) = future.as_mut().poll(context) {
                *done = Some(out);
            }
        }
        match done.iter().all(Option::is_some) {
            true => Poll::Ready(done.iter_mut().map(|out| out.take().expect("it is done")).collect()),
            false => Poll::Pending,
        }
    })
    .await
}

/// Every backend that has an adapter here that opens.
fn devices() -> Vec<Device> {
    let open = |name: &str| match Device::open(name.parse().expect("every text is a device choice")) {
        Ok(device) => Some(device),
        Err(e) => {
            println!("not run: calls that are awaited on {name} ({e})");
            None
        }
    };
    ["vulkan", "gl"].into_iter().filter_map(open).collect()
}

#[test]
fn several_calls_are_awaited_on_one_thread() {
    for device in devices() {
        let session = session(&device, CompileOptions::new());
        let images: Vec<Tensor> = (0..8).map(image).collect();
        let alone: Vec<Tensor> = images.iter().map(|x| session.run(&[("x", x)]).unwrap().into_first()).collect();
        // pollster does not poll devices: the futures are woken by the device's own thread.
        let inputs: Vec<_> = images.iter().map(|x| [("x", x)]).collect();
        let together = pollster::block_on(all(inputs.iter().map(|x| session.run_async(x)).collect()));
        let together: Vec<Tensor> =
            together.into_iter().map(|out: Result<Outputs>| out.unwrap().into_first()).collect();
        assert!(together == alone, "{device}");
    }
}

#[test]
fn a_call_gives_its_thread_back() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let session = session(device(), CompileOptions::new());
    let (x, woken) = (image(0), Arc::new(Woken::default()));
    let inputs = [("x", &x)];
    let mut run = pin!(sendable(session.run_async(&inputs)));
    let waker = Waker::from(woken.clone());
    let mut context = Context::from_waker(&waker);
    let mut polls = 0;
    // Polled again only after it was woken.
    let out = loop {
        let before = woken.0.load(Ordering::Relaxed);
        if let Poll::Ready(out) = run.as_mut().poll(&mut context) {
            break out;
        }
        polls += 1;
        while woken.0.load(Ordering::Relaxed) == before {
            std::thread::yield_now();
        }
    };
    assert!(out.is_ok() && polls <= 4, "{polls}");
}

/// Compiling, and a run of the reference, are futures that wait, too.
#[test]
fn compiling_and_the_reference_give_their_thread_back() {
    let x = image(5);
    let expected = session(&Device::cpu(), CompileOptions::new()).run(&[("x", &x)]).unwrap().into_first();
    for device in [device(), &Device::cpu()] {
        let session = pending(|| Session::new_async(device, network(), CompileOptions::new())).unwrap();
        if device.is_reference() {
            let inputs = [("x", &x)];
            assert!(pending(|| session.run_async(&inputs)).unwrap().into_first() == expected);
        }
    }
}

/// The output of a future that waits. The thread that does its work may be done before the future looks, but not always; on a machine
/// that has other work, nearly always.
fn pending<F: Future>(make: impl Fn() -> F) -> F::Output {
    for _ in 0..2_000 {
        let mut future = pin!(make());
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            return pollster::block_on(future);
        }
    }
    panic!("it does all its work at once");
}

/// After futures that were dropped, in one part and in several, the same session gives the same answer, and a lost buffer would
/// show in what the device has allocated.
#[test]
fn a_future_may_be_dropped_at_any_point() {
    for device in devices() {
        for options in [CompileOptions::new(), CompileOptions::new().submit_limit(Duration::ZERO)] {
            let session = session(&device, options);
            let (x, other) = (image(1), image(2));
            let expected = session.run(&[("x", &x)]).unwrap().into_first();
            let mut rng = Rng(7);
            for _ in 0..250 {
                let inputs = [("x", &other)];
                let mut run = Box::pin(session.run_async(&inputs));
                let mut context = Context::from_waker(Waker::noop());
                for _ in 0..rng.int(0, 3) {
                    if run.as_mut().poll(&mut context).is_ready() {
                        break;
                    }
                    std::thread::sleep(Duration::from_micros(rng.int(0, 300) as u64));
                }
            }
            assert!(session.run(&[("x", &x)]).unwrap().into_first() == expected, "{device}");
            assert!(pollster::block_on(session.run_async(&[("x", &x)])).unwrap().into_first() == expected, "{device}");
        }
    }
}

/// A device of the program's own has no thread: the program polls it. Dropped futures leave no bytes on it.
#[test]
fn a_program_polls_its_own_device() {
    let (own, _, device) = shared_device();
    let session = session(&device, CompileOptions::new());
    let x = image(3);
    let expected = session.run(&[("x", &x)]).unwrap().into_first();

    let inputs = [("x", &x)];
    let polled = |times: usize| {
        let mut run = Box::pin(session.run_async(&inputs));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..times {
            if let Poll::Ready(out) = run.as_mut().poll(&mut context) {
                return Some(out.unwrap().into_first());
            }
            own.poll(wgpu::PollType::Poll).unwrap();
        }
        None
    };
    assert!(polled(usize::MAX).unwrap() == expected);
    let bytes = || own.generate_allocator_report().map(|report| report.total_allocated_bytes);
    own.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let before = bytes();
    (0..250).for_each(|k| drop(polled(k % 4)));
    own.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    // A staging buffer that nobody awaited is not kept.
    assert!(bytes() <= before, "{:?} bytes, {before:?} before", bytes());
    assert!(polled(usize::MAX).unwrap() == expected);
}

/// A future that was begun and is not polled any more keeps nothing that another call on the same thread waits for: not the
/// memory of a run in parts, not the right to make a plan.
#[test]
fn a_call_does_not_wait_for_a_future_that_nobody_polls() {
    ends(|| {
        let (own, _, shared) = shared_device();
        let mut context = Context::from_waker(Waker::noop());
        for device in [device(), &shared] {
            let session = session(device, CompileOptions::new().submit_limit(Duration::ZERO));
            let (x, other) = (image(1), image(2));
            let expected = session.run(&[("x", &x)]).unwrap().into_first();
            let inputs = [("x", &other)];
            for polls in 1..4 {
                let mut begun = Box::pin(session.run_async(&inputs));
                for _ in 0..polls {
                    // A future that is done must not be polled again.
                    if begun.as_mut().poll(&mut context).is_ready() {
                        break;
                    }
                    let _ = own.poll(wgpu::PollType::Poll);
                }
                assert!(session.run(&[("x", &x)]).unwrap().into_first() == expected, "{device}");
            }

            let open = read(&model(graph(vec![node("Relu", &["x"], &["y"], vec![])], vec![]))).unwrap();
            let open = open.compile(device).unwrap();
            for n in 1..4 {
                let x = Tensor::full([1, 2, n, 3], 2.0f32);
                let inputs = [("x", &x)];
                let mut begun = Box::pin(open.run_async(&inputs));
                let _ = begun.as_mut().poll(&mut context);
                assert!(open.run(&inputs).unwrap().into_first() == x, "{device}");
            }
        }
    });
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An executor that polls a task on the thread that wakes it, at once.
struct Inline {
    task: std::sync::Mutex<Option<Task>>,
    again: std::sync::atomic::AtomicBool,
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.again.store(true, Ordering::SeqCst);
        while self.again.load(Ordering::SeqCst) {
            let Ok(mut task) = self.task.try_lock() else { return };
            self.again.store(false, Ordering::SeqCst);
            let waker = Waker::from(self.clone());
            if task.as_mut().is_some_and(|task| task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()) {
                *task = None;
            }
        }
    }
}

#[test]
fn an_executor_may_poll_where_it_is_woken() {
    let session = session(device(), CompileOptions::new());
    let expected = session.run(&[("x", &image(1))]).unwrap().into_first();
    let (sender, receiver) = std::sync::mpsc::channel();
    for _ in 0..4 {
        let (session, sender) = (session.clone(), sender.clone());
        let task = async move {
            let (x, y) = (image(1), image(2));
            let run = session.submit_async(&[("x", &x)]).await.unwrap();
            session.run_async(&[("x", &y)]).await.unwrap();
            sender.send(run.await.unwrap().into_first()).unwrap();
        };
        let inline = Inline { task: std::sync::Mutex::new(Some(Box::pin(task))), again: Default::default() };
        Waker::from(Arc::new(inline)).wake();
    }
    drop(sender);
    let found: Vec<Tensor> = receiver.iter().collect();
    assert!(found.len() == 4 && found.iter().all(|y| *y == expected));
}
