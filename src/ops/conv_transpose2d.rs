//! `conv_transpose2d`: the transpose of a two-dimensional convolution, which enlarges an image.

use super::geometry::{Blocks, Geometry};
use super::packing::pack_transposed;
use super::rows8::Rows8;
use super::window::MAX_EXTENT;
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_f32};
use crate::attr::{Pads, Window};
use crate::bound::{flushed_products, gamma};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, FLAT_WORKGROUP, Launch, nested};
use crate::gpu::pieces::{self, EPILOGUE1, EPILOGUE4, FLAT, IMPLICIT, REGISTERS};
use crate::reference;
use crate::shape::Desc;
use crate::tensor::Tensor;

static DIRECT: Kernel = kernel!("conv_transpose2d_direct", pieces::DIRECT, EPILOGUE1, FLAT);
static GEMM: Kernel =
    kernel!("conv_transpose2d_gemm", "problem/conv_transpose2d", IMPLICIT, EPILOGUE4, REGISTERS).floats();
static SUBGROUP8: Kernel =
    kernel!("conv_transpose2d_subgroup8", "problem/conv_transpose2d", IMPLICIT, EPILOGUE4, pieces::SUBGROUP8).floats();

pub(super) const KERNELS: &[&Kernel] = &[&DIRECT, &GEMM, &SUBGROUP8];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html>
///
/// Inputs: x `[n, ic, ih, iw]`, weight `[ic, oc / groups, kh, kw]`, optionally bias `[oc]`. Output `[n, oc, oh, ow]` with
/// `oh = (ih - 1) stride - padding before and after + dilation (kh - 1) + output_padding + 1`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose2d {
    /// Steps between the windows of neighbouring inputs: vertical, horizontal.
    pub stride: [usize; 2],
    /// Rows and columns cut off the output.
    pub padding: Pads,
    /// Rows and columns added at the output's bottom and right.
    pub output_padding: [usize; 2],
    /// Steps between taps: vertical, horizontal.
    pub dilation: [usize; 2],
    /// Channels are split into this many groups, each an independent convolution.
    pub groups: usize,
}

