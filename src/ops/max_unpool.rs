//! `max_unpool`: values put back where a pooling found them, and zeros elsewhere.

use super::{Op, Site, Variant, built_in, expect_inputs, moves_elements};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::FLAT;
use crate::reference::max_unpool::max_unpool;
use crate::shape::{DType, Desc, checked_numel, numel};
use crate::tensor::Tensor;

static CLEAR: Kernel = kernel!("max_unpool_clear", FLAT);
static MARK: Kernel = kernel!("max_unpool_mark", FLAT);
static UNPOOL: Kernel = kernel!("max_unpool", FLAT);

pub(super) const KERNELS: &[&Kernel] = &[&CLEAR, &MARK, &UNPOOL];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html>, and
/// <https://onnx.ai/onnx/operators/onnx__MaxUnpool.html>
///
/// Inputs: x and indices of the same shape, i64 or i32. Both and the output are that many planes, and an index is a place in the
/// plane of the output: PyTorch has a plane per channel, ONNX one for all. Of several values for a place the last one has it, as
/// on a CPU in PyTorch and ONNX Runtime.
///
/// An index outside the plane is an error on the reference; a device cannot report it, and drops the value: sessions check what
/// reaches it (`graph::guard`).
#[derive(Clone, Debug, PartialEq)]
pub struct MaxUnpool {
    /// The shape of the output.
    pub shape: Vec<usize>,
    /// How many planes the tensors are divided into.
    pub planes: usize,
}

impl MaxUnpool {
    /// The places of a plane.
    pub(crate) fn size(&self) -> usize {
        numel(&self.shape) / self.planes.max(1)
    }
}

/// The extent of the axis along which a pooling with this window has so many outputs.
///
/// # Errors
/// The kernel or the stride is 0; the padding leaves nothing.
pub(crate) fn unpooled(outputs: usize, kernel: usize, stride: usize, padding: [usize; 2]) -> Result<usize> {
    if kernel == 0 || stride == 0 {
        return Err(Error::argument(format!("kernel {kernel} and stride {stride} of an unpooling must be at least 1")));
    }
    let whole = outputs.checked_sub(1).and_then(|steps| steps.checked_mul(stride)?.checked_add(kernel));
    let extent = whole.and_then(|whole| whole.checked_sub(padding[0].checked_add(padding[1])?)).filter(|&n| n > 0);
    extent.ok_or_else(|| {
        let text = format!("{outputs} windows of {kernel} with stride {stride}, padded by {padding:?}");
        Error::shape(format!("no extent follows from {text}"))
    })
}

impl Op for MaxUnpool {
    built_in!("max_unpool": shape, planes; INDEXED);
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 2..=2)?;
        let (x, indices) = (&inputs[0], &inputs[1]);
        if x.dtype != DType::F32 {
            return Err(Error::unsupported(format!("max_unpool of {x} (f32 only)")));
        }
        if !matches!(indices.dtype, DType::I32 | DType::I64) {
            return Err(Error::shape(format!("indices must be integers, are {}", indices.dtype)));
        }
        if x.shape != indices.shape {
            return Err(Error::shape(format!("{x} and {indices} must have the same shape")));
        }
        let shape = &self.shape;
        let Some(places) = checked_numel(shape) else {
            return Err(Error::unsupported(format!("an output {shape:?}: too many elements (2^31)")));
        };
        let values = x.numel();
        let divides = |count: usize| count.is_multiple_of(self.planes.max(1));
        if self.planes == 0 && values.max(places) > 0 || !divides(values) || !divides(places) {
            return Err(Error::shape(format!("{} planes of {values} values and of {shape:?}", self.planes)));
        }
        if (values == 0) != (places == 0) {
            return Err(Error::shape(format!("{values} values for {places} places")));
        }
        Ok(vec![Desc::f32(self.shape.clone())])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (x, indices) = (inputs[0].f32s(), inputs[1].to_i64s()?);
        let size = self.size();
        if let Some(index) = indices.iter().find(|&&index| !(0..size as i64).contains(&index)) {
            return Err(Error::argument(format!("index {index} is outside a plane of {size}")));
        }
        Ok(vec![Tensor::of(self.shape.clone(), max_unpool(x, &indices, self.planes, size))])
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let (values, count, size) = (site.inputs[0].numel(), numel(&self.shape), self.size());
        let each = values / self.planes.max(1);
        let taken = Arg::Scratch(0);
        let clear = Launch::flat(&CLEAR, count, params!(count)).writes([taken]);
        let mark = Launch::flat(&MARK, values, params!(count: values, values: each, size));
        let mark = mark.reads([Arg::Input(1)]).writes([taken]);
        let unpool = Launch::flat(&UNPOOL, count, params!(count, values: each, size));
        let unpool = unpool.reads([Arg::Input(0), taken]).writes([Arg::Output(0)]);
        Ok(vec![Variant::row_major(site, vec![clear, mark, unpool]).with_scratch(4 * count)])
    }
}
