//! Layers with state and networks of them, under the names and with the semantics of `torch.nn`.
//!
//! A [`Module`] is a layer or a network: it adds nodes to a graph. [`Module::forward`] runs that graph at once, compiled
//! once per shape; [`Module::compile`] makes a [`Session`] of a whole network, which is faster. A network is a
//! [`Sequential`], a struct of modules (the page of [`Module`] shows one), or one of [`zoo`].
//!
//! ```
//! use convgpu::nn::{Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential, manual_seed};
//! use convgpu::{CompileOptions, Desc, Device, Tensor};
//!
//! manual_seed(1);
//! let net = Sequential::new()
//!     .with(Conv2d::new(1, 8, 3).stride(2).padding(1))
//!     .with(ReLU)
//!     .with(MaxPool2d::new(2))
//!     .with(Flatten::new())
//!     .with(Linear::new(8 * 7 * 7, 10));
//! assert_eq!(net.num_parameters(), 8 * 9 + 8 + 10 * 8 * 7 * 7 + 10);
//!
//! let device = Device::cpu(); // or Device::new()?, the best GPU
//! let images = Tensor::full([2, 1, 28, 28], 0.5);
//! let eager = net.forward(&images.to_device(&device)?)?.to_host()?;
//! assert_eq!(eager.shape(), [2, 10]);
//!
//! let session = net.compile(&device, Desc::f32([2, 1, 28, 28]), CompileOptions::new())?;
//! assert_eq!(session.run(&[("x", &images)])?.first(), &eager);
//! # Ok::<(), convgpu::Error>(())
//! ```
//!
//! **Options** are set on the layer, in any order: `Conv2d::new(1, 8, 3).stride(2)`; or all at once from the options
//! struct that the function of the same name takes: `Conv2d::new(1, 8, 3).options(o)`. A layer without required arguments is
//! made by `new()` or `default()`, as `ReLU::new()` and `Flatten::new()`; one without options by its name, too: `ReLU`.
//!
//! **Training mode.** As in PyTorch a new layer is in training mode. In that mode [`Module::forward`] refuses a network
//! with layers that would update statistics or draw random numbers (batch norm, dropout); [`Module::forward_train`]
//! takes a training step. Call [`eval`](Module::eval) before inference. There are no gradients: a training step updates
//! running statistics.
//!
//! **Weights** have PyTorch's names and shapes: [`Module::load`] reads a safetensors file that PyTorch wrote with
//! `safetensors.torch.save_file(model.state_dict(), path)`.

mod activation;
mod builder;
mod children;
mod conv;
mod layers;
mod linear;
mod norm;
mod pool;
mod recurrent;
mod resample;
mod sequential;
mod state;
mod weights;
pub mod zoo;

#[cfg(not(target_arch = "wasm32"))]
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

#[cfg(not(target_arch = "wasm32"))]
use crate::device::{Device, DeviceTensor};
use crate::error::Result;
use crate::graph::{Graph, ValueId};
#[cfg(not(target_arch = "wasm32"))]
use crate::session::{CompileOptions, Outputs, Session};
use crate::shape::Desc;
use crate::tensor::Tensor;

#[doc(inline)]
pub use crate::__children as children;
#[doc(no_inline)]
pub use crate::functional::{
    Activation, Approximate, AvgPool2dOptions, AvgPool3dOptions, BinaryKind, Conv1dOptions, Conv2dOptions,
    Conv3dOptions, ConvTranspose2dOptions, ConvTranspose3dOptions, Extents, InterpolateMode, InterpolateOptions,
    LpPool2dOptions, LpPool3dOptions, MaxPool2dOptions, MaxPool3dOptions, Padding, PaddingMode, Pair, ScaleFactor,
    Sides, Triple,
};
pub use activation::*;
pub use builder::Builder;
#[doc(hidden)]
pub use children::{CloneModule, below};
pub use conv::{Conv1d, Conv2d, Conv3d, ConvTranspose2d, ConvTranspose3d};
pub use linear::{Dropout, Flatten, Identity, Linear};
pub use norm::{
    BatchNorm1d, BatchNorm2d, BatchNorm3d, GroupNorm, InstanceNorm2d, InstanceNorm3d, LayerNorm, LocalResponseNorm,
};
pub use pool::{
    AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool2d, AdaptiveMaxPool3d, AvgPool2d, AvgPool3d, LPPool2d,
    LPPool3d, MaxPool2d, MaxPool3d,
};
pub use recurrent::{GRU, LSTM, RNN};
pub use resample::{
    CircularPad2d, PixelShuffle, PixelUnshuffle, ReflectionPad2d, ReplicationPad2d, Upsample, ZeroPad2d,
};
pub use sequential::Sequential;
pub use state::{IncompatibleKeys, Slot, SlotKind, StateDict, manual_seed};

