//! Functions of one number.

use super::attribute;

attribute! {
    /// A function of one number. The formulas are those of `torch.nn.functional` and, where PyTorch has none, of ONNX.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Activation, "ACT", named {
        /// x
        Identity = "identity",
        /// max(x, 0)
        Relu = "relu",
        /// min(max(x, min), max); relu6 is `Clamp { min: 0, max: 6 }`
        #[allow(missing_docs)]
        Clamp { min: f32, max: f32 } = "clamp",
        /// x, or slope x below 0
        #[allow(missing_docs)]
        LeakyRelu { slope: f32 } = "leaky_relu",
        /// x, or alpha (e^x - 1) below 0
        #[allow(missing_docs)]
        Elu { alpha: f32 } = "elu",
        /// gamma (x, or alpha (e^x - 1) below 0)
        #[allow(missing_docs)]
        Selu { alpha: f32, gamma: f32 } = "selu",
        /// x, or alpha (e^(x/alpha) - 1) below 0
        #[allow(missing_docs)]
        Celu { alpha: f32 } = "celu",
        /// x (1 + erf(x / sqrt 2)) / 2
        Gelu = "gelu",
        /// x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
        GeluTanh = "gelu_tanh",
        /// 1 / (1 + e^-x)
        Sigmoid = "sigmoid",
        /// tanh x
        Tanh = "tanh",
        /// min(max(alpha x + beta, 0), 1); PyTorch has 1/6, which is not an f32, and 1/2
        #[allow(missing_docs)]
        HardSigmoid { alpha: f64, beta: f64 } = "hardsigmoid",
        /// alpha x + beta
        #[allow(missing_docs)]
        Affine { alpha: f32, beta: f32 } = "affine",
        /// alpha tanh(beta x)
        #[allow(missing_docs)]
        ScaledTanh { alpha: f32, beta: f32 } = "scaled_tanh",
        /// x min(max(x + 3, 0), 6) / 6
        HardSwish = "hardswish",
        /// x sigmoid(beta x); SiLU has beta 1
        #[allow(missing_docs)]
        Swish { beta: f32 } = "silu",
        /// x tanh(softplus(x))
        Mish = "mish",
        /// log(1 + e^(beta x)) / beta, or x where beta x > threshold
        #[allow(missing_docs)]
        Softplus { beta: f32, threshold: f32 } = "softplus",
        /// x / (1 + |x|)
        Softsign = "softsign",
        /// x, or value up to threshold
        #[allow(missing_docs)]
        Threshold { threshold: f32, value: f32 } = "threshold",
        /// x above alpha, else 0, also for NaN
        #[allow(missing_docs)]
        ThresholdedRelu { alpha: f32 } = "thresholded_relu",
        /// e^x
        Exp = "exp",
        /// natural logarithm
        Log = "log",
        /// square root
        Sqrt = "sqrt",
        /// 1 / x
        Reciprocal = "reciprocal",
        /// |x|
        Abs = "abs",
        /// -x
        Neg = "neg",
        /// the largest integer that is not above x
        Floor = "floor",
        /// the smallest integer that is not below x
        Ceil = "ceil",
        /// the nearest integer, halves to even
        Round = "round",
        /// -1, 0 or 1
        Sign = "sign",
        /// the error function
        Erf = "erf",
        /// scale min(max(round(x / scale), low), high): quantised and dequantised again. The quotient is rounded to f32 first,
        /// halves of an integer to even; scale is above 0, low and high are integers. Of NaN it is scale low
        #[allow(missing_docs)]
        FakeQuantize { scale: f32, low: f32, high: f32 } = "fake_quantize",
    }
}

use Activation::*;

/// PyTorch's selu constants.
pub const SELU: Activation = Selu { alpha: 1.673_263_2, gamma: 1.050_701 };
/// min(max(x, 0), 6)
pub const RELU6: Activation = Clamp { min: 0.0, max: 6.0 };
/// PyTorch's hardsigmoid.
pub const HARD_SIGMOID: Activation = HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 };
/// x sigmoid(x)
pub const SILU: Activation = Swish { beta: 1.0 };
/// PyTorch's softplus.
pub const SOFTPLUS: Activation = Softplus { beta: 1.0, threshold: 20.0 };

impl Activation {
    /// The numbers of the form, as kernels take them: `a`, `b` and `c` of `shaders/shared/activation.wgsl`.
    pub fn params(self) -> [f32; 3] {
        match self {
            Clamp { min, max } => [min, max, 0.0],
            LeakyRelu { slope } => [slope, 0.0, 0.0],
            Elu { alpha } => [alpha, 1.0, 0.0],
            Selu { alpha, gamma } => [alpha, gamma, 0.0],
            Celu { alpha } | ThresholdedRelu { alpha } => [alpha, 0.0, 0.0],
            HardSigmoid { alpha, beta } => [alpha as f32, beta as f32, 0.0],
            Affine { alpha, beta } | ScaledTanh { alpha, beta } => [alpha, beta, 0.0],
            Swish { beta } => [beta, 0.0, 0.0],
            Softplus { beta, threshold } => [beta, threshold, 0.0],
            Threshold { threshold, value } => [threshold, value, 0.0],
            FakeQuantize { scale, low, high } => [scale, low, high],
            _ => [0.0; 3],
        }
    }
}
