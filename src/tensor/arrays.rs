//! Arrays of the crate `ndarray` as tensors and back (feature `ndarray`).

use ndarray::{Array, ArrayBase, ArrayD, Data, Dimension, IxDyn};

use super::{Element, Tensor};
use crate::error::{Error, Result};
use crate::shape::numel;

/// The array's elements in row-major order: moved if they already have this order, else copied. Feature `ndarray`.
///
/// ```
/// use convgpu::Tensor;
/// use ndarray::array;
///
/// let t = Tensor::from(array![[1.0f32, 2.0], [3.0, 4.0]].reversed_axes());
/// assert_eq!(t, Tensor::from([[1.0f32, 3.0], [2.0, 4.0]]));
/// ```
impl<T: Element, D: Dimension> From<Array<T, D>> for Tensor {
    fn from(array: Array<T, D>) -> Tensor {
        let shape = array.shape().to_vec();
        if !array.is_standard_layout() {
            return Tensor::from(&array);
        }
        let (values, offset) = array.into_raw_vec_and_offset();
        let count = numel(&shape);
        // A slice of a larger array has elements before and after it.
        let values = if values.len() == count { values } else { values[offset.unwrap_or(0)..][..count].to_vec() };
        Tensor::of(shape, values)
    }
}

/// A copy of the array's elements, or of a view's, in row-major order. Feature `ndarray`.
impl<S: Data<Elem: Element>, D: Dimension> From<&ArrayBase<S, D>> for Tensor {
    fn from(array: &ArrayBase<S, D>) -> Tensor {
        Tensor::of(array.shape(), array.iter().copied().collect::<Vec<_>>())
    }
}

/// The tensor as an array with the same axes; the elements are not copied unless another tensor shares them.
/// `into_dimensionality` gives an array with a fixed number of axes. Feature `ndarray`.
///
/// # Errors
/// The tensor has another type.
///
/// ```
/// use convgpu::{ErrorKind, Tensor};
/// use ndarray::{ArrayD, Ix2};
///
/// let t = Tensor::from([[1.0f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
/// let e = ArrayD::<i32>::try_from(t.clone()).unwrap_err();
/// assert_eq!(e.kind(), ErrorKind::Shape);
///
/// let array = ArrayD::<f32>::try_from(t)?.into_dimensionality::<Ix2>()?;
/// assert_eq!(array[[1, 0]], 4.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<T: Element> TryFrom<Tensor> for ArrayD<T> {
    type Error = Error;
    fn try_from(tensor: Tensor) -> Result<ArrayD<T>> {
        let shape = IxDyn(tensor.shape());
        let array = ArrayD::from_shape_vec(shape, tensor.into_vec()?);
        array.map_err(|e| Error::shape(format!("not a shape for ndarray: {e}")).because(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Axis, Slice, arr0, array};

    #[test]
    fn every_type_goes_there_and_back() {
        fn way<T: Element>(values: [T; 6]) {
            let t = Tensor::new([3, 1, 2], values.to_vec()).unwrap();
            let array = ArrayD::<T>::try_from(t.clone()).unwrap();
            assert_eq!(array.shape(), [3, 1, 2]);
            assert_eq!(Tensor::from(&array), t);
            assert_eq!(Tensor::from(array), t);
        }
        way([1.5f32, -2.0, 0.0, 3.0, 4.0, 5.0]);
        way([1i32, 2, 3, 4, 5, 6]);
        way([1i64 << 40, 2, 3, 4, 5, 6]);
        way([true, false, false, true, true, false]);
        assert_eq!(Tensor::from(arr0(7i64)), Tensor::scalar(7i64));
        let empty = ArrayD::<f32>::try_from(Tensor::zeros([2, 0, 3])).unwrap();
        assert_eq!(Tensor::from(empty).shape(), [2, 0, 3]);
    }

    #[test]
    fn order_and_offset_do_not_matter() {
        let array = array![[1i32, 2, 3], [4, 5, 6]];
        assert_eq!(Tensor::from(array.t().to_owned()), Tensor::from([[1i32, 4], [2, 5], [3, 6]]));
        assert_eq!(Tensor::from(&array.t()), Tensor::from([[1i32, 4], [2, 5], [3, 6]]));
        let mut tail = array.clone();
        tail.slice_axis_inplace(Axis(0), Slice::from(1..));
        assert_eq!(Tensor::from(tail), Tensor::from([[4i32, 5, 6]]));
        let mut backwards = Array1::from(vec![1i32, 2, 3]);
        backwards.invert_axis(Axis(0));
        assert_eq!(Tensor::from(backwards), Tensor::from([3i32, 2, 1]));
    }

    #[test]
    fn another_type_is_an_error() {
        assert!(ArrayD::<f32>::try_from(Tensor::from([1i64])).is_err());
    }
}
