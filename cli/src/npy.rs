//! `.npy` files (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>) as tensors.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use convgpu::internals::shape::{numel, strides, unravel};
use convgpu::{DType, Data, Tensor};
use half::f16;
use npyz::{Endianness, NpyHeader, Order, TypeChar, WriterBuilder};

use crate::failure::{Failure, Outcome};

/// The first bytes of every file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads a tensor, with its own type; integers of 64 bits without a sign must fit 63.
pub fn read(path: &Path) -> Outcome<Tensor> {
    let bytes = std::fs::read(path).map_err(|e| Failure::call(e.to_string()));
    bytes.and_then(|b| parse(&b)).map_err(|e| e.of(path.display()))
}

fn parse(bytes: &[u8]) -> Outcome<Tensor> {
    if !shape_is_sane(bytes) {
        return Err(Failure::call("not an .npy file, or its shape overflows"));
    }
    let mut rest = bytes;
    let broken = |e: std::io::Error| Failure::call(format!("not a readable .npy file ({e})"));
    let header = NpyHeader::from_reader(&mut rest).map_err(broken)?;
    let npyz::DType::Plain(kind) = header.dtype() else {
        return Err(Failure::call("structured arrays are not supported"));
    };
    if kind.type_char() == TypeChar::Object {
        return Err(Failure::call("arrays of Python objects are not supported"));
    }
    let size = kind.size_field() as usize;
    let shape = header.shape().iter().map(|&n| usize::try_from(n)).collect::<Result<Vec<_>, _>>();
    let shape = shape.map_err(|_| Failure::call("a dimension exceeds the address space"))?;
    let expected = shape.iter().try_fold(size, |a, &b| a.checked_mul(b));
    if expected != Some(rest.len()) {
        return Err(Failure::call(format!("{shape:?} elements of {size} bytes expected, {} bytes found", rest.len())));
    }
    let big = kind.endianness() == Endianness::Big;
    let rest = if header.order() == Order::Fortran { c_order(rest, &shape, size).into() } else { Cow::Borrowed(rest) };
    let data = elements(&rest, kind.type_char(), size, big)
        .ok_or_else(|| Failure::call(format!("elements of type {kind} are not supported")))?;
    Ok(Tensor::new(shape, data)?)
}

/// The header of the array, if the file is long enough for it: the crate allocates it without a check.
fn header(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.get(8..)?;
    let (length, rest) = match bytes[6] {
        1 => rest.split_first_chunk().map(|(n, rest)| (usize::from(u16::from_le_bytes(*n)), rest))?,
        _ => rest.split_first_chunk().map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest))?,
    };
    rest.get(..length)
}

/// Whether the product of the extents other than 0 fits: the crate multiplies them without a check.
fn shape_is_sane(bytes: &[u8]) -> bool {
    let Some(header) = header(bytes) else { return false };
    let text = String::from_utf8_lossy(header);
    let Some((_, rest)) = text.split_once("'shape':") else { return false };
    let extents = rest.split([')', '}']).next().unwrap_or_default();
    let numbers = extents.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
    numbers.map(|n| n.parse::<u64>().ok()).try_fold(1u64, |a, n| a.checked_mul(n?.max(1))).is_some()
}

fn elements(bytes: &[u8], kind: TypeChar, size: usize, big: bool) -> Option<Data> {
    // Every element as eight little-endian bytes, the unused ones zero.
    let raw = bytes.chunks_exact(size.max(1)).map(|chunk| {
        let mut wide = [0u8; 8];
        for (to, from) in wide.iter_mut().zip(0..chunk.len()) {
            *to = chunk[if big { chunk.len() - 1 - from } else { from }];
        }
        u64::from_le_bytes(wide)
    });
    Some(match (kind, size) {
        (TypeChar::Float, 2) => raw.map(|w| f16::from_bits(w as u16)).collect::<Vec<_>>().into(),
        (TypeChar::Float, 4) => raw.map(|w| f32::from_bits(w as u32)).collect::<Vec<_>>().into(),
        (TypeChar::Float, 8) => Data::F64(Arc::new(raw.map(f64::from_bits).collect())),
        (TypeChar::Int, 1) => raw.map(|w| w as i8).collect::<Vec<_>>().into(),
        (TypeChar::Int, 2) => raw.map(|w| w as i16).collect::<Vec<_>>().into(),
        (TypeChar::Int, 4) => raw.map(|w| w as i32).collect::<Vec<_>>().into(),
        (TypeChar::Int, 8) => raw.map(|w| w as i64).collect::<Vec<_>>().into(),
        (TypeChar::Uint, 1) => raw.map(|w| w as u8).collect::<Vec<_>>().into(),
        (TypeChar::Uint, 2) => raw.map(|w| w as u16).collect::<Vec<_>>().into(),
        (TypeChar::Uint, 4) => raw.map(|w| w as u32).collect::<Vec<_>>().into(),
        (TypeChar::Uint, 8) => raw.map(|w| i64::try_from(w).ok()).collect::<Option<Vec<_>>>()?.into(),
        (TypeChar::Bool, 1) => raw.map(|w| w != 0).collect::<Vec<_>>().into(),
        _ => return None,
    })
}

/// Reorders elements from column-major to row-major order.
fn c_order(bytes: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let reversed: Vec<usize> = shape.iter().rev().copied().collect();
    let steps: Vec<usize> = strides(&reversed).into_iter().rev().collect();
    let place = |i| unravel(i, shape).iter().zip(&steps).map(|(a, b)| a * b).sum::<usize>();
    (0..numel(shape)).map(place).flat_map(|p| bytes[p * size..(p + 1) * size].iter().copied()).collect()
}

