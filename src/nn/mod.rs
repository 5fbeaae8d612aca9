//! Layers with state, as `torch.nn`: they only add nodes to a graph. `forward` runs that graph at once, compiled once
//! per shape; `compile` makes a session of the whole network.

mod activation;
mod children;
mod conv;
mod linear;
mod norm;
mod pool;
mod resample;
mod sequential;
mod state;
pub mod zoo;

use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::functional::cached;
use crate::graph::{Graph, ValueId};
use crate::session::{CompileOptions, Compiled, Session};
use crate::shape::Desc;
use crate::tensor::Tensor;

pub use activation::*;
#[doc(hidden)]
pub use children::below;
pub use conv::{Conv1d, Conv2d, ConvTranspose2d};
pub use linear::{Dropout, Flatten, Linear};
pub use norm::{BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm2d, LayerNorm, Softmax};
pub use pool::{AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d};
pub use resample::{PixelShuffle, Upsample};
pub use sequential::Sequential;
pub use state::{Slot, SlotKind, manual_seed};

/// Adds a module's nodes to a graph and notes how a training step changes the module's buffers.
pub struct Builder<'g> {
    /// The graph being built.
    pub graph: &'g mut Graph,
    prefix: String,
    /// Buffers that this pass computes anew: path and value.
    updates: Vec<(String, ValueId)>,
}

impl Builder<'_> {
    /// A parameter or an eval-mode buffer, as a constant.
    pub fn constant(&mut self, name: &str, slot: &Slot) -> Result<ValueId> {
        self.graph.constant(format!("{}{name}", self.prefix), slot.tensor().clone())
    }
    /// A buffer that changes from step to step, as an input.
    pub fn buffer(&mut self, name: &str, slot: &Slot) -> Result<ValueId> {
        self.graph.input(format!("{}{name}", self.prefix), slot.tensor().desc())
    }
    /// Says that `value` is what the buffer `name` becomes.
    pub fn update(&mut self, name: &str, value: ValueId) {
        self.updates.push((format!("{}{name}", self.prefix), value));
    }
    /// Builds a child module, its names below `name`.
    pub fn child(&mut self, name: &str, module: &dyn Module, x: ValueId) -> Result<ValueId> {
        let outer = self.prefix.clone();
        self.prefix = format!("{outer}{name}.");
        self.graph.set_scope(self.prefix.clone());
        let y = module.build(self, x);
        self.graph.set_scope(outer.clone());
        self.prefix = outer;
        y
    }
    /// Builds children one after another.
    pub fn chain(&mut self, x: ValueId, children: &[(&str, &dyn Module)]) -> Result<ValueId> {
        children.iter().try_fold(x, |x, (name, module)| self.child(name, *module, x))
    }
}

/// A layer or a network of layers.
pub trait Module: Send + Sync {
    /// Adds the nodes that compute this module from `x`.
    ///
    /// # Errors
    /// The input's shape does not fit.
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId>;

    /// Everything that decides which nodes `build` adds, parameters aside.
    fn describe(&self) -> String;

    /// Parameters and buffers with PyTorch's names, in PyTorch's order.
    fn slots(&self) -> Vec<(String, &Slot)> {
        vec![]
    }

