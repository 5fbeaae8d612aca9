//! Adapters and devices: opening them, and the errors that they report.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use super::caps::Caps;
use super::choice::{Choice, candidates};
use super::fault::{caused, from_wgpu};
use super::info::{AdapterInfo, describe};
use super::pipeline_cache::PipelineCache;
#[cfg(not(target_arch = "wasm32"))]
use super::poller::Poller;
use super::pool::Pool;
use super::refused::{Refused, loss};
use super::weights::Weights;
use crate::error::{Error, ErrorKind, Result};
use crate::memory;

/// A device with its queue and everything cached for it.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: AdapterInfo,
    fault: Arc<Mutex<Option<Error>>>,
    pool: Pool,
    pipelines: PipelineCache,
    weights: Weights,
    /// How many submissions of runs are not known to be done.
    running: Arc<AtomicUsize>,
    /// Where this crate opened it; `None` of a device that belongs to the program.
    adapter: Option<wgpu::Adapter>,
    /// Whether it computes at all, once that was tried.
    computes: OnceLock<Result<()>>,
    hooks: Mutex<Hooks>,
    /// The pipeline that loads textures of halves.
    loader: OnceLock<wgpu::ComputePipeline>,
    /// What stands for tensors that an epilogue does not have.
    absent: OnceLock<wgpu::Buffer>,
    /// `None` of a device that belongs to the program.
    #[cfg(not(target_arch = "wasm32"))]
    poller: Option<Poller>,
}

/// What tests make of a device.
#[derive(Default)]
struct Hooks {
    /// The kernel whose compilation loses it.
    failing: Option<&'static str>,
    /// Whether it has to prove that it computes, as hardware has.
    distrusted: bool,
    /// What is made wrong in every recording.
    #[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
    planted: Option<super::planted::Fault>,
    /// Whether workgroups run one by one, the last one first.
    #[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
    reversed: bool,
}

pub(crate) fn wanted_features(adapter: &wgpu::Adapter) -> wgpu::Features {
    let wanted = wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16 | wgpu::Features::TIMESTAMP_QUERY;
    if default_limits_only() { wgpu::Features::empty() } else { wanted & adapter.features() }
}

/// `CONVGPU_LIMITS=default` requests WebGPU's default limits only: a test of what a browser provides.
fn default_limits_only() -> bool {
    std::env::var("CONVGPU_LIMITS").is_ok_and(|v| v == "default")
}

/// Set where devices that are opened from now on get no kernel that uses workgroup memory: for drivers that synchronise it wrongly.
pub(crate) static AVOID_WORKGROUP_MEMORY: AtomicBool = AtomicBool::new(false);

/// Whether that is set, there or by `CONVGPU_AVOID_WORKGROUP_MEMORY`, which an empty text and what the command line takes for
/// "no" do not set.
pub(crate) fn avoids_workgroup_memory() -> bool {
    const NO: [&str; 7] = ["", "0", "n", "no", "f", "false", "off"];
    AVOID_WORKGROUP_MEMORY.load(Ordering::Relaxed)
        || std::env::var("CONVGPU_AVOID_WORKGROUP_MEMORY").is_ok_and(|v| !NO.contains(&&v.to_lowercase()[..]))
}

pub(crate) fn wanted_limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
    if default_limits_only() { wgpu::Limits::default() } else { adapter.limits() }
}

/// Blocks of 8 to 64 MiB, from which wgpu takes buffers. With its default they have 128 to 256 MiB, of which a small network uses
/// little; arenas and weights have buffers of their own size.
const MEMORY_HINTS: wgpu::MemoryHints = wgpu::MemoryHints::MemoryUsage;

