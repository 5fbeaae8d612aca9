//! The trait of operators, and what only those of this crate may do.

use std::fmt;

use super::site::Site;
use super::variant::{Algorithm, Variant};
use crate::attr::Attributes;
use crate::error::{Error, Result};
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

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

    /// The number of roundings in a row that the bounds of [`Op::bounds_of`] count, where errors of either sign cancel: those of
    /// a sum. 1 where they are not of a sum.
    #[doc(hidden)]
    fn roundings_of(&self, _: Seal, _: Algorithm, _inputs: &[Tensor]) -> usize {
        1
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
    /// Its kernels apply an [`Epilogue`](super::Epilogue) to their first output.
    epilogue: bool,
    /// Its output is the first input's bytes under another shape.
    view: bool,
    /// This input is an index into an axis: 32 bits hold one that lies inside.
    index: Option<usize>,
}

impl Privileges {
    /// The privileges of every operator of this crate.
    pub(crate) const BUILT_IN: Privileges = Privileges { unchecked: true, epilogue: false, view: false, index: None };
    /// Its kernels apply an [`Epilogue`](super::Epilogue) to their first output.
    pub(crate) const EPILOGUE: Privileges = Privileges { epilogue: true, ..Privileges::BUILT_IN };
    /// Its output is the first input's bytes under another shape.
    pub(crate) const VIEW: Privileges = Privileges { view: true, ..Privileges::BUILT_IN };
    /// Its second input is an index into an axis.
    pub(crate) const INDEXED: Privileges = Privileges { index: Some(1), ..Privileges::BUILT_IN };
    /// Its third input has the images of regions.
    pub(crate) const REGIONS: Privileges = Privileges { index: Some(2), ..Privileges::BUILT_IN };
}

/// In an `impl Op` of this crate: declares its name, unless that depends on the fields, all its fields as attributes, and its
/// privileges. Those of a field `@window` are attributes of the operator.
macro_rules! built_in {
    ($name:literal $(: $($declared:tt)+)?) => {
        fn name(&self) -> &'static str {
            $name
        }
        $crate::ops::built_in!($($($declared)+)?);
    };
    ($(@$part:ident;)? $($field:ident),* $(; $privileges:ident)?) => {
        $crate::ops::told!({ $(@$part;)? $($field),* });
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
    ({ $(@$part:ident;)? $($field:ident),* }) => {
        fn attributes(&self) -> Option<$crate::attr::Attributes> {
            let Self { $($part,)? $($field),* } = self;
            let attributes = $crate::attr::Attributes::new()$(.and($part.attributes()))?;
            Some(attributes$(.with(stringify!($field), $field))*)
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

/// In an `impl Op` whose outputs are elements of its inputs, or constants: they are exact, and cost no arithmetic.
macro_rules! moves_elements {
    () => {
        fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<$crate::ops::Bounds> {
            Ok(Some($crate::bound::exact(outputs)))
        }
        fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
            0
        }
    };
}
pub(crate) use moves_elements;

impl dyn Op {
    /// The operator, if it is a `T`.
    pub(crate) fn downcast<T: Op>(&self) -> Option<&T> {
        let any: &dyn std::any::Any = self;
        any.downcast_ref()
    }
    /// The operator and its inputs, for errors: `relu(f32[2, 3])`.
    pub(crate) fn call(&self, inputs: &[Desc]) -> String {
        let shapes: Vec<_> = inputs.iter().map(Desc::to_string).collect();
        format!("{}({})", self.name(), shapes.join(", "))
    }
    /// Whether it is an operator of this crate, whose kernels run without run-time checks.
    pub(crate) fn is_built_in(&self) -> bool {
        self.privileges(Seal(())).unchecked
    }
    /// Whether the kernels apply an [`Epilogue`](super::Epilogue) to their first output.
    pub(crate) fn takes_epilogue(&self) -> bool {
        self.privileges(Seal(())).epilogue
    }
    /// Whether the output is the first input's bytes under another shape.
    pub(crate) fn is_view(&self) -> bool {
        self.privileges(Seal(())).view
    }
    /// Whether input `k` is an index into an axis, for which the 32 bits of a device are enough.
    pub(crate) fn is_index(&self, k: usize) -> bool {
        self.privileges(Seal(())).index == Some(k)
    }
    /// [`Op::roundings_of`], which takes a seal.
    pub(crate) fn roundings_by(&self, algorithm: Algorithm, inputs: &[Tensor]) -> usize {
        self.roundings_of(Seal(()), algorithm, inputs)
    }
    /// [`Op::bounds_of`], which takes a seal.
    pub(super) fn bounds_by(&self, algorithm: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        self.bounds_of(Seal(()), algorithm, inputs, outputs)
    }
}

/// An error unless there are `n` inputs.
pub(crate) fn expect_inputs(op: &dyn Op, inputs: &[Desc], n: std::ops::RangeInclusive<usize>) -> Result<()> {
    if n.contains(&inputs.len()) {
        return Ok(());
    }
    Err(Error::shape(format!("{} takes {n:?} inputs, has {}", op.name(), inputs.len())))
}

/// An error unless there are `n` inputs, all of them f32.
pub(crate) fn expect_f32(op: &dyn Op, inputs: &[Desc], n: std::ops::RangeInclusive<usize>) -> Result<()> {
    expect_inputs(op, inputs, n)?;
    match inputs.iter().find(|d| d.dtype != DType::F32) {
        Some(d) => Err(Error::unsupported(format!("{} of {d} (f32 only)", op.name()))),
        None => Ok(()),
    }
}

/// The extents of an image, else an error.
pub(crate) fn expect_image(x: &Desc) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(&x.shape[..]).map_err(|_| Error::shape("the input must be [n, c, h, w]"))
}
