//! Shapes, strides, broadcasting, data types, and how a tensor lies in a buffer.

use std::collections::HashMap;
use std::fmt;

use crate::attr::{Coded, attribute};
use crate::error::{Error, Result};
use crate::tensor::for_dtype;

attribute! {
    /// The type of an element.
    ///
    /// ```
    /// use convgpu::{DType, Tensor};
    ///
    /// assert_eq!(Tensor::from([1i64, 2, 3]).dtype(), DType::I64);
    /// assert_eq!(DType::I64.to_string(), "i64");
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    #[non_exhaustive]
    pub enum DType, "TYPE" {
        /// 32-bit float.
        F32,
        /// 64-bit float. The CPU reference computes sums, products, elementwise functions and conversions in 64 bits, all else
        /// in 32; a GPU computes all in 32.
        F64,
        /// 16-bit float with 5 bits of exponent. Networks compute in f32: sessions convert inputs and outputs.
        F16,
        /// 16-bit float with 8 bits of exponent. Networks compute in f32: sessions convert inputs and outputs.
        BF16,
        /// 8-bit signed integer. Like all integers of 8 to 32 bits it wraps around, and on a GPU takes 4 bytes.
        I8,
        /// 8-bit unsigned integer.
        U8,
        /// 16-bit signed integer.
        I16,
        /// 16-bit unsigned integer.
        U16,
        /// 32-bit signed integer.
        I32,
        /// 32-bit unsigned integer.
        U32,
        /// 64-bit signed integer: on a GPU held as 32 bits. Inputs and results beyond that are errors.
        I64,
        /// Boolean: on a GPU a `u32` of 0 or 1.
        Bool,
    }
}

impl DType {
    /// Whether it is a float of any width.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64 | DType::F16 | DType::BF16)
    }
    /// Whether it is an integer of any width. A boolean is not.
    pub fn is_integer(self) -> bool {
        !self.is_float() && self != DType::Bool
    }
    /// The type that a graph computes in: f32 for floats of 16 bits.
    pub(crate) fn computed(self) -> DType {
        if matches!(self, DType::F16 | DType::BF16) { DType::F32 } else { self }
    }
    /// Whether kernels and the reference compute functions of single elements in this type.
    pub(crate) fn is_computed_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }
    /// Bytes of an element on the host.
    pub(crate) fn width(self) -> usize {
        for_dtype!(self, T => size_of::<T>())
    }
    /// The number by which shaders know the type in which a device holds it: all floats are f32, i64 is i32.
    pub(crate) fn code(self) -> u32 {
        let held = match self {
            DType::F64 | DType::F16 | DType::BF16 => DType::F32,
            DType::I64 => DType::I32,
            other => other,
        };
        Coded::code(&held)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::I8 => "i8",
            DType::U8 => "u8",
            DType::I16 => "i16",
            DType::U16 => "u16",
            DType::I32 => "i32",
            DType::U32 => "u32",
            DType::I64 => "i64",
            DType::Bool => "bool",
        })
    }
}

/// The description of a tensor without its values: shape and type.
///
/// ```
/// use convgpu::{DType, Desc};
///
/// let image = Desc::f32([1, 3, 224, 224]);
/// assert_eq!((image.rank(), image.numel()), (4, 150_528));
/// assert_eq!(image.to_string(), "f32[1, 3, 224, 224]");
/// assert_ne!(image, Desc::new([1, 3, 224, 224], DType::I32));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Desc {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
}

attribute!(struct Desc { shape, dtype });

impl Desc {
    /// A description from its parts.
    pub fn new(shape: impl Into<Vec<usize>>, dtype: DType) -> Desc {
        Desc { shape: shape.into(), dtype }
    }
    /// An f32 tensor of this shape.
    pub fn f32(shape: impl Into<Vec<usize>>) -> Desc {
        Desc::new(shape, DType::F32)
    }
    /// The number of elements.
    pub fn numel(&self) -> usize {
        numel(&self.shape)
    }
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }
    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }
    /// Bytes in a GPU buffer under `layout` (every element takes four), rounded up to 16 so that a kernel may bind the
    /// buffer as `array<vec4>`.
    pub fn bytes(&self, layout: Layout) -> usize {
        self.bytes_in(layout, Precision::F32)
    }
    /// [`Desc::bytes`] with elements of the size of a float of this precision.
    pub(crate) fn bytes_in(&self, layout: Layout, precision: Precision) -> usize {
        let elements = match layout {
            Layout::RowMajor => self.numel(),
            Layout::ChannelsLast => {
                let c = self.shape[1];
                self.numel().checked_div(c).unwrap_or(0) * c.next_multiple_of(4)
            }
        };
        (elements * precision.bytes()).next_multiple_of(16).max(16)
    }
    /// Whether both layouts give every element the same position.
    pub(crate) fn layouts_coincide(&self) -> bool {
        self.rank() >= 2 && self.shape[1].is_multiple_of(4) && self.shape[2..].iter().product::<usize>() == 1
    }
}

