//! Activation layers: functions of every element.

use super::{Builder, Module};
use crate::error::Result;
use crate::graph::ValueId;
use crate::reference::activation::{self, Activation};

macro_rules! activations {
    ($($name:ident, $page:literal, $function:expr;)*) => {$(
        #[doc = concat!("<https://docs.pytorch.org/docs/stable/generated/torch.nn.", $page, ".html>")]
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name;
        impl Module for $name {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                b.graph.activation(x, $function)
            }
            fn describe(&self) -> String {
                stringify!($name).to_owned()
            }
        }
    )*};
}

activations! {
    ReLU, "ReLU", Activation::Relu;
    ReLU6, "ReLU6", activation::RELU6;
    SELU, "SELU", activation::SELU;
    GELU, "GELU", Activation::Gelu;
    Sigmoid, "Sigmoid", Activation::Sigmoid;
    Tanh, "Tanh", Activation::Tanh;
    Hardsigmoid, "Hardsigmoid", activation::HARD_SIGMOID;
    Hardswish, "Hardswish", Activation::HardSwish;
    SiLU, "SiLU", activation::SILU;
    Mish, "Mish", Activation::Mish;
    Softplus, "Softplus", activation::SOFTPLUS;
    Softsign, "Softsign", Activation::Softsign;
}

/// An activation with parameters, or any other function of every element:
/// `Activate(Activation::LeakyRelu { slope: 0.01 })` is `torch.nn.LeakyReLU()`, `Activation::Elu { alpha: 1.0 }` is `ELU`.
#[derive(Clone, Copy, Debug)]
pub struct Activate(pub Activation);

impl Module for Activate {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.activation(x, self.0)
    }
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}
