//! `pad`: pads or crops a tensor.

use super::{Bounds, Op, Site, Variant, built_in, expect_inputs};
use crate::attr::{Coded, PadMode};
use crate::bound::{TINY, UNIT};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::{self, FLAT};
use crate::reference::pad::pad;
use crate::shape::{DType, Desc, Layout, MAX_ELEMENTS};
use crate::tensor::{Elements, Tensor, convert, for_dtype};

static PAD: Kernel = kernel!("pad", pieces::PAD, FLAT);
static PAD_C4: Kernel = kernel!("pad_c4", pieces::PAD, FLAT).bits();

pub(super) const KERNELS: &[&Kernel] = &[&PAD, &PAD_C4];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html>
///
/// Input: any shape and type. Output: every axis extended by `pads`. `Reflect` adds fewer elements than an axis has,
/// `Circular` at most as many; negative pads crop before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// Before and after, for every axis, outermost first (PyTorch's list has the last axis first); negative numbers crop.
    pub pads: Vec<[i64; 2]>,
    /// What is added.
    pub mode: PadMode,
}

/// An axis as the kernel sees it.
#[derive(Clone, Copy)]
struct Axis {
    input: usize,
    output: usize,
    before: i32,
}

/// Axes of the kernel.
const AXES: usize = 6;

impl Pad {
    fn shape(&self, x: &[usize]) -> Result<Vec<usize>> {
        let [most_extent, most_pad] = [MAX_ELEMENTS, MAX_ELEMENTS / 4].map(|n| n as i64);
        x.iter()
            .zip(&self.pads)
            .map(|(&extent, &[before, after])| {
                let most = match self.mode {
                    PadMode::Constant(_) | PadMode::Replicate => most_pad,
                    PadMode::Reflect => extent as i64 - 1,
                    // Of what remains after cropping.
                    PadMode::Circular => (extent as i64).saturating_add(before.min(0)).saturating_add(after.min(0)),
                };
                let grown = (extent as i64).saturating_add(before).saturating_add(after);
                let empties = extent == 0 && !matches!(self.mode, PadMode::Constant(_)) && grown > 0;
                if (before.max(after) > most.max(0)) || before.min(after) < -most_pad || empties {
                    return Err(Error::argument(format!("an axis of {extent} cannot be padded by {before}, {after}")));
                }
                if !(0..most_extent).contains(&grown) {
                    return Err(Error::shape(format!("pads {before}, {after} leave nothing of an axis of {extent}")));
                }
                Ok(grown as usize)
            })
            .collect()
    }

    /// The axes of the kernel: adjacent axes that are not padded are merged.
    fn axes(&self, x: &[usize], y: &[usize]) -> Option<[Axis; AXES]> {
        let mut axes: Vec<Axis> = vec![];
        let mut whole = false;
        for ((&input, &output), pads) in x.iter().zip(y).zip(&self.pads) {
            match axes.last_mut().filter(|_| whole && *pads == [0, 0]) {
                Some(last) => *last = Axis { input: last.input * input, output: last.output * output, before: 0 },
                None => axes.push(Axis { input, output, before: pads[0] as i32 }),
            }
            whole = *pads == [0, 0];
        }
        let lead = AXES.checked_sub(axes.len())?;
        let mut out = [Axis { input: 1, output: 1, before: 0 }; AXES];
        out[lead..].copy_from_slice(&axes);
        Some(out)
    }

    /// The constant; 0 where nothing constant is added.
    fn constant(&self) -> f64 {
        if let PadMode::Constant(value) = self.mode { value } else { 0.0 }
    }

    /// Bits of the constant in the type of the tensor.
    fn value(&self, dtype: DType) -> Result<u32> {
        let value = self.constant();
        if dtype.is_float() {
            return Ok((value as f32).to_bits());
        }
        let integer = for_dtype!(dtype, T => convert::<f64, T>(value).integer());
        match i32::try_from(integer) {
            Err(_) if dtype == DType::I64 => Err(Error::unsupported(format!(
                "padding with {integer}, which does not fit the 32 bits that a device has"
            ))),
            _ => Ok(integer as u32),
        }
    }

    fn with_mode(&self, launch: Launch) -> Launch {
        launch.set("MODE", self.mode.code()).reads([Arg::Input(0)]).writes([Arg::Output(0)])
    }

    fn row_major(&self, site: &Site<'_>, value: u32) -> Option<Variant> {
        let axes = self.axes(&site.inputs[0].shape, &site.outputs[0].shape)?;
        let [i0, i1, i2, i3, i4, i5] = axes.map(|a| a.input);
        let [o0, o1, o2, o3, o4, o5] = axes.map(|a| a.output);
        let [before0, before1, before2, before3, before4, before5] = axes.map(|a| a.before);
        let params = params!(
            i0, i1, i2, i3, i4, i5, o0, o1, o2, o3, o4, o5, before0, before1, before2, before3, before4, before5, value
        );
        let launch = Launch::flat(&PAD, axes.iter().map(|a| a.output).product(), params);
        Some(Variant::row_major(site, vec![self.with_mode(launch)]))
    }

    /// Images of which only height and width are padded.
    fn channels_last(&self, site: &Site<'_>, value: u32) -> Option<Variant> {
        let (&[n, c, ih, iw], &[_, _, oh, ow]) = (&site.inputs[0].shape[..], &site.outputs[0].shape[..]) else {
            return None;
        };
        if self.pads[..2] != [[0, 0]; 2] {
            return None;
        }
        let c4 = c.div_ceil(4);
        let [top, left] = [2, 3].map(|axis: usize| self.pads[axis][0] as i32);
        let params = params!(n, ih, iw, oh, ow, c, c4, top, left, value);
        let launch = Launch::flat(&PAD_C4, n * oh * ow * c4, params);
        Some(Variant::in_layout(site, Layout::ChannelsLast, vec![self.with_mode(launch)]))
    }
}

impl Op for Pad {
    built_in!("pad": pads, mode);
    /// On a device a constant of f64 is rounded.
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        let constant = self.constant();
        let rounded = f64::from(constant as f32) != constant && outputs[0].dtype() == DType::F64;
        let bound = |v: f64| if rounded && v == constant { (UNIT * v.abs() + TINY) as f32 } else { 0.0 };
        Ok(Some(vec![outputs[0].iter_f64s().map(bound).collect()]))
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if self.pads.len() != x.rank() {
            return Err(Error::argument(format!("{} pairs of pads for {} axes", self.pads.len(), x.rank())));
        }
        let shape = self.shape(&x.shape)?;
        if self.axes(&x.shape, &shape).is_none() {
            return Err(Error::unsupported(format!("padding of more than {AXES} axes")));
        }
        Ok(vec![Desc::new(shape, x.dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        Ok(vec![pad(x, &self.pads, &self.shape(x.shape())?, self.mode, self.constant())])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let value = self.value(site.inputs[0].dtype)?;
        let mut variants: Vec<_> =
            self.row_major(site, value).into_iter().chain(self.channels_last(site, value)).collect();
        if site.is_channels_last(0) {
            variants.reverse();
        }
        Ok(variants)
    }
}
