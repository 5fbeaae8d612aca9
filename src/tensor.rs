//! Host tensors: dense, row-major, cheap to clone.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::shape::{DType, Desc, numel};

#[cfg(feature = "ndarray")]
mod arrays;
mod element;
#[cfg(feature = "image")]
mod images;
mod print;

pub use element::Element;

/// A dense row-major tensor in host memory; images are `[n, channels, height, width]`. Cloning shares the elements.
///
/// ```
/// use convgpu::Tensor;
///
/// let t = Tensor::from([[1.0f32, -2.5], [3.0, 4.0]]);
/// assert_eq!(t, Tensor::new([2, 2], vec![1.0f32, -2.5, 3.0, 4.0])?);
/// assert_eq!((t.shape(), t.get::<f32>(&[0, 1])?), (&[2, 2][..], -2.5));
/// assert_eq!(t.to_string(), "[[ 1.0000, -2.5000],\n [ 3.0000,  4.0000]] f32[2, 2]");
/// assert_eq!(t.into_vec::<f32>()?, [1.0, -2.5, 3.0, 4.0]);
///
/// assert!(Tensor::new([3], vec![1i64, 2]).is_err(), "two elements for a shape of three");
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// With the feature `ndarray`, `Tensor::from` takes arrays of the crate ndarray, and `ArrayD::try_from` gives them;
/// with the feature `image`, `Tensor::from_image` and `Tensor::to_image` convert images.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

/// The elements of a [`Tensor`], for code that handles every type; for a known type use [`Tensor::as_slice`].
///
/// ```
/// use convgpu::{Data, Tensor};
///
/// fn count_true(t: &Tensor) -> Option<usize> {
///     let Data::Bool(values) = t.data() else { return None };
///     Some(values.iter().filter(|v| **v).count())
/// }
/// assert_eq!(count_true(&Tensor::from([true, false, true])), Some(2));
/// assert_eq!(count_true(&Tensor::zeros([3])), None);
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Data {
    /// 32-bit floats.
    F32(Arc<Vec<f32>>),
    /// 32-bit integers.
    I32(Arc<Vec<i32>>),
    /// 64-bit integers.
    I64(Arc<Vec<i64>>),
    /// Booleans.
    Bool(Arc<Vec<bool>>),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::I32(v) => v.len(),
            Data::I64(v) => v.len(),
            Data::Bool(v) => v.len(),
        }
    }
}

