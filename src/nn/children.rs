//! Modules made of modules: named children, as the attributes of a `torch.nn.Module`.

use super::{Builder, Module, Slot};
use crate::error::Result;
use crate::graph::ValueId;

/// The part of `impl Module` that follows from a struct's children: `describe`, `slots`, `slots_mut`, `set_training`.
///
/// Names the fields that are modules, in PyTorch's order: they are what state names start with. After a semicolon come
/// the fields (`Debug`) that else decide which nodes `build` adds.
///
/// ```
/// use convgpu::nn::{BatchNorm2d, Builder, Conv2d, Module};
/// use convgpu::{Result, graph::ValueId, ops::binary::BinaryKind};
///
/// struct Block {
///     conv: Conv2d,
///     norm: BatchNorm2d,
///     skip: bool,
/// }
///
/// impl Module for Block {
///     fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
///         let y = b.chain(x, &[("conv", &self.conv), ("norm", &self.norm)])?;
///         if self.skip { b.graph.binary(x, y, BinaryKind::Add) } else { Ok(y) }
///     }
///     convgpu::children!(conv, norm; skip);
/// }
///
/// let block = Block { conv: Conv2d::new(3, 3, 3).padding(1), norm: BatchNorm2d::new(3), skip: true };
/// assert_eq!(block.state_dict()[2].0, "norm.weight");
/// ```
#[macro_export]
macro_rules! children {
    ($($child:ident),+ $(; $($attribute:ident),+)?) => {
        fn describe(&self) -> String {
            let children = [$(format!("{}={}", stringify!($child), self.$child.describe())),+].join(",");
            let attributes: &[String] = &[$($(format!("{}={:?}", stringify!($attribute), self.$attribute)),+)?];
            format!("{}({children};{})", ::std::any::type_name::<Self>(), attributes.join(","))
        }
        fn slots(&self) -> Vec<(String, &$crate::nn::Slot)> {
            let mut slots = vec![];
            $(slots.extend($crate::nn::below(stringify!($child), self.$child.slots()));)+
            slots
        }
        fn slots_mut(&mut self) -> Vec<(String, &mut $crate::nn::Slot)> {
            let mut slots = vec![];
            $(slots.extend($crate::nn::below(stringify!($child), self.$child.slots_mut()));)+
            slots
        }
        fn set_training(&mut self, training: bool) {
            $(self.$child.set_training(training);)+
        }
    };
}

/// A child's slots under the names that its parent gives them.
#[doc(hidden)]
pub fn below<S>(child: &str, slots: Vec<(String, S)>) -> impl Iterator<Item = (String, S)> {
    slots.into_iter().map(move |(name, slot)| (format!("{child}.{name}"), slot))
}

/// A child that may be missing, as a shortcut that needs no convolution: then the input passes on.
impl<M: Module> Module for Option<M> {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        self.as_ref().map_or(Ok(x), |m| m.build(b, x))
    }
    fn describe(&self) -> String {
        self.as_ref().map_or("None".to_owned(), |m| m.describe())
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        self.as_ref().map_or(vec![], |m| m.slots())
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        self.as_mut().map_or(vec![], |m| m.slots_mut())
    }
    fn set_training(&mut self, training: bool) {
        if let Some(m) = self {
            m.set_training(training);
        }
    }
}
