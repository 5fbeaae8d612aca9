//! Products of matrices by subgroups of 8, for software adapters: the tile of a subgroup.

use crate::gpu::caps::Caps;
use crate::gpu::kernel::Kernel;
use crate::gpu::launch::{Launch, Params, folded};

/// A subgroup's tile in the kernels over `shaders/engine/subgroup8.wgsl`: rows by a block of 4 columns of each lane.
///
/// A multiply-add of 8 lanes needs (rows + columns) / (rows columns) loads of 8 lanes, and loads take most of the time
/// of such kernels. Every 8 rows more take 15 ms more to compile on lavapipe.
pub(super) struct Rows8 {
    rows: usize,
    /// Subgroups that cover the product.
    subgroups: usize,
}

impl Rows8 {
    /// For a product of `rows` rows by `blocks` blocks of 4 columns; `None` if the device has no subgroups of 8, or
    /// most of a subgroup would be idle.
    pub fn new(caps: &Caps, rows: usize, blocks: usize) -> Option<Rows8> {
        let band = if rows >= 24 { 32 } else { rows.next_multiple_of(8).clamp(8, 16) };
        Rows8::fitting(caps, [rows, blocks], band)
    }

    /// For an implicit product of `rows` pixels by `blocks` blocks of 4 channels in `groups`: the blocks of a subgroup
    /// must belong to one group.
    pub fn implicit(caps: &Caps, rows: usize, blocks: usize, groups: usize) -> Option<Rows8> {
        // In two steps, since 8 times the number of groups may overflow.
        if groups > 1 && !(blocks.is_multiple_of(groups) && (blocks / groups).is_multiple_of(8)) {
            return None;
        }
        Rows8::fitting(caps, [rows, blocks], if rows > 16 { 32 } else { 16 })
    }

    fn fitting(caps: &Caps, [rows, blocks]: [usize; 2], band: usize) -> Option<Rows8> {
        if caps.subgroup_size != Some(8) || !caps.software || blocks <= 2 {
            return None;
        }
        Some(Rows8 { rows: band, subgroups: rows.div_ceil(band) * blocks.div_ceil(8) })
    }

    /// A launch without its bindings.
    pub fn launch(&self, kernel: &'static Kernel, batch: usize, params: Params) -> Launch {
        let launch = Launch::grid(kernel, folded(batch * self.subgroups), params);
        launch.set("ROWS", self.rows as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_groups_is_refused_or_fits() {
        let caps = Caps { subgroup_size: Some(8), software: true, ..Caps::webgpu_default() };
        let fits = |blocks, groups| Rows8::implicit(&caps, 64, blocks, groups).is_some();
        assert!(fits(16, 1) && fits(16, 2) && fits(3, 1));
        assert!(!fits(16, 4) && !fits(16, 3) && !fits(16, usize::MAX) && !fits(0, 1 << 62));
    }
}
