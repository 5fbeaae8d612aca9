//! `conv2d`: two-dimensional cross-correlation.

mod case;
mod depthwise;
mod direct;
mod pointwise;
mod rank;
mod registers;
mod slide;
mod subgroup;
mod winograd;
mod workgroup;

use self::case::Case;
use super::geometry::Geometry;
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_f32};
use crate::attr::{Pads, Window};
use crate::bound::{flushed_products, gamma};
use crate::error::{Error, Result};
use crate::gpu::kernel::Kernel;
use crate::reference::conv2d::{Convolution, conv2d};
use crate::shape::Desc;
use crate::tensor::Tensor;

pub(super) const KERNELS: &[&Kernel] = &[
    &depthwise::BLOCKS,
    &depthwise::PLANE,
    &direct::DIRECT,
    &pointwise::POINTWISE,
    &registers::GEMM,
    &slide::SLIDE,
    &subgroup::SUBGROUP8,
    &subgroup::BATCH_SUBGROUP8,
    &winograd::WEIGHT,
    &winograd::INPUT,
    &winograd::OUTPUT,
    &winograd::BATCH_REGISTERS,
];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html>
///
/// Inputs: x `[n, ic, ih, iw]`, weight `[oc, ic / groups, kh, kw]`, optionally bias `[oc]`. Output `[n, oc, oh, ow]`.
/// A linear layer is the case of a 1x1 image.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2d {
    /// Steps between outputs: vertical, horizontal.
    pub stride: [usize; 2],
    /// Zeros around the image.
    pub padding: Pads,
    /// Steps between taps: vertical, horizontal.
    pub dilation: [usize; 2],
    /// Channels are split into this many groups, each an independent convolution.
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Conv2d {
        Conv2d { stride: [1, 1], padding: [[0; 2]; 2], dilation: [1, 1], groups: 1 }
    }
}

impl Conv2d {
    fn window(&self, weight: &[usize]) -> Window {
        Window { kernel: [weight[2], weight[3]], stride: self.stride, padding: self.padding, dilation: self.dilation }
    }

    fn geometry(&self, x: &[usize], weight: &[usize]) -> Result<Geometry> {
        let window = self.window(weight);
        let fits = |axis| {
            window.outputs(axis, x[2 + axis]).ok_or_else(|| {
                Error::shape(format!(
                    "the window {weight:?} (dilation {:?}) exceeds the padded input {x:?}",
                    self.dilation
                ))
            })
        };
        let [oh, ow] = [fits(0)?, fits(1)?];
        Ok(Geometry { n: x[0], ic: x[1], ih: x[2], iw: x[3], oc: weight[0], oh, ow, window, groups: self.groups })
    }

    fn evaluate(&self, inputs: &[Tensor], round: impl Fn(f64) -> f32 + Sync) -> Vec<f32> {
        let (x, w) = (&inputs[0], &inputs[1]);
        let s = self.geometry(x.shape(), w.shape()).expect("the shape rule holds");
        let convolution = Convolution {
            x: (x.f32s(), [s.n, s.ic, s.ih, s.iw]),
            w: (w.f32s(), s.oc),
            bias: inputs.get(2).map(Tensor::f32s),
            window: self.window(w.shape()),
            groups: self.groups,
            size: [s.oh, s.ow],
        };
        conv2d(&convolution, round)
    }
}

/// K products and the bias.
fn roundings(inputs: &[Tensor]) -> usize {
    inputs[1].shape()[1..].iter().product::<usize>() + 1
}

