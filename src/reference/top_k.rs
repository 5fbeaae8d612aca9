//! The most extreme values of a list, in order.

use std::cmp::Ordering;

use super::reduce::is_nan;

/// Indices of the `k` largest values (or smallest), the most extreme first: NaN is larger than any number, equal values keep their
/// order.
pub fn top_k<T: PartialOrd + Copy>(x: &[T], k: usize, smallest: bool) -> Vec<usize> {
    let before = |a: T, b: T| match (is_nan(a), is_nan(b)) {
        (true, true) => Ordering::Equal,
        (true, false) if smallest => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, true) if smallest => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ if smallest => a.partial_cmp(&b).expect("both are numbers"),
        _ => b.partial_cmp(&a).expect("both are numbers"),
    };
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&i, &j| before(x[i], x[j]));
    order.truncate(k);
    order
}
