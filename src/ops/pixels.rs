//! `from_pixels`, `to_pixels`: the pixels of a texture as an image of a network, and back. The pixels of 8 bits are words, a row
//! of which may end in padding; others are four floats each.

use super::resize::table;
use super::{Bounds, Op, Site, Variant, built_in, expect_inputs};
use crate::attr::attribute;
use crate::attr::{Coordinates, ResizeMode, Rounding};
use crate::bound::{TINY, gamma};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, nested, params};
use crate::gpu::pieces::{FLAT, NAN, TAP_TABLE};
pub use crate::reference::pixels::Norm;
use crate::reference::pixels::{byte, channels, resample};
use crate::reference::resize::Axis;
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

static FROM: Kernel = kernel!("from_pixels", TAP_TABLE, FLAT);
static TO: Kernel = kernel!("to_pixels", NAN, FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&FROM, &TO];

/// Where the channels of a network's image are, and what their values mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channels {
    /// 1, 3 or 4.
    pub count: usize,
    /// Whether channel 0 is the third number of a pixel and channel 2 the first. A pixel's luma is of the numbers after that.
    pub swapped: bool,
    /// Whether the image is `[1, h, w, c]` instead of `[1, c, h, w]`.
    pub last: bool,
    /// The values of the numbers.
    pub norm: Norm,
}

attribute!(struct Channels { count, swapped, last, norm });

impl Channels {
    fn shape(&self, [h, w]: [usize; 2]) -> [usize; 4] {
        if self.last { [1, h, w, self.count] } else { [1, self.count, h, w] }
    }
    /// From channel to channel, and from pixel to pixel, of an image of this many pixels.
    fn steps(&self, pixels: usize) -> [usize; 2] {
        if self.last { [1, self.count] } else { [pixels, 1] }
    }
    fn check(&self) -> Result<()> {
        if ![1, 3, 4].contains(&self.count) {
            return Err(Error::argument(format!("{} channels: an image has 1, 3 or 4", self.count)));
        }
        let Norm { scale, mean, std } = self.norm;
        let factor = scale as f32;
        let divides = |v: f32| v.is_normal() && (1.0 / v).is_normal();
        let inverse = |v: f32| (f64::from(v) / scale) as f32;
        let of = |k: usize| mean[k].is_finite() && divides(std[k]) && inverse(std[k]).is_finite();
        if !divides(factor) || !(0..4).all(|k| of(k) && inverse(mean[k]).is_finite()) {
            let text = "all must be finite, scale and std not 0, and their inverses and quotients numbers of f32";
            return Err(Error::argument(format!("scale {factor}, mean {mean:?}, std {std:?}: {text}")));
        }
        Ok(())
    }
}

/// <https://docs.pytorch.org/vision/stable/generated/torchvision.transforms.functional.normalize.html> of the antialiased
/// bilinear <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html>.
///
/// Input: u32 `[h, pitch]`, each word a pixel of four bytes, the first the lowest, of which the first `width` of a row count; or
/// f32 `[h, width, 4]`. Output: f32, the channels of an image of `size`, else of the input's.
#[derive(Clone, Debug, PartialEq)]
pub struct FromPixels {
    /// Pixels of a row.
    pub width: usize,
    /// Height and width of the output, if it is resampled.
    pub size: Option<[usize; 2]>,
    /// The channels of the output.
    pub channels: Channels,
}

impl FromPixels {
    fn axes(&self, height: usize) -> [Axis; 2] {
        let inputs = [height, self.width];
        let outputs = self.size.unwrap_or(inputs);
        let stays = ResizeMode::Nearest(Rounding::Floor);
        [0, 1].map(|k| Axis {
            inputs: inputs[k],
            outputs: outputs[k],
            scale: None,
            mode: if inputs[k] == outputs[k] { stays } else { ResizeMode::Linear },
            coordinates: Coordinates::TorchHalfPixel,
            roi: [0.0, 1.0],
            exclude_outside: true,
            antialias: true,
        })
    }

    /// The output through `round`, which is given a channel and the sum over its taps; `magnitudes`, of numbers without signs.
    fn evaluate(&self, x: &Tensor, magnitudes: bool, round: impl Fn(usize, f64) -> f32) -> Result<Tensor> {
        let (pitch, c) = (x.shape()[1], &self.channels);
        let numbers: Box<dyn Fn(usize, usize) -> [f32; 4] + Sync> = if x.dtype() == DType::U32 {
            let words = x.as_slice::<u32>()?;
            Box::new(move |y, x| words[y * pitch + x].to_le_bytes().map(f32::from))
        } else {
            let floats = x.as_f32()?;
            Box::new(move |y, x| [0, 1, 2, 3].map(|k| floats[4 * (y * pitch + x) + k]))
        };
        let pixel = |y, x| {
            let numbers = numbers(y, x);
            let numbers = if magnitudes { numbers.map(f32::abs) } else { numbers };
            channels(numbers, c.swapped, c.count)
        };
        let axes = self.axes(x.shape()[0]);
        let sums = resample(&axes, pixel);
        let [channel, step] = c.steps(sums.len());
        let mut values = vec![0.0; sums.len() * c.count];
        for (i, sum) in sums.iter().enumerate() {
            (0..c.count).for_each(|k| values[k * channel + i * step] = round(k, sum[k]));
        }
        Ok(Tensor::of(c.shape(axes.map(|a| a.outputs)), values))
    }
}

