//! `Sequential`: modules one after another.

use std::fmt;

use super::{Builder, Module, Slot, below};
use crate::error::Result;
use crate::graph::ValueId;

/// Modules one after another: each takes the result of the one before.
///
/// It is [torch.nn.Sequential](https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html). Names in the
/// state dict start with the module's position, or with the name that it was given, as in PyTorch's
/// `Sequential(OrderedDict(..))`.
///
/// ```
/// use convgpu::nn::{Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential};
/// use convgpu::{Device, Tensor};
///
/// let features = Sequential::new().with(Conv2d::new(1, 4, 3)).with(ReLU).with(MaxPool2d::new(2));
/// let net = Sequential::new()
///     .named("features", features)
///     .named("flatten", Flatten::new())
///     .named("classifier", Linear::new(4 * 13 * 13, 10));
/// assert_eq!(net.len(), 3);
/// assert!(net.state_dict().get("features.0.weight").is_some());
///
/// let x = Tensor::zeros([2, 1, 28, 28]).to_device(&Device::cpu())?;
/// assert_eq!(net.forward(&x)?.shape(), [2, 10]);
/// let features = net.get("features").unwrap();
/// assert_eq!(features.forward(&x)?.shape(), [2, 4, 13, 13]);
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Sequential(Vec<(String, Box<dyn Module>)>);

impl Sequential {
    /// Without modules: it returns its input.
    pub fn new() -> Sequential {
        Sequential::default()
    }
    /// Appends a module, named by its position.
    ///
    /// # Panics
    /// An earlier module has that name.
    #[must_use]
    pub fn with(self, module: impl Module + 'static) -> Sequential {
        let position = self.0.len().to_string();
        self.named(position, module)
    }
    /// Appends a module with a name.
    ///
    /// # Panics
    /// An earlier module has that name, or the name is empty or has a dot, which separates names in a state dict.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>, module: impl Module + 'static) -> Sequential {
        let name = name.into();
        assert!(!name.is_empty() && !name.contains('.'), "{name:?} cannot name a module");
        assert!(self.get(&name).is_none(), "a Sequential has two modules named {name:?}");
        self.0.push((name, Box::new(module)));
        self
    }
    /// The number of modules.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are no modules.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The module of this name. [`Module::graph_with_outputs`] gives results of modules at any depth.
    pub fn get(&self, name: &str) -> Option<&dyn Module> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, m)| m.as_ref())
    }
    /// The module of this name, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut dyn Module> {
        self.0.iter_mut().find(|(n, _)| n == name).map(|(_, m)| m.as_mut() as &mut dyn Module)
    }
    /// Names and modules, in order.
    pub fn named_children(&self) -> impl Iterator<Item = (&str, &dyn Module)> {
        self.0.iter().map(|(name, m)| (name.as_str(), m.as_ref()))
    }
}

/// The modules under their names, as PyTorch prints them.
impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sequential ")?;
        f.debug_map().entries(self.0.iter().map(|(name, m)| (name, m))).finish()
    }
}

impl Module for Sequential {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        self.0.iter().try_fold(x, |x, (name, m)| b.child(name, m, x))
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
