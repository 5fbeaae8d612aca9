//! Host tensors: dense, row-major, cheap to clone.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::parallel;
use crate::shape::{DType, Desc, numel};
use half::{bf16, f16};

#[cfg(feature = "ndarray")]
mod arrays;
mod element;
#[cfg(feature = "image")]
mod images;
mod print;

pub use element::Element;
pub(crate) use element::convert;
pub(crate) use element::sealed::Elements;

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
#[derive(Clone)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
    /// That of the elements, once it was asked for.
    identity: Arc<OnceLock<Identity>>,
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Tensor) -> bool {
        self.shape == other.shape && self.data == other.data
    }
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
    /// 64-bit floats.
    F64(Arc<Vec<f64>>),
    /// 16-bit floats with 5 bits of exponent.
    F16(Arc<Vec<f16>>),
    /// 16-bit floats with 8 bits of exponent.
    BF16(Arc<Vec<bf16>>),
    /// 8-bit signed integers.
    I8(Arc<Vec<i8>>),
    /// 8-bit unsigned integers.
    U8(Arc<Vec<u8>>),
    /// 16-bit signed integers.
    I16(Arc<Vec<i16>>),
    /// 16-bit unsigned integers.
    U16(Arc<Vec<u16>>),
    /// 32-bit signed integers.
    I32(Arc<Vec<i32>>),
    /// 32-bit unsigned integers.
    U32(Arc<Vec<u32>>),
    /// 64-bit integers.
    I64(Arc<Vec<i64>>),
    /// Booleans.
    Bool(Arc<Vec<bool>>),
}

/// One expression for the elements of every type.
macro_rules! for_each_type {
    ($data:expr, $v:ident => $e:expr) => {
        match $data {
            Data::F32($v) => $e,
            Data::F64($v) => $e,
            Data::F16($v) => $e,
            Data::BF16($v) => $e,
            Data::I8($v) => $e,
            Data::U8($v) => $e,
            Data::I16($v) => $e,
            Data::U16($v) => $e,
            Data::I32($v) => $e,
            Data::U32($v) => $e,
            Data::I64($v) => $e,
            Data::Bool($v) => $e,
        }
    };
}
pub(crate) use for_each_type;

/// One expression for every type of elements, which the macro names `$t`.
macro_rules! for_dtype {
    ($dtype:expr, $t:ident => $e:expr) => {
        match $dtype {
            DType::F32 => for_dtype!(@ $t, f32, $e),
            DType::F64 => for_dtype!(@ $t, f64, $e),
            DType::F16 => for_dtype!(@ $t, half::f16, $e),
            DType::BF16 => for_dtype!(@ $t, half::bf16, $e),
            DType::I8 => for_dtype!(@ $t, i8, $e),
            DType::U8 => for_dtype!(@ $t, u8, $e),
            DType::I16 => for_dtype!(@ $t, i16, $e),
            DType::U16 => for_dtype!(@ $t, u16, $e),
            DType::I32 => for_dtype!(@ $t, i32, $e),
            DType::U32 => for_dtype!(@ $t, u32, $e),
            DType::I64 => for_dtype!(@ $t, i64, $e),
            DType::Bool => for_dtype!(@ $t, bool, $e),
        }
    };
    (@ $t:ident, $type:ty, $e:expr) => {{
        type $t = $type;
        $e
    }};
}
pub(crate) use for_dtype;

