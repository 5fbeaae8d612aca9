//! The results of a run: files, and the best classes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf, is_separator};

use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;
use convgpu::{Desc, Tensor};

use crate::console;
use crate::encode::Format;
use crate::failure::{Failure, Outcome};
use crate::files::{Folder, Target};
use crate::names::Named;
use crate::numbers::finite;
use crate::{npy, picture, source};

/// Where results go
#[derive(ClapArgs, Debug, Default)]
pub struct OutputArgs {
    /// Write every output as DIR/NAME.npy, with _ for / and : in the name
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Write what the network is given, so that another engine can be given the same: every input as DIR/NAME.npy, or the only
    /// one as FILE.npy
    #[arg(long, value_name = "DIR|FILE.npy")]
    save_input: Option<PathBuf>,
    /// Write an output of 1 or 3 channels as an image; the name is needed if several are pictures; repeatable
    #[arg(long, value_name = "[NAME=]FILE")]
    output_image: Vec<OsString>,
    /// Factor from the output's values to pixels of 0..255 [default: 255, or 1 for integers]
    #[arg(long, value_name = "S", value_parser = finite, allow_hyphen_values = true)]
    output_scale: Option<f32>,
    /// Print the K largest elements of an output that is a vector of classes, or of each row of a batch [default with --labels: 5]
    #[arg(long, value_name = "K", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    top: Option<usize>,
    /// A text file with the names of the classes, one per line, the first line for class 0
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Rank and write only this output; repeatable
    #[arg(long = "output", value_name = "NAME")]
    only: Vec<String>,
}

/// One of the best classes of an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub index: usize,
    pub value: f64,
    pub label: Option<String>,
}

/// The names of `--labels`, read before anything runs.
pub struct Labels(Option<Vec<String>>);

/// The files of a run, checked before anything runs.
#[derive(Default)]
pub struct Places {
    /// By position of the output.
    arrays: Vec<Option<Target>>,
    images: Vec<(usize, Target, Format)>,
    /// By position of the input.
    inputs: Vec<Target>,
    /// All of them, with what is written there.
    taken: Vec<(String, Target)>,
    /// Those that were missing.
    folders: Vec<Folder>,
}

impl OutputArgs {
    pub fn labels(&self) -> Outcome<Labels> {
        let Some(path) = &self.labels else { return Ok(Labels(None)) };
        let text = String::from_utf8(source::read(path)?);
        let text = text.map_err(|_| Failure::file("not a text in UTF-8").of(path.display()))?;
        Ok(Labels(Some(text.trim_start_matches('\u{feff}').trim_end().lines().map(str::to_owned).collect())))
    }

