//! Layers that move, select or repeat elements.

use super::{Graph, ValueId};
use crate::error::{Error, Result};
use crate::ops::concat::Concat;
use crate::ops::expand::Expand;
use crate::ops::gather::Gather;
use crate::ops::permute::Permute;
use crate::ops::reshape::Reshape;
use crate::ops::slice::Slice;
use crate::ops::split::Split;
use crate::ops::tile::Tile;
use crate::options::SplitSizes;
use crate::shape::axis;

impl Graph {
    /// Tensors concatenated along an axis. All other axes must agree.
    ///
    /// # Errors
    /// There is no tensor; types or another axis differ; the axis is outside the tensors.
    pub fn cat(&mut self, tensors: &[ValueId], dim: i64) -> Result<ValueId> {
        self.own(tensors)?;
        let rank = tensors.first().map_or(0, |&p| self.shape(p).len());
        self.layer(Concat { axis: axis(dim, rank)? }, tensors)
    }

    /// A tensor split into parts along an axis.
    ///
    /// # Errors
    /// The axis is outside the tensor; the parts do not add up to it.
    pub fn split(&mut self, x: ValueId, sizes: impl Into<SplitSizes>, dim: i64) -> Result<Vec<ValueId>> {
        let axis = axis(dim, self.dims(x)?.len())?;
        let sizes = sizes.into().of(self.shape(x)[axis])?;
        self.layer_of_several(Split { axis, sizes }, &[x])
    }

    /// `length` entries of an axis from `start` on; a negative start counts from the end.
    ///
    /// # Errors
    /// The axis is outside the tensor, or the entries outside the axis.
    pub fn narrow(&mut self, x: ValueId, dim: i64, start: i64, length: usize) -> Result<ValueId> {
        let shape = self.dims(x)?.to_vec();
        let axis = axis(dim, shape.len())?;
        let extent = shape[axis] as i64;
        let from = if start < 0 { start + extent } else { start };
        if !(0..=extent).contains(&from) || length as u64 > (extent - from) as u64 {
            return Err(Error::argument(format!("{length} entries from {start} exceed axis {dim} of {shape:?}")));
        }
        let mut starts = vec![0; shape.len()];
        let steps = vec![1; shape.len()];
        let mut sizes = shape;
        (starts[axis], sizes[axis]) = (from, length);
        self.layer(Slice { starts, steps, sizes }, &[x])
    }

    /// Entries of an axis, selected by an integer tensor `[k]`: the axis then has extent k. Negative indices count from
    /// the end. An index outside the axis is an error on the reference; a device cannot report it and takes the nearest
    /// entry.
    ///
    /// # Errors
    /// The axis is outside the tensor; the indices are not integers or have more than one axis.
    pub fn index_select(&mut self, x: ValueId, dim: i64, index: ValueId) -> Result<ValueId> {
        let axis = axis(dim, self.dims(x)?.len())?;
        if self.dims(index)?.len() > 1 {
            return Err(Error::shape(format!("index_select takes indices [k], not {:?}", self.shape(index))));
        }
        let count = self.shape(index).iter().product();
        let index = self.reshape(index, [count])?;
        self.layer(Gather { axis }, &[x, index])
    }

    /// The tensor repeated along its axes of extent 1 so that it has this shape; -1 keeps an axis. New axes come first.
    ///
    /// # Errors
    /// An axis of another extent would change; -1 stands for a new axis.
    pub fn expand(&mut self, x: ValueId, sizes: &[i64]) -> Result<ValueId> {
        let shape = self.dims(x)?;
        let new = sizes.len().checked_sub(shape.len());
        let size = |(k, &size): (usize, &i64)| match (usize::try_from(size), new) {
            (Ok(size), _) => Some(size),
            (Err(_), Some(new)) if size == -1 && k >= new => Some(shape[k - new]),
            _ => None,
        };
        match (new, sizes.iter().enumerate().map(size).collect::<Option<Vec<_>>>()) {
            (Some(_), Some(shape)) => self.layer(Expand { shape }, &[x]),
            _ => Err(Error::argument(format!("{shape:?} cannot be expanded to {sizes:?}"))),
        }
    }

    /// The whole tensor repeated `dims[k]` times along axis k. If there are fewer numbers than axes, 1 is added in
    /// front; if there are fewer axes, axes of extent 1 are.
    ///
    /// # Errors
    /// The result is too large.
    pub fn tile(&mut self, x: ValueId, dims: &[usize]) -> Result<ValueId> {
        let shape = self.dims(x)?.to_vec();
        let x = self.reshape(x, [vec![1; dims.len().saturating_sub(shape.len())], shape.clone()].concat())?;
        let repeats = [&vec![1; shape.len().saturating_sub(dims.len())], dims].concat();
        self.layer(Tile { repeats }, &[x])
    }

    /// The axes in another order: axis k of the result is axis `dims[k]` of x.
    ///
    /// # Errors
    /// `dims` does not contain every axis once.
    pub fn permute(&mut self, x: ValueId, dims: &[i64]) -> Result<ValueId> {
        let rank = self.dims(x)?.len();
        let order = dims.iter().map(|&d| axis(d, rank)).collect::<Result<_>>()?;
        self.layer(Permute { order }, &[x])
    }

    /// Two axes exchanged.
    ///
    /// # Errors
    /// An axis is outside the tensor.
    pub fn transpose(&mut self, x: ValueId, dim0: i64, dim1: i64) -> Result<ValueId> {
        let rank = self.dims(x)?.len();
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(axis(dim0, rank)?, axis(dim1, rank)?);
        self.layer(Permute { order }, &[x])
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// The element counts differ.
    pub fn reshape(&mut self, x: ValueId, shape: impl Into<Vec<usize>>) -> Result<ValueId> {
        let shape = shape.into();
        if self.dims(x)? == shape {
            return Ok(x);
        }
        if let Some(tensor) = self.constant_of(x) {
            let (name, tensor) = (self.values[x.0].name.clone(), tensor.reshape(shape)?);
            return self.constant(name, tensor);
        }
        self.layer(Reshape { shape }, &[x])
    }

    /// Axes `start_dim..=end_dim` become one; negative axes count from the end.
    ///
    /// # Errors
    /// An axis is outside the tensor, or the end before the start.
    pub fn flatten(&mut self, x: ValueId, start_dim: i64, end_dim: i64) -> Result<ValueId> {
        let shape = flattened(self.dims(x)?, start_dim, end_dim)?;
        self.reshape(x, shape)
    }
}

/// The shape of [`Graph::flatten`].
pub(crate) fn flattened(shape: &[usize], start_dim: i64, end_dim: i64) -> Result<Vec<usize>> {
    // A scalar counts as one axis.
    let shape = if shape.is_empty() { &[1] } else { shape };
    let (start, end) = (axis(start_dim, shape.len())?, axis(end_dim, shape.len())?);
    if start > end {
        return Err(Error::argument(format!(
            "flatten from axis {start_dim} to axis {end_dim}: the end is before the start"
        )));
    }
    let middle = shape[start..=end].iter().product();
    Ok([&shape[..start], &[middle], &shape[end + 1..]].concat())
}
