//! Operators of `com.microsoft`: what ONNX Runtime's optimiser writes at level ORT_ENABLE_EXTENDED and below.
//! <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md>

use super::linear::gemm;
use super::norm::{layer_norm, rms_norm};
use super::operator::{MICROSOFT, Operator};
use super::{Import, NodeView, Val};
use crate::attr::{Activation, BinaryKind};
use crate::error::{Error, Result};
use crate::ops::unary::Unary;

/// What ONNX Runtime writes at level ORT_ENABLE_ALL, in layouts of one kind of processor.
pub(super) const NCHWC: &str = "com.microsoft.nchwc";

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("BiasGelu", &[], |i, n| biased(i, n, Activation::Gelu)).of(MICROSOFT),
    Operator::new("FastGelu", &[], |i, n| biased(i, n, Activation::GeluTanh)).of(MICROSOFT),
    Operator::new("FusedConv", FUSED_CONV, fused_conv).of(MICROSOFT),
    Operator::new("FusedGemm", FUSED_GEMM, fused_gemm).of(MICROSOFT),
    Operator::new("FusedMatMul", &["alpha", "transA", "transB", "transBatchA", "transBatchB"], fused_matmul)
        .of(MICROSOFT),
    // As releases before FusedMatMul called it.
    Operator::new("TransposeMatMul", &["alpha", "transA", "transB"], fused_matmul).of(MICROSOFT),
    Operator::new("Gelu", &[], |i, n| biased(i, n, Activation::Gelu)).of(MICROSOFT),
    Operator::new("LayerNormalization", &["axis", "epsilon", "stash_type"], layer_norm).of(MICROSOFT),
    Operator::new("NhwcConv", super::conv::ATTRIBUTES, nhwc_conv).of(MICROSOFT),
    Operator::new("QuickGelu", &["alpha"], quick_gelu).of(MICROSOFT),
    Operator::new("SimplifiedLayerNormalization", &["axis", "epsilon", "stash_type"], rms_norm).of(MICROSOFT),
    Operator::new("SkipLayerNormalization", &["epsilon"], skip_layer_norm).of(MICROSOFT),
    Operator::new("SkipSimplifiedLayerNormalization", &["epsilon"], skip_rms_norm).of(MICROSOFT),
];

const FUSED_CONV: &[&str] =
    &["activation", "activation_params", "auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];

const FUSED_GEMM: &[&str] =
    &["activation", "activation_alpha", "activation_beta", "activation_gamma", "alpha", "beta", "transA", "transB"];

/// What SkipLayerNormalization adds to the variance unless it says otherwise.
const SKIP_EPSILON: f32 = 1e-12;

/// Convolution, plus the fourth input if there is one, through an activation.
fn fused_conv(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let mut y = import.conv(node, node.input(0)?, node.input(1)?, node.optional(2))?;
    if let Some(residual) = node.optional(3) {
        y = import.binary(BinaryKind::Add, &y, residual)?;
    }
    activate(import, node, y, &node.floats("activation_params")?.unwrap_or_default())
}

fn fused_gemm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let y = gemm(import, node)?.swap_remove(0);
    let mut params = vec![];
    for name in ["activation_alpha", "activation_beta", "activation_gamma"].into_iter().filter(|name| node.has(name)) {
        params.push(node.float(name, 0.0)?);
    }
    activate(import, node, y, &params)
}

/// The function that the attribute `activation` names, with its own attributes in the order of their names.
fn activate(import: &mut Import, node: &NodeView, y: Val, params: &[f32]) -> Result<Vec<Val>> {
    let f = match (node.string("activation", "")?, params) {
        ("", _) => return Ok(vec![y]),
        ("Relu", _) => Activation::Relu,
        ("Sigmoid", _) => Activation::Sigmoid,
        ("Tanh", _) => Activation::Tanh,
        ("Softplus", _) => Activation::Softplus { beta: 1.0, threshold: f32::INFINITY },
        ("Softsign", _) => Activation::Softsign,
        ("Clip", &[min, max]) => Activation::Clamp { min, max },
        ("Elu", &[alpha]) => Activation::Elu { alpha },
        ("HardSigmoid", &[alpha, beta]) => Activation::HardSigmoid { alpha: alpha.into(), beta: beta.into() },
        ("LeakyRelu", &[slope]) => Activation::LeakyRelu { slope },
        ("Selu", &[alpha, gamma]) => Activation::Selu { alpha, gamma },
        ("ThresholdedRelu", &[threshold]) => Activation::Threshold { threshold, value: 0.0 },
        (name, params) => {
            return Err(Error::unsupported(format!("{} with activation {name} of {params:?}", node.op())));
        }
    };
    Ok(vec![import.apply(Unary(f), &[&y])?])
}