    /// Whether an output is wanted.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|n| n == name)
    }

    /// The files that are requested for these outputs and inputs.
    pub fn places(&self, outputs: &[(&str, &Desc)], inputs: &[(String, Tensor)]) -> Outcome<Places> {
        let names = || outputs.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        if let Some(unknown) = self.only.iter().find(|n| !outputs.iter().any(|(name, _)| name == n)) {
            return Err(Failure::call(format!(
                "--output {unknown}: there is no such output; outputs: {} (--at NODE adds one)",
                names()
            )));
        }
        let mut places = Places { arrays: vec![None; outputs.len()], ..Places::default() };
        if let Some(dir) = &self.output_dir {
            places.folders.push(Folder::new(dir)?);
            for (k, (name, _)) in outputs.iter().enumerate().filter(|(_, (name, _))| self.wants(name)) {
                places.arrays[k] = Some(places.take(name, Target::new(&dir.join(file_name(name)))?)?);
            }
        }
        if let Some(path) = &self.save_input {
            places.inputs = self.save_input(path, inputs, &mut places)?;
        }
        for text in &self.output_image {
            let (k, path) = self.picture(text, outputs)?;
            let (name, desc) = outputs[k];
            let named = Format::of(path);
            let target = Target::new(path)?;
            let format = if target.is_stream() { named.unwrap_or(Format::Png) } else { named? };
            holds(format, desc).map_err(|e| e.of(format!("--output-image {}: {name} {desc}", text.display())))?;
            let target = places.take(name, target)?;
            places.images.push((k, target, format));
        }
        if self.output_image.is_empty() && self.output_scale.is_some() {
            console::hint("--output-scale: no output is written as an image".to_owned());
        }
        Ok(places)
    }

    /// The files of the inputs.
    fn save_input(&self, path: &Path, inputs: &[(String, Tensor)], places: &mut Places) -> Outcome<Vec<Target>> {
        if path.extension().is_some_and(|e| e != "npy") && !path.is_dir() {
            let text = format!("--save-input {}: expected FILE.npy or a folder", path.display());
            return Err(Failure::call(text));
        }
        if path.extension().is_none_or(|e| e != "npy") && !Target::new(path).is_ok_and(|t| t.is_stream()) {
            places.folders.push(Folder::new(path)?);
            let target = |(name, _): &(String, Tensor)| {
                places.take(&format!("the input {name}"), Target::new(&path.join(file_name(name)))?)
            };
            return inputs.iter().map(target).collect();
        }
        match inputs {
            [(name, _)] => Ok(vec![places.take(&format!("the input {name}"), Target::new(path)?)?]),
            _ => Err(Failure::call(format!(
                "--save-input {}: the network has {} inputs; give a folder",
                path.display(),
                inputs.len()
            ))),
        }
    }

    /// The output that `--output-image` names, or the only picture among the outputs, and the file.
    fn picture<'t>(&self, text: &'t OsStr, outputs: &[(&str, &Desc)]) -> Outcome<(usize, &'t Path)> {
        let wrong = |what: String| Failure::call(format!("--output-image {}: {what}", text.display()));
        let list = |of: &mut dyn Iterator<Item = usize>| {
            of.map(|k| format!("{} {}", outputs[k].0, outputs[k].1)).collect::<Vec<_>>().join(", ")
        };
        let all = || list(&mut (0..outputs.len()));
        let file = match Named::of(text, outputs.iter().map(|(name, _)| *name)) {
            Named::Known(k, _) if !self.wants(outputs[k].0) => {
                return Err(wrong(format!("--output leaves {} out", outputs[k].0)));
            }
            Named::Known(k, file) => return Ok((k, file)),
            Named::File(file) => file,
            // A file that is to be made, in a folder with a '=' in its path.
            Named::Unknown(name) if name.contains(is_separator) => Path::new(text),
            Named::Unknown(name) => return Err(wrong(format!("there is no output {name}; outputs: {}", all()))),
        };
        let wanted = outputs.iter().enumerate().filter(|(_, (name, _))| self.wants(name));
        let found: Vec<usize> = wanted.filter(|(_, (_, d))| picture::is_picture(&d.shape)).map(|(k, _)| k).collect();
        match found[..] {
            [k] => Ok((k, file)),
            [] => Err(wrong(format!("no output is a picture; choose one by NAME=FILE; outputs: {}", all()))),
            _ => {
                let them = list(&mut found.iter().copied());
                Err(wrong(format!("{} outputs are pictures; choose one by NAME=FILE: {them}", found.len())))
            }
        }
    }

    /// The best classes of every row of an output, if they are requested and it is a vector of classes.
    pub fn top(&self, name: &str, tensor: &Tensor, labels: &Labels) -> Option<Vec<Vec<Ranked>>> {
        let k = self.top.or_else(|| self.labels.as_ref().map(|_| 5)).filter(|_| self.wants(name))?;
        let (rows, classes) = rows(tensor.shape())?;
        if let Some(labels) = labels.0.as_ref().filter(|labels| labels.len() != classes) {
            console::hint(format!("--labels has {} names, {name} has {classes} classes", labels.len()));
        }
        if self.top.is_some_and(|k| k > classes) {
            console::hint(format!("--top: {name} has only {classes} classes"));
        }
        let label = |index: usize| labels.0.as_ref().and_then(|l| l.get(index).cloned());
        let named = |best: Vec<(usize, f64)>| {
            best.into_iter().map(|(index, value)| Ranked { index, value, label: label(index) }).collect()
        };
        if classes == 0 {
            return Some(vec![vec![]; rows]);
        }
        // Large results are not copied.
        Some(match tensor.as_f32() {
            Ok(values) => values.chunks(classes).map(|row| named(best(row.iter().map(|&v| v.into()), k))).collect(),
            Err(_) => tensor.to_f64s().chunks(classes).map(|row| named(best(row.iter().copied(), k))).collect(),
        })
    }

    /// Says which options had nothing to do.
    pub fn note_idle(&self, ranked: bool) {
        let option = if self.top.is_some() { "--top" } else { "--labels" };
        if (self.top.is_some() || self.labels.is_some()) && !ranked {
            console::hint(format!("{option}: no output is a vector of classes"));
        }
    }

    /// Writes the requested files of the inputs.
    pub fn write_inputs(&self, places: &Places, inputs: &[(String, Tensor)]) -> Outcome<()> {
        for (target, (name, tensor)) in places.inputs.iter().zip(inputs) {
            target.write(|out| npy::write_as(out, tensor))?;
            console::hint(format!("{}: {} -> {}", console::name(name), tensor.desc(), target.path().display()));
        }
        Ok(())
    }

    /// Writes the requested files of the outputs.
    pub fn write(&self, places: &Places, outputs: &[(String, Tensor)], bgr: bool) -> Outcome<()> {
        for (k, target, format) in &places.images {
            let tensor = &outputs[*k].1;
            let scale = self.output_scale.unwrap_or(if tensor.dtype().is_float() { 255.0 } else { 1.0 });
            let bytes = format.encode(picture::of_tensor(tensor, scale, bgr)?);
            let bytes = bytes.map_err(|e| e.of(target.path().display()))?;
            target.write(|out| out.write_all(&bytes))?;
        }
        for (target, (_, tensor)) in places.arrays.iter().zip(outputs) {
            if let Some(target) = target {
                target.write(|out| npy::write(out, tensor))?;
            }
        }
        Ok(())
    }
}

