//! Tensors as text, in the style of NumPy: nested rows, shortened if they are long.

use std::fmt;

use super::{Data, Elements, Tensor, for_each_type};
use crate::shape::numel;

/// Tensors with more elements are shortened.
const WHOLE: usize = 200;
/// Entries that a shortened axis shows at either end.
const EDGE: usize = 3;
/// Digits after the decimal point, unless the format has a precision.
const DIGITS: usize = 4;

/// `{:.2}` sets the digits after the decimal point.
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = self.numel() > WHOLE;
        let mut shown = vec![];
        visit(&self.shape, 0, cut, &mut |i| shown.push(i));
        let texts = texts(&self.data, &shown, f.precision().unwrap_or(DIGITS));
        let width = texts.iter().map(String::len).max().unwrap_or(0);
        let mut texts = texts.into_iter();
        nest(f, &self.shape, 0, cut, &mut |f| write!(f, "{:>width$}", texts.next().unwrap_or_default()))?;
        write!(f, " {}", self.desc())
    }
}

/// The description and the first elements.
impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.desc(), self.data)
    }
}

/// The first elements.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn first<T: fmt::Debug>(f: &mut fmt::Formatter<'_>, values: &[T]) -> fmt::Result {
            let shown = &values[..values.len().min(8)];
            write!(f, "{shown:?}{}", if values.len() > shown.len() { ", .." } else { "" })
        }
        for_each_type!(self, v => first(f, v))
    }
}

/// The positions along an axis that are shown; `None` for a gap.
fn along(extent: usize, cut: bool) -> Vec<Option<usize>> {
    if !cut || extent <= 2 * EDGE {
        return (0..extent).map(Some).collect();
    }
    (0..EDGE).map(Some).chain([None]).chain((extent - EDGE..extent).map(Some)).collect()
}

/// Calls `take` with the flat position of every element that is shown.
fn visit(shape: &[usize], at: usize, cut: bool, take: &mut impl FnMut(usize)) {
    let Some((&extent, inner)) = shape.split_first() else { return take(at) };
    along(extent, cut).into_iter().flatten().for_each(|i| visit(inner, at + i * numel(inner), cut, take));
}

/// Writes the brackets, and calls `element` for the elements.
fn nest(
    f: &mut fmt::Formatter<'_>,
    shape: &[usize],
    depth: usize,
    cut: bool,
    element: &mut impl FnMut(&mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    let Some((&extent, inner)) = shape.split_first() else { return element(f) };
    f.write_str("[")?;
    for (k, entry) in along(extent, cut).into_iter().enumerate() {
        match inner.len() {
            _ if k == 0 => {}
            0 => f.write_str(", ")?,
            // One more line break per axis.
            lines => write!(f, ",{}{:indent$}", "\n".repeat(lines), "", indent = depth + 1)?,
        }
        match entry {
            Some(_) => nest(f, inner, depth + 1, cut, element)?,
            None => f.write_str("..")?,
        }
    }
    f.write_str("]")
}

fn texts(data: &Data, shown: &[usize], digits: usize) -> Vec<String> {
    fn each<T: fmt::Display>(values: &[T], shown: &[usize]) -> Vec<String> {
        shown.iter().map(|&i| values[i].to_string()).collect()
    }
    fn floats<T: Elements>(values: &[T], shown: &[usize], digits: usize) -> Vec<String> {
        let numbers: Vec<f64> = shown.iter().map(|&i| values[i].number()).collect();
        let sizes = || numbers.iter().map(|x| x.abs()).filter(|x| x.is_finite() && *x > 0.0);
        let (small, large) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
        // Exponents are used if fixed digits would lose the smallest values or make the largest too long.
        let exponents = small < 1e-3 && large < 1.0 || large >= 1e6 || large / small > 1e8;
        let text = |x: &f64| if exponents { format!("{x:.digits$e}") } else { format!("{x:.digits$}") };
        numbers.iter().map(text).collect()
    }
    match data {
        Data::F32(v) => floats(v, shown, digits),
        Data::F64(v) => floats(v, shown, digits),
        Data::F16(v) => floats(v, shown, digits),
        Data::BF16(v) => floats(v, shown, digits),
        data => for_each_type!(data, v => each(v, shown)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_aligned_and_planes_apart() {
        let t = Tensor::from([[1.0f32, -2.5], [30.0, f32::NAN]]);
        assert_eq!(t.to_string(), "[[ 1.0000, -2.5000],\n [30.0000,     NaN]] f32[2, 2]");
        assert_eq!(format!("{t:.1}"), "[[ 1.0, -2.5],\n [30.0,  NaN]] f32[2, 2]");
        let t = Tensor::from([[[1i32, -20]], [[3, 4]]]);
        assert_eq!(t.to_string(), "[[[  1, -20]],\n\n [[  3,   4]]] i32[2, 1, 2]");
        assert_eq!(Tensor::from([true, false]).to_string(), "[ true, false] bool[2]");
    }

    #[test]
    fn scalars_and_empty_tensors() {
        assert_eq!(Tensor::scalar(7i64).to_string(), "7 i64[]");
        assert_eq!(Tensor::zeros([0, 3]).to_string(), "[] f32[0, 3]");
        assert_eq!(Tensor::zeros([2, 0]).to_string(), "[[],\n []] f32[2, 0]");
    }

    #[test]
    fn magnitudes_choose_the_form() {
        assert_eq!(Tensor::from([1e-5f32, 0.0]).to_string(), "[1.0000e-5,  0.0000e0] f32[2]");
        assert_eq!(Tensor::from([2.5e7f32, f32::INFINITY]).to_string(), "[2.5000e7,      inf] f32[2]");
        assert_eq!(Tensor::from([1e-5f32, 1.0]).to_string(), "[0.0000, 1.0000] f32[2]");
    }

    #[test]
    fn long_tensors_are_cut() {
        let t = Tensor::from((0..1000i64).collect::<Vec<_>>());
        assert_eq!(t.to_string(), "[  0,   1,   2, .., 997, 998, 999] i64[1000]");
        let t = Tensor::zeros([1, 3, 64, 64]).to_string();
        assert_eq!((t.lines().count(), t.matches("0.0000").count()), (3 * 7 + 2, 3 * 6 * 6), "{t}");
        let whole = Tensor::from((0..200i64).collect::<Vec<_>>()).to_string();
        assert!(whole.contains("100") && !whole.contains(".."), "{whole}");
        assert_eq!(format!("{:?}", Tensor::zeros([9])), "f32[9] [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], ..");
        assert_eq!(format!("{:?}", Tensor::from([1i32])), "i32[1] [1]");
    }
}