impl fmt::Display for Desc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.dtype, self.shape)
    }
}

/// An extent of an input or output: a number, or open until the run.
///
/// ```
/// use convgpu::Dim;
///
/// assert_eq!(Dim::Fixed(3).to_string(), "3");
/// assert_eq!(Dim::Named("batch".to_owned()).to_string(), "batch");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dim {
    /// A fixed extent.
    Fixed(usize),
    /// Any number, the same for every extent with this name.
    Named(String),
    /// Any number.
    Unknown,
}

impl Dim {
    /// The extent, if it is fixed.
    pub fn fixed(&self) -> Option<usize> {
        if let Dim::Fixed(n) = self { Some(*n) } else { None }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(n) => write!(f, "{n}"),
            Dim::Named(name) => f.write_str(name),
            Dim::Unknown => f.write_str("?"),
        }
    }
}

/// An input or output of a network: its name, type, and extents as far as they are known before a run.
///
/// ```
/// use convgpu::{Desc, Device, Dim, Graph};
///
/// let mut graph = Graph::new();
/// let x = graph.input("image", Desc::f32([1, 3, 8, 8]))?;
/// graph.output("image again", x);
/// let session = graph.compile(&Device::cpu())?;
///
/// let input = &session.inputs()[0];
/// assert_eq!(input.name, "image");
/// assert_eq!(input.dims.as_ref().unwrap()[1], Dim::Fixed(3));
/// assert_eq!(input.fixed(), Some(Desc::f32([1, 3, 8, 8])));
/// assert_eq!(input.to_string(), "image: f32[1, 3, 8, 8]");
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ValueInfo {
    /// Its name.
    pub name: String,
    /// The type of its elements. A run may be given any float for a float that is as wide or wider, and f32 for f16 and bf16.
    /// `None` for an output that a model file declares by name alone: its type follows from the network.
    pub dtype: Option<DType>,
    /// Its extents, outermost first; `None` if a model file does not even give their number.
    pub dims: Option<Vec<Dim>>,
}

impl ValueInfo {
    pub(crate) fn new(name: impl Into<String>, dtype: impl Into<Option<DType>>, dims: Option<Vec<Dim>>) -> ValueInfo {
        ValueInfo { name: name.into(), dtype: dtype.into(), dims }
    }

    /// A value with a known description.
    pub(crate) fn of(name: &str, desc: &Desc) -> ValueInfo {
        ValueInfo::new(name, desc.dtype, Some(desc.shape.iter().map(|&n| Dim::Fixed(n)).collect()))
    }

    /// The description, if the type is known and every extent is fixed.
    pub fn fixed(&self) -> Option<Desc> {
        let shape = self.dims.as_ref()?.iter().map(Dim::fixed).collect::<Option<Vec<_>>>()?;
        Some(Desc::new(shape, self.dtype?))
    }

    /// An error unless a tensor of this description fits the value. `sizes` are those of named dimensions.
    fn check<'a>(&'a self, desc: &Desc, sizes: &mut HashMap<&'a str, usize>) -> Result<()> {
        let mut fits = self.dtype.is_none_or(|dtype| takes(dtype, desc.dtype));
        if let Some(dims) = &self.dims {
            fits &= dims.len() == desc.rank();
            fits &= dims.iter().zip(&desc.shape).all(|(dim, &n)| match dim {
                Dim::Fixed(m) => *m == n,
                Dim::Named(name) => *sizes.entry(name).or_insert(n) == n,
                Dim::Unknown => true,
            });
        }
        if fits {
            return Ok(());
        }
        let text = format!("the input {:?} takes {}, not {desc}", self.name, Taken(self));
        let mut named: Vec<_> = sizes.iter().map(|(name, n)| format!("{name} = {n}")).collect();
        named.sort();
        Err(Error::shape(if named.is_empty() { text } else { format!("{text} ({})", named.join(", ")) }))
    }
}

impl fmt::Display for ValueInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, Taken(self))
    }
}

/// A value's type and extents.
struct Taken<'a>(&'a ValueInfo);

