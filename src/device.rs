//! Devices and tensors on them: a GPU adapter, or the CPU reference, behind one type.

use std::fmt;

use crate::error::{Error, Result};
use crate::gpu::adapter::{self, AdapterInfo, Choice, Gpu};
use crate::gpu::program::TensorBuffer;
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

/// Where networks run. Cloning gives another handle to the same device.
#[derive(Clone)]
pub struct Device(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Reference,
    Gpu(Gpu),
}

impl Device {
    /// The CPU reference: slow, portable, and what every other device is checked against.
    pub fn cpu() -> Device {
        Device(Kind::Reference)
    }

    /// The device that `choice` names, as `--device` on the command line: `auto` (the best adapter, or the reference
    /// if there is none), `cpu` (the reference), a position in [`Device::list`], or part of an adapter's name.
    ///
    /// # Errors
    /// No adapter matches, or the adapter gives no device.
    pub async fn open_async(choice: &str) -> Result<Device> {
        let choice = match choice.trim() {
            "" | "auto" => Choice::Best,
            c if c.eq_ignore_ascii_case("cpu") => return Ok(Device::cpu()),
            c => c.parse().map_or_else(|_| Choice::Name(c.to_owned()), Choice::Index),
        };
        Ok(Gpu::open(&choice).await?.map_or(Device::cpu(), |gpu| Device(Kind::Gpu(gpu))))
    }

    /// Every adapter that can compute, best first.
    pub async fn list_async() -> Vec<AdapterInfo> {
        adapter::list().await
    }

    /// Shares a wgpu device that the program already has.
    pub fn from_wgpu(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Device {
        Device(Kind::Gpu(Gpu::from_wgpu(adapter, device, queue)))
    }

    /// Whether this is the CPU reference.
    pub fn is_reference(&self) -> bool {
        matches!(self.0, Kind::Reference)
    }

    /// The adapter behind the device; `None` for the reference.
    pub fn adapter(&self) -> Option<&AdapterInfo> {
        self.gpu().map(Gpu::info)
    }

    /// Loses the device on purpose, for tests: every later call on it is an error.
    #[doc(hidden)]
    pub fn destroy(&self) {
        if let Some(gpu) = self.gpu() {
            gpu.destroy();
        }
    }

    pub(crate) fn gpu(&self) -> Option<&Gpu> {
        match &self.0 {
            Kind::Gpu(gpu) => Some(gpu),
            Kind::Reference => None,
        }
    }

    /// A number that no other open device has.
    pub(crate) fn identity(&self) -> usize {
        self.gpu().map_or(0, Gpu::identity)
    }

    /// Whether both are the same open device.
    pub fn same(&self, other: &Device) -> bool {
        match (&self.0, &other.0) {
            (Kind::Reference, Kind::Reference) => true,
            (Kind::Gpu(a), Kind::Gpu(b)) => a.same(b),
            _ => false,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.adapter() {
            Some(a) => write!(f, "{} ({}, {})", a.name, a.backend, a.driver),
            None => f.write_str("CPU reference"),
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({self})")
    }
}

/// A tensor on a device. Cloning shares the elements.
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
        let storage = match &device.0 {
            Kind::Reference => Storage::Host(tensor.clone()),
            Kind::Gpu(gpu) => {
                let mut bytes = tensor.to_device_bytes()?.into_owned();
                bytes.resize(tensor.desc().bytes(Layout::RowMajor), 0);
                Storage::Buffer(TensorBuffer::upload(gpu, &bytes).await?)
            }
        };
        Ok(DeviceTensor::new(device, tensor.desc(), storage))
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
    /// Extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.desc.shape
    }
    /// Shape and type.
    pub fn desc(&self) -> &Desc {
        &self.desc
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
        if desc.numel() != self.desc.numel() {
            return Err(Error::shape(format!("{} cannot become {:?}", self.desc, desc.shape)));
        }
        let storage = match &self.storage {
            Storage::Host(t) => Storage::Host(t.reshape(desc.shape.clone())?),
            Storage::Buffer(b) => Storage::Buffer(b.clone()),
        };
        Ok(DeviceTensor::new(&self.device, desc, storage))
    }
}

impl fmt::Debug for DeviceTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.desc, self.device)
    }
}

impl Tensor {
    /// Copies the tensor to a device.
    ///
    /// # Errors
    /// The device has no room or is lost; an i64 element does not fit 32 bits.
    pub async fn to_device_async(&self, device: &Device) -> Result<DeviceTensor> {
        DeviceTensor::upload(device, self).await
    }
}
