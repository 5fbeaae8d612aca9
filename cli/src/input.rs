//! `--input [NAME=]FILE`: tensors for the inputs that a network declares.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Args as ClapArgs;
use convgpu::internals::model::tensor_from_bytes;
use convgpu::{DType, Tensor};
use image::{DynamicImage, ImageFormat};

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::names::Named;
use crate::npz::Npz;
use crate::pixels::{self, PixelArgs, Told};
use crate::{npy, picture, source};

/// The inputs of a network
#[derive(ClapArgs, Clone, Debug)]
pub struct InputArgs {
    /// A file for an input: .npy, .npz, .pb, an image (PNG, JPEG, WebP, BMP, GIF, TIFF, PNM), or a folder with input_0.pb and so
    /// on; - is stdin. Without NAME= inputs are taken in the network's order. Repeatable
    #[arg(long, value_name = "[NAME=]FILE")]
    input: Vec<OsString>,
    /// Open an axis of an input, which then takes any extent although the file fixes one: NAME is its batch (axis 0),
    /// NAME:AXIS another axis. Repeatable
    #[arg(long, value_name = "NAME[:AXIS]")]
    pub open: Vec<String>,
    /// Add the result of a node inside the network as an output; repeatable
    #[arg(long, value_name = "NODE")]
    pub at: Vec<String>,
    #[command(flatten)]
    pub pixels: PixelArgs,
}

/// An input as the network declares it.
#[derive(Clone, Debug)]
pub struct Declared {
    pub name: String,
    pub dtype: DType,
    /// Extents, `None` for any; `None` if even their number is open.
    pub dims: Option<Vec<Option<usize>>>,
    /// Whether the network has a value for it: then only a name chooses it.
    pub optional: bool,
}

/// What a file holds.
enum Contents {
    /// One tensor, with its name if the file has one.
    Tensor(Option<String>, Tensor),
    Image(DynamicImage),
    /// Tensors by name, in the order of the names.
    Named(Npz),
    /// Tensors in the network's order.
    Ordered(Vec<Tensor>),
}

/// The tensors of the inputs for which files are given.
pub struct Given {
    pub tensors: Vec<(String, Tensor)>,
    /// The type of the input that an image was given for, if any.
    pub image: Option<DType>,
}

/// Reads the files that are given.
pub fn read(args: &InputArgs, declared: &[Declared], told: Told) -> Outcome<Given> {
    let mut reader = Reader { args, declared, told, tensors: vec![], image: None };
    for text in &args.input {
        let (named, file) = split(text, declared)?;
        let contents = contents(file)?;
        reader.take(&text.to_string_lossy(), named, contents).map_err(|e| e.of(file.display()))?;
    }
    let idle = args.pixels.given();
    if reader.image.is_none() && !idle.is_empty() {
        console::hint(format!("{}: no input is an image", idle.join(", ")));
    }
    Ok(Given { tensors: reader.tensors, image: reader.image })
}

struct Reader<'a> {
    args: &'a InputArgs,
    declared: &'a [Declared],
    told: Told,
    tensors: Vec<(String, Tensor)>,
    image: Option<DType>,
}

impl<'a> Reader<'a> {
    /// Gives the contents of a file to the inputs that they are for.
    fn take(&mut self, text: &str, named: Option<&'a Declared>, contents: Contents) -> Outcome<()> {
        match contents {
            Contents::Named(mut arrays) => self.take_named(text, named, &mut arrays),
            Contents::Ordered(tensors) => tensors.into_iter().try_for_each(|t| self.put(text, None, t)),
            Contents::Tensor(name, tensor) => {
                let own = name.and_then(|name| self.find(&name));
                self.put(text, named.or(own), tensor)
            }
            Contents::Image(image) => {
                let input = self.next(text, named)?;
                let open = vec![Some(1), None, None, None];
                let dims = input.dims.as_ref().unwrap_or(&open);
                let tensor = pixels::tensor(image, &self.args.pixels, self.told, dims, input.dtype)?;
                self.image = Some(input.dtype);
                self.tensors.push((input.name.clone(), tensor));
                Ok(())
            }
        }
    }

