//! `conv2d`: two-dimensional cross-correlation.

mod depthwise;
mod gemm;
mod tiled;
mod winograd;

use rayon::prelude::*;

use super::geometry::{Blocks, Geometry};
use super::rows8::Rows8;
use super::tiled::Product;
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_inputs};
use crate::attr::{Pads, Window};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, Params, nested, params};
use crate::gpu::pieces::{self, BLOCKS, CONV, EPILOGUE_ROW, EPILOGUE1, EPILOGUE4, IMPLICIT, INDEX, ONE_TAP, REGISTERS};
use crate::reference::conv2d::{Convolution, conv2d};
use crate::reference::{TINY, gamma};
use crate::shape::{DType, Desc, Layout};
use crate::tensor::Tensor;

static DIRECT: Kernel = kernel!("conv2d_direct", EPILOGUE1);
static GEMM: Kernel = kernel!("conv2d_gemm", "problem/conv2d", IMPLICIT, EPILOGUE4, REGISTERS).floats();
static PACK: Kernel = kernel!("conv2d_pack", INDEX).floats();

static SLIDE: Kernel = kernel!("conv2d_slide", CONV, BLOCKS, EPILOGUE4).floats();
static SUBGROUP8: Kernel =
    kernel!("conv2d_subgroup8", "problem/conv2d", IMPLICIT, EPILOGUE4, pieces::SUBGROUP8).floats();
static DEPTHWISE: Kernel = kernel!("conv2d_depthwise", EPILOGUE4).floats();
static DEPTHWISE_PACK: Kernel = kernel!("conv2d_depthwise_pack", INDEX).floats();
static DEPTHWISE_PLANE: Kernel = kernel!("conv2d_depthwise_plane", EPILOGUE1).sizes(&[("SHIFTS", 3)]);
static BATCH_GEMM: Kernel = kernel!("gemm", "problem/gemm", pieces::GEMM, BLOCKS, ONE_TAP, EPILOGUE4, REGISTERS);
static POINTWISE_SUBGROUP8: Kernel =
    kernel!("conv2d_pointwise_subgroup8", "problem/pointwise", ONE_TAP, EPILOGUE_ROW, pieces::SUBGROUP8);
static BATCH_SUBGROUP8: Kernel =
    kernel!("gemm_subgroup8", "problem/gemm", pieces::GEMM, BLOCKS, ONE_TAP, EPILOGUE4, pieces::SUBGROUP8).floats();
static WINOGRAD_WEIGHT: Kernel = kernel!("conv2d_winograd_weight", INDEX);
static WINOGRAD_INPUT: Kernel = kernel!("conv2d_winograd_input", INDEX);
static WINOGRAD_OUTPUT: Kernel = kernel!("conv2d_winograd_output", EPILOGUE4);

