//! Non-maximum suppression: of boxes that overlap much, the one with the highest score stays.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::boxes::Corners;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The indices of the boxes that stay, in the order of their scores, the highest first: in that order each box stays unless its
/// intersection over union with one that stays is above `iou_threshold`.
///
/// Among equal scores the box with the lower index comes first; a NaN is taken for the highest score. A box with a NaN among its
/// corners, or two boxes without an area, have no intersection over union: then both stay.
///
/// boxes is `[n, 4]`, x1, y1, x2, y2, scores `[n]`.
/// [torchvision.ops.nms](https://docs.pytorch.org/vision/stable/generated/torchvision.ops.nms.html)
///
/// ```
/// use convgpu::Tensor;
/// use convgpu::vision::nms;
///
/// let boxes = Tensor::from([[0.0f32, 0.0, 10.0, 10.0], [1.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0]]);
/// let scores = Tensor::from([0.5f32, 0.75, 0.25]);
/// // The first box is nearly the second, which has a higher score.
/// assert_eq!(nms(&boxes, &scores, 0.5)?, [1, 2]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// boxes is not `[n, 4]` or scores not `[n]`, of f32; the threshold is NaN.
pub fn nms(boxes: &Tensor, scores: &Tensor, iou_threshold: f64) -> Result<Vec<usize>> {
    let (boxes, order) = sorted(boxes, scores, iou_threshold)?;
    Ok(kept(&boxes, order, iou_threshold))
}

/// As [`nms`], where boxes of different classes do not affect each other. The indices of all classes are in the order of the
/// scores.
///
/// boxes is `[n, 4]`, scores `[n]`, classes `[n]`, integers.
/// [torchvision.ops.batched_nms](https://docs.pytorch.org/vision/stable/generated/torchvision.ops.batched_nms.html) moves the
/// classes of few boxes apart, by sums that round; here, as there for many boxes, each class is by itself.
///
/// ```
/// use convgpu::Tensor;
/// use convgpu::vision::batched_nms;
///
/// let boxes = Tensor::from([[0.0f32, 0.0, 10.0, 10.0], [1.0, 0.0, 10.0, 10.0], [0.0, 0.0, 9.0, 10.0]]);
/// let scores = Tensor::from([0.5f32, 0.75, 0.25]);
/// assert_eq!(batched_nms(&boxes, &scores, &Tensor::from([7i64, 3, 7]), 0.5)?, [1, 0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// As [`nms`]; classes is not `[n]` of integers.
pub fn batched_nms(boxes: &Tensor, scores: &Tensor, classes: &Tensor, iou_threshold: f64) -> Result<Vec<usize>> {
    let (boxes, order) = sorted(boxes, scores, iou_threshold)?;
    if classes.shape() != [boxes.len()] {
        let (n, shape) = (boxes.len(), classes.shape());
        return Err(Error::shape(format!("{n} boxes need the classes [{n}], not {shape:?}")));
    }
    let classes = classes.to_i64s()?;
    let mut ranks = vec![0; order.len()];
    let mut of_class: HashMap<i64, Vec<usize>> = HashMap::new();
    for (rank, &i) in order.iter().enumerate() {
        ranks[i] = rank;
        of_class.entry(classes[i]).or_default().push(i);
    }
    let mut all: Vec<usize> = of_class.into_values().flat_map(|order| kept(&boxes, order, iou_threshold)).collect();
    all.sort_unstable_by_key(|&i| ranks[i]);
    Ok(all)
}

/// The boxes, and their indices by scores, the highest first.
fn sorted(boxes: &Tensor, scores: &Tensor, iou_threshold: f64) -> Result<(Vec<Corners>, Vec<usize>)> {
    let boxes = Corners::of(boxes)?;
    if scores.shape() != [boxes.len()] {
        let (n, shape) = (boxes.len(), scores.shape());
        return Err(Error::shape(format!("{n} boxes need the scores [{n}], not {shape:?}")));
    }
    if iou_threshold.is_nan() {
        return Err(Error::argument("iou_threshold is NaN"));
    }
    let scores = scores.as_f32()?;
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| descending(scores[a], scores[b]));
    Ok((boxes, order))
}

/// NaN before all numbers, and the larger before the smaller.
fn descending(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

/// Those of these boxes, in order, that overlap none before them which stays.
fn kept(boxes: &[Corners], mut order: Vec<usize>, iou_threshold: f64) -> Vec<usize> {
    let mut kept = vec![];
    order.reverse();
    while let Some(first) = order.pop() {
        kept.push(first);
        order.retain(|&other| {
            let iou = f64::from(boxes[first].iou(&boxes[other]));
            // A NaN is not above the threshold.
            iou.is_nan() || iou <= iou_threshold
        });
    }
    kept
}
