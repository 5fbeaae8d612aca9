//! Inputs that the program makes up, for commands to which their values do not matter.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::Args as ClapArgs;
use convgpu::{DType, Dim, Tensor, ValueInfo};

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::input::Declared;

/// Inputs without a file get reproducible random numbers
#[derive(ClapArgs, Clone, Debug, Default)]
pub struct InventArgs {
    /// The shape of an input without a file; repeatable
    #[arg(long, value_name = "NAME=AxBxC")]
    shape: Vec<String>,
    /// The batch: the first extent of inputs without a file, where the network leaves it open [default: 1]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    /// Seed of the random inputs [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The range of random numbers [default: 0..1, 0..255 for u8]
    #[arg(long, value_name = "A..B", allow_hyphen_values = true)]
    range: Option<Range>,
}

impl InventArgs {
    /// For a command that computes nothing: says that options of values have nothing to do.
    pub fn note_values(&self) {
        if self.seed.is_some() || self.range.is_some() {
            console::hint("--seed and --range: this command computes nothing".to_owned());
        }
    }
}

/// Two numbers, the smaller first.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range(f64, f64);

impl FromStr for Range {
    type Err = String;
    fn from_str(s: &str) -> Result<Range, String> {
        let number = |t: &str| t.trim().parse().ok().filter(|v: &f64| (*v as f32).is_finite());
        let ends = s.split_once("..").and_then(|(a, b)| Some((number(a)?, number(b)?)));
        ends.filter(|(a, b)| a <= b)
            .map(|(a, b)| Range(a, b))
            .ok_or_else(|| "expected A..B, two finite numbers, the smaller one first".to_owned())
    }
}

/// The most elements of an input: 1 GiB of f32.
const MOST: usize = 1 << 28;

/// Extents of open dimensions: channels, and sides of a picture, which most networks can halve five times.
const CHANNELS: usize = 3;
const SIDE: usize = 224;

impl InventArgs {
    /// A tensor for each of these inputs.
    pub fn tensors(&self, all: &[ValueInfo], missing: &[&Declared]) -> Outcome<Vec<(String, Tensor)>> {
        let mut shapes = HashMap::new();
        for text in &self.shape {
            let (name, shape) = self.shape(text, missing)?;
            if shapes.insert(name, shape).is_some() {
                return Err(Failure::call(format!("--shape {text}: {name} is given twice")));
            }
        }
        self.note_idle(missing, &shapes);
        let mut symbols = HashMap::new();
        let mut out = vec![];
        for input in missing {
            let info = all.iter().find(|i| i.name == input.name);
            let shape = match shapes.remove(input.name.as_str()) {
                Some(shape) => shape,
                None => self.extents(input, info, &mut symbols)?,
            };
            out.push((input.name.clone(), self.tensor(input, shape)?));
        }
        Ok(out)
    }

    /// Says which options have nothing to do.
    fn note_idle(&self, missing: &[&Declared], shapes: &HashMap<&str, Vec<usize>>) {
        let given = [("--seed", self.seed.is_some()), ("--range", self.range.is_some())];
        for (option, _) in given.iter().filter(|(_, given)| *given && missing.is_empty()) {
            console::hint(format!("{option}: every input has a file"));
        }
        let open = |i: &&&Declared| i.dims.as_ref().is_some_and(|dims| dims.first() == Some(&None));
        let chosen = |i: &&&Declared| !shapes.contains_key(i.name.as_str());
        if self.batch.is_some() && !missing.iter().filter(open).any(|i| chosen(&i)) {
            console::hint(
                "--batch: every input has a file, a --shape, or a fixed first extent (--open NAME opens it)".to_owned(),
            );
        }
    }

