//! Attention.

use super::{Graph, ValueId};
use crate::error::{Error, Result};
use crate::graph::attention::{self, Heads, NEVER};
use crate::options::AttentionOptions;
use crate::shape::{DType, checked_numel};
use crate::tensor::Tensor;

impl Graph {
    /// `softmax(scale q k' + mask) v`, a head at a time: q `[n, heads, queries, size]`, k `[n, heads, keys, size]` and v `[n,
    /// heads, keys, size of v]` to `[n, heads, queries, size of v]`, all without n as well. The mask broadcasts to `[n, heads,
    /// queries, keys]`: booleans say which keys a query sees, floats are added. A query that sees no key gives 0.
    ///
    /// # Errors
    /// The shapes do not fit each other; there is a mask and `is_causal`; a tensor is not f32.
    pub fn scaled_dot_product_attention(
        &mut self,
        query: ValueId,
        key: ValueId,
        value: ValueId,
        attn_mask: Option<ValueId>,
        options: AttentionOptions,
    ) -> Result<ValueId> {
        let alone = self.dims(query)?.len() == 3;
        let mut inputs = [query, key, value];
        for input in inputs.iter_mut().filter(|_| alone) {
            *input = self.with_axis(*input)?;
        }
        let [q, k, v] = inputs;
        let heads = Heads::new(self, q, k, v)?;
        let [of_queries, of_keys] = [q, k].map(|x| self.shape(x)[1]);
        if of_queries != of_keys && !options.enable_gqa {
            let text = format!("attention of {of_queries} heads to {of_keys} without enable_gqa");
            return Err(Error::shape(text));
        }
        let scores = heads.scores(self, options.scale)?;
        let (bias, without) = match (attn_mask, options.is_causal) {
            (Some(_), true) => return Err(Error::argument("attention takes a mask or is_causal, not both")),
            (Some(mask), false) => {
                let bias = self.mask(mask)?;
                (Some(bias), Some(attention::without_keys(self, &bias)?))
            }
            // Every query sees the first key.
            (None, true) => (Some(self.causal(self.shape(q)[2], self.shape(k)[2])?), None),
            (None, false) => (None, None),
        };
        let scores = bias.map_or(Ok(scores), |bias| attention::biased(self, &scores, &bias))?;
        let weights = attention::weights(self, &scores, without.as_ref())?;
        let y = heads.weighted(self, &weights)?;
        let shape = self.shape(y).to_vec();
        if alone { self.reshape(y, &shape[1..]) } else { Ok(y) }
    }

    /// `[1, ..]`
    fn with_axis(&mut self, x: ValueId) -> Result<ValueId> {
        let shape = [&[1], self.dims(x)?].concat();
        self.reshape(x, shape)
    }

    /// What a mask adds to the scores.
    fn mask(&mut self, mask: ValueId) -> Result<ValueId> {
        if self.dims(mask)?.len() < 2 {
            return Err(Error::shape(format!("attention with a mask {}: it takes two axes or more", self.desc(mask))));
        }
        let (allowed, numbers) = match self.desc(mask).dtype {
            DType::Bool => (vec![mask], vec![]),
            _ => (vec![], vec![mask]),
        };
        Ok(attention::bias(self, allowed, numbers)?.expect("there is a mask"))
    }

    /// Minus infinity for the keys after the query of the same number.
    fn causal(&mut self, queries: usize, keys: usize) -> Result<ValueId> {
        let shape = [queries, keys];
        if checked_numel(&shape).is_none() {
            return Err(Error::unsupported(format!("a causal mask {shape:?}: it has 2^31 elements or more")));
        }
        crate::memory::afford(4 * (queries * keys) as u64, || format!("a causal mask {shape:?}"))?;
        let at = |i: usize| if i % keys <= i / keys { 0.0 } else { NEVER };
        self.constant("causal", Tensor::of(shape, (0..queries * keys).map(at).collect::<Vec<f32>>()))
    }
}
