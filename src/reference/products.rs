//! Sums of products in f64, several at a time. Each sum adds its terms in their order, so that its bits are those of a plain
//! loop.
use crate::parallel;

/// The sums that are computed together.
pub const LANES: usize = 16;

/// A factor, or a sum, of every lane.
pub type Lanes = [f64; LANES];

/// Adds the products of a number with the factors of the lanes.
#[inline(always)]
pub fn add(sums: &mut Lanes, x: f32, factors: &Lanes) {
    let x = f64::from(x);
    sums.iter_mut().zip(factors).for_each(|(sum, factor)| *sum += x * factor);
}

/// The three parts of an f64 as f32, added up in order: all its bits, for tests.
#[cfg(test)]
pub fn parts() -> [fn(f64) -> f32; 3] {
    fn rest(v: f64) -> f64 {
        v - f64::from(v as f32)
    }
    [|v| v as f32, |v| rest(v) as f32, |v| rest(rest(v)) as f32]
}

/// A matrix of f32 in blocks of [`LANES`] columns.
pub struct Blocks {
    rows: usize,
    blocks: Vec<[f32; LANES]>,
}

impl Blocks {
    /// Evaluates a matrix of sums. `factors` gives the terms of the columns from a multiple of [`LANES`] on, once for all
    /// rows; `sum` the sums of a row from these; `round` what is kept of a sum.
    pub fn new<T>(
        [rows, columns]: [usize; 2],
        factors: impl Fn(usize) -> T + Sync,
        sum: impl Fn(usize, &T) -> Lanes + Sync,
        round: impl Fn(f64) -> f32 + Sync,
    ) -> Blocks
    where
        T: Sync,
    {
        let mut blocks = vec![[0f32; LANES]; rows * columns.div_ceil(LANES)];
        parallel::chunks(&mut blocks, rows, |block, out| {
            let factors = factors(block * LANES);
            parallel::each(out, |row, out| *out = sum(row, &factors).map(&round));
        });
        Blocks { rows, blocks }
    }

    /// The element in a row and a column.
    pub fn at(&self, row: usize, column: usize) -> f32 {
        self.blocks[column / LANES * self.rows + row][column % LANES]
    }
}
