//! Memory-bound operators: measured against a copy of as many bytes.

use super::case::{Case, random};
use crate::attr::{Activation, BinaryKind, Coordinates, ResizeMode, Rounding, Window};
use crate::error::Result;
use crate::ops::batch_norm::{BatchNorm, BatchNormTraining};
use crate::ops::binary::Binary;
use crate::ops::group_norm::GroupNorm;
use crate::ops::layer_norm::LayerNorm;
use crate::ops::pool2d::{AvgPool2d, Indices, MaxPool2d};
use crate::ops::resize::Resize2d;
use crate::ops::softmax::Softmax;
use crate::ops::unary::Unary;
use crate::shape::Layout;
use crate::tensor::Tensor;

const C: usize = 64;
const H: usize = 112;
const W: usize = 96;

/// The cases, on images `[n, 64, 112, 96]` (2.75 MB each).
///
/// # Errors
/// The device could not hold that many images.
pub fn memory_bound(n: usize) -> Result<Vec<Case>> {
    let image = || random(&[n, C, H, W], 1);
    let small = || random(&[n, C, H / 2, W / 2], 1);
    let channels = || (0..4).map(|k| random(&[C], k).map(|v| 1.5 + 0.5 * v));
    let affine = |x: Tensor, k: usize| std::iter::once(x).chain(channels().take(k)).collect::<Vec<_>>();
    let max = |k, p| MaxPool2d {
        window: Window { stride: [2; 2], padding: [[p; 2]; 2], ..Window::new([k; 2]) },
        ceil_mode: false,
        indices: Indices::None,
    };
    let avg =
        AvgPool2d { window: Window::new([2; 2]), ceil_mode: false, count_include_pad: true, divisor_override: None };
    let nearest =
        Resize2d::new([H, W], ResizeMode::Nearest(Rounding::Floor), Coordinates::TorchNearest { small: false });
    let bicubic = Resize2d::new([H, W], ResizeMode::Cubic(-0.75), Coordinates::TorchHalfPixel);
    let training = BatchNormTraining { eps: 1e-5, momentum: 0.1, unbiased: true };
    let rows = || random(&[n * C * H / 8, W * 8], 1);
    let row = || random(&[W * 8], 2);
    let statistics = Case::new("batch statistics", training.clone(), affine(image(), 4), 1)?;
    let cases = vec![
        Case::new("max_pool 2x2", max(2, 0), vec![image()], 1)?,
        Case::new("avg_pool 2x2", avg, vec![image()], 1)?,
        Case::new("max_pool 3x3/2", max(3, 1), vec![image()], 1)?,
        Case::new("nearest 2x", nearest, vec![small()], 1)?,
        Case::new("bicubic 2x", bicubic, vec![small()], 1)?,
        Case::new("add", Binary(BinaryKind::Add), vec![image(), random(&[n, C, H, W], 2)], 2)?,
        Case::new("relu", Unary(Activation::Relu), vec![image()], 1)?,
        // The image is read once; what is written is small.
        Case { only: Some("moments"), bytes: 4 * (n * C * H * W) as u64, ..statistics },
        Case::new("batch_norm training", training, affine(image(), 4), 1)?,
        Case::new("batch_norm", BatchNorm { eps: 1e-5 }, affine(image(), 4), 1)?,
        Case::new("group_norm 32", GroupNorm { groups: 32, eps: 1e-5 }, affine(image(), 2), 1)?,
        Case::new("layer_norm 768", LayerNorm { axes: 1, eps: 1e-5, stats: false }, vec![rows(), row(), row()], 1)?,
        Case::new("softmax 768", Softmax { axis: 1, log: false }, vec![rows()], 1)?,
    ];
    Ok(cases.into_iter().map(in_a_network).collect())
}

/// Images are channels-last between convolutions: the kernels chosen must be those chosen there.
fn in_a_network(case: Case) -> Case {
    let layout = |t: &Tensor| if t.shape().len() == 4 { Layout::ChannelsLast } else { Layout::RowMajor };
    Case { layouts: case.values.iter().map(layout).collect(), against_copy: true, ..case }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_cases_fit_their_operators() {
        let cases = super::memory_bound(1).unwrap();
        let relu = cases.iter().find(|c| c.name == "relu").unwrap();
        assert_eq!(relu.bytes, 2 * 4 * 64 * 112 * 96);
    }
}