/// Writes a tensor in C order. Floats of 16 bits become f32, integers of 8 and 16 bits i32, of 32 bits without a sign i64: the
/// types that readers of `.npy` files in other languages have.
pub fn write(path: &Path, tensor: &Tensor) -> Outcome<()> {
    let tensor = tensor.to_dtype(match tensor.dtype() {
        DType::F16 | DType::BF16 => DType::F32,
        DType::I8 | DType::U8 | DType::I16 | DType::U16 => DType::I32,
        DType::U32 => DType::I64,
        other => other,
    });
    let file = || -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        match tensor.data() {
            Data::F32(v) => put(&mut out, tensor.shape(), v)?,
            Data::F64(v) => put(&mut out, tensor.shape(), v)?,
            Data::I32(v) => put(&mut out, tensor.shape(), v)?,
            Data::I64(v) => put(&mut out, tensor.shape(), v)?,
            Data::Bool(v) => put(&mut out, tensor.shape(), v)?,
            _ => return Err(std::io::Error::other(format!(".npy files cannot hold {}", tensor.dtype()))),
        }
        out.flush()
    };
    file().map_err(|e| Failure::run(format!("{}: {e}", path.display())))
}

fn put<T: npyz::AutoSerialize + Copy>(out: &mut impl Write, shape: &[usize], values: &[T]) -> std::io::Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(out).begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()
}

/// Whether a file begins like an `.npy` file.
pub fn is_npy(path: &Path) -> Outcome<bool> {
    let wrong = |e: std::io::Error| Failure::call(format!("{}: {e}", path.display()));
    let mut start = vec![];
    File::open(path).map_err(wrong)?.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(wrong)?;
    Ok(start == MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([1, 0]);
        out.extend((header.len() as u16).to_le_bytes());
        [&out[..], header.as_bytes(), data].concat()
    }

    fn parsed(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Outcome<Tensor> {
        parse(&file(&format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}}}\n"), data))
    }

    fn doubles(values: &[f64]) -> Tensor {
        Tensor::new([values.len()], Data::F64(Arc::new(values.to_vec()))).unwrap()
    }

    #[test]
    fn every_type_is_read() {
        let f64s: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(parsed("<f8", "False", "(2,)", &f64s).unwrap(), doubles(&[1.5, -2.0]));
        let f16s: Vec<u8> = [f16::from_f32(0.25), f16::from_f32(-3.0)].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(
            parsed("<f2", "False", "(2,)", &f16s).unwrap(),
            Tensor::new([2], [0.25, -3.0].map(f16::from_f32).to_vec()).unwrap()
        );
        let big: Vec<u8> = [7.0f32].iter().flat_map(|v| v.to_be_bytes()).collect();
        assert_eq!(parsed(">f4", "False", "()", &big).unwrap(), Tensor::scalar(7.0));
        let longs: Vec<u8> = [-5i64].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(parsed("<i8", "False", "(1,)", &longs).unwrap(), Tensor::new([1], vec![-5i64]).unwrap());
        assert_eq!(parsed("|u1", "False", "(1, 2)", &[3, 255]).unwrap(), Tensor::new([1, 2], vec![3u8, 255]).unwrap());
        assert_eq!(parsed("|i1", "False", "(1,)", &[0xfe]).unwrap(), Tensor::new([1], vec![-2i8]).unwrap());
        assert_eq!(parsed("|b1", "False", "(2,)", &[0, 1]).unwrap(), Tensor::new([2], vec![false, true]).unwrap());
    }

    #[test]
    fn fortran_order_is_transposed() {
        let expected = Tensor::new([2, 3], vec![1u8, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(parsed("|u1", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6]).unwrap(), expected);
    }

    #[test]
    fn a_broken_file_is_an_error() {
        assert!(parse(b"text").is_err());
        assert!(parsed("<f4", "False", "(2,)", &[0; 7]).is_err());
        assert!(parsed("<f4", "False", "(4294967296, 4294967296, 4)", &[0; 4]).is_err());
        assert!(parsed("<c8", "False", "(1,)", &[0; 8]).is_err());
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = std::env::temp_dir().join(format!("convgpu-npy-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("t.npy");
        let tensors = [
            Tensor::new([2, 1, 3], vec![1.5f32, f32::NEG_INFINITY, 0.0, -0.25, 1e-40, 3.0]).unwrap(),
            Tensor::new([], vec![-9i64]).unwrap(),
            Tensor::new([0, 4], Vec::<i32>::new()).unwrap(),
            Tensor::new([3], vec![true, false, true]).unwrap(),
            doubles(&[0.1, -1e300]),
        ];
        for t in tensors {
            write(&path, &t).unwrap();
            assert_eq!(read(&path).unwrap(), t);
        }
        for (t, wide) in [
            (Tensor::from([3u8, 255]), Tensor::from([3i32, 255])),
            (Tensor::from([-1i16]), Tensor::from([-1i32])),
            (Tensor::from([u32::MAX]), Tensor::from([i64::from(u32::MAX)])),
            (Tensor::from([f16::from_f32(0.5)]), Tensor::from([0.5f32])),
        ] {
            write(&path, &t).unwrap();
            assert_eq!(read(&path).unwrap(), wide);
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}
