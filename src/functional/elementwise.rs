//! Element by element, and moving elements.

use super::run_named;
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::ops::binary::BinaryKind;
use crate::reference::activation::{self, Activation};

/// A function of every element.
///
/// # Errors
/// The tensor is not f32.
pub fn activate(x: &DeviceTensor, f: Activation) -> Result<DeviceTensor> {
    run_named(&format!("{f:?}"), &[x], |g, ids| g.activation(ids[0], f))
}

macro_rules! unary {
    ($($name:ident ( $($arg:ident),* ) = $function:expr;)*) => {$(
        #[doc = concat!("<https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.", stringify!($name), ".html>")]
        ///
        /// # Errors
        /// The tensor is not f32.
        pub fn $name(x: &DeviceTensor $(, $arg: f32)*) -> Result<DeviceTensor> {
            activate(x, $function)
        }
    )*};
}

unary! {
    relu() = Activation::Relu;
    relu6() = activation::RELU6;
    leaky_relu(negative_slope) = Activation::LeakyRelu { slope: negative_slope };
    elu(alpha) = Activation::Elu { alpha };
    selu() = activation::SELU;
    sigmoid() = Activation::Sigmoid;
    tanh() = Activation::Tanh;
    hardsigmoid() = activation::HARD_SIGMOID;
    hardswish() = Activation::HardSwish;
    silu() = activation::SILU;
    mish() = Activation::Mish;
    softplus(beta, threshold) = Activation::Softplus { beta, threshold };
    softsign() = Activation::Softsign;
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.gelu.html>; `tanh` picks that approximation.
///
/// # Errors
/// The tensor is not f32.
pub fn gelu(x: &DeviceTensor, tanh: bool) -> Result<DeviceTensor> {
    activate(x, if tanh { Activation::GeluTanh } else { Activation::Gelu })
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.clamp.html>
///
/// # Errors
/// The tensor is not f32.
pub fn clamp(x: &DeviceTensor, min: f32, max: f32) -> Result<DeviceTensor> {
    activate(x, Activation::Clamp { min, max })
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.exp.html>
///
/// # Errors
/// The tensor is not f32.
pub fn exp(x: &DeviceTensor) -> Result<DeviceTensor> {
    activate(x, Activation::Exp)
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.sqrt.html>
///
/// # Errors
/// The tensor is not f32.
pub fn sqrt(x: &DeviceTensor) -> Result<DeviceTensor> {
    activate(x, Activation::Sqrt)
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.prelu.html>: one slope, or one a channel.
///
/// # Errors
/// The slope fits neither.
pub fn prelu(x: &DeviceTensor, weight: &DeviceTensor) -> Result<DeviceTensor> {
    run_named("prelu", &[x, weight], |g, ids| g.prelu(ids[0], ids[1]))
}

macro_rules! binary {
    ($($name:ident = $kind:ident;)*) => {$(
        #[doc = concat!("<https://docs.pytorch.org/docs/stable/generated/torch.", stringify!($name), ".html>, broadcasting")]
        ///
        /// # Errors
        /// The shapes do not broadcast, or the types differ.
        pub fn $name(a: &DeviceTensor, b: &DeviceTensor) -> Result<DeviceTensor> {
            run_named(stringify!($name), &[a, b], |g, ids| g.binary(ids[0], ids[1], BinaryKind::$kind))
        }
    )*};
}

binary! {
    add = Add;
    sub = Sub;
    mul = Mul;
    div = Div;
    maximum = Maximum;
    minimum = Minimum;
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.cat.html>
///
/// # Errors
/// The shapes differ in another axis.
pub fn concat(parts: &[&DeviceTensor], axis: i64) -> Result<DeviceTensor> {
    run_named(&format!("concat{axis}"), parts, |g, ids| g.concat(ids, axis))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.permute.html>: axis i of the result is axis `order[i]` of `x`.
///
/// # Errors
/// `order` is not a permutation of the axes.
pub fn permute(x: &DeviceTensor, order: &[usize]) -> Result<DeviceTensor> {
    run_named(&format!("permute{order:?}"), &[x], |g, ids| g.permute(ids[0], order))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.flatten.html>; nothing is copied.
///
/// # Errors
/// The axes are outside the tensor or in the wrong order.
pub fn flatten(x: &DeviceTensor, start_dim: i64, end_dim: i64) -> Result<DeviceTensor> {
    run_named(&format!("flatten{start_dim}|{end_dim}"), &[x], |g, ids| g.flatten(ids[0], start_dim, end_dim))
}
