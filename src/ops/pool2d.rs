//! Pooling with a moving window: the maximum ([`MaxPool2d`]), the mean ([`AvgPool2d`]), the norm ([`LpPool2d`]).
//!
//! Each takes x `[n, c, ih, iw]` and gives `[n, c, oh, ow]`. `kernel`, `stride` and `dilation` are (vertical,
//! horizontal), `padding` is (top, bottom, left, right); with `ceil_mode` a last window may exceed the padded image if
//! it starts inside the image or the padding before it. Padding may exceed half the kernel, as ONNX allows.

use super::adaptive_pool2d::AdaptivePool2d;
use super::{Bounds, Op, Site, Variant, built_in, expect_f32, expect_image};
use crate::attr::{PoolKind, Window, attribute};
use crate::bound;
use crate::bound::{TINY, UNIT, gamma};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, Params, nested, params};
use crate::gpu::pieces::{FLAT, NAN, POOL2D, TAPS};
use crate::reference::pool2d::{self as reference, Divisor, Powers};
use crate::shape::{DType, Desc, Layout};
use crate::tensor::Tensor;

static POOL: Kernel = kernel!("pool2d", POOL2D, FLAT);
static POOL_C4: Kernel = kernel!("pool2d_c4", POOL2D, FLAT).floats();
static MAX_INDICES: Kernel = kernel!("pool2d_max_indices", NAN, TAPS, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&POOL, &POOL_C4, &MAX_INDICES];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html>
///
/// Padding counts as -inf; a NaN in the window gives NaN. Indices, if requested, are a second output, i64
/// `[n, c, oh, ow]`: the first of equal maxima, the last NaN. A window entirely in the padding gives -inf at row 0,
/// column 0.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool2d {
    /// The window.
    pub window: Window,
    /// Whether a last window may exceed the padded image.
    pub ceil_mode: bool,
    /// Whether and how the indices of the maxima are given.
    pub indices: Indices,
}

