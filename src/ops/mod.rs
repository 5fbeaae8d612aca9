//! Operators: the trait [`Op`], and one file per operator.
//!
//! An operator has attributes, a shape rule, a reference with a derived error bound, kernels for a device, and a cost.
//! Nothing here touches a device: [`Op::launches`] maps descriptions to descriptions.

use std::fmt;

use crate::attr::Attributes;
use crate::error::{Error, Result};
use crate::gpu::caps::Caps;
use crate::gpu::kernel::Kernel;
use crate::gpu::launch::{Arg, Launch};
use crate::memory;
use crate::shape::{Desc, Layout, Precision};
use crate::tensor::Tensor;

pub mod adaptive_pool2d;
pub mod batch_norm;
pub mod binary;
mod broadcast;
pub mod bytes;
pub mod cast;
pub mod catalog;
pub mod concat;
pub mod conv2d;
pub mod conv_transpose2d;
pub mod epilogue;
pub mod expand;
pub mod gather;
mod geometry;
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
pub mod pixels;
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
mod tree;
pub mod unary;
mod validate;
mod window;

pub use epilogue::Epilogue;

/// The largest absolute errors of an operator's outputs, one number per element of each; `None` if they are not known.
pub type Bounds = Option<Vec<Vec<f32>>>;

/// An operator with its attributes: what a node of a graph computes.
///
/// A program's own operator implements the same trait as the built-in ones, so that memory planning, `verify` and
/// profiles treat both in the same way. Its kernels run with the run-time checks of the shader translator.
///
/// ```
/// use convgpu::custom::{Arg, Bounds, Kernel, Launch, Op, Params, Site, Variant};
/// use convgpu::{Desc, Device, Error, ErrorKind, Graph, Result, Tensor};
///
/// static SQUARE: Kernel = Kernel::new("square", "
///     struct Params { count: u32 }
///     @group(0) @binding(0) var<uniform> p: Params;
///     @group(0) @binding(1) var<storage, read> x: array<f32>;
///     @group(0) @binding(2) var<storage, read_write> y: array<f32>;
///     @compute @workgroup_size(64)
///     fn main(@builtin(global_invocation_id) id: vec3<u32>) {
///         if id.x < p.count { y[id.x] = x[id.x] * x[id.x]; }
///     }");
///
/// #[derive(Debug)]
/// struct Square;
///
/// impl Op for Square {
///     fn name(&self) -> &'static str {
///         "square"
///     }
///     fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
///         match inputs {
///             [x] if *x == Desc::f32(x.shape.clone()) => Ok(vec![x.clone()]),
///             _ => Err(Error::new(ErrorKind::Shape, "square takes one f32 tensor")),
///         }
///     }
///     fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
///         let y: Vec<f32> = inputs[0].as_f32()?.iter().map(|x| x * x).collect();
///         Ok(vec![Tensor::new(inputs[0].shape(), y)?])
///     }
///     fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
///         // One rounding: half an ulp, at most 2^-24 of the result.
///         Ok(Some(vec![outputs[0].as_f32()?.iter().map(|y| y.abs() * 2f32.powi(-24)).collect()]))
///     }
///     fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
///         let count = site.outputs[0].numel();
///         let launch = Launch::grid(&SQUARE, [count.div_ceil(64) as u32, 1, 1], Params::new().with("count", count))
///             .reads([Arg::Input(0)])
///             .writes([Arg::Output(0)]);
///         Ok(vec![Variant::row_major(site, vec![launch])])
///     }
///     fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
///         inputs[0].numel() as u64
///     }
/// }
///
/// let mut graph = Graph::new();
/// let x = graph.input("x", Desc::f32([3]))?;
/// let y = graph.apply("y", Square, &[x])?;
/// graph.output("y", y);
/// let session = graph.compile(&Device::cpu())?;
/// let outputs = session.run(&[("x", &Tensor::new([3], vec![1.0f32, -2.0, 3.0])?)])?;
/// assert_eq!(outputs.first().as_f32()?, [1.0, 4.0, 9.0]);
/// # Ok::<(), convgpu::Error>(())
/// ```
pub trait Op: fmt::Debug + Send + Sync + std::any::Any {
    /// The name in tables, reports and errors.
    fn name(&self) -> &'static str;

