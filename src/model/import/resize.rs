//! Resize and Upsample over the last one or two axes.

use super::node_view::axes;
use super::operators::Operator;
use super::{Import, NodeView, Val, checked_numel};
use crate::error::{Error, Result};
use crate::ops::resize::{Coordinates, Resize2d, ResizeMode, Rounding};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new(
        "Resize",
        &[
            "antialias",
            "axes",
            "coordinate_transformation_mode",
            "cubic_coeff_a",
            "exclude_outside",
            "extrapolation_value",
            "keep_aspect_ratio_policy",
            "mode",
            "nearest_mode",
        ],
        resize,
    )
    .host(&[1, 2, 3]),
    Operator::new("Upsample", &["mode", "scales"], upsample).host(&[1]),
];

/// The target of every axis of the input.
struct Target {
    sizes: Vec<usize>,
    /// Outputs per input, if they are given or used for coordinates.
    scales: Option<Vec<f64>>,
    /// Start and end of the region, as fractions.
    roi: Vec<[f32; 2]>,
}

impl Target {
    fn same(x: &Val) -> Target {
        Target { sizes: x.shape().to_vec(), scales: None, roi: vec![[0.0, 1.0]; x.rank()] }
    }

    /// Sizes from scales: input times scale, rounded down in f32 as in ONNX Runtime.
    fn scaled(x: &Val, axes: &[usize], scales: &[f32]) -> Result<Target> {
        if scales.len() != axes.len() || scales.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return Err(Error::shape(format!("scales {scales:?} do not fit {} axes", axes.len())));
        }
        let mut target = Target::same(x);
        let mut all = vec![1.0; x.rank()];
        for (&axis, &scale) in axes.iter().zip(scales) {
            target.sizes[axis] = (x.shape()[axis] as f32 * scale) as usize;
            all[axis] = f64::from(scale);
        }
        target.scales = Some(all);
        Ok(target)
    }

    /// Given sizes; or with one scale for all axes the largest sizes within them (`not_larger`) or the smallest that
    /// reach them (`not_smaller`).
    fn sized(x: &Val, axes: &[usize], sizes: &[i64], policy: &str) -> Result<Target> {
        if sizes.len() != axes.len() || sizes.iter().any(|&n| n < 0) || axes.iter().any(|&k| x.shape()[k] == 0) {
            return Err(Error::shape(format!("sizes {sizes:?} do not fit {} axes of {}", axes.len(), x.desc())));
        }
        let mut target = Target::same(x);
        let ratios = axes.iter().zip(sizes).map(|(&axis, &n)| n as f64 / x.shape()[axis] as f64);
        let scale = match policy {
            "stretch" => None,
            "not_larger" => Some(ratios.fold(f64::INFINITY, f64::min)),
            "not_smaller" => Some(ratios.fold(0.0, f64::max)),
            other => return Err(Error::unsupported(format!("Resize with keep_aspect_ratio_policy = {other}"))),
        };
        let mut all = vec![1.0; x.rank()];
        for (&axis, &n) in axes.iter().zip(sizes) {
            target.sizes[axis] = scale.map_or(n as usize, |s| (s * x.shape()[axis] as f64 + 0.5).floor() as usize);
            all[axis] = scale.unwrap_or(1.0);
        }
        target.scales = scale.map(|_| all);
        Ok(target)
    }
}

/// <https://onnx.ai/onnx/operators/onnx__Resize.html>. In version 10 the scales are input 1 and the coordinates are
/// those of Upsample.
fn resize(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    if node.opset < 11 {
        return upsample(import, node);
    }
    let axes = match node.ints("axes")? {
        Some(list) => axes(&list, x.rank())?,
        None => (0..x.rank()).collect(),
    };
    let given = |list: &Vec<f32>| !list.is_empty();
    let sizes = node.host_ints(3)?.filter(|list| !list.is_empty());
    let mut target = match (node.host_floats(2)?.filter(given), sizes) {
        (None, Some(sizes)) => Target::sized(x, &axes, &sizes, node.string("keep_aspect_ratio_policy", "stretch")?)?,
        (Some(scales), None) => Target::scaled(x, &axes, &scales)?,
        _ => return Err(Error::file("Resize needs either scales or sizes")),
    };
    if node.string("coordinate_transformation_mode", "half_pixel")? == "tf_crop_and_resize" {
        let roi = node.host_floats(1)?.filter(|roi| roi.len() == 2 * axes.len());
        let roi = roi.ok_or_else(|| Error::shape("Resize needs a roi of a start and an end for every axis"))?;
        for (k, &axis) in axes.iter().enumerate() {
            target.roi[axis] = [roi[k], roi[axes.len() + k]];
        }
    }
    let mode = match node.string("mode", "nearest")? {
        "nearest" => ResizeMode::Nearest(rounding(node)?),
        "linear" => ResizeMode::Linear,
        "cubic" => ResizeMode::Cubic(node.float("cubic_coeff_a", -0.75)?),
        other => return Err(Error::unsupported(format!("Resize with mode = {other}"))),
    };
    let op = Resize2d {
        exclude_outside: node.flag("exclude_outside", false)?,
        antialias: node.flag("antialias", false)? && !matches!(mode, ResizeMode::Nearest(_)),
        ..Resize2d::new([0, 0], mode, coordinates(node)?)
    };
    Ok(vec![import.resample(x, target, op)?])
}

