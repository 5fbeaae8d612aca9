//! The implicit product of matrices in the registers of an invocation, without workgroup memory.

use super::Case;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, nested};
use crate::gpu::pieces::{EPILOGUE4, IMPLICIT, REGISTERS};
use crate::ops::Variant;

pub(super) static GEMM: Kernel = kernel!("conv2d_gemm", "problem/conv2d", IMPLICIT, EPILOGUE4, REGISTERS).floats();

impl Case<'_> {
    /// Needs whole blocks of four channels in every group.
    pub(super) fn registers(&self) -> Option<Variant> {
        let g = self.blocked()?;
        let ([kh, kw], (pair, columns)) = (g.window.kernel, g.pairs());
        let launch = Launch::flat(&GEMM, (g.n * g.oh * g.ow).div_ceil(8) * columns, g.channels_last())
            .iterations(nested(&[kh, kw, g.blocks().icg4]))
            .set("PAIR", u8::from(pair));
        Some(self.by_blocks(launch))
    }
}
