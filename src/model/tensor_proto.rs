//! ONNX tensors as host tensors of the same type, u64 as i64; only as much is allocated as the file holds.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytemuck::Zeroable;
use half::{bf16, f16};
use prost::Message;

use super::proto::{EXTERNAL, NodeProto, TensorProto, data_type as ty};
use crate::error::{Error, Result};
use crate::memory;
use crate::shape::{self, DType};
use crate::tensor::{Data, Tensor};

/// The type here of elements of an ONNX type.
///
/// # Errors
/// Strings, complex numbers, floats of 8 and 4 bits, integers of 4 and 2 bits, unknown numbers.
pub(crate) fn dtype(data_type: i32) -> Result<DType> {
    Ok(match data_type {
        ty::FLOAT => DType::F32,
        ty::DOUBLE => DType::F64,
        ty::FLOAT16 => DType::F16,
        ty::BFLOAT16 => DType::BF16,
        ty::INT8 => DType::I8,
        ty::UINT8 => DType::U8,
        ty::INT16 => DType::I16,
        ty::UINT16 => DType::U16,
        ty::INT32 => DType::I32,
        ty::UINT32 => DType::U32,
        ty::INT64 | ty::UINT64 => DType::I64,
        ty::BOOL => DType::Bool,
        other => return Err(Error::unsupported(format!("elements of type {} are not supported", type_name(other)))),
    })
}

/// The number of a type's name, 0 if there is none.
pub(crate) fn named(name: &str) -> i32 {
    match name.to_ascii_uppercase().as_str() {
        "FLOAT" => ty::FLOAT,
        "DOUBLE" => ty::DOUBLE,
        "FLOAT16" => ty::FLOAT16,
        "INT8" => ty::INT8,
        "UINT8" => ty::UINT8,
        "INT16" => ty::INT16,
        "UINT16" => ty::UINT16,
        "INT32" => ty::INT32,
        "UINT32" => ty::UINT32,
        "INT64" => ty::INT64,
        "UINT64" => ty::UINT64,
        "BOOL" => ty::BOOL,
        _ => 0,
    }
}

fn type_name(data_type: i32) -> Cow<'static, str> {
    match data_type {
        0 => "undefined".into(),
        ty::STRING => "string".into(),
        ty::COMPLEX64 => "complex64".into(),
        ty::COMPLEX128 => "complex128".into(),
        ty::FLOAT8E4M3FN => "float8e4m3fn".into(),
        ty::FLOAT8E4M3FNUZ => "float8e4m3fnuz".into(),
        ty::FLOAT8E5M2 => "float8e5m2".into(),
        ty::FLOAT8E5M2FNUZ => "float8e5m2fnuz".into(),
        ty::UINT4 => "uint4".into(),
        ty::INT4 => "int4".into(),
        ty::FLOAT4E2M1 => "float4e2m1".into(),
        ty::FLOAT8E8M0 => "float8e8m0".into(),
        ty::UINT2 => "uint2".into(),
        ty::INT2 => "int2".into(),
        other => format!("number {other}").into(),
    }
}

/// A serialised `TensorProto` (the `.pb` files of ONNX's test suite): its name and its elements.
///
/// # Errors
/// The bytes are not a tensor, or its type is not supported, or it holds fewer or more elements than it declares.
pub fn tensor_from_bytes(bytes: &[u8]) -> Result<(String, Tensor)> {
    let proto = TensorProto::decode(bytes).map_err(|e| Error::file(format!("not an ONNX tensor: {e}")).because(e))?;
    let tensor = read(&proto, None)?;
    Ok((proto.name.unwrap_or_default(), tensor))
}

/// An initialiser's elements, of the type in which they are computed; the error names it.
pub(crate) fn initialiser(proto: &TensorProto, folder: Option<&Folder>) -> Result<Tensor> {
    let tensor = elements(proto, folder).map_err(|e| e.within(format_args!("initialiser {}", proto.name())))?;
    Ok(tensor.to_dtype(tensor.dtype().computed()))
}

/// The tensor's elements; those of 4 bits have 8 here.
pub(crate) fn elements(proto: &TensorProto, folder: Option<&Folder>) -> Result<Tensor> {
    if is_nibbles(proto) { read_nibbles(proto, folder) } else { read(proto, folder) }
}

/// Whether the elements are integers of 4 bits.
pub(crate) fn is_nibbles(proto: &TensorProto) -> bool {
    matches!(proto.data_type(), ty::INT4 | ty::UINT4)
}

/// Integers of 4 bits, as of 8: two in each byte, the low half first.
fn read_nibbles(proto: &TensorProto, folder: Option<&Folder>) -> Result<Tensor> {
    let shape = shape(&proto.dims)?;
    let count = shape::checked_numel(&shape).ok_or_else(|| Error::file(format!("a tensor of shape {shape:?}")))?;
    let bytes = TensorProto { dims: vec![count.div_ceil(2) as i64], data_type: Some(ty::UINT8), ..proto.clone() };
    let bytes = read(&bytes, folder)?.to_vec::<u8>()?;
    let halves = bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]).take(count);
    match proto.data_type() {
        ty::INT4 => Tensor::new(shape, halves.map(|half| ((half << 4) as i8) >> 4).collect::<Vec<_>>()),
        _ => Tensor::new(shape, halves.collect::<Vec<_>>()),
    }
}

