//! What the elements of a tensor are like.

use std::fmt;

use convgpu::{DType, Tensor};
use serde_json::{Value, json};

use crate::numbers;

/// The elements of a tensor; NaN and infinities are counted and otherwise left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// The smallest, the mean and the largest finite element; `None` if there is none, and of booleans.
    finite: Option<(f64, f64, f64)>,
    pub nan: usize,
    pub infinite: usize,
}

impl Statistics {
    pub fn of(tensor: &Tensor) -> Statistics {
        if tensor.dtype() == DType::Bool {
            return Statistics { finite: None, nan: 0, infinite: 0 };
        }
        // Large results are not copied.
        match tensor.as_f32() {
            Ok(values) => Statistics::over(values.iter().map(|&v| f64::from(v))),
            Err(_) => Statistics::over(tensor.to_f64s().into_iter()),
        }
    }

    /// Whether there are elements, and none is finite.
    pub fn is_nowhere_finite(&self) -> bool {
        self.finite.is_none() && self.nan + self.infinite > 0
    }

    fn over(values: impl Iterator<Item = f64>) -> Statistics {
        let (mut low, mut high, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        let (mut count, mut nan, mut infinite) = (0usize, 0, 0);
        for v in values {
            if v.is_finite() {
                (low, high, sum, count) = (low.min(v), high.max(v), sum + v, count + 1);
            } else if v.is_nan() {
                nan += 1;
            } else {
                infinite += 1;
            }
        }
        Statistics { finite: (count > 0).then(|| (low, sum / count as f64, high)), nan, infinite }
    }

    /// How many elements are not finite, behind other text.
    pub fn not_finite(&self) -> String {
        let counts = [(self.nan, "NaN"), (self.infinite, "infinite")];
        counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!(", {n} {what}")).collect()
    }

    pub fn as_json(&self) -> Value {
        let of = |pick: fn((f64, f64, f64)) -> f64| self.finite.map(|f| numbers::json(pick(f)));
        json!({ "min": of(|f| f.0), "mean": of(|f| f.1), "max": of(|f| f.2), "nan": self.nan, "infinite": self.infinite })
    }
}

/// As what follows the description of a tensor.
impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((low, _, high)) = self.finite {
            write!(f, " in {} .. {}", numbers::short(low), numbers::short(high))?;
        }
        f.write_str(&self.not_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_counted_and_left_out() {
        let text = |values: &[f32]| Statistics::of(&Tensor::from(values)).to_string();
        assert_eq!(text(&[1.0, -2.5, 4e-9]), " in -2.5 .. 1");
        assert_eq!(text(&[1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]), " in 1 .. 1, 1 NaN, 2 infinite");
        assert_eq!(text(&[f32::NAN, f32::NAN]), ", 2 NaN");
        assert_eq!(text(&[]), "");
        let json = Statistics::of(&Tensor::from([3.0f32, f32::NAN, 1.0])).as_json();
        assert_eq!(json, json!({ "min": 1.0, "mean": 2.0, "max": 3.0, "nan": 1, "infinite": 0 }));
        assert_eq!(Statistics::of(&Tensor::from([true])).to_string(), "");
    }
}
