//! Element-wise functions.

use super::eager::run;
use crate::attr::{self, Activation, BinaryKind, Trigonometric};
use crate::device::DeviceTensor;
use crate::error::{Error, Result};
use crate::options::Approximate;

/// Any function of every element that [`Activation`] lists.
///
/// x has any shape, the result has the same.
///
/// # Errors
/// The tensor is not f32, or for what integers have as well (`Relu`, `Abs`, `Neg`, `Sign`, `Clamp`, rounding) of another type.
pub fn activate(x: &DeviceTensor, f: Activation) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.activation(ids[0], f))
}

macro_rules! unary {
    ($errors:literal: $($(#[$doc:meta])* $name:ident($($arg:ident),*) = $page:literal $function:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// x has any shape, the result has the same.
        #[doc = concat!("[torch.", $page, "](https://docs.pytorch.org/docs/stable/generated/torch.", $page, ".html)")]
        ///
        /// # Errors
        #[doc = $errors]
        pub fn $name(x: &DeviceTensor $(, $arg: f32)*) -> Result<DeviceTensor> {
            activate(x, $function)
        }
    )*};
}

unary! { "The tensor is not f32.":
    /// x, or `negative_slope x` below 0. PyTorch's default is 0.01.
    leaky_relu(negative_slope) = "nn.functional.leaky_relu" Activation::LeakyRelu { slope: negative_slope };
    /// x, or `alpha (e^x - 1)` below 0. PyTorch's default is 1.
    elu(alpha) = "nn.functional.elu" Activation::Elu { alpha };
    /// `scale x`, or `scale alpha (e^x - 1)` below 0, with scale 1.0507010 and alpha 1.6732632.
    selu() = "nn.functional.selu" attr::SELU;
    /// x, or `alpha (e^(x / alpha) - 1)` below 0. PyTorch's default is 1.
    celu(alpha) = "nn.functional.celu" Activation::Celu { alpha };
    /// `1 / (1 + e^-x)`
    sigmoid() = "sigmoid" Activation::Sigmoid;
    /// `(e^x - e^-x) / (e^x + e^-x)`
    tanh() = "tanh" Activation::Tanh;
    /// `min(max(x / 6 + 1/2, 0), 1)`
    hardsigmoid() = "nn.functional.hardsigmoid" attr::HARD_SIGMOID;
    /// `x min(max(x + 3, 0), 6) / 6`
    hardswish() = "nn.functional.hardswish" Activation::HardSwish;
    /// `x / (1 + e^-x)`
    silu() = "nn.functional.silu" attr::SILU;
    /// `x tanh(log(1 + e^x))`
    mish() = "nn.functional.mish" Activation::Mish;
    /// `log(1 + e^(beta x)) / beta`, or x where `beta x` is above `threshold`. PyTorch's defaults are 1 and 20.
    softplus(beta, threshold) = "nn.functional.softplus" Activation::Softplus { beta, threshold };
    /// `x / (1 + |x|)`
    softsign() = "nn.functional.softsign" Activation::Softsign;
    /// `e^x`
    exp() = "exp" Activation::Exp;
    /// The natural logarithm; NaN below 0.
    log() = "log" Activation::Log;
    /// The square root; NaN below 0.
    sqrt() = "sqrt" Activation::Sqrt;
    /// `1 / x`
    reciprocal() = "reciprocal" Activation::Reciprocal;
    /// The error function: `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to x.
    erf() = "erf" Activation::Erf;
}

unary! { "The tensor holds neither f32 nor integers, which wrap.":
    /// `max(x, 0)`
    relu() = "nn.functional.relu" Activation::Relu;
    /// `min(max(x, 0), 6)`
    relu6() = "nn.functional.relu6" attr::RELU6;
    /// `|x|`
    abs() = "abs" Activation::Abs;
    /// `-x`
    neg() = "neg" Activation::Neg;
    /// The largest integer that is not above x.
    floor() = "floor" Activation::Floor;
    /// The smallest integer that is not below x.
    ceil() = "ceil" Activation::Ceil;
    /// The nearest integer; halves round to even.
    round() = "round" Activation::Round;
    /// -1, 0 or 1. The sign of a NaN is NaN here, in PyTorch it is 0.
    sign() = "sign" Activation::Sign;
}

/// `x P(X <= x)` for a normally distributed X: exactly, or by the formula with the hyperbolic tangent.
///
/// x has any shape, the result has the same.
/// [torch.nn.functional.gelu](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.gelu.html)
///
/// # Errors
/// The tensor is not f32.
pub fn gelu(x: &DeviceTensor, approximate: Approximate) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.gelu(ids[0], approximate))
}

