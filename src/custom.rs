//! Operators of a program's own.
//!
//! [`Op`] is the trait of every operator. Its [`launches`](Op::launches) describe, for a [`Site`] in a network, the
//! [`Variant`]s: ways to compute it on a device, each a list of [`Launch`]es of [`Kernel`]s with their [`Params`]. Nothing
//! there touches a device; the planner does. See the example at [`Op`].
//!
//! A kernel of a program's own runs with the run-time checks of the shader translator. What the operator declares is
//! validated before it is used: a mistake is an error that names the node and the kernel.

pub use crate::gpu::kernel::{Arg, Kernel, Launch, Params, Scalar};
pub use crate::ops::{Op, Site, Variant};
pub use crate::shape::Layout;
