//! `--input [NAME=]FILE`: tensors for the inputs that a network declares.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use convgpu::{DType, Tensor};

use crate::failure::{Failure, Outcome};
use crate::npy;
use crate::pixels::{self, PixelArgs};

/// The inputs of a network
#[derive(ClapArgs, Clone, Debug)]
pub struct InputArgs {
    /// An .npy file or an image for an input, by name or in the network's order; repeatable
    #[arg(long, value_name = "[NAME=]FILE")]
    input: Vec<String>,
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

/// The tensors of the inputs for which files are given.
pub fn read(args: &InputArgs, declared: &[Declared]) -> Outcome<Vec<(String, Tensor)>> {
    let mut out: Vec<(String, Tensor)> = vec![];
    for text in &args.input {
        let taken = |d: &&Declared| !out.iter().any(|(name, _)| *name == d.name);
        let (named, file) = split(text, declared)?;
        let next = || declared.iter().filter(|d| !d.optional).find(taken);
        let Some(input) = named.or_else(next) else {
            let count = declared.iter().filter(|d| !d.optional).count();
            return Err(Failure::call(format!("--input {text}: the network has only {count} inputs")));
        };
        if !taken(&input) {
            return Err(Failure::call(format!("--input {text}: {} is given twice", input.name)));
        }
        let tensor = read_one(&file, &args.pixels, input)?;
        out.push((input.name.clone(), tensor));
    }
    Ok(out)
}

/// The named input, if any, and the file. Names may contain '=': the longest that fits is taken.
fn split<'a>(text: &str, declared: &'a [Declared]) -> Outcome<(Option<&'a Declared>, PathBuf)> {
    let Some((name, _)) = text.split_once('=') else { return Ok((None, text.into())) };
    let behind = |d: &'a Declared| Some((d, text.strip_prefix(&d.name)?.strip_prefix('=')?));
    if let Some((found, file)) = declared.iter().filter_map(behind).max_by_key(|(d, _)| d.name.len()) {
        return Ok((Some(found), file.into()));
    }
    if Path::new(text).exists() {
        return Ok((None, text.into()));
    }
    let names: Vec<&str> = declared.iter().map(|d| d.name.as_str()).collect();
    Err(Failure::call(format!("--input {text}: there is no input {name}; inputs: {}", names.join(", "))))
}

fn read_one(file: &Path, args: &PixelArgs, input: &Declared) -> Outcome<Tensor> {
    let tensor = if npy::is_npy(file)? { npy::read(file)? } else { pixels::read(file, args, input.dims.as_deref())? };
    convert(&tensor, input.dtype).map_err(|e| e.of(file.display()))
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
    fn a_name_is_split_off_only_if_an_input_has_it() {
        let declared = two();
        let (named, file) = split("sizes=a=b.npy", &declared).unwrap();
        assert_eq!((named.unwrap().name.as_str(), file), ("sizes", PathBuf::from("a=b.npy")));
        assert!(split("plain.npy", &two()).unwrap().0.is_none());
        let longer = Declared { name: "sizes=a".to_owned(), ..declared[1].clone() };
        let declared = [declared[1].clone(), longer, declared[0].clone()];
        for (text, name, path) in [("sizes=a=b.npy", "sizes=a", "b.npy"), ("sizes=b.npy", "sizes", "b.npy")] {
            let (named, file) = split(text, &declared).unwrap();
            assert_eq!((named.unwrap().name.as_str(), file), (name, PathBuf::from(path)));
        }
        assert!(split("other=b.npy", &two()).unwrap_err().to_string().contains("inputs: x, sizes"));
    }

    #[test]
    fn an_input_with_a_value_of_its_own_is_chosen_by_name_only() {
        let [x, sizes] = two();
        let declared = [Declared { optional: true, ..x }, sizes];
        let given = |input: &[&str]| {
            let input = input.iter().map(|s| s.to_string()).collect();
            read(&InputArgs { input, pixels: PixelArgs::default() }, &declared).unwrap_err().to_string()
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
        npy::write(&file, &Tensor::new([1], vec![2i64]).unwrap()).unwrap();
        let name = file.display().to_string();
        let pixels = PixelArgs::default();
        let given = |input: Vec<String>| read(&InputArgs { input, pixels: pixels.clone() }, &two());
        let found = given(vec![format!("sizes={name}"), name.clone()]).unwrap();
        assert_eq!(
            found.iter().map(|(n, t)| (n.as_str(), t.dtype())).collect::<Vec<_>>(),
            [("sizes", DType::I64), ("x", DType::F32)]
        );
        assert!(given(vec![name.clone(), name.clone(), name.clone()]).unwrap_err().to_string().contains("only 2"));
        assert!(given(vec![format!("x={name}"), format!("x={name}")]).unwrap_err().to_string().contains("twice"));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
