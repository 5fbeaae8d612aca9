//! Resize and Upsample. Sizes, scales and coordinates are computed in f32 as ONNX Runtime computes them.

use super::node_view::axes;
use super::operator::Operator;
use super::{Import, NodeView, Val, checked_numel};
use crate::attr::{Coordinates, ResizeMode, Rounding};
use crate::error::{Error, Result};
use crate::ops::gather::Gather;
use crate::ops::resize::Resize2d;
use crate::reference::resize::Axis;
use crate::shape::DType;
use crate::tensor::Tensor;

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
    Operator::new("Upsample", &["height_scale", "mode", "scales", "width_scale"], upsample).host(&[1]),
];

/// The target of every axis of the input.
#[derive(Clone)]
struct Target {
    sizes: Vec<usize>,
    /// Outputs per input.
    scales: Vec<f32>,
    /// Start and end of the region that is shown, as fractions.
    roi: Vec<[f32; 2]>,
}

/// The whole of an axis.
const WHOLE: [f32; 2] = [0.0, 1.0];

impl Target {
    fn same(x: &Val) -> Target {
        Target { sizes: x.shape().to_vec(), scales: vec![1.0; x.rank()], roi: vec![WHOLE; x.rank()] }
    }

    /// Sizes from scales: input times scale, rounded down in f32 as in ONNX Runtime.
    fn scaled(x: &Val, axes: &[usize], scales: &[f32]) -> Result<Target> {
        if scales.len() != axes.len() || scales.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return Err(Error::shape(format!("scales {scales:?} do not fit {} axes", axes.len())));
        }
        let mut target = Target::same(x);
        for (&axis, &scale) in axes.iter().zip(scales) {
            target.sizes[axis] = (x.shape()[axis] as f32 * scale) as usize;
            target.scales[axis] = scale;
        }
        Ok(target)
    }

    /// Given sizes; or with one scale for all axes the largest sizes within them (`not_larger`) or the smallest that
    /// reach them (`not_smaller`).
    fn sized(x: &Val, axes: &[usize], sizes: &[i64], policy: &str) -> Result<Target> {
        if sizes.len() != axes.len() || sizes.iter().any(|&n| n < 0) {
            return Err(Error::shape(format!("sizes {sizes:?} do not fit {} axes of {}", axes.len(), x.desc())));
        }
        if axes.iter().zip(sizes).any(|(&axis, &n)| x.shape()[axis] == 0 && n > 0) {
            return Err(Error::shape(format!("sizes {sizes:?} of {}: an axis without elements stays one", x.desc())));
        }
        let mut target = Target::same(x);
        let resized = axes.iter().zip(sizes).map(|(&axis, &n)| (n as f32, x.shape()[axis] as f32));
        let ratios = resized.map(|(after, before)| if before == 0.0 { 1.0 } else { after / before });
        let scale = match policy {
            "stretch" => None,
            "not_larger" => Some(ratios.clone().fold(f32::INFINITY, f32::min)),
            "not_smaller" => Some(ratios.clone().fold(0.0, f32::max)),
            other => return Err(Error::unsupported(format!("Resize with keep_aspect_ratio_policy = {other}"))),
        };
        for ((&axis, &n), ratio) in axes.iter().zip(sizes).zip(ratios) {
            target.sizes[axis] = scale.map_or(n as usize, |s| (s * x.shape()[axis] as f32).round() as usize);
            target.scales[axis] = scale.unwrap_or(ratio);
        }
        Ok(target)
    }

    /// An antialiasing filter leaves an axis alone whose size stays.
    fn for_antialias(&self, x: &Val, antialias: bool) -> Target {
        let mut target = self.clone();
        for axis in (0..x.rank()).filter(|&k| antialias && target.sizes[k] == x.shape()[k]) {
            target.scales[axis] = 1.0;
        }
        target
    }

    /// Whether an axis is to be resampled.
    fn changes(&self, x: &Val, axis: usize) -> bool {
        self.sizes[axis] != x.shape()[axis] || self.scales[axis] != 1.0 || self.roi[axis] != WHOLE
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
    Ok(vec![import.resample(x, &target, &op)?])
}

