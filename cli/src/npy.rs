//! `.npy` files (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>) as tensors.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::sync::Arc;

use convgpu::internals::memory::afford;
use convgpu::internals::shape::{numel, strides, unravel};
use convgpu::{DType, Data, Tensor};
use half::f16;

use crate::failure::{Failure, Outcome};

/// The first bytes of every file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// The tensor in the bytes of a file, with its own type; integers of 64 bits without a sign must fit 63.
pub fn parse(bytes: &[u8]) -> Outcome<Tensor> {
    let mut rest = bytes;
    let header = Header::read(&mut rest)?;
    header.tensor(rest)
}

/// The tensor in a file that is unpacked while it is read: not more of it than its header declares.
pub fn read(from: &mut impl Read) -> Outcome<Tensor> {
    let header = Header::read(from)?;
    let bytes = header.bytes()? as u64;
    // The bytes, and the elements made of them.
    afford(bytes.saturating_mul(2), || {
        format!("an array {}{:?}", header.descr.trim_start_matches(['<', '|']), header.shape)
    })?;
    let mut rest = vec![];
    from.take(bytes.saturating_add(1)).read_to_end(&mut rest).map_err(|e| Failure::file(e.to_string()))?;
    header.tensor(&rest)
}

/// Byte order, kind and size of a type such as `<f4`. Of elements of 0 bytes any number would fit a file.
fn element(descr: &str) -> Option<(char, char, usize)> {
    let mut chars = descr.chars();
    let (order, kind) = (chars.next()?, chars.next()?);
    let size = chars.as_str().parse().ok().filter(|&bytes| bytes > 0)?;
    "<>|=".contains(order).then_some((order, kind, size))
}

/// What a header says: a Python dict of three entries.
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

/// The most bytes of a header: NumPy refuses much shorter ones.
const LONGEST: u32 = 1 << 20;

/// The most axes of an array: NumPy has no more. The time of a reordering grows with elements times axes.
const MOST_AXES: usize = 64;

impl Header {
    /// Reads the beginning of a file: magic number, version, length, and the dict.
    fn read(from: &mut impl Read) -> Outcome<Header> {
        let text = Header::text(from).map_err(|_| Failure::file("not an .npy file, or its header is cut off"))?;
        Header::parse(&text).map_err(|e| Failure::file(format!("not a readable .npy header: {e}")))
    }

    fn text(from: &mut impl Read) -> io::Result<Vec<u8>> {
        let mut start = [0; MAGIC.len() + 2];
        from.read_exact(&mut start)?;
        let mut length = [0; 4];
        let bytes = if start[MAGIC.len()] == 1 { 2 } else { 4 };
        from.read_exact(&mut length[..bytes])?;
        let length = u32::from_le_bytes(length);
        if !start.starts_with(MAGIC) || length > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut text = vec![0; length as usize];
        from.read_exact(&mut text)?;
        Ok(text)
    }

    /// Byte order, kind and size of the elements.
    fn element(&self) -> Outcome<(char, char, usize)> {
        element(&self.descr).ok_or_else(|| self.unsupported())
    }

    fn unsupported(&self) -> Failure {
        Failure::file(format!("elements of type {:?} are not supported", self.descr))
    }

    /// The bytes of all elements.
    fn bytes(&self) -> Outcome<usize> {
        let (_, _, size) = self.element()?;
        // Even if there are no elements, the others' extents must fit.
        let product = self.shape.iter().filter(|n| **n > 0).try_fold(size, |a, &b| a.checked_mul(b));
        let product = product.ok_or_else(|| Failure::file(format!("the shape {:?} overflows", self.shape)))?;
        Ok(if self.shape.contains(&0) { 0 } else { product })
    }

    /// The tensor whose elements are these bytes.
    fn tensor(self, rest: &[u8]) -> Outcome<Tensor> {
        let (order, kind, size) = self.element()?;
        let expected = self.bytes()?;
        if expected != rest.len() {
            let found =
                if rest.len() > expected { "more are there".to_owned() } else { format!("{} found", rest.len()) };
            let declared = format!("{:?} elements of {size} bytes", self.shape);
            return Err(Failure::file(format!("{declared}: {expected} bytes expected, {found}")));
        }
        let rest = if self.fortran { c_order(rest, &self.shape, size).into() } else { Cow::Borrowed(rest) };
        let data = elements(&rest, kind, size, order == '>').ok_or_else(|| self.unsupported())?;
        Ok(Tensor::new(self.shape, data)?)
    }

