//! Random cases of every operator, a function each.

mod convolution;
mod elementwise;
mod grid;
mod movement;
mod norm;
mod pixels;
mod pool;
mod recurrent;
mod reduce;
mod regions;
mod resize;

use std::any::Any;

use super::case::Oracle;
use super::draw::{Drawn, Draws, Values};
use crate::ops::Op;
use crate::ops::adaptive_pool2d::AdaptivePool2d;
use crate::ops::batch_norm::{BatchNorm, BatchNormTraining};
use crate::ops::binary::Binary;
use crate::ops::bytes::FromBytes;
use crate::ops::cast::Cast;
use crate::ops::concat::Concat;
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;
use crate::ops::deform_columns::DeformColumns;
use crate::ops::det::Det;
use crate::ops::expand::Expand;
use crate::ops::fold::Fold;
use crate::ops::gather::Gather;
use crate::ops::grid_sample::GridSample;
use crate::ops::group_norm::GroupNorm;
use crate::ops::layer_norm::LayerNorm;
use crate::ops::local_response_norm::LocalResponseNorm;
use crate::ops::matmul::MatMul;
use crate::ops::max_unpool::MaxUnpool;
use crate::ops::normalize::{LpNormalize, MeanVarianceNormalize};
use crate::ops::pad::Pad;
use crate::ops::permute::Permute;
use crate::ops::pixel_shuffle::{PixelShuffle, PixelUnshuffle};
use crate::ops::pixels::{FromPixels, ToPixels};
use crate::ops::pool2d::{AvgPool2d, LpPool2d, MaxPool2d};
use crate::ops::prelu::Prelu;
use crate::ops::recurrent::Recurrent;
use crate::ops::reduce::{ArgReduce, Reduce};
use crate::ops::reshape::Reshape;
use crate::ops::resize::Resize2d;
use crate::ops::roi_align::RoiAlign;
use crate::ops::roi_pool::RoiPool;
use crate::ops::select::Where;
use crate::ops::sine::Sine;
use crate::ops::slice::Slice;
use crate::ops::softmax::Softmax;
use crate::ops::split::Split;
use crate::ops::tile::Tile;
use crate::ops::top_k::TopK;
use crate::ops::trigonometry::Trigonometry;
use crate::ops::unary::Unary;
use crate::rng::Rng;

/// The cases of a type of operators.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name of all of them.
    pub name: &'static str,
    /// Whether an operator is one of them.
    pub has: fn(&dyn Op) -> bool,
    /// Draws one.
    pub draw: fn(&mut Draws) -> Drawn,
    /// The number of random cases, relative to others: more where more decides what is computed.
    pub weight: usize,
    /// Whether the operators add or multiply, and are exact where all values are small integers.
    pub exact: bool,
    /// Whether it is defined what every kernel makes of NaNs and infinities. Winograd's algorithm, say, spreads them, and sums of
    /// squares of differences meet infinity minus infinity.
    pub edges: bool,
}

fn is<T: Op>(op: &dyn Op) -> bool {
    (op as &dyn Any).is::<T>()
}

const fn family<T: Op>(name: &'static str, draw: fn(&mut Draws) -> Drawn) -> Family {
    Family { name, has: is::<T>, draw, weight: 1, exact: false, edges: false }
}

/// The same for operators that are exact on integers.
const fn exact<T: Op>(name: &'static str, draw: fn(&mut Draws) -> Drawn) -> Family {
    Family { exact: true, ..family::<T>(name, draw) }
}

/// The same with cases of NaNs and infinities.
const fn edgy(family: Family) -> Family {
    Family { edges: true, ..family }
}

/// The same with more cases.
const fn often(weight: usize, family: Family) -> Family {
    Family { weight, ..family }
}

