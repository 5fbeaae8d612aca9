//! Functions of single elements that integers have as well: functions of two integers make them.

use super::assemble::Assemble;
use crate::attr::{Activation, BinaryKind};
use crate::error::{Error, Result};
use crate::ops::binary::Binary;
use crate::shape::DType;
use crate::tensor::Tensor;

/// `f` of integers of this type, which wrap; `None` if only floats have the function.
///
/// # Errors
/// A limit is no number of the type.
pub(crate) fn function<A: Assemble>(to: &mut A, x: &A::Value, dtype: DType, f: Activation) -> Result<Option<A::Value>> {
    let unsigned = matches!(dtype, DType::U8 | DType::U16 | DType::U32);
    let with = |to: &mut A, kind, x: &A::Value, number: f32| {
        let number = to.fixed("number", whole(number, dtype)?)?;
        to.add_op(Binary(kind), &[x, &number])
    };
    let negative = |to: &mut A| {
        let zero = to.fixed("number", whole(0.0, dtype)?)?;
        to.add_op(Binary(BinaryKind::Sub), &[&zero, x])
    };
    Ok(Some(match f {
        Activation::Identity | Activation::Floor | Activation::Ceil | Activation::Round => x.clone(),
        Activation::Abs if unsigned => x.clone(),
        Activation::Abs => {
            let negative = negative(to)?;
            to.add_op(Binary(BinaryKind::Maximum), &[x, &negative])?
        }
        Activation::Neg => negative(to)?,
        Activation::Relu => with(to, BinaryKind::Maximum, x, 0.0)?,
        Activation::Sign if unsigned => with(to, BinaryKind::Minimum, x, 1.0)?,
        Activation::Sign => {
            let y = with(to, BinaryKind::Minimum, x, 1.0)?;
            with(to, BinaryKind::Maximum, &y, -1.0)?
        }
        Activation::Clamp { min, max } => {
            let mut y = x.clone();
            if min != f32::NEG_INFINITY {
                y = with(to, BinaryKind::Maximum, &y, min)?;
            }
            if max != f32::INFINITY {
                y = with(to, BinaryKind::Minimum, &y, max)?;
            }
            y
        }
        _ => return Ok(None),
    }))
}

/// A number as an integer of this type.
fn whole(number: f32, dtype: DType) -> Result<Tensor> {
    let tensor = Tensor::scalar(number as i64).to_dtype(dtype);
    match tensor.to_f64s()[..] == [f64::from(number)] {
        true => Ok(tensor),
        false => Err(Error::argument(format!("a limit of {number}, which is no {dtype}"))),
    }
}