attribute! {
    /// How [`MaxPool2d`] gives the indices of the maxima.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Indices {
        /// Not at all: there is one output.
        None,
        /// `iy w + ix`, within the plane of the channel: PyTorch.
        Plane,
        /// `((n C + c) H + iy) W + ix`, within the tensor: ONNX.
        Tensor,
        /// `(n C + c) H W + ix H + iy`: ONNX with `storage_order = 1`.
        TensorColumnMajor,
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html>, with ONNX's `dilation`.
#[derive(Clone, Debug, PartialEq)]
pub struct AvgPool2d {
    /// The window.
    pub window: Window,
    /// Whether a last window may exceed the padded image.
    pub ceil_mode: bool,
    /// Whether taps in the padding count in the divisor; taps beyond it never do.
    pub count_include_pad: bool,
    /// The divisor, if it is not the number of taps.
    pub divisor_override: Option<usize>,
}

/// The norm of every window, `(sum of |x|^p)^(1/p)`: <https://onnx.ai/onnx/operators/onnx__LpPool.html>. The sum is
/// computed in f32, where `|x|^p` may overflow.
///
/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool2d.html> sets both `signed` and
/// `rescale`: it sums `x^p`, whose root is NaN where the sum of odd powers is below 0, and it scales the sum of a
/// window that exceeds the image up to a full window.
#[derive(Clone, Debug, PartialEq)]
pub struct LpPool2d {
    /// The window.
    pub window: Window,
    /// Whether a last window may exceed the padded image.
    pub ceil_mode: bool,
    /// The order of the norm, 1 to 64.
    pub p: u32,
    /// Sums `x^p`, not `|x|^p`: PyTorch.
    pub signed: bool,
    /// Multiplies the sum by the kernel's taps and divides it by those inside the image: PyTorch.
    pub rescale: bool,
}

/// The window of a pooling on its input.
struct Pooling {
    window: Window,
    input: [usize; 4],
    output: [usize; 2],
}

impl Pooling {
    fn new(window: Window, ceil_mode: bool, x: &Desc) -> Result<Pooling> {
        let [n, c, ih, iw] = expect_image(x)?;
        super::window::check(&window, &x.shape)?;
        let Window { kernel, padding, dilation, .. } = window;
        if ih == 0 || iw == 0 {
            return Err(Error::shape("the image has no pixels"));
        }
        let outputs = |axis: usize| {
            window.pool_outputs(axis, x.shape[2 + axis], ceil_mode).ok_or_else(|| {
                Error::shape(format!(
                    "the kernel {kernel:?} (dilation {dilation:?}) exceeds the input padded by {padding:?}"
                ))
            })
        };
        Ok(Pooling { window, input: [n, c, ih, iw], output: [outputs(0)?, outputs(1)?] })
    }

    fn shape(&self) -> [usize; 4] {
        let ([n, c, _, _], [oh, ow]) = (self.input, self.output);
        [n, c, oh, ow]
    }

    fn image<'a>(&self, x: &'a Tensor) -> (&'a [f32], [usize; 3]) {
        let [n, c, ih, iw] = self.input;
        (x.f32s(), [n * c, ih, iw])
    }

    fn params(&self) -> Params {
        let ([n, c, ih, iw], [oh, ow]) = (self.input, self.output);
        let Window { stride: [sy, sx], padding: [[py, _], [px, _]], dilation: [dy, dx], .. } = self.window;
        params!(n, c, ih, iw, oh, ow, sy, sx, py, px, dy, dx)
    }

    /// Whether no window leaves the image.
    fn is_inside(&self) -> bool {
        let Window { stride, padding: [[py, _], [px, _]], .. } = self.window;
        let end = |axis: usize| (self.output[axis] - 1) * stride[axis] + self.window.span(axis);
        [py, px] == [0, 0] && (0..2).all(|axis| end(axis) <= self.input[2 + axis])
    }

    /// Whether there is one window, the whole image: then the tree of global pooling reduces it.
    fn is_global(&self) -> bool {
        let Window { kernel, padding, dilation, .. } = self.window;
        kernel[..] == self.input[2..] && padding == [[0; 2]; 2] && dilation == [1, 1] && self.output == [1, 1]
    }

    /// The launch without its kind: one invocation per 4 outputs of a row, or per 4 vec4s of a column. A mean is
    /// divided by `divisor`, or if that is 0 by the number of taps within the given range of each axis of the padded
    /// image.
    fn launch(&self, layout: Layout, divisor: usize, [count_y, count_x]: [[usize; 2]; 2]) -> Launch {
        let ([n, c, _, _], [oh, ow], [kh, kw]) = (self.input, self.output, self.window.kernel);
        let (kernel, invocations) = match layout {
            Layout::RowMajor => (&POOL, n * c * oh * ow.div_ceil(4)),
            Layout::ChannelsLast => (&POOL_C4, (n * oh).div_ceil(4) * ow * c.div_ceil(4)),
        };
        let ([count_y0, count_y1], [count_x0, count_x1]) = (count_y, count_x);
        let kind = params!(lowest: f32::NEG_INFINITY, divisor, count_y0, count_y1, count_x0, count_x1);
        let params = Params([self.params().0, kind.0].concat());
        let launch = Launch::flat(kernel, invocations, params);
        let launch = launch.set("KH", kh as u32).set("KW", kw as u32).set("INSIDE", u8::from(self.is_inside()));
        launch.reads([Arg::Input(0)]).writes([Arg::Output(0)])
    }

    /// The iterations of an invocation's loops if the terms are this power of the values.
    fn iterations(&self, layout: Layout, power: u32) -> u64 {
        let ([n, ..], [oh, _], [kh, kw]) = (self.input, self.output, self.window.kernel);
        let rows = match layout {
            Layout::RowMajor => 1,
            Layout::ChannelsLast => (n * oh).min(4),
        };
        match power {
            0 | 1 => nested(&[rows, kh, kw]),
            _ => nested(&[rows, kh, kw, power as usize - 1]),
        }
    }

    fn max(&self, layout: Layout) -> Launch {
        let launch = self.launch(layout, 1, [[0; 2]; 2]).iterations(self.iterations(layout, 0));
        launch.set("MAX", 1u8).set("POWER", 0u8).set("SIGNED", 0u8)
    }

    /// The mean.
    fn mean(&self, layout: Layout, divisor: Divisor) -> Launch {
        self.sum(layout, 0, divisor).set("SIGNED", 0u8)
    }

    /// The norm; its sums are rescaled where windows exceed the image.
    fn norm(&self, layout: Layout, powers: Powers) -> Launch {
        let divisor = if powers.rescale { Divisor::Inside } else { Divisor::Fixed(1) };
        // Even powers are not negative.
        self.sum(layout, powers.p, divisor).set("SIGNED", u8::from(powers.signed && powers.p % 2 == 1))
    }

    /// The mean for power 0, else the norm of that power. `SIGNED` is not set yet.
    fn sum(&self, layout: Layout, power: u32, divisor: Divisor) -> Launch {
        let [_, _, ih, iw] = self.input;
        let [[top, bottom], [left, right]] = self.window.padding;
        let (fixed, counted) = match divisor {
            Divisor::Inside | Divisor::Padded if self.is_inside() => (self.window.taps(), [[0; 2]; 2]),
            Divisor::Inside => (0, [[top, top + ih], [left, left + iw]]),
            Divisor::Padded => (0, [[0, top + ih + bottom], [0, left + iw + right]]),
            Divisor::Fixed(n) => (n, [[0; 2]; 2]),
        };
        let launch = self.launch(layout, fixed, counted).iterations(self.iterations(layout, power));
        launch.set("MAX", 0u8).set("POWER", power)
    }
}

