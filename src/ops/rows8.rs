//! Products of matrices by subgroups of 8, for software adapters: the tile of a subgroup.

use crate::gpu::caps::Caps;
use crate::gpu::kernel::{Kernel, Launch, Params, folded};

/// Rows by 4x4 blocks from which on a product is large: 64 million multiply-adds.
const LARGE: usize = 1 << 22;

/// A subgroup's tile in the kernels over `shaders/common/rows8.wgsl`: rows, and blocks of 4 columns of each lane.
///
/// A multiply-add of 8 lanes needs (rows + columns) / (rows columns) loads of 8 lanes, and loads are what such kernels
/// spend their time on. Two blocks a lane take twice as long to compile (0.1 s more on lavapipe), so only large products
/// have them.
pub(super) struct Rows8 {
    rows: usize,
    pair: bool,
    /// Subgroups that cover the product.
    subgroups: usize,
}

impl Rows8 {
    /// For a product of `rows` rows by `blocks` blocks of 4 columns, the inner dimension `steps` blocks of 4; `None` if the
    /// device has no subgroups of 8, or most of one would be idle.
    pub fn new(caps: &Caps, [rows, steps, blocks]: [usize; 3]) -> Option<Rows8> {
        let columns = blocks.div_ceil(8);
        let large = [rows, steps, blocks].into_iter().fold(1, usize::saturating_mul) >= LARGE;
        let pair = large && (columns.is_multiple_of(2) || columns > 8);
        let band = if rows >= 24 { 32 } else { rows.next_multiple_of(8).clamp(8, 16) };
        Rows8::fitting(caps, [rows, blocks], band, pair)
    }

    /// For an implicit product of `rows` pixels by `blocks` blocks of 4 channels in `groups`: the blocks of a subgroup must be
    /// of one group.
    pub fn implicit(caps: &Caps, rows: usize, blocks: usize, groups: usize) -> Option<Rows8> {
        if groups > 1 && !blocks.is_multiple_of(8 * groups) {
            return None;
        }
        Rows8::fitting(caps, [rows, blocks], if rows > 16 { 32 } else { 16 }, false)
    }

    fn fitting(caps: &Caps, [rows, blocks]: [usize; 2], band: usize, pair: bool) -> Option<Rows8> {
        if caps.subgroup_size != Some(8) || !caps.software || blocks <= 2 {
            return None;
        }
        let columns = blocks.div_ceil(8);
        let subgroups = rows.div_ceil(band) * if pair { columns.div_ceil(2) } else { columns };
        Some(Rows8 { rows: band, pair, subgroups })
    }

    /// Whether a lane has two blocks of columns.
    pub fn is_pair(&self) -> bool {
        self.pair
    }

    /// A launch without its bindings.
    pub fn launch(&self, kernel: &'static Kernel, batch: usize, params: Params) -> Launch {
        let launch = Launch::grid(kernel, folded(batch * self.subgroups), params);
        launch.set("ROWS", self.rows as u32).set("PAIR", u8::from(self.pair))
    }
}
