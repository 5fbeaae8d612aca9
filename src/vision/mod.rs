//! What a detector needs on the host, after its network: torchvision's functions of boxes, under their names.
//!
//! Boxes are `[n, 4]`, f32: two corners each, x1, y1, x2, y2. Everything is computed in f32, operation by operation as
//! torchvision does it on a CPU, so that a comparison with a threshold has the same answer.

mod boxes;
mod nms;

pub use boxes::box_iou;
pub use nms::{batched_nms, nms};
