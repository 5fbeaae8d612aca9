//! The table of operators: `convgpu ops` prints it, and the README holds it.

/// An operator, or a family of them that differ in name only.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name here, as in reports and errors.
    pub name: &'static str,
    /// PyTorch's functions or modules.
    pub torch: &'static str,
    /// The ONNX operators that become it.
    pub onnx: &'static str,
    /// What of it is supported.
    pub notes: &'static str,
}

const fn entry(name: &'static str, torch: &'static str, onnx: &'static str, notes: &'static str) -> Entry {
    Entry { name, torch, onnx, notes }
}

/// Every operator.
pub const CATALOG: &[Entry] = &[
    entry(
        "conv2d",
        "conv1d, conv2d, linear",
        "Conv, Gemm, MatMul with a constant",
        "stride, padding per side, dilation, groups (depthwise included), bias; activation and residual fused",
    ),
    entry(
        "unary",
        "relu, relu6, leaky_relu, elu, selu, celu, gelu, sigmoid, tanh, hardsigmoid, hardswish, silu, mish, softplus, \
         softsign, threshold, clamp, exp, log, sqrt, reciprocal, abs, neg, floor, ceil, round, sign, erf",
        "Relu, LeakyRelu, Elu, Selu, Celu, Gelu, Sigmoid, Tanh, HardSigmoid, HardSwish, Swish, Mish, Softplus, Softsign, \
         ThresholdedRelu, Clip, Exp, Log, Sqrt, Reciprocal, Abs, Neg, Floor, Ceil, Round, Sign, Erf",
        "any shape; fused into the operator before it where that has an epilogue",
    ),
    entry("reshape", "reshape, flatten", "Reshape, Flatten, Squeeze, Unsqueeze", "a view: nothing is copied"),
];

/// The table as GitHub's Markdown.
pub fn markdown() -> String {
    let row = |e: &Entry| format!("| {} | {} | {} | {} |\n", e.name, e.torch, e.onnx, e.notes);
    let head = "| operator | PyTorch | ONNX | supported |\n|---|---|---|---|\n";
    head.to_owned() + &CATALOG.iter().map(row).collect::<String>()
}
