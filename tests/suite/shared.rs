//! What tests of shared devices and of waiting have in common.

use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use convgpu::{Device, wgpu};

/// A program's own wgpu instance. It has no GL where there is another backend: NVIDIA's driver hangs where one thread closes GL
/// while others work.
pub fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    let others = descriptor.backends - wgpu::Backends::GL;
    descriptor.backends = if others.is_empty() { wgpu::Backends::GL } else { others };
    wgpu::Instance::new(descriptor)
}

/// A wgpu device of the program's own, its queue, and the device that shares them. No other test uses it.
pub fn shared_device() -> (wgpu::Device, wgpu::Queue, Device) {
    shared_device_of(&instance())
}

/// The same of this instance.
pub fn shared_device_of(instance: &wgpu::Instance) -> (wgpu::Device, wgpu::Queue, Device) {
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("there is an adapter");
    let (required_features, required_limits) = Device::wanted(&adapter);
    let wanted = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&wanted)).expect("the adapter opens");
    (device.clone(), queue.clone(), Device::from_wgpu(device, queue))
}

/// A device that takes work and does nothing, not even set timestamps, though it has them: wgpu's noop backend.
pub fn idle_device() -> (wgpu::Device, Device) {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::NOOP;
    descriptor.backend_options.noop.enable = true;
    let adapter = pollster::block_on(wgpu::Instance::new(descriptor).request_adapter(&Default::default()));
    let wanted = wgpu::DeviceDescriptor { required_features: wgpu::Features::TIMESTAMP_QUERY, ..Default::default() };
    let opened = pollster::block_on(adapter.expect("there is an adapter").request_device(&wanted));
    let (device, queue) = opened.expect("the adapter opens");
    (device.clone(), Device::from_wgpu(device, queue))
}

/// What a future gives whose device the program polls.
pub fn polled<F: Future>(own: &wgpu::Device, future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(out) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return out;
        }
        own.poll(wgpu::PollType::Poll).expect("the device is there");
    }
}

/// Fails if `work` takes more than half a minute.
pub fn ends(work: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        work();
        sender.send(()).unwrap();
    });
    match receiver.recv_timeout(Duration::from_secs(30)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a call does not return"),
        _ => thread.join().unwrap_or_else(|e| std::panic::resume_unwind(e)),
    }
}