/// A layer or a network of layers.
///
/// Your own network is a struct of modules. It implements [`build`](Module::build), which connects the modules; the
/// macro [`children!`](children) implements the rest. A module is `Clone` and `Debug`, which are derived.
///
/// ```
/// use convgpu::nn::{BatchNorm2d, BinaryKind, Builder, Conv2d, Module, ReLU, children};
/// use convgpu::{Device, Result, Tensor, ValueId};
///
/// /// A residual block: relu(x + norm2(conv2(relu(norm1(conv1(x)))))).
/// #[derive(Clone, Debug)]
/// struct Block {
///     conv1: Conv2d,
///     norm1: BatchNorm2d,
///     conv2: Conv2d,
///     norm2: BatchNorm2d,
/// }
///
/// impl Block {
///     fn new(channels: usize) -> Block {
///         let conv = || Conv2d::new(channels, channels, 3).padding(1).bias(false);
///         let norm = || BatchNorm2d::new(channels);
///         Block { conv1: conv(), norm1: norm(), conv2: conv(), norm2: norm() }
///     }
/// }
///
/// impl Module for Block {
///     fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
///         let y = b.chain(x, &[("conv1", &self.conv1), ("norm1", &self.norm1), ("relu", &ReLU)])?;
///         let y = b.chain(y, &[("conv2", &self.conv2), ("norm2", &self.norm2)])?;
///         let sum = b.graph.binary(x, y, BinaryKind::Add)?;
///         b.child("relu", &ReLU, sum)
///     }
///     children!(conv1, norm1, conv2, norm2);
/// }
///
/// let mut block = Block::new(4);
/// block.eval();
/// let x = Tensor::full([1, 4, 8, 8], 0.5).to_device(&Device::cpu())?;
/// assert_eq!(block.forward(&x)?.shape(), [1, 4, 8, 8]);
/// assert!(block.state_dict().get("norm2.running_mean").is_some());
/// # Ok::<(), convgpu::Error>(())
/// ```
pub trait Module: fmt::Debug + CloneModule + Send + Sync {
    /// Adds the nodes that compute this module from `x`, and returns the result.
    ///
    /// # Errors
    /// The input's shape does not fit.
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId>;

    /// Parameters and buffers with PyTorch's names, in PyTorch's order.
    fn slots(&self) -> Vec<(String, &Slot)> {
        vec![]
    }