    /// The same, to change them.
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        vec![]
    }

    /// Switches between training (batch statistics, dropout) and evaluation.
    fn set_training(&mut self, _training: bool) {}

    /// Training mode, as `torch.nn.Module.train`.
    fn train(&mut self) {
        self.set_training(true);
    }

    /// Evaluation mode, as `torch.nn.Module.eval`.
    fn eval(&mut self) {
        self.set_training(false);
    }

    /// The parameters, buffers left out.
    fn parameters(&self) -> Vec<(String, &Tensor)> {
        let slots = self.slots().into_iter().filter(|(_, s)| s.kind() == SlotKind::Parameter);
        slots.map(|(name, s)| (name, s.tensor())).collect()
    }

    /// How many numbers there are to learn.
    fn num_parameters(&self) -> usize {
        self.parameters().iter().map(|(_, t)| t.numel()).sum()
    }

    /// Parameters and buffers by PyTorch's names.
    fn state_dict(&self) -> Vec<(String, Tensor)> {
        self.slots().into_iter().map(|(name, s)| (name, s.tensor().clone())).collect()
    }

    /// Takes parameters and buffers from tensors of the same names and shapes.
    ///
    /// # Errors
    /// Entries are missing, extra or misshaped: the error lists them all, and nothing is changed.
    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        state::load(self.slots_mut(), state)
    }

    /// Writes the state as a safetensors file.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save_state_dict(&self, path: &std::path::Path) -> Result<()> {
        let bytes = crate::model::safetensors::to_bytes(&self.state_dict())?;
        std::fs::write(path, bytes).map_err(|e| Error::file(format!("{}: {e}", path.display())))
    }

    /// Reads the state from a safetensors file with PyTorch's names.
    ///
    /// # Errors
    /// The file is not a safetensors file, or as [`Module::load_state`].
    fn load_state_dict(&mut self, path: &std::path::Path) -> Result<()> {
        let bytes = std::fs::read(path).map_err(|e| Error::file(format!("{}: {e}", path.display())))?;
        self.load_state_dict_bytes(&bytes)
    }

    /// Reads the state from the bytes of a safetensors file.
    ///
    /// # Errors
    /// As [`Module::load_state_dict`].
    fn load_state_dict_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.load_state(&crate::model::safetensors::from_bytes(bytes)?)
    }

    /// Runs the module. In training mode its buffers take their next values.
    ///
    /// # Errors
    /// The input's shape does not fit; the device is lost.
    fn forward(&mut self, x: &DeviceTensor) -> Result<DeviceTensor> {
        let device = x.device().clone();
        // A parameter is known by the number of its contents, a changing buffer by being an input.
        let contents: Vec<_> = self.slots().iter().map(|(_, s)| s.number().to_string()).collect();
        let key = format!("{}|{}|{}|{}", device.identity(), self.describe(), x.desc(), contents.join(","));
        let session = cached(key, || {
            let mut graph = Graph::new();
            let input = graph.input("x", x.desc().clone())?;
            let (y, updates) = build(&mut graph, |b| self.build(b, input))?;
            graph.output("out", y);
            updates.into_iter().for_each(|(path, value)| graph.output(path, value));
            Compiled::new(&device, graph, &CompileOptions::default())
        })?;
        let mut held = vec![("x".to_owned(), x.clone())];
        for (path, slot) in self.slots() {
            if session.graph().inputs().any(|(name, _)| name == path) {
                held.push((path, slot.tensor().to_device(&device)?));
            }
        }
        let given: Vec<_> = held.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let mut outputs = session.run_device(&given)?;
        let names: Vec<String> = session.graph().outputs().map(|(name, _)| name.to_owned()).collect();
        for (path, value) in names.iter().zip(&outputs).skip(1) {
            let tensor = value.to_host()?;
            let slots = self.slots_mut();
            let (_, slot) = slots.into_iter().find(|(name, _)| name == path).expect("updates name slots");
            slot.replace_buffer(tensor);
        }
        Ok(outputs.swap_remove(0))
    }

    /// The whole module as a graph for an input of this description, named `x`; its output is `out`.
    ///
    /// # Errors
    /// The module is in training mode; the shape does not fit.
    fn graph(&self, x: Desc) -> Result<Graph> {
        let mut graph = Graph::new();
        let input = graph.input("x", x)?;
        let (y, updates) = build(&mut graph, |b| self.build(b, input))?;
        if !updates.is_empty() {
            return Err(Error::argument("a module becomes a graph in evaluation mode: call eval() first"));
        }
        graph.output("out", y);
        Ok(graph)
    }

    /// Makes a session of [`Module::graph`].
    ///
    /// # Errors
    /// As there; an operator has no kernel for its case.
    fn compile(&self, device: &Device, x: Desc, options: &CompileOptions) -> Result<Session> {
        Session::new(device, self.graph(x)?, options.clone())
    }
}

type Updates = Vec<(String, ValueId)>;

fn build(graph: &mut Graph, f: impl FnOnce(&mut Builder<'_>) -> Result<ValueId>) -> Result<(ValueId, Updates)> {
    let mut b = Builder { graph, prefix: String::new(), updates: vec![] };
    let y = f(&mut b)?;
    Ok((y, b.updates))
}
