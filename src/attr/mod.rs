//! What every layer says of an operator: its choices and numbers, as plain values. Nothing here computes.

mod activation;
mod binary;
mod codes;
mod grid_sample;
mod pad;
mod pool;
mod recurrent;
mod reduce;
mod resample;
mod trigonometric;
mod value;
mod window;

pub use activation::{Activation, HARD_SIGMOID, RELU6, SELU, SILU, SOFTPLUS};
pub use binary::BinaryKind;
pub(crate) use codes::{Coded, Codes};
pub use grid_sample::{GridSampleMode, GridSamplePadding};
pub use pad::PadMode;
pub use pool::PoolKind;
pub use recurrent::{Cell, Direction, GRU, LSTM};
pub use reduce::{Extreme, ReduceKind};
pub use resample::{Coordinates, ResizeMode, Rounding};
pub use trigonometric::Trigonometric;
pub(crate) use value::attribute;
pub use value::{Attribute, AttributeValue, Attributes};
pub use window::{Pads, Window, span};
