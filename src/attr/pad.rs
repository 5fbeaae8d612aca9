//! Padding by values.

use super::attribute;

attribute! {
    /// The values that are added around a tensor.
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[non_exhaustive]
    pub enum PadMode, "PAD" {
        /// This value, cast to the tensor's type.
        Constant(value: f32),
        /// The tensor mirrored without its border.
        Reflect,
        /// The border repeated.
        Replicate,
        /// The opposite side.
        Circular,
    }
}
