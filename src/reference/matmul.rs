//! Matrix product, in f64.

use rayon::prelude::*;

/// `y[m, n] = sum over k of a[m, k] b[k, n]` of one pair of matrices; `k` is the inner extent, `n` the columns of `b`.
pub fn matmul(a: &[f32], b: &[f32], k: usize, n: usize, y: &mut [f64]) {
    y.par_chunks_mut(n.max(1)).enumerate().for_each(|(m, row)| {
        for (i, &x) in a[m * k..][..k].iter().enumerate() {
            for (y, &w) in row.iter_mut().zip(&b[i * n..]) {
                *y += f64::from(x) * f64::from(w);
            }
        }
    });
}