impl fmt::Display for Taken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.dtype {
            Some(dtype) => write!(f, "{dtype}")?,
            None => f.write_str("?")?,
        }
        let Some(dims) = &self.0.dims else { return f.write_str("[..]") };
        let dims: Vec<_> = dims.iter().map(Dim::to_string).collect();
        write!(f, "[{}]", dims.join(", "))
    }
}

/// Whether a value of this type may be given a tensor of that type: the same, or a float which loses nothing.
pub(crate) fn takes(declared: DType, given: DType) -> bool {
    let floats = declared.is_float() && given.is_float();
    declared == given || floats && (declared == DType::F64 || given != DType::F64)
}

/// Values on one line, for the `Display` of a network's inputs and outputs.
pub(crate) fn list(infos: &[ValueInfo]) -> String {
    infos.iter().map(ValueInfo::to_string).collect::<Vec<_>>().join(", ")
}

/// The first `n` values on one line, and how many there are besides.
pub(crate) fn list_first(infos: &[ValueInfo], n: usize) -> String {
    let more = infos.len().saturating_sub(n);
    let shown = list(&infos[..infos.len() - more]);
    if more == 0 { shown } else { format!("{shown}, and {more} more") }
}

/// An error unless every input is given once, every optional one at most once, nothing else is given, and all
/// descriptions fit.
pub(crate) fn check_inputs(inputs: &[ValueInfo], optional: &[ValueInfo], given: &[(&str, &Desc)]) -> Result<()> {
    let names = || inputs.iter().map(|v| v.name.as_str()).collect::<Vec<_>>().join(", ");
    let all = || inputs.iter().chain(optional);
    if let Some((name, _)) = given.iter().find(|(name, _)| !all().any(|v| v.name == *name)) {
        return Err(Error::argument(format!("there is no input {name}; inputs: {}", names())));
    }
    let mut sizes = HashMap::new();
    for (k, info) in all().enumerate() {
        let mut found = given.iter().filter(|(name, _)| *name == info.name);
        let Some((_, desc)) = found.next() else {
            if k >= inputs.len() {
                continue;
            }
            return Err(Error::argument(format!("the input {info} is missing; inputs: {}", names())));
        };
        if found.next().is_some() {
            return Err(Error::argument(format!("the input {info} is given twice")));
        }
        info.check(desc, &mut sizes)?;
    }
    Ok(())
}

/// The order of a tensor's elements in a GPU buffer. The planner chooses it; only a program's own operators deal with
/// it ([`custom`](crate::custom)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layout {
    /// C order, no padding.
    RowMajor,
    /// Axis 1 (channels) moved last and padded to a multiple of 4: `[N, spatial.., C4 * 4]`. Padding lanes hold 0.
    ChannelsLast,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layout::RowMajor => "row-major",
            Layout::ChannelsLast => "channels-last",
        })
    }
}

/// The width of the floats that a GPU stores between kernels. Kernels compute in f32 either way.
///
/// ```
/// use convgpu::Precision;
///
/// assert_eq!("f16".parse::<Precision>()?, Precision::F16);
/// assert_eq!(Precision::default().bytes(), 4);
/// assert!("f8".parse::<Precision>().is_err());
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, 10 of them for the fraction (IEEE binary16); at most 65 504.
    F16,
}

impl Precision {
    /// Bytes of an element: 4 or 2.
    pub fn bytes(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::F16 => 2,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::F16 => "f16",
        })
    }
}

impl std::str::FromStr for Precision {
    type Err = Error;
    fn from_str(s: &str) -> Result<Precision> {
        match s {
            "f32" => Ok(Precision::F32),
            "f16" => Ok(Precision::F16),
            other => Err(Error::argument(format!("there is no precision {other}: f32 or f16"))),
        }
    }
}

/// The largest element count of a tensor: flat indices are 32-bit in the kernels.
pub const MAX_ELEMENTS: usize = 1 << 31;

/// The number of elements, if a device can index them: the product of the extents other than 0 is below 2^31, so that
/// strides of an empty tensor fit, too.
pub fn checked_numel(shape: &[usize]) -> Option<usize> {
    let reach = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b.max(1)))?;
    (reach < MAX_ELEMENTS).then(|| numel(shape))
}

/// The number of elements of a shape.
pub fn numel(shape: &[usize]) -> usize {
    // Graphs and tensors refuse what does not fit; here the product must only not wrap.
    if shape.contains(&0) { 0 } else { shape.iter().fold(1, |n, &d| n.saturating_mul(d)) }
}

/// Row-major strides, in elements.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut out = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        out[i - 1] = out[i] * shape[i];
    }
    out
}

