//! `Sequential`: modules one after another.

use super::{Builder, Module, Slot};
use crate::error::Result;
use crate::graph::ValueId;

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html>; state names start with the position.
#[derive(Default)]
pub struct Sequential(Vec<Box<dyn Module>>);

impl Sequential {
    /// No modules yet.
    pub fn new() -> Sequential {
        Sequential::default()
    }
    /// Appends a module.
    pub fn with(mut self, module: impl Module + 'static) -> Sequential {
        self.0.push(Box::new(module));
        self
    }
    /// The modules.
    pub fn modules(&mut self) -> &mut [Box<dyn Module>] {
        &mut self.0
    }
}

impl Module for Sequential {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        self.0.iter().enumerate().try_fold(x, |x, (i, m)| b.child(&i.to_string(), m.as_ref(), x))
    }
    fn describe(&self) -> String {
        format!("[{}]", self.0.iter().map(|m| m.describe()).collect::<Vec<_>>().join(","))
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        let mut out = vec![];
        for (i, m) in self.0.iter().enumerate() {
            out.extend(m.slots().into_iter().map(|(name, s)| (format!("{i}.{name}"), s)));
        }
        out
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        let mut out = vec![];
        for (i, m) in self.0.iter_mut().enumerate() {
            out.extend(m.slots_mut().into_iter().map(|(name, s)| (format!("{i}.{name}"), s)));
        }
        out
    }
    fn set_training(&mut self, training: bool) {
        self.0.iter_mut().for_each(|m| m.set_training(training));
    }
}