impl Tensor {
    /// A tensor from its shape and its elements in row-major order: `Tensor::new([2, 1], vec![1.0f32, 2.0])`.
    ///
    /// # Errors
    /// The number of elements differs from the product of the shape.
    pub fn new(shape: impl Into<Vec<usize>>, data: impl Into<Data>) -> Result<Tensor> {
        let (shape, data) = (shape.into(), data.into());
        if shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b)) != Some(data.len()) {
            return Err(Error::shape(format!("shape {shape:?} does not hold {} elements", data.len())));
        }
        Ok(Tensor { shape, data })
    }
    /// A tensor whose number of elements fits its shape.
    pub(crate) fn of(shape: impl Into<Vec<usize>>, data: impl Into<Data>) -> Tensor {
        Tensor::new(shape, data).expect("the caller sized the data by the shape")
    }
    /// A tensor with every element `value`.
    pub fn full<T: Element>(shape: impl Into<Vec<usize>>, value: T) -> Tensor {
        let shape = shape.into();
        Tensor::of(shape.clone(), vec![value; numel(&shape)])
    }
    /// A tensor of zeros, f32.
    pub fn zeros(shape: impl Into<Vec<usize>>) -> Tensor {
        Tensor::full(shape, 0.0)
    }
    /// A tensor of one element and no axes.
    pub fn scalar<T: Element>(value: T) -> Tensor {
        Tensor::of([], vec![value])
    }
    /// The tensor of a description without elements.
    pub(crate) fn empty(desc: &Desc) -> Tensor {
        debug_assert!(desc.is_empty());
        Tensor::from_device_bytes(desc, &[])
    }
    /// Extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    /// Element type.
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F32(_) => DType::F32,
            Data::I32(_) => DType::I32,
            Data::I64(_) => DType::I64,
            Data::Bool(_) => DType::Bool,
        }
    }
    /// Shape and type.
    pub fn desc(&self) -> Desc {
        Desc::new(self.shape.clone(), self.dtype())
    }
    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.data.len()
    }
    /// The elements with their type.
    pub fn data(&self) -> &Data {
        &self.data
    }
    /// The elements of an f32 tensor: `as_slice::<f32>()`.
    ///
    /// # Errors
    /// The tensor has another type.
    pub fn as_f32(&self) -> Result<&[f32]> {
        self.as_slice()
    }
    /// The elements of an f32 tensor whose type the shape rule has already checked.
    pub(crate) fn f32s(&self) -> &[f32] {
        self.as_f32().expect("the shape rule checked the type")
    }
    /// The elements of an integer or boolean tensor as i64.
    ///
    /// # Errors
    /// The tensor holds floats.
    pub fn to_i64s(&self) -> Result<Vec<i64>> {
        match &self.data {
            Data::I64(v) => Ok(v.to_vec()),
            Data::I32(v) => Ok(v.iter().map(|&x| x.into()).collect()),
            Data::Bool(v) => Ok(v.iter().map(|&x| x.into()).collect()),
            Data::F32(_) => Err(Error::shape(format!("expected integer elements, have {}", self.desc()))),
        }
    }
    /// Every element as f64, whatever the type.
    pub fn to_f64s(&self) -> Vec<f64> {
        match &self.data {
            Data::F32(v) => v.iter().map(|&x| x.into()).collect(),
            Data::I32(v) => v.iter().map(|&x| x.into()).collect(),
            Data::I64(v) => v.iter().map(|&x| x as f64).collect(),
            Data::Bool(v) => v.iter().map(|&x| x as u8 as f64).collect(),
        }
    }
    /// The same elements under another shape.
    ///
    /// # Errors
    /// The element counts differ.
    pub fn reshape(&self, shape: impl Into<Vec<usize>>) -> Result<Tensor> {
        Tensor::new(shape, self.data.clone())
    }
    /// The tensor whose element `i` is this one's element `from[i]`, or `fill`, cast to the type, where that is `None`.
    pub(crate) fn gather(&self, shape: impl Into<Vec<usize>>, from: &[Option<usize>], fill: f32) -> Tensor {
        fn pick<T: Copy>(v: &[T], from: &[Option<usize>], fill: T) -> Vec<T> {
            from.iter().map(|i| i.map_or(fill, |i| v[i])).collect()
        }
        let data: Data = match &self.data {
            Data::F32(v) => pick(v, from, fill).into(),
            Data::I32(v) => pick(v, from, fill as i32).into(),
            Data::I64(v) => pick(v, from, fill as i64).into(),
            Data::Bool(v) => pick(v, from, fill != 0.0).into(),
        };
        Tensor::of(shape, data)
    }
    /// Applies `f` to every element of an f32 tensor.
    pub(crate) fn map(&self, f: impl Fn(f32) -> f32) -> Tensor {
        Tensor::of(self.shape.clone(), self.f32s().iter().map(|&x| f(x)).collect::<Vec<_>>())
    }
    /// The bytes of the tensor in a GPU buffer: four per element.
    ///
    /// # Errors
    /// An i64 element does not fit 32 bits.
    pub(crate) fn to_device_bytes(&self) -> Result<Cow<'_, [u8]>> {
        Ok(match &self.data {
            Data::F32(v) => Cow::Borrowed(bytemuck::cast_slice(v)),
            Data::I32(v) => Cow::Borrowed(bytemuck::cast_slice(v)),
            Data::Bool(v) => v.iter().flat_map(|&x| u32::from(x).to_le_bytes()).collect(),
            Data::I64(v) => {
                let mut out = Vec::with_capacity(v.len() * 4);
                for &x in v.iter() {
                    let x = i32::try_from(x).map_err(|_| {
                        Error::unsupported(format!("the integer {x} does not fit the 32 bits a device has"))
                    })?;
                    out.extend(x.to_le_bytes());
                }
                Cow::Owned(out)
            }
        })
    }
    /// The tensor in a GPU buffer; `bytes` may be longer than the elements (padding).
    pub(crate) fn from_device_bytes(desc: &Desc, bytes: &[u8]) -> Tensor {
        let bytes = &bytes[..bytes.len().min(desc.numel() * 4)];
        let words = || bytemuck::pod_collect_to_vec::<u8, i32>(bytes);
        let data: Data = match desc.dtype {
            DType::F32 => bytemuck::pod_collect_to_vec::<u8, f32>(bytes).into(),
            DType::I32 => words().into(),
            DType::I64 => words().into_iter().map(i64::from).collect::<Vec<_>>().into(),
            DType::Bool => words().into_iter().map(|w| w != 0).collect::<Vec<_>>().into(),
        };
        Tensor::of(desc.shape.clone(), data)
    }
}