    /// Parameters and buffers with PyTorch's names, in PyTorch's order, to change them.
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        vec![]
    }

    /// Switches the module and its children between training (true) and evaluation.
    fn set_training(&mut self, _training: bool) {}

    /// Switches to training mode: batch norm uses the statistics of the batch, dropout drops elements.
    fn train(&mut self) {
        self.set_training(true);
    }

    /// Switches to evaluation mode: batch norm uses its running statistics, dropout returns its input.
    fn eval(&mut self) {
        self.set_training(false);
    }

    /// The parameters by PyTorch's names, buffers left out.
    fn parameters(&self) -> Vec<(String, &Tensor)> {
        let slots = self.slots().into_iter().filter(|(_, s)| s.kind() == SlotKind::Parameter);
        slots.map(|(name, s)| (name, s.tensor())).collect()
    }

    /// The parameter of this name, as PyTorch's `get_parameter`.
    ///
    /// ```
    /// use convgpu::nn::{Linear, Module, Sequential};
    /// use convgpu::Tensor;
    ///
    /// let mut net = Sequential::new().named("fc", Linear::new(2, 1));
    /// assert_eq!(net.get_parameter("fc.weight")?.shape(), [1, 2]);
    /// net.set_parameter("fc.weight", Tensor::from([[2.0f32, -1.0]]))?;
    /// assert_eq!(net.get_parameter("fc.weight")?, &Tensor::from([[2.0f32, -1.0]]));
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such parameter: the error lists those with similar names. A buffer is no parameter
    /// ([`Module::get_buffer`]).
    fn get_parameter(&self, name: &str) -> Result<&Tensor> {
        state::find(self.slots(), SlotKind::Parameter, name).map(Slot::tensor)
    }

    /// The buffer of this name, such as `bn1.running_mean`, as PyTorch's `get_buffer`.
    ///
    /// # Errors
    /// There is no such buffer: the error lists those with similar names.
    fn get_buffer(&self, name: &str) -> Result<&Tensor> {
        state::find(self.slots(), SlotKind::Buffer, name).map(Slot::tensor)
    }

    /// Sets the parameter of this name.
    ///
    /// # Errors
    /// There is no such parameter, or it has another shape or type. Nothing is changed then.
    fn set_parameter(&mut self, name: &str, tensor: Tensor) -> Result<()> {
        state::find(self.slots_mut(), SlotKind::Parameter, name)?.fit(name, &tensor)
    }

    /// Sets the buffer of this name.
    ///
    /// # Errors
    /// There is no such buffer, or it has another shape or type. Nothing is changed then.
    fn set_buffer(&mut self, name: &str, tensor: Tensor) -> Result<()> {
        state::find(self.slots_mut(), SlotKind::Buffer, name)?.fit(name, &tensor)
    }

    /// The number of elements of all parameters.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(|(_, t)| t.numel()).sum()
    }

    /// Parameters and buffers by PyTorch's names, in PyTorch's order.
    fn state_dict(&self) -> StateDict {
        self.slots().into_iter().map(|(name, s)| (name, s.tensor().clone())).collect()
    }

    /// Sets parameters and buffers from a dict with the same names and shapes.
    ///
    /// # Errors
    /// Entries are missing, unexpected or misshaped: the error counts them and shows the first of each. Nothing is changed then.
    fn load_state_dict(&mut self, state: &StateDict) -> Result<()> {
        state::load(self.slots_mut(), state, true).map(|_| ())
    }

    /// Sets the parameters and buffers that a dict has, and returns the missing and the unexpected names: PyTorch's
    /// `load_state_dict(.., strict=False)`. So weights of a network with another classifier can be used.
    ///
    /// # Errors
    /// Entries are misshaped: the error counts them and shows the first ones. Nothing is changed then.
    fn load_state_dict_partial(&mut self, state: &StateDict) -> Result<IncompatibleKeys> {
        state::load(self.slots_mut(), state, false)
    }

    /// Writes the state dict as a safetensors file.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save(&self, path: impl AsRef<Path>) -> Result<()>
    where
        Self: Sized,
    {
        self.state_dict().write(path)
    }

    /// Loads a state dict from a safetensors file with PyTorch's names.
    ///
    /// # Errors
    /// The file cannot be read or is not a safetensors file; or as [`Module::load_state_dict`].
    fn load(&mut self, path: impl AsRef<Path>) -> Result<()>
    where
        Self: Sized,
    {
        self.load_state_dict(&StateDict::read(path)?)
    }

    /// Loads a state dict from the bytes of a safetensors file.
    ///
    /// # Errors
    /// The bytes are not a safetensors file; or as [`Module::load_state_dict`].
    fn load_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.load_state_dict(&StateDict::from_bytes(bytes)?)
    }

    /// Computes the module from a tensor on a device. The result stays there.
    ///
    /// The graph is compiled at the first call with a shape, a device or values of the parameters.
    ///
    /// # Errors
    /// Of kind [`Argument`](crate::ErrorKind::Argument) if a layer is in training mode and would update statistics or
    /// draw random numbers; the error names the layer. The input's shape does not fit; the device has no memory left or
    /// is lost.
    #[cfg(not(target_arch = "wasm32"))]
    fn forward(&self, x: &DeviceTensor) -> Result<DeviceTensor> {
        let mut built = builder::build(&|b, x| self.build(b, x), x.desc().clone(), false)?;
        built.graph.output("out", built.y);
        Ok(run(self.slots(), built, x)?.into_first())
    }

    /// The results of modules inside this one, computed from a tensor on a device, as
    /// [`graph_with_outputs`](Module::graph_with_outputs) names them; `out` is the result of the module itself. They stay on
    /// the device.
    ///
    /// ```
    /// use convgpu::nn::{Conv2d, MaxPool2d, Module, ReLU, Sequential};
    /// use convgpu::{Device, Tensor};
    ///
    /// let net = Sequential::new().named("conv", Conv2d::new(1, 4, 3)).with(ReLU).named("pool", MaxPool2d::new(2));
    /// let x = Tensor::full([1, 1, 10, 10], 0.5).to_device(&Device::cpu())?;
    /// let results = net.forward_with_outputs(&x, &["conv", "out"])?;
    /// assert_eq!(results["conv"].shape(), [1, 4, 8, 8]);
    /// assert_eq!(results["out"].shape(), [1, 4, 4, 4]);
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no module of a name, a name is given twice, or none is given. Otherwise as [`Module::forward`].
    #[cfg(not(target_arch = "wasm32"))]
    fn forward_with_outputs(&self, x: &DeviceTensor, outputs: &[&str]) -> Result<Outputs<DeviceTensor>> {
        let built = builder::build_with_outputs(&|b, x| self.build(b, x), x.desc().clone(), outputs)?;
        run(self.slots(), built, x)
    }

    /// Computes the module from a tensor on a device, each layer in its own mode: norm layers in training mode use the
    /// statistics of the batch and update their running statistics.
    ///
    /// # Errors
    /// A dropout layer is in training mode: it is not supported. The input's shape does not fit; the device has no memory
    /// left or is lost.
    #[cfg(not(target_arch = "wasm32"))]
    fn forward_train(&mut self, x: &DeviceTensor) -> Result<DeviceTensor> {
        let (y, mut new) = train(&|b, x| self.build(b, x), self.slots(), x)?;
        for (path, slot) in self.slots_mut() {
            if let Some(tensor) = new.remove(&path) {
                slot.set(tensor);
            }
        }
        Ok(y)
    }

    /// The module as a graph for an input of this description. The input is named `x`, the output `out`.
    ///
    /// # Errors
    /// Of kind [`Argument`](crate::ErrorKind::Argument) if a layer is in training mode and would update statistics or
    /// draw random numbers; the error names the layer. The shape does not fit.
    fn graph(&self, x: Desc) -> Result<Graph> {
        let mut built = builder::build(&|b, x| self.build(b, x), x, false)?;
        built.graph.output("out", built.y);
        Ok(built.graph)
    }

    /// The module as a graph whose outputs are the results of modules inside it, named as in the state dict: `layer3`
    /// or `layer3.0.conv1`. `out` is the result of the module itself. Layers that the outputs do not depend on are left
    /// out.
    ///
    /// A module that is used several times gives its last result.
    ///
    /// ```
    /// use convgpu::nn::{Conv2d, MaxPool2d, Module, ReLU, Sequential};
    /// use convgpu::{CompileOptions, Desc, Device, Session, Tensor};
    ///
    /// let stage = |i, o| Sequential::new().named("conv", Conv2d::new(i, o, 3)).named("relu", ReLU);
    /// let net = Sequential::new().named("a", stage(1, 4)).named("pool", MaxPool2d::new(2)).named("b", stage(4, 2));
    /// let graph = net.graph_with_outputs(Desc::f32([1, 1, 10, 10]), &["a.conv", "pool"])?;
    /// let session = Session::new(&Device::cpu(), graph, CompileOptions::new())?;
    /// let outputs = session.run(&[("x", &Tensor::zeros([1, 1, 10, 10]))])?;
    /// assert_eq!(outputs["a.conv"].shape(), [1, 4, 8, 8]);
    /// assert_eq!(outputs["pool"].shape(), [1, 4, 4, 4]);
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no module of a name: the error lists those with similar names. Otherwise as [`Module::graph`].
    fn graph_with_outputs(&self, x: Desc, outputs: &[&str]) -> Result<Graph> {
        Ok(builder::build_with_outputs(&|b, x| self.build(b, x), x, outputs)?.graph)
    }

    /// A session of [`Module::graph`].
    ///
    /// # Errors
    /// As [`Module::graph`]; the device has no kernel for a case, is out of memory, or is lost.
    #[cfg(not(target_arch = "wasm32"))]
    fn compile(&self, device: &Device, x: Desc, options: CompileOptions) -> Result<Session> {
        Session::new(device, self.graph(x)?, options.clone())
    }
}

