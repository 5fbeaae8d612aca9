//! Operators of a program's own.
//!
//! [`Op`] is the trait of every operator. Its [`launches`](Op::launches) describe, for a [`Site`] in a network, the
//! [`Variant`]s: ways to compute it on a device, each a list of [`Launch`]es of [`Kernel`]s with their [`Params`]. Nothing
//! there touches a device; the planner does. See the example at [`Op`].
//!
//! On a device every element takes four bytes: floats are f32, bool is a u32 which must be exactly 0 or 1, and i64 is an i32. The
//! operator itself answers for i64 results that do not fit 32 bits. Nodes whose inputs are all constant are computed once, by the
//! reference. An array without a length in a shader may be longer than the tensor (buffers are padded to 16 bytes): pass the
//! number of elements as a param. WebGPU guarantees 256 invocations and 16 KiB of memory per workgroup.
//!
//! An operator need not know its error bounds ([`Op::bounds`]). `verify` then shows the difference from the reference, does not
//! judge the node, and says so.
//!
//! A kernel of a program's own runs with the run-time checks of the shader translator. What the operator declares is
//! validated before it is used: a mistake is an error that names the node and the kernel.

pub use crate::attr::{Attribute, AttributeValue, Attributes};
pub use crate::gpu::kernel::Kernel;
pub use crate::gpu::launch::{Arg, Launch, Params, Scalar};
pub use crate::ops::{Bounds, Op, Site, Variant};
pub use crate::shape::Layout;