impl MaxPool2d {
    fn pooling(&self, x: &Desc) -> Result<Pooling> {
        Pooling::new(self.window, self.ceil_mode, x)
    }

    /// Index steps of a plane, a row and a column.
    fn index_steps(&self, [_, _, ih, iw]: [usize; 4]) -> [usize; 3] {
        match self.indices {
            Indices::None | Indices::Plane => [0, iw, 1],
            Indices::Tensor => [ih * iw, iw, 1],
            Indices::TensorColumnMajor => [ih * iw, 1, ih],
        }
    }

    fn with_indices(&self, site: &Site<'_>, pooling: &Pooling) -> Variant {
        let [step_plane, step_y, step_x] = self.index_steps(pooling.input);
        let ([n, c, _, _], [oh, ow], [kh, kw]) = (pooling.input, pooling.output, pooling.window.kernel);
        let window = pooling.params().0;
        let rest = params!(kh, kw, step_plane, step_y, step_x, lowest: f32::NEG_INFINITY).0;
        let params = Params(window.into_iter().chain(rest).collect());
        let [_, _, ih, iw] = pooling.input;
        let launch = Launch::flat(&MAX_INDICES, n * c * oh * ow, params).iterations(nested(&[kh.min(ih), kw.min(iw)]));
        let launch = launch.reads([Arg::Input(0)]).writes([Arg::Output(0), Arg::Output(1)]);
        Variant::row_major(site, vec![launch])
    }
}

