//! What the differential tests cannot compare.

/// Operators of ONNX that convgpu has and rten has not; and those of quantised networks and of sequences, which are compared with
/// ONNX Runtime (`tests/onnx/quantised`, `comparison/quantised.py`, `tests/onnx/recurrent`).
pub const UNCOMPARED: &[&str] = &[
    "AffineGrid",
    "Celu",
    "Compress",
    "ConvInteger",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "GRU",
    "GlobalLpPool",
    "GridSample",
    "GroupNormalization",
    "Hardmax",
    "LRN",
    "LSTM",
    "LpPool",
    "MatMulInteger",
    "MeanVarianceNormalization",
    "Mish",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "RNN",
    "ReverseSequence",
    "Selu",
    "Shrink",
    "SpaceToDepth",
    "Swish",
    "ThresholdedRelu",
];
