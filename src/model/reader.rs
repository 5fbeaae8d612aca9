//! Reads a model's file field by field, so that the bytes of a tensor can be dropped once its elements are made: never are
//! both of all tensors in memory.

use std::io::{self, BufReader, ErrorKind, Read};

use prost::Message;
use prost::bytes::Bytes;

use super::proto::{GraphProto, ModelProto};

/// The key of a model's graph: field 7, with a length.
const GRAPH: u64 = 7 << 3 | LENGTH;

/// What follows a key (<https://protobuf.dev/programming-guides/encoding/>).
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const LENGTH: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// The model in a file of this length; `None` if it is none that can be read in this way.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(file: impl Read, length: u64) -> io::Result<Option<ModelProto>> {
    let mut reader = Reader { file: BufReader::new(file), left: length };
    let (mut model, mut graph) = (ModelProto::default(), None::<GraphProto>);
    while reader.left > 0 {
        let Some(field) = reader.field(|key| key != GRAPH)? else { return Ok(None) };
        let Field { bytes, graph: Some(size) } = field else {
            if model.merge(field.bytes).is_err() {
                return Ok(None);
            }
            continue;
        };
        debug_assert!(bytes.is_empty());
        let end = reader.left - size;
        let graph = graph.get_or_insert_default();
        while reader.left > end {
            let Some(field) = reader.field(|_| true)? else { return Ok(None) };
            if graph.merge(field.bytes).is_err() || reader.left < end {
                return Ok(None);
            }
        }
    }
    model.graph = graph;
    Ok(Some(model))
}

/// A field with its key; of one that is to be entered only its size.
struct Field {
    bytes: Bytes,
    graph: Option<u64>,
}

struct Reader<R> {
    file: BufReader<R>,
    /// Bytes of the file that were not read.
    left: u64,
}

impl<R: Read> Reader<R> {
    /// The next field; only the size of one with a key that is not to be read whole. `None` if the bytes are no field.
    fn field(&mut self, whole: impl Fn(u64) -> bool) -> io::Result<Option<Field>> {
        let mut bytes = vec![];
        let Some(key) = self.varint(&mut bytes)? else { return Ok(None) };
        let size = match key & 7 {
            VARINT => return Ok(self.varint(&mut bytes)?.map(|_| Field { bytes: bytes.into(), graph: None })),
            EIGHT_BYTES => Some(8),
            FOUR_BYTES => Some(4),
            LENGTH => self.varint(&mut bytes)?,
            _ => None,
        };
        let Some(size) = size.filter(|size| *size <= self.left) else { return Ok(None) };
        if !whole(key) {
            return Ok(Some(Field { bytes: Bytes::new(), graph: Some(size) }));
        }
        let begin = bytes.len();
        bytes.reserve_exact(size as usize);
        bytes.resize(begin + size as usize, 0);
        self.file.read_exact(&mut bytes[begin..])?;
        self.left -= size;
        Ok(Some(Field { bytes: bytes.into(), graph: None }))
    }

    /// A number of up to 64 bits, 7 a byte, whose bytes are added to `bytes`.
    fn varint(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            if self.left == 0 {
                return Ok(None);
            }
            match self.file.read_exact(&mut byte) {
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                answer => answer?,
            }
            self.left -= 1;
            bytes.push(byte[0]);
            number |= u64::from(byte[0] & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte[0] < 0x80 {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::proto::TensorProto;

    fn streamed(bytes: &[u8]) -> Option<ModelProto> {
        read(bytes, bytes.len() as u64).unwrap()
    }

    #[test]
    fn a_file_is_what_its_bytes_are() {
        for file in ["lenet5_mnist.onnx", "realesr_animevideov3_x4.onnx"] {
            let bytes = std::fs::read(format!("{}/tests/models/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            let whole = ModelProto::decode(&bytes[..]).unwrap();
            assert!(whole.graph.as_ref().unwrap().initializer.len() > 3);
            assert!(streamed(&bytes).unwrap() == whole, "{file}");
        }
    }

    /// A field that comes twice is merged, and unknown ones are skipped.
    #[test]
    fn fields_in_any_order_are_those_of_the_decoder() {
        let tensor = |name: &str| TensorProto { name: Some(name.to_owned()), ..Default::default() };
        let graph = |name: &str| GraphProto { initializer: vec![tensor(name)], ..Default::default() };
        let model = |name: &str| ModelProto { ir_version: Some(8), graph: Some(graph(name)), ..Default::default() };
        // Fields 15, 13 and 11 are not read here: of four bytes, of a number, of eight bytes.
        let unknown = [&[15 << 3 | 5, 1, 2, 3, 4][..], &[13 << 3, 0x80, 1], &[11 << 3 | 1], &[9; 8]].concat();
        let empty = vec![7 << 3 | 2, 0];
        let bytes = [model("a").encode_to_vec(), unknown, empty, model("b").encode_to_vec()].concat();
        let found = streamed(&bytes).unwrap();
        assert_eq!(found.graph.as_ref().unwrap().initializer.len(), 2);
        assert!(found == ModelProto::decode(&bytes[..]).unwrap());
    }

    #[test]
    fn what_ends_too_early_or_is_no_field_is_not_read() {
        let bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/lenet5_mnist.onnx")).unwrap();
        for end in [1, 2, 9, 100, 5_000, bytes.len() - 1] {
            let decoder = ModelProto::decode(&bytes[..end]).is_ok();
            assert_eq!(streamed(&bytes[..end]).is_some(), decoder, "{end} bytes");
        }
        for bytes in [&[0xff; 12][..], &[7 << 3 | 3, 0][..], &[7 << 3 | 2, 5, 1][..]] {
            assert!(streamed(bytes).is_none(), "{bytes:?}");
        }
        // A file that becomes shorter while it is read.
        assert!(read(&bytes[..100], bytes.len() as u64).is_err());
    }
}
