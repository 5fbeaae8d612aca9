//! Shapes, strides, broadcasting, data types, and how a tensor lies in a buffer.

use std::fmt;

use crate::error::{Error, Result};

/// The type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer: on a GPU held as 32 bits, range checked on upload.
    I64,
    /// Boolean: on a GPU a `u32` of 0 or 1.
    Bool,
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::Bool => "bool",
        })
    }
}

/// What is known of a tensor before its values: shape and type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Desc {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
}

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
        self.shape.iter().product()
    }
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }
    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }
    /// Bytes in a GPU buffer under `layout` (every element takes four), rounded up to 16 so that a kernel
    /// may see the buffer as `array<vec4>`.
    pub fn bytes(&self, layout: Layout) -> usize {
        self.bytes_in(layout, Precision::F32)
    }
    /// The same where every element takes the bytes of a float of this precision.
    pub fn bytes_in(&self, layout: Layout, precision: Precision) -> usize {
        let elements = match layout {
            Layout::RowMajor => self.numel(),
            Layout::ChannelsLast => {
                let c = self.shape[1];
                self.numel().checked_div(c).unwrap_or(0) * c.next_multiple_of(4)
            }
        };
        (elements * precision.bytes()).next_multiple_of(16).max(16)
    }
    /// Whether both layouts put every element in the same place.
    pub fn layouts_coincide(&self) -> bool {
        self.rank() >= 2 && self.shape[1].is_multiple_of(4) && self.shape[2..].iter().product::<usize>() == 1
    }
}

impl fmt::Display for Desc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.dtype, self.shape)
    }
}

/// How the elements of a tensor lie in a GPU buffer. The planner's own business: it never shows in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layout {
    /// C order, no padding.
    RowMajor,
    /// Axis 1 (channels) moved last and padded to a multiple of 4: `[N, spatial.., C4 * 4]`. Padding lanes hold 0.
    ChannelsLast,
}

/// How wide the floats are that a GPU stores between kernels. Kernels compute in f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, 10 of them behind the point (IEEE binary16), at most 65 504.
    F16,
}

impl Precision {
    /// Of an element.
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

/// The number of elements, if a device can index them: the extents other than 0 multiply to less than 2^31, so that
/// strides of an empty tensor fit, too.
pub fn checked_numel(shape: &[usize]) -> Option<usize> {
    let reach = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b.max(1)))?;
    (reach < MAX_ELEMENTS).then(|| numel(shape))
}

/// The number of elements of a shape.
pub fn numel(shape: &[usize]) -> usize {
    shape.iter().product()
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
