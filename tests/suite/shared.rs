//! What tests of shared devices and of waiting have in common.

use std::sync::mpsc;
use std::time::Duration;

use convgpu::{Device, wgpu};

/// A device of the program's own, and its wgpu device. No other test uses it.
pub fn shared_device() -> (wgpu::Device, Device) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("there is an adapter");
    let (required_features, required_limits) = Device::wanted(&adapter);
    let wanted = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&wanted)).expect("the adapter opens");
    (device.clone(), Device::from_wgpu(device, queue))
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
