//! `slice`: along every axis the elements from a start on, in steps.

use super::strided::copy;
use super::{Op, Site, Variant, built_in, expect_inputs, moves_elements};
use crate::error::{Error, Result};
use crate::reference::elements;
use crate::shape::{Desc, strides};
use crate::tensor::Tensor;

/// `y[k0, k1, ..] = x[start0 + k0 step0, ..]`, of any type: <https://onnx.ai/onnx/operators/onnx__Slice.html> with
/// starts and ends normalised to one start, step and size per axis.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The first index along every axis.
    pub starts: Vec<i64>,
    /// The distance to the next, possibly negative.
    pub steps: Vec<i64>,
    /// The number of indices along every axis: the shape of the output.
    pub sizes: Vec<usize>,
}

impl Slice {
    /// Whether the indices of an axis of this extent are inside it.
    fn fits(&self, axis: usize, extent: usize) -> bool {
        let Some(more) = self.sizes[axis].checked_sub(1) else { return true };
        let start = i128::from(self.starts[axis]);
        let last = start + i128::from(self.steps[axis]) * more as i128;
        let inside = 0..extent as i128;
        inside.contains(&start) && inside.contains(&last)
    }

    /// The strides of an input of this shape along the axes of the output, and the first element.
    fn walk(&self, shape: &[usize]) -> (Vec<isize>, usize) {
        let mut offset = 0;
        let mut steps = vec![];
        for (axis, stride) in strides(shape).into_iter().enumerate() {
            // With one element or none, start and step need not be valid: they are not used, or the start is inside.
            offset += if self.sizes[axis] > 0 { self.starts[axis] as usize * stride } else { 0 };
            steps.push(if self.sizes[axis] > 1 { self.steps[axis] as isize * stride as isize } else { 0 });
        }
        (steps, offset)
    }
}

impl Op for Slice {
    built_in!("slice": starts, steps, sizes);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if [self.starts.len(), self.steps.len(), self.sizes.len()] != [x.rank(); 3] {
            return Err(Error::argument(format!("a slice of {x} needs {} starts, steps and sizes", x.rank())));
        }
        if let Some(axis) = (0..x.rank()).find(|&axis| !self.fits(axis, x.shape[axis])) {
            let (start, step, size) = (self.starts[axis], self.steps[axis], self.sizes[axis]);
            let text = format!("{size} elements from {start} in steps of {step} exceed axis {axis} of {x}");
            return Err(Error::argument(text));
        }
        Ok(vec![Desc::new(self.sizes.clone(), x.dtype)])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (steps, first) = self.walk(inputs[0].shape());
        Ok(vec![elements::strided(&inputs[0], &self.sizes, &steps, first)])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let (steps, offset) = self.walk(&site.inputs[0].shape);
        copy(site, &self.sizes, steps, offset)
    }
}
