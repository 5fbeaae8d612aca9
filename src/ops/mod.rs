//! Operators: what one is ([`Op`]), and one file for each.
//!
//! An operator is its attributes, its shape rule, its reference meaning with a derived error bound, its kernels for a
//! device, and its cost. Nothing here touches a device: [`Op::launches`] maps descriptions to descriptions.

use std::fmt;

use crate::error::{Error, Result};
use crate::gpu::caps::Caps;
use crate::gpu::kernel::{Arg, Kernel, Launch};
use crate::shape::{Desc, Layout, Precision};
use crate::tensor::Tensor;

pub mod adaptive_pool2d;
pub mod batch_norm;
pub mod binary;
mod broadcast;
pub mod cast;
pub mod catalog;
pub mod concat;
pub mod conv2d;
pub mod conv_transpose2d;
pub mod epilogue;
pub mod expand;
pub mod gather;
pub mod group_norm;
mod half;
pub mod layer_norm;
pub mod local_response_norm;
pub mod matmul;
mod normalization;
pub mod normalize;
pub mod pad;
pub mod permute;
pub mod pixel_shuffle;
pub mod pool2d;
pub mod prelu;
pub mod reduce;
pub mod relayout;
pub mod reshape;
pub mod resize;
mod rows;
mod rows8;
pub mod select;
pub mod sine;
pub mod slice;
pub mod softmax;
pub mod split;
mod strided;
pub mod tile;
mod tiled;
pub mod top_k;
pub mod unary;
mod window;

pub use epilogue::Epilogue;

/// An operator with its attributes.
pub trait Op: fmt::Debug + Send + Sync + std::any::Any {
    /// The name in `convgpu ops`, reports and errors.
    fn name(&self) -> &'static str;

    /// The shape rule: descriptions of the outputs, or an error that says what does not fit.
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>>;

    /// What the operator means: the outputs, computed in f64 and rounded once. `inputs` satisfy the shape rule.
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>>;

    /// The largest absolute error that a correct f32 evaluation of each output may have, element by element.
    ///
    /// `outputs` are those of [`Op::reference`]. An output that is exact (copies, integers) has bounds of 0.
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Vec<Vec<f32>>>;

    /// [`Op::bounds`] of an algorithm that one of the operator's alternatives names.
    fn bounds_of(&self, _: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Vec<Vec<f32>>> {
        self.bounds(inputs, outputs)
    }

    /// Ways to compute the operator on a device, best first, for inputs as they are described.
    ///
    /// # Errors
    /// No kernel covers this case.
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Alternative>>;

    /// Floating-point operations; a fused multiply-add counts as two.
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64;

    /// Whether the kernels apply an [`Epilogue`] to their first output.
    fn takes_epilogue(&self) -> bool {
        false
    }

    /// Whether the output is the first input's bytes under another shape.
    fn is_view(&self) -> bool {
        false
    }
}

/// Where an operator stands in a plan: all that the choice of kernels may depend on.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The operator's inputs, then those of the epilogue.
    pub inputs: &'a [Desc],
    /// The outputs.
    pub outputs: &'a [Desc],
    /// The layout each input has now; another one costs a conversion.
    pub layouts: &'a [Layout],
    /// Which inputs are constant: what `prepare` makes of them alone is made once.
    pub constant: &'a [bool],
    /// What follows in the same kernel, on the first output.
    pub epilogue: &'a Epilogue,
    /// How floats are stored where there is a choice: a way in f32 has its twin in f16 before it then
    /// ([`Alternative::in_half`]), which the operator need not know of.
    pub precision: Precision,
    /// The device.
    pub caps: &'a Caps,
}

impl Site<'_> {
    /// Whether input `i` lies channels-last now (or may be read as if it did).
    pub fn is_channels_last(&self, i: usize) -> bool {
        self.layouts[i] == Layout::ChannelsLast || self.inputs[i].layouts_coincide()
    }
    /// How many of the inputs are the operator's own.
    fn own_inputs(&self) -> usize {
        self.inputs.len() - self.epilogue.inputs()
    }
    /// The bias of an operator of image, weight and perhaps bias.
    fn bias(&self) -> Option<Arg> {
        (self.own_inputs() == 3).then_some(Arg::Input(2))
    }
}

/// How an alternative computes its operator, as far as rounding errors tell algorithms apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// The sums of the definition, in any order: [`Op::bounds`] holds.
    #[default]
    Direct,
    /// Winograd's F(4x4, 3x3): integers do not stay exact, and an output's error depends on its whole tile.
    Winograd,
}

