//! Areas of boxes, and of what two of them share.

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// A box by two corners.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corners {
    x1: f32,
    y1: f32,
    x2: f32,
    y2: f32,
}

impl Corners {
    /// Those of a tensor `[n, 4]`.
    ///
    /// # Errors
    /// It has another shape or type.
    pub fn of(boxes: &Tensor) -> Result<Vec<Corners>> {
        let &[_, 4] = boxes.shape() else {
            return Err(Error::shape(format!("the boxes must be [n, 4], not {:?}", boxes.shape())));
        };
        let corners = |four: &[f32]| Corners { x1: four[0], y1: four[1], x2: four[2], y2: four[3] };
        Ok(boxes.as_f32()?.chunks_exact(4).map(corners).collect())
    }

    fn area(&self) -> f32 {
        (self.x2 - self.x1) * (self.y2 - self.y1)
    }

    /// The area that two boxes share, divided by that of both. It is NaN where a corner is, or where both areas are 0.
    pub fn iou(&self, other: &Corners) -> f32 {
        let width = (self.x2.min(other.x2) - self.x1.max(other.x1)).max(0.0);
        let height = (self.y2.min(other.y2) - self.y1.max(other.y1)).max(0.0);
        let shared = width * height;
        shared / (self.area() + other.area() - shared)
    }
}

/// The intersection over union of every box of `a` `[n, 4]` and every box of `b` `[m, 4]`: `[n, m]`. It is NaN where a corner is
/// NaN, and where both boxes have no area.
///
/// [torchvision.ops.box_iou](https://docs.pytorch.org/vision/stable/generated/torchvision.ops.box_iou.html)
///
/// ```
/// use convgpu::Tensor;
/// use convgpu::vision::box_iou;
///
/// let a = Tensor::from([[0.0f32, 0.0, 2.0, 2.0]]);
/// let b = Tensor::from([[1.0f32, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]]);
/// assert_eq!(box_iou(&a, &b)?, Tensor::from([[1.0f32 / 3.0, 0.0]]));
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The boxes are not `[n, 4]` of f32.
pub fn box_iou(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (a, b) = (Corners::of(a)?, Corners::of(b)?);
    let all = a.iter().flat_map(|one| b.iter().map(|other| one.iou(other))).collect::<Vec<f32>>();
    Tensor::new([a.len(), b.len()], all)
}
