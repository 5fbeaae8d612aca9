//! What the differential tests cannot compare.

/// Operators of ONNX that convgpu has and rten has not; and those of quantised networks, which are compared with ONNX Runtime
/// (`tests/onnx/quantised`, `comparison/quantised.py`).
pub const UNCOMPARED: &[&str] = &[
    "AffineGrid",
    "Celu",
    "Compress",
    "ConvInteger",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "GlobalLpPool",
    "GridSample",
    "GroupNormalization",
    "Hardmax",
    "LRN",
    "LpPool",
    "MatMulInteger",
    "MeanVarianceNormalization",
    "Mish",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "Selu",
    "Shrink",
    "SpaceToDepth",
    "Swish",
    "ThresholdedRelu",
];
