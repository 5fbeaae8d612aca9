//! Pooling of regions of images.

use super::{Graph, ValueId};
use crate::attr::PoolKind;
use crate::error::{Error, Result};
use crate::ops::roi_align::RoiAlign;
use crate::ops::roi_pool::RoiPool;
use crate::options::{Pair, RoiAlignOptions};
use crate::shape::DType;

impl Graph {
    /// The means of the samples of the bins of regions: x `[n, c, h, w]` and boxes `[k, 5]`, the image and two corners, to
    /// `[k, c, oh, ow]`.
    ///
    /// # Errors
    /// x is no image, or has no pixel; the boxes are not `[k, 5]`; there is no bin; the scale is not within 2^-40 and 2^40.
    pub fn roi_align(
        &mut self,
        x: ValueId,
        boxes: ValueId,
        output_size: impl Into<Pair>,
        o: RoiAlignOptions,
    ) -> Result<ValueId> {
        let op = RoiAlign {
            output: output_size.into().0,
            spatial_scale: o.spatial_scale,
            sampling_ratio: o.sampling_ratio.unwrap_or(0),
            aligned: o.aligned,
            kind: PoolKind::Avg,
        };
        if o.sampling_ratio == Some(0) {
            return Err(Error::argument("a sampling_ratio of 0 (without one, the samples are as many as the pixels)"));
        }
        let [boxes, images] = self.regions(boxes)?;
        self.layer(op, &[x, boxes, images])
    }

    /// The maxima of the bins of regions: x `[n, c, h, w]` and boxes `[k, 5]`, the image and two corners, to `[k, c, oh, ow]`.
    ///
    /// # Errors
    /// x is no image, or has no pixel; the boxes are not `[k, 5]`; there is no bin; the scale is not within 2^-40 and 2^40.
    pub fn roi_pool(
        &mut self,
        x: ValueId,
        boxes: ValueId,
        output_size: impl Into<Pair>,
        spatial_scale: f32,
    ) -> Result<ValueId> {
        let [boxes, images] = self.regions(boxes)?;
        self.layer(RoiPool { output: output_size.into().0, spatial_scale }, &[x, boxes, images])
    }

    /// The corners of boxes `[k, 5]`, and the images that their first column numbers.
    fn regions(&mut self, boxes: ValueId) -> Result<[ValueId; 2]> {
        let &[k, 5] = self.dims(boxes)? else {
            return Err(Error::shape(format!("the boxes must be [k, 5], not {:?}", self.shape(boxes))));
        };
        let numbers = self.narrow(boxes, 1, 0, 1)?;
        let numbers = self.reshape(numbers, [k])?;
        Ok([self.narrow(boxes, 1, 1, 4)?, self.cast(numbers, DType::I32)?])
    }
}