impl Op for FromPixels {
    built_in!("from_pixels": width, size, channels);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        self.channels.check()?;
        let (x, w) = (&inputs[0], self.width);
        let height = match (&x.shape[..], x.dtype) {
            (&[h, pitch], DType::U32) if pitch >= w => h,
            (&[h, width, 4], DType::F32) if width == w => h,
            _ => {
                return Err(Error::shape(format!(
                    "{w} pixels a row are u32[h, {w} or more] or f32[h, {w}, 4], not {x}"
                )));
            }
        };
        let axes = self.axes(height);
        if let Some(axis) = axes.iter().find(|a| a.inputs == 0 || a.outputs == 0) {
            return Err(Error::shape(format!("{} pixels to {}: neither may be 0", axis.inputs, axis.outputs)));
        }
        super::resize::affordable(&axes)?;
        Ok(vec![Desc::f32(self.channels.shape(axes.map(|a| a.outputs)))])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let value = |k, sum| self.channels.norm.value(k, sum) as f32;
        Ok(vec![self.evaluate(&inputs[0], false, value)?])
    }
    /// |error| <= gamma_(Ky + Kx + 9) (|scale| sum |wy| |wx| |pixel| + |mean|) / |std| for Ky x Kx taps: those of a resampling
    /// (Ky + Kx + 2), three of the luma, the scale, the difference, and two of the inverse of std. With one tap, no luma, and
    /// mean and std of 0 and 1 there is one rounding, that of the scale, as in the reference.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let [ky, kx] = self.axes(inputs[0].shape()[0]).map(|a| a.tap_count());
        let norm = self.channels.norm;
        let plain = [ky, kx] == [1, 1] && self.channels.count > 1 && norm.mean == [0.0; 4] && norm.std == [1.0; 4];
        let relative = if plain { 0.0 } else { gamma(ky + kx + 9) };
        let flushed = |k| {
            let lost = TINY * (2 * ky * kx + 6) as f64;
            if plain { TINY } else { (lost * norm.factor().abs() + TINY) / f64::from(norm.std[k]).abs() + TINY }
        };
        let bound = |k, sum| (norm.terms(k, sum) * relative + flushed(k)) as f32;
        Ok(Some(vec![self.evaluate(&inputs[0], true, bound)?.f32s().to_vec()]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        Ok(vec![Variant::row_major(site, vec![self.launch(&site.inputs[0])])])
    }
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        let [ky, kx] = self.axes(inputs[0].shape[0]).map(|a| a.tap_count());
        (outputs[0].numel() * (2 * ky * (kx + 1) + 3)) as u64
    }
}

impl FromPixels {
    /// The kernel over these pixels.
    pub(crate) fn launch(&self, x: &Desc) -> Launch {
        let axes = self.axes(x.shape[0]);
        let ([oh, ow], taps, c) = (axes.map(|a| a.outputs), axes.map(|a| a.tap_count()), &self.channels);
        let ([channel, step], Norm { scale, mean, std }) = (c.steps(oh * ow), c.norm);
        let params = params!(pitch: x.shape[1], oh, ow, channel, step, scale: scale as f32);
        let params = ["mean0", "mean1", "mean2", "mean3"].into_iter().zip(mean).fold(params, |p, (n, v)| p.with(n, v));
        let inverse = std.map(|v| 1.0 / v);
        let params = ["inv0", "inv1", "inv2", "inv3"].into_iter().zip(inverse).fold(params, |p, (n, v)| p.with(n, v));
        Launch::flat(&FROM, oh * ow, params)
            .iterations(nested(&taps))
            .set("TAPS_Y", taps[0] as u32)
            .set("TAPS_X", taps[1] as u32)
            .set("COUNT", c.count as u32)
            .set("SWAPPED", u8::from(c.swapped))
            .set("FLOATS", u8::from(x.dtype == DType::F32))
            .tables([0, 1].map(|k| table(&axes[k])))
            .reads([Arg::Input(0), Arg::Table(0), Arg::Table(1)])
            .writes([Arg::Output(0)])
    }
}