/// `min(max(x, min), max)`; either limit may be `None`. If `min` is above `max`, the result is `max`. x is f32, or holds integers
/// and the limits are numbers of their type.
///
/// x has any shape, the result has the same.
/// [torch.clamp](https://docs.pytorch.org/docs/stable/generated/torch.clamp.html)
///
/// ```
/// use convgpu::functional::clamp;
/// use convgpu::{Device, Tensor};
///
/// let x = Tensor::new([3], vec![-2.0f32, 0.5, 7.0])?.to_device(&Device::cpu())?;
/// assert_eq!(clamp(&x, -1.0, 1.0)?.to_host()?.as_f32()?, [-1.0, 0.5, 1.0]);
/// assert_eq!(clamp(&x, None, 1.0)?.to_host()?.as_f32()?, [-2.0, 0.5, 1.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The tensor holds neither f32 nor integers; a limit of integers is no number of their type.
pub fn clamp(x: &DeviceTensor, min: impl Into<Option<f32>>, max: impl Into<Option<f32>>) -> Result<DeviceTensor> {
    let (min, max) = (min.into().unwrap_or(f32::NEG_INFINITY), max.into().unwrap_or(f32::INFINITY));
    activate(x, Activation::Clamp { min, max })
}

/// x above `threshold`, elsewhere `value`.
///
/// x has any shape, the result has the same.
/// [torch.nn.functional.threshold](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.threshold.html)
///
/// # Errors
/// The tensor is not f32.
pub fn threshold(x: &DeviceTensor, threshold: f32, value: f32) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.threshold(ids[0], threshold, value))
}

/// x in steps of `scale`, as integers from `quant_min` to `quant_max` have them whose `zero_point` stands for 0:
/// `scale (min(max(round(x / scale) + zero_point, quant_min), quant_max) - zero_point)`, halves to even.
///
/// x has any shape, the result has the same. PyTorch multiplies by the reciprocal of `scale`: near the middle of two steps it may
/// take the other one.
/// [torch.fake_quantize_per_tensor_affine](https://docs.pytorch.org/docs/stable/generated/torch.fake_quantize_per_tensor_affine.html)
///
/// ```
/// use convgpu::functional::fake_quantize_per_tensor_affine;
/// use convgpu::{Device, Tensor};
///
/// let x = Tensor::from([-9.0f32, 0.24, 0.26, 9.0]).to_device(&Device::cpu())?;
/// let y = fake_quantize_per_tensor_affine(&x, 0.5, 2, 0, 15)?;
/// assert_eq!(y.to_host()?.as_f32()?, [-1.0, 0.0, 0.5, 6.5]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// # Errors
/// The tensor is not f32; `scale` is not a number above 0; `quant_min` is above `zero_point`, or `quant_max` below it.
pub fn fake_quantize_per_tensor_affine(
    x: &DeviceTensor,
    scale: f32,
    zero_point: i32,
    quant_min: i32,
    quant_max: i32,
) -> Result<DeviceTensor> {
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(Error::argument(format!("the scale {scale}: it must be above 0")));
    }
    if !(quant_min..=quant_max).contains(&zero_point) {
        return Err(Error::argument(format!("the zero point {zero_point} is outside {quant_min} to {quant_max}")));
    }
    let [low, high] = [quant_min, quant_max].map(|limit| (i64::from(limit) - i64::from(zero_point)) as f32);
    activate(x, Activation::FakeQuantize { scale, low, high })
}

