//! Normalisation over the batch, over images, groups, trailing axes, neighbouring channels.

use super::node_view::axes;
use super::operator::Operator;
use super::{Import, NodeView, Val};
use crate::attr::{Activation, BinaryKind, ReduceKind};
use crate::error::{Error, Result};
use crate::ops::batch_norm::{BatchNorm, BatchNormTraining};
use crate::ops::group_norm::GroupNorm;
use crate::ops::layer_norm::LayerNorm;
use crate::ops::local_response_norm::LocalResponseNorm;
use crate::ops::normalize::{LpNormalize, MeanVarianceNormalize};
use crate::ops::reduce::Reduce;
use crate::ops::unary::Unary;
use crate::tensor::Tensor;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("BatchNormalization", &["epsilon", "is_test", "momentum", "spatial", "training_mode"], batch_norm),
    Operator::new("GroupNormalization", &["epsilon", "num_groups", "stash_type"], group_norm),
    Operator::new("InstanceNormalization", &["epsilon"], instance_norm),
    Operator::new("LRN", &["alpha", "beta", "bias", "size"], local_response_norm),
    Operator::new("LayerNormalization", &["axis", "epsilon", "stash_type"], layer_norm),
    Operator::new("LpNormalization", &["axis", "p"], lp_normalize),
    Operator::new("MeanVarianceNormalization", &["axes"], mean_variance_normalize),
    Operator::new("RMSNormalization", &["axis", "epsilon", "stash_type"], rms_norm),
    // ONNX Runtime's name of it, in the default domain.
    Operator::new("SimplifiedLayerNormalization", &["axis", "epsilon", "stash_type"], rms_norm),
];

/// The epsilon that the definition of MeanVarianceNormalization adds to the standard deviation.
const MVN_EPSILON: f32 = 1e-9;

fn epsilon(node: &NodeView) -> Result<f32> {
    node.float("epsilon", 1e-5)
}

/// <https://onnx.ai/onnx/operators/onnx__BatchNormalization.html>. ONNX's momentum is the weight of the old statistics.
/// Before version 14 the number of outputs decides whether the batch's statistics are used; the last two outputs are
/// those statistics.
fn batch_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let inputs = [0, 1, 2, 3, 4].map(|k| node.input(k));
    let [x, weight, bias, mean, var] = inputs;
    let inputs = [x?, weight?, bias?, mean?, var?];
    if !node.flag("spatial", true)? && inputs[0].rank() != 2 {
        return batch_norm_of_elements(import, node, inputs);
    }
    normalize_batch(import, node, &inputs)
}

/// Versions 7 and 8 with `spatial = 0`: scale, bias and statistics are those of each place in an image, `[c, h, w]`.
fn batch_norm_of_elements(import: &mut Import, node: &NodeView, inputs: [&Val; 5]) -> Result<Vec<Val>> {
    let x = inputs[0];
    let (&[batch, ref inner @ ..], true) = (x.shape(), x.rank() > 1) else {
        return Err(Error::shape(format!("BatchNormalization of {}: there are no channels", x.desc())));
    };
    if let Some(other) = inputs[1..].iter().find(|v| v.shape() != inner) {
        let text = format!("BatchNormalization of {} with spatial = 0 takes {inner:?}, not {}", x.desc(), other.desc());
        return Err(Error::shape(text));
    }
    let elements: usize = inner.iter().product();
    let mut flat = vec![import.reshape(x, &[batch, elements])?];
    for v in &inputs[1..] {
        flat.push(import.reshape(v, &[elements])?);
    }
    let outputs = normalize_batch(import, node, &flat.iter().collect::<Vec<_>>())?;
    let shapes = std::iter::once(x.shape()).chain(std::iter::repeat(inner));
    outputs.iter().zip(shapes).map(|(y, shape)| import.reshape(y, shape)).collect()
}

fn normalize_batch(import: &mut Import, node: &NodeView, inputs: &[&Val]) -> Result<Vec<Val>> {
    let eps = epsilon(node)?;
    if node.opset >= 14 && node.flag("training_mode", false)? {
        let momentum = 1.0 - node.float("momentum", 0.9)?;
        return import.apply_all(BatchNormTraining { eps, momentum, unbiased: false }, inputs);
    }
    if node.opset < 14 && node.gives(1) && !node.flag("is_test", false)? {
        let momentum = 1.0 - node.float("momentum", 0.9)?;
        let mut outputs = import.apply_all(BatchNormTraining { eps, momentum, unbiased: false }, inputs)?;
        let of_batch = import.apply_all(BatchNormTraining { eps, momentum: 1.0, unbiased: false }, inputs)?;
        outputs.extend(of_batch.into_iter().skip(1));
        return Ok(outputs);
    }
    Ok(vec![import.apply(BatchNorm { eps }, inputs)?])
}

