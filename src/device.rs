//! Devices and tensors on them: a GPU adapter, or the CPU reference, behind one type.

use std::any::Any;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::gpu::adapter::{Gpu, wanted_features, wanted_limits};
pub use crate::gpu::choice::Backend;
use crate::gpu::choice::{self, Choice};
use crate::gpu::info::AdapterInfo;
use crate::gpu::tensor_buffer::TensorBuffer;
use crate::shape::{DType, Desc, Layout};
use crate::tensor::Tensor;
#[cfg(not(target_arch = "wasm32"))]
use crate::threads;
use crate::upload;

/// Which device to open, as `--device` of the command line.
///
/// ```
/// use convgpu::{Backend, Device, DeviceChoice};
///
/// assert_eq!("auto".parse::<DeviceChoice>()?, DeviceChoice::default());
/// assert_eq!("1".parse::<DeviceChoice>()?, DeviceChoice::Index(1));
/// assert_eq!("radeon".parse::<DeviceChoice>()?, DeviceChoice::Name("radeon".to_owned()));
/// assert_eq!("gl".parse::<DeviceChoice>()?, DeviceChoice::Backend(Backend::Gl, String::new()));
/// assert_eq!("radeon@gl".parse::<DeviceChoice>()?, DeviceChoice::Backend(Backend::Gl, "radeon".to_owned()));
///
/// let device = Device::open("cpu".parse()?)?;
/// assert!(device.is_reference());
/// assert!(Device::open(DeviceChoice::Name("no such adapter".to_owned())).is_err());
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceChoice {
    /// The first adapter of [`Device::list`] that opens a device, the CPU reference if there is none. Adapters of GL count only
    /// where no other backend has hardware, software adapters of GL only where no other backend has an adapter.
    #[default]
    Auto,
    /// The CPU reference.
    Cpu,
    /// The adapter at this position in [`Device::list`].
    Index(usize),
    /// The first adapter whose name contains this; case does not matter.
    Name(String),
    /// The first adapter of this backend whose name contains this, which may be empty.
    Backend(Backend, String),
}

/// `auto` or an empty text, `cpu`, an index, a backend (`vulkan`, `metal`, `dx12`, `gl`), part of a name, or that with `@` and
/// a backend. Every text is valid.
impl FromStr for DeviceChoice {
    type Err = Error;
    fn from_str(text: &str) -> Result<DeviceChoice> {
        Ok(match text.trim() {
            c if c.is_empty() || c.eq_ignore_ascii_case("auto") => DeviceChoice::Auto,
            c if c.eq_ignore_ascii_case("cpu") => DeviceChoice::Cpu,
            c => {
                let (name, backend) = c.rsplit_once('@').unwrap_or(("", c));
                match (Backend::named(backend), c.parse()) {
                    (Some(backend), _) => DeviceChoice::Backend(backend, name.to_owned()),
                    (None, Ok(index)) => DeviceChoice::Index(index),
                    (None, Err(_)) => DeviceChoice::Name(c.to_owned()),
                }
            }
        })
    }
}

/// The text that parses to this choice.
impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Index(i) => write!(f, "{i}"),
            DeviceChoice::Name(name) => f.write_str(name),
            DeviceChoice::Backend(backend, name) if name.is_empty() => write!(f, "{backend}"),
            DeviceChoice::Backend(backend, name) => write!(f, "{name}@{backend}"),
        }
    }
}

/// Where networks run: an adapter, or the CPU reference. Cloning gives another handle to the same device.
///
/// ```
/// use convgpu::{Device, Tensor};
///
/// let device = Device::cpu(); // Device::new()? is the best GPU
/// assert_eq!(device.to_string(), "CPU reference");
///
/// let there = Tensor::from([1.0f32, 2.0]).to_device(&device)?;
/// assert!(there.device().same(&device));
/// assert_eq!(there.to_host()?, Tensor::from([1.0f32, 2.0]));
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone)]
pub struct Device {
    kind: Kind,
    /// `None` of the reference, and of handles inside what is kept here.
    kept: Option<Arc<Kept>>,
}

/// What other modules keep for a device as long as the program has a handle to it, or a tensor or session there.
type Kept = OnceLock<Box<dyn Any + Send + Sync>>;

#[derive(Clone)]
enum Kind {
    Reference,
    Gpu(Gpu),
}

