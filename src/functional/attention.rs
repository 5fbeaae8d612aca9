//! Attention.

use super::eager::{Given, run};
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::options::AttentionOptions;

/// What every query finds among the keys: `softmax(scale q k^T + mask) v`, a head at a time.
///
/// The query is `[n, heads, queries, size]`, the key `[n, heads, keys, size]`, the value `[n, heads, keys, size of v]`, and the
/// result `[n, heads, queries, size of v]`; all four may be without n. With `enable_gqa` key and value may have fewer heads,
/// whose number divides that of the query: head k of them serves the heads from `k heads / fewer` on.
///
/// The mask has two axes or more and broadcasts to `[n, heads, queries, keys]`. Booleans say which keys a query sees (in
/// [`nn::MultiheadAttention`](crate::nn::MultiheadAttention) which it does not see, as in PyTorch); f32 are added to the scaled
/// products, minus infinity hides a key. A query that sees no key gives 0, as in PyTorch 2.5 and later.
///
/// There is no dropout. Of the batch and of the heads nothing is broadcast, which PyTorch does.
/// [torch.nn.functional.scaled_dot_product_attention](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html)
///
/// ```
/// use convgpu::functional::{AttentionOptions, scaled_dot_product_attention};
/// use convgpu::{Device, Tensor};
///
/// let device = Device::cpu();
/// // One head, two queries of one number, two keys: equal products give the mean of the values.
/// let q = Tensor::zeros([1, 1, 2, 1]).to_device(&device)?;
/// let v = Tensor::new([1, 1, 2, 1], vec![2.0f32, 6.0])?.to_device(&device)?;
/// let y = scaled_dot_product_attention(&q, &q, &v, None, AttentionOptions::new())?;
/// assert_eq!(y.to_host()?.as_f32()?, [4.0, 4.0]);
/// // The first query sees the first key only.
/// let y = scaled_dot_product_attention(&q, &q, &v, None, AttentionOptions::new().is_causal(true))?;
/// assert_eq!(y.to_host()?.as_f32()?, [2.0, 4.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// Query, key and value do not have these shapes; the mask does not broadcast to the scores; there is a mask and `is_causal`;
/// a tensor is not f32, or the mask neither f32 nor boolean.
pub fn scaled_dot_product_attention(
    query: &DeviceTensor,
    key: &DeviceTensor,
    value: &DeviceTensor,
    attn_mask: Option<&DeviceTensor>,
    options: AttentionOptions,
) -> Result<DeviceTensor> {
    let given = Given::new(&[Some(query), Some(key), Some(value), attn_mask]);
    run(&given.tensors, |g, ids| {
        let mask = given.values(ids)[3];
        g.scaled_dot_product_attention(ids[0], ids[1], ids[2], mask, options)
    })
}