/// The result of a training step of a module with these parameters, and their new values.
#[cfg(not(target_arch = "wasm32"))]
fn train(
    module: &builder::Build<'_>,
    slots: Vec<(String, &Slot)>,
    x: &DeviceTensor,
) -> Result<(DeviceTensor, HashMap<String, Tensor>)> {
    let mut built = builder::build(module, x.desc().clone(), true)?;
    built.graph.output("out", built.y);
    built.notes.updates.iter().for_each(|(path, value)| built.graph.output(path, *value));
    let mut results = run(slots, built, x)?.into_iter();
    let (_, y) = results.next().expect("a network has an output");
    let new = results.map(|(path, value)| Ok((path, value.to_host()?)));
    Ok((y, new.collect::<Result<_>>()?))
}

/// Runs the graph of a module with these parameters, and compiles it first if it is not in the cache.
#[cfg(not(target_arch = "wasm32"))]
fn run(slots: Vec<(String, &Slot)>, built: builder::Built, x: &DeviceTensor) -> Result<Outputs<DeviceTensor>> {
    let builder::Built { graph, notes, .. } = built;
    let names: Vec<String> = graph.outputs().map(|(name, _)| name.to_owned()).collect();
    let mut given = vec![("x".to_owned(), x.clone())];
    for (path, slot) in slots {
        if graph.inputs().any(|(name, _)| name == path) {
            given.push((path, slot.tensor().to_device(x.device())?));
        }
    }
    let results = crate::functional::run_kept(x.device(), graph, &notes.numbers, given)?;
    Ok(Outputs(names.into_iter().zip(results).collect()))
}
