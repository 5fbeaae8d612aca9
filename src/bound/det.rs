//! Determinants by elimination with partial pivoting, whichever of nearly equal pivots is taken.

use super::{TINY, UNIT, gamma};
use crate::reference::det::det;

/// The factors computed are those of a matrix that differs by E from this one, but for the order of its rows: |E| <= gamma_(n+5)
/// |L| |U| (Higham, theorem 9.3; a quotient has 5 roundings here). With pivots |L| <= 1, and every step at most doubles the
/// largest value c of a column, so that row i of E is at most gamma_(n+5) (2^(i + 1) - 1) c, whatever the pivots were. A
/// determinant is linear in each column, and at most the product of their lengths (Hadamard): with a and e those of the columns
/// of the matrix and of E, that of the sum differs by prod (a + e) - prod a. The product of the pivots has n roundings.
pub fn bound(matrix: &[f32], n: usize) -> f32 {
    let (mut with, mut without, mut pivots) = (1.0f64, 1.0f64, 1.0f64);
    for column in 0..n {
        let values = (0..n).map(|row| f64::from(matrix[row * n + column]));
        let (largest, square) = values.fold((0.0f64, 0.0), |(most, sum), v| (most.max(v.abs()), sum + v * v));
        let errors = (0..n).map(|row| {
            let growth = 2f64.powi(row as i32 + 1);
            gamma(n + 5) * (growth - 1.0) * largest + TINY * 4.0 * growth * (1.0 + largest)
        });
        let error = errors.map(|e| e * e).sum::<f64>().sqrt();
        without *= square.sqrt();
        with *= square.sqrt() + error;
        pivots *= (2f64.powi(column as i32 + 1) * (largest + TINY)).max(1.0);
    }
    let moved = with - without;
    let bound = moved + gamma(n + 1) * (det(matrix, n).abs() + moved) + TINY * (n + 1) as f64 * pivots;
    // The conversion must not make it smaller.
    if bound.is_nan() { f32::INFINITY } else { (bound * (1.0 + 4.0 * UNIT)) as f32 }
}
