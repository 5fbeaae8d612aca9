//! `local_response_norm`: normalises every value by the neighbouring channels.

use super::{Bounds, Op, Site, Variant, built_in, expect_f32};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, nested, params};
use crate::gpu::pieces::FLAT;
use crate::reference::local_response_norm::Formula;
use crate::shape::Desc;
use crate::tensor::Tensor;

static LOCAL_RESPONSE_NORM: Kernel = kernel!("local_response_norm", FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&LOCAL_RESPONSE_NORM];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.local_response_norm.html>
///
/// `y = x (k + alpha / size sum x^2)^-beta`, the sum over `size` neighbouring channels; missing channels are 0. Input:
/// x `[n, c, spatial..]`. Output: y, shaped like x.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalResponseNorm {
    /// Channels of the window.
    pub size: usize,
    /// The number of channels below the value's own; the frameworks differ if `size` is even.
    pub before: usize,
    /// The weight of the mean square of the window.
    pub alpha: f32,
    /// The exponent.
    pub beta: f32,
    /// Added to the weighted mean square; above 0.
    pub k: f32,
}

impl LocalResponseNorm {
    /// PyTorch's window: for an even size one more channel lies below.
    pub fn pytorch(size: usize, alpha: f32, beta: f32, k: f32) -> LocalResponseNorm {
        LocalResponseNorm { size, before: size / 2, alpha, beta, k }
    }
    /// ONNX's window: for an even size one more channel lies above.
    pub fn onnx(size: usize, alpha: f32, beta: f32, k: f32) -> LocalResponseNorm {
        LocalResponseNorm { size, before: size.saturating_sub(1) / 2, alpha, beta, k }
    }

    fn formula(&self) -> Formula {
        let LocalResponseNorm { size, before, alpha, beta, k } = *self;
        Formula { size, before, alpha: alpha.into(), beta: beta.into(), k: k.into() }
    }
}

/// Channels and values of a channel.
fn extents(x: &[usize]) -> [usize; 2] {
    [x[1], x[2..].iter().product()]
}

impl Op for LocalResponseNorm {
    built_in!("local_response_norm": size, before, alpha, beta, k);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if x.rank() < 2 {
            return Err(Error::shape(format!("local_response_norm needs [n, c, ..], has {x}")));
        }
        if self.size == 0 || self.before >= self.size || self.size > 1 << 20 {
            return Err(Error::argument("the window must have 1 to 2^20 channels, the value's own among them"));
        }
        if !(self.k > 0.0 && self.alpha >= 0.0) {
            return Err(Error::unsupported("local_response_norm with k not above 0 or alpha below 0"));
        }
        Ok(vec![x.clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let y = self.formula().apply(x.f32s(), extents(x.shape()));
        Ok(vec![Tensor::of(x.shape(), y.into_iter().map(|v| v as f32).collect::<Vec<_>>())])
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let x = &inputs[0];
        let bounds = self.formula().bounds(x.f32s(), extents(x.shape()));
        Ok(Some(vec![bounds.into_iter().map(|b| b as f32).collect()]))
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0].shape;
        let (n, [c, area]) = (x[0], extents(x));
        let LocalResponseNorm { size, before, alpha, beta, k } = *self;
        let scale = alpha / size as f32;
        let launch =
            Launch::flat(&LOCAL_RESPONSE_NORM, n * c * area, params!(n, c, area, size, before, scale, beta, k));
        Ok(vec![Variant::single(site, launch.iterations(nested(&[size.min(c)])))])
    }

    /// The window's squares and sums, and a power.
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        (inputs[0].numel() * (2 * self.size + 5)) as u64
    }
}
