//! Element-wise comparison of a tensor with its expected value.

use std::fmt;

use crate::bound::UNIT;
use crate::error::{Error, ErrorKind, Result};
use crate::shape::unravel;
use crate::tensor::Tensor;

/// An element outside its bound.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mismatch {
    /// Where it is, outermost axis first.
    pub index: Vec<usize>,
    /// The actual value.
    pub actual: f64,
    /// The expected value.
    pub expected: f64,
    /// The bound of the error.
    pub bound: f64,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { index, bound, .. } = self;
        let short = |v: f64| if f64::from(v as f32) == v { (v as f32).to_string() } else { v.to_string() };
        let [actual, expected] = [self.actual, self.expected].map(short);
        write!(f, "at {index:?}: {actual}, expected {expected} (bound {bound:.3e})")
    }
}

/// Element-wise comparison of a tensor with its expected value.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "a comparison checks nothing unless its result is used"]
pub struct Comparison {
    /// Elements compared.
    pub elements: usize,
    /// Elements outside their bound.
    pub wrong: usize,
    /// The largest ratio of error to bound: above 1 if an element is wrong, infinite if that element has no finite ratio;
    /// NaN if the bounds are not known and nothing is wrong whatever they are.
    pub worst: f64,
    /// The largest difference of elements that are finite in both.
    pub difference: f64,
    /// Whether there are bounds to judge the differences by: false for an operator whose bounds are not known.
    pub judged: bool,
    /// Elements that are NaN or infinite in both, and equal: that says little about what computed them.
    pub nonfinite: usize,
    /// The first 16 wrong elements.
    pub first: Vec<Mismatch>,
    /// The difference of shape or type, if any; then no element was compared.
    pub mismatch: Option<String>,
}

/// Compares element by element: `|actual - expected| <= bound`, where NaN equals NaN and infinities equal themselves.
/// `bounds` has one absolute bound per element. An expected value rounded to f32 adds half an ulp to a bound that is not 0.
///
/// ```
/// use convgpu::{Tensor, verify::compare};
///
/// let expected = Tensor::new([2], vec![1.0f32, 2.0])?;
/// let actual = Tensor::new([2], vec![1.0f32, 2.5])?;
/// assert!(compare(&actual, &expected, &[0.0, 0.5]).ok());
/// assert_eq!(compare(&actual, &expected, &[0.0, 0.1]).first[0].index, [1]);
/// # Ok::<(), convgpu::Error>(())
/// ```
pub fn compare(actual: &Tensor, expected: &Tensor, bounds: &[f32]) -> Comparison {
    if actual.desc() != expected.desc() || bounds.len() != expected.numel() {
        let text = format!("is {}, expected {}", actual.desc(), expected.desc());
        return Comparison::mismatched(expected.numel(), text);
    }
    let mut out = Comparison::of(expected.numel());
    for (i, ((a, e), &b)) in actual.iter_f64s().zip(expected.iter_f64s()).zip(bounds).enumerate() {
        let bound = around(e, b);
        let error = (a - e).abs();
        if a == e || (a.is_nan() && e.is_nan()) {
            out.nonfinite += usize::from(!e.is_finite());
            continue;
        }
        let ratio = error / bound;
        out.difference = if error.is_finite() { out.difference.max(error) } else { out.difference };
        if error <= bound && a.is_finite() && e.is_finite() {
            // An infinite bound holds for every number.
            out.worst = out.worst.max(if ratio.is_nan() { 0.0 } else { ratio });
            continue;
        }
        out.wrong += 1;
        out.worst = if ratio > 1.0 { out.worst.max(ratio) } else { f64::INFINITY };
        if out.first.len() < 16 {
            let index = unravel(i, expected.shape());
            out.first.push(Mismatch { index, actual: a, expected: e, bound });
        }
    }
    out
}

/// The bound of an expected value that was rounded to f32.
fn around(expected: f64, bound: f32) -> f64 {
    f64::from(bound) + if bound > 0.0 { UNIT * expected.abs() } else { 0.0 }
}

/// Whether [`compare`] takes an element for right.
pub(crate) fn is_right(actual: f64, expected: f64, bound: f32) -> bool {
    let equal = actual == expected || (actual.is_nan() && expected.is_nan());
    equal || ((actual - expected).abs() <= around(expected, bound) && actual.is_finite() && expected.is_finite())
}

/// Compares where the bounds are not known: differences of numbers are not judged. An element that is finite in one of the
/// two only is wrong, since no bound allows that.
pub(crate) fn show(actual: &Tensor, expected: &Tensor) -> Comparison {
    let mut out = compare(actual, expected, &vec![f32::INFINITY; expected.numel()]);
    out.judged = false;
    if out.ok() {
        out.worst = f64::NAN;
    }
    out
}

