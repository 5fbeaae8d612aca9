//! Weights in safetensors files, with PyTorch's names.

use safetensors::{Dtype, SafeTensorError, SafeTensors, serialize, tensor::TensorView};

use crate::error::{Error, Result};
use crate::shape::DType;
use crate::tensor::{Data, Tensor};

/// Every tensor of a file. f16, bf16 and f64 become f32; integers of 32 bits and less become i32.
///
/// # Errors
/// The bytes are not a safetensors file, or a tensor has an unsupported type.
pub fn from_bytes(bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
    let file = SafeTensors::deserialize(bytes).map_err(refused("not a safetensors file"))?;
    file.iter().map(|(name, view)| Ok((name.to_owned(), tensor(&view).map_err(|e| e.at(name))?))).collect()
}

fn refused(what: &str) -> impl Fn(SafeTensorError) -> Error {
    move |e| Error::file(format!("{what}: {e}")).because(e)
}

fn tensor(view: &TensorView<'_>) -> Result<Tensor> {
    let bytes = view.data();
    macro_rules! each {
        ($ty:ty, $n:literal, $convert:expr) => {
            bytes.as_chunks::<$n>().0.iter().map(|c| $convert(<$ty>::from_le_bytes(*c))).collect::<Vec<_>>().into()
        };
    }
    let data: Data = match view.dtype() {
        Dtype::F32 => each!(f32, 4, |v| v),
        Dtype::F64 => each!(f64, 8, |v| v as f32),
        Dtype::F16 => each!(half::f16, 2, half::f16::to_f32),
        Dtype::BF16 => each!(half::bf16, 2, half::bf16::to_f32),
        Dtype::I64 => each!(i64, 8, |v| v),
        Dtype::I32 => each!(i32, 4, |v| v),
        Dtype::I16 => each!(i16, 2, i32::from),
        Dtype::I8 => each!(i8, 1, i32::from),
        Dtype::U8 => each!(u8, 1, i32::from),
        Dtype::BOOL => bytes.iter().map(|&b| b != 0).collect::<Vec<_>>().into(),
        other => return Err(Error::unsupported(format!("elements of type {other:?} are not supported"))),
    };
    Tensor::new(view.shape(), data)
}

/// The tensors as a safetensors file.
///
/// # Errors
/// A name occurs twice.
pub fn to_bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>> {
    let mut held = vec![];
    for (name, t) in tensors {
        let dtype = match t.dtype() {
            DType::F32 => Dtype::F32,
            DType::F64 => Dtype::F64,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            DType::I8 => Dtype::I8,
            DType::U8 => Dtype::U8,
            DType::I16 => Dtype::I16,
            DType::U16 => Dtype::U16,
            DType::I32 => Dtype::I32,
            DType::U32 => Dtype::U32,
            DType::I64 => Dtype::I64,
            DType::Bool => Dtype::BOOL,
        };
        let bytes = t.data().bytes().to_vec();
        held.push((name, dtype, t.shape().to_vec(), bytes));
    }
    let mut views = vec![];
    for (name, dtype, shape, bytes) in &held {
        let view = TensorView::new(*dtype, shape.clone(), bytes);
        views.push((name.as_str(), view.map_err(refused(name))?));
    }
    serialize(views, None).map_err(refused("the tensors cannot be written as a safetensors file"))
}
