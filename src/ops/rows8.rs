//! Products of matrices by subgroups of 8, for software adapters: the tile of a subgroup.

use crate::gpu::caps::Caps;
use crate::gpu::kernel::{Kernel, Launch, Params, folded};

/// A subgroup's tile in the kernels over `shaders/common/rows8.wgsl`: rows, and blocks of 4 columns of each lane.
///
/// A multiply-add of 8 lanes needs (rows + columns) / (rows columns) loads of 8 lanes, and loads are what such kernels
/// spend their time on: two blocks a lane, unless that leaves half of the last subgroup idle and there are few others.
pub(super) struct Rows8 {
    rows: usize,
    pair: bool,
    /// Subgroups that cover the product.
    subgroups: usize,
}

impl Rows8 {
    /// For a product of `rows` rows by `blocks` blocks of 4 columns; `None` if the device has no subgroups of 8, or
    /// most of one would be idle.
    pub fn new(caps: &Caps, rows: usize, blocks: usize) -> Option<Rows8> {
        if caps.subgroup_size != Some(8) || !caps.software || blocks <= 2 {
            return None;
        }
        let columns = blocks.div_ceil(8);
        let pair = columns.is_multiple_of(2) || columns > 8;
        let band = if rows >= 24 { 32 } else { rows.next_multiple_of(8).clamp(8, 16) };
        let subgroups = rows.div_ceil(band) * if pair { columns.div_ceil(2) } else { columns };
        Some(Rows8 { rows: band, pair, subgroups })
    }

    /// Blocks of 4 columns of a subgroup.
    pub fn blocks(&self) -> usize {
        if self.pair { 16 } else { 8 }
    }

    /// A launch without its bindings.
    pub fn launch(&self, kernel: &'static Kernel, batch: usize, params: Params) -> Launch {
        let launch = Launch::grid(kernel, folded(batch * self.subgroups), params);
        launch.set("ROWS", self.rows as u32).set("PAIR", u8::from(self.pair))
    }
}
