//! Sampling at the points of a grid, and grids of affine maps.

use super::{Graph, ValueId};
use crate::error::Result;
use crate::ops::grid_sample::{GridSample, base_grid};
use crate::ops::matmul::MatMul;
use crate::options::GridSampleOptions;

impl Graph {
    /// `[n, c, ih, iw]` sampled at the points of a grid `[n, oh, ow, 2]`, or `[n, c, id, ih, iw]` at those of a grid
    /// `[n, od, oh, ow, 3]`.
    ///
    /// # Errors
    /// The input is no image or volume, or has no pixel; the grid does not fit it; a volume is to be sampled bicubically.
    pub fn grid_sample(&mut self, x: ValueId, grid: ValueId, o: GridSampleOptions) -> Result<ValueId> {
        let GridSampleOptions { mode, padding_mode, align_corners } = o;
        self.layer(GridSample { mode, padding_mode, align_corners }, &[x, grid])
    }

    /// The grid `[n, oh, ow, 2]` that the affine maps `theta` `[n, 2, 3]` make of the pixels of an image `[n, c, oh, ow]`, or
    /// `[n, od, oh, ow, 3]` of maps `[n, 3, 4]`: the product of theta and the pixels' coordinates, a constant.
    ///
    /// # Errors
    /// The size is not that of an image or a volume, or has no pixel; theta does not fit it.
    pub fn affine_grid(&mut self, theta: ValueId, size: &[usize], align_corners: bool) -> Result<ValueId> {
        let base = base_grid(self.dims(theta)?, size, align_corners)?;
        let axes = size.len() - 2;
        let base = self.constant("base_grid", base)?;
        let columns = self.transpose(theta, 1, 2)?;
        let grid = self.layer(MatMul, &[base, columns])?;
        self.reshape(grid, [&size[..1], &size[2..], &[axes]].concat())
    }
}
