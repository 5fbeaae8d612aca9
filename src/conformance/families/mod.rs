//! Random cases of every operator, a function each.

mod convolution;
mod elementwise;
mod movement;
mod norm;
mod pixels;
mod pool;
mod reduce;
mod resize;

use super::draw::{Drawn, Draws};

/// The cases of an operator.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The operator's name.
    pub op: &'static str,
    /// Draws one.
    pub draw: fn(&mut Draws) -> Drawn,
    /// The number of random cases, relative to others: more where more decides what is computed.
    pub weight: usize,
    /// Whether the operator adds or multiplies, and is exact where all values are small integers.
    pub exact: bool,
}

const fn family(op: &'static str, draw: fn(&mut Draws) -> Drawn) -> Family {
    Family { op, draw, weight: 1, exact: false }
}

/// The same for an operator that is exact on integers.
const fn exact(op: &'static str, draw: fn(&mut Draws) -> Drawn) -> Family {
    Family { exact: true, ..family(op, draw) }
}

/// The same with more cases.
const fn often(weight: usize, family: Family) -> Family {
    Family { weight, ..family }
}

/// Every operator.
pub const FAMILIES: &[Family] = &[
    often(8, exact("conv2d", convolution::conv2d)),
    often(3, exact("conv_transpose2d", convolution::conv_transpose2d)),
    often(3, exact("matmul", convolution::matmul)),
    often(2, family("max_pool2d", pool::max)),
    often(2, family("avg_pool2d", pool::avg)),
    family("lp_pool2d", pool::lp),
    often(2, family("adaptive_pool2d", pool::adaptive)),
    often(3, family("resize2d", resize::resize)),
    family("pad", movement::pad),
    family("pixel_shuffle", movement::pixel_shuffle),
    family("pixel_unshuffle", movement::pixel_unshuffle),
    family("concat", movement::concat),
    family("split", movement::split),
    often(2, family("permute", movement::permute)),
    family("tile", movement::tile),
    family("slice", movement::slice),
    family("gather", movement::gather),
    family("expand", movement::expand),
    family("reshape", movement::reshape),
    often(2, family("softmax", reduce::softmax)),
    often(3, exact("reduce", reduce::reduce)),
    family("arg_reduce", reduce::arg),
    family("top_k", reduce::top_k),
    often(2, family("batch_norm", norm::batch)),
    often(2, family("batch_norm_training", norm::batch_training)),
    often(2, family("group_norm", norm::group)),
    often(2, family("layer_norm", norm::layer)),
    family("local_response_norm", norm::local_response),
    family("lp_normalize", norm::lp),
    family("mean_variance_normalize", norm::mean_variance),
    often(3, family("unary", elementwise::unary)),
    often(3, family("binary", elementwise::binary)),
    family("prelu", elementwise::prelu),
    family("where", elementwise::select),
    family("cast", elementwise::cast),
    family("sine", elementwise::sine),
    family("from_bytes", pixels::from_bytes),
    family("from_pixels", pixels::from_pixels),
    family("to_pixels", pixels::to_pixels),
];
