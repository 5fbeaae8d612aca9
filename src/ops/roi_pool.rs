//! `roi_pool`: the maxima of the bins of regions of images.

use super::{Bounds, Op, Site, Variant, built_in, regions};
use crate::bound;
use crate::error::Result;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, nested, params};
use crate::gpu::pieces::{CHANNELS, FLAT, MAXIMUM, REGIONS};
use crate::reference::roi_pool::{Axis, Regions, roi_pool};
use crate::shape::{Desc, Layout, numel};
use crate::tensor::Tensor;

static POOL: Kernel = kernel!("roi_pool", REGIONS, CHANNELS, MAXIMUM, FLAT).by_values();
static POOL_C4: Kernel = kernel!("roi_pool_c4", "roi_pool", REGIONS, CHANNELS, MAXIMUM, FLAT).by_blocks();

pub(super) const KERNELS: &[&Kernel] = &[&POOL, &POOL_C4];

/// <https://docs.pytorch.org/vision/stable/generated/torchvision.ops.roi_pool.html>, and
/// <https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html>
///
/// Inputs: x `[n, c, ih, iw]`, boxes `[k, 4]` of corners (x1, y1, x2, y2), and images `[k]`, i64 or i32: the image of each box.
/// Output `[k, c, output[0], output[1]]`: a region has the pixels from its first corner to its second, both rounded, halves away
/// from 0, and one pixel at least. Bin o of `size` pixels has those from floor(o size / bins) to ceil((o + 1) size / bins). A bin
/// without a pixel of the image is 0; a NaN in it gives NaN. The ends of a bin are computed exactly. ONNX Runtime multiplies o by
/// a rounded quotient, and takes one more pixel where the product passes a whole number: in 580 of 316 272 bins tried.
///
/// An image that is not there is an error on the reference; a device cannot report it, and gives NaN: sessions check what
/// reaches it (`graph::guard`). A box with a corner that is not finite gives NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct RoiPool {
    /// Bins of every region: vertical, horizontal.
    pub output: [usize; 2],
    /// Pixels per unit of the boxes.
    pub spatial_scale: f32,
}

impl RoiPool {
    /// What `f` makes of the inputs.
    fn evaluate<T>(&self, inputs: &[Tensor], f: impl FnOnce(&Regions<'_>) -> T) -> Result<T> {
        let images = regions::images(inputs)?;
        let [_, channels, ih, iw] = inputs[0].shape()[..] else { unreachable!("the shape rule holds") };
        let axis = |extent, bins| Axis { extent, bins, scale: self.spatial_scale.into() };
        let axes = [axis(ih, self.output[0]), axis(iw, self.output[1])];
        Ok(f(&Regions { x: inputs[0].f32s(), channels, boxes: inputs[1].f32s(), images: &images, axes }))
    }

    fn launch(&self, x: &[usize], k: usize, layout: Layout) -> Launch {
        let ([n, c, ih, iw], [oh, ow]) = ([x[0], x[1], x[2], x[3]], self.output);
        let (kernel, blocks) = match layout {
            Layout::RowMajor => (&POOL, c),
            Layout::ChannelsLast => (&POOL_C4, c.div_ceil(4)),
        };
        let params = params!(
            n, c, ih, iw, oh, ow, regions: k, spatial_scale: self.spatial_scale, lowest: f32::NEG_INFINITY, nan: f32::NAN
        );
        Launch::flat(kernel, k * blocks * oh * ow, params).iterations(nested(&[ih, iw.div_ceil(4)]))
    }
}

impl Op for RoiPool {
    built_in!("roi_pool": output, spatial_scale; REGIONS);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        Ok(vec![regions::output(self, inputs, self.output, self.spatial_scale)?])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let shape = [inputs[1].shape()[0], inputs[0].shape()[1], self.output[0], self.output[1]];
        Ok(vec![Tensor::of(shape, self.evaluate(inputs, roi_pool)?)])
    }
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![self.evaluate(inputs, bound::roi_pool::bounds)?]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let (x, k) = (&site.inputs[0].shape, site.inputs[1].shape[0]);
        Ok(regions::variants(site, |layout| self.launch(x, k, layout)))
    }
    /// Of regions of half the image.
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        let pixels = numel(&inputs[0].shape[2..]) / 4;
        (outputs[0].numel() + pixels * inputs[1].shape[0] * inputs[0].shape[1]) as u64
    }
}