/// One way to compute an operator on a device.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// The layout wanted of every input.
    pub inputs: Vec<Layout>,
    /// The layout given to every output.
    pub outputs: Vec<Layout>,
    /// Bytes of every temporary.
    pub scratch: Vec<usize>,
    /// Bytes of every buffer that `prepare` makes.
    pub prepared: Vec<usize>,
    /// Done once if the inputs it reads are constant, else in every run: weights packed, transformed.
    pub prepare: Vec<Launch>,
    /// Done in every run.
    pub run: Vec<Launch>,
    /// How it computes the operator, which decides how far rounding may take it.
    pub algorithm: Algorithm,
    /// How the floats of its channels-last tensors, and of what its `Stored` launches prepare, are stored.
    pub precision: Precision,
}

impl Alternative {
    /// An alternative without temporaries, every tensor row-major.
    pub fn row_major(site: &Site<'_>, run: Vec<Launch>) -> Alternative {
        Alternative::in_layout(site, Layout::RowMajor, run)
    }
    /// An alternative without temporaries, every tensor in the same layout.
    pub fn in_layout(site: &Site<'_>, layout: Layout, run: Vec<Launch>) -> Alternative {
        Alternative {
            inputs: vec![layout; site.inputs.len()],
            outputs: vec![layout; site.outputs.len()],
            scratch: vec![],
            prepared: vec![],
            prepare: vec![],
            run,
            algorithm: Algorithm::Direct,
            precision: Precision::F32,
        }
    }
    /// An alternative in each layout, every tensor in the same one; first that which input 0 has now.
    pub fn in_both_layouts(site: &Site<'_>, run: impl Fn(Layout) -> Vec<Launch>) -> Vec<Alternative> {
        let mut layouts = [Layout::RowMajor, Layout::ChannelsLast];
        if site.is_channels_last(0) {
            layouts.reverse();
        }
        layouts.map(|layout| Alternative::in_layout(site, layout, run(layout))).into()
    }
    /// What tells this way from the others of the same node: launches with their constants, and layouts.
    pub fn signature(&self) -> String {
        let launches: Vec<_> = self.run.iter().map(ToString::to_string).collect();
        format!("{} {:?} -> {:?}", launches.join(" + "), self.inputs, self.outputs)
    }
    /// The launch whose loops take the most turns.
    fn longest(&self) -> Option<&Launch> {
        self.prepare.iter().chain(&self.run).max_by_key(|launch| launch.turns)
    }
    /// The kernels of a run, for tables.
    pub fn kernels(&self) -> String {
        let names = self.run.iter().map(Launch::title).collect::<Vec<_>>().join(" + ");
        match self.precision {
            Precision::F32 => names,
            Precision::F16 => format!("{names} in f16"),
        }
    }
}

/// The ways of an operator: those of [`Op::launches`] whose loops are not too long for the device, in f16 each after its
/// twin that stores f16.
///
/// # Errors
/// Those of [`Op::launches`]; every way has a kernel whose loops are too long.
pub(crate) fn alternatives(op: &dyn Op, site: &Site<'_>) -> Result<Vec<Alternative>> {
    let ways = short_enough(op, site, op.launches(site)?)?;
    Ok(match site.precision {
        Precision::F32 => ways,
        Precision::F16 => ways.into_iter().flat_map(|way| way.in_half(site).into_iter().chain([way])).collect(),
    })
}

/// The ways whose loops take no more turns than the device's may.
fn short_enough(op: &dyn Op, site: &Site<'_>, ways: Vec<Alternative>) -> Result<Vec<Alternative>> {
    let turns = |way: &Alternative| way.longest().map_or(0, Launch::all_turns);
    let (kept, left_out): (Vec<_>, Vec<_>) = ways.into_iter().partition(|way| site.caps.has_turns(turns(way)));
    match left_out.iter().min_by_key(|way| turns(way)).and_then(Alternative::longest) {
        Some(launch) if kept.is_empty() => {
            let inputs: Vec<_> = site.inputs.iter().map(Desc::to_string).collect();
            Err(Error::unsupported(format!(
                "{} of {}: the loops of kernel {} may take {} turns, the device leaves them after {}",
                op.name(),
                inputs.join(", "),
                launch.kernel.name,
                launch.all_turns(),
                site.caps.max_turns.unwrap_or_default()
            )))
        }
        _ => Ok(kept),
    }
}

