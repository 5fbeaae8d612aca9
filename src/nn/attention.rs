//! Attention with several heads.

use super::linear::Dropout;
use super::state::Seed;
use super::{Builder, Module, Slot};
use crate::attr::{BinaryKind, PadMode};
#[cfg(not(target_arch = "wasm32"))]
use crate::device::DeviceTensor;
use crate::error::{Error, Result};
use crate::graph::ValueId;
use crate::graph::attention::{self, Heads, joined_heads, split_heads};
use crate::ops::concat::Concat;
use crate::ops::pad::Pad;
use crate::ops::split::Split;
use crate::shape::DType;
use crate::tensor::Tensor;

/// What [`MultiheadAttention`] is given: query, key and value, and perhaps masks. `T` is a value of a graph, or a tensor of a
/// device.
#[derive(Clone, Copy, Debug)]
pub struct AttentionInputs<T> {
    query: T,
    key: T,
    value: T,
    key_padding_mask: Option<T>,
    attn_mask: Option<T>,
    need_weights: bool,
    average_attn_weights: bool,
}

impl<T> AttentionInputs<T> {
    /// Without masks; the weights are wanted, their mean over the heads.
    pub fn new(query: T, key: T, value: T) -> AttentionInputs<T> {
        AttentionInputs {
            query,
            key,
            value,
            key_padding_mask: None,
            attn_mask: None,
            need_weights: true,
            average_attn_weights: true,
        }
    }
    /// `[batch, keys]`, `[keys]` of one sequence: booleans, true for the keys that no query sees, or f32 that are added to the
    /// products of each query with the key.
    #[must_use]
    pub fn key_padding_mask(mut self, mask: impl Into<Option<T>>) -> AttentionInputs<T> {
        self.key_padding_mask = mask.into();
        self
    }
    /// `[queries, keys]`, or `[batch * heads, queries, keys]`: booleans, true for the keys that a query does not see, or f32 that
    /// are added to the products.
    #[must_use]
    pub fn attn_mask(mut self, mask: impl Into<Option<T>>) -> AttentionInputs<T> {
        self.attn_mask = mask.into();
        self
    }
    /// Whether the weights are a result, too; true by default. It decides what a query gives that sees no key: NaN with them, 0
    /// without, as in PyTorch (but for its fast path of inference, whose result is NaN as well).
    #[must_use]
    pub fn need_weights(mut self, need_weights: bool) -> AttentionInputs<T> {
        self.need_weights = need_weights;
        self
    }
    /// Whether the weights are the mean over the heads; true by default.
    #[must_use]
    pub fn average_attn_weights(mut self, average_attn_weights: bool) -> AttentionInputs<T> {
        self.average_attn_weights = average_attn_weights;
        self
    }
}

/// Attention of several heads: each of them computes `softmax(q k^T / sqrt(size)) v` of its own linear maps of query, key and
/// value, and a last linear map joins the heads.
///
/// [`MultiheadAttention::forward_with`] takes query `[queries, batch, embed_dim]`, key `[keys, batch, kdim]` and value `[keys,
/// batch, vdim]`, or `[batch, queries, ..]` with `batch_first`, or all without a batch, and gives `[queries, batch, embed_dim]`
/// and the weights `[batch, queries, keys]`, or `[batch, num_heads, queries, keys]`. As a [`Module`] it is self-attention: its
/// input is query, key and value.
///
/// It is [torch.nn.MultiheadAttention](https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html) without the
/// hint `is_causal`: a causal mask is given as `attn_mask`. The state is `in_proj_weight` `[3 embed_dim, embed_dim]`, the maps of
/// query, key and value one below the other, or `q_proj_weight`, `k_proj_weight` and `v_proj_weight` if `kdim` or `vdim` differ;
/// `in_proj_bias`; with `add_bias_kv` `bias_k` and `bias_v`; `out_proj.weight` and `out_proj.bias`. Weights are drawn as PyTorch
/// draws them, biases of the maps are 0.
///
/// ```
/// use convgpu::nn::{AttentionInputs, Module, MultiheadAttention};
/// use convgpu::{Device, Tensor};
///
/// let attention = MultiheadAttention::new(8, 2).kdim(5).vdim(5).batch_first(true);
/// assert_eq!(attention.get_parameter("k_proj_weight")?.shape(), [8, 5]);
/// let device = Device::cpu();
/// let query = Tensor::zeros([3, 4, 8]).to_device(&device)?;
/// let key = Tensor::zeros([3, 6, 5]).to_device(&device)?;
/// // The last two keys of every sequence are padding.
/// let padding = Tensor::new([3, 6], [false, false, false, false, true, true].repeat(3))?.to_device(&device)?;
/// let inputs = AttentionInputs::new(&query, &key, &key).key_padding_mask(&padding);
/// let (y, weights) = attention.forward_with(inputs)?;
/// assert_eq!(y.shape(), [3, 4, 8]);
/// assert_eq!(weights.unwrap().to_host()?.as_f32()?[..6], [0.25, 0.25, 0.25, 0.25, 0.0, 0.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultiheadAttention {
    embed_dim: usize,
    num_heads: usize,
    kdim: usize,
    vdim: usize,
    bias: bool,
    add_bias_kv: bool,
    add_zero_attn: bool,
    batch_first: bool,
    dropout: Dropout,
    seed: Seed,
    /// In PyTorch's order.
    slots: Vec<(String, Slot)>,
}