pub(super) const KERNELS: &[&Kernel] = &[
    &DIRECT,
    &GEMM,
    &PACK,
    &SLIDE,
    &SUBGROUP8,
    &DEPTHWISE,
    &DEPTHWISE_PACK,
    &DEPTHWISE_PLANE,
    &BATCH_GEMM,
    &POINTWISE_SUBGROUP8,
    &BATCH_SUBGROUP8,
    &WINOGRAD_WEIGHT,
    &WINOGRAD_INPUT,
    &WINOGRAD_OUTPUT,
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

    fn direct(&self, site: &Site<'_>, g: &Geometry) -> Variant {
        let [kh, kw] = g.window.kernel;
        let launch = Launch::flat(&DIRECT, g.n * g.oc * g.oh * g.ow, g.row_major())
            .iterations(nested(&[g.ic / g.groups, kh, kw]))
            .reads([Arg::Input(0), Arg::Input(1)])
            .writes([Arg::Output(0)]);
        let launch = site.epilogue.attach(launch, g.oc, site.inputs, site.bias());
        Variant::row_major(site, vec![launch])
    }

    /// The implicit matrix products. They need whole blocks of four channels in every group.
    fn products(&self, site: &Site<'_>, g: &Geometry) -> Vec<Variant> {
        if !g.is_blocked() {
            return vec![];
        }
        let (Blocks { ic4, icg4, oc4, .. }, [kh, kw]) = (g.blocks(), g.window.kernel);
        let (pixels, iterations) = (g.n * g.oh * g.ow, nested(&[kh, kw, icg4]));
        let mut launches = vec![];
        if let Some(tile) = Rows8::implicit(site.caps, pixels, oc4, g.groups) {
            launches.push(tile.launch(&SUBGROUP8, 1, g.channels_last()).iterations(iterations));
        }
        // Slightly faster, but one more kernel to compile.
        if self.is_product(site)
            && let Some(tile) = Rows8::new(site.caps, pixels, oc4)
        {
            let product = Product { matrices: 1, rows: pixels, blocks: oc4, steps: ic4 };
            let launch = tile.launch(&BATCH_SUBGROUP8, 1, product.gemm());
            launches.push(launch.iterations(nested(&[ic4])));
        }
        let (pair, columns) = g.pairs();
        let gemm = Launch::flat(&GEMM, pixels.div_ceil(8) * columns, g.channels_last())
            .iterations(iterations)
            .set("PAIR", u8::from(pair));
        // Using a pixel for two blocks of channels saves as much as using it for several windows (measured on lavapipe); on
        // hardware more invocations are worth more (measured on NVIDIA).
        let slide = self.slide(g);
        launches.extend(
            if pair || !site.caps.software { [Some(gemm), slide] } else { [slide, Some(gemm)] }.into_iter().flatten(),
        );
        launches.into_iter().map(|launch| self.channels_last(site, launch, pack(&site.inputs[1].shape))).collect()
    }

    /// Needs windows of adjacent pixels that overlap.
    fn slide(&self, g: &Geometry) -> Option<Launch> {
        let ([kh, kw], Blocks { icg4, oc4, .. }) = (g.window.kernel, g.blocks());
        let step = self.step(1, kw);
        if step >= kw {
            return None;
        }
        let wide = g.ow > 8;
        let strips = g.ow.div_ceil(if wide { 16 } else { 8 });
        let iterations = nested(&[kh, icg4, step, kw.div_ceil(step)]);
        let launch = Launch::flat(&SLIDE, g.n * g.oh * strips * oc4, g.channels_last().having("step", step));
        Some(launch.iterations(iterations).set("WIDE", u8::from(wide)))
    }

    /// After this many taps along an axis a window reaches the start of the next output's window; `taps` if it never does.
    fn step(&self, axis: usize, taps: usize) -> usize {
        let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
        if stride.is_multiple_of(dilation) { stride / dilation } else { taps }
    }

    /// A variant with a channels-last image and a weight that is packed once. The last argument is the packing launch
    /// and its bytes.
    fn channels_last(&self, site: &Site<'_>, launch: Launch, (packing, bytes): (Launch, usize)) -> Variant {
        let launch = launch.reads([Arg::Input(0), Arg::Prepared(0)]).writes([Arg::Output(0)]);
        let launch = site.epilogue.attach(launch, site.outputs[0].shape[1], site.inputs, site.bias());
        let mut out = Variant::in_layout(site, Layout::ChannelsLast, vec![launch]).with_epilogue(site.epilogue);
        out.inputs[1..site.own_inputs()].fill(Layout::RowMajor);
        out.prepared = vec![bytes];
        out.prepare = vec![packing.reads([Arg::Input(1)]).writes([Arg::Prepared(0)])];
        out
    }
}

