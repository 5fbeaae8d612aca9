//! Launches as plain data: a kernel with its params, bindings and grid. Nothing here touches a device.

use std::fmt;

use super::kernel::Kernel;
use crate::error::{Error, ErrorKind, Result};
use crate::shape::Precision;

/// A parameter of a kernel: one 4-byte scalar of its uniform struct.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scalar {
    /// WGSL `u32`.
    U32(u32),
    /// WGSL `i32`.
    I32(i32),
    /// WGSL `f32`.
    F32(f32),
    /// A size that does not fit a WGSL `u32`; the planner refuses it.
    #[doc(hidden)]
    TooLarge(usize),
}

impl Scalar {
    /// The WGSL name of the type.
    pub fn wgsl_type(self) -> &'static str {
        match self {
            Scalar::U32(_) | Scalar::TooLarge(_) => "u32",
            Scalar::I32(_) => "i32",
            Scalar::F32(_) => "f32",
        }
    }
    fn bits(self) -> u32 {
        match self {
            Scalar::U32(v) => v,
            Scalar::I32(v) => v as u32,
            Scalar::F32(v) => v.to_bits(),
            Scalar::TooLarge(_) => u32::MAX,
        }
    }
}

impl From<u32> for Scalar {
    fn from(v: u32) -> Scalar {
        Scalar::U32(v)
    }
}
impl From<usize> for Scalar {
    fn from(v: usize) -> Scalar {
        u32::try_from(v).map_or(Scalar::TooLarge(v), Scalar::U32)
    }
}
impl From<i32> for Scalar {
    fn from(v: i32) -> Scalar {
        Scalar::I32(v)
    }
}
impl From<f32> for Scalar {
    fn from(v: f32) -> Scalar {
        Scalar::F32(v)
    }
}

/// The params of a launch: the fields of the kernel's uniform struct, in order, with their names and types.
///
/// ```
/// use convgpu::custom::Params;
///
/// let params = Params::new().with("count", 30usize).with("step", 0.25f32);
/// assert_eq!(params.fields()[1].0, "step");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(pub(crate) Vec<(&'static str, Scalar)>);

impl Params {
    /// No fields yet.
    pub fn new() -> Params {
        Params::default()
    }
    /// Adds the next field.
    pub fn with(mut self, name: &'static str, value: impl Into<Scalar>) -> Params {
        self.0.push((name, value.into()));
        self
    }
    /// Names and values, in order.
    pub fn fields(&self) -> &[(&'static str, Scalar)] {
        &self.0
    }
    /// The same with another value of a field.
    pub(crate) fn having(mut self, name: &str, value: usize) -> Params {
        self.replace(name, value.into());
        self
    }
    /// Replaces a field's value.
    fn replace(&mut self, name: &str, value: Scalar) {
        let field = self.0.iter_mut().find(|(field, _)| *field == name);
        field.unwrap_or_else(|| panic!("there is no param {name}")).1 = value;
    }
    /// A field that is a size.
    pub(crate) fn size(&self, name: &str) -> usize {
        let found = self.0.iter().find(|(field, _)| *field == name);
        found.map_or_else(|| panic!("there is no param {name}"), |(_, value)| value.bits() as usize)
    }
    /// The bytes of the uniform struct, padded to 16.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out: Vec<u8> = self.0.iter().flat_map(|(_, v)| v.bits().to_le_bytes()).collect();
        out.resize(out.len().next_multiple_of(16).max(16), 0);
        out
    }
}

/// `params! { n, c; alpha: 0.5 }`-style construction: `params!(n, h: shape[2])` gives fields `n` and `h`.
macro_rules! params {
    (@field $p:expr, $name:ident : $value:expr) => { $p.with(stringify!($name), $value) };
    (@field $p:expr, $name:ident) => { $p.with(stringify!($name), $name) };
    ($($name:ident $(: $value:expr)?),* $(,)?) => {{
        let p = $crate::gpu::launch::Params::new();
        $(let p = $crate::gpu::launch::params!(@field p, $name $(: $value)?);)*
        p
    }};
}
pub(crate) use params;

/// What a binding of a launch refers to, seen from the node it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arg {
    /// The node's k-th input (epilogue inputs follow the operator's own).
    Input(usize),
    /// The node's k-th output.
    Output(usize),
    /// A temporary of the variant; its contents are lost after the node.
    Scratch(usize),
    /// The launch's k-th table.
    Table(usize),
    /// A buffer that `prepare` filled; it lives as long as the session if its sources are constant.
    Prepared(usize),
}