    /// What the operator is besides its inputs: everything that its other methods depend on, as
    /// `Some(Attributes::new().with("step", self.step))`. Two operators with the same name and the same attributes are
    /// taken for the same: one that is left out gives wrong results.
    ///
    /// `None`, the default, says that nothing is known: then [`Module::forward`](crate::nn::Module::forward) compiles the
    /// operator at every call, and its kernels are not tuned.
    fn attributes(&self) -> Option<Attributes> {
        None
    }

    /// The shape rule: descriptions of the outputs.
    ///
    /// # Errors
    /// The inputs do not fit: the text says which and why. The graph adds the node's name and every input's shape.
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>>;

    /// The meaning of the operator: the outputs, computed in f64 and rounded once. `inputs` satisfy the shape rule.
    ///
    /// # Errors
    /// A value of an input is invalid, such as an index outside its axis.
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>>;

    /// The largest absolute error that a correct f32 evaluation of each output may have, element by element; `None`, the
    /// default, where that is not known.
    ///
    /// `outputs` are those of [`Op::reference`]. An output that is exact (copies, integers) has bounds of 0. Without bounds
    /// [`verify`](crate::verify) shows how far the node's result is from the reference, and does not judge it.
    ///
    /// # Errors
    /// As [`Op::reference`].
    fn bounds(&self, _inputs: &[Tensor], _outputs: &[Tensor]) -> Result<Bounds> {
        Ok(None)
    }

    /// The variants: ways to compute the operator on a device for these inputs, best first.
    ///
    /// # Errors
    /// No kernel covers this case.
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>>;

    /// Floating-point operations; a fused multiply-add counts as two.
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64;

    /// [`Op::bounds`] for the algorithm of one of the operator's variants.
    #[doc(hidden)]
    fn bounds_of(&self, _: Seal, _: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        self.bounds(inputs, outputs)
    }

    /// The privileges of this crate's operators. [`Seal`] has no name outside the crate, so that no other operator can
    /// override this.
    #[doc(hidden)]
    fn privileges(&self, _: Seal) -> Privileges {
        Privileges::default()
    }
}

/// Closes methods of [`Op`]: a method that takes it can neither be called nor overridden outside the crate.
#[derive(Clone, Copy, Debug)]
pub struct Seal(());

/// What only operators of this crate may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// Its kernels run without run-time checks.
    unchecked: bool,
    /// Its kernels apply an [`Epilogue`] to their first output.
    epilogue: bool,
    /// Its output is the first input's bytes under another shape.
    view: bool,
}

impl Privileges {
    /// The privileges of every operator of this crate.
    pub(crate) const BUILT_IN: Privileges = Privileges { unchecked: true, epilogue: false, view: false };
    /// Its kernels apply an [`Epilogue`] to their first output.
    pub(crate) const EPILOGUE: Privileges = Privileges { epilogue: true, ..Privileges::BUILT_IN };
    /// Its output is the first input's bytes under another shape.
    pub(crate) const VIEW: Privileges = Privileges { view: true, ..Privileges::BUILT_IN };
}

/// In an `impl Op` of this crate: declares all its fields as attributes, and its privileges.
macro_rules! built_in {
    ($($field:ident),* $(; $privileges:ident)?) => {
        $crate::ops::told!({ $($field),* });
        $crate::ops::privileged!($($privileges)?);
    };
    (($field:ident)) => {
        $crate::ops::told!(($field));
        $crate::ops::privileged!();
    };
}
pub(crate) use built_in;

/// The fields as attributes. One that is left out does not compile.
macro_rules! told {
    ({ $($field:ident),* }) => {
        fn attributes(&self) -> Option<$crate::attr::Attributes> {
            let Self { $($field),* } = self;
            Some($crate::attr::Attributes::new()$(.with(stringify!($field), $field))*)
        }
    };
    (($field:ident)) => {
        fn attributes(&self) -> Option<$crate::attr::Attributes> {
            let Self($field) = self;
            Some($crate::attr::Attributes::new().with(stringify!($field), $field))
        }
    };
}
pub(crate) use told;

