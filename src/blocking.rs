//! The blocking forms of the async calls, for all targets except wasm32.

use crate::device::{Device, DeviceChoice, DeviceTensor};
use crate::error::Result;
use crate::gpu::info::AdapterInfo;
use crate::gpu::profile::Profile;
use crate::gpu::texture::Texture;
use crate::gpu::{Buffer, CommandEncoder};
use crate::graph::Graph;
use crate::model::Model;
use crate::session::{CompileOptions, Compiled, Input, Network, Outputs, Run, Session};
use crate::shape::Desc;
use crate::tensor::Tensor;
use crate::textures::ImageOptions;
use crate::threads::{block_on, block_on_start};

impl Device {
    /// The best adapter (discrete, integrated, virtual, software), or the CPU reference if there is none.
    ///
    /// # Errors
    /// The adapter cannot open a device.
    pub fn new() -> Result<Device> {
        Device::open(DeviceChoice::Auto)
    }
    /// Opens the device that is chosen. Every call opens it anew: memory and compiled kernels are not shared.
    ///
    /// # Errors
    /// As [`Device::open_async`].
    pub fn open(choice: DeviceChoice) -> Result<Device> {
        block_on(Device::open_async(choice))
    }
    /// The same adapter opened anew, after the device was lost.
    ///
    /// ```
    /// use convgpu::{Device, DeviceChoice};
    ///
    /// let device = Device::open(DeviceChoice::Cpu)?;
    /// assert!(device.reopened()?.is_reference());
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Device::reopened_async`].
    pub fn reopened(&self) -> Result<Device> {
        block_on(self.reopened_async())
    }
    /// Waits until everything that was given to the device so far is done.
    ///
    /// # Errors
    /// The device is lost.
    pub fn wait(&self) -> Result<()> {
        block_on(self.wait_async())
    }
    /// Every adapter that can compute, best first.
    pub fn list() -> Vec<AdapterInfo> {
        block_on(Device::list_async())
    }
}

impl Tensor {
    /// Copies the tensor to a device.
    ///
    /// # Errors
    /// As [`Tensor::to_device_async`].
    pub fn to_device(&self, device: &Device) -> Result<DeviceTensor> {
        block_on(self.to_device_async(device))
    }
}

impl DeviceTensor {
    /// A tensor in a buffer of the program's, from `offset` on; [`DeviceTensor::from_buffer_async`] says what holds.
    ///
    /// # Errors
    /// As [`DeviceTensor::from_buffer_async`].
    pub fn from_buffer(device: &Device, buffer: Buffer, offset: u64, desc: Desc) -> Result<DeviceTensor> {
        block_on(DeviceTensor::from_buffer_async(device, buffer, offset, desc))
    }
    /// Copies the tensor to the host.
    ///
    /// # Errors
    /// The device is lost.
    pub fn to_host(&self) -> Result<Tensor> {
        block_on(self.to_host_async())
    }
    /// A texture of the program as an image on the device.
    ///
    /// # Errors
    /// As [`DeviceTensor::from_texture_async`].
    pub fn from_texture(device: &Device, texture: &Texture, options: &ImageOptions) -> Result<DeviceTensor> {
        block_on(DeviceTensor::from_texture_async(device, texture, options))
    }
    /// Writes the image to a texture of the program.
    ///
    /// # Errors
    /// As [`DeviceTensor::to_texture_async`].
    pub fn to_texture(&self, texture: &Texture, options: &ImageOptions) -> Result<()> {
        block_on(self.to_texture_async(texture, options))
    }
}

impl Graph {
    /// Compiles the network for a device with the default options; [`Session::new`] takes others.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn compile(self, device: &Device) -> Result<Session> {
        block_on(self.compile_async(device))
    }
}

impl Model {
    /// Compiles the network for a device with the default options; [`Session::new`] takes others.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub fn compile(self, device: &Device) -> Result<Session> {
        block_on(self.compile_async(device))
    }
}

impl Session {
    /// Compiles a network: now if all its shapes are fixed, else at the first run.
    ///
    /// # Errors
    /// As [`Session::new_async`].
    pub fn new(device: &Device, network: impl Network + 'static, options: CompileOptions) -> Result<Session> {
        block_on(Session::new_async(device, network, options))
    }
    /// Runs the network on host tensors, each named as the network names its input; the results have the names of its
    /// outputs. A new set of shapes is compiled first.
    ///
    /// # Errors
    /// As [`Session::run_async`].
    pub fn run(&self, inputs: &[(&str, &Tensor)]) -> Result<Outputs> {
        block_on(self.run_async(inputs))
    }
    /// Gives a run to the device, which computes it while the program goes on; [`Run::wait`] gives the results.
    ///
    /// # Errors
    /// As [`Session::submit_async`].
    pub fn submit(&self, inputs: &[(&str, &Tensor)]) -> Result<Run> {
        block_on_start(self.submit_async(inputs))
    }
    /// As [`Session::submit`], without waiting for room.
    ///
    /// # Errors
    /// As [`Session::try_submit_async`].
    pub fn try_submit(&self, inputs: &[(&str, &Tensor)]) -> Result<Run> {
        block_on_start(self.try_submit_async(inputs))
    }
    /// Runs the network and leaves the results on its device. Inputs are tensors of the device or of the host ([`Input`]); those
    /// that decide shapes are read on the host.
    ///
    /// # Errors
    /// As [`Session::run_device_async`].
    pub fn run_device<'a, I: Copy + Into<Input<'a>>>(&self, inputs: &[(&str, I)]) -> Result<Outputs<DeviceTensor>> {
        block_on(self.run_device_async(inputs))
    }
    /// Runs the network and writes results into tensors of the program.
    ///
    /// # Errors
    /// As [`Session::run_into_async`].
    pub fn run_into<'a, I: Copy + Into<Input<'a>>>(
        &self,
        inputs: &[(&str, I)],
        outputs: &[(&str, &DeviceTensor)],
    ) -> Result<()> {
        block_on(self.run_into_async(inputs, outputs))
    }
    /// Encodes a run into an encoder of the program's, which submits it; [`Session::record_async`] says what holds.
    ///
    /// # Errors
    /// As [`Session::record_async`].
    pub fn record(
        &self,
        encoder: &mut CommandEncoder,
        inputs: &[(&str, &DeviceTensor)],
    ) -> Result<Outputs<DeviceTensor>> {
        block_on(self.record_async(encoder, inputs))
    }
    /// As [`Session::record`], with the results in tensors of the program.
    ///
    /// # Errors
    /// As [`Session::record_into_async`].
    pub fn record_into(
        &self,
        encoder: &mut CommandEncoder,
        inputs: &[(&str, &DeviceTensor)],
        outputs: &[(&str, &DeviceTensor)],
    ) -> Result<()> {
        block_on(self.record_into_async(encoder, inputs, outputs))
    }
}

impl Compiled {
    /// Compiles a graph for a device.
    ///
    /// # Errors
    /// As [`Compiled::new_async`].
    pub fn new(device: &Device, graph: Graph, options: &CompileOptions) -> Result<Compiled> {
        block_on(Compiled::new_async(device, graph, options))
    }
    /// Runs the graph on host tensors.
    ///
    /// # Errors
    /// As [`Compiled::run_async`].
    pub fn run(&self, inputs: &[(&str, &Tensor)]) -> Result<Outputs> {
        block_on(self.run_async(inputs))
    }
    /// Runs the graph on tensors of its device and leaves the results there, in the order of the outputs.
    ///
    /// # Errors
    /// As [`Compiled::run_device_async`].
    pub fn run_device(&self, inputs: &[(&str, &DeviceTensor)]) -> Result<Vec<DeviceTensor>> {
        let inputs: Vec<_> = inputs.iter().map(|&(name, t)| (name, t.into())).collect();
        block_on(self.run_device_async(&inputs, &[]))
    }
    /// One run with every dispatch timed.
    ///
    /// # Errors
    /// As [`Compiled::profile_async`].
    pub fn profile(&self, inputs: &[(&str, &Tensor)]) -> Result<Profile> {
        block_on(self.profile_async(inputs))
    }
}