    /// The array of the name that the call gives, or the only one, or else all that inputs are named after.
    fn take_named(&mut self, text: &str, named: Option<&'a Declared>, arrays: &mut Npz) -> Outcome<()> {
        let names = arrays.names();
        if named.is_some() || names.len() == 1 {
            let wanted = named.map_or("", |d| d.name.as_str());
            let position = names.iter().position(|name| name == wanted);
            if names.len() > 1 && position.is_none() {
                return Err(Failure::call(format!("holds no {wanted}; arrays: {}", names.join(", "))));
            }
            let position = position.unwrap_or(0);
            return self.put(text, named.or_else(|| self.find(&names[position])), arrays.read(position)?);
        }
        let before = self.tensors.len();
        for (position, name) in names.iter().enumerate() {
            match self.find(name) {
                Some(input) => self.put(text, Some(input), arrays.read(position)?)?,
                None => console::hint(format!("{text}: the network has no input {name}")),
            }
        }
        if self.tensors.len() == before {
            return Err(Failure::call(format!("holds no input of the network; inputs: {}", self.names())));
        }
        Ok(())
    }

    fn put(&mut self, text: &str, named: Option<&'a Declared>, tensor: Tensor) -> Outcome<()> {
        let input = self.next(text, named)?;
        let converted = convert(&tensor, input.dtype)?;
        if tensor.dtype() != input.dtype {
            console::hint(format!("{}: {} elements are taken as {}", input.name, tensor.dtype(), input.dtype));
        }
        self.tensors.push((input.name.clone(), converted));
        Ok(())
    }

    /// The named input, or the next one in the network's order.
    fn next(&self, text: &str, named: Option<&'a Declared>) -> Outcome<&'a Declared> {
        let free = |d: &&Declared| !self.tensors.iter().any(|(name, _)| *name == d.name);
        let required = || self.declared.iter().filter(|d| !d.optional);
        let Some(input) = named.or_else(|| required().find(free)) else {
            return Err(Failure::call(format!(
                "--input {text}: more files than inputs, of which the network has {}",
                required().count()
            )));
        };
        if !free(&input) {
            return Err(Failure::call(format!("--input {text}: {} is given twice", input.name)));
        }
        Ok(input)
    }

    fn find(&self, name: &str) -> Option<&'a Declared> {
        self.declared.iter().find(|d| d.name == name)
    }

