//! Matrix products by tiles in workgroup memory, for hardware: the tile shapes, and the choice of one for a product.

use super::{Epilogue, Site};
use crate::gpu::caps::Caps;
use crate::gpu::class::Class;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, Params, SHORT_ITERATIONS, folded, nested, params};
use crate::gpu::pieces::{self, COLUMNS, CONV, EPILOGUE4, FLAT, ONE_RUN, TEAM, WORKGROUP};

/// The sizes of a tile, with the values of the smallest.
pub(super) const SIZES: &[(&str, u32)] = &[("ROW_LANES", 8), ("COLUMN_LANES", 8), ("ROWS", 4), ("BLOCKS", 1)];

/// A convolution's implicit product.
pub(super) static CONV2D: Kernel =
    kernel!("conv2d_tiled", "problem/conv2d_tiled", CONV, COLUMNS, EPILOGUE4, WORKGROUP).floats().sizes(SIZES);
/// Batches of matrix products.
pub(super) static GEMM: Kernel =
    kernel!("gemm_tiled", "problem/gemm_tiled", pieces::GEMM, COLUMNS, ONE_RUN, EPILOGUE4, WORKGROUP)
        .floats()
        .sizes(SIZES);
/// A few rows times a matrix.
pub(super) static GEMV: Kernel = kernel!("gemv", pieces::GEMM, COLUMNS, EPILOGUE4, TEAM).floats();
static SUM: Kernel = kernel!("split_k_sum", EPILOGUE4, FLAT).floats();

pub(super) const KERNELS: &[&Kernel] = &[&CONV2D, &GEMM, &GEMV, &SUM];

/// A tile shape: `ROW_LANES`, `COLUMN_LANES`, `ROWS` and `BLOCKS` of `shaders/engine/workgroup.wgsl`.
#[derive(Debug, PartialEq)]
struct Tile {
    lanes: [usize; 2],
    own: [usize; 2],
    /// Multiply-adds per second on a fully occupied compute unit, relative to the best tile.
    speed: f64,
}

/// Whether tiles come before the kernels without workgroup memory: where that is fast, unless there are many rows and fewer columns
/// than a tile has.
pub(super) fn come_first(caps: &Caps, rows: usize, columns: usize) -> bool {
    are_fast(caps) && (columns > 8 || rows <= 4)
}

/// Whether workgroup memory is faster than other memory.
pub(super) fn are_fast(caps: &Caps) -> bool {
    !caps.software && caps.max_workgroup_bytes > 0 && most_sums(caps.class) > 0
}

/// The most vec4s of sums per invocation of a tile that comes first: 16 are 8 x 8 sums, 8 are 8 x 4 or 4 x 8; 0 where register tiles
/// come first. Larger tiles come last: registers that do not suffice go to memory, which costs more than a small tile does.
fn most_sums(class: Class) -> usize {
    match class {
        Class::Nvidia => 16,               // measured: no tile spills
        Class::Rdna2 | Class::Rdna3 => 16, // compiled: 128 to 156 registers of 256, 6 waves or more
        Class::Gcn => 8,                   // compiled: with 16 there is 1 wave of 10
        Class::Intel => 8,                 // reported: 8 x 8 spilled 66 registers, and ran 2.7 times slower
        Class::Arm | Class::Broadcom => 0, // workgroup memory lies in ordinary memory
        _ => 8,                            // the safest that is still a tile
    }
}

/// Every shape, as rows x columns. The speeds, [`HALF_BUSY`], [`LAUNCH`] and [`MOVE`] are fitted to times measured on NVIDIA
/// H100 and H200 (`docs/hardware.md`).
const TILES: [Tile; 8] = [
    Tile { lanes: [16, 16], own: [8, 2], speed: 0.98 }, // 128 x 128
    Tile { lanes: [16, 16], own: [8, 1], speed: 0.98 }, // 128 x 64
    Tile { lanes: [8, 16], own: [8, 1], speed: 1.0 },   // 64 x 64
    Tile { lanes: [8, 8], own: [8, 2], speed: 0.93 },   // 64 x 64 by half as many invocations
    Tile { lanes: [16, 8], own: [8, 1], speed: 0.93 },  // 128 x 32: few channels
    Tile { lanes: [8, 16], own: [4, 2], speed: 0.95 },  // 32 x 128: few pixels
    Tile { lanes: [8, 8], own: [8, 1], speed: 0.93 },   // 64 x 32
    Tile { lanes: [8, 8], own: [4, 1], speed: 0.8 },    // 32 x 32
];