impl Default for ConvTranspose2d {
    fn default() -> ConvTranspose2d {
        ConvTranspose2d { stride: [1, 1], padding: [[0; 2]; 2], output_padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl ConvTranspose2d {
    fn window(&self, weight: &[usize]) -> Window {
        Window { kernel: [weight[2], weight[3]], stride: self.stride, padding: self.padding, dilation: self.dilation }
    }

    fn geometry(&self, x: &[usize], weight: &[usize]) -> Result<Geometry> {
        let window = self.window(weight);
        let extent = |axis: usize| {
            let [before, after] = window.padding[axis];
            let scattered = x[2 + axis].checked_sub(1).map(|last| last * self.stride[axis] + window.span(axis));
            let whole = scattered.and_then(|s| s.checked_add(self.output_padding[axis])?.checked_sub(before + after));
            whole.filter(|o| (1..=MAX_EXTENT).contains(o)).ok_or_else(|| {
                Error::shape(format!("the padding {:?} leaves nothing, or too much, for input {x:?}", self.padding))
            })
        };
        let oc = weight[1].saturating_mul(self.groups);
        let [oh, ow] = [extent(0)?, extent(1)?];
        Ok(Geometry { n: x[0], ic: x[1], ih: x[2], iw: x[3], oc, oh, ow, window, groups: self.groups })
    }

    fn evaluate(&self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Vec<f64> {
        let s = self.geometry(x.shape(), w.shape()).expect("the shape rule holds");
        let (image, weight) = ((x.f32s(), [s.n, s.ic, s.ih, s.iw]), (w.f32s(), s.oc));
        let window = self.window(w.shape());
        let bias = bias.map(Tensor::f32s);
        reference::conv_transpose2d::conv_transpose2d(image, weight, bias, &window, self.groups, [s.oh, s.ow])
    }

    fn direct(&self, site: &Site<'_>, g: &Geometry) -> Variant {
        let [kh, kw] = g.window.kernel;
        let launch = Launch::flat(&DIRECT, g.n * g.oc * g.oh * g.ow, g.row_major())
            .iterations(nested(&[kh, kw, g.ic / g.groups]))
            .reads([Arg::Input(0), Arg::Input(1)])
            .writes([Arg::Output(0)]);
        Variant::row_major(site, vec![site.epilogue.attach(launch, g.oc, site.inputs, site.bias())])
    }

    /// The products of every phase. They need whole blocks of four channels in every group.
    fn products(&self, site: &Site<'_>, g: &Geometry) -> Vec<Variant> {
        if !g.is_blocked() || g.n * g.ic * g.oc == 0 {
            return vec![];
        }
        let (Blocks { icg4, oc4, .. }, [kh, kw], [sy, sx]) = (g.blocks(), g.window.kernel, self.stride);
        let params = g.channels_last();
        let (phases, pixels) = (sy * sx, g.n * g.oh.div_ceil(sy) * g.ow.div_ceil(sx));
        let subgroups = Rows8::implicit(site.caps, pixels, oc4, self.groups);
        // Loops run over every tap, and over the channels for the taps that belong to the phase.
        let met =
            |axis: usize, taps: usize| taps.div_ceil(self.stride[axis] / gcd(self.stride[axis], self.dilation[axis]));
        let iterations = |phases: usize| {
            let met = phases.saturating_mul(met(0, kh) * met(1, kw)).min(kh * kw);
            nested(&[kh, kw, 0]) + (met * (icg4 + 4)) as u64
        };
        let subgroups = subgroups.map(|tile| tile.launch(&SUBGROUP8, phases, params.clone()).iterations(iterations(1)));
        let (pair, columns) = g.pairs();
        let of_phase = pixels.div_ceil(8) * columns;
        let gemm = Launch::flat(&GEMM, phases * of_phase, params)
            .iterations(iterations(FLAT_WORKGROUP.div_ceil(of_phase) + 1))
            .set("PAIR", u8::from(pair));
        let variant = |launch: Launch| {
            let launch = launch.reads([Arg::Input(0), Arg::Prepared(0)]).writes([Arg::Output(0)]);
            let launch = site.epilogue.attach(launch, g.oc, site.inputs, site.bias());
            let (packing, bytes) = pack_transposed(g);
            Variant::with_packed_weight(site, vec![launch], packing, bytes)
        };
        subgroups.into_iter().chain([gemm]).map(variant).collect()
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl ConvTranspose2d {
    /// At most K products and the bias.
    fn roundings(&self, inputs: &[Tensor]) -> usize {
        let w = inputs[1].shape();
        w[0] / self.groups * w[2] * w[3] + 1
    }
}

impl Op for ConvTranspose2d {
    built_in!("conv_transpose2d": stride, padding, output_padding, dilation, groups; EPILOGUE);

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 2..=3)?;
        let (x, w) = (&inputs[0], &inputs[1]);
        if x.rank() != 4 || w.rank() != 4 {
            return Err(Error::shape("the input must be [n, c, h, w] and the weight [ic, oc / groups, kh, kw]"));
        }
        super::window::check(&self.window(&w.shape), &x.shape)?;
        if self.groups == 0 || !x.shape[1].is_multiple_of(self.groups) || x.shape[1] != w.shape[0] {
            let text =
                format!("{} input channels in {} groups do not fit the weight {:?}", x.shape[1], self.groups, w.shape);
            return Err(Error::shape(text));
        }
        let s = self.geometry(&x.shape, &w.shape)?;
        if inputs.len() == 3 && inputs[2].shape != [s.oc] {
            let text = format!("the bias {:?} must be [{}], one per output channel", inputs[2].shape, s.oc);
            return Err(Error::shape(text));
        }
        Ok(vec![Desc::f32([s.n, s.oc, s.oh, s.ow])])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let s = self.geometry(inputs[0].shape(), inputs[1].shape())?;
        let y = self.evaluate(&inputs[0], &inputs[1], inputs.get(2));
        Ok(vec![Tensor::of([s.n, s.oc, s.oh, s.ow], y.into_iter().map(|v| v as f32).collect::<Vec<_>>())])
    }

    /// |error| <= gamma_(K+1) (sum |x| |w| + |bias|) for any order of at most K = ic/groups kh kw products and the bias
    /// (Higham 3.1).
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let abs: Vec<_> = inputs.iter().map(|t| t.map(f64::abs)).collect();
        let scale = gamma(self.roundings(inputs));
        let sums = self.evaluate(&abs[0], &abs[1], abs.get(2));
        let flushed = flushed_products(self.roundings(inputs), &inputs[0], &inputs[1]);
        Ok(Some(vec![sums.into_iter().map(|s| (s * scale + flushed) as f32).collect()]))
    }

    fn roundings_of(&self, _: Seal, _: Algorithm, inputs: &[Tensor]) -> usize {
        self.roundings(inputs)
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let s = self.geometry(&site.inputs[0].shape, &site.inputs[1].shape)?;
        Ok(self.products(site, &s).into_iter().chain([self.direct(site, &s)]).collect())
    }

    /// Every input element is multiplied by every tap of its group's output channels.
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        2 * (inputs[0].numel() * inputs[1].shape[1..].iter().product::<usize>()) as u64
    }
}
