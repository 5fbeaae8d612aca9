//! `roi_align`: regions of images, each divided into bins whose values are sampled between the pixels.

use super::{Bounds, Op, Site, Variant, built_in, regions};
use crate::attr::PoolKind;
use crate::bound;
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, nested, params};
use crate::gpu::pieces::{CHANNELS, FLAT, MAXIMUM, REGIONS};
use crate::reference::roi_align::{Axis, Regions, roi_align};
use crate::shape::{Desc, Layout, numel};
use crate::tensor::Tensor;

static ALIGN: Kernel = kernel!("roi_align", REGIONS, CHANNELS, MAXIMUM, FLAT).by_values();
static ALIGN_C4: Kernel = kernel!("roi_align_c4", "roi_align", REGIONS, CHANNELS, MAXIMUM, FLAT).by_blocks();

pub(super) const KERNELS: &[&Kernel] = &[&ALIGN, &ALIGN_C4];

/// The most samples of a bin along an axis, if they are given.
const MOST_SAMPLES: usize = 4096;

/// <https://docs.pytorch.org/vision/stable/generated/torchvision.ops.roi_align.html>, and
/// <https://onnx.ai/onnx/operators/onnx__RoiAlign.html>
///
/// Inputs: x `[n, c, ih, iw]`, boxes `[k, 4]` of corners (x1, y1, x2, y2), and images `[k]`, i64 or i32: the image of each box.
/// Output `[k, c, output[0], output[1]]`. A sample more than a pixel outside the image is 0. A bin without samples, of a box
/// without an extent, is 0. The maximum is that of the pixels about the samples, each times its weight, as ONNX Runtime and
/// ONNX's tests have it.
///
/// An image that is not there is an error on the reference; a device cannot report it, and gives NaN: sessions check what
/// reaches it (`graph::guard`). A box with a corner that is not finite gives NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct RoiAlign {
    /// Bins of every region: vertical, horizontal.
    pub output: [usize; 2],
    /// Pixels per unit of the boxes.
    pub spatial_scale: f32,
    /// Samples of a bin along each axis; 0 for as many as it has pixels, rounded up.
    pub sampling_ratio: usize,
    /// Whether the centre of a pixel is at a half. If not, a box has an extent of a pixel at least.
    pub aligned: bool,
    /// What becomes of the samples of a bin.
    pub kind: PoolKind,
}

impl RoiAlign {
    /// What `f` makes of the inputs.
    fn evaluate<T>(&self, inputs: &[Tensor], f: impl FnOnce(&Regions<'_>) -> T) -> Result<T> {
        let images = regions::images(inputs)?;
        let [_, channels, ih, iw] = inputs[0].shape()[..] else { unreachable!("the shape rule holds") };
        let &RoiAlign { output, spatial_scale, sampling_ratio: samples, aligned, kind } = self;
        let axis = |extent, bins| Axis { extent, bins, scale: spatial_scale.into(), samples, aligned };
        let axes = [axis(ih, output[0]), axis(iw, output[1])];
        let (x, boxes) = (inputs[0].f32s(), inputs[1].f32s());
        Ok(f(&Regions { x, channels, boxes, images: &images, axes, max: kind == PoolKind::Max }))
    }

    /// The most samples of a bin that an invocation visits along an axis.
    fn visited(&self, extent: usize) -> usize {
        if self.sampling_ratio > 0 { self.sampling_ratio } else { extent + 8 }
    }

    fn launch(&self, x: &[usize], k: usize, layout: Layout) -> Launch {
        let ([n, c, ih, iw], [oh, ow]) = ([x[0], x[1], x[2], x[3]], self.output);
        let (kernel, blocks) = match layout {
            Layout::RowMajor => (&ALIGN, c),
            Layout::ChannelsLast => (&ALIGN_C4, c.div_ceil(4)),
        };
        let params = params!(
            n, c, ih, iw, oh, ow, regions: k, spatial_scale: self.spatial_scale, lowest: f32::NEG_INFINITY, nan: f32::NAN,
            zero: 0u32
        );
        Launch::flat(kernel, k * blocks * oh * ow, params)
            .iterations(nested(&[self.visited(ih), self.visited(iw).div_ceil(4)]))
            .set("MAX", u8::from(self.kind == PoolKind::Max))
            .set("ALIGNED", u8::from(self.aligned))
            .set("SAMPLES", self.sampling_ratio as u32)
    }
}

impl Op for RoiAlign {
    built_in!("roi_align": output, spatial_scale, sampling_ratio, aligned, kind; REGIONS);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        let output = regions::output(self, inputs, self.output, self.spatial_scale)?;
        if self.sampling_ratio > MOST_SAMPLES {
            let text = format!("sampling_ratio = {} (at most {MOST_SAMPLES})", self.sampling_ratio);
            return Err(Error::unsupported(text));
        }
        Ok(vec![output])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = [inputs[1].shape()[0], inputs[0].shape()[1], self.output[0], self.output[1]];
        Ok(vec![Tensor::of(shape, self.evaluate(inputs, roi_align)?)])
    }
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![self.evaluate(inputs, bound::roi_align::bounds)?]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let (x, k) = (&site.inputs[0].shape, site.inputs[1].shape[0]);
        Ok(regions::variants(site, |layout| self.launch(x, k, layout)))
    }
    /// Of adaptive bins those of two samples along each axis.
    fn flops(&self, _: &[Desc], outputs: &[Desc]) -> u64 {
        let samples = if self.sampling_ratio > 0 { self.sampling_ratio } else { 2 };
        8 * (numel(&outputs[0].shape) * samples * samples) as u64
    }
}