macro_rules! privileged {
    () => {
        $crate::ops::privileged!(BUILT_IN);
    };
    ($privileges:ident) => {
        fn privileges(&self, _: $crate::ops::Seal) -> $crate::ops::Privileges {
            $crate::ops::Privileges::$privileges
        }
    };
}
pub(crate) use privileged;

impl dyn Op {
    /// Whether it is an operator of this crate, whose kernels run without run-time checks.
    pub(crate) fn is_built_in(&self) -> bool {
        self.privileges(Seal(())).unchecked
    }
    /// Whether the kernels apply an [`Epilogue`] to their first output.
    pub(crate) fn takes_epilogue(&self) -> bool {
        self.privileges(Seal(())).epilogue
    }
    /// Whether the output is the first input's bytes under another shape.
    pub(crate) fn is_view(&self) -> bool {
        self.privileges(Seal(())).view
    }
}

/// The context of an operator in a plan: all that the choice of kernels may depend on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Site<'a> {
    /// The operator's inputs, then those of the epilogue.
    pub inputs: &'a [Desc],
    /// The outputs.
    pub outputs: &'a [Desc],
    /// The present layout of each input; another one costs a conversion.
    pub layouts: &'a [Layout],
    /// Which inputs are constant: `prepare` launches that only read these run once.
    pub constant: &'a [bool],
    /// The capabilities of the device.
    pub caps: &'a Caps,
    /// What the kernel applies to the first output.
    pub(crate) epilogue: &'a Epilogue,
    /// How floats are stored where there is a choice. With f16, each variant is preceded by its form in f16
    /// ([`Variant::in_half`]); the operator need not know of it.
    pub(crate) precision: Precision,
}

impl Site<'_> {
    /// Whether input `i` is channels-last (or has the same bytes in both layouts); false if there is no such input.
    pub fn is_channels_last(&self, i: usize) -> bool {
        self.layouts.get(i) == Some(&Layout::ChannelsLast) || self.inputs.get(i).is_some_and(Desc::layouts_coincide)
    }
    /// The number of the operator's own inputs.
    fn own_inputs(&self) -> usize {
        self.inputs.len() - self.epilogue.inputs()
    }
    /// The bias of an operator with image, weight and optional bias.
    fn bias(&self) -> Option<Arg> {
        (self.own_inputs() == 3).then_some(Arg::Input(2))
    }
}

/// The algorithm of a variant, as far as its rounding errors differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// The sums of the definition, in any order or in the order that the kernels document: [`Op::bounds`] holds.
    #[default]
    Direct,
    /// Winograd's F(4x4, 3x3): integers are not exact, and an output's error depends on its whole tile.
    Winograd,
}

/// One way to compute an operator on a device.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The layout that every input must have.
    pub(crate) inputs: Vec<Layout>,
    /// The layout of every output.
    pub(crate) outputs: Vec<Layout>,
    /// Bytes of every temporary.
    pub(crate) scratch: Vec<usize>,
    /// Bytes of every buffer that `prepare` fills.
    pub(crate) prepared: Vec<usize>,
    /// Launches that pack or transform weights: run once if the inputs they read are constant, else in every run.
    pub(crate) prepare: Vec<Launch>,
    /// Launches of every run.
    pub(crate) run: Vec<Launch>,
    /// The algorithm, which determines the error bound.
    pub(crate) algorithm: Algorithm,
    /// How the floats of its channels-last tensors and of the buffers that its `Stored` launches prepare are stored.
    pub(crate) precision: Precision,
}

