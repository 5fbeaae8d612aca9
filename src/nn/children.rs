//! Modules made of modules: named children, as the attributes of a `torch.nn.Module`.

use super::{Builder, Module, Slot};
use crate::error::Result;
use crate::graph::ValueId;

/// The part of `impl Module` that follows from a struct's fields which are modules: `slots`, `slots_mut`, `set_training`.
///
/// Names the fields in PyTorch's order: they are what the names in a state dict start with. [`Module`] has an example.
#[doc(hidden)]
#[macro_export]
macro_rules! __children {
    ($($child:ident),+ $(,)?) => {
        fn slots(&self) -> ::std::vec::Vec<(::std::string::String, &$crate::nn::Slot)> {
            let mut slots = ::std::vec![];
            $(slots.extend($crate::nn::below(stringify!($child), $crate::nn::Module::slots(&self.$child)));)+
            slots
        }
        fn slots_mut(&mut self) -> ::std::vec::Vec<(::std::string::String, &mut $crate::nn::Slot)> {
            let mut slots = ::std::vec![];
            $(slots.extend($crate::nn::below(stringify!($child), $crate::nn::Module::slots_mut(&mut self.$child)));)+
            slots
        }
        fn set_training(&mut self, training: bool) {
            $($crate::nn::Module::set_training(&mut self.$child, training);)+
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

impl<M: Module + ?Sized> Module for Box<M> {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        (**self).build(b, x)
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        (**self).slots()
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        (**self).slots_mut()
    }
    fn set_training(&mut self, training: bool) {
        (**self).set_training(training);
    }
}