/// The streams of the seed, one per parameter.
const IN_PROJ: u64 = 0;
const BIAS_K: u64 = 3;
const BIAS_V: u64 = 4;
const OUT_PROJ: u64 = 5;

impl MultiheadAttention {
    /// With biases, keys and values as long as the queries, and nothing added to them.
    pub fn new(embed_dim: usize, num_heads: usize) -> MultiheadAttention {
        let layer = MultiheadAttention {
            embed_dim,
            num_heads,
            kdim: embed_dim,
            vdim: embed_dim,
            bias: true,
            add_bias_kv: false,
            add_zero_attn: false,
            batch_first: false,
            dropout: Dropout::new(0.0),
            seed: Seed::draw(),
            slots: vec![],
        };
        layer.drawn()
    }
    /// The probability with which training drops a weight; 0 by default. As with [`Dropout`], a pass in training mode is an error
    /// if it is another.
    #[must_use]
    pub fn dropout(self, dropout: f32) -> MultiheadAttention {
        MultiheadAttention { dropout: Dropout::new(dropout), ..self }
    }
    /// Whether the linear maps have biases; true by default.
    #[must_use]
    pub fn bias(self, bias: bool) -> MultiheadAttention {
        MultiheadAttention { bias, ..self }.drawn()
    }
    /// Whether a learned key and value are appended to every sequence; false by default.
    #[must_use]
    pub fn add_bias_kv(self, add_bias_kv: bool) -> MultiheadAttention {
        MultiheadAttention { add_bias_kv, ..self }.drawn()
    }
    /// Whether a key and a value of zeros are appended to every sequence; false by default.
    #[must_use]
    pub fn add_zero_attn(self, add_zero_attn: bool) -> MultiheadAttention {
        MultiheadAttention { add_zero_attn, ..self }
    }
    /// The length of a key; `embed_dim` by default.
    #[must_use]
    pub fn kdim(self, kdim: usize) -> MultiheadAttention {
        MultiheadAttention { kdim, ..self }.drawn()
    }
    /// The length of a value; `embed_dim` by default.
    #[must_use]
    pub fn vdim(self, vdim: usize) -> MultiheadAttention {
        MultiheadAttention { vdim, ..self }.drawn()
    }
    /// Whether the batch is the first axis of inputs and result; false by default. Masks and weights are not changed.
    #[must_use]
    pub fn batch_first(self, batch_first: bool) -> MultiheadAttention {
        MultiheadAttention { batch_first, ..self }
    }

    /// Whether the maps of query, key and value are one parameter.
    fn is_packed(&self) -> bool {
        [self.kdim, self.vdim] == [self.embed_dim; 2]
    }

