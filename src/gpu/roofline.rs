//! Two kernels that measure the peak rates of an adapter: of its ALUs and of its memory.

use super::kernel::{Kernel, kernel};
use super::pieces::{FLAT, TEAM};

/// Chains of fused multiply-adds.
pub static FMA: Kernel = kernel!("roofline_fma", FLAT);
/// A copy.
pub static COPY: Kernel = kernel!("roofline_copy", TEAM);

/// Both.
pub const KERNELS: &[&Kernel] = &[&FMA, &COPY];