/// Every operator.
pub const FAMILIES: &[Family] = &[
    often(8, exact::<Conv2d>("conv2d", convolution::conv2d)),
    often(3, exact::<ConvTranspose2d>("conv_transpose2d", convolution::conv_transpose2d)),
    often(2, family::<DeformColumns>("deform_columns", convolution::deform)),
    family::<Det>("det", convolution::det),
    often(3, exact::<MatMul>("matmul", convolution::matmul)),
    often(2, edgy(family::<MaxPool2d>("max_pool2d", pool::max))),
    often(2, edgy(family::<AvgPool2d>("avg_pool2d", pool::avg))),
    edgy(family::<LpPool2d>("lp_pool2d", pool::lp)),
    often(2, edgy(family::<AdaptivePool2d>("adaptive_pool2d", pool::adaptive))),
    edgy(family::<MaxUnpool>("max_unpool", pool::unpool)),
    exact::<Fold>("fold", pool::fold),
    often(3, family::<Resize2d>("resize2d", resize::resize)),
    often(3, family::<GridSample>("grid_sample", grid::grid_sample)),
    often(3, family::<RoiAlign>("roi_align", regions::align)),
    often(2, family::<RoiPool>("roi_pool", regions::pool)),
    edgy(family::<Pad>("pad", movement::pad)),
    edgy(family::<PixelShuffle>("pixel_shuffle", movement::pixel_shuffle)),
    edgy(family::<PixelUnshuffle>("pixel_unshuffle", movement::pixel_unshuffle)),
    edgy(family::<Concat>("concat", movement::concat)),
    edgy(family::<Split>("split", movement::split)),
    often(2, edgy(family::<Permute>("permute", movement::permute))),
    edgy(family::<Tile>("tile", movement::tile)),
    edgy(family::<Slice>("slice", movement::slice)),
    edgy(family::<Gather>("gather", movement::gather)),
    edgy(family::<Expand>("expand", movement::expand)),
    edgy(family::<Reshape>("reshape", movement::reshape)),
    often(2, edgy(family::<Softmax>("softmax", reduce::softmax))),
    often(3, edgy(exact::<Reduce>("reduce", reduce::reduce))),
    edgy(family::<ArgReduce>("arg_reduce", reduce::arg)),
    edgy(family::<TopK>("top_k", reduce::top_k)),
    often(3, family::<Recurrent>("recurrent", recurrent::recurrent)),
    often(2, family::<BatchNorm>("batch_norm", norm::batch)),
    often(2, family::<BatchNormTraining>("batch_norm_training", norm::batch_training)),
    often(2, family::<GroupNorm>("group_norm", norm::group)),
    often(2, family::<LayerNorm>("layer_norm", norm::layer)),
    family::<LocalResponseNorm>("local_response_norm", norm::local_response),
    family::<LpNormalize>("lp_normalize", norm::lp),
    family::<MeanVarianceNormalize>("mean_variance_normalize", norm::mean_variance),
    often(3, edgy(family::<Unary>("unary", elementwise::unary))),
    often(3, edgy(family::<Binary>("binary", elementwise::binary))),
    edgy(family::<Prelu>("prelu", elementwise::prelu)),
    edgy(family::<Where>("where", elementwise::select)),
    edgy(family::<Cast>("cast", elementwise::cast)),
    family::<Sine>("sine", elementwise::sine),
    edgy(family::<Trigonometry>("trigonometry", elementwise::trigonometry)),
    family::<FromBytes>("from_bytes", pixels::from_bytes),
    family::<FromPixels>("from_pixels", pixels::from_pixels),
    family::<ToPixels>("to_pixels", pixels::to_pixels),
];

/// This number of draws shows all names of a family's operators.
const SAMPLES: u64 = 500;

impl Family {
    /// What random cases it has.
    pub fn oracles(&self) -> impl Iterator<Item = Oracle> {
        let of = [(Oracle::Reference, true), (Oracle::Integers, self.exact), (Oracle::Edges, self.edges)];
        of.into_iter().filter_map(|(oracle, has)| has.then_some(oracle))
    }

    /// Whether this is its name, or that of one of its operators.
    pub fn is_named(&self, name: &str) -> bool {
        let draw = |seed| (self.draw)(&mut Draws { rng: Rng(seed).into(), wild: false, values: Values::Numbers });
        self.name == name || (0..SAMPLES).any(|seed| draw(seed).op.name() == name)
    }

    /// Whether an operator is one of those that this name means: of a family, or the one of the name.
    pub fn means(name: &str, op: &dyn Op) -> bool {
        op.name() == name || FAMILIES.iter().any(|family| family.name == name && (family.has)(op))
    }
}
