//! Weight and bias of convolution and linear layers.

use super::state::{Seed, have};
use super::{Builder, Slot};
use crate::error::Result;
use crate::graph::ValueId;

/// A weight and an optional bias, both drawn from one seed, so that the layer's options may be set in any order.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    weight: Slot,
    bias: Option<Slot>,
    outputs: usize,
    seed: Seed,
}

/// The streams of a seed, one per parameter.
const WEIGHT: u64 = 0;
const BIAS: u64 = 1;

/// PyTorch's fan-in of a weight: the product of all axes but the first. For a transposed convolution these are outputs.
fn fan_in(weight: &[usize]) -> usize {
    weight[1..].iter().product()
}

impl Weights {
    /// A weight of this shape, and a bias of `outputs` numbers.
    pub fn new(shape: &[usize], outputs: usize) -> Weights {
        let seed = Seed::draw();
        let weight = seed.fan_in_uniform(WEIGHT, shape, fan_in(shape));
        let mut weights = Weights { weight, bias: None, outputs, seed };
        weights.have_bias(true);
        weights
    }

    /// With or without a bias.
    pub fn have_bias(&mut self, wanted: bool) {
        let (seed, outputs, fan_in) = (self.seed, self.outputs, fan_in(self.weight.tensor().shape()));
        have(&mut self.bias, wanted, || seed.fan_in_uniform(BIAS, &[outputs], fan_in));
    }

    /// Draws both again if the shape differs.
    pub fn have_shape(&mut self, shape: &[usize]) {
        if self.weight.tensor().shape() == shape {
            return;
        }
        self.weight = self.seed.fan_in_uniform(WEIGHT, shape, fan_in(shape));
        if self.bias.take().is_some() {
            self.have_bias(true);
        }
    }

    pub fn constants(&self, b: &mut Builder<'_>) -> Result<(ValueId, Option<ValueId>)> {
        let weight = b.constant("weight", &self.weight)?;
        Ok((weight, self.bias.as_ref().map(|s| b.constant("bias", s)).transpose()?))
    }

    pub fn slots(&self) -> Vec<(String, &Slot)> {
        let bias = self.bias.iter().map(|s| ("bias".to_owned(), s));
        [("weight".to_owned(), &self.weight)].into_iter().chain(bias).collect()
    }

    pub fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        let bias = self.bias.iter_mut().map(|s| ("bias".to_owned(), s));
        [("weight".to_owned(), &mut self.weight)].into_iter().chain(bias).collect()
    }
}