/// What an operator gives on the reference. Where every output is empty nothing is computed: the loops of a reference
/// may be long even so.
pub(crate) fn evaluate(op: &dyn Op, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let descs: Vec<Desc> = inputs.iter().map(Tensor::desc).collect();
    let outputs = op.outputs(&descs)?;
    match outputs.iter().all(Desc::is_empty) {
        true => Ok(outputs.iter().map(Tensor::empty).collect()),
        false => op.reference(inputs),
    }
}

/// The bounds of what [`evaluate`] gave, for an algorithm.
pub(crate) fn bounds(
    op: &dyn Op,
    algorithm: Algorithm,
    inputs: &[Tensor],
    outputs: &[Tensor],
) -> Result<Vec<Vec<f32>>> {
    match outputs.iter().all(|t| t.numel() == 0) {
        true => Ok(vec![vec![]; outputs.len()]),
        false => op.bounds_of(algorithm, inputs, outputs),
    }
}

/// An error unless there are `n` inputs.
pub(crate) fn expect_inputs(op: &dyn Op, inputs: &[Desc], n: std::ops::RangeInclusive<usize>) -> Result<()> {
    if n.contains(&inputs.len()) {
        return Ok(());
    }
    Err(Error::shape(format!("{} takes {n:?} inputs, has {}", op.name(), inputs.len())))
}

/// Every kernel of the project, for the contract test and `convgpu inspect --shader`.
pub fn kernels() -> Vec<&'static Kernel> {
    [
        adaptive_pool2d::KERNELS,
        batch_norm::KERNELS,
        binary::KERNELS,
        cast::KERNELS,
        conv2d::KERNELS,
        conv_transpose2d::KERNELS,
        gather::KERNELS,
        local_response_norm::KERNELS,
        matmul::KERNELS,
        normalization::KERNELS,
        normalize::KERNELS,
        pad::KERNELS,
        pixel_shuffle::KERNELS,
        pool2d::KERNELS,
        reduce::KERNELS,
        relayout::KERNELS,
        resize::KERNELS,
        rows::KERNELS,
        select::KERNELS,
        sine::KERNELS,
        softmax::KERNELS,
        strided::KERNELS,
        tiled::KERNELS,
        top_k::KERNELS,
        unary::KERNELS,
        crate::gpu::roofline::KERNELS,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::conv2d::Conv2d;
    use super::matmul::MatMul;
    use super::top_k::TopK;
    use super::*;
    use crate::error::ErrorKind;

    /// The kernels of the ways that a device with this limit of turns has, at this precision.
    fn kernels(op: &dyn Op, shapes: &[&[usize]], limit: Option<u64>, precision: Precision) -> Result<Vec<String>> {
        let inputs: Vec<_> = shapes.iter().map(|s| Desc::f32(s.to_vec())).collect();
        let caps = Caps { max_turns: limit, ..Caps::webgpu_default() };
        let site = Site {
            inputs: &inputs,
            outputs: &op.outputs(&inputs)?,
            layouts: &vec![Layout::RowMajor; inputs.len()],
            constant: &vec![false; inputs.len()],
            epilogue: &Epilogue::NONE,
            precision,
            caps: &caps,
        };
        Ok(alternatives(op, &site)?.iter().map(Alternative::kernels).collect())
    }

    #[test]
    fn ways_whose_loops_are_too_long_for_the_device_are_left_out() {
        let shapes: [&[usize]; 2] = [&[1, 65_536], &[65_536, 1]];
        let all = kernels(&MatMul, &shapes, None, Precision::F32).unwrap();
        assert_eq!(all.last().unwrap(), "matmul");
        let some = kernels(&MatMul, &shapes, Some(65_535), Precision::F32).unwrap();
        assert_eq!(some, all[..all.len() - 1]);
        let shapes: [&[usize]; 2] = [&[1, 300_000, 1, 1], &[8, 300_000, 1, 1]];
        let gemm = |limit| {
            let ways = kernels(&Conv2d::default(), &shapes, limit, Precision::F16).unwrap();
            ["conv2d_gemm", "conv2d_gemm in f16"].map(|name| ways.iter().any(|w| w == name))
        };
        assert_eq!((gemm(None), gemm(Some(65_535))), ([true; 2], [false; 2]));
    }

    #[test]
    fn where_every_loop_is_too_long_the_error_says_whose_and_how_long() {
        let top = TopK { axis: 0, k: 1, smallest: false };
        assert_eq!(kernels(&top, &[&[65_000]], None, Precision::F32).unwrap(), ["top_k"]);
        let error = kernels(&top, &[&[65_000]], Some(65_535), Precision::F32).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text =
            "top_k of f32[65000]: the loops of kernel top_k may take 66025 turns, the device leaves them after 65535";
        assert_eq!(error.to_string(), text);
    }
}