/// The largest ratio of error to bound of several comparisons; NaN if the bounds of one are not known and nothing is wrong.
pub(crate) fn worst(comparisons: &[Comparison]) -> f64 {
    let largest = comparisons.iter().map(|c| c.worst).fold(0.0, f64::max);
    let unknown = comparisons.iter().any(|c| c.worst.is_nan());
    if unknown && largest <= 1.0 { f64::NAN } else { largest }
}

impl Comparison {
    /// Nothing compared yet.
    fn of(elements: usize) -> Comparison {
        Comparison {
            elements,
            wrong: 0,
            worst: 0.0,
            difference: 0.0,
            judged: true,
            nonfinite: 0,
            first: vec![],
            mismatch: None,
        }
    }
    /// Of results that are wrong as a whole.
    pub(crate) fn mismatched(elements: usize, why: String) -> Comparison {
        Comparison { mismatch: Some(why), worst: f64::INFINITY, ..Comparison::of(elements) }
    }
    /// Whether every element is within its bound; if it is not known ([`Comparison::judged`]), within any bound.
    pub fn ok(&self) -> bool {
        self.wrong == 0 && self.mismatch.is_none()
    }
    /// Whether there is something to check: false if elements were expected and none of them is finite.
    pub fn checkable(&self) -> bool {
        self.elements == 0 || self.nonfinite < self.elements
    }
    /// In one line: how many elements are wrong, and the first of them.
    pub fn summary(&self) -> String {
        match (&self.mismatch, &self.first[..]) {
            (Some(mismatch), _) => mismatch.clone(),
            (None, []) => self.count(),
            (None, [first, ..]) => format!("{}; {first}", self.count()),
        }
    }
    fn count(&self) -> String {
        format!("{} of {} elements wrong", self.wrong, self.elements)
    }
    /// An error that shows the first wrong elements.
    ///
    /// # Errors
    /// There is a wrong element.
    pub fn into_result(self) -> Result<Comparison> {
        if self.ok() { Ok(self) } else { Err(Error::new(ErrorKind::Check, self.to_string())) }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mismatch) = &self.mismatch {
            return f.write_str(mismatch);
        }
        f.write_str(&self.count())?;
        self.first.iter().try_for_each(|m| write!(f, "\n  {m}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_ratio_counts_wrong_elements() {
        let expected = Tensor::from([1.0f32, 2.0, 0.0]);
        let wrong = |values: [f32; 3]| compare(&Tensor::from(values), &expected, &[1e-3; 3]);
        let c = wrong([1.0, 2.5, 0.0]);
        assert!(c.wrong == 1 && c.worst > 499.0 && c.worst < 501.0, "{c:?}");
        assert_eq!(wrong([1.0, f32::NAN, 0.0]).worst, f64::INFINITY);
        let c = wrong([1.0005, 2.0, 0.0]);
        assert!(c.ok() && c.worst > 0.4 && c.worst < 0.6, "{c:?}");
        let integers = compare(&Tensor::from([1i32, 2]), &Tensor::from([1i32, 3]), &[0.0; 2]);
        assert_eq!((integers.wrong, integers.worst), (1, f64::INFINITY));
        assert_eq!(integers.summary(), "1 of 2 elements wrong; at [1]: 2, expected 3 (bound 0.000e0)");
        assert!(wrong([1.1, 2.0, 0.0]).summary().contains("at [0]: 1.1, expected 1 (bound "));
    }

    #[test]
    fn without_bounds_numbers_are_not_judged() {
        let of = |a: [f32; 2]| show(&Tensor::from(a), &Tensor::from([1.0, -2.0]));
        let c = of([1.0, 1e30]);
        assert!(c.ok() && !c.judged && c.worst.is_nan() && c.difference > 9e29, "{c:?}");
        for stray in [f32::NAN, f32::INFINITY] {
            let c = of([1.5, stray]);
            assert!(!c.ok() && !c.judged && c.wrong == 1 && c.worst > 1.0 && c.difference == 0.5, "{c:?}");
        }
        let c = compare(&Tensor::from([1.0f32, 3.0]), &Tensor::from([1.0f32, -2.0]), &[9.0; 2]);
        assert!(c.ok() && c.judged && c.difference == 5.0, "{c:?}");
    }

    #[test]
    fn what_is_not_finite_is_counted_and_never_within_a_bound() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let of = |a: [f32; 2], e: [f32; 2], bound| compare(&Tensor::from(a), &Tensor::from(e), &[bound; 2]);
        let c = of([nan, 1.0], [nan, 1.0], 1.0);
        assert!(c.ok() && c.nonfinite == 1 && c.checkable());
        let c = of([nan, inf], [nan, inf], 1.0);
        assert!(c.ok() && c.nonfinite == 2 && !c.checkable());
        for (a, e) in [(nan, 1.0), (inf, 1.0), (1.0, nan), (1.0, inf), (inf, -inf), (nan, inf)] {
            let c = of([a, 0.0], [e, 0.0], inf);
            assert!(c.wrong == 1 && c.worst > 1.0, "{a} for {e}: {c:?}");
        }
    }
}