impl Gpu {
    /// Opens an adapter. `Ok(None)` if the choice is [`Choice::Best`] and there is none; of several the first that opens.
    pub async fn open(choice: &Choice) -> Result<Option<Gpu>> {
        memory::afford_driver()?;
        let mut failure = None;
        for adapter in candidates(choice).await? {
            match Gpu::from_adapter(adapter).await {
                Ok(gpu) => return Ok(Some(gpu)),
                Err(e) => drop(failure.get_or_insert(e)),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    async fn from_adapter(adapter: wgpu::Adapter) -> Result<Gpu> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("convgpu"),
            required_features: wanted_features(&adapter),
            required_limits: wanted_limits(&adapter),
            memory_hints: MEMORY_HINTS,
            ..Default::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|e| {
            let error =
                Error::new(ErrorKind::Device, format!("adapter {} cannot open a device: {e}", adapter.get_info().name));
            caused(error, e)
        })?;
        let gpu = Gpu::of(device, queue, Some(adapter));
        let fault = gpu.0.fault.clone();
        gpu.0.device.on_uncaptured_error(Arc::new(move |e| note(&fault, from_wgpu(e))));
        let (fault, adapter) = (gpu.0.fault.clone(), gpu.info().to_string());
        gpu.0.device.set_device_lost_callback(move |reason, message| {
            let message = message.lines().next().unwrap_or_default();
            note(&fault, loss(&adapter, &format!("{reason:?}: {message}")));
        });
        Ok(gpu)
    }

    /// Opens the same adapter again.
    ///
    /// # Errors
    /// The device belongs to the program; the adapter cannot open another.
    pub(crate) async fn reopened(&self) -> Result<Gpu> {
        match &self.0.adapter {
            Some(adapter) => Gpu::from_adapter(adapter.clone()).await,
            None => Err(Error::argument("the device belongs to the program, which alone can open it again")),
        }
    }

    /// Uses a device that the program already has. Its error handlers are not changed.
    ///
    /// Capabilities are read from the device itself and never from the caller: kernels run without bounds checks, and a
    /// kernel for another subgroup size would access memory outside its buffers.
    ///
    /// A device that was given before is the same one again, with everything cached for it.
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Gpu {
        with_shared(|shared| {
            shared.retain(|inner| inner.strong_count() > 0);
            if let Some(found) = shared.iter().filter_map(Weak::upgrade).find(|inner| are_one(&inner.device, &device)) {
                return Gpu(found);
            }
            let gpu = Gpu::of(device, queue, None);
            shared.push(Arc::downgrade(&gpu.0));
            gpu
        })
    }

    fn of(device: wgpu::Device, queue: wgpu::Queue, adapter: Option<wgpu::Adapter>) -> Gpu {
        let mut info = describe(device.adapter_info(), &device.limits(), device.features());
        info.caps.refused = Refused::by(&info.to_string());
        if avoids_workgroup_memory() {
            info.caps.max_workgroup_bytes = 0;
        }
        Gpu(Arc::new(Inner {
            pool: Pool::default(),
            pipelines: PipelineCache::default(),
            weights: Weights::default(),
            loader: OnceLock::new(),
            absent: OnceLock::new(),
            fault: Arc::default(),
            running: Arc::default(),
            #[cfg(not(target_arch = "wasm32"))]
            poller: adapter.is_some().then(Poller::default),
            adapter,
            computes: OnceLock::new(),
            hooks: Mutex::default(),
            device,
            queue,
            info,
        }))
    }

    /// The adapter behind the device, with the capabilities the device was opened with.
    pub fn info(&self) -> &AdapterInfo {
        &self.0.info
    }
    /// Its capabilities.
    pub fn caps(&self) -> &Caps {
        &self.0.info.caps
    }
    pub(crate) fn device(&self) -> &wgpu::Device {
        &self.0.device
    }
    pub(crate) fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn poller(&self) -> Option<&Poller> {
        self.0.poller.as_ref()
    }
    pub(crate) fn pool(&self) -> &Pool {
        &self.0.pool
    }
    pub(crate) fn pipelines(&self) -> &PipelineCache {
        &self.0.pipelines
    }
    pub(crate) fn running(&self) -> &Arc<AtomicUsize> {
        &self.0.running
    }
    pub(crate) fn weights(&self) -> &Weights {
        &self.0.weights
    }
    /// An error unless the device is one that the program shares: wgpu does not tell whose buffers and encoders it is given.
    pub(crate) fn check_shared(&self) -> Result<()> {
        match self.is_own() {
            true => Err(Error::argument(
                "buffers, textures and encoders of a program belong to its own wgpu device: share it by Device::from_wgpu",
            )),
            false => Ok(()),
        }
    }
    /// Whether this crate opened it, so that nobody else submits work.
    pub(crate) fn is_own(&self) -> bool {
        self.0.adapter.is_some()
    }
    /// Whether it computes at all, once that was tried.
    pub(super) fn proof(&self) -> &OnceLock<Result<()>> {
        &self.0.computes
    }
    /// Whether it has to prove that: hardware whose work is this crate's alone.
    pub(super) fn is_to_prove(&self) -> bool {
        (self.is_own() && !self.caps().software) || self.hooks().distrusted
    }
    fn hooks(&self) -> MutexGuard<'_, Hooks> {
        self.0.hooks.lock().unwrap_or_else(|e| e.into_inner())
    }
    /// For tests: it has to prove that it computes.
    pub fn distrust(&self) {
        self.hooks().distrusted = true;
    }
    /// For tests: compiling this kernel loses the device.
    pub fn fail(&self, kernel: &'static str) {
        self.hooks().failing = Some(kernel);
    }
    /// For tests: programs that are made from now on have this fault.
    #[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
    pub fn plant(&self, fault: Option<super::planted::Fault>) {
        self.hooks().planted = fault;
    }
    /// For tests: programs that are made from now on run their workgroups one by one, the last one first.
    #[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
    pub fn reverse_workgroups(&self) {
        self.hooks().reversed = true;
    }
    /// Plants the fault of a test, and takes its order of workgroups.
    #[cfg(all(feature = "conformance", not(target_arch = "wasm32")))]
    pub(super) fn plant_if_hooked(&self, recording: &mut super::recording::Recording) {
        let hooks = self.hooks();
        if let Some(fault) = &hooks.planted {
            fault.plant(recording);
        }
        if hooks.reversed {
            super::planted::reverse(recording);
        }
    }
    /// Does what wgpu does where a driver fails to compile a kernel, if that is the kernel of a test.
    pub(super) fn fail_if_hooked(&self, kernel: &str) {
        if self.hooks().failing == Some(kernel) {
            if self.is_own() {
                note(&self.0.fault, loss(&self.info().to_string(), "Unknown: Unexpected error of a test"));
            }
            self.0.device.destroy();
        }
    }
    pub(super) fn loader(&self) -> &OnceLock<wgpu::ComputePipeline> {
        &self.0.loader
    }
    pub(super) fn absent_slot(&self) -> &OnceLock<wgpu::Buffer> {
        &self.0.absent
    }
    /// Whether both are the same open device.
    pub fn same(&self, other: &Gpu) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
    /// An error if the device told that it is lost.
    fn told_lost(&self) -> Result<()> {
        let fault = self.0.fault.lock().unwrap_or_else(|e| e.into_inner());
        fault.iter().filter(|e| e.kind() == ErrorKind::DeviceLost).try_for_each(|e| Err(e.clone()))
    }
    /// The error, if any, that the device reported outside of a call. A lost device stays lost.
    pub(crate) fn check(&self) -> Result<()> {
        let mut fault = self.0.fault.lock().unwrap_or_else(|e| e.into_inner());
        match &*fault {
            Some(e) if e.kind() == ErrorKind::DeviceLost => Err(e.clone()),
            Some(_) => Err(fault.take().expect("matched above")),
            None => Ok(()),
        }
    }
    /// Destroys the device: every later call reports [`ErrorKind::DeviceLost`].
    pub fn destroy(&self) {
        self.0.device.destroy();
        note(&self.0.fault, Error::new(ErrorKind::DeviceLost, "the device was destroyed"));
    }
    /// Runs `work` and returns the errors that the device reports. The loss of a device is in no scope: wgpu drops the work.
    ///
    /// The work is done when this returns; the errors are awaited. Error scopes belong to the thread that opened them.
    pub(crate) fn guarded<T>(&self, work: impl FnOnce() -> T) -> impl Future<Output = Result<T>> {
        let memory = self.0.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = self.0.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = self.0.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let out = work();
        let (validation, internal, memory) = (validation.pop(), internal.pop(), memory.pop());
        async move {
            let answers = [validation.await, internal.await, memory.await];
            match answers.into_iter().flatten().next() {
                Some(error) => self.check().and(Err(from_wgpu(error))),
                None => self.told_lost().map(|()| out),
            }
        }
    }
}

