//! [`Builder`]: modules add their nodes to it.

use std::collections::BTreeSet;

use super::{Module, Slot};
use crate::error::{Error, Result};
use crate::graph::{Graph, ValueId};
use crate::names;
use crate::shape::Desc;

/// The graph that modules add their nodes to, and the position of the current module in the network.
///
/// [`Module::build`] gets one. A module that consists of modules calls [`child`](Builder::child) or
/// [`chain`](Builder::chain), as the page of [`Module`] shows; one with parameters of its own reads them by
/// [`constant`](Builder::constant):
///
/// ```
/// use convgpu::nn::{BinaryKind, Builder, Module, Slot};
/// use convgpu::{Device, Result, Tensor, ValueId};
///
/// /// `scale x` with a learned scale per channel of `[n, c, h, w]`.
/// #[derive(Clone, Debug)]
/// struct Scale {
///     scale: Slot,
/// }
///
/// impl Module for Scale {
///     fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
///         let scale = b.constant("scale", &self.scale)?;
///         let scale = b.graph.reshape(scale, [self.scale.tensor().numel(), 1, 1])?;
///         b.graph.binary(x, scale, BinaryKind::Mul)
///     }
///     fn slots(&self) -> Vec<(String, &Slot)> {
///         vec![("scale".to_owned(), &self.scale)]
///     }
///     fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
///         vec![("scale".to_owned(), &mut self.scale)]
///     }
/// }
///
/// let layer = Scale { scale: Slot::parameter(Tensor::new([2], vec![2.0f32, 3.0])?) };
/// let x = Tensor::full([1, 2, 1, 1], 5.0).to_device(&Device::cpu())?;
/// assert_eq!(layer.forward(&x)?.to_host()?.as_f32()?, [10.0, 15.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Debug)]
pub struct Builder<'g> {
    /// The graph being built. Its methods are the layers.
    pub graph: &'g mut Graph,
    prefix: String,
    training_step: bool,
    notes: Notes,
}

/// What is recorded while modules build a graph.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The numbers of parameters' contents, by the address of their elements.
    #[cfg(not(target_arch = "wasm32"))]
    pub numbers: crate::functional::eager::Numbers,
    /// Buffers that this pass updates: path and value.
    pub updates: Vec<(String, ValueId)>,
    /// The result of every child: path and value.
    pub results: Vec<(String, ValueId)>,
}

/// A module's graph, and its results in it.
pub(super) struct Built<Y = ValueId> {
    pub graph: Graph,
    pub y: Y,
    pub notes: Notes,
}

/// What [`Module::build`] does for a module.
pub(super) type Build<'a> = dyn Fn(&mut Builder<'_>, ValueId) -> Result<ValueId> + 'a;

/// The graph of a module for an input `x` of this description, with or without a training step. Without one it is an
/// error if a layer would make one.
pub(super) fn build(module: &Build<'_>, x: Desc, training_step: bool) -> Result<Built> {
    build_of(&[("x", x)], training_step, |b, ids| module(b, ids[0]))
}

/// As [`build`], of a module with these inputs.
pub(super) fn build_of<Y>(
    inputs: &[(&str, Desc)],
    training_step: bool,
    module: impl FnOnce(&mut Builder<'_>, &[ValueId]) -> Result<Y>,
) -> Result<Built<Y>> {
    let mut graph = Graph::new();
    let ids = inputs.iter().map(|(name, desc)| graph.input(*name, desc.clone())).collect::<Result<Vec<_>>>()?;
    let mut b = Builder { graph: &mut graph, prefix: String::new(), training_step, notes: Notes::default() };
    let y = module(&mut b, &ids)?;
    let notes = b.notes;
    match notes.updates.first() {
        Some((path, _)) if !training_step => {
            let layer = path.rsplit_once('.').map_or("", |(layer, _)| layer);
            Err(named(in_training("updates its running statistics"), layer))
        }
        _ => Ok(Built { graph, y, notes }),
    }
}

/// The graph of a module with the results of modules inside it as outputs, without the nodes that they do not need.
pub(super) fn build_with_outputs(module: &Build<'_>, x: Desc, outputs: &[&str]) -> Result<Built> {
    let mut built = build(module, x, false)?;
    for &name in outputs {
        let results = &built.notes.results;
        let found = results.iter().rev().find(|(path, _)| path == name).map(|(_, value)| *value);
        let value = found.or((name == "out").then_some(built.y)).ok_or_else(|| {
            let known: BTreeSet<&str> = results.iter().map(|(path, _)| path.as_str()).collect();
            Error::argument(format!("there is no module {name}; {}", names::existing("modules", name, known)))
        })?;
        built.graph.output(name, value);
    }
    built.graph.remove_dead();
    Ok(built)
}

fn in_training(what: &str) -> Error {
    let text = "call eval() first, or forward_train to take a training step";
    Error::argument(format!("the module is in training mode, where it {what}: {text}"))
}

fn named(e: Error, path: &str) -> Error {
    if path.is_empty() { e } else { e.at(path) }
}

impl Builder<'_> {
    /// A parameter of this module, or a buffer that does not change, as a constant. `name` is its name in the module's
    /// slots.
    ///
    /// # Errors
    /// The tensor is too large.
    pub fn constant(&mut self, name: &str, slot: &Slot) -> Result<ValueId> {
        #[cfg(not(target_arch = "wasm32"))]
        self.notes.numbers.insert(slot.tensor().data().address(), slot.number());
        self.graph.constant(format!("{}{name}", self.prefix), slot.tensor().clone())
    }
    /// A buffer of this module that training steps change, as an input.
    ///
    /// # Errors
    /// The tensor is too large.
    pub fn buffer(&mut self, name: &str, slot: &Slot) -> Result<ValueId> {
        self.graph.input(format!("{}{name}", self.prefix), slot.tensor().desc())
    }
    /// Declares that a training step sets this module's buffer `name` to `value`. [`Module::forward_train`] sets it;
    /// [`Module::forward`] then gives an error.
    pub fn update(&mut self, name: &str, value: ValueId) {
        self.notes.updates.push((format!("{}{name}", self.prefix), value));
    }
    /// Builds a child module; the names of its parameters and nodes start with `name`.
    ///
    /// # Errors
    /// Those of the child.
    pub fn child(&mut self, name: &str, module: &dyn Module, x: ValueId) -> Result<ValueId> {
        let outer = self.prefix.clone();
        self.prefix = format!("{outer}{name}.");
        self.graph.set_scope(self.prefix.clone());
        let y = module.build(self, x);
        self.graph.set_scope(outer.clone());
        self.prefix = outer;
        let y = y?;
        self.notes.results.push((format!("{}{name}", self.prefix), y));
        Ok(y)
    }
    /// Builds children one after another.
    ///
    /// # Errors
    /// Those of the children.
    pub fn chain(&mut self, x: ValueId, children: &[(&str, &dyn Module)]) -> Result<ValueId> {
        children.iter().try_fold(x, |x, (name, module)| self.child(name, *module, x))
    }
    /// Whether the pass is a training step: [`Module::forward_train`].
    pub fn is_training_step(&self) -> bool {
        self.training_step
    }
    /// The error of a module in training mode, where it does `what`, in a pass that is not a training step.
    pub(super) fn in_training(&self, what: &str) -> Error {
        self.named(in_training(what))
    }
    /// The error with the name of this module.
    pub(super) fn named(&self, e: Error) -> Error {
        named(e, self.prefix.trim_end_matches('.'))
    }
}
