//! The element types of tensors, and conversions between tensors and Rust values.

use std::sync::Arc;

use half::{bf16, f16};

use super::{Data, Tensor};
use crate::error::{Error, Result};
use crate::shape::DType;

/// A Rust type whose values make up a [`Tensor`]: `f32`, `f16` and `bf16` of the crate half, integers of 8 to 32 bits, `i64`,
/// `bool`.
///
/// `f64` is not one, so that literals are f32: [`Data::F64`] holds such elements and [`Tensor::to_f64s`] gives them.
///
/// ```
/// use convgpu::{DType, Element, Tensor};
///
/// fn largest<T: Element + PartialOrd>(t: &Tensor) -> convgpu::Result<Option<T>> {
///     Ok(t.as_slice::<T>()?.iter().copied().reduce(|a, b| if b > a { b } else { a }))
/// }
/// assert_eq!(i64::DTYPE, DType::I64);
/// assert_eq!(largest::<i64>(&Tensor::from([3i64, 7, 5]))?, Some(7));
/// # Ok::<(), convgpu::Error>(())
/// ```
pub trait Element: sealed::Elements {
    /// The corresponding [`DType`].
    const DTYPE: DType;
}

pub(crate) mod sealed {
    use super::{Arc, DType, Data};

    /// How elements of a type are stored in [`Data`]. Only this crate can name the trait, so no other type implements it.
    pub trait Elements:
        Copy + Default + PartialOrd + std::fmt::Debug + std::fmt::Display + Send + Sync + 'static
    {
        const TYPE: DType;
        fn wrap(values: Vec<Self>) -> Data;
        fn shared(data: &Data) -> Option<&Arc<Vec<Self>>>;
        fn take(data: Data) -> Option<Arc<Vec<Self>>>;

        /// The value as f64.
        fn number(self) -> f64;
        /// The value as i64; a float is truncated.
        fn integer(self) -> i64;
        /// The value of this type nearest to a float; an integer by truncation to 32 bits (64 for i64), of which a narrower
        /// one keeps the low bits. NaN becomes 0. Whatever is not 0 is true.
        fn of_number(v: f64) -> Self;
        /// The low bits of an integer, or the nearest float. Whatever is not 0 is true.
        fn of_integer(v: i64) -> Self;
    }
}

macro_rules! element {
    ($($type:ty: $variant:ident, $number:expr, $integer:expr, $of_number:expr, $of_integer:expr;)*) => {$(
        impl sealed::Elements for $type {
            const TYPE: DType = DType::$variant;
            fn wrap(values: Vec<$type>) -> Data {
                Data::$variant(Arc::new(values))
            }
            fn shared(data: &Data) -> Option<&Arc<Vec<$type>>> {
                if let Data::$variant(values) = data { Some(values) } else { None }
            }
            fn take(data: Data) -> Option<Arc<Vec<$type>>> {
                if let Data::$variant(values) = data { Some(values) } else { None }
            }
            fn number(self) -> f64 {
                $number(self)
            }
            fn integer(self) -> i64 {
                $integer(self)
            }
            fn of_number(v: f64) -> $type {
                $of_number(v)
            }
            fn of_integer(v: i64) -> $type {
                $of_integer(v)
            }
        }
    )*};
}
element! {
    f32: F32, f64::from, |v| v as i64, |v| v as f32, |v| v as f32;
    f64: F64, |v| v, |v| v as i64, |v| v, |v| v as f64;
    f16: F16, f64::from, |v: f16| v.to_f64() as i64, f16::from_f64, |v| f16::from_f64(v as f64);
    bf16: BF16, f64::from, |v: bf16| v.to_f64() as i64, bf16::from_f64, |v| bf16::from_f64(v as f64);
    i8: I8, f64::from, i64::from, |v| v as i32 as i8, |v| v as i8;
    u8: U8, f64::from, i64::from, |v| v as i32 as u8, |v| v as u8;
    i16: I16, f64::from, i64::from, |v| v as i32 as i16, |v| v as i16;
    u16: U16, f64::from, i64::from, |v| v as i32 as u16, |v| v as u16;
    i32: I32, f64::from, i64::from, |v| v as i32, |v| v as i32;
    u32: U32, f64::from, i64::from, |v| if v < 0.0 { v as i32 as u32 } else { v as u32 }, |v| v as u32;
    i64: I64, |v| v as f64, |v| v, |v| v as i64, |v| v;
    bool: Bool, |v| f64::from(u8::from(v)), i64::from, |v| v != 0.0, |v| v != 0;
}

macro_rules! public {
    ($($type:ty)*) => {$(
        impl Element for $type {
            const DTYPE: DType = <$type as sealed::Elements>::TYPE;
        }
    )*};
}
public! { f32 f16 bf16 i8 u8 i16 u16 i32 u32 i64 bool }

/// The type of the elements of a list.
pub(super) fn dtype_of<T: sealed::Elements>(_: &[T]) -> DType {
    T::TYPE
}

/// An element as another type.
pub(crate) fn convert<F: sealed::Elements, T: sealed::Elements>(v: F) -> T {
    if F::TYPE.is_float() { T::of_number(v.number()) } else { T::of_integer(v.integer()) }
}

impl<T: Element> From<Vec<T>> for Data {
    fn from(values: Vec<T>) -> Data {
        T::wrap(values)
    }
}

impl Tensor {
    fn mistyped<T: Element>(&self) -> Error {
        Error::shape(format!("expected {} elements, have {}", T::DTYPE, self.desc()))
    }