/// <https://onnx.ai/onnx/operators/onnx__Upsample.html>, and `Resize` of operator set 10: output pixel `o` lies at
/// `o / scale`.
fn upsample(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    // Version 1 scales the last two axes of an image.
    let of_version_1 = match (node.has("height_scale"), node.has("width_scale")) {
        (true, true) => Some(vec![1.0, 1.0, node.float("height_scale", 1.0)?, node.float("width_scale", 1.0)?]),
        _ => None,
    };
    let scales = node.floats("scales")?.or(node.host_floats(1)?).or(of_version_1);
    let scales = scales.ok_or_else(|| Error::file("Upsample needs scales"))?;
    let target = Target::scaled(x, &(0..x.rank()).collect::<Vec<_>>(), &scales)?;
    let mode = match node.string("mode", "nearest")? {
        "nearest" => ResizeMode::Nearest(Rounding::CeilWhenShrinking),
        "linear" | "bilinear" => ResizeMode::Linear,
        other => return Err(Error::unsupported(format!("{} with mode = {other}", node.op()))),
    };
    Ok(vec![import.resample(x, &target, &Resize2d::new([0, 0], mode, Coordinates::Asymmetric))?])
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
        "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNn,
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
    fn resample(&mut self, x: &Val, target: &Target, op: &Resize2d) -> Result<Val> {
        if target.sizes == x.shape() && target.roi.iter().all(|r| *r == WHOLE) {
            return Ok(x.clone());
        }
        checked_numel(&target.sizes)?;
        let target = &target.for_antialias(x, op.antialias);
        if x.dtype() != DType::F32 && matches!(op.mode, ResizeMode::Nearest(_)) {
            return self.pick(x, target, op);
        }
        if x.dtype().is_integer() && matches!(op.mode, ResizeMode::Linear) && !op.antialias {
            return self.resample_integers(x, target, op);
        }
        let (rank, changes) = (x.rank(), |axis: usize| target.changes(x, axis));
        let mut y = x.clone();
        for axis in (0..rank.saturating_sub(2)).filter(|&k| changes(k)) {
            y = self.resample_image(&y, target, Some(axis), None, op)?;
        }
        let rows = rank.checked_sub(2).filter(|&k| changes(k) || rank != 3);
        if rows.is_some_and(changes) || changes(rank - 1) {
            y = self.resample_image(&y, target, rows, Some(rank - 1), op)?;
        }
        Ok(y)
    }

    /// The same for linear interpolation of integers: in f32, then truncated, as ONNX Runtime does.
    fn resample_integers(&mut self, x: &Val, target: &Target, op: &Resize2d) -> Result<Val> {
        let float = self.cast(x, DType::F32)?;
        let y = self.resample(&float, target, op)?;
        self.cast(&y, x.dtype())
    }

    /// The same for the nearest elements of any type: they are gathered, axis after axis.
    fn pick(&mut self, x: &Val, target: &Target, op: &Resize2d) -> Result<Val> {
        let mut y = x.clone();
        for k in (0..x.rank()).filter(|&k| target.changes(x, k)) {
            let axis = Axis {
                inputs: x.shape()[k],
                outputs: target.sizes[k],
                scale: Some(target.scales[k].into()),
                mode: op.mode,
                coordinates: op.coordinates,
                roi: target.roi[k],
                exclude_outside: false,
                antialias: false,
            };
            let nearest = |o| axis.taps(o).map(|taps| taps[0].at as i64);
            let Some(indices) = (0..axis.outputs).map(nearest).collect::<Option<Vec<_>>>() else {
                return Err(Error::unsupported(format!("Resize of {} beyond its borders", x.desc())));
            };
            y = self.apply(Gather { axis: k }, &[&y, &Tensor::of([indices.len()], indices).into()])?;
        }
        Ok(y)
    }

    /// `x` as images whose height is the axis `rows`, or 1, and whose width is the axis `columns`, or all that follows
    /// `rows` and stays as it is.
    fn resample_image(
        &mut self,
        x: &Val,
        target: &Target,
        rows: Option<usize>,
        columns: Option<usize>,
        op: &Resize2d,
    ) -> Result<Val> {
        let rest = rows.map_or(1, |k| x.shape()[k + 1..].iter().product());
        let before = [rows.map_or(1, |k| x.shape()[k]), columns.map_or(rest, |k| x.shape()[k])];
        let after = [rows.map_or(1, |k| target.sizes[k]), columns.map_or(rest, |k| target.sizes[k])];
        let mut op = Resize2d { size: after, ..op.clone() };
        op.scale = Some([rows, columns].map(|axis| axis.map_or(1.0, |k| target.scales[k].into())));
        if let Coordinates::TfCropAndResize { roi, .. } = &mut op.coordinates {
            let [[top, bottom], [left, right]] = [rows, columns].map(|axis| axis.map_or(WHOLE, |k| target.roi[k]));
            *roi = [top, left, bottom, right];
        }
        let lead = &x.shape()[..rows.or(columns).unwrap_or(0)];
        let (n, c) = match *lead {
            [n, c] => (n, c),
            _ => (1, lead.iter().product()),
        };
        let mut shape = x.shape().to_vec();
        rows.into_iter().chain(columns).for_each(|k| shape[k] = target.sizes[k]);
        let image = self.reshape(x, &[n, c, before[0], before[1]])?;
        let y = self.apply(op, &[&image])?;
        self.reshape(&y, &shape)
    }
}
