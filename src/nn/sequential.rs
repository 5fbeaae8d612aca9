//! `Sequential`: modules one after another.

use super::{Builder, Module, Slot, below};
use crate::error::Result;
use crate::graph::ValueId;

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html>; state names start with the position, or
/// with the name that was given, as PyTorch's `Sequential(OrderedDict(..))`.
#[derive(Default)]
pub struct Sequential(Vec<(String, Box<dyn Module>)>);

impl Sequential {
    /// No modules yet.
    pub fn new() -> Sequential {
        Sequential::default()
    }
    /// Appends a module, named by its position.
    pub fn with(self, module: impl Module + 'static) -> Sequential {
        let position = self.0.len().to_string();
        self.named(position, module)
    }
    /// Appends a module under a name of its own.
    pub fn named(mut self, name: impl Into<String>, module: impl Module + 'static) -> Sequential {
        self.0.push((name.into(), Box::new(module)));
        self
    }
    /// Names and modules.
    pub fn named_children(&mut self) -> impl Iterator<Item = (&str, &mut Box<dyn Module>)> {
        self.0.iter_mut().map(|(name, m)| (name.as_str(), m))
    }
}

impl Module for Sequential {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        self.0.iter().try_fold(x, |x, (name, m)| b.child(name, m.as_ref(), x))
    }
    fn describe(&self) -> String {
        let children = self.0.iter().map(|(name, m)| format!("{name}={}", m.describe()));
        format!("[{}]", children.collect::<Vec<_>>().join(","))
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        self.0.iter().flat_map(|(name, m)| below(name, m.slots())).collect()
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        self.0.iter_mut().flat_map(|(name, m)| below(name, m.slots_mut())).collect()
    }
    fn set_training(&mut self, training: bool) {
        self.0.iter_mut().for_each(|(_, m)| m.set_training(training));
    }
}