/// One dispatch: a kernel, its specialisation, its params, what it reads, what it writes, its grid.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The kernel.
    pub(crate) kernel: &'static Kernel,
    /// Values of `override` constants.
    pub(crate) overrides: Vec<(&'static str, f64)>,
    /// Values of `const` declarations that overrides cannot reach (register tile sizes).
    pub(crate) consts: Vec<(&'static str, u32)>,
    /// What its kernel's `Stored` is.
    pub(crate) precision: Precision,
    /// Whether it writes sums, which another launch rounds: its kernel's `Written` is f32 whatever `Stored` is.
    pub(crate) sums: bool,
    /// The uniform struct.
    pub(crate) params: Params,
    /// Constants from the host that are too long for the params: 4-byte words, floats by their bits.
    pub(crate) tables: Vec<Vec<u32>>,
    /// What its epilogue binds, if its kernel has one.
    pub(crate) epilogue: Option<EpilogueBindings<Arg>>,
    /// Read-only bindings of group 0, from 1 on.
    pub(crate) reads: Vec<Arg>,
    /// Read-write bindings, after them.
    pub(crate) writes: Vec<Arg>,
    /// The grid, in workgroups.
    pub(crate) workgroups: [u32; 3],
    /// The most iterations, per invocation, of all loops whose length depends on a shape ([`nested`]). All other loops
    /// together take at most [`SHORT_ITERATIONS`].
    pub(crate) iterations: u64,
    /// Where it copies its input to, if it only copies. If the kernel that produces the input can write there itself
    /// ([`Launch::write_into`]), this launch is dropped.
    pub(crate) copies_to: Option<Slot>,
    /// What a launch that prepares writes, for a constant that it reads in f32: then the host computes it.
    pub(crate) on_host: Option<OnHost>,
}

/// What a kernel with an epilogue binds as group 1.
#[derive(Clone, Debug)]
pub(crate) struct EpilogueBindings<T> {
    /// The uniform struct.
    pub params: Params,
    /// Bias, residual and slope, from binding 1 on. The overrides tell the kernel which there are.
    pub tensors: [Option<T>; 3],
}

/// From the params of a launch and the elements of its only input to those of its only output, which replace what is in the
/// list.
pub(crate) type OnHost = fn(&Params, &[f32], &mut Vec<f32>);

/// The blocks of channels from `first` on of a channels-last tensor with `pitch` blocks per pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Blocks of four channels per pixel.
    pub pitch: u32,
    /// The first of them.
    pub first: u32,
}

/// The most iterations, per invocation, of all loops whose length does not depend on a shape: trees, stores, words of a stream.
pub(crate) const SHORT_ITERATIONS: u64 = 1024;

/// The iterations that nested loops take together, given those of each, the outermost first. Each execution of a loop
/// takes one more iteration to detect its end; with masked lanes that iteration also enters every inner loop once.
pub(crate) fn nested(loops: &[usize]) -> u64 {
    let around = |inside: u64, (deep, &n): (u64, &usize)| {
        (n as u64).saturating_mul(inside.saturating_add(1)).saturating_add(deep)
    };
    (1..).zip(loops.iter().rev()).fold(0, around)
}

/// Invocations per workgroup of the kernels with a [`flat_grid`].
pub(crate) const FLAT_WORKGROUP: usize = 64;

/// A linear grid of workgroups of 64 that covers `invocations`, folded over y where x would exceed WebGPU's 65 535
/// (`shaders/engine/flat.wgsl`).
pub(crate) fn flat_grid(invocations: usize) -> [u32; 3] {
    folded(invocations.div_ceil(FLAT_WORKGROUP))
}

/// Words per workgroup of the kernels with a [`stream_grid`].
const STREAM_WORKGROUP: usize = 1024;

/// A grid for kernels that stream over words (`shaders/engine/stream.wgsl`), mostly vec4s: a workgroup of 256 invocations takes
/// 1024 words, 4 per invocation. On a software adapter one word per invocation would cost more in workgroups than in work.
pub(crate) fn stream_grid(words: usize) -> [u32; 3] {
    folded(words.div_ceil(STREAM_WORKGROUP))
}

/// A grid of at least this many workgroups, folded over y (`shaders/engine/team.wgsl`).
pub(crate) fn folded(groups: usize) -> [u32; 3] {
    let y = groups.div_ceil(65_535).max(1);
    [groups.div_ceil(y) as u32, y as u32, u32::from(groups > 0)]
}

