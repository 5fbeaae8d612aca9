//! Linear, and layers that only reshape or return their input.

use super::layers::{layers, slots_of};
use super::weights::Weights;
use super::{Builder, Module};
use crate::error::{Error, Result};
use crate::graph::ValueId;

/// `y = x weight^T + bias` over the last axis: `[.., in]` to `[.., out]`.
///
/// It is [torch.nn.Linear](https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html). The state is `weight`
/// `[out, in]` and `bias` `[out]`, drawn uniformly from +-1 / sqrt(in).
#[derive(Clone, Debug)]
pub struct Linear {
    weights: Weights,
}

impl Linear {
    /// With a bias.
    pub fn new(in_features: usize, out_features: usize) -> Linear {
        Linear { weights: Weights::new(&[out_features, in_features], out_features) }
    }
    /// With or without a bias; with one by default.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Linear {
        self.weights.have_bias(bias);
        self
    }
}

impl Module for Linear {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let (weight, bias) = self.weights.constants(b)?;
        b.graph.linear(x, weight, bias)
    }
    slots_of!(weights);
}

layers! {
    /// Merges axes into one: `[n, c, h, w]` becomes `[n, c h w]` by default.
    Flatten {
        /// From axis 1 to the last.
        new();
        /// The first of the axes; 1 by default. Negative numbers count from the end.
        start_dim: i64 = 1;
        /// The last of the axes; -1 by default. Negative numbers count from the end.
        end_dim: i64 = -1;
    } |layer, graph, x| graph.flatten(x, layer.start_dim, layer.end_dim);
}

/// The input as it is: `y = x`.
///
/// It is [torch.nn.Identity](https://docs.pytorch.org/docs/stable/generated/torch.nn.Identity.html).
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

impl Identity {
    /// The layer; it has no options.
    pub fn new() -> Identity {
        Identity
    }
}

impl Module for Identity {
    fn build(&self, _: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        Ok(x)
    }
}

/// `y = x` in evaluation. In training mode, where PyTorch sets random elements to 0, a pass is an error unless p is 0.
///
/// It is [torch.nn.Dropout](https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html) in evaluation mode.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    p: f32,
    training: bool,
}

impl Dropout {
    /// Drops an element with probability `p`; PyTorch's default is 0.5.
    pub fn new(p: f32) -> Dropout {
        Dropout { p, training: true }
    }
}

/// With PyTorch's default probability, 0.5.
impl Default for Dropout {
    fn default() -> Dropout {
        Dropout::new(0.5)
    }
}

impl Module for Dropout {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        if !(0.0..=1.0).contains(&self.p) {
            return Err(b.named(Error::argument(format!("dropout with probability {}: it must be in 0..=1", self.p))));
        }
        match self.training && self.p > 0.0 {
            false => Ok(x),
            true if b.is_training_step() => {
                let text = "training with dropout is not supported: call set_training(false) of this layer, or make it with p 0";
                Err(b.named(Error::unsupported(text)))
            }
            true => Err(b.in_training("drops elements out")),
        }
    }
    fn set_training(&mut self, training: bool) {
        self.training = training;
    }
}