/// Hands over the devices that programs share.
#[cfg(not(target_arch = "wasm32"))]
fn with_shared<R>(act: impl FnOnce(&mut Vec<Weak<Inner>>) -> R) -> R {
    static SHARED: Mutex<Vec<Weak<Inner>>> = Mutex::new(vec![]);
    act(&mut SHARED.lock().unwrap_or_else(|e| e.into_inner()))
}

/// Hands over the devices that the program shares on this thread: in a browser they do not leave it.
#[cfg(target_arch = "wasm32")]
fn with_shared<R>(act: impl FnOnce(&mut Vec<Weak<Inner>>) -> R) -> R {
    thread_local! {
        static SHARED: std::cell::RefCell<Vec<Weak<Inner>>> = const { std::cell::RefCell::new(vec![]) };
    }
    SHARED.with_borrow_mut(act)
}

/// Whether both are handles of one device. wgpu's `==` compares numbers that devices of several instances have in common; but
/// a scope of one device catches the errors of no other.
#[cfg(not(target_arch = "wasm32"))]
fn are_one(a: &wgpu::Device, b: &wgpu::Device) -> bool {
    if a != b {
        return false;
    }
    let of_b = b.push_error_scope(wgpu::ErrorFilter::Validation);
    let of_a = a.push_error_scope(wgpu::ErrorFilter::Validation);
    let usage = wgpu::BufferUsages::empty();
    let _ = b.create_buffer(&wgpu::BufferDescriptor { label: None, size: 4, usage, mapped_at_creation: false });
    let caught = pollster::block_on(of_a.pop()).is_some();
    drop(pollster::block_on(of_b.pop()));
    caught
}

