//! Normalisation over the batch, over images, groups, trailing axes, neighbouring channels.

use super::node_view::axes;
use super::operators::Operator;
use super::{Import, NodeView, Val};
use crate::error::{Error, Result};
use crate::ops::batch_norm::{BatchNorm, BatchNormTraining};
use crate::ops::binary::BinaryKind;
use crate::ops::group_norm::GroupNorm;
use crate::ops::layer_norm::LayerNorm;
use crate::ops::local_response_norm::LocalResponseNorm;
use crate::ops::normalize::{LpNormalize, MeanVarianceNormalize};
use crate::ops::reduce::{Kind, Reduce};
use crate::ops::unary::{Activation, Unary};
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
    if !node.flag("spatial", true)? {
        return Err(Error::unsupported("BatchNormalization with spatial = 0"));
    }
    let eps = epsilon(node)?;
    if node.opset >= 14 && node.flag("training_mode", false)? {
        let momentum = 1.0 - node.float("momentum", 0.9)?;
        return import.apply_all(BatchNormTraining { eps, momentum, unbiased: false }, &inputs);
    }
    if node.opset < 14 && node.gives(1) && !node.flag("is_test", false)? {
        let momentum = 1.0 - node.float("momentum", 0.9)?;
        let mut outputs = import.apply_all(BatchNormTraining { eps, momentum, unbiased: false }, &inputs)?;
        let of_batch = import.apply_all(BatchNormTraining { eps, momentum: 1.0, unbiased: false }, &inputs)?;
        outputs.extend(of_batch.into_iter().skip(1));
        return Ok(outputs);
    }
    Ok(vec![import.apply(BatchNorm { eps }, &inputs)?])
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
fn layer_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let x = node.input(0)?;
    let axis = node.axis(-1, x.rank())?;
    let inner = &x.shape()[axis..];
    let mut inputs = vec![x.clone()];
    for k in [1, 2] {
        if let Some(v) = node.optional(k) {
            inputs.push(import.expand(v, inner)?);
        }
    }
    let op = LayerNorm { axes: x.rank() - axis, eps: epsilon(node)?, stats: node.gives(1) || node.gives(2) };
    import.apply_all(op, &inputs.iter().collect::<Vec<_>>())
}

/// `x / sqrt(mean x^2 + epsilon) scale` over the trailing axes.
/// <https://onnx.ai/onnx/operators/onnx__RMSNormalization.html>
fn rms_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, scale) = (node.input(0)?, node.input(1)?);
    let axes = (node.axis(-1, x.rank())?..x.rank()).collect();
    let squares = import.binary(BinaryKind::Mul, x, x)?;
    let mean = import.apply(Reduce { axes, keep_dims: true, kind: Kind::Mean }, &[&squares])?;
    let mean = import.binary(BinaryKind::Add, &mean, &Tensor::scalar(epsilon(node)?).into())?;
    let deviation = import.apply(Unary(Activation::Sqrt), &[&mean])?;
    let normal = import.binary(BinaryKind::Div, x, &deviation)?;
    Ok(vec![import.binary(BinaryKind::Mul, &normal, scale)?])
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
    Ok(vec![import.apply(MeanVarianceNormalize { axes, eps: MVN_EPSILON }, &[x])?])
}