impl Places {
    /// Whether a file goes to stdout.
    pub fn take_stdout(&self) -> bool {
        self.taken.iter().any(|(_, target)| target.is_stdout())
    }

    /// The array of the output at a position.
    pub fn array(&self, k: usize) -> Option<String> {
        Some(self.arrays[k].as_ref()?.path().display().to_string())
    }

    /// The images of the output at a position.
    pub fn images(&self, k: usize) -> Vec<String> {
        let its = self.images.iter().filter(|(of, ..)| *of == k);
        its.map(|(_, target, _)| target.path().display().to_string()).collect()
    }

    /// The file of the input at a position.
    pub fn of_input(&self, k: usize) -> Option<String> {
        Some(self.inputs.get(k)?.path().display().to_string())
    }

    /// Takes a file; an error if something else is written there.
    fn take(&mut self, name: &str, target: Target) -> Outcome<Target> {
        if let Some((other, _)) = self.taken.iter().find(|(_, t)| t.is(&target)) {
            let file = target.path().display();
            return Err(Failure::call(format!("two results would be written as {file}: {other} and {name}")));
        }
        self.taken.push((name.to_owned(), target.clone()));
        Ok(target)
    }
}

/// An error unless an output is an image that the format can hold.
fn holds(format: Format, desc: &Desc) -> Outcome<()> {
    let dims: Vec<_> = desc.shape.iter().map(|&n| Some(n)).collect();
    let axes = picture::axes(&dims).map_err(|e| e.of("is no image"))?;
    format.check(axes.channels, [axes.width, axes.height].map(Option::unwrap_or_default))
}

/// The k largest values with their positions, the largest first, the first of equal ones first; NaN is the smallest.
fn best(values: impl Iterator<Item = f64>, k: usize) -> Vec<(usize, f64)> {
    let key = |v: f64| if v.is_nan() { f64::NEG_INFINITY } else { v };
    let mut out: Vec<(usize, f64)> = vec![];
    for (i, v) in values.enumerate() {
        if out.len() == k && out.last().is_none_or(|(_, least)| key(v) <= key(*least)) {
            continue;
        }
        let at = out.partition_point(|(_, other)| key(*other) >= key(v));
        out.insert(at, (i, v));
        out.truncate(k);
    }
    out
}

/// Rows and classes of a shape: a vector, or a batch of vectors; other axes have extent 1.
fn rows(shape: &[usize]) -> Option<(usize, usize)> {
    let (rows, rest) = match shape {
        [] => (1, &[][..]),
        [n] => return Some((1, *n)),
        [rows, rest @ ..] => (*rows, rest),
    };
    let vector = rest.iter().filter(|&&n| n != 1).count() <= 1;
    vector.then(|| (rows, rest.iter().product()))
}