impl Device {
    /// The CPU reference: slow and portable. Every other device is checked against it.
    pub fn cpu() -> Device {
        Device { kind: Kind::Reference, kept: None }
    }

    fn of(gpu: Gpu) -> Device {
        Device { kind: Kind::Gpu(gpu), kept: Some(Arc::default()) }
    }

    /// Opens the device that is chosen. Every call opens it anew: memory and compiled kernels are not shared.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument): no adapter matches the choice, or the environment's `WGPU_BACKEND`
    /// and `WGPU_ADAPTER_NAME`.
    /// [`ErrorKind::Device`](crate::ErrorKind::Device): the adapter cannot open a device.
    pub async fn open_async(choice: DeviceChoice) -> Result<Device> {
        let choice = match choice {
            DeviceChoice::Auto => Choice::Best,
            DeviceChoice::Cpu => return Ok(Device::cpu()),
            DeviceChoice::Index(i) => Choice::Index(i),
            DeviceChoice::Name(name) => Choice::Name(name, None),
            DeviceChoice::Backend(backend, name) => Choice::Name(name, Some(backend)),
        };
        Ok(Gpu::open(&choice).await?.map_or(Device::cpu(), Device::of))
    }

    /// Every adapter that can compute, best first: hardware before software; of each, GL after the other backends; then discrete,
    /// integrated, virtual, other; and for one GPU Vulkan before DX12.
    /// wgpu's `WGPU_BACKEND` and `WGPU_ADAPTER_NAME` narrow the list; it is empty if they name nothing that is there.
    pub async fn list_async() -> Vec<AdapterInfo> {
        choice::list().await.unwrap_or_default()
    }

    /// Uses a wgpu device and its queue that the program already has; given again, it is the same device. Its capabilities
    /// (subgroup size, f16, limits) are read from the device itself. If its limits are below WebGPU's defaults it refuses some
    /// kernels, which is an error when a network is compiled.
    ///
    /// Async calls go on only while the program polls its wgpu device: `device.poll(wgpu::PollType::Poll)` once a frame, or in a
    /// thread every few milliseconds. Nothing else wakes their futures. A blocking call polls it itself. The program keeps its
    /// error handlers, and it alone can open the device again if that is lost. A queue of another device is refused by wgpu through
    /// the handler of that device, which panics unless the program has set one.
    ///
    /// ```no_run
    /// use convgpu::{Device, wgpu};
    ///
    /// async fn share(adapter: &wgpu::Adapter) -> Result<Device, wgpu::RequestDeviceError> {
    ///     // Or a union with what the program itself needs. A device opened with defaults is slower.
    ///     let (required_features, required_limits) = Device::wanted(adapter);
    ///     let wanted = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    ///     let (device, queue) = adapter.request_device(&wanted).await?;
    ///     Ok(Device::from_wgpu(device, queue))
    /// }
    /// ```
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Device {
        Device::of(Gpu::from_wgpu(device, queue))
    }

    /// The optional features that make kernels faster, as far as the adapter has them, and the limits that let it take large
    /// tensors: for a wgpu device that the program opens and gives to [`Device::from_wgpu`]. With `MemoryHints::MemoryUsage` wgpu
    /// takes smaller blocks of memory for it.
    pub fn wanted(adapter: &wgpu::Adapter) -> (wgpu::Features, wgpu::Limits) {
        (wanted_features(adapter), wanted_limits(adapter))
    }

    /// Waits until everything that was given to the device so far is done: runs whose results stay there or were not
    /// awaited yet. On the reference there is nothing to wait for.
    ///
    /// # Errors
    /// The device is lost.
    pub async fn wait_async(&self) -> Result<()> {
        match self.gpu() {
            Some(gpu) => gpu.idle().await,
            None => Ok(()),
        }
    }

    /// The same adapter opened anew, after the device was lost. Nothing is taken over: make new sessions and tensors. A kernel
    /// that the driver failed to compile, which loses the device, is not chosen there.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument): the device belongs to the program ([`Device::from_wgpu`]), which
    /// alone can open it again. [`ErrorKind::Device`](crate::ErrorKind::Device): the adapter cannot open a device.
    pub async fn reopened_async(&self) -> Result<Device> {
        match self.gpu() {
            Some(gpu) => Ok(Device::of(gpu.reopened().await?)),
            None => Ok(Device::cpu()),
        }
    }

    /// Whether this is the CPU reference.
    pub fn is_reference(&self) -> bool {
        matches!(self.kind, Kind::Reference)
    }