impl Op for MaxPool2d {
    built_in!("max_pool2d": @window; ceil_mode, indices);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        let shape = self.pooling(&inputs[0])?.shape();
        let indices = (self.indices != Indices::None).then(|| Desc::new(shape, DType::I64));
        Ok([Desc::f32(shape)].into_iter().chain(indices).collect())
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let pooling = self.pooling(&inputs[0].desc())?;
        let maxima = reference::max_pool2d(pooling.image(&inputs[0]), &pooling.window, pooling.output);
        let values = Tensor::of(pooling.shape(), maxima.iter().map(|&(v, _)| v).collect::<Vec<_>>());
        if self.indices == Indices::None {
            return Ok(vec![values]);
        }
        let [step_plane, step_y, step_x] = self.index_steps(pooling.input);
        let outputs = pooling.output.iter().product::<usize>();
        let index = |(i, (_, [iy, ix])): (usize, &(f32, [usize; 2]))| {
            (i / outputs * step_plane + iy * step_y + ix * step_x) as i64
        };
        Ok(vec![values, Tensor::of(pooling.shape(), maxima.iter().enumerate().map(index).collect::<Vec<_>>())])
    }
    /// A maximum is a copy; only a subnormal value may be flushed.
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        let values = bound::extremes(outputs[0].f32s());
        let indices = outputs.get(1).map(|_| bound::indices(outputs[0].iter_f64s(), &inputs[0]));
        Ok(Some([values].into_iter().chain(indices).collect()))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let pooling = self.pooling(&site.inputs[0])?;
        if self.indices != Indices::None {
            return Ok(vec![self.with_indices(site, &pooling)]);
        }
        if pooling.is_global() {
            return AdaptivePool2d { output: [1, 1], kind: PoolKind::Max }.launches(site);
        }
        Ok(Variant::in_both_layouts(site, |layout| vec![pooling.max(layout)]))
    }
    fn flops(&self, _: &[Desc], outputs: &[Desc]) -> u64 {
        (outputs[0].numel() * self.window.taps()) as u64
    }
}

impl AvgPool2d {
    fn pooling(&self, x: &Desc) -> Result<Pooling> {
        Pooling::new(self.window, self.ceil_mode, x)
    }

    fn divisor(&self) -> Divisor {
        match (self.divisor_override, self.count_include_pad) {
            (Some(n), _) => Divisor::Fixed(n),
            (None, true) => Divisor::Padded,
            (None, false) => Divisor::Inside,
        }
    }

    fn evaluate(&self, x: &Tensor) -> Result<(Pooling, Vec<f64>)> {
        let pooling = self.pooling(&x.desc())?;
        let mean = reference::avg_pool2d(pooling.image(x), &pooling.window, self.divisor(), pooling.output);
        Ok((pooling, mean))
    }
}

impl Op for AvgPool2d {
    built_in!("avg_pool2d": @window; ceil_mode, count_include_pad, divisor_override);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        if self.divisor_override.is_some_and(|n| n == 0 || n > u32::MAX as usize) {
            return Err(Error::argument("divisor_override must be from 1 to 2^32 - 1"));
        }
        Ok(vec![Desc::f32(self.pooling(&inputs[0])?.shape())])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (pooling, mean) = self.evaluate(&inputs[0])?;
        Ok(vec![Tensor::of(pooling.shape(), mean.into_iter().map(|v| v as f32).collect::<Vec<_>>())])
    }
    /// |error| <= gamma_(K + 6) mean |x|: K additions in any order, the rounding of the divisor, and a division of
    /// 2.5 ulp, which is 5 roundings. What is flushed: the result, and every argument, divided.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let (pooling, mean) = self.evaluate(&inputs[0].map(f64::abs))?;
        let taps = pooling.window.taps();
        let arguments = self.divisor_override.map_or(1.0, |divisor| taps as f64 / divisor as f64);
        let (scale, flushed) = (gamma(taps + 6), TINY * (1.0 + arguments));
        Ok(Some(vec![mean.into_iter().map(|m| (m * scale + flushed) as f32).collect()]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let pooling = self.pooling(&site.inputs[0])?;
        if pooling.is_global() && self.divisor_override.is_none_or(|n| n == pooling.window.taps()) {
            return AdaptivePool2d { output: [1, 1], kind: PoolKind::Avg }.launches(site);
        }
        Ok(Variant::in_both_layouts(site, |layout| vec![pooling.mean(layout, self.divisor())]))
    }
    fn flops(&self, _: &[Desc], outputs: &[Desc]) -> u64 {
        (outputs[0].numel() * self.window.taps()) as u64
    }
}

impl LpPool2d {
    fn pooling(&self, x: &Desc) -> Result<Pooling> {
        Pooling::new(self.window, self.ceil_mode, x)
    }

