//! The results of a run: files, and the best classes.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use convgpu::Tensor;

use crate::failure::{Failure, Outcome};
use crate::{npy, pixels};

/// Where results go
#[derive(ClapArgs, Debug)]
pub struct OutputArgs {
    /// Write every output as DIR/NAME.npy, with _ for / and : in the name
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Write the output that has 1 or 3 channels as an image
    #[arg(long, value_name = "FILE")]
    output_image: Option<PathBuf>,
    /// Factor from the output's values to pixels of 0..255
    #[arg(long, value_name = "S", default_value_t = 255.0)]
    output_scale: f32,
    /// Print the K largest elements of an output that is a single vector
    #[arg(long, value_name = "K")]
    top: Option<usize>,
    /// Names of the classes, one per line
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

/// One of the best classes of an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    pub index: usize,
    pub value: f32,
    pub label: Option<String>,
}

/// The names of `--labels`, read before anything runs.
pub struct Labels(Vec<String>);

impl OutputArgs {
    pub fn labels(&self) -> Outcome<Labels> {
        let Some(path) = &self.labels else { return Ok(Labels(vec![])) };
        let text = std::fs::read_to_string(path).map_err(|e| Failure::call(format!("{}: {e}", path.display())))?;
        Ok(Labels(text.lines().map(str::to_owned).collect()))
    }

    /// The best classes of an output, if they are requested and it is a single vector.
    pub fn top(&self, tensor: &Tensor, labels: &Labels) -> Option<Vec<Ranked>> {
        let k = self.top.or_else(|| self.labels.as_ref().map(|_| 5))?;
        let vector = tensor.shape().iter().filter(|&&n| n != 1).count() <= 1;
        let values = tensor.as_f32().ok().filter(|_| vector)?;
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let ranked = |&index: &usize| Ranked { index, value: values[index], label: labels.0.get(index).cloned() };
        Some(order.iter().take(k).map(ranked).collect())
    }

    /// Writes the requested files; gives the file of each output, if any.
    pub fn write(&self, outputs: &[(String, Tensor)], bgr: bool) -> Outcome<Vec<Option<PathBuf>>> {
        if let Some(path) = &self.output_image {
            self.write_image(path, outputs, bgr)?;
        }
        let Some(dir) = &self.output_dir else { return Ok(vec![None; outputs.len()]) };
        std::fs::create_dir_all(dir).map_err(|e| Failure::call(format!("{}: {e}", dir.display())))?;
        let mut files: Vec<Option<PathBuf>> = vec![];
        for (name, tensor) in outputs {
            let path = dir.join(file_name(name));
            if files.contains(&Some(path.clone())) {
                return Err(Failure::run(format!("two outputs would be written as {}", path.display())));
            }
            npy::write(&path, tensor)?;
            files.push(Some(path));
        }
        Ok(files)
    }

    fn write_image(&self, path: &Path, outputs: &[(String, Tensor)], bgr: bool) -> Outcome<()> {
        let tried = outputs.iter().map(|(_, t)| pixels::write(path, t, self.output_scale, bgr));
        tried.reduce(|a, b| if a.is_ok() { a } else { b }).unwrap_or(Ok(()))
    }
}

fn file_name(output: &str) -> String {
    format!("{}.npy", output.replace(['/', ':'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(top: Option<usize>) -> OutputArgs {
        OutputArgs { output_dir: None, output_image: None, output_scale: 255.0, top, labels: None }
    }

    #[test]
    fn the_largest_come_first_with_their_labels() {
        let logits = Tensor::new([1, 4, 1, 1], vec![0.5f32, -1.0, 3.0, 2.0]).unwrap();
        let labels = Labels(["zero", "one", "two"].map(str::to_owned).to_vec());
        let top = args(Some(2)).top(&logits, &labels).unwrap();
        assert_eq!((top[0].index, top[0].label.as_deref()), (2, Some("two")));
        assert_eq!((top[1].index, top[1].label.as_deref(), top[1].value), (3, None, 2.0));
        assert_eq!(args(Some(9)).top(&logits, &labels).unwrap().len(), 4);
        assert!(args(None).top(&logits, &labels).is_none());
        assert!(args(Some(2)).top(&Tensor::zeros([2, 4]), &labels).is_none());
    }

    #[test]
    fn names_become_file_names() {
        assert_eq!(file_name("block/out:0"), "block_out_0.npy");
    }
}