/// The sine of x in radians; NaN for infinities. Up to |x| = 8192 the error bound is absolute; beyond, it grows with |x|.
///
/// x has any shape, the result has the same.
/// [torch.sin](https://docs.pytorch.org/docs/stable/generated/torch.sin.html)
///
/// # Errors
/// The tensor is not f32.
pub fn sin(x: &DeviceTensor) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.sin(ids[0]))
}

/// The cosine of x in radians; NaN for infinities. Up to |x| = 8192 the error bound is absolute; beyond, it grows with |x|.
///
/// x has any shape, the result has the same.
/// [torch.cos](https://docs.pytorch.org/docs/stable/generated/torch.cos.html)
///
/// # Errors
/// The tensor is not f32.
pub fn cos(x: &DeviceTensor) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.cos(ids[0]))
}

macro_rules! trigonometric {
    ($($(#[$doc:meta])* $name:ident = $page:literal $function:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// x has any shape, the result has the same.
        #[doc = concat!("[torch.", $page, "](https://docs.pytorch.org/docs/stable/generated/torch.", $page, ".html)")]
        ///
        /// # Errors
        /// The tensor is not f32.
        pub fn $name(x: &DeviceTensor) -> Result<DeviceTensor> {
            run(&[x], |g, ids| g.trigonometric(ids[0], Trigonometric::$function))
        }
    )*};
}

trigonometric! {
    /// The tangent of x in radians; NaN for infinities. Up to |x| = 8192 only the neighbours of a pole lose digits; beyond, more
    /// do.
    tan = "tan" Tan;
    /// The angle in radians whose sine is x; NaN for |x| above 1.
    asin = "asin" Asin;
    /// The angle in radians whose cosine is x, from 0 to pi; NaN for |x| above 1.
    acos = "acos" Acos;
    /// The angle in radians whose tangent is x.
    atan = "atan" Atan;
    /// The hyperbolic sine of x.
    sinh = "sinh" Sinh;
    /// The hyperbolic cosine of x.
    cosh = "cosh" Cosh;
    /// The number whose hyperbolic sine is x.
    asinh = "asinh" Asinh;
    /// The number of at least 0 whose hyperbolic cosine is x; NaN for x below 1.
    acosh = "acosh" Acosh;
    /// The number whose hyperbolic tangent is x; infinite for |x| = 1, NaN beyond.
    atanh = "atanh" Atanh;
}

/// x, or `weight x` below 0.
///
/// x is `[n, c, ..]`, the result likewise; the weight is one number or `[c]`, one per channel; a weight with more axes
/// is broadcast to x.
/// [torch.nn.functional.prelu](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.prelu.html)
///
/// # Errors
/// The weight has another shape; a tensor is not f32.
pub fn prelu(x: &DeviceTensor, weight: &DeviceTensor) -> Result<DeviceTensor> {
    run(&[x, weight], |g, ids| g.prelu(ids[0], ids[1]))
}

macro_rules! binary {
    ($method:ident: $($(#[$doc:meta])* $name:ident = $kind:ident: $types:literal;)*) => {$(
        $(#[$doc])*
        ///
        #[doc = concat!($types, " The operands are [broadcast](https://docs.pytorch.org/docs/stable/notes/broadcasting.html) to a common shape.")]
        #[doc = concat!("[torch.", stringify!($name), "](https://docs.pytorch.org/docs/stable/generated/torch.", stringify!($name), ".html)")]
        ///
        /// # Errors
        /// The shapes do not broadcast; the types differ or do not have the function.
        pub fn $name(a: &DeviceTensor, b: &DeviceTensor) -> Result<DeviceTensor> {
            run(&[a, b], |g, ids| g.$method(ids[0], ids[1], BinaryKind::$kind))
        }
    )*};
}

binary! { binary:
    /// `a + b`
    add = Add: "Numbers of one type; integers wrap.";
    /// `a - b`
    sub = Sub: "Numbers of one type; integers wrap.";
    /// `a b`
    mul = Mul: "Numbers of one type; integers wrap.";
    /// `a / b`
    div = Div: "Numbers of one type. Of integers the quotient is truncated (PyTorch's `rounding_mode=\"trunc\"`), and of a division by 0 it is 0.";
    /// The larger of a and b; NaN if either is.
    maximum = Maximum: "Numbers of one type.";
    /// The smaller of a and b; NaN if either is.
    minimum = Minimum: "Numbers of one type.";
    /// `a^b`
    pow = Pow: "Numbers of one type; of integers a result below 1 is truncated to 0.";
    /// `a - b floor(a / b)`: the remainder with the sign of b.
    remainder = Mod: "Numbers of one type; of a division by 0 NaN, of integers 0.";
    /// `a - b trunc(a / b)`: the remainder with the sign of a.
    fmod = Fmod: "Numbers of one type; of a division by 0 NaN, of integers 0.";
    /// Whether a = b; false if either is NaN.
    eq = Equal: "Numbers of one type, or booleans; gives booleans.";
    /// Whether a < b; false if either is NaN.
    lt = Less: "Numbers of one type; gives booleans.";
    /// Whether a > b; false if either is NaN.
    gt = Greater: "Numbers of one type; gives booleans.";
    /// Whether a <= b; false if either is NaN.
    le = LessOrEqual: "Numbers of one type; gives booleans.";
    /// Whether a >= b; false if either is NaN.
    ge = GreaterOrEqual: "Numbers of one type; gives booleans.";
}

binary! { logical:
    /// Whether both hold.
    logical_and = And: "Booleans, or numbers, of which all but 0 are true; gives booleans.";
    /// Whether at least one holds.
    logical_or = Or: "Booleans, or numbers, of which all but 0 are true; gives booleans.";
    /// Whether exactly one holds.
    logical_xor = Xor: "Booleans, or numbers, of which all but 0 are true; gives booleans.";
}

binary! { binary:
    /// The bits that a and b have both.
    bitwise_and = And: "Integers of one type, or booleans.";
    /// The bits that at least one of a and b has.
    bitwise_or = Or: "Integers of one type, or booleans.";
    /// The bits that one of a and b has.
    bitwise_xor = Xor: "Integers of one type, or booleans.";
    /// `a 2^b` without the bits beyond the type; 0 where b is negative or not less than the number of bits.
    bitwise_left_shift = ShiftLeft: "Integers of one type; an i64 that is shifted out of its bits is an error.";
    /// `a / 2^b`, rounded down; where b is negative or not less than the number of bits, 0, or -1 for a below 0.
    bitwise_right_shift = ShiftRight: "Integers of one type.";
}

/// The other bits: `-x - 1` of integers with a sign, the negation of booleans.
///
/// x has any shape, the result has the same.
/// [torch.bitwise_not](https://docs.pytorch.org/docs/stable/generated/torch.bitwise_not.html)
///
/// # Errors
/// The tensor holds floats.
pub fn bitwise_not(x: &DeviceTensor) -> Result<DeviceTensor> {
    run(&[x], |g, ids| g.bitwise_not(ids[0]))
}

/// The elements of `input` where the condition holds, elsewhere those of `other`.
///
/// The condition is boolean, the others are of one type, any; all three are broadcast to a common shape.
/// [torch.where](https://docs.pytorch.org/docs/stable/generated/torch.where.html)
///
/// # Errors
/// The shapes do not broadcast; the condition is not boolean; the types of the others differ.
pub fn where_(condition: &DeviceTensor, input: &DeviceTensor, other: &DeviceTensor) -> Result<DeviceTensor> {
    run(&[condition, input, other], |g, ids| g.where_(ids[0], ids[1], ids[2]))
}