    /// The name and the shape that `--shape` gives. Names may contain '='.
    fn shape<'t>(&self, text: &'t str, missing: &[&Declared]) -> Outcome<(&'t str, Vec<usize>)> {
        let wrong = |what: String| Failure::call(format!("--shape {text}: {what}"));
        let (name, extents) = text.rsplit_once('=').ok_or_else(|| wrong("expected NAME=AxBxC".to_owned()))?;
        let Some(input) = missing.iter().find(|i| i.name == name) else {
            let names: Vec<_> = missing.iter().map(|i| i.name.as_str()).collect();
            return Err(wrong(format!("there is no input {name} without a file; inputs: {}", names.join(", "))));
        };
        let shape: Result<Vec<usize>, _> = extents.split(['x', 'X', ',']).map(|n| n.trim().parse()).collect();
        let shape = shape.map_err(|_| wrong("an extent is not a whole number".to_owned()))?;
        let fits = |dims: &Vec<Option<usize>>| {
            dims.len() == shape.len() && dims.iter().zip(&shape).all(|(d, n)| d.is_none_or(|d| d == *n))
        };
        if !input.dims.as_ref().is_none_or(fits) {
            return Err(wrong(format!(
                "does not fit the shape that the network declares, [{}]; --open {name}:AXIS opens an axis",
                open(&input.dims).join(", ")
            )));
        }
        Ok((name, shape))
    }

    /// The declared extents; the open ones are chosen, and the choice is said.
    fn extents(
        &self,
        input: &Declared,
        info: Option<&ValueInfo>,
        symbols: &mut HashMap<String, usize>,
    ) -> Outcome<Vec<usize>> {
        let dims = input.dims.as_ref();
        let dims = dims.ok_or_else(|| {
            Failure::call(format!("the input {0} needs --input or --shape {0}=..: its shape is open", input.name))
        })?;
        let rank = dims.len();
        let last = rank == 4 && dims[3].is_some_and(|n| n == 1 || n == 3) && dims[1].is_none();
        let mut chosen = false;
        let mut out = vec![];
        for (axis, dim) in dims.iter().enumerate() {
            let symbol = info.and_then(|i| i.dims.as_ref()).and_then(|d| match &d[axis] {
                Dim::Named(name) => Some(name.clone()),
                _ => None,
            });
            let channel = rank == 4 && axis == if last { 3 } else { 1 };
            let default = match (axis, channel, rank) {
                (0, ..) => self.batch.map_or(1, NonZeroUsize::get),
                (_, true, _) => CHANNELS,
                (_, _, 4) => SIDE,
                _ => 1,
            };
            let known = symbol.as_ref().and_then(|s| symbols.get(s).copied()).filter(|_| axis != 0);
            let extent = dim.unwrap_or(known.unwrap_or(default));
            chosen |= dim.is_none() && axis > 0;
            if let Some(symbol) = symbol {
                symbols.insert(symbol, extent);
            }
            out.push(extent);
        }
        if chosen {
            let text: Vec<String> = out.iter().map(usize::to_string).collect();
            console::hint(format!("{0}: open dimensions are taken as --shape {0}={1}", input.name, text.join("x")));
        }
        Ok(out)
    }

    /// Reproducible random numbers.
    fn tensor(&self, input: &Declared, shape: Vec<usize>) -> Outcome<Tensor> {
        let count = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b)).filter(|&n| n <= MOST);
        let count = count.ok_or_else(|| Failure::call(format!("the input {} is too large: {shape:?}", input.name)))?;
        let Range(low, high) =
            self.range.unwrap_or(if input.dtype == DType::U8 { Range(0.0, 255.0) } else { Range(0.0, 1.0) });
        let wrong = || {
            let (dtype, name) = (input.dtype, &input.name);
            Failure::call(format!("--range {low}..{high} does not fit {dtype}, the type of {name}"))
        };
        // The high bits of a Weyl sequence through a multiplicative hash (Knuth, TAOCP 6.4).
        let first = self.seed.unwrap_or(0).wrapping_mul(0xd134_2543_de82_ef95);
        let unit = |i: usize| {
            let bits = first.wrapping_add(i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            bits as f32 / (1u64 << 24) as f32
        };
        if input.dtype.is_float() {
            let value = |i| (f64::from(unit(i)) * (high - low) + low) as f32;
            let ends = Tensor::from([low as f32, high as f32]).to_dtype(input.dtype);
            if !ends.to_f64s().into_iter().all(f64::is_finite) {
                return Err(wrong());
            }
            return Ok(Tensor::new(shape, (0..count).map(value).collect::<Vec<_>>())?.to_dtype(input.dtype));
        }
        let value = |i| (low + f64::from(unit(i)) * (high - low)).round() as i64;
        let values = Tensor::new(shape, (0..count).map(value).collect::<Vec<_>>())?;
        let held = values.to_dtype(input.dtype);
        if input.dtype.is_integer() && held.to_i64s()? != values.to_i64s()? {
            return Err(wrong());
        }
        Ok(held)
    }
}

