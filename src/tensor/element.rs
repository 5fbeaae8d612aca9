//! The element types of tensors, and conversions between tensors and Rust values.

use std::sync::Arc;

use super::{Data, Tensor};
use crate::error::{Error, Result};
use crate::shape::DType;

/// A Rust type whose values a [`Tensor`] can hold: `f32`, `i32`, `i64` and `bool`.
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

pub(super) mod sealed {
    use super::{Arc, Data};

    /// How elements of a type are stored in [`Data`]. Only this crate can name the trait, so no other type implements it.
    pub trait Elements: Copy + PartialEq + std::fmt::Debug + Send + Sync + 'static {
        fn wrap(values: Vec<Self>) -> Data;
        fn shared(data: &Data) -> Option<&Arc<Vec<Self>>>;
        fn take(data: Data) -> Option<Arc<Vec<Self>>>;
    }
}

macro_rules! element {
    ($($type:ty: $variant:ident)*) => {$(
        impl Element for $type {
            const DTYPE: DType = DType::$variant;
        }
        impl sealed::Elements for $type {
            fn wrap(values: Vec<$type>) -> Data {
                Data::$variant(Arc::new(values))
            }
            fn shared(data: &Data) -> Option<&Arc<Vec<$type>>> {
                if let Data::$variant(values) = data { Some(values) } else { None }
            }
            fn take(data: Data) -> Option<Arc<Vec<$type>>> {
                if let Data::$variant(values) = data { Some(values) } else { None }
            }
        }
    )*};
}
element! { f32: F32 i32: I32 i64: I64 bool: Bool }

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
