//! Layers from a file that other engines can be measured on as well.

use serde::Deserialize;

use super::case::{Case, random};
use crate::error::{Error, Result};
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;

/// The layers that every comparison uses.
pub const DEFAULT_LAYERS: &str = include_str!("layers.json");

/// A convolution or its transpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LayerKind {
    /// torch.nn.Conv2d
    Conv,
    /// torch.nn.ConvTranspose2d
    ConvTranspose,
}

/// A layer without bias; the input is `[n, ci, h, w]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The name in tables.
    pub name: String,
    /// What it is.
    pub op: LayerKind,
    /// Batch.
    pub n: usize,
    /// Input channels.
    pub ci: usize,
    /// Output channels.
    pub co: usize,
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
    /// Kernel size, both axes.
    pub k: usize,
    /// Stride, both axes.
    pub s: usize,
    /// Padding, all sides.
    pub p: usize,
    /// Dilation, both axes.
    pub d: usize,
    /// Groups.
    pub g: usize,
}

#[derive(Deserialize)]
struct File {
    layers: Vec<Layer>,
}

impl Layer {
    /// The layers of a JSON text `{"layers": [{"name": .., "op": "conv", "n": ..}, ..]}`.
    ///
    /// # Errors
    /// It is not of that form.
    pub fn read(text: &str) -> Result<Vec<Layer>> {
        let file: File =
            serde_json::from_str(text).map_err(|e| Error::file(format!("not a file of layers: {e}")).because(e))?;
        Ok(file.layers)
    }

    /// The layer on random numbers, its weight constant.
    ///
    /// # Errors
    /// The sizes do not fit each other.
    pub fn case(&self) -> Result<Case> {
        let Layer { name, op, n, ci, co, h, w, k, s, p, d, g } = self.clone();
        if [n, ci, co, h, w, k, s, d, g].contains(&0) {
            return Err(Error::argument("sizes, stride, dilation and groups must be at least 1").at(name));
        }
        if [n, ci, co, h, w, k, s, p, d, g].iter().any(|&v| v > 1 << 24) {
            return Err(Error::unsupported("a size is above 2^24").at(name));
        }
        let image = [n, ci, h, w];
        let weight = match op {
            LayerKind::Conv => [co, ci / g, k, k],
            LayerKind::ConvTranspose => [ci, co / g, k, k],
        };
        let size = |shape: [usize; 4]| shape.into_iter().try_fold(1usize, usize::checked_mul).filter(|&n| n < 1 << 31);
        if size(image).is_none() || size(weight).is_none() {
            return Err(Error::unsupported(format!("{image:?} with weight {weight:?} is too large")).at(name));
        }
        let values = vec![random(&image, 1), random(&weight, 2)];
        let (stride, padding, dilation, groups) = ([s; 2], [[p; 2]; 2], [d; 2], g);
        match op {
            LayerKind::Conv => Case::new(name, Conv2d { stride, padding, dilation, groups }, values, 1),
            LayerKind::ConvTranspose => {
                let op = ConvTranspose2d { stride, padding, output_padding: [0; 2], dilation, groups };
                Case::new(name, op, values, 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_layers_are_valid() {
        let layers = Layer::read(DEFAULT_LAYERS).unwrap();
        assert_eq!(layers.len(), 18);
        let cases: Vec<Case> = layers.iter().map(|l| l.case().unwrap()).collect();
        let stem = &cases[0];
        assert_eq!((stem.name.as_str(), stem.flops), ("r50_stem7x7s2", 2 * 112 * 112 * 64 * 3 * 49));
        assert_eq!(stem.bytes, 4 * (3 * 224 * 224 + 64 * 3 * 49 + 64 * 112 * 112));
        assert_eq!(cases[17].flops, 2 * 28 * 28 * 128 * 64 * 16);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let layer = Layer::read(DEFAULT_LAYERS).unwrap().remove(0);
        assert!(Layer { s: 0, ..layer.clone() }.case().is_err());
        assert!(Layer { g: 2, ..layer.clone() }.case().is_err());
        assert!(Layer { h: usize::MAX, ..layer.clone() }.case().is_err());
        assert!(Layer { h: 2, p: 0, ..layer }.case().is_err());
        assert!(Layer::read("{}").is_err());
    }
}