fn open(dims: &Option<Vec<Option<usize>>>) -> Vec<String> {
    dims.iter().flatten().map(|d| d.map_or("?".to_owned(), |n| n.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(dtype: DType, dims: &[Option<usize>]) -> Declared {
        Declared { name: "x".to_owned(), dtype, dims: Some(dims.to_vec()), optional: false }
    }

    fn made(args: &InventArgs, input: &Declared) -> Outcome<Tensor> {
        args.tensors(&[], &[input]).map(|mut all| all.remove(0).1)
    }

    #[test]
    fn open_dimensions_are_chosen_or_given() {
        let image = declared(DType::F32, &[None, Some(3), None, None]);
        let shape = |args: &InventArgs, input: &Declared| made(args, input).unwrap().shape().to_vec();
        let plain = InventArgs::default();
        assert_eq!(shape(&plain, &image), [1, 3, 224, 224]);
        assert_eq!(shape(&plain, &declared(DType::U8, &[None, None, None, Some(3)])), [1, 224, 224, 3]);
        let four = InventArgs { batch: NonZeroUsize::new(4), ..plain.clone() };
        assert_eq!(shape(&four, &image), [4, 3, 224, 224]);
        assert_eq!(shape(&four, &declared(DType::F32, &[None])), [4]);
        let given = |text: &str| InventArgs { shape: vec![text.to_owned()], ..InventArgs::default() };
        assert_eq!(shape(&given("x=2x3x64x32"), &image), [2, 3, 64, 32]);
        for wrong in ["x=1x4x8x8", "y=1", "x=axb", "x", "x=1x3x4"] {
            assert!(made(&given(wrong), &image).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_follow_the_seed_and_the_range() {
        let input = declared(DType::F32, &[Some(1000)]);
        let plain = InventArgs::default();
        let values = |args: &InventArgs| made(args, &input).unwrap().to_f64s();
        assert_eq!(values(&plain), values(&plain));
        assert_ne!(values(&plain), values(&InventArgs { seed: Some(1), ..plain.clone() }));
        let wide = InventArgs { range: Some("-2..3".parse().unwrap()), ..plain.clone() };
        let v = values(&wide);
        assert!(
            v.iter().all(|v| (-2.0..=3.0).contains(v)) && v.iter().any(|v| *v < -1.5) && v.iter().any(|v| *v > 2.5)
        );
        assert!(made(&wide, &declared(DType::U8, &[Some(9)])).unwrap_err().to_string().contains("--range -2..3"));
        let bytes = made(&plain, &declared(DType::U8, &[Some(1000)])).unwrap().to_i64s().unwrap();
        assert!(bytes.iter().any(|v| *v > 200));
        let widest = InventArgs { range: Some("-3e38..3e38".parse().unwrap()), ..plain.clone() };
        assert!(values(&widest).iter().all(|v| v.is_finite()) && "0..1e39".parse::<Range>().is_err());
        assert!(made(&widest, &declared(DType::F16, &[Some(9)])).unwrap_err().to_string().contains("does not fit f16"));
        assert!("2..1".parse::<Range>().is_err() && "nan..1".parse::<Range>().is_err());
    }
}
