//! Pixels of textures as values of a network, and back: `value = (pixel * scale - mean) / std`.

use super::resize::{Axis, Tap};
use crate::attr::attribute;
use crate::parallel;

/// The luma of ITU-R BT.601 from red, green and blue, with Pillow's constants.
pub const LUMA: [f32; 3] = [19_595.0 / 65_536.0, 38_470.0 / 65_536.0, 7_471.0 / 65_536.0];

/// What becomes of a channel's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Norm {
    /// Factor of a pixel's number. As a value it is rounded to f32; its inverse is not that of the rounded one, so that
    /// 1/255 gives 255.
    pub scale: f64,
    /// Subtracted after scaling, per channel.
    pub mean: [f32; 4],
    /// Divides after subtracting, per channel.
    pub std: [f32; 4],
}

attribute!(struct Norm { scale, mean, std });

impl Norm {
    /// The factor that a device has.
    pub fn factor(&self) -> f64 {
        f64::from(self.scale as f32)
    }
    /// The value of a number of channel `c`.
    pub fn value(&self, c: usize, pixel: f64) -> f64 {
        (pixel * self.factor() - f64::from(self.mean[c])) / f64::from(self.std[c])
    }
    /// The number of channel `c` that has this value.
    pub fn pixel(&self, c: usize, value: f64) -> f64 {
        (value * f64::from(self.std[c]) + f64::from(self.mean[c])) / self.scale
    }
    /// The sum of the terms of [`Norm::value`], without their signs.
    pub fn terms(&self, c: usize, pixel: f64) -> f64 {
        ((pixel * self.factor()).abs() + f64::from(self.mean[c]).abs()) / f64::from(self.std[c]).abs()
    }
}

/// The four numbers of a pixel in the order of a network's channels, of which it may have fewer. One channel is the luma.
pub fn channels(mut pixel: [f32; 4], swapped: bool, count: usize) -> [f64; 4] {
    if swapped {
        pixel.swap(0, 2);
    }
    let pixel = pixel.map(f64::from);
    match count {
        1 => [(0..3).map(|k| f64::from(LUMA[k]) * pixel[k]).sum(), 0.0, 0.0, 0.0],
        _ => pixel,
    }
}

/// The sums over the taps of every output pixel, row by row: the four numbers of `pixel(y, x)` by their weights, in f64.
pub fn resample(axes: &[Axis; 2], pixel: impl Fn(usize, usize) -> [f64; 4] + Sync) -> Vec<[f64; 4]> {
    let taps = |a: &Axis| (0..a.outputs).map(|o| a.taps(o).unwrap_or_default()).collect::<Vec<Vec<Tap>>>();
    let [rows, columns] = [taps(&axes[0]), taps(&axes[1])];
    let one = |i: usize| {
        let mut sum = [0.0; 4];
        for r in &rows[i / axes[1].outputs] {
            for c in &columns[i % axes[1].outputs] {
                let weight = r.weight * c.weight;
                sum.iter_mut().zip(pixel(r.at, c.at)).for_each(|(sum, v)| *sum += weight * v);
            }
        }
        sum
    };
    parallel::collect(axes[0].outputs * axes[1].outputs, one)
}

/// The byte of a number: the nearest integer, halves up, in 0 to 255; 0 for NaN.
pub fn byte(pixel: f64) -> u8 {
    (pixel + 0.5).floor() as u8 // saturates, NaN is 0
}