    /// Reads the dict token by token; nothing in it nests deeper than the shape.
    fn parse(text: &[u8]) -> Result<Header, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is not text")?;
        let mut at = Tokens(text);
        at.expect("{")?;
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        while !at.skip("}") {
            let key = at.string()?;
            at.expect(":")?;
            match key {
                "descr" => descr = Some(at.string().map_err(|_| "structured arrays are not supported")?.to_owned()),
                "fortran_order" => fortran = Some(at.boolean()?),
                "shape" => shape = Some(at.extents()?),
                other => return Err(format!("it has a key {other:?}")),
            }
            if !at.skip(",") {
                at.expect("}")?;
                break;
            }
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) if at.0.trim().is_empty() => Ok(Header { descr, fortran, shape }),
            _ => Err("it is not a dict of descr, fortran_order and shape".to_owned()),
        }
    }
}

/// The rest of a text.
struct Tokens<'a>(&'a str);

impl<'a> Tokens<'a> {
    fn skip(&mut self, token: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(token);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.skip(token) { Ok(()) } else { Err(format!("{token} is missing")) }
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let rest = self.0.trim_start();
        let quote = rest.chars().next().filter(|c| ['\'', '"'].contains(c)).ok_or("a string is missing")?;
        let (found, rest) = rest[1..].split_once(quote).ok_or("a string has no end")?;
        self.0 = rest;
        Ok(found)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        if self.skip("True") { Ok(true) } else { self.expect("False").map(|()| false) }
    }