    /// The same with the parameters that the options ask for.
    fn drawn(mut self) -> MultiheadAttention {
        let (e, seed) = (self.embed_dim, self.seed);
        let zeros = |n: usize| Slot::parameter(Tensor::zeros([n]));
        let mut slots = match self.is_packed() {
            true => vec![("in_proj_weight", seed.xavier_uniform(IN_PROJ, [3 * e, e]))],
            false => {
                let lengths = [("q_proj_weight", e), ("k_proj_weight", self.kdim), ("v_proj_weight", self.vdim)];
                let drawn = |(k, (name, n))| (name, seed.xavier_uniform(IN_PROJ + k, [e, n]));
                (0..).zip(lengths).map(drawn).collect()
            }
        };
        slots.extend(self.bias.then(|| ("in_proj_bias", zeros(3 * e))));
        for (name, stream) in [("bias_k", BIAS_K), ("bias_v", BIAS_V)].into_iter().filter(|_| self.add_bias_kv) {
            slots.push((name, seed.normal(stream, &[1, 1, e], 1.0 / (e.max(1) as f32).sqrt())));
        }
        slots.push(("out_proj.weight", seed.fan_in_uniform(OUT_PROJ, &[e, e], e)));
        slots.extend(self.bias.then(|| ("out_proj.bias", zeros(e))));
        self.slots = slots.into_iter().map(|(name, slot)| (name.to_owned(), slot)).collect();
        self
    }

    /// The parameter of this name, if the layer has it.
    fn parameter(&self, b: &mut Builder<'_>, name: &str) -> Result<Option<ValueId>> {
        self.slots.iter().find(|(n, _)| n == name).map(|(_, slot)| b.constant(name, slot)).transpose()
    }

