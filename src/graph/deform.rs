//! A deformable convolution: the columns of the moved taps, and a convolution of one pixel over them, which has the fast kernels,
//! the bias and the epilogue.

use super::assemble::Assemble;
use crate::attr::Window;
use crate::error::{Error, Result};
use crate::ops::conv2d::Conv2d;
use crate::ops::deform_columns::DeformColumns;

/// A deformable convolution of images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeformConv {
    pub window: Window,
    /// Groups of channels, each an independent convolution.
    pub groups: usize,
    /// Groups of channels that have their own offsets.
    pub offset_groups: usize,
}

impl DeformConv {
    /// x `[n, ic, h, w]` with a weight `[oc, ic / groups, kh, kw]` and offsets to `[n, oc, oh, ow]`.
    pub fn apply<A: Assemble>(
        &self,
        to: &mut A,
        [x, weight, offset]: [&A::Value; 3],
        mask: Option<&A::Value>,
        bias: Option<&A::Value>,
    ) -> Result<A::Value> {
        let (image, kernel) = (to.extents(x)?, to.extents(weight)?);
        let (&[_, ic, _, _], &[oc, icg, kh, kw]) = (&image[..], &kernel[..]) else {
            return Err(Error::shape(format!(
                "a deformable convolution takes [n, c, h, w] and a weight [oc, ic, kh, kw], not {image:?} and {kernel:?}"
            )));
        };
        let taps = kh.checked_mul(kw).and_then(|taps| taps.checked_mul(icg));
        let (Some(rows), true) = (taps, self.window.kernel == [kh, kw]) else {
            return Err(Error::shape(format!("the weight {kernel:?} is none of a kernel {:?}", self.window.kernel)));
        };
        if icg.checked_mul(self.groups) != Some(ic) {
            return Err(Error::shape(format!("{ic} channels in {} groups, the weight has {icg} each", self.groups)));
        }
        let columns = DeformColumns { window: self.window, groups: self.offset_groups };
        let columns = to.add_op(columns, &[&[x, offset][..], mask.as_slice()].concat())?;
        let weight = to.see_as(weight, &[oc, rows, 1, 1])?;
        let product = Conv2d { groups: self.groups, ..Conv2d::default() };
        to.add_op(product, &[&[&columns, &weight][..], bias.as_slice()].concat())
    }
}
