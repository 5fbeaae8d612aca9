//! Modules that consist of modules: named children, as the attributes of a `torch.nn.Module`.

use super::{Builder, Module, Slot};
use crate::error::Result;
use crate::graph::ValueId;

/// The part of `impl Module` that follows from the fields of a struct that are modules: `slots`, `slots_mut`, `set_training`.
///
/// Takes the fields in PyTorch's order. The names in a state dict start with their names. [`Module`] has an example.
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

/// What makes a module in a box `Clone`. Every module that is `Clone` has it; programs do not implement it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the module `{Self}` is not `Clone`",
    label = "a module is `Clone`",
    note = "add `#[derive(Clone)]` to the module"
)]
pub trait CloneModule {
    fn clone_module(&self) -> Box<dyn Module>;
}

impl<M: Module + Clone + 'static> CloneModule for M {
    fn clone_module(&self) -> Box<dyn Module> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Module> {
    fn clone(&self) -> Box<dyn Module> {
        // Not that of the box, which is a module too.
        (**self).clone_module()
    }
}

/// An optional child, for example a shortcut with or without a convolution. `None` returns its input.
impl<M: Module + Clone + 'static> Module for Option<M> {
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

impl<M: Module + ?Sized + 'static> Module for Box<M>
where
    Box<M>: Clone,
{
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
