//! Padding by values.

use super::attribute;

/// The values that are added around a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PadMode {
    /// This value, cast to the tensor's type.
    Constant(f32),
    /// The tensor mirrored without its border.
    Reflect,
    /// The border repeated.
    Replicate,
    /// The opposite side.
    Circular,
}

attribute!(
    enum PadMode, "PAD" {
        Constant(value),
        Reflect,
        Replicate,
        Circular,
    }
);