    /// The adapter behind the device; `None` for the reference.
    pub fn adapter(&self) -> Option<&AdapterInfo> {
        self.gpu().map(Gpu::info)
    }

    /// Loses the device on purpose, for tests: every later call on it gives an error.
    pub(crate) fn destroy(&self) {
        if let Some(gpu) = self.gpu() {
            gpu.destroy();
        }
    }

    pub(crate) fn gpu(&self) -> Option<&Gpu> {
        match &self.kind {
            Kind::Gpu(gpu) => Some(gpu),
            Kind::Reference => None,
        }
    }

    /// The result of `work`, which runs on a thread of its own unless the call is a blocking one; see [`Gpu::beside`].
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) async fn beside<F>(&self, work: F) -> Result<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match &self.kind {
            Kind::Reference => threads::beside(work).await,
            Kind::Gpu(gpu) => gpu.beside(work).await,
        }
    }

    /// The result of `work`. A browser has no threads.
    #[cfg(target_arch = "wasm32")]
    pub(crate) async fn beside<F: Future>(&self, work: F) -> Result<F::Output> {
        Ok(work.await)
    }

    /// Awaits what another call brings about; see [`Gpu::meanwhile`].
    pub(crate) async fn meanwhile<F: Future>(&self, other: F) -> F::Output {
        match &self.kind {
            Kind::Reference => other.await,
            Kind::Gpu(gpu) => gpu.meanwhile(other).await,
        }
    }

    /// What is kept for this device; made by the first call. `None` where nothing is kept.
    pub(crate) fn kept<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.kept.as_ref()?.get_or_init(|| Box::new(make())).downcast_ref()
    }

    /// A handle for what is kept for the device. It does not keep it.
    pub(crate) fn bare(&self) -> Device {
        Device { kind: self.kind.clone(), kept: None }
    }

    /// Whether both are the same open device.
    pub fn same(&self, other: &Device) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Reference, Kind::Reference) => true,
            (Kind::Gpu(a), Kind::Gpu(b)) => a.same(b),
            _ => false,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.adapter() {
            Some(a) => a.fmt(f),
            None => f.write_str("CPU reference"),
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({self})")
    }
}

/// A tensor on a device: passes between networks and functions without a copy to the host. Cloning shares the elements.
///
/// ```
/// use convgpu::{Device, DType, Tensor};
///
/// let x = Tensor::from([[1i32, 2, 3]]).to_device(&Device::cpu())?;
/// assert_eq!((x.shape(), x.dtype(), x.numel()), (&[1, 3][..], DType::I32, 3));
/// assert_eq!(x.to_string(), "i32[1, 3] on CPU reference");
/// assert_eq!(x.reshape([3])?.to_host()?, Tensor::from([1i32, 2, 3]));
/// assert!(x.reshape([4]).is_err());
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone)]
pub struct DeviceTensor {
    device: Device,
    desc: Desc,
    pub(crate) storage: Storage,
}

#[derive(Clone)]
pub(crate) enum Storage {
    Host(Tensor),
    Buffer(TensorBuffer),
}