/// <https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html>
fn instance_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let Some(&channels) = x.shape().get(1) else {
        return Err(Error::shape(format!("InstanceNormalization of {}: there are no channels", x.desc())));
    };
    let op = GroupNorm::instance(channels, epsilon(node)?);
    Ok(vec![import.apply(op, &[x, node.input(1)?, node.input(2)?])?])
}

/// <https://onnx.ai/onnx/operators/onnx__GroupNormalization.html>. Before version 21 weight and bias are per group.
fn group_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let groups = node.count("num_groups", 0)?;
    let channels = x.shape().get(1).copied().unwrap_or(0);
    let mut per_channel = |k: usize| {
        let v = node.input(k)?;
        if node.opset >= 21 || v.shape() != [groups] || groups == 0 || !channels.is_multiple_of(groups) {
            return Ok::<_, Error>(v.clone());
        }
        let column = import.reshape(v, &[groups, 1])?;
        let wide = import.expand(&column, &[groups, channels / groups])?;
        import.reshape(&wide, &[channels])
    };
    let (weight, bias) = (per_channel(1)?, per_channel(2)?);
    Ok(vec![import.apply(GroupNorm { groups, eps: epsilon(node)? }, &[x, &weight, &bias])?])
}

/// <https://onnx.ai/onnx/operators/onnx__LayerNormalization.html>. Weight and bias may be broadcast.
pub(super) fn layer_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let axis = node.axis(-1, x.rank())?;
    import.layer_norm(x, axis, [node.optional(1), node.optional(2)], epsilon(node)?, node.gives(1) || node.gives(2))
}

/// <https://onnx.ai/onnx/operators/onnx__RMSNormalization.html>
pub(super) fn rms_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let axis = node.axis(-1, x.rank())?;
    Ok(vec![import.rms_norm(x, axis, node.input(1)?, epsilon(node)?)?])
}

impl Import<'_> {
    /// Normalised over the axes from `axis` on, then times a weight and plus a bias; mean and inverse deviation as well if
    /// they are wanted.
    pub fn layer_norm(
        &mut self,
        x: &Val,
        axis: usize,
        affine: [Option<&Val>; 2],
        eps: f32,
        stats: bool,
    ) -> Result<Vec<Val>> {
        let mut inputs = vec![x.clone()];
        for v in affine.into_iter().flatten() {
            inputs.push(self.expand(v, &x.shape()[axis..])?);
        }
        self.apply_all(LayerNorm { axes: x.rank() - axis, eps, stats }, &inputs.iter().collect::<Vec<_>>())
    }

    /// `x / sqrt(mean x^2 + epsilon) scale` over the axes from `axis` on.
    pub fn rms_norm(&mut self, x: &Val, axis: usize, scale: &Val, eps: f32) -> Result<Val> {
        let axes = (axis..x.rank()).collect();
        let squares = self.binary(BinaryKind::Mul, x, x)?;
        let mean = self.apply(Reduce { axes, keep_dims: true, kind: ReduceKind::Mean }, &[&squares])?;
        let mean = self.binary(BinaryKind::Add, &mean, &Tensor::scalar(eps).into())?;
        let deviation = self.apply(Unary(Activation::Sqrt), &[&mean])?;
        let normal = self.binary(BinaryKind::Div, x, &deviation)?;
        self.binary(BinaryKind::Mul, &normal, scale)
    }
}

/// <https://onnx.ai/onnx/operators/onnx__LRN.html>
fn local_response_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (alpha, beta, k) = (node.float("alpha", 1e-4)?, node.float("beta", 0.75)?, node.float("bias", 1.0)?);
    let op = LocalResponseNorm::onnx(node.count("size", 0)?, alpha, beta, k);
    Ok(vec![import.apply(op, &[node.input(0)?])?])
}

/// <https://onnx.ai/onnx/operators/onnx__LpNormalization.html>
fn lp_normalize(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let op = LpNormalize { axis: node.axis(-1, x.rank())?, p: node.count("p", 2)? };
    Ok(vec![import.apply(op, &[x])?])
}

/// <https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html>
fn mean_variance_normalize(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let axes = axes(&node.ints("axes")?.unwrap_or(vec![0, 2, 3]), x.rank())?;
    let op = MeanVarianceNormalize { axes, eps: MVN_EPSILON };
    if op.takes(x.shape()) {
        return Ok(vec![import.apply(op, &[x])?]);
    }
    // Axes that are kept and lie apart come to the front.
    let (reduced, kept): (Vec<_>, Vec<_>) = (0..x.rank()).partition(|axis| op.axes.contains(axis));
    let order = [&kept[..], &reduced].concat();
    let mut back = order.clone();
    order.iter().enumerate().for_each(|(to, &from)| back[from] = to);
    let op = MeanVarianceNormalize { axes: (kept.len()..x.rank()).collect(), ..op };
    let x = import.permute(x, &order)?;
    let y = import.apply(op, &[&x])?;
    Ok(vec![import.permute(&y, &back)?])
}
