//! The definition: one invocation per output.

use super::Case;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, nested};
use crate::gpu::pieces::{self, EPILOGUE1, FLAT};
use crate::ops::Variant;

pub(super) static DIRECT: Kernel = kernel!("conv2d_direct", pieces::DIRECT, EPILOGUE1, FLAT);

impl Case<'_> {
    /// Any case, row-major.
    pub(super) fn direct(&self) -> Variant {
        let (g, [kh, kw]) = (&self.geometry, self.geometry.window.kernel);
        let launch = Launch::flat(&DIRECT, g.n * g.oc * g.oh * g.ow, g.row_major())
            .iterations(nested(&[g.ic / g.groups, kh, kw]))
            .reads([Arg::Input(0), Arg::Input(1)]);
        Variant::row_major(self.site, vec![self.finished(launch)])
    }
}