/// The numbers of splits that are compared.
const SPLITS: [usize; 10] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
/// The fewest blocks of the inner dimension per split.
const SHARE: usize = 16;
/// Invocations that keep a compute unit half busy: with n of them it reaches n / (n + this) of its speed.
const HALF_BUSY: f64 = 56.0;
/// The cost of another launch, in multiply-adds of a compute unit: about 2 us.
const LAUNCH: f64 = 2.7e5;
/// The cost of moving a number to or from memory, in multiply-adds.
pub(super) const MOVE: f64 = 25.0;

/// `matrices` products of `rows` rows by `blocks` blocks of 4 columns; the inner dimension is `steps` blocks of 4.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    pub matrices: usize,
    pub rows: usize,
    pub blocks: usize,
    pub steps: usize,
}

/// A way to compute a [`Product`]: a tile, and the steps of a split.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    tile: &'static Tile,
    share: usize,
    /// The number of workgroups that share the inner dimension of a tile.
    pub splits: usize,
    /// The estimated time, in multiply-adds of a compute unit.
    pub cost: f64,
}

impl Product {
    /// `Gemm` of `shaders/shared/gemm.wgsl`; what only tiles in workgroup memory read is 0.
    pub fn gemm(&self) -> Params {
        let Product { matrices, rows, blocks, steps } = *self;
        params!(batch: matrices, rows, ic4: steps, oc4: blocks, share: 0u32, splits: 0u32)
    }

    /// Every suitable tile shape with the best number of splits for it, best first; with splits only where tiles of 64
    /// x 64 would not give every compute unit two workgroups, or the loops would be too long for the device. The order
    /// depends on the sizes, `caps.class`, `caps.compute_units` and `caps.max_iterations` alone. Partial sums fit one binding.
    pub fn choices(&self, caps: &Caps) -> Vec<Choice> {
        self.ordered(caps, &SPLITS)
    }

    /// The choices without splits.
    pub fn unsplit(&self, caps: &Caps) -> Vec<Choice> {
        self.ordered(caps, &[1])
    }

    fn ordered(&self, caps: &Caps, splits: &[usize]) -> Vec<Choice> {
        let units = caps.compute_units as usize;
        let fits = |c: &Choice| c.splits == 1 || self.parts(c.splits) as u64 <= caps.max_binding_bytes;
        let long = |c: &Choice| c.is_too_long(caps);
        let few = self.groups(&TILES[2], 1) < 2 * units || long(&self.choice(&TILES[2], 1, units));
        let splits = if few { splits } else { &[1] };
        // Along either axis, a tile is at most twice as large as needed.
        let eligible = |t: &&Tile| t.rows() < 2 * self.rows.max(32) && t.blocks() < 2 * self.blocks.max(8);
        let mut out: Vec<Choice> = TILES
            .iter()
            .filter(eligible)
            .filter_map(|tile| {
                let choices = splits.iter().map(|&n| self.choice(tile, n, units));
                choices.filter(fits).min_by(|a, b| long(a).cmp(&long(b)).then(a.cost.total_cmp(&b.cost)))
            })
            .collect();
        let large = |c: &Choice| c.tile.own[0] * c.tile.own[1] > most_sums(caps.class).max(8);
        out.sort_by(|a, b| large(a).cmp(&large(b)).then(a.cost.total_cmp(&b.cost)));
        out
    }

