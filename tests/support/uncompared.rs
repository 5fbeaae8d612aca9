//! What the differential tests cannot compare.

/// Operators of ONNX that convgpu has and rten has not.
pub const UNCOMPARED: &[&str] = &[
    "Celu",
    "Compress",
    "GlobalLpPool",
    "GroupNormalization",
    "Hardmax",
    "LRN",
    "LpPool",
    "MeanVarianceNormalization",
    "Mish",
    "Selu",
    "Shrink",
    "SpaceToDepth",
    "Swish",
    "ThresholdedRelu",
];