    fn names(&self) -> String {
        self.declared.iter().map(|d| d.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The named input, if any, and the file.
fn split<'a, 't>(text: &'t OsStr, declared: &'a [Declared]) -> Outcome<(Option<&'a Declared>, &'t Path)> {
    match Named::of(text, declared.iter().map(|d| d.name.as_str())) {
        Named::Known(k, file) => Ok((Some(&declared[k]), file)),
        Named::File(file) => Ok((None, file)),
        Named::Unknown(name) => {
            let names: Vec<&str> = declared.iter().map(|d| d.name.as_str()).collect();
            let text = text.display();
            Err(Failure::call(format!("--input {text}: there is no input {name}; inputs: {}", names.join(", "))))
        }
    }
}

fn contents(file: &Path) -> Outcome<Contents> {
    if file.is_dir() {
        return data_set(file).map(Contents::Ordered);
    }
    let bytes = source::read(file)?;
    if bytes.is_empty() {
        return Err(Failure::file("is empty").of(file.display()));
    }
    let found = if bytes.starts_with(npy::MAGIC) {
        npy::parse(&bytes).map(|t| Contents::Tensor(None, t))
    } else if Npz::is(&bytes) {
        Npz::open(bytes).map(Contents::Named)
    } else if file.extension().is_some_and(|e| e == "pb") {
        tensor_from_bytes(&bytes).map(|(name, t)| Contents::Tensor(Some(name), t)).map_err(Failure::from)
    } else {
        let image = picture::decode(&bytes).map(Contents::Image);
        let other = image::guess_format(&bytes).is_err() && ImageFormat::from_path(file).is_err();
        image.map_err(|e| if other { e.of("no array (.npy, .npz, .pb)") } else { e })
    };
    found.map_err(|e| e.of(file.display()))
}

/// The tensors of a folder of ONNX's test suite: `input_0.pb`, `input_1.pb` and so on.
fn data_set(folder: &Path) -> Outcome<Vec<Tensor>> {
    let mut out = vec![];
    loop {
        let file = folder.join(format!("input_{}.pb", out.len()));
        if !file.exists() {
            break;
        }
        match contents(&file)? {
            Contents::Tensor(_, tensor) => out.push(tensor),
            _ => return Err(Failure::file("not a tensor of ONNX").of(file.display())),
        }
    }
    if out.is_empty() {
        return Err(Failure::file("is a folder without input_0.pb").of(folder.display()));
    }
    Ok(out)
}

/// The tensor as the input's type: floats may become other floats, integers floats or integers that hold them.
fn convert(tensor: &Tensor, dtype: DType) -> Outcome<Tensor> {
    let from = tensor.dtype();
    if from == dtype || from.is_float() && dtype.is_float() || from.is_integer() && dtype.is_float() {
        return Ok(tensor.to_dtype(dtype));
    }
    if !from.is_integer() || !dtype.is_integer() {
        return Err(Failure::call(format!("{} cannot become {dtype}, the type of the input", tensor.desc())));
    }
    let converted = tensor.to_dtype(dtype);
    let values = tensor.to_i64s()?.into_iter().zip(converted.to_i64s()?);
    match values.into_iter().find(|(before, after)| before != after) {
        Some((lost, _)) => Err(Failure::call(format!("the integer {lost} does not fit {dtype}"))),
        None => Ok(converted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> [Declared; 2] {
        let declared = |name: &str, dtype| Declared { name: name.to_owned(), dtype, dims: None, optional: false };
        [declared("x", DType::F32), declared("sizes", DType::I64)]
    }

    #[test]
    fn a_name_that_no_input_has_is_an_error() {
        let (named, file) = split(OsStr::new("sizes=a=b.npy"), &two()).map(|(d, f)| (d.cloned(), f)).unwrap();
        assert_eq!((named.unwrap().name.as_str(), file), ("sizes", Path::new("a=b.npy")));
        assert!(split(OsStr::new("other=b.npy"), &two()).unwrap_err().to_string().contains("inputs: x, sizes"));
    }

    #[test]
    fn an_input_with_a_value_of_its_own_is_chosen_by_name_only() {
        let [x, sizes] = two();
        let declared = [Declared { optional: true, ..x }, sizes];
        let given = |input: &[&str]| {
            let input = input.iter().map(OsString::from).collect();
            super::read(
                &InputArgs { input, open: vec![], at: vec![], pixels: PixelArgs::default() },
                &declared,
                Told::default(),
            )
            .err()
            .unwrap()
            .to_string()
        };
        assert!(given(&["none.npy", "none.npy"]).contains("none.npy"));
        assert!(given(&["sizes=none.npy"]).contains("none.npy"));
    }

    #[test]
    fn integers_convert_and_floats_do_not() {
        let ints = Tensor::new([2], vec![3, -4]).unwrap();
        assert_eq!(convert(&ints, DType::F32).unwrap(), Tensor::new([2], vec![3.0f32, -4.0]).unwrap());
        assert_eq!(convert(&ints, DType::I64).unwrap(), Tensor::new([2], vec![3i64, -4]).unwrap());
        assert!(convert(&Tensor::scalar(1.0), DType::I64).is_err());
        assert!(convert(&Tensor::new([1], vec![1i64 << 40]).unwrap(), DType::I32).is_err());
    }

    #[test]
    fn too_many_and_repeated_inputs_are_errors() {
        let dir = std::env::temp_dir().join(format!("convgpu-input-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("x.npy");
        let mut bytes = vec![];
        npy::write(&mut bytes, &Tensor::new([1], vec![2i64]).unwrap()).unwrap();
        std::fs::write(&file, bytes).unwrap();
        let name = file.display().to_string();
        let pixels = PixelArgs::default();
        let given = |input: Vec<String>| {
            let input = input.into_iter().map(OsString::from).collect();
            super::read(&InputArgs { input, open: vec![], at: vec![], pixels: pixels.clone() }, &two(), Told::default())
                .map(|g| g.tensors)
        };
        let found = given(vec![format!("sizes={name}"), name.clone()]).unwrap();
        assert_eq!(
            found.iter().map(|(n, t)| (n.as_str(), t.dtype())).collect::<Vec<_>>(),
            [("sizes", DType::I64), ("x", DType::F32)]
        );
        assert!(
            given(vec![name.clone(), name.clone(), name.clone()])
                .unwrap_err()
                .to_string()
                .contains("the network has 2")
        );
        assert!(given(vec![format!("x={name}"), format!("x={name}")]).unwrap_err().to_string().contains("twice"));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