    /// The elements in row-major order.
    ///
    /// # Errors
    /// The tensor has another type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T]> {
        T::shared(&self.data).map(|v| v.as_slice()).ok_or_else(|| self.mistyped::<T>())
    }

    /// A copy of the elements in row-major order.
    ///
    /// # Errors
    /// The tensor has another type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        self.as_slice().map(<[T]>::to_vec)
    }

    /// The elements in row-major order; not copied unless another tensor shares them.
    ///
    /// # Errors
    /// The tensor has another type.
    pub fn into_vec<T: Element>(self) -> Result<Vec<T>> {
        let error = self.mistyped::<T>();
        let values = T::take(self.data).ok_or(error)?;
        Ok(Arc::try_unwrap(values).unwrap_or_else(|shared| shared.to_vec()))
    }

    /// The element at an index, one number per axis.
    ///
    /// # Errors
    /// The index does not have one number per axis, or is outside the tensor; the tensor has another type.
    pub fn get<T: Element>(&self, index: &[usize]) -> Result<T> {
        let values = self.as_slice::<T>()?;
        let inside = index.len() == self.shape.len() && index.iter().zip(&self.shape).all(|(i, n)| i < n);
        if !inside {
            return Err(Error::argument(format!("the index {index:?} is outside {}", self.desc())));
        }
        Ok(values[index.iter().zip(&self.shape).fold(0, |at, (i, n)| at * n + i)])
    }
}

/// The elements in row-major order.
impl<T: Element> TryFrom<Tensor> for Vec<T> {
    type Error = Error;
    fn try_from(tensor: Tensor) -> Result<Vec<T>> {
        tensor.into_vec()
    }
}

/// A tensor of one axis.
impl<T: Element> From<Vec<T>> for Tensor {
    fn from(values: Vec<T>) -> Tensor {
        Tensor::of([values.len()], values)
    }
}

/// A tensor of one axis.
impl<T: Element> From<&[T]> for Tensor {
    fn from(values: &[T]) -> Tensor {
        values.to_vec().into()
    }
}

/// A tensor of one axis.
impl<T: Element, const A: usize> From<[T; A]> for Tensor {
    fn from(values: [T; A]) -> Tensor {
        values.to_vec().into()
    }
}

/// A tensor of two axes.
impl<T: Element, const A: usize, const B: usize> From<[[T; B]; A]> for Tensor {
    fn from(values: [[T; B]; A]) -> Tensor {
        Tensor::of([A, B], values.as_flattened().to_vec())
    }
}

/// A tensor of three axes.
impl<T: Element, const A: usize, const B: usize, const C: usize> From<[[[T; C]; B]; A]> for Tensor {
    fn from(values: [[[T; C]; B]; A]) -> Tensor {
        Tensor::of([A, B, C], values.as_flattened().as_flattened().to_vec())
    }
}

/// A tensor of four axes.
impl<T: Element, const A: usize, const B: usize, const C: usize, const D: usize> From<[[[[T; D]; C]; B]; A]>
    for Tensor
{
    fn from(values: [[[[T; D]; C]; B]; A]) -> Tensor {
        Tensor::of([A, B, C, D], values.as_flattened().as_flattened().as_flattened().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn nested_arrays_have_their_shapes() {
        assert_eq!(Tensor::from([1i32, 2]).shape(), [2]);
        assert_eq!(Tensor::from([[true], [false]]).desc().to_string(), "bool[2, 1]");
        let t = Tensor::from([[[1i64, 2, 3], [4, 5, 6]]]);
        assert_eq!((t.shape(), t.to_vec::<i64>().unwrap()), (&[1, 2, 3][..], vec![1, 2, 3, 4, 5, 6]));
        let t = Tensor::from([[[[1.0f32, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]]]);
        assert_eq!((t.shape(), t.get::<f32>(&[0, 2, 0, 1]).unwrap()), (&[1, 3, 1, 2][..], 6.0));
        assert_eq!(Tensor::from(&[2.5f32][..]), Tensor::from(vec![2.5f32]));
        assert_eq!(Tensor::from([[0.0f32; 0]; 3]).shape(), [3, 0]);
    }

    #[test]
    fn elements_come_back_and_another_type_is_an_error() {
        let t = Tensor::from([[1.0f32, 2.0], [3.0, 4.0]]);
        let address = t.as_slice::<f32>().unwrap().as_ptr();
        let copied = t.clone().into_vec::<f32>().unwrap();
        assert_ne!(copied.as_ptr(), address, "the elements are shared");
        let e = t.clone().into_vec::<i32>().unwrap_err();
        assert_eq!((e.kind(), e.to_string().as_str()), (ErrorKind::Shape, "expected i32 elements, have f32[2, 2]"));
        assert!(
            t.as_slice::<bool>().is_err() && t.to_vec::<i64>().is_err() && Vec::<i64>::try_from(t.clone()).is_err()
        );
        let moved = Vec::<f32>::try_from(t).unwrap();
        assert_eq!((moved.as_ptr(), moved), (address, copied));
    }

    #[test]
    fn an_index_must_lie_inside() {
        let t = Tensor::from([[1i32, 2, 3], [4, 5, 6]]);
        assert_eq!([[0, 0], [0, 2], [1, 0]].map(|i| t.get::<i32>(&i).unwrap()), [1, 3, 4]);
        for index in [&[2, 0][..], &[0, 3], &[0], &[0, 0, 0], &[]] {
            assert_eq!(t.get::<i32>(index).unwrap_err().kind(), ErrorKind::Argument, "{index:?}");
        }
        assert_eq!(t.get::<f32>(&[0, 0]).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(Tensor::scalar(7i64).get::<i64>(&[]).unwrap(), 7);
    }
}