/// The inverse of [`FromPixels`] without resampling: numbers are rounded to the nearest integer, halves up, and clamped to
/// 0..255; NaN is 0.
///
/// Input: f32, the channels of an image. Output: u32 `[h, pitch]`, each word a pixel, 0 from the image's width on. One channel
/// becomes three equal ones; without a fourth channel the fourth byte is 255.
#[derive(Clone, Debug, PartialEq)]
pub struct ToPixels {
    /// Words of a row, at least the image's width.
    pub pitch: usize,
    /// The channels of the input.
    pub channels: Channels,
}

impl ToPixels {
    /// Height and width.
    fn size(&self, x: &Desc) -> Result<[usize; 2]> {
        let c = &self.channels;
        match (&x.shape[..], c.last) {
            (&[1, n, h, w], false) | (&[1, h, w, n], true) if n == c.count && x.dtype == DType::F32 => Ok([h, w]),
            _ => {
                let wanted = if c.last { format!("[1, h, w, {}]", c.count) } else { format!("[1, {}, h, w]", c.count) };
                Err(Error::shape(format!("an image is f32{wanted}, not {x}")))
            }
        }
    }

    /// The word of every pixel, made of the four bytes that `bytes` gives for the value of each channel.
    fn evaluate<T: Clone + Default>(&self, x: &Tensor, word: impl Fn([f64; 4]) -> T) -> Result<Vec<T>> {
        let [h, w] = self.size(&x.desc())?;
        let ([channel, step], values) = (self.channels.steps(h * w), x.f32s());
        let mut words = vec![T::default(); h * self.pitch];
        for i in 0..h * w {
            let value = |k: usize| {
                let k = if self.channels.count == 1 { 0 } else { k };
                self.channels.norm.pixel(k, f64::from(values[k * channel + i * step]))
            };
            let alpha = if self.channels.count == 4 { value(3) } else { 255.0 };
            let mut numbers = [value(0), value(1), value(2), alpha];
            if self.channels.swapped {
                numbers.swap(0, 2);
            }
            words[i / w * self.pitch + i % w] = word(numbers);
        }
        Ok(words)
    }
}

impl Op for ToPixels {
    built_in!("to_pixels": pitch, channels);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        self.channels.check()?;
        let [h, w] = self.size(&inputs[0])?;
        if w > self.pitch {
            return Err(Error::shape(format!("{w} pixels do not fit a row of {}", self.pitch)));
        }
        Ok(vec![Desc::new([h, self.pitch], DType::U32)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let words = self.evaluate(&inputs[0], |numbers| u32::from_le_bytes(numbers.map(byte)))?;
        Ok(vec![Tensor::of([words.len() / self.pitch.max(1), self.pitch], words)])
    }
    /// A number is exact but for four roundings, of the two factors and of the two operations, and the half that is added before
    /// it is cut off: a byte may differ by one where the number is that near to the middle of two integers.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let norm = self.channels.norm;
        let largest = norm.mean.iter().fold(0.0f64, |m, v| m.max((f64::from(*v) / norm.scale).abs()));
        let near = |v: f64| {
            let off = (v + 0.5 - (v + 0.5).round()).abs();
            off <= gamma(5) * (v.abs() + 2.0 * largest + 1.0) && (-1.0..256.0).contains(&v)
        };
        let places = [1.0, 256.0, 65_536.0, 16_777_216.0];
        let bound = |numbers: [f64; 4]| places.iter().zip(numbers).filter(|(_, v)| near(*v)).map(|(p, _)| p).sum();
        Ok(Some(vec![self.evaluate(&inputs[0], bound)?]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        Ok(vec![Variant::row_major(site, vec![self.launch(&site.inputs[0])?])])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        3 * inputs[0].numel() as u64
    }
}

impl ToPixels {
    /// The kernel over this image.
    pub(crate) fn launch(&self, x: &Desc) -> Result<Launch> {
        let ([h, w], c) = (self.size(x)?, &self.channels);
        let ([channel, step], Norm { scale, mean, std }) = (c.steps(h * w), c.norm);
        let params = params!(h, w, pitch: self.pitch, channel, step);
        let mul = std.map(|v| (f64::from(v) / scale) as f32);
        let params = ["mul0", "mul1", "mul2", "mul3"].into_iter().zip(mul).fold(params, |p, (n, v)| p.with(n, v));
        let add = mean.map(|v| (f64::from(v) / scale) as f32);
        let params = ["add0", "add1", "add2", "add3"].into_iter().zip(add).fold(params, |p, (n, v)| p.with(n, v));
        Ok(Launch::flat(&TO, h * self.pitch, params)
            .set("COUNT", c.count as u32)
            .set("SWAPPED", u8::from(c.swapped))
            .reads([Arg::Input(0)])
            .writes([Arg::Output(0)]))
    }
}
