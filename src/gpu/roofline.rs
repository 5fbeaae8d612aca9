//! Two kernels that compute nothing of use: they show what the ALUs and the memory of an adapter give at most.

use super::kernel::{INDEX, Kernel, kernel};

/// Chains of fused multiply-adds.
pub static FMA: Kernel = kernel!("roofline_fma", INDEX);
/// A copy.
pub static COPY: Kernel = kernel!("roofline_copy", INDEX);

/// Both.
pub const KERNELS: &[&Kernel] = &[&FMA, &COPY];