#[cfg(target_arch = "wasm32")]
fn are_one(a: &wgpu::Device, b: &wgpu::Device) -> bool {
    a == b
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.info.name, self.0.info.backend)
    }
}

fn note(fault: &Mutex<Option<Error>>, error: Error) {
    let mut slot = fault.lock().unwrap_or_else(|e| e.into_inner());
    let is_lost = |e: &Error| e.kind() == ErrorKind::DeviceLost;
    // The first loss has the cause.
    if slot.is_none() || (is_lost(&error) && !slot.as_ref().is_some_and(is_lost)) {
        *slot = Some(error);
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// wgpu drops the work and reports nothing.
    #[test]
    fn guarded_work_of_a_lost_device_is_an_error() {
        let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let gpu = Gpu::from_wgpu(device, queue);
        let work = || gpu.device().create_command_encoder(&Default::default()).finish();
        assert!(pollster::block_on(gpu.guarded(work)).is_ok());
        gpu.destroy();
        let e = pollster::block_on(gpu.guarded(work)).unwrap_err();
        assert_eq!((e.kind(), e.to_string().as_str()), (ErrorKind::DeviceLost, "the device was destroyed"));
        // The first loss has the cause.
        note(&gpu.0.fault, Error::new(ErrorKind::DeviceLost, "another"));
        assert_eq!(gpu.check().unwrap_err().to_string(), "the device was destroyed");
    }

    #[test]
    fn small_buffers_take_no_large_block() {
        let gpu = pollster::block_on(Gpu::open(&Choice::Best)).unwrap().expect("the tests have an adapter");
        let usage = wgpu::BufferUsages::STORAGE;
        let desc = wgpu::BufferDescriptor { label: None, size: 1 << 10, usage, mapped_at_creation: false };
        let _buffer = gpu.device().create_buffer(&desc);
        let report = gpu.device().generate_allocator_report().expect("this backend counts");
        let reserved = report.total_reserved_bytes;
        assert!((1 << 10..=8 << 20).contains(&reserved), "{reserved} bytes");
    }
}
