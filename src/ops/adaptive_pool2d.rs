//! `adaptive_avg_pool2d` and `adaptive_max_pool2d`: pooling into a given number of bins; one bin is global pooling.

use super::{Bounds, Op, Site, Variant, built_in, expect_f32, expect_image};
use crate::attr::PoolKind;
use crate::bound;
use crate::bound::{TINY, gamma};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, nested, params};
use crate::gpu::pieces::{FLAT, POOL_BIN, TEAM};
use crate::reference::adaptive_pool2d::{adaptive_avg_pool2d, adaptive_max_pool2d};
use crate::shape::{Desc, Layout, MAX_ELEMENTS};
use crate::tensor::Tensor;

static SERIAL: Kernel = kernel!("adaptive_pool2d", POOL_BIN, FLAT).by_values();
static SERIAL_C4: Kernel = kernel!("adaptive_pool2d_c4", "adaptive_pool2d", POOL_BIN, FLAT).by_blocks();
static TREE: Kernel = kernel!("adaptive_pool2d_tree", POOL_BIN, TEAM).by_values().sizes(&[("WIDTH", 1)]);
static TREE_C4: Kernel =
    kernel!("adaptive_pool2d_tree_c4", "adaptive_pool2d_tree", POOL_BIN, TEAM).by_blocks().sizes(&[("WIDTH", 8)]);

pub(super) const KERNELS: &[&Kernel] = &[&SERIAL, &SERIAL_C4, &TREE, &TREE_C4];

/// A workgroup reduces bins of at least this many pixels, an invocation smaller ones.
const TREE_TAPS: usize = 32;

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html>
///
/// Input: x `[n, c, ih, iw]`. Output `[n, c, output[0], output[1]]`: bin o of an axis covers its elements from
/// floor(o extent / bins) to ceil((o + 1) extent / bins).
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptivePool2d {
    /// Bins: vertical, horizontal.
    pub output: [usize; 2],
    /// How a bin is reduced.
    pub kind: PoolKind,
}

impl AdaptivePool2d {
    /// The most pixels of a bin along an axis: the quotient rounded down, and up to two more that it shares with other bins.
    fn largest_bin(&self, axis: usize, extent: usize) -> usize {
        let bins = self.output[axis];
        extent / bins + if extent.is_multiple_of(bins) { 0 } else { 2 }
    }

    fn largest_taps(&self, x: &[usize]) -> usize {
        self.largest_bin(0, x[2]) * self.largest_bin(1, x[3])
    }

    fn serial_iterations(&self, x: &[usize]) -> u64 {
        nested(&[self.largest_bin(0, x[2]), self.largest_bin(1, x[3])])
    }

    fn mean(&self, x: &Tensor) -> Vec<f64> {
        adaptive_avg_pool2d((x.f32s(), planes(x)), self.output)
    }

    fn row_major(&self, x: &[usize], tree: bool) -> Launch {
        let (n, ih, iw, [oh, ow]) = (x[0] * x[1], x[2], x[3], self.output);
        let params = params!(n, c: 1u32, ih, iw, oh, ow, empty: self.empty());
        match tree {
            true => {
                Launch::flat(&TREE, n * oh * ow * 64, params).iterations(nested(&[self.largest_taps(x).div_ceil(64)]))
            }
            false => Launch::flat(&SERIAL, n * oh * ow, params).iterations(self.serial_iterations(x)),
        }
    }

    fn channels_last(&self, x: &[usize], tree: bool) -> Launch {
        let (n, c, ih, iw, [oh, ow]) = (x[0], x[1], x[2], x[3], self.output);
        let params = params!(n, c, ih, iw, oh, ow, empty: self.empty());
        match tree {
            true => Launch::flat(&TREE_C4, n * oh * ow * c.div_ceil(32) * 64, params)
                .iterations(nested(&[self.largest_taps(x).div_ceil(8)])),
            false => {
                Launch::flat(&SERIAL_C4, n * oh * ow * c.div_ceil(4), params).iterations(self.serial_iterations(x))
            }
        }
    }

    fn empty(&self) -> f32 {
        match self.kind {
            PoolKind::Avg => 0.0,
            PoolKind::Max => f32::NEG_INFINITY,
        }
    }
}

/// The planes of an image `[n, c, h, w]`.
fn planes(x: &Tensor) -> [usize; 3] {
    let [n, c, h, w] = x.shape()[..] else { unreachable!("the shape rule holds") };
    [n * c, h, w]
}

impl Op for AdaptivePool2d {
    built_in!(output, kind);
    fn name(&self) -> &'static str {
        match self.kind {
            PoolKind::Avg => "adaptive_avg_pool2d",
            PoolKind::Max => "adaptive_max_pool2d",
        }
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        let [n, c, ih, iw] = expect_image(&inputs[0])?;
        let [oh, ow] = self.output;
        if [ih, iw, oh, ow].contains(&0) {
            return Err(Error::shape(format!("{oh} x {ow} bins of {ih} x {iw} pixels: none of these may be 0")));
        }
        let fits = |bins: usize, extent: usize| {
            bins.checked_add(1).and_then(|b| b.checked_mul(extent)?.checked_add(b)).is_some_and(|n| n < MAX_ELEMENTS)
        };
        if !fits(oh, ih) || !fits(ow, iw) {
            return Err(Error::unsupported(format!("{oh} x {ow} bins of {ih} x {iw} pixels: too many (2^31)")));
        }
        Ok(vec![Desc::f32([n, c, oh, ow])])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let y = match self.kind {
            PoolKind::Avg => self.mean(x).into_iter().map(|v| v as f32).collect(),
            PoolKind::Max => adaptive_max_pool2d((x.f32s(), planes(x)), self.output),
        };
        Ok(vec![Tensor::of([x.shape()[0], x.shape()[1], self.output[0], self.output[1]], y)])
    }
    /// The mean: gamma_(K + 6) mean |x|, for K additions in any order, the rounding of the divisor and a division of
    /// 2.5 ulp, which is 5 roundings; arguments and the result may be flushed. The maximum is a copy; only subnormal values may
    /// be flushed.
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![match self.kind {
            PoolKind::Avg => {
                let scale = gamma(self.largest_taps(inputs[0].shape()) + 6);
                self.mean(&inputs[0].map(f64::abs)).into_iter().map(|m| (m * scale + 2.0 * TINY) as f32).collect()
            }
            PoolKind::Max => bound::extremes(outputs[0].f32s()),
        }]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0].shape;
        let variants = |tree| {
            Variant::in_both_layouts(site, |layout| {
                let launch = match layout {
                    Layout::RowMajor => self.row_major(x, tree),
                    Layout::ChannelsLast => self.channels_last(x, tree),
                };
                let launch = launch.set("MAX", u8::from(self.kind == PoolKind::Max));
                vec![launch.reads([Arg::Input(0)]).writes([Arg::Output(0)])]
            })
        };
        let trees = if self.largest_taps(x) >= TREE_TAPS { variants(true) } else { vec![] };
        Ok(trees.into_iter().chain(variants(false)).collect())
    }
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        inputs[0].numel().max(outputs[0].numel()) as u64
    }
}