/// The common shape of two under NumPy's broadcasting rule.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| if i + s.len() < rank { 1 } else { s[i + s.len() - rank] };
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => Err(Error::shape(format!("shapes {a:?} and {b:?} do not broadcast"))),
        })
        .collect()
}

/// Strides of `shape` seen as the broadcast shape `to`: 0 along every stretched axis.
pub fn broadcast_strides(shape: &[usize], to: &[usize]) -> Vec<usize> {
    let own = strides(shape);
    let lead = to.len() - shape.len();
    (0..to.len()).map(|i| if i < lead || shape[i - lead] == 1 { 0 } else { own[i - lead] }).collect()
}

/// An index space, and the strides of several tensors along its axes, with the fewest axes: those of extent 1 are dropped,
/// adjacent ones merged where every tensor allows.
pub fn merge_axes(dims: &[usize], strides: &[Vec<isize>]) -> (Vec<usize>, Vec<Vec<isize>>) {
    let mut merged = (vec![], vec![vec![]; strides.len()]);
    for axis in (0..dims.len()).filter(|&axis| dims[axis] != 1) {
        let extent = dims[axis] as isize;
        let merges = |(kept, all): (&Vec<isize>, &Vec<isize>)| kept.last() == Some(&(all[axis] * extent));
        match merged.0.last_mut() {
            Some(last) if merged.1.iter().zip(strides).all(merges) => {
                *last *= dims[axis];
                merged.1.iter_mut().zip(strides).for_each(|(s, all)| *s.last_mut().expect("as many") = all[axis]);
            }
            _ => {
                merged.0.push(dims[axis]);
                merged.1.iter_mut().zip(strides).for_each(|(s, all)| s.push(all[axis]));
            }
        }
    }
    merged
}

/// The axis as an index, negative values counting from the end.
pub fn axis(axis: i64, rank: usize) -> Result<usize> {
    let r = rank as i64;
    match axis {
        a if (0..r).contains(&a) => Ok(a as usize),
        a if (-r..0).contains(&a) => Ok((a + r) as usize),
        a => Err(Error::argument(format!("axis {a} is outside a tensor of rank {rank}"))),
    }
}

/// The multi-dimensional index of a flat row-major position.
pub fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &extent) in shape.iter().enumerate().rev() {
        index[i] = flat % extent.max(1);
        flat /= extent.max(1);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn info(name: &str, dims: &[Dim]) -> ValueInfo {
        ValueInfo::new(name, DType::F32, Some(dims.to_vec()))
    }

    #[test]
    fn inputs_are_checked_by_name_type_and_dims() {
        let batch = || Dim::Named("n".to_owned());
        let inputs = [info("x", &[batch(), Dim::Fixed(3), Dim::Unknown]), info("y", &[batch()])];
        let [x, y, wide] = [Desc::f32([2, 3, 9]), Desc::f32([2]), Desc::f32([4])];
        check_inputs(&inputs, &[], &[("y", &y), ("x", &x)]).unwrap();

        let wrong = |given: &[(&str, &Desc)]| check_inputs(&inputs, &[], given).unwrap_err();
        let e = wrong(&[("x", &x), ("y", &wide)]);
        assert_eq!(e.kind(), ErrorKind::Shape);
        assert_eq!(e.to_string(), "the input \"y\" takes f32[n], not f32[4] (n = 2)");
        assert!(wrong(&[("x", &x)]).to_string().contains("y: f32[n] is missing; inputs: x, y"));
        assert!(wrong(&[("x", &x), ("y", &y), ("z", &y)]).to_string().contains("no input z"));
        assert!(wrong(&[("x", &x), ("y", &y), ("x", &x)]).to_string().contains("given twice"));
        assert!(wrong(&[("x", &Desc::f32([2, 4, 9])), ("y", &y)]).to_string().contains("f32[2, 4, 9]"));
        assert!(wrong(&[("x", &x), ("y", &Desc::new([2], DType::I32))]).to_string().contains("i32[2]"));
    }

    #[test]
    fn open_dims_have_no_description() {
        assert_eq!(info("x", &[Dim::Fixed(2)]).fixed(), Some(Desc::f32([2])));
        assert_eq!(info("x", &[Dim::Fixed(2), Dim::Unknown]).fixed(), None);
        let any = ValueInfo::new("x", DType::I64, None);
        assert_eq!((any.fixed(), any.to_string()), (None, "x: i64[..]".to_owned()));
        assert_eq!(ValueInfo::of("x", &Desc::f32([2, 0])), info("x", &[Dim::Fixed(2), Dim::Fixed(0)]));
    }
}