fn file_name(output: &str) -> String {
    format!("{}.npy", output.replace(['/', ':'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(k: usize) -> OutputArgs {
        OutputArgs { top: Some(k), ..OutputArgs::default() }
    }

    fn images(names: &[&str]) -> OutputArgs {
        OutputArgs { output_image: names.iter().map(OsString::from).collect(), ..OutputArgs::default() }
    }

    #[test]
    fn the_largest_come_first_with_their_labels() {
        let logits = Tensor::new([1, 4, 1, 1], vec![0.5f32, -1.0, 3.0, 2.0]).unwrap();
        let labels = Labels(Some(["zero", "one", "two"].map(str::to_owned).to_vec()));
        let ranked = top(2).top("y", &logits, &labels).unwrap().remove(0);
        assert_eq!((ranked[0].index, ranked[0].label.as_deref()), (2, Some("two")));
        assert_eq!((ranked[1].index, ranked[1].label.as_deref(), ranked[1].value), (3, None, 2.0));
        assert_eq!(top(9).top("y", &logits, &labels).unwrap()[0].len(), 4);
        assert!(OutputArgs::default().top("y", &logits, &labels).is_none());
        assert!(top(2).top("y", &Tensor::zeros([2, 4, 3]), &labels).is_none());
        let other = OutputArgs { only: vec!["z".to_owned()], ..top(2) };
        assert!(other.top("y", &logits, &labels).is_none());
    }

    #[test]
    fn batches_are_ranked_row_by_row_and_nan_is_last() {
        let rows = Tensor::new([2, 3], vec![1i32, 5, 2, 9, 7, 8]).unwrap();
        let ranked = top(2).top("y", &rows, &Labels(None)).unwrap();
        let indices: Vec<Vec<usize>> = ranked.iter().map(|r| r.iter().map(|r| r.index).collect()).collect();
        assert_eq!(indices, [[1, 2], [0, 2]]);
        let nan = Tensor::from([f32::NAN, 1.0, -f32::NAN, 2.0]);
        let ranked = top(2).top("y", &nan, &Labels(None)).unwrap().remove(0);
        assert_eq!((ranked[0].index, ranked[1].index), (3, 1));
    }

    #[test]
    fn a_picture_is_found_or_chosen() {
        let desc = |shape: &[usize]| Desc::f32(shape.to_vec());
        let (up, mask, boxes) = (desc(&[1, 3, 40, 30]), desc(&[1, 1, 40, 30]), desc(&[1, 100, 4]));
        let both = [("up", &up), ("mask", &mask), ("boxes", &boxes)];
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let refused =
            |args: &OutputArgs, outputs: &[(&str, &Desc)]| args.places(outputs, &[]).err().unwrap().to_string();
        let plain = images(&[&file("a.png")]);
        assert!(refused(&plain, &both).contains("2 outputs are pictures"));
        assert!(refused(&plain, &both[2..]).contains("no output is a picture"));
        assert_eq!(plain.places(&both[..1], &[]).unwrap().images[0].0, 0);
        let named = images(&[&format!("mask={}", file("a.png"))]);
        assert_eq!(named.places(&both, &[]).unwrap().images[0].0, 1);
        let only = |texts: &[&str]| OutputArgs { only: vec!["up".to_owned()], ..images(texts) };
        assert_eq!(only(&[&file("a.png")]).places(&both, &[]).unwrap().images[0].0, 0);
        assert!(refused(&only(&["mask=a.png"]), &both).contains("--output leaves mask out"));
        let misspelt = refused(&images(&["musk=a.png"]), &both[..1]);
        assert_eq!(misspelt, "--output-image musk=a.png: there is no output musk; outputs: up f32[1, 3, 40, 30]");
        assert_eq!(images(&[&file("a=b.png")]).places(&both[..1], &[]).unwrap().images[0].0, 0);
        assert!(refused(&images(&["up="]), &both).contains("the name of a file is empty"));
        let two = images(&[&file("a.png"), &format!("up={}", file("b.png"))]).places(&both[..1], &[]).unwrap();
        assert_eq!(two.images(0), [file("a.png"), file("b.png")]);
        let same = images(&[&format!("mask={}", file("a.png")), &format!("up={}", file("a.png"))]);
        assert!(refused(&same, &both).contains("two results would be written as"));
        assert!(refused(&images(&[&file("a.txt")]), &both[..1]).contains(".png"));
        assert!(
            refused(&images(&[&file("a.pgm")]), &both[..1]).contains("up f32[1, 3, 40, 30]: it has three channels")
        );
        let vector = desc(&[3]);
        assert!(
            refused(&images(&[&format!("v={}", file("a.png"))]), &[("v", &vector)]).contains("v f32[3]: is no image")
        );
        assert!(refused(&images(&[&file("no/a.png")]), &both[..1]).contains("No such file"));
        let stdout = images(&["-"]).places(&both[..1], &[]).unwrap();
        assert!(stdout.take_stdout() && stdout.images[0].2 == Format::Png);
        let flat = [("a/b", &up), ("a:b", &up)];
        let arrays = OutputArgs { output_dir: Some(dir.path().to_owned()), ..OutputArgs::default() };
        assert!(refused(&arrays, &flat).contains("a/b and a:b"));
    }

    #[test]
    fn blank_lines_behind_the_labels_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("labels.txt");
        std::fs::write(&file, "a\n\nb\n\n \n").unwrap();
        let labels = OutputArgs { labels: Some(file), ..OutputArgs::default() }.labels().unwrap();
        assert_eq!(labels.0.unwrap(), ["a", "", "b"]);
    }

    #[test]
    fn names_become_file_names() {
        assert_eq!(file_name("block/out:0"), "block_out_0.npy");
    }
}