impl Launch {
    /// A launch over a [`flat_grid`].
    pub(crate) fn flat(kernel: &'static Kernel, invocations: usize, params: Params) -> Launch {
        Launch::grid(kernel, flat_grid(invocations), params)
    }
    /// A launch over a [`stream_grid`].
    pub(crate) fn stream(kernel: &'static Kernel, words: usize, params: Params) -> Launch {
        Launch::grid(kernel, stream_grid(words), params)
    }
    /// A launch over the grid given, in workgroups: at most 65 535 along each axis.
    pub fn grid(kernel: &'static Kernel, workgroups: [u32; 3], params: Params) -> Launch {
        Launch {
            kernel,
            overrides: vec![],
            consts: vec![],
            precision: Precision::F32,
            sums: false,
            params,
            epilogue: None,
            tables: vec![],
            reads: vec![],
            writes: vec![],
            workgroups,
            iterations: 0,
            copies_to: None,
            on_host: None,
        }
    }
    /// Sets the tables: constants from the host that are too long for the params. Each is a list of 4-byte words
    /// (floats by [`f32::to_bits`]), bound where the reads have [`Arg::Table`] of its position.
    pub fn tables(mut self, tables: impl Into<Vec<Vec<u32>>>) -> Launch {
        self.tables = tables.into();
        self
    }
    /// Sets the read-only bindings.
    pub fn reads(mut self, args: impl Into<Vec<Arg>>) -> Launch {
        self.reads = args.into();
        self
    }
    /// Sets the read-write bindings.
    pub fn writes(mut self, args: impl Into<Vec<Arg>>) -> Launch {
        self.writes = args.into();
        self
    }
    /// States the most iterations, per invocation, of all loops whose length depends on a shape; 0 unless set. A device
    /// with a lower limit ([`Caps::max_iterations`](crate::Caps)) does not get the variant.
    pub fn iterations(mut self, iterations: u64) -> Launch {
        self.iterations = iterations;
        self
    }
    /// Sets an `override` constant of the kernel's text. All overrides must be set.
    pub fn set(mut self, name: &'static str, value: impl Into<f64>) -> Launch {
        self.overrides.push((name, value.into()));
        self
    }
    /// Sets a size of the text.
    pub(crate) fn set_const(mut self, name: &'static str, value: u32) -> Launch {
        assert!(self.kernel.has_const(name), "{}: no size {name}", self.kernel.name);
        self.consts.push((name, value));
        self
    }
    /// All tensors that it reads: those of group 0, then those of its epilogue.
    pub(crate) fn all_reads(&self) -> impl Iterator<Item = &Arg> {
        self.reads.iter().chain(self.epilogue.iter().flat_map(|e| e.tensors.iter().flatten()))
    }
    /// Makes it write into a slot of a larger tensor. False if its kernel cannot.
    pub(crate) fn write_into(&mut self, slot: Slot) -> bool {
        let Some(epilogue) = self.epilogue.as_mut().filter(|_| self.kernel.writes_into_slots()) else { return false };
        epilogue.params.replace("y_pitch", slot.pitch.into());
        epilogue.params.replace("y_first", slot.first.into());
        true
    }
    /// The name of the kernel with the values of its consts, for tables: `gemm_tiled(16,16,8,2)`.
    pub fn title(&self) -> String {
        title(self.kernel.name, &self.consts)
    }
    /// Whether invocations share workgroup memory. A team of one needs none, and its text then uses none.
    pub(crate) fn has_workgroup_memory(&self) -> bool {
        let alone = self.overrides.contains(&("TEAM", 1.0)) || self.consts.contains(&("WORKGROUP", 1));
        self.kernel.has_workgroup_memory() && !alone
    }
    /// The most iterations that all loops of an invocation may take together.
    pub fn all_iterations(&self) -> u64 {
        self.iterations.saturating_add(SHORT_ITERATIONS)
    }
    /// Refuses what no device supports: a parameter of more than 32 bits, a grid that is too large.
    pub(crate) fn check(&self) -> Result<()> {
        let epilogue = self.epilogue.iter().flat_map(|e| &e.params.0);
        if let Some((name, value)) =
            self.params.0.iter().chain(epilogue).find(|(_, v)| matches!(v, Scalar::TooLarge(_)))
        {
            let text = format!("kernel {}: {name} = {value:?} exceeds 32 bits", self.kernel.name);
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        match self.workgroups.iter().find(|&&n| n > 65_535) {
            Some(n) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("kernel {} would need {n} workgroups in one dimension (limit 65535)", self.kernel.name),
            )),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.workgroups;
        write!(f, "{} <{x},{y},{z}>", self.kernel.name)?;
        for (name, value) in &self.overrides {
            write!(f, " {name}={value}")?;
        }
        for (name, value) in &self.consts {
            write!(f, " {name}={value}")?;
        }
        match self.precision {
            Precision::F32 => Ok(()),
            Precision::F16 => f.write_str(" f16"),
        }
    }
}

/// A kernel with the values of its consts.
pub(super) fn title(kernel: &str, consts: &[(&'static str, u32)]) -> String {
    let values: Vec<_> = consts.iter().map(|(_, value)| value.to_string()).collect();
    if values.is_empty() { kernel.to_owned() } else { format!("{kernel}({})", values.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::nested;

    /// What lavapipe counts (measured): a loop over channels around 1x1, 1x2, 2x1 and 3x3 taps.
    #[test]
    fn the_ends_of_loops_are_iterations_too() {
        assert_eq!(nested(&[10]), 11);
        for (window, iterations) in [([1, 1], 6), ([1, 2], 7), ([2, 1], 9), ([3, 3], 18)] {
            assert_eq!(nested(&[1000, window[0], window[1]]), 1000 * iterations + 3);
        }
        assert_eq!(nested(&[usize::MAX, usize::MAX]), u64::MAX);
    }
}