/// `alpha a' b'`, where `'` moves axes as the attributes say.
fn fused_matmul(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let a = moved(import, node, 0, ["transA", "transBatchA"])?;
    let b = moved(import, node, 1, ["transB", "transBatchB"])?;
    let alpha = node.float("alpha", 1.0)?;
    // A known weight is scaled once.
    if b.known().is_some() {
        let b = import.scale(&b, alpha)?;
        return Ok(vec![import.product(&a, &b)?]);
    }
    let y = import.product(&a, &b)?;
    Ok(vec![import.scale(&y, alpha)?])
}

/// An operand of FusedMatMul. `transBatch` moves its first axis behind the batch: `[m, batch.., k]` are matrices of `m`
/// rows. `trans` then exchanges the last two.
fn moved(import: &mut Import, node: &NodeView, k: usize, [trans, batch]: [&str; 2]) -> Result<Val> {
    let x = node.input(k)?;
    let mut order: Vec<usize> = (0..x.rank()).collect();
    if let Some(last) = x.rank().checked_sub(1).filter(|&last| last > 0) {
        if node.flag(batch, false)? {
            order[..last].rotate_left(1);
        }
        if node.flag(trans, false)? {
            order.swap(last - 1, last);
        }
    }
    import.permute(x, &order)
}

/// A function of the first input plus, if it is there, the second.
fn biased(import: &mut Import, node: &NodeView, f: Activation) -> Result<Vec<Val>> {
    let x = match node.optional(1) {
        Some(bias) => import.binary(BinaryKind::Add, node.input(0)?, bias)?,
        None => node.input(0)?.clone(),
    };
    Ok(vec![import.apply(Unary(f), &[&x])?])
}

/// `x sigmoid(alpha x)`.
fn quick_gelu(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let f = Activation::Swish { beta: node.float("alpha", 1.702)? };
    Ok(vec![import.apply(Unary(f), &[node.input(0)?])?])
}

/// Layer norm over the last axis of `input + skip + bias`; the last output is that sum.
fn skip_layer_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let sum = skip_sum(import, node, 4)?;
    let affine = [Some(node.input(2)?), node.optional(3)];
    let stats = node.gives(1) || node.gives(2);
    let mut outputs = import.layer_norm(&sum, sum.rank() - 1, affine, node.float("epsilon", SKIP_EPSILON)?, stats)?;
    // Where no statistics are made none are read.
    outputs.resize(3, sum.clone());
    outputs.push(sum);
    Ok(outputs)
}

/// The same without a mean and without the bias of the norm.
fn skip_rms_norm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    if node.gives(1) || node.gives(2) {
        return Err(Error::unsupported("SkipSimplifiedLayerNormalization that gives its statistics"));
    }
    let sum = skip_sum(import, node, 3)?;
    let eps = node.float("epsilon", SKIP_EPSILON)?;
    let y = import.rms_norm(&sum, sum.rank() - 1, node.input(2)?, eps)?;
    Ok(vec![y, sum.clone(), sum.clone(), sum])
}

/// The first two inputs and the bias, if there is one.
fn skip_sum(import: &mut Import, node: &NodeView, bias: usize) -> Result<Val> {
    let (x, skip) = (node.input(0)?, node.input(1)?);
    if x.rank() == 0 {
        return Err(Error::shape(format!("{} of {}: there is no axis", node.op(), x.desc())));
    }
    let mut sum = import.binary(BinaryKind::Add, x, skip)?;
    if let Some(bias) = node.optional(bias) {
        sum = import.binary(BinaryKind::Add, &sum, bias)?;
    }
    match sum.shape() == x.shape() {
        true => Ok(sum),
        false => Err(Error::shape(format!("{} of {} with skip {}", node.op(), x.desc(), skip.desc()))),
    }
}

/// A convolution of `[n, h, w, c]` by weights `[m, kh, kw, c]`.
fn nhwc_conv(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (x, weight) = (node.input(0)?, node.input(1)?);
    if x.rank() != 4 || weight.rank() != 4 {
        return Err(Error::unsupported(format!("NhwcConv of {} by {}: images only", x.desc(), weight.desc())));
    }
    let x = import.permute(x, &[0, 3, 1, 2])?;
    let weight = import.permute(weight, &[0, 3, 1, 2])?;
    let y = import.conv(node, &x, &weight, node.optional(2))?;
    Ok(vec![import.permute(&y, &[0, 2, 3, 1])?])
}
