//! What poolings of regions share: their inputs, and the image of every region.

use super::{Op, expect_image, expect_inputs};
use crate::error::{Error, Result};
use crate::gpu::launch::{Arg, Launch};
use crate::shape::{DType, Desc, Layout, MAX_ELEMENTS};
use crate::tensor::Tensor;

use super::{Site, Variant};

/// The most bins along an axis: products of two of them have 32 bits.
const MOST_BINS: usize = 65_535;

/// What `spatial_scale` may be, so that products with it are neither 0 nor infinite.
const SCALES: std::ops::Range<f32> = 1.0 / (1u64 << 40) as f32..(1u64 << 40) as f32;

/// The output of an operator of x `[n, c, ih, iw]`, boxes `[k, 4]` and images `[k]`, for bins `[oh, ow]`: `[k, c, oh, ow]`.
pub fn output(op: &dyn Op, inputs: &[Desc], bins: [usize; 2], spatial_scale: f32) -> Result<Desc> {
    expect_inputs(op, inputs, 3..=3)?;
    let [x, boxes, images] = inputs else { unreachable!("there are three") };
    let [n, c, ih, iw] = expect_image(x)?;
    if let Some(d) = [x, boxes].into_iter().find(|d| d.dtype != DType::F32) {
        return Err(Error::unsupported(format!("{} of {d} (f32 only)", op.name())));
    }
    if !matches!(images.dtype, DType::I32 | DType::I64) {
        return Err(Error::shape(format!("the images of the regions must be integers, are {images}")));
    }
    let &[k, 4] = &boxes.shape[..] else {
        return Err(Error::shape(format!("the boxes must be [k, 4], not {:?}", boxes.shape)));
    };
    if images.shape != [k] {
        return Err(Error::shape(format!("{k} boxes need the images [{k}], not {:?}", images.shape)));
    }
    if [ih, iw].contains(&0) || n == 0 && k > 0 {
        return Err(Error::shape(format!("{k} regions of {n} images of {ih} x {iw} pixels: none of these may be 0")));
    }
    if bins.contains(&0) || bins.iter().any(|&n| n > MOST_BINS) {
        return Err(Error::argument(format!("{} x {} bins: from 1 to {MOST_BINS} along an axis", bins[0], bins[1])));
    }
    if !SCALES.contains(&spatial_scale) {
        return Err(Error::argument(format!("spatial_scale = {spatial_scale}: it must be within 2^-40 and 2^40")));
    }
    let outputs = [k, c, bins[0], bins[1]].iter().try_fold(1usize, |all, &n| all.checked_mul(n));
    if outputs.is_none_or(|n| n >= MAX_ELEMENTS) {
        return Err(Error::unsupported(format!("{k} regions of {c} channels: too many bins (2^31)")));
    }
    Ok(Desc::f32([k, c, bins[0], bins[1]]))
}

/// The image of every region.
///
/// # Errors
/// One of them is not there.
pub fn images(inputs: &[Tensor]) -> Result<Vec<usize>> {
    let count = inputs[0].shape()[0];
    let image = |index: i64| {
        let known = usize::try_from(index).ok().filter(|&image| image < count);
        known.ok_or_else(|| Error::argument(format!("a region of image {index} among {count}")))
    };
    inputs[2].to_i64s()?.into_iter().map(image).collect()
}

/// A variant per layout of x and of the output.
pub fn variants(site: &Site<'_>, launch: impl Fn(Layout) -> Launch) -> Vec<Variant> {
    let bound = |layout| {
        let reads = [Arg::Input(0), Arg::Input(1), Arg::Input(2)];
        vec![launch(layout).reads(reads).writes([Arg::Output(0)])]
    };
    let mut variants = Variant::in_both_layouts(site, bound);
    variants.iter_mut().for_each(|variant| variant.inputs[1..].fill(Layout::RowMajor));
    variants
}