    fn powers(&self) -> Powers {
        Powers { p: self.p, signed: self.signed, rescale: self.rescale }
    }

    fn sums(&self, x: &Tensor, powers: Powers) -> Result<(Pooling, Vec<f64>)> {
        let pooling = self.pooling(&x.desc())?;
        let sums = reference::power_sums(pooling.image(x), &pooling.window, powers, pooling.output);
        Ok((pooling, sums))
    }

    fn root(&self, sum: f64) -> f64 {
        sum.powf(1.0 / f64::from(self.p))
    }

    /// The relative error of the root of a sum `s`: none for p = 1; `sqrt` has 2 ulp and a division of 2.5 ulp; `pow`
    /// is `exp2(z)`, `z = log2(s) / p`, where log2 errs by 3 ulp or 2^-21, two roundings follow and exp2 errs by
    /// 3 + 2 |z| ulp. An ulp is at most 2 `UNIT` relative.
    fn root_error(&self, s: f64) -> f64 {
        let z = s.log2().abs() / f64::from(self.p);
        match self.p {
            1 => 0.0,
            2 => 9.0 * UNIT,
            _ => {
                let z_error = 8.0 * UNIT * z + 2f64.powi(-21) / f64::from(self.p);
                (std::f64::consts::LN_2 * z_error).exp_m1() + (3.0 + 2.0 * z) * 2.0 * UNIT
            }
        }
    }

    /// The error of the root of a sum: that of the sum itself, (K + p) roundings of terms whose magnitudes add up to
    /// `magnitudes`, in any order, and K flushed terms, through the root; then the root's own. Rescaling adds 8: two numbers
    /// of taps, a division of 2.5 ulp and a product. Nothing is promised where the sum overflows, nor where a sum of odd
    /// powers is so near 0 that it may have either sign.
    fn bound(&self, taps: usize, sum: f64, magnitudes: f64) -> f64 {
        let roundings = taps + self.p as usize + if self.rescale { 8 } else { 0 };
        let error = magnitudes * gamma(roundings) + taps as f64 * TINY;
        if self.p == 1 {
            return error + TINY;
        }
        let unsure = sum.abs() < error && sum.abs() < magnitudes;
        if magnitudes + error > f64::from(f32::MAX) || unsure {
            return f64::INFINITY;
        }
        let root = |s: f64| self.root(s.max(0.0));
        let spread = (root(sum + error) - root(sum)).max(root(sum) - root(sum - error));
        let own = if sum > 0.0 { root(sum + error) * self.root_error(sum) } else { 0.0 };
        spread + own + TINY
    }
}

impl Op for LpPool2d {
    built_in!("lp_pool2d": @window; ceil_mode, p, signed, rescale);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        if !(1..=64).contains(&self.p) {
            return Err(Error::unsupported(format!("p = {} (1 to 64)", self.p)));
        }
        Ok(vec![Desc::f32(self.pooling(&inputs[0])?.shape())])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (pooling, sums) = self.sums(&inputs[0], self.powers())?;
        let norms = sums.into_iter().map(|sum| self.root(sum) as f32).collect::<Vec<_>>();
        Ok(vec![Tensor::of(pooling.shape(), norms)])
    }
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let (pooling, sums) = self.sums(&inputs[0], self.powers())?;
        let (_, magnitudes) = self.sums(&inputs[0], Powers { signed: false, ..self.powers() })?;
        let bound = |(&sum, &all): (&f64, &f64)| self.bound(pooling.window.taps(), sum, all) as f32;
        Ok(Some(vec![sums.iter().zip(&magnitudes).map(bound).collect()]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let pooling = self.pooling(&site.inputs[0])?;
        Ok(Variant::in_both_layouts(site, |layout| vec![pooling.norm(layout, self.powers())]))
    }
    fn flops(&self, _: &[Desc], outputs: &[Desc]) -> u64 {
        (outputs[0].numel() * self.window.taps()) as u64 * u64::from(self.p)
    }
}