impl DeviceTensor {
    pub(crate) fn new(device: &Device, desc: Desc, storage: Storage) -> DeviceTensor {
        DeviceTensor { device: device.clone(), desc, storage }
    }
    /// Copies a host tensor to a device.
    pub(crate) async fn upload(device: &Device, tensor: &Tensor) -> Result<DeviceTensor> {
        let storage = match &device.kind {
            Kind::Reference => Storage::Host(tensor.clone()),
            Kind::Gpu(gpu) => {
                let bytes = tensor.desc().bytes(Layout::RowMajor);
                Storage::Buffer(match upload::raw(gpu, tensor).await? {
                    Some(raw) => raw.make(gpu, bytes as u64).await?,
                    None => {
                        let mut words = tensor.to_device_bytes()?.into_owned();
                        words.resize(bytes, 0);
                        TensorBuffer::upload(gpu, &words).await?
                    }
                })
            }
        };
        Ok(DeviceTensor::new(device, tensor.desc(), storage))
    }
    /// This tensor with the elements of one of the host, in a buffer of the program's.
    pub(crate) async fn overwritten(&self, tensor: &Tensor) -> Result<DeviceTensor> {
        if let Some(gpu) = self.device.gpu() {
            self.buffer_inside().write(gpu, &tensor.to_device_bytes()?).await?;
        }
        Ok(self.clone())
    }
    /// Copies the tensor to the host.
    ///
    /// # Errors
    /// The device is lost.
    pub async fn to_host_async(&self) -> Result<Tensor> {
        match (&self.storage, self.device.gpu()) {
            (Storage::Host(tensor), _) => Ok(tensor.clone()),
            (Storage::Buffer(buffer), Some(gpu)) => {
                let bytes = self.desc.bytes(Layout::RowMajor) as u64;
                buffer.download(gpu, bytes, |bytes| Tensor::from_device_bytes(&self.desc, bytes)).await
            }
            (Storage::Buffer(_), None) => unreachable!("a buffer belongs to a GPU"),
        }
    }
    /// The tensor as another type of float. On a GPU all floats between networks are f32: nothing is copied.
    pub(crate) fn as_float(&self, dtype: DType) -> DeviceTensor {
        if self.dtype() == dtype {
            return self.clone();
        }
        let storage = match &self.storage {
            Storage::Host(t) => Storage::Host(t.to_dtype(dtype)),
            Storage::Buffer(b) => Storage::Buffer(b.clone()),
        };
        DeviceTensor::new(&self.device, Desc::new(self.shape(), dtype), storage)
    }
    /// Its buffer and the number of that, if it is on this device and nobody can write to it.
    pub(crate) fn unchanging(&self, device: &Device) -> Option<(TensorBuffer, u64)> {
        match &self.storage {
            Storage::Buffer(buffer) if self.device.same(device) => Some((buffer.clone(), buffer.number()?)),
            _ => None,
        }
    }
    /// The buffer of a tensor on a GPU.
    pub(crate) fn buffer_inside(&self) -> &TensorBuffer {
        match &self.storage {
            Storage::Buffer(buffer) => buffer,
            Storage::Host(_) => unreachable!("a GPU holds buffers"),
        }
    }
    /// Waits for the encoder that writes it, if it was recorded into one of the program's.
    ///
    /// # Errors
    /// That is not submitted; the device is lost.
    pub(crate) async fn settled(&self) -> Result<()> {
        match (&self.storage, self.device.gpu()) {
            (Storage::Buffer(buffer), Some(gpu)) => buffer.settled(gpu).await,
            _ => Ok(()),
        }
    }
    /// An error unless results of this description on this device may be written to it.
    pub(crate) fn check_output(&self, device: &Device, desc: &Desc) -> Result<()> {
        if !self.device.same(device) {
            return Err(Error::argument(format!("it is on {}, the session on {device}", self.device)));
        }
        if self.desc != *desc {
            return Err(Error::shape(format!("it must be {desc}, is {}", self.desc)));
        }
        match &self.storage {
            Storage::Buffer(buffer) if !buffer.is_writable() => {
                let text = "its buffer is not the program's: make it by DeviceTensor::from_buffer, or take its buffer";
                Err(Error::argument(text))
            }
            Storage::Buffer(buffer) => buffer.check_written(),
            Storage::Host(_) => Err(Error::argument("the CPU reference has no buffers")),
        }
    }
    /// Whether both have bytes of one buffer in common.
    pub(crate) fn overlaps(&self, other: &DeviceTensor) -> bool {
        match (&self.storage, &other.storage) {
            (Storage::Buffer(a), Storage::Buffer(b)) => a.overlaps(b),
            _ => false,
        }
    }
    /// A tensor in a buffer of the program's, from `offset` on: row-major, four bytes per element, floats as f32, integers
    /// and booleans as 32-bit integers. Runs copy the elements on the device, never through the host. What the buffer holds
    /// when a run is submitted is what the run reads, or the encoder when it is submitted; so the tensor is never taken for a
    /// constant.
    ///
    /// As an input it needs the usage `COPY_SRC`, as an output of [`Session::run_into`](crate::Session) or
    /// [`Session::record_into`](crate::Session) also `COPY_DST`. Exactly the bytes of its elements are read and written.
    ///
    /// ```
    /// use convgpu::{Desc, Device, DeviceTensor, wgpu};
    ///
    /// /// The tensor in a buffer that a shader of the program writes.
    /// async fn of_program(device: &Device, buffer: &wgpu::Buffer) -> convgpu::Result<DeviceTensor> {
    ///     DeviceTensor::from_buffer_async(device, buffer.clone(), 0, Desc::f32([1, 3, 224, 224])).await
    /// }
    /// ```
    ///
    /// The buffer must be one of the wgpu device that the program shares; wgpu does not notice buffers of another instance.
    ///
    /// # Errors
    /// The offset is no multiple of 4; the buffer is too small, is one of another device, lacks `COPY_SRC`, or is destroyed; the
    /// device is not one that the program shares ([`Device::from_wgpu`]).
    pub async fn from_buffer_async(
        device: &Device,
        buffer: wgpu::Buffer,
        offset: u64,
        desc: Desc,
    ) -> Result<DeviceTensor> {
        let Some(gpu) = device.gpu() else {
            return Err(Error::argument("the CPU reference has no buffers: choose a GPU adapter"));
        };
        let bytes = 4 * crate::shape::checked_numel(&desc.shape).unwrap_or(usize::MAX / 4) as u64;
        let buffer = TensorBuffer::given(gpu, buffer, offset, bytes).await.map_err(|e| e.within(&desc))?;
        Ok(DeviceTensor::new(device, desc, Storage::Buffer(buffer)))
    }
    /// The buffer with the elements, for passes of the program, and the byte at which they begin: row-major, four bytes per
    /// element. The usages are `STORAGE`, `COPY_SRC` and `COPY_DST`. The program may write to it; the buffer is its own
    /// from then on.
    ///
    /// # Errors
    /// The device is not one that the program shares ([`Device::from_wgpu`]).
    pub fn buffer(&self) -> Result<(wgpu::Buffer, u64)> {
        match &self.storage {
            Storage::Buffer(buffer) => {
                self.device.gpu().map_or(Ok(()), Gpu::check_shared)?;
                Ok(buffer.give())
            }
            Storage::Host(_) => Err(Error::argument(format!("{self} has no buffer: choose a GPU adapter"))),
        }
    }
    /// The same tensor by another handle to its device.
    pub(crate) fn on(self, device: &Device) -> DeviceTensor {
        DeviceTensor { device: device.clone(), ..self }
    }
    /// Extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.desc.shape
    }
    /// Element type.
    pub fn dtype(&self) -> DType {
        self.desc.dtype
    }
    /// Shape and type.
    pub fn desc(&self) -> &Desc {
        &self.desc
    }
    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.desc.numel()
    }
    /// Where the tensor is.
    pub fn device(&self) -> &Device {
        &self.device
    }
    /// The same elements under another shape; nothing is copied.
    ///
    /// # Errors
    /// The element counts differ.
    pub fn reshape(&self, shape: impl Into<Vec<usize>>) -> Result<DeviceTensor> {
        let desc = Desc::new(shape, self.desc.dtype);
        if crate::shape::checked_numel(&desc.shape) != Some(self.desc.numel()) {
            return Err(Error::shape(format!("{} cannot be reshaped to {:?}", self.desc, desc.shape)));
        }
        let storage = match &self.storage {
            Storage::Host(t) => Storage::Host(t.reshape(desc.shape.clone())?),
            Storage::Buffer(b) => Storage::Buffer(b.clone()),
        };
        Ok(DeviceTensor::new(&self.device, desc, storage))
    }
}

/// Shape, type and device; the elements are not fetched.
impl fmt::Display for DeviceTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.desc, self.device)
    }
}

impl fmt::Debug for DeviceTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceTensor({self})")
    }
}

impl Tensor {
    /// Copies the tensor to a device.
    ///
    /// # Errors
    /// The device is out of memory or lost; an i64 element does not fit 32 bits.
    pub async fn to_device_async(&self, device: &Device) -> Result<DeviceTensor> {
        DeviceTensor::upload(device, self).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_parsed_and_shown() {
        let parse = |text: &str| text.parse::<DeviceChoice>().unwrap();
        for text in ["", " ", "auto", "AUTO"] {
            assert_eq!(parse(text), DeviceChoice::Auto);
        }
        assert_eq!((parse("CPU"), parse(" 12 ")), (DeviceChoice::Cpu, DeviceChoice::Index(12)));
        for name in ["NVIDIA GeForce RTX 4090", "-1", "99999999999999999999", "cpu 2"] {
            assert_eq!(parse(name), DeviceChoice::Name(name.to_owned()));
        }
        for choice in [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Index(0), DeviceChoice::Name("a b".into())]
        {
            assert_eq!(parse(&choice.to_string()), choice);
        }
    }
}