    fn extents(&mut self) -> Result<Vec<usize>, String> {
        self.expect("(")?;
        let mut out = vec![];
        while !self.skip(")") {
            let rest = self.0.trim_start();
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            out.push(rest[..digits].parse().map_err(|_| "an extent is no number, or too large")?);
            if out.len() > MOST_AXES {
                return Err(format!("it has more than {MOST_AXES} axes"));
            }
            self.0 = &rest[digits..];
            // As Python 2 wrote them.
            self.skip("L");
            if !self.skip(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(out)
    }
}

fn elements(bytes: &[u8], kind: char, size: usize, big: bool) -> Option<Data> {
    // Every element as eight little-endian bytes, the unused ones zero.
    let raw = bytes.chunks_exact(size).map(|chunk| {
        let mut wide = [0u8; 8];
        for (to, from) in wide.iter_mut().zip(0..chunk.len()) {
            *to = chunk[if big { chunk.len() - 1 - from } else { from }];
        }
        u64::from_le_bytes(wide)
    });
    Some(match (kind, size) {
        ('f', 2) => raw.map(|w| f16::from_bits(w as u16)).collect::<Vec<_>>().into(),
        ('f', 4) => raw.map(|w| f32::from_bits(w as u32)).collect::<Vec<_>>().into(),
        ('f', 8) => Data::F64(Arc::new(raw.map(f64::from_bits).collect())),
        ('i', 1) => raw.map(|w| w as i8).collect::<Vec<_>>().into(),
        ('i', 2) => raw.map(|w| w as i16).collect::<Vec<_>>().into(),
        ('i', 4) => raw.map(|w| w as i32).collect::<Vec<_>>().into(),
        ('i', 8) => raw.map(|w| w as i64).collect::<Vec<_>>().into(),
        ('u', 1) => raw.map(|w| w as u8).collect::<Vec<_>>().into(),
        ('u', 2) => raw.map(|w| w as u16).collect::<Vec<_>>().into(),
        ('u', 4) => raw.map(|w| w as u32).collect::<Vec<_>>().into(),
        ('u', 8) => raw.map(|w| i64::try_from(w).ok()).collect::<Option<Vec<_>>>()?.into(),
        ('b', 1) => raw.map(|w| w != 0).collect::<Vec<_>>().into(),
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

/// Bytes that are written at once.
const CHUNK: usize = 1 << 16;

/// Writes a tensor in C order. Floats of 16 bits become f32, integers of 8 and 16 bits i32, of 32 bits without a sign i64: the
/// types that readers of `.npy` files in other languages have.
pub fn write(out: &mut dyn Write, tensor: &Tensor) -> io::Result<()> {
    let wide = match tensor.dtype() {
        DType::F16 | DType::BF16 => DType::F32,
        DType::I8 | DType::U8 | DType::I16 | DType::U16 => DType::I32,
        DType::U32 => DType::I64,
        other => other,
    };
    write_as(out, &tensor.to_dtype(wide))
}

/// Writes a tensor in C order with its own type, except that NumPy lacks bf16, which becomes f32.
pub fn write_as(out: &mut dyn Write, tensor: &Tensor) -> io::Result<()> {
    let tensor = if tensor.dtype() == DType::BF16 { tensor.to_dtype(DType::F32) } else { tensor.clone() };
    let mut put = |descr, bytes: &mut dyn Iterator<Item = [u8; 8]>, size: usize| {
        out.write_all(&header(descr, tensor.shape()))?;
        let mut chunk = Vec::with_capacity(CHUNK + 8);
        for word in bytes {
            chunk.extend_from_slice(&word[..size]);
            if chunk.len() >= CHUNK {
                out.write_all(&chunk)?;
                chunk.clear();
            }
        }
        out.write_all(&chunk)
    };
    let word = |w: u64| w.to_le_bytes();
    match tensor.data() {
        Data::F16(v) => put("<f2", &mut v.iter().map(|x| word(x.to_bits().into())), 2),
        Data::I8(v) => put("|i1", &mut v.iter().map(|&x| word(x as u64)), 1),
        Data::U8(v) => put("|u1", &mut v.iter().map(|&x| word(x.into())), 1),
        Data::I16(v) => put("<i2", &mut v.iter().map(|&x| word(x as u64)), 2),
        Data::U16(v) => put("<u2", &mut v.iter().map(|&x| word(x.into())), 2),
        Data::U32(v) => put("<u4", &mut v.iter().map(|&x| word(x.into())), 4),
        Data::F32(v) => put("<f4", &mut v.iter().map(|x| word(x.to_bits().into())), 4),
        Data::F64(v) => put("<f8", &mut v.iter().map(|x| word(x.to_bits())), 8),
        Data::I32(v) => put("<i4", &mut v.iter().map(|&x| word(u64::from(x as u32))), 4),
        Data::I64(v) => put("<i8", &mut v.iter().map(|&x| word(x as u64)), 8),
        Data::Bool(v) => put("|b1", &mut v.iter().map(|&x| word(x.into())), 1),
        _ => Err(io::Error::other(format!(".npy files cannot hold {}", tensor.dtype()))),
    }
}

/// Magic number, version and dict, padded so that the elements begin at a multiple of 64.
fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let extents: String = shape.iter().map(|n| format!("{n}, ")).collect();
    // A tuple of one element keeps its comma.
    let extents = if shape.len() == 1 { extents.trim_end() } else { extents.trim_end_matches(", ") };
    let dict = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    let length = (10 + dict.len() + 1).next_multiple_of(64) - 10;
    let mut out = [MAGIC, &[1, 0], &(length as u16).to_le_bytes()[..]].concat();
    out.extend(format!("{dict:<width$}\n", width = length - 1).into_bytes());
    out
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
        assert!(parsed("|O", "False", "(1,)", &[0; 8]).unwrap_err().to_string().contains("not supported"));
    }

    #[test]
    fn a_header_of_any_depth_is_read_or_refused_at_once() {
        for open in ["{", "[", "("] {
            for at in ["'descr': ", "'shape': ", ""] {
                let text = format!("{{'fortran_order': False, 'descr': '<f4', {at}{}", open.repeat(60_000));
                assert!(parse(&file(&text, &[])).is_err());
            }
        }
        assert!(
            parse(&file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", &[0; 4]))
                .unwrap_err()
                .to_string()
                .contains("structured")
        );
        let double = "{\"shape\": (2L, 1L), \"fortran_order\": False, \"descr\": \"|u1\"}   \n";
        assert_eq!(parse(&file(double, &[7, 8])).unwrap(), Tensor::new([2, 1], vec![7u8, 8]).unwrap());
        for wrong in
            ["", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "{'a': 1}"]
        {
            assert!(parse(&file(wrong, &[])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_small_file_takes_long() {
        // No bytes are enough for any number of these elements.
        let e = parsed("<f0", "True", "(1099511627776, 3)", &[]).unwrap_err().to_string();
        assert!(e.contains("not supported"), "{e}");
        let e = parsed("|u1", "True", &format!("({}300)", "1,".repeat(20_000)), &[0; 300]).unwrap_err().to_string();
        assert!(e.contains("more than 64 axes"), "{e}");
        assert!(parsed("|u1", "True", &format!("({})", "1,".repeat(64)), &[7]).is_ok());
    }

    #[test]
    fn what_is_written_is_read() {
        let again = |t: &Tensor| {
            let mut file = vec![];
            write(&mut file, t).unwrap();
            assert_eq!(header("<f4", t.shape()).len() % 64, 0);
            parse(&file).unwrap()
        };
        let tensors = [
            Tensor::new([2, 1, 3], vec![1.5f32, f32::NEG_INFINITY, 0.0, -0.25, 1e-40, 3.0]).unwrap(),
            Tensor::new([], vec![-9i64]).unwrap(),
            Tensor::new([0, 4], Vec::<i32>::new()).unwrap(),
            Tensor::new([3], vec![true, false, true]).unwrap(),
            doubles(&[0.1, -1e300]),
        ];
        for t in tensors {
            assert_eq!(again(&t), t);
        }
        for (t, wide) in [
            (Tensor::from([3u8, 255]), Tensor::from([3i32, 255])),
            (Tensor::from([-1i16]), Tensor::from([-1i32])),
            (Tensor::from([u32::MAX]), Tensor::from([i64::from(u32::MAX)])),
            (Tensor::from([f16::from_f32(0.5)]), Tensor::from([0.5f32])),
        ] {
            assert_eq!(again(&t), wide);
            let mut file = vec![];
            write_as(&mut file, &t).unwrap();
            assert_eq!(parse(&file).unwrap(), t);
        }
    }
}