impl Variant {
    /// A variant without temporaries, with every tensor row-major.
    pub fn row_major(site: &Site<'_>, run: Vec<Launch>) -> Variant {
        Variant::in_layout(site, Layout::RowMajor, run)
    }
    /// A variant without temporaries, with every tensor in the same layout.
    pub fn in_layout(site: &Site<'_>, layout: Layout, run: Vec<Launch>) -> Variant {
        Variant {
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
    /// A variant per layout, with every tensor in that layout; first the present layout of input 0.
    pub fn in_both_layouts(site: &Site<'_>, run: impl Fn(Layout) -> Vec<Launch>) -> Vec<Variant> {
        let mut layouts = [Layout::RowMajor, Layout::ChannelsLast];
        if site.is_channels_last(0) {
            layouts.reverse();
        }
        layouts.map(|layout| Variant::in_layout(site, layout, run(layout))).into()
    }
    /// Adds a temporary of this many bytes; its [`Arg::Scratch`] is the number of temporaries before it. Its contents
    /// are undefined before the node and lost after it.
    #[must_use]
    pub fn with_scratch(mut self, bytes: usize) -> Variant {
        self.scratch.push(bytes);
        self
    }
    /// Adds a buffer of this many bytes that `launch` fills; its [`Arg::Prepared`] is the number of such buffers before
    /// it. It is filled once, when the session is made, if all inputs that such launches read are constant, else in
    /// every run.
    #[must_use]
    pub fn with_prepared(mut self, bytes: usize, launch: Launch) -> Variant {
        self.prepared.push(bytes);
        self.prepare.push(launch);
        self
    }
    /// How the floats of its channels-last tensors are stored.
    pub fn precision(&self) -> Precision {
        self.precision
    }
    /// The layout of every output.
    pub fn output_layouts(&self) -> &[Layout] {
        &self.outputs
    }
    /// The launches of a run.
    pub fn run(&self) -> &[Launch] {
        &self.run
    }
    /// The algorithm, as far as its rounding errors differ.
    #[doc(hidden)]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    /// What distinguishes this variant from others of the same node: launches with their constants, and layouts.
    pub fn signature(&self) -> String {
        let launches: Vec<_> = self.run.iter().map(ToString::to_string).collect();
        format!("{} {:?} -> {:?}", launches.join(" + "), self.inputs, self.outputs)
    }
    /// The launch whose loops take the most iterations.
    fn longest(&self) -> Option<&Launch> {
        self.prepare.iter().chain(&self.run).max_by_key(|launch| launch.iterations)
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

/// The variants of an operator: those of [`Op::launches`] whose loops are not too long for the device; with f16, each
/// after its form in f16.
///
/// # Errors
/// Those of [`Op::launches`]; every variant has a kernel whose loops are too long.
pub(crate) fn alternatives(op: &dyn Op, site: &Site<'_>) -> Result<Vec<Variant>> {
    let ways = op.launches(site)?;
    if !op.is_built_in() {
        validate::variants(op, site, &ways)?;
    }
    let ways = short_enough(op, site, ways)?;
    Ok(match site.precision {
        Precision::F32 => ways,
        Precision::F16 => ways.into_iter().flat_map(|way| way.in_half(site).into_iter().chain([way])).collect(),
    })
}

/// The variants whose loops do not take more iterations than the device allows.
fn short_enough(op: &dyn Op, site: &Site<'_>, ways: Vec<Variant>) -> Result<Vec<Variant>> {
    let iterations = |way: &Variant| way.longest().map_or(0, Launch::all_iterations);
    let (kept, left_out): (Vec<_>, Vec<_>) =
        ways.into_iter().partition(|way| site.caps.has_iterations(iterations(way)));
    match left_out.iter().min_by_key(|way| iterations(way)).and_then(Variant::longest) {
        Some(launch) if kept.is_empty() => {
            let inputs: Vec<_> = site.inputs.iter().map(Desc::to_string).collect();
            Err(Error::unsupported(format!(
                "{} of {}: the loops of kernel {} may take {} iterations, the device stops them after {}",
                op.name(),
                inputs.join(", "),
                launch.kernel.name,
                launch.all_iterations(),
                site.caps.max_iterations.unwrap_or_default()
            )))
        }
        _ => Ok(kept),
    }
}

/// The outputs of an operator on the reference. If every output is empty nothing is computed, because the loops of a
/// reference may be long even then.
pub fn evaluate(op: &dyn Op, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let descs: Vec<Desc> = inputs.iter().map(Tensor::desc).collect();
    let outputs = op.outputs(&descs)?;
    match outputs.iter().all(Desc::is_empty) {
        true => Ok(outputs.iter().map(Tensor::empty).collect()),
        false => {
            afford(op, &descs, &outputs)?;
            let computed = op.reference(inputs)?;
            if !op.is_built_in() {
                validate::reference(op, &computed, &outputs)?;
            }
            Ok(computed)
        }
    }
}

/// The bounds of the outputs of [`evaluate`], for an algorithm. Operators of this crate know theirs.
pub fn bounds(op: &dyn Op, algorithm: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
    match outputs.iter().all(|t| t.numel() == 0) {
        true => Ok(Some(vec![vec![]; outputs.len()])),
        false => {
            let descs = |tensors: &[Tensor]| tensors.iter().map(Tensor::desc).collect::<Vec<_>>();
            afford(op, &descs(inputs), &descs(outputs))?;
            let bounds = op.bounds_of(Seal(()), algorithm, inputs, outputs)?;
            if let Some(bounds) = &bounds
                && !op.is_built_in()
            {
                validate::bounds(op, bounds, outputs)?;
            }
            Ok(bounds)
        }
    }
}

/// The most inputs and outputs that an error lists.
const SHOWN: usize = 4;

/// An error unless the host can hold the outputs, and the sums in f64 of an operator that does not only move elements.
fn afford(op: &dyn Op, inputs: &[Desc], outputs: &[Desc]) -> Result<()> {
    let sums = if op.flops(inputs, outputs) > 0 { size_of::<f64>() } else { 0 };
    let bytes = outputs.iter().map(|d| d.numel().saturating_mul(d.dtype.width() + sums) as u64);
    memory::afford(bytes.fold(0, u64::saturating_add), || {
        let list = |descs: &[Desc]| {
            let more = if descs.len() > SHOWN { ", .." } else { "" };
            descs.iter().take(SHOWN).map(Desc::to_string).collect::<Vec<_>>().join(", ") + more
        };
        format!("{}({}) -> {}", op.name(), list(inputs), list(outputs))
    })
}

/// An error unless there are `n` inputs.
pub(crate) fn expect_inputs(op: &dyn Op, inputs: &[Desc], n: std::ops::RangeInclusive<usize>) -> Result<()> {
    if n.contains(&inputs.len()) {
        return Ok(());
    }
    Err(Error::shape(format!("{} takes {n:?} inputs, has {}", op.name(), inputs.len())))
}

/// The only launch of an operator with one input, and its output.
pub(crate) fn only_launch(op: &dyn Op, input: Desc, caps: &Caps) -> Result<(Launch, Desc)> {
    let inputs = [input];
    let outputs = op.outputs(&inputs)?;
    let site = Site {
        inputs: &inputs,
        outputs: &outputs,
        layouts: &[Layout::RowMajor],
        constant: &[false],
        caps,
        epilogue: &Epilogue::NONE,
        precision: Precision::F32,
    };
    let launch = alternatives(op, &site)?.remove(0).run.remove(0);
    Ok((launch, outputs[0].clone()))
}

/// Every kernel of the project, for the contract test and `convgpu inspect --shader`.
pub fn kernels() -> Vec<&'static Kernel> {
    [
        adaptive_pool2d::KERNELS,
        batch_norm::KERNELS,
        binary::KERNELS,
        bytes::KERNELS,
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
        pixels::KERNELS,
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

    /// The kernels of the variants on a device with this limit of iterations, at this precision.
    fn kernels(op: &dyn Op, shapes: &[&[usize]], limit: Option<u64>, precision: Precision) -> Result<Vec<String>> {
        let inputs: Vec<_> = shapes.iter().map(|s| Desc::f32(s.to_vec())).collect();
        let caps = Caps { max_iterations: limit, ..Caps::webgpu_default() };
        let site = Site {
            inputs: &inputs,
            outputs: &op.outputs(&inputs)?,
            layouts: &vec![Layout::RowMajor; inputs.len()],
            constant: &vec![false; inputs.len()],
            epilogue: &Epilogue::NONE,
            precision,
            caps: &caps,
        };
        Ok(alternatives(op, &site)?.iter().map(Variant::kernels).collect())
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
        let text = "top_k of f32[65000]: the loops of kernel top_k may take 66025 iterations, the device stops them after 65535";
        assert_eq!(error.to_string(), text);
    }
}