/// Reads the external data of the tensors in a node's attributes, those of its branches included, so that the node needs no
/// other file any more.
pub(crate) fn embed(node: &mut NodeProto, folder: Option<&Folder>) -> Result<()> {
    for attribute in &mut node.attribute {
        let (tensors, nodes) = match attribute.g.as_deref_mut() {
            Some(graph) => (&mut graph.initializer[..], &mut graph.node[..]),
            None => (attribute.t.as_mut_slice(), &mut [][..]),
        };
        for tensor in tensors.iter_mut().filter(|t| t.data_location == Some(EXTERNAL)) {
            // Of a type that is not supported nothing is read: it is an error where the tensor is needed.
            let Ok(bytes) = bytes(tensor) else { continue };
            let read = |file: External| {
                let mut raw = vec![0; bytes];
                file.read(&mut raw).map(|()| raw)
            };
            let raw = External::find(tensor, bytes, folder).and_then(read);
            let raw = raw.map_err(|e| e.at(node.name.as_deref().unwrap_or_default()))?;
            tensor.raw_data = Some(raw.into());
            tensor.data_location = None;
        }
        nodes.iter_mut().try_for_each(|node| embed(node, folder))?;
    }
    Ok(())
}

/// The tensor's elements. External data lies in a file of `folder`.
pub(crate) fn read(proto: &TensorProto, folder: Option<&Folder>) -> Result<Tensor> {
    let data_type = proto.data_type.unwrap_or(0);
    let (shape, bytes) = (shape(&proto.dims)?, bytes(proto)?);
    let raw = proto.raw_data.as_ref().filter(|raw| !raw.is_empty());
    let data = match raw {
        _ if proto.data_location == Some(EXTERNAL) => {
            let file = External::find(proto, bytes, folder)?;
            from_raw(data_type, bytes, |to| file.read(to))?
        }
        Some(raw) if raw.len() != bytes => {
            let text = format!("declares {bytes} bytes for shape {shape:?} but holds {}", raw.len());
            return Err(Error::file(text));
        }
        Some(raw) => from_raw(data_type, bytes, |to| {
            to.copy_from_slice(raw);
            Ok(())
        })?,
        None => from_fields(data_type, proto)?,
    };
    Tensor::new(shape, data).map_err(|e| Error::file(e.to_string()))
}

/// The bytes of the tensor's elements in `raw_data`.
fn bytes(proto: &TensorProto) -> Result<usize> {
    let shape = shape(&proto.dims)?;
    if is_nibbles(proto) {
        let count = shape::checked_numel(&shape).ok_or_else(|| Error::file(format!("a tensor of shape {shape:?}")))?;
        return Ok(count.div_ceil(2));
    }
    let width = dtype(proto.data_type.unwrap_or(0))?.width();
    if shape.iter().try_fold(width, |a, &b| a.checked_mul(b.max(1))).is_none() {
        return Err(Error::file(format!("a tensor of shape {shape:?} exceeds the address space")));
    }
    Ok(shape.iter().product::<usize>() * width)
}

/// Dimensions as a shape.
fn shape(dims: &[i64]) -> Result<Vec<usize>> {
    let extent = |&d: &i64| {
        usize::try_from(d).map_err(|_| Error::file(format!("a tensor has the negative dimension {d} ({dims:?})")))
    };
    dims.iter().map(extent).collect()
}

/// Elements of which `fill` writes the little-endian bytes.
fn from_raw(data_type: i32, bytes: usize, fill: impl FnOnce(&mut [u8]) -> Result<()>) -> Result<Data> {
    macro_rules! elements {
        ($t:ty) => {{
            let mut values = vec![<$t>::zeroed(); bytes / size_of::<$t>()];
            fill(bytemuck::cast_slice_mut(&mut values))?;
            values.iter_mut().for_each(|v| *v = <$t>::from_le_bytes(v.to_ne_bytes()));
            values
        }};
    }
    Ok(match data_type {
        ty::FLOAT => elements!(f32).into(),
        ty::DOUBLE => Data::F64(Arc::new(elements!(f64))),
        ty::FLOAT16 => elements!(f16).into(),
        ty::BFLOAT16 => elements!(bf16).into(),
        ty::INT8 => elements!(i8).into(),
        ty::UINT8 => elements!(u8).into(),
        ty::INT16 => elements!(i16).into(),
        ty::UINT16 => elements!(u16).into(),
        ty::INT32 => elements!(i32).into(),
        ty::UINT32 => elements!(u32).into(),
        ty::INT64 => elements!(i64).into(),
        ty::UINT64 => elements!(u64).into_iter().map(signed).collect::<Result<Vec<_>>>()?.into(),
        _ => elements!(u8).into_iter().map(|x| x != 0).collect::<Vec<_>>().into(),
    })
}

