//! Sampling at the points of a grid.

use crate::attr::{GridSampleMode, GridSamplePadding};
use crate::conformance::draw::{Drawn, Draws, Fill};
use crate::ops::grid_sample::GridSample;

pub fn grid_sample(r: &mut Draws) -> Drawn {
    let image = r.image();
    // Volumes in a third of the draws.
    let (mut x, mut grid) = (image.to_vec(), vec![image[0], r.extent(), r.extent(), 2]);
    if r.rng.int(0, 2) == 0 {
        x.insert(2, r.count());
        grid = vec![image[0], r.count(), r.extent(), r.extent(), 3];
    }
    let modes = [GridSampleMode::Bilinear, GridSampleMode::Nearest, GridSampleMode::Bicubic];
    let op = GridSample {
        // Volumes have the first two modes.
        mode: r.one(&modes[..if x.len() == 5 && !r.wild { 2 } else { 3 }]),
        padding_mode: r.one(&[GridSamplePadding::Zeros, GridSamplePadding::Border, GridSamplePadding::Reflection]),
        align_corners: r.flag(),
    };
    r.of(op, &[&x, &grid]).filled([Fill::Any, Fill::Grid])
}