    /// The result for these inputs, and the weights if they are wanted, from tensors on a device. They stay there.
    ///
    /// # Errors
    /// As [`MultiheadAttention::build_with`]; the tensors are not on one device, which has no memory left or is lost.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn forward_with(&self, inputs: AttentionInputs<&DeviceTensor>) -> Result<(DeviceTensor, Option<DeviceTensor>)> {
        let AttentionInputs { query, key, value, key_padding_mask, attn_mask, need_weights, average_attn_weights } =
            inputs;
        // One tensor that is given three times is one input.
        let shared = std::ptr::eq(query, key) && std::ptr::eq(key, value);
        let others = [("key", key), ("value", value)];
        let masks = [("key_padding_mask", key_padding_mask), ("attn_mask", attn_mask)];
        let masks = masks.into_iter().filter_map(|(name, mask)| Some((name, mask?)));
        let given: Vec<_> =
            [("query", query)].into_iter().chain(others.into_iter().filter(|_| !shared)).chain(masks).collect();
        let mut results = super::forward_of(self.slots(), &given, |b, ids| {
            let mut ids = ids.iter().copied();
            let query = ids.next().expect("the query is given");
            let mut other = || if shared { query } else { ids.next().expect("it is given") };
            let inputs = AttentionInputs::new(query, other(), other());
            let mut mask = |given: Option<&DeviceTensor>| given.and_then(|_| ids.next());
            let inputs = inputs.key_padding_mask(mask(key_padding_mask)).attn_mask(mask(attn_mask));
            let inputs = inputs.need_weights(need_weights).average_attn_weights(average_attn_weights);
            let (y, weights) = self.build_with(b, inputs)?;
            Ok([("out", y)].into_iter().chain(weights.map(|weights| ("weights", weights))).collect())
        })?
        .into_iter();
        Ok((results.next().expect("there is a result"), results.next()))
    }

    /// Adds the nodes that compute the result for these inputs, and the weights if they are wanted.
    ///
    /// # Errors
    /// The shapes do not fit; `num_heads` does not divide `embed_dim`; in training mode with a probability of dropout.
    pub fn build_with(
        &self,
        b: &mut Builder<'_>,
        inputs: AttentionInputs<ValueId>,
    ) -> Result<(ValueId, Option<ValueId>)> {
        let AttentionInputs { query, key, value, .. } = inputs;
        let shapes = [query, key, value].map(|x| b.graph.shape(x).to_vec());
        let alone = shapes[0].len() == 2;
        self.check(&shapes, alone).map_err(|e| b.named(e))?;
        let batch_first = self.batch_first && !alone;
        let mut maps = self.projected(b, [query, key, value])?;
        for x in &mut maps {
            let shape = b.graph.shape(*x).to_vec();
            let x4 = if alone { b.graph.reshape(*x, [shape[0], 1, shape[1]])? } else { *x };
            *x = split_heads(b.graph, &x4, self.num_heads, batch_first)?;
        }
        let bias = self.masks(b, &inputs, maps)?;
        let [q, k, v] = maps;
        let (k, v) = (self.appended(b, k, "bias_k")?, self.appended(b, v, "bias_v")?);
        let heads = Heads::new(b.graph, q, k, v)?;
        let scores = heads.scores(b.graph, None)?;
        let scores = bias.map_or(Ok(scores), |bias| attention::biased(b.graph, &scores, &bias))?;
        // What is appended is seen by all queries.
        let may_see_nothing = bias.filter(|_| !inputs.need_weights && self.appendages() == 0);
        let without = may_see_nothing.map(|bias| attention::without_keys(b.graph, &bias)).transpose()?;
        let weights = attention::weights(b.graph, &scores, without.as_ref())?;
        let kept = self.dropout.build(b, weights)?;
        let y = heads.weighted(b.graph, &kept)?;
        let mut y = joined_heads(b.graph, &y, batch_first)?;
        if alone {
            y = b.graph.reshape(y, [shapes[0][0], self.embed_dim])?;
        }
        let weight = self.parameter(b, "out_proj.weight")?.expect("every layer has it");
        let bias = self.parameter(b, "out_proj.bias")?;
        let y = b.graph.linear(y, weight, bias)?;
        if !inputs.need_weights {
            return Ok((y, None));
        }
        let mut shown = kept;
        if inputs.average_attn_weights {
            shown = b.graph.mean(shown, &[1], false)?;
        }
        if alone {
            let shape = b.graph.shape(shown).to_vec();
            shown = b.graph.reshape(shown, &shape[1..])?;
        }
        Ok((y, Some(shown)))
    }

    fn check(&self, [q, k, v]: &[Vec<usize>; 3], alone: bool) -> Result<()> {
        let MultiheadAttention { embed_dim, num_heads, kdim, vdim, batch_first, .. } = *self;
        if num_heads == 0 || embed_dim == 0 || embed_dim % num_heads != 0 {
            let text = format!("{num_heads} heads of an attention over {embed_dim} numbers: they must divide them");
            return Err(Error::argument(text));
        }
        let batch = usize::from(!batch_first);
        let ends = [q, k, v].map(|shape| shape.last().copied());
        let fit = [q, k, v].iter().all(|shape| shape.len() == if alone { 2 } else { 3 })
            && ends == [Some(embed_dim), Some(kdim), Some(vdim)]
            && k[..k.len() - 1] == v[..v.len() - 1]
            && (alone || q[batch] == k[batch]);
        match fit {
            true => Ok(()),
            false => Err(Error::shape(format!(
                "attention over {embed_dim}, {kdim} and {vdim} numbers is given a query {q:?}, a key {k:?} and a value {v:?}"
            ))),
        }
    }

    /// The linear maps of query, key and value: of one and the same in one product.
    fn projected(&self, b: &mut Builder<'_>, inputs: [ValueId; 3]) -> Result<[ValueId; 3]> {
        let sizes = vec![self.embed_dim; 3];
        let packed = self.parameter(b, "in_proj_weight")?;
        let bias = self.parameter(b, "in_proj_bias")?;
        if let Some(weight) = packed.filter(|_| inputs == [inputs[0]; 3]) {
            let all = b.graph.linear(inputs[0], weight, bias)?;
            let parts = b.graph.split(all, &sizes[..], -1)?;
            return Ok([parts[0], parts[1], parts[2]]);
        }
        let rows = || Split { axis: 0, sizes: sizes.clone() };
        let weights = match packed {
            Some(weight) => b.graph.folded(rows(), &[weight])?,
            None => ["q_proj_weight", "k_proj_weight", "v_proj_weight"]
                .into_iter()
                .map(|name| Ok(self.parameter(b, name)?.expect("the maps are apart")))
                .collect::<Result<_>>()?,
        };
        let biases = bias.map(|bias| b.graph.folded(rows(), &[bias])).transpose()?;
        let mut maps = inputs;
        for (k, x) in maps.iter_mut().enumerate() {
            *x = b.graph.linear(*x, weights[k], biases.as_ref().map(|biases| biases[k]))?;
        }
        Ok(maps)
    }

    /// How many keys are appended to every sequence.
    fn appendages(&self) -> usize {
        usize::from(self.add_bias_kv) + usize::from(self.add_zero_attn)
    }

    /// Keys or values `[batch, heads, keys, size]` with the learned one and the zeros behind them.
    fn appended(&self, b: &mut Builder<'_>, x: ValueId, learned: &str) -> Result<ValueId> {
        let &[batch, heads, _, size] = b.graph.shape(x) else { unreachable!("it has four axes") };
        let mut all = vec![x];
        if let Some(learned) = self.parameter(b, learned)? {
            let one = b.graph.reshape(learned, [1, heads, 1, size])?;
            all.push(b.graph.expand(one, &[batch as i64, -1, -1, -1])?);
        }
        if self.add_zero_attn {
            all.push(b.graph.constant("zeros", Tensor::zeros([batch, heads, 1, size]))?);
        }
        if let [one] = all[..] { Ok(one) } else { b.graph.layer(Concat { axis: 2 }, &all) }
    }

    /// What the masks add to the scores `[batch, heads, queries, keys]`: nothing to those of the appended keys.
    fn masks(
        &self,
        b: &mut Builder<'_>,
        inputs: &AttentionInputs<ValueId>,
        [q, k, _]: [ValueId; 3],
    ) -> Result<Option<ValueId>> {
        let (&[batch, heads, queries, _], keys) = (b.graph.shape(q), b.graph.shape(k)[2]) else {
            unreachable!("it has four axes")
        };
        let (mut allowed, mut numbers) = (vec![], vec![]);
        let forms = |mask: Option<ValueId>, forms: Vec<(Vec<usize>, Vec<usize>)>| mask.map(|mask| (mask, forms));
        let padding = vec![(vec![batch, keys], vec![batch, 1, 1, keys]), (vec![keys], vec![1, 1, 1, keys])];
        // Without a batch the padding is of one sequence.
        let padding = padding.into_iter().skip(usize::from(b.graph.shape(inputs.query).len() == 2)).take(1).collect();
        let each = vec![
            (vec![queries, keys], vec![1, 1, queries, keys]),
            (vec![batch * heads, queries, keys], vec![batch, heads, queries, keys]),
        ];
        let given = [forms(inputs.key_padding_mask, padding), forms(inputs.attn_mask, each)];
        for (mask, forms) in given.into_iter().flatten() {
            let shape = b.graph.shape(mask).to_vec();
            let Some((_, wide)) = forms.iter().find(|(narrow, _)| *narrow == shape) else {
                let wanted: Vec<_> = forms.iter().map(|(narrow, _)| format!("{narrow:?}")).collect();
                let text = format!("attention with a mask {shape:?}: it must be {}", wanted.join(" or "));
                return Err(b.named(Error::shape(text)));
            };
            let mask = b.graph.reshape(mask, wide.clone())?;
            if b.graph.desc(mask).dtype == DType::Bool {
                let no = b.graph.constant("no", Tensor::of([], vec![false]))?;
                allowed.push(b.graph.binary(mask, no, BinaryKind::Equal)?);
            } else {
                numbers.push(mask);
            }
        }
        let bias = attention::bias(b.graph, allowed, numbers)?;
        let pad = |bias| {
            let pads = vec![[0, 0], [0, 0], [0, 0], [0, self.appendages() as i64]];
            b.graph.layer(Pad { pads, mode: PadMode::Constant(0.0) }, &[bias])
        };
        if self.appendages() == 0 { Ok(bias) } else { bias.map(pad).transpose() }
    }
}

/// Self-attention without masks.
impl Module for MultiheadAttention {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        Ok(self.build_with(b, AttentionInputs::new(x, x, x).need_weights(false))?.0)
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        self.slots.iter().map(|(name, slot)| (name.clone(), slot)).collect()
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        self.slots.iter_mut().map(|(name, slot)| (name.clone(), slot)).collect()
    }
    fn set_training(&mut self, training: bool) {
        self.dropout.set_training(training);
    }
}