    /// The cost is the time of the compute unit with the most workgroups: the multiply-adds of its tiles, divided by
    /// its utilisation, which grows with its invocations; and another launch if there are splits to add.
    fn choice(&self, tile: &'static Tile, splits: usize, units: usize) -> Choice {
        let most = (self.steps / SHARE).clamp(1, splits);
        let share = self.steps.div_ceil(most).next_multiple_of(4).max(4);
        let splits = self.steps.div_ceil(share).max(1);
        let groups = self.groups(tile, splits).div_ceil(units) as f64;
        let [outputs, own] = [tile.rows() * tile.blocks(), tile.own[0] * tile.own[1]].map(|n| 4.0 * n as f64);
        let products = (groups * outputs + HALF_BUSY * own) * 4.0 * share as f64 / tile.speed;
        let numbers = (self.matrices * self.rows * self.blocks) as f64 * 4.0 * (splits + 1) as f64;
        let sum = if splits > 1 { LAUNCH + MOVE * numbers / units as f64 } else { 0.0 };
        Choice { tile, share, splits, cost: products + sum }
    }

    fn groups(&self, tile: &Tile, splits: usize) -> usize {
        self.matrices * self.rows.div_ceil(tile.rows()) * self.blocks.div_ceil(tile.blocks()) * splits
    }

    /// Bytes of the partial sums of `splits` splits.
    fn parts(&self, splits: usize) -> usize {
        [splits, self.matrices, self.rows, self.blocks, 16].into_iter().fold(1, usize::saturating_mul)
    }
}

impl Tile {
    fn rows(&self) -> usize {
        self.lanes[0] * self.own[0]
    }
    fn blocks(&self) -> usize {
        self.lanes[1] * self.own[1]
    }
}

impl Choice {
    /// Per iteration, four products and at most four steps to the next tap.
    fn iterations(&self) -> u64 {
        nested(&[self.share.div_ceil(4) + 1, 4 + 4 + 1])
    }

    /// Whether the loops are too long for the device.
    pub fn is_too_long(&self, caps: &Caps) -> bool {
        !caps.has_iterations(self.iterations() + SHORT_ITERATIONS)
    }

    /// The launch of a kernel of `shaders/engine/workgroup.wgsl`, without its bindings and its epilogue. `params` are those
    /// of the problem, with `share` and `splits`.
    pub fn launch(&self, kernel: &'static Kernel, product: &Product, params: Params) -> Launch {
        let params = params.having("share", self.share).having("splits", self.splits);
        let [row_lanes, column_lanes, own_rows, own_blocks] =
            [self.tile.lanes[0], self.tile.lanes[1], self.tile.own[0], self.tile.own[1]].map(|n| n as u32);
        Launch::grid(kernel, folded(product.groups(self.tile, self.splits)), params)
            .iterations(self.iterations())
            .set_const("ROW_LANES", row_lanes)
            .set_const("COLUMN_LANES", column_lanes)
            .set_const("ROWS", own_rows)
            .set_const("BLOCKS", own_blocks)
    }

