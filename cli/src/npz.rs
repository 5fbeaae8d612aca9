//! `.npz` files: ZIP archives of `.npy` files, of which only those that are needed are unpacked.

use std::io::Cursor;

use convgpu::Tensor;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::failure::{Failure, Outcome};
use crate::npy;

pub struct Npz(ZipArchive<Cursor<Vec<u8>>>);

impl Npz {
    /// Whether these bytes begin as a ZIP archive.
    pub fn is(bytes: &[u8]) -> bool {
        bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
    }

    /// The archive in the bytes of a file; it has at least one array.
    pub fn open(bytes: Vec<u8>) -> Outcome<Npz> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(wrong)?;
        if archive.is_empty() {
            return Err(Failure::file("an .npz without arrays"));
        }
        Ok(Npz(archive))
    }

    /// The names of the arrays, in the order of the file.
    pub fn names(&self) -> Vec<String> {
        let names = (0..self.0.len()).filter_map(|k| self.0.name_for_index(k));
        names.map(|name| name.trim_end_matches(".npy").to_owned()).collect()
    }

    /// The array at a position among the names.
    pub fn read(&mut self, position: usize) -> Outcome<Tensor> {
        let mut entry = self.0.by_index(position).map_err(wrong)?;
        let name = entry.name().trim_end_matches(".npy").to_owned();
        npy::read(&mut entry).map_err(|e| e.of(name))
    }
}

fn wrong(e: ZipError) -> Failure {
    Failure::file(format!("not a readable .npz file ({e})"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use convgpu::internals::memory::limited;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// An archive of these files, compressed.
    fn archive(files: &[(&str, &[u8])]) -> Npz {
        let mut zip = ZipWriter::new(Cursor::new(vec![]));
        for (name, bytes) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        Npz::open(zip.finish().unwrap().into_inner()).unwrap()
    }

    fn small() -> (Tensor, Vec<u8>) {
        let (tensor, mut bytes) = (Tensor::from([1.5f32, -2.0]), vec![]);
        npy::write(&mut bytes, &tensor).unwrap();
        (tensor, bytes)
    }

    #[test]
    fn only_what_is_needed_is_unpacked() {
        let (tensor, bytes) = small();
        let mut npz = archive(&[("text.npy", b"no array"), ("x.npy", &bytes)]);
        assert_eq!(npz.names(), ["text", "x"]);
        assert_eq!(npz.read(1).unwrap(), tensor);
        assert!(npz.read(0).unwrap_err().to_string().starts_with("text: not an .npy file"));
    }

    #[test]
    fn no_more_is_unpacked_than_the_header_declares_and_memory_holds() {
        let (_, mut bytes) = small();
        bytes.resize(40 << 20, 0);
        let mut npz = archive(&[("x.npy", &bytes)]);
        assert!(npz.read(0).unwrap_err().to_string().contains("8 bytes expected, more are there"));
        let mut large = vec![];
        npy::write(&mut large, &Tensor::zeros([10 << 20])).unwrap();
        let mut npz = archive(&[("x.npy", &large)]);
        let e = limited(64 << 20, || npz.read(0)).unwrap_err().to_string();
        assert!(e.starts_with("x: an array f4[10485760] takes 80 MiB of memory"), "{e}");
    }
}
