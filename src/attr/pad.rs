//! Padding by values.

use super::attribute;

attribute! {
    /// The values that are added around a tensor.
    #[derive(Clone, Copy, Debug, PartialEq)]
    #[non_exhaustive]
    pub enum PadMode, "PAD" {
        /// This value, cast to the tensor's type. Integers up to 2^53 are what they are.
        Constant(value: f64),
        /// The tensor mirrored without its border.
        Reflect,
        /// The border repeated.
        Replicate,
        /// The opposite side.
        Circular,
    }
}
