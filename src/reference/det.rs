//! Determinants of square matrices, by elimination with partial pivoting in f64.

use crate::parallel;

/// `f` of every matrix of a tensor `[.., n, n]`, and of n.
pub fn matrices(x: &[f32], shape: &[usize], f: impl Fn(&[f32], usize) -> f32 + Sync) -> Vec<f32> {
    let n = shape[shape.len() - 1];
    let count = shape[..shape.len() - 2].iter().product();
    parallel::collect(count, |i| f(&x[i * n * n..][..n * n], n))
}

/// The product of the pivots, with its sign changed by every exchange of rows. A pivot is the largest value of its column, a NaN
/// before all.
pub fn det(matrix: &[f32], n: usize) -> f64 {
    let mut rows: Vec<Vec<f64>> = matrix.chunks(n.max(1)).map(|row| row.iter().map(|&v| v.into()).collect()).collect();
    let mut det = 1.0;
    for k in 0..n {
        let size = |row: &Vec<f64>| if row[k].is_nan() { f64::INFINITY } else { row[k].abs() };
        let is_larger =
            |a: usize, b: usize| rows[a][k].is_nan() && !rows[b][k].is_nan() || size(&rows[a]) > size(&rows[b]);
        let row = (k..n).fold(k, |best, row| if is_larger(row, best) { row } else { best });
        if row != k {
            rows.swap(k, row);
            det = -det;
        }
        let (above, below) = rows.split_at_mut(k + 1);
        let pivot = &above[k];
        det *= pivot[k];
        if pivot[k] == 0.0 {
            continue;
        }
        for row in below {
            let factor = row[k] / pivot[k];
            (k + 1..n).for_each(|c| row[c] -= factor * pivot[c]);
        }
    }
    det
}
