//! Linear layers, and the two that only pass on or reshape.

use super::conv::{weight_and_bias, weight_and_bias_mut};
use super::state::fan_in_uniform;
use super::{Builder, Module, Slot};
use crate::error::{Error, Result};
use crate::graph::ValueId;

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html>: `[.., in]` to `[.., out]`.
pub struct Linear {
    weight: Slot,
    bias: Option<Slot>,
}

impl Linear {
    /// With a bias.
    pub fn new(in_features: usize, out_features: usize) -> Linear {
        Linear {
            weight: fan_in_uniform(&[out_features, in_features], in_features),
            bias: Some(fan_in_uniform(&[out_features], in_features)),
        }
    }
    /// With or without a bias.
    pub fn bias(mut self, bias: bool) -> Linear {
        if !bias {
            self.bias = None;
        }
        self
    }
}

impl Module for Linear {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let weight = b.constant("weight", &self.weight)?;
        let bias = self.bias.as_ref().map(|s| b.constant("bias", s)).transpose()?;
        b.graph.linear(x, weight, bias)
    }
    fn describe(&self) -> String {
        "Linear".to_owned()
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        weight_and_bias(&self.weight, self.bias.as_ref())
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        weight_and_bias_mut(&mut self.weight, self.bias.as_mut())
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html>: axes 1 to the last become one.
#[derive(Clone, Copy, Debug)]
pub struct Flatten {
    start: i64,
    end: i64,
}

impl Flatten {
    /// From axis 1 to the last.
    pub fn new() -> Flatten {
        Flatten { start: 1, end: -1 }
    }
    /// From axis `start` to axis `end`, negative ones counting from the end.
    pub fn axes(start: i64, end: i64) -> Flatten {
        Flatten { start, end }
    }
}

impl Default for Flatten {
    fn default() -> Flatten {
        Flatten::new()
    }
}

impl Module for Flatten {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        b.graph.flatten(x, self.start, self.end)
    }
    fn describe(&self) -> String {
        format!("{self:?}")
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html>: passes its input on in evaluation. In
/// training it would draw random numbers, which this crate does not: there `forward` is an error unless p is 0.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    p: f32,
    training: bool,
}

impl Dropout {
    /// Drops with probability `p`.
    pub fn new(p: f32) -> Dropout {
        Dropout { p, training: true }
    }
}

impl Module for Dropout {
    fn build(&self, _: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        if self.training && self.p > 0.0 {
            return Err(Error::unsupported("Dropout in training mode is not supported: call eval() first"));
        }
        Ok(x)
    }
    fn describe(&self) -> String {
        format!("{self:?}")
    }
    fn set_training(&mut self, training: bool) {
        self.training = training;
    }
}