impl Data {
    fn len(&self) -> usize {
        for_each_type!(self, v => v.len())
    }
    /// Where the elements lie: tensors that share them have the same address.
    pub(crate) fn address(&self) -> usize {
        for_each_type!(self, v => Arc::as_ptr(v) as usize)
    }
    /// The elements as they lie in memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        for_each_type!(self, v => bytemuck::cast_slice(v))
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
        Ok(Tensor { shape, data, identity: Arc::default() })
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
        for_each_type!(&self.data, v => element::dtype_of(v))
    }
    /// Shape and type.
    pub fn desc(&self) -> Desc {
        Desc::new(self.shape.clone(), self.dtype())
    }
    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.data.len()
    }
    /// The identity of the bytes of the elements, whatever their type and shape. It is computed once per tensor.
    pub(crate) fn identity(&self) -> Identity {
        *self.identity.get_or_init(|| Identity::of_bytes(self.data.bytes()))
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
        if self.dtype().is_float() {
            return Err(Error::shape(format!("expected integer elements, have {}", self.desc())));
        }
        Ok(for_each_type!(&self.data, v => v.iter().map(|x| x.integer()).collect()))
    }
    /// Whether both have the same shape, type and bits: a NaN is like itself, and the zeros differ.
    pub(crate) fn same_bits(&self, other: &Tensor) -> bool {
        self.desc() == other.desc() && self.data.bytes() == other.data.bytes()
    }
    /// The elements in order as f64; f32 are not copied.
    pub(crate) fn iter_f64s(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match &self.data {
            Data::F32(v) => Box::new(v.iter().map(|&x| x.into())),
            _ => Box::new(self.to_f64s().into_iter()),
        }
    }
    /// Every element as f64, whatever the type.
    pub fn to_f64s(&self) -> Vec<f64> {
        for_each_type!(&self.data, v => v.iter().map(|x| x.number()).collect())
    }
    /// The elements converted to another type, as ONNX's Cast converts them: floats are rounded
    /// to the nearest, become integers by truncation, and integers keep their low bits.
    pub fn to_dtype(&self, dtype: DType) -> Tensor {
        if self.dtype() == dtype {
            return self.clone();
        }
        let data: Data = for_each_type!(&self.data, v => for_dtype!(dtype, T => {
            T::wrap(v.iter().map(|x| element::convert::<_, T>(*x)).collect())
        }));
        Tensor::of(self.shape.clone(), data)
    }
    /// The same elements under another shape.
    ///
    /// # Errors
    /// The element counts differ.
    pub fn reshape(&self, shape: impl Into<Vec<usize>>) -> Result<Tensor> {
        Ok(Tensor { identity: self.identity.clone(), ..Tensor::new(shape, self.data.clone())? })
    }
    /// Applies `f` to every element of a tensor of f32 or f64.
    pub(crate) fn map(&self, f: impl Fn(f64) -> f64 + Sync) -> Tensor {
        let data: Data = match &self.data {
            Data::F64(v) => Data::F64(Arc::new(parallel::collect(v.len(), |i| f(v[i])))),
            _ => {
                let v = self.f32s();
                parallel::collect(v.len(), |i| f(v[i].into()) as f32).into()
            }
        };
        Tensor::of(self.shape.clone(), data)
    }
    /// The bytes of the tensor in a GPU buffer: four per element.
    ///
    /// # Errors
    /// An i64 element does not fit 32 bits.
    pub(crate) fn to_device_bytes(&self) -> Result<Cow<'_, [u8]>> {
        fn words<T: Elements>(v: &[T], word: impl Fn(T) -> u32) -> Cow<'_, [u8]> {
            v.iter().flat_map(|&x| word(x).to_le_bytes()).collect()
        }
        Ok(match &self.data {
            Data::F32(v) => Cow::Borrowed(bytemuck::cast_slice(v)),
            Data::I32(v) => Cow::Borrowed(bytemuck::cast_slice(v)),
            Data::U32(v) => Cow::Borrowed(bytemuck::cast_slice(v)),
            Data::I64(v) => {
                let narrow = |&x: &i64| {
                    let text = || format!("the integer {x} does not fit the 32 bits that a device has");
                    i32::try_from(x).map_err(|_| Error::unsupported(text()))
                };
                let words = v.iter().map(narrow).collect::<Result<Vec<_>>>()?;
                Cow::Owned(bytemuck::cast_slice(&words).to_vec())
            }
            data if self.dtype().is_float() => {
                for_each_type!(data, v => words(v, |x| element::convert::<_, f32>(x).to_bits()))
            }
            data => for_each_type!(data, v => words(v, |x| x.integer() as u32)),
        })
    }
    /// The tensor in a GPU buffer; `bytes` may be longer than the elements (padding).
    pub(crate) fn from_device_bytes(desc: &Desc, bytes: &[u8]) -> Tensor {
        let bytes = &bytes[..bytes.len().min(desc.numel() * 4)];
        let data: Data = match desc.dtype {
            dtype if dtype.is_float() => {
                let floats = bytemuck::pod_collect_to_vec::<u8, f32>(bytes);
                return Tensor::of(desc.shape.clone(), floats).to_dtype(dtype);
            }
            DType::U32 => bytemuck::pod_collect_to_vec::<u8, u32>(bytes).into(),
            _ => bytemuck::pod_collect_to_vec::<u8, i32>(bytes).into(),
        };
        Tensor::of(desc.shape.clone(), data).to_dtype(desc.dtype)
    }
}