    /// The launches of a node, given the first without its epilogue, and the bytes of its scratch. With splits, another
    /// launch adds the parts in order and applies the epilogue.
    pub fn run(
        &self,
        product: &Product,
        launch: Launch,
        site: &Site<'_>,
        bias: Option<Arg>,
    ) -> (Vec<Launch>, Vec<usize>) {
        let oc4 = product.matrices * product.blocks;
        let channels = site.outputs[0].shape[1];
        let finished =
            |launch: Launch| site.epilogue.attach(launch.writes([Arg::Output(0)]), channels, site.inputs, bias);
        if self.splits == 1 {
            return (vec![finished(launch)], vec![]);
        }
        let parts = Epilogue::NONE.attach(launch.writes([Arg::Scratch(0)]), channels, &[], None);
        let parts = Launch { sums: true, ..parts };
        let count = product.rows * oc4;
        let params = params!(count, splits: self.splits, oc4);
        let sum = Launch::flat(&SUM, count, params).reads([Arg::Scratch(0)]);
        (vec![parts, finished(sum)], vec![product.parts(self.splits)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discrete() -> Caps {
        Caps { compute_units: 128, class: Class::Nvidia, ..Caps::webgpu_default() }
    }

    fn best(matrices: usize, rows: usize, columns: usize, inner: usize) -> ([usize; 2], usize) {
        let product = Product { matrices, rows, blocks: columns / 4, steps: inner / 4 };
        let choice = product.choices(&discrete()).remove(0);
        ([choice.tile.rows(), 4 * choice.tile.blocks()], choice.splits)
    }

    #[test]
    fn the_fastest_tile_that_keeps_every_unit_busy_is_taken_then_splits() {
        assert_eq!(best(1, 100_352, 256, 1152), ([64, 64], 1));
        assert_eq!(best(1, 100_352, 32, 288), ([64, 32], 1));
        assert_eq!(best(1, 3_136, 64, 64), ([32, 32], 1));
        assert_eq!(best(36, 784, 256, 256), ([64, 64], 1));
        let (tile, splits) = best(1, 49, 512, 4608);
        assert!(tile == [64, 64] && splits > 4, "{tile:?} {splits}");
        let (tile, splits) = best(1, 16, 4096, 4096);
        assert!(tile == [32, 128] && splits > 1, "{tile:?} {splits}");
    }

    #[test]
    fn a_class_that_would_spill_gets_small_tiles_first_and_keeps_the_others() {
        let product = Product { matrices: 1, rows: 100_352, blocks: 128, steps: 288 };
        // The most sums first, and whether tiles come first at all.
        let classes = [
            (Class::Nvidia, 16, true),
            (Class::Rdna2, 16, true),
            (Class::Rdna3, 16, true),
            (Class::Gcn, 8, true),
            (Class::Intel, 8, true),
            (Class::Apple, 8, true),
            (Class::Qualcomm, 8, true),
            (Class::Unknown, 8, true),
            (Class::Arm, 0, false),
            (Class::Broadcom, 0, false),
        ];
        for (class, sums, tiles) in classes {
            let choices = product.choices(&Caps { class, ..discrete() });
            let large: Vec<_> = choices.iter().map(|c| c.tile.own == [8, 2]).collect();
            assert_eq!(choices.len(), TILES.len(), "{class}");
            assert_eq!(large.is_sorted(), sums < 16, "{class}: {large:?}");
            assert_eq!(come_first(&Caps { class, ..discrete() }, 100, 64), tiles, "{class}");
        }
    }

    #[test]
    fn splits_cover_the_inner_dimension_once_and_fit_a_binding() {
        for (rows, blocks, steps) in [(1, 1, 1), (49, 128, 1152), (7, 9, 100), (5000, 300, 67), (0, 4, 4), (3, 2, 0)] {
            let caps = Caps { max_binding_bytes: 1 << 20, ..discrete() };
            let product = Product { matrices: 1, rows, blocks, steps };
            let choices = product.choices(&caps);
            assert!(choices.iter().any(|c| c.tile.rows() == 32), "{choices:?}");
            for c in &choices {
                assert!(c.share.is_multiple_of(4) && c.share * c.splits >= steps, "{c:?}");
                assert!(c.splits == 1 || c.share * (c.splits - 1) < steps, "{c:?}");
                assert!(c.splits == 1 || product.parts(c.splits) <= 1 << 20, "{c:?}");
            }
        }
    }

    #[test]
    fn splits_are_as_many_as_a_limit_of_iterations_needs() {
        let product = Product { matrices: 1, rows: 10_000, blocks: 1, steps: 90_000 };
        let software = Caps { compute_units: 4, ..Caps::webgpu_default() };
        let most = |caps: &Caps| product.choices(caps).iter().map(|c| c.iterations() + SHORT_ITERATIONS).max().unwrap();
        assert!(most(&software) > 65_535);
        assert!(most(&Caps { max_iterations: Some(65_535), ..software }) <= 65_535);
    }

    /// The requirements of `shaders/engine/workgroup.wgsl` on a tile shape, and WebGPU's default limits.
    #[test]
    fn every_shape_of_tile_is_one_that_the_shader_can_do() {
        for t in &TILES {
            let ([row_lanes, column_lanes], [rows, blocks]) = (t.lanes, t.own);
            assert!([1, 2, 4].map(|n| n * rows).contains(&column_lanes), "{t:?}");
            assert!([1, 2, 4].map(|n| 4 * n * blocks).contains(&row_lanes) && row_lanes.is_multiple_of(8), "{t:?}");
            assert!([4, 8].contains(&rows) && [1, 2].contains(&blocks), "{t:?}");
            assert!(row_lanes * column_lanes <= 256 && (4 * t.rows() + 16 * t.blocks()) * 16 <= 16 << 10, "{t:?}");
        }
    }
}
