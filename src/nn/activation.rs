//! Activation layers: functions of every element.

use super::layers::layers;
use super::{Builder, Module, Slot};
use crate::attr::{self, Activation};
use crate::error::Result;
use crate::graph::ValueId;
use crate::options::Approximate;
use crate::tensor::Tensor;

macro_rules! activations {
    ($($(#[$doc:meta])* $name:ident = $function:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// The input has any shape, the output has the same.
        #[doc = concat!("It is [torch.nn.", stringify!($name), "](https://docs.pytorch.org/docs/stable/generated/torch.nn.", stringify!($name), ".html).")]
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name;

        impl $name {
            /// The layer; it has no options.
            pub fn new() -> $name {
                $name
            }
        }

        impl Module for $name {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                b.graph.activation(x, $function)
            }
        }
    )*};
}

activations! {
    /// `max(x, 0)`
    ReLU = Activation::Relu;
    /// `min(max(x, 0), 6)`
    ReLU6 = attr::RELU6;
    /// `scale x`, or `scale alpha (e^x - 1)` below 0, with scale 1.0507010 and alpha 1.6732632.
    SELU = attr::SELU;
    /// `1 / (1 + e^-x)`
    Sigmoid = Activation::Sigmoid;
    /// `(e^x - e^-x) / (e^x + e^-x)`
    Tanh = Activation::Tanh;
    /// `min(max(x / 6 + 1/2, 0), 1)`
    Hardsigmoid = attr::HARD_SIGMOID;
    /// `x min(max(x + 3, 0), 6) / 6`
    Hardswish = Activation::HardSwish;
    /// `x / (1 + e^-x)`
    SiLU = attr::SILU;
    /// `x tanh(log(1 + e^x))`
    Mish = Activation::Mish;
    /// `x / (1 + |x|)`
    Softsign = Activation::Softsign;
}

layers! {
    /// x, or `negative_slope x` below 0.
    ///
    /// The input has any shape, the output has the same.
    LeakyReLU {
        /// PyTorch's defaults.
        new();
        /// The slope below 0; 0.01 by default.
        negative_slope: f32 = 0.01;
    } |layer, graph, x| graph.activation(x, Activation::LeakyRelu { slope: layer.negative_slope });
    /// x, or `alpha (e^x - 1)` below 0.
    ///
    /// The input has any shape, the output has the same.
    ELU {
        /// PyTorch's defaults.
        new();
        /// The negated limit for x to minus infinity; 1 by default.
        alpha: f32 = 1.0;
    } |layer, graph, x| graph.activation(x, Activation::Elu { alpha: layer.alpha });
    /// x, or `alpha (e^(x / alpha) - 1)` below 0.
    ///
    /// The input has any shape, the output has the same.
    CELU {
        /// PyTorch's defaults.
        new();
        /// The negated limit for x to minus infinity; 1 by default.
        alpha: f32 = 1.0;
    } |layer, graph, x| graph.activation(x, Activation::Celu { alpha: layer.alpha });
    /// `x (1 + erf(x / sqrt 2)) / 2`, or the formula with the hyperbolic tangent.
    ///
    /// The input has any shape, the output has the same.
    GELU {
        /// PyTorch's defaults.
        new();
        /// Which formula; the exact one by default.
        approximate: Approximate = Approximate::None;
    } |layer, graph, x| graph.gelu(x, layer.approximate);
    /// `log(1 + e^(beta x)) / beta`, or x where `beta x` is above the threshold.
    ///
    /// The input has any shape, the output has the same.
    Softplus {
        /// PyTorch's defaults.
        new();
        /// The sharpness of the bend; 1 by default.
        beta: f32 = 1.0;
        /// The value of `beta x` above which the function is x; 20 by default.
        threshold: f32 = 20.0;
    } |layer, graph, x| graph.activation(x, Activation::Softplus { beta: layer.beta, threshold: layer.threshold });
    /// x above a threshold, elsewhere a value.
    ///
    /// The input has any shape, the output has the same.
    Threshold {
        /// The threshold, and the value for elements that are not above it.
        new(threshold: f32, value: f32);
    } |layer, graph, x| graph.threshold(x, layer.threshold, layer.value);
    /// The softmax along an axis: `e^x` divided by its sum.
    ///
    /// The input has any shape, the output has the same.
    Softmax {
        /// Along this axis; negative numbers count from the end.
        new(dim: i64);
    } |layer, graph, x| graph.softmax(x, layer.dim);
    /// The logarithm of [`Softmax`], computed without loss of digits: `x - log(sum of e^x)`.
    ///
    /// The input has any shape, the output has the same.
    LogSoftmax {
        /// Along this axis; negative numbers count from the end.
        new(dim: i64);
    } |layer, graph, x| graph.log_softmax(x, layer.dim);
}

/// x, or `weight x` below 0, with a learned weight: `[n, c, ..]` to the same.
///
/// It is [torch.nn.PReLU](https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html). The state is `weight`
/// `[num_parameters]`.
#[derive(Clone, Debug)]
pub struct PReLU {
    init: f32,
    weight: Slot,
}

impl PReLU {
    /// One weight, 0.25.
    pub fn new() -> PReLU {
        PReLU { init: 0.25, weight: Slot::parameter(Tensor::full([1], 0.25)) }
    }
    /// The number of weights: 1 (the default), or one per channel.
    #[must_use]
    pub fn num_parameters(mut self, num_parameters: usize) -> PReLU {
        self.weight.set(Tensor::full([num_parameters], self.init));
        self
    }
    /// The initial value of the weights; 0.25 by default.
    #[must_use]
    pub fn init(mut self, init: f32) -> PReLU {
        self.init = init;
        let shape = self.weight.tensor().shape().to_vec();
        self.weight.set(Tensor::full(shape, init));
        self
    }
}

impl Default for PReLU {
    fn default() -> PReLU {
        PReLU::new()
    }
}

impl Module for PReLU {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let weight = b.constant("weight", &self.weight)?;
        b.graph.prelu(x, weight)
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        vec![("weight".to_owned(), &self.weight)]
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        vec![("weight".to_owned(), &mut self.weight)]
    }
}

/// Any function of every element that [`Activation`] lists.
///
/// The input has any shape, the output has the same. `Activate(Activation::Exp)` is `torch.exp` as a layer.
#[derive(Clone, Copy, Debug)]
pub struct Activate(pub Activation);

impl Module for Activate {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.activation(x, self.0)
    }
}
