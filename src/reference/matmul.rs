//! Matrix product, in f64.

use super::products::{Blocks, LANES, Lanes, add};
use crate::parallel;

/// A matrix: element `[i, j]` is `data[i * strides[0] + j * strides[1]]`.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    strides: [usize; 2],
}

impl Matrix<'_> {
    fn at(&self, i: usize, j: usize) -> f32 {
        self.data[i * self.strides[0] + j * self.strides[1]]
    }
    fn transposed(self) -> Self {
        Matrix { strides: [self.strides[1], self.strides[0]], ..self }
    }
}

/// `y[m, n] = sum over k of a[m, k] b[k, n]` of one pair of matrices, each sum through `round`; `k` is the inner extent, `n`
/// the columns of `b`.
pub fn matmul(a: &[f32], b: &[f32], k: usize, n: usize, y: &mut [f32], round: impl Fn(f64) -> f32 + Sync) {
    if y.is_empty() {
        return;
    }
    let (m, a, b) = (y.len() / n, Matrix { data: a, strides: [k, 1] }, Matrix { data: b, strides: [n, 1] });
    // The lanes go along the longer extent.
    let wide = n >= LANES || n >= m;
    let blocks =
        if wide { blocks(a, b, [m, k, n], round) } else { blocks(b.transposed(), a.transposed(), [n, k, m], round) };
    parallel::chunks(y, n, |i, row| {
        row.iter_mut().enumerate().for_each(|(j, y)| *y = if wide { blocks.at(i, j) } else { blocks.at(j, i) });
    });
}

/// The same of integers, whose products and sums wrap.
pub fn of_integers(a: &[i64], b: &[i64], k: usize, n: usize, y: &mut [i64]) {
    if y.is_empty() {
        return;
    }
    parallel::chunks(y, n, |i, row| {
        for (j, y) in row.iter_mut().enumerate() {
            let product = |l: usize| a[i * k + l].wrapping_mul(b[l * n + j]);
            *y = (0..k).map(product).fold(0, i64::wrapping_add);
        }
    });
}

fn blocks(a: Matrix, b: Matrix, [m, k, n]: [usize; 3], round: impl Fn(f64) -> f32 + Sync) -> Blocks {
    let factors = |first: usize| -> Vec<Lanes> {
        let lanes = LANES.min(n - first);
        let mut out = vec![[0.0; LANES]; k];
        for (i, out) in out.iter_mut().enumerate() {
            out[..lanes].iter_mut().enumerate().for_each(|(j, w)| *w = b.at(i, first + j).into());
        }
        out
    };
    let sum = |i: usize, factors: &Vec<Lanes>| {
        let mut sums = [0.0; LANES];
        factors.iter().enumerate().for_each(|(j, factors)| add(&mut sums, a.at(i, j), factors));
        sums
    };
    Blocks::new([m, n], factors, sum, round)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::products::parts;

    #[test]
    fn sums_add_their_terms_in_order() {
        // Of different magnitudes, so that sums in f64 round.
        let number = |i: usize| (((i * 7919 + 31) % 1009) as f32 / 313.0 - 1.5) * [1e-4, 1.0, 1e4][i % 3];
        let numbers = |n: usize| (0..n).map(number).collect::<Vec<_>>();
        let differs = |[m, k, n]: [usize; 3], part: fn(f64) -> f32| {
            let (a, b) = (numbers(m * k), numbers(k * n));
            let sum = |i: usize, terms: &mut dyn Iterator<Item = usize>| {
                part(terms.map(|j| f64::from(a[i / n * k + j]) * f64::from(b[j * n + i % n])).fold(0.0, |s, v| s + v))
            };
            let expected: Vec<_> = (0..m * n).map(|i| sum(i, &mut (0..k))).collect();
            let mut y = vec![1.0; m * n];
            matmul(&a, &b, k, n, &mut y, part);
            assert_eq!(y, expected);
            let reversed: Vec<_> = (0..m * n).map(|i| sum(i, &mut (0..k).rev())).collect();
            reversed != expected
        };
        for sizes in [[1, 40, 50], [50, 40, 1], [19, 7, 33], [3, 100, 5], [17, 0, 3]] {
            let seen = parts().map(|part| differs(sizes, part)).contains(&true);
            assert_eq!(seen, sizes[1] > 0, "the order can be seen");
        }
    }
}