impl Op for Conv2d {
    built_in!("conv2d": stride, padding, dilation, groups; EPILOGUE);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 2..=3)?;
        let (x, w) = (&inputs[0], &inputs[1]);
        if x.rank() != 4 || w.rank() != 4 {
            return Err(Error::shape("the input must be [n, c, h, w] and the weight [oc, ic / groups, kh, kw]"));
        }
        super::window::check(&self.window(&w.shape), &x.shape)?;
        let g = self.groups;
        if !w.shape[0].is_multiple_of(g) || Some(x.shape[1]) != w.shape[1].checked_mul(g) || g == 0 {
            let text = format!("{} input channels in {g} groups do not fit the weight {:?}", x.shape[1], w.shape);
            return Err(Error::shape(text));
        }
        if inputs.len() == 3 && inputs[2].shape != [w.shape[0]] {
            let text = format!("the bias {:?} must be [{}], one per output channel", inputs[2].shape, w.shape[0]);
            return Err(Error::shape(text));
        }
        let s = self.geometry(&x.shape, &w.shape)?;
        Ok(vec![Desc::f32([s.n, s.oc, s.oh, s.ow])])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y = self.evaluate(inputs, |sum| sum as f32);
        let shape = self.outputs(&inputs.iter().map(Tensor::desc).collect::<Vec<_>>())?.remove(0).shape;
        Ok(vec![Tensor::of(shape, y)])
    }

    /// |error| <= gamma_(K+1) (sum |x| |w| + |bias|) for any order of the K products and the bias (Higham 3.1).
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let abs: Vec<_> = inputs.iter().map(|t| t.map(f64::abs)).collect();
        let scale = gamma(roundings(inputs));
        let flushed = flushed_products(roundings(inputs), &inputs[0], &inputs[1]);
        Ok(Some(vec![self.evaluate(&abs, |sum| (sum * scale + flushed) as f32)]))
    }

    fn bounds_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        match algorithm {
            Algorithm::Direct | Algorithm::Serial => self.bounds(inputs, outputs),
            Algorithm::Winograd => {
                let geometry = self.geometry(inputs[0].shape(), inputs[1].shape())?;
                Ok(Some(vec![winograd::bounds(&geometry, inputs)]))
            }
        }
    }

    fn roundings_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor]) -> usize {
        if algorithm == Algorithm::Winograd { 1 } else { roundings(inputs) }
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let geometry = self.geometry(&site.inputs[0].shape, &site.inputs[1].shape)?;
        Ok(rank::variants(&Case { site, geometry }))
    }

    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        let taps: usize = inputs[1].shape[1..].iter().product();
        2 * (outputs[0].numel() * taps) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::caps::Caps;
    use crate::gpu::launch::Launch;
    use crate::ops::Epilogue;
    use crate::shape::{Layout, Precision};

    /// The kernels that a discrete GPU runs first.
    fn first(op: &Conv2d, x: [usize; 4], w: [usize; 4]) -> String {
        let inputs = [Desc::f32(x), Desc::f32(w)];
        let outputs = op.outputs(&inputs).unwrap();
        let caps = Caps { compute_units: 128, subgroup_size: Some(32), ..Caps::webgpu_default() };
        let (layouts, constant) = ([Layout::RowMajor; 2], [false, true]);
        let epilogue = &Epilogue::NONE;
        let site = Site {
            inputs: &inputs,
            outputs: &outputs,
            layouts: &layouts,
            constant: &constant,
            epilogue,
            precision: Precision::F32,
            caps: &caps,
        };
        let names = |l: &Launch| l.kernel.name;
        op.launches(&site).unwrap().remove(0).run.iter().map(names).collect::<Vec<_>>().join(" + ")
    }

    #[test]
    fn hardware_takes_tiles_by_shape() {
        let padded = Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() };
        let halved = Conv2d { stride: [2, 2], ..padded.clone() };
        let winograd = "conv2d_winograd_input + gemm_tiled + conv2d_winograd_output";
        assert_eq!(first(&padded, [32, 128, 56, 56], [128, 128, 3, 3]), winograd);
        assert_eq!(first(&halved, [32, 128, 56, 56], [128, 128, 3, 3]), "conv2d_tiled");
        assert_eq!(first(&halved, [1, 512, 14, 14], [512, 512, 3, 3]), "conv2d_tiled + split_k_sum");
        assert_eq!(first(&Conv2d::default(), [8, 64, 56, 56], [256, 64, 1, 1]), "gemm_tiled");
        assert_eq!(first(&Conv2d::default(), [1, 512, 1, 1], [1000, 512, 1, 1]), "gemv");
        assert!(!first(&padded, [1, 32, 224, 224], [3, 32, 3, 3]).contains("tiled"));
        let depthwise = Conv2d { groups: 64, ..padded };
        assert_eq!(first(&depthwise, [1, 64, 56, 56], [64, 1, 3, 3]), "conv2d_depthwise");
    }
}