/// <https://onnx.ai/onnx/operators/onnx__Upsample.html>: output pixel `o` lies at `o / scale`.
fn upsample(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let scales = node.floats("scales")?.or(node.host_floats(1)?).ok_or_else(|| Error::file("Upsample needs scales"))?;
    let target = Target::scaled(x, &(0..x.rank()).collect::<Vec<_>>(), &scales)?;
    let mode = match node.string("mode", "nearest")? {
        "nearest" => ResizeMode::Nearest(Rounding::Floor),
        "linear" | "bilinear" => ResizeMode::Linear,
        other => return Err(Error::unsupported(format!("{} with mode = {other}", node.op()))),
    };
    Ok(vec![import.resample(x, target, Resize2d::new([0, 0], mode, Coordinates::Asymmetric))?])
}

fn rounding(node: &NodeView) -> Result<Rounding> {
    Ok(match node.string("nearest_mode", "round_prefer_floor")? {
        "round_prefer_floor" => Rounding::RoundPreferFloor,
        "round_prefer_ceil" => Rounding::RoundPreferCeil,
        "floor" => Rounding::Floor,
        "ceil" => Rounding::Ceil,
        other => return Err(Error::unsupported(format!("Resize with nearest_mode = {other}"))),
    })
}

fn coordinates(node: &NodeView) -> Result<Coordinates> {
    Ok(match node.string("coordinate_transformation_mode", "half_pixel")? {
        "half_pixel" => Coordinates::HalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_half_pixel_for_nn" => Coordinates::TorchNearestExact,
        "align_corners" => Coordinates::AlignCorners,
        "tf_crop_and_resize" => {
            let extrapolation_value = node.float("extrapolation_value", 0.0)?;
            Coordinates::TfCropAndResize { roi: [0.0, 0.0, 1.0, 1.0], extrapolation_value }
        }
        other => return Err(Error::unsupported(format!("Resize with coordinate_transformation_mode = {other}"))),
    })
}

impl Import<'_> {
    /// `op` with its size, scale and region set for the last two axes of `x`, which alone may change.
    fn resample(&mut self, x: &Val, target: Target, mut op: Resize2d) -> Result<Val> {
        let changes = |k: usize| target.sizes[k] != x.shape()[k] || target.roi[k] != [0.0, 1.0];
        let changed: Vec<usize> = (0..x.rank()).filter(|&k| changes(k)).collect();
        let Some(&first) = changed.first() else { return Ok(x.clone()) };
        if first + 2 < x.rank() {
            return Err(Error::unsupported(format!(
                "Resize along axes {changed:?} of {} (only the last two are supported)",
                x.desc()
            )));
        }
        checked_numel(&target.sizes)?;
        let rows = (x.rank() >= 2 && (x.rank() != 3 || first == 1)).then(|| x.rank() - 2);
        let columns = x.rank() - 1;
        op.size = [rows.map_or(1, |k| target.sizes[k]), target.sizes[columns]];
        op.scale = target.scales.map(|s| [rows.map_or(1.0, |k| s[k]), s[columns]]);
        if let Coordinates::TfCropAndResize { roi, .. } = &mut op.coordinates {
            let ([top, bottom], [left, right]) = (rows.map_or([0.0, 1.0], |k| target.roi[k]), target.roi[columns]);
            *roi = [top, left, bottom, right];
        }
        let lead = &x.shape()[..rows.unwrap_or(columns)];
        let (n, c) = match *lead {
            [n, c] => (n, c),
            _ => (1, lead.iter().product()),
        };
        let image = self.reshape(x, &[n, c, rows.map_or(1, |k| x.shape()[k]), x.shape()[columns]])?;
        let y = self.apply(op, &[&image])?;
        self.reshape(&y, &target.sizes)
    }
}