/// Weights as 4x4 blocks: the launch and the bytes it writes.
fn pack(weight: &[usize]) -> (Launch, usize) {
    let (oc, icg, taps) = (weight[0], weight[1], weight[2] * weight[3]);
    let columns = taps * icg.div_ceil(4) * oc.div_ceil(4) * 4;
    let launch = Launch { on_host: Some(packed), ..Launch::flat(&PACK, columns, params!(oc, icg, taps)) };
    (launch, columns * 16)
}

/// What `conv2d_pack` writes: `[tap, block of inputs, block of outputs]` of 4x4 blocks, in each an input's four outputs are
/// neighbours. A software adapter takes many times as long for it as the host.
fn packed(params: &Params, w: &[f32], out: &mut Vec<f32>) {
    let [oc, icg, taps] = ["oc", "icg", "taps"].map(|name| params.size(name));
    let (row, icg4) = (oc.div_ceil(4) * 16, icg.div_ceil(4));
    out.resize(taps * icg4 * row, 0.0);
    // For every block of inputs its rows, one per tap.
    let mut blocks: Vec<Vec<&mut [f32]>> = (0..icg4).map(|_| vec![]).collect();
    out.chunks_mut(row.max(1)).enumerate().for_each(|(i, row)| blocks[i % icg4].push(row));
    blocks.par_iter_mut().enumerate().for_each(|(block, rows)| {
        let first = block * 4;
        let inputs = icg.min(first + 4) - first;
        for (o, filters) in w.chunks(4 * icg * taps).enumerate() {
            if inputs < 4 || filters.len() < 4 * icg * taps {
                rows.iter_mut().for_each(|row| row[o * 16..][..16].fill(0.0));
            }
            // Four outputs' taps of these inputs; whole cache lines are read and written.
            for (lane, filter) in filters.chunks(icg * taps).enumerate() {
                for (input, taps) in filter[first * taps..][..inputs * taps].chunks(taps).enumerate() {
                    rows.iter_mut().zip(taps).for_each(|(row, &v)| row[o * 16 + input * 4 + lane] = v);
                }
            }
        }
    });
}

impl Op for Conv2d {
    built_in!(stride, padding, dilation, groups; EPILOGUE);
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 2..=3)?;
        let (x, w) = (&inputs[0], &inputs[1]);
        if let Some(d) = inputs.iter().find(|d| d.dtype != DType::F32) {
            return Err(Error::unsupported(format!("conv2d of {d} (f32 only)")));
        }
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
        let k: usize = inputs[1].shape()[1..].iter().product();
        let scale = gamma(k + 1);
        Ok(Some(vec![self.evaluate(&abs, |sum| (sum * scale + TINY) as f32)]))
    }

    fn bounds_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        match algorithm {
            Algorithm::Direct => self.bounds(inputs, outputs),
            Algorithm::Winograd => Ok(Some(vec![self.winograd_bounds(inputs)])),
        }
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let s = self.geometry(&site.inputs[0].shape, &site.inputs[1].shape)?;
        let direct = self.direct(site, &s);
        let (products, tiled) = (self.products(site, &s), self.tiled(site, &s));
        let tiles_first = super::tiled::come_first(site.caps, s.n * s.oh * s.ow, s.oc / self.groups);
        let mut ways = if tiles_first { [tiled, products] } else { [products, tiled] }.concat();
        let at = if self.winograd_pays(site, &s) { 0 } else { ways.len() };
        ways.splice(at..at, self.winograd(site, &s));
        let pointwise = self.pointwise(site, &s);
        let at = if site.is_channels_last(0) { ways.len() } else { 0 };
        ways.splice(at..at, pointwise);
        let depthwise = self.depthwise(site, &s);
        // An image of one channel is also depthwise, but kernels that use it for all filters are faster.
        Ok(match self.groups {
            1 => [ways, depthwise, vec![direct]].concat(),
            _ => [depthwise, ways, vec![direct]].concat(),
        })
    }

    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        let taps: usize = inputs[1].shape[1..].iter().product();
        2 * (outputs[0].numel() * taps) as u64
    }
}