fn signed(x: u64) -> Result<i64> {
    i64::try_from(x).map_err(|_| Error::unsupported(format!("the integer {x} does not fit 63 bits")))
}

/// Elements from the typed fields; f16, bf16 and small integers are in `int32_data`.
fn from_fields(data_type: i32, proto: &TensorProto) -> Result<Data> {
    let words = || proto.int32_data.iter();
    macro_rules! narrow {
        ($t:ty) => {
            words().map(|&x| x as $t).collect::<Vec<_>>().into()
        };
    }
    Ok(match data_type {
        ty::FLOAT => proto.float_data.clone().into(),
        ty::DOUBLE => Data::F64(Arc::new(proto.double_data.clone())),
        ty::FLOAT16 => words().map(|&x| f16::from_bits(x as u16)).collect::<Vec<_>>().into(),
        ty::BFLOAT16 => words().map(|&x| bf16::from_bits(x as u16)).collect::<Vec<_>>().into(),
        ty::INT64 => proto.int64_data.clone().into(),
        ty::UINT32 => proto.uint64_data.iter().map(|&x| x as u32).collect::<Vec<_>>().into(),
        ty::UINT64 => proto.uint64_data.iter().map(|&x| signed(x)).collect::<Result<Vec<_>>>()?.into(),
        ty::BOOL => words().map(|&x| x != 0).collect::<Vec<_>>().into(),
        ty::INT8 => narrow!(i8),
        ty::UINT8 => narrow!(u8),
        ty::INT16 => narrow!(i16),
        ty::UINT16 => narrow!(u16),
        _ => proto.int32_data.clone().into(),
    })
}

/// Where the external data of a model may lie: in the folder of its file or below. If that file is a link, as in the cache of
/// Hugging Face, also in the folder of the file behind it.
pub(crate) struct Folder {
    named: PathBuf,
    /// Without links.
    roots: Vec<PathBuf>,
}

impl Folder {
    /// That of a model's file.
    pub fn of(model: &Path) -> std::io::Result<Folder> {
        let parent = |path: &Path| path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new(".")).to_owned();
        let (named, real) = (parent(model), parent(&model.canonicalize()?));
        let roots = vec![named.canonicalize()?, real];
        Ok(Folder { named, roots })
    }

    /// The file of this name.
    fn find(&self, location: &str) -> Result<PathBuf> {
        let failed = |e: std::io::Error| Error::file(format!("external data {location}: {e}")).because(e);
        let inside = Path::new(location).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        let path = self.named.join(location).canonicalize().map_err(failed)?;
        if !inside || !self.roots.iter().any(|root| path.starts_with(root)) {
            return Err(Error::file(format!("external data {location} lies outside the model's directory")));
        }
        Ok(path)
    }
}

/// Part of a file.
struct External {
    path: PathBuf,
    offset: u64,
    /// What the model calls the file.
    location: String,
}

impl External {
    /// The `bytes` bytes of a file that the tensor names, which must lie in `folder`.
    fn find(proto: &TensorProto, bytes: usize, folder: Option<&Folder>) -> Result<External> {
        let entry = |key: &str| proto.external_data.iter().find(|e| e.key() == key).map(|e| e.value());
        let number = |key: &str| match entry(key).map(str::parse::<u64>) {
            None => Ok(None),
            Some(Ok(n)) => Ok(Some(n)),
            Some(Err(_)) => Err(Error::file(format!("external data: {key} is not a number"))),
        };
        let Some(location) = entry("location").filter(|l| !l.is_empty()) else {
            return Err(Error::file("external data without a location"));
        };
        let Some(folder) = folder else {
            return Err(Error::file(format!(
                "the weights are in {location}: load the model from its path, not from bytes"
            )));
        };
        let failed = |e: std::io::Error| Error::file(format!("external data {location}: {e}")).because(e);
        let path = folder.find(location)?;
        let offset = number("offset")?.unwrap_or(0);
        // ONNX Runtime takes 0 for a length that is not there.
        let length = number("length")?.filter(|&n| n > 0).unwrap_or(bytes as u64);
        let metadata = std::fs::metadata(&path).map_err(failed)?;
        let held = metadata.len().saturating_sub(offset);
        if !metadata.is_file() {
            let what = if metadata.is_dir() { "a directory" } else { "a device or a pipe" };
            return Err(Error::file(format!("external data {location} is {what}, not a file")));
        }
        if length != bytes as u64 || length > held {
            let text = format!("external data {location} gives {} bytes, the tensor takes {bytes}", length.min(held));
            return Err(Error::file(text));
        }
        memory::afford(bytes as u64, || format!("external data {location}"))?;
        Ok(External { path, offset, location: location.to_owned() })
    }

    fn read(&self, to: &mut [u8]) -> Result<()> {
        let failed = |e: std::io::Error| Error::file(format!("external data {}: {e}", self.location)).because(e);
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        file.read_exact(to).map_err(failed)
    }
}
