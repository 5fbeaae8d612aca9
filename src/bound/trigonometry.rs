//! Trigonometric and hyperbolic functions: the roundings of `shaders/trigonometry.wgsl` and its pieces, and the accuracies that
//! WGSL promises.

use super::{TINY, UNIT};
use crate::attr::Trigonometric::{self, *};
use std::f64::consts::{FRAC_PI_2, LN_2, PI};

/// The relative error of `sqrt((1 - a) (1 + a))` in units: three roundings, of which the root takes a half, and 9 of `sqrt`.
const OTHER_SIDE: f64 = 10.5;

impl Trigonometric {
    /// The largest absolute error of an f32 evaluation of `f(x)`; 0 where that is not finite.
    pub fn bound(self, x: f64) -> f64 {
        let (a, y) = (x.abs(), self.eval(x).abs());
        if !y.is_finite() {
            return 0.0;
        }
        let units = match self {
            Tan => return tangent(x),
            Atan => angle(y, 0.0),
            Asin => angle(y, OTHER_SIDE),
            // Pi, which is not an f32, and the difference from it.
            Acos if x < 0.0 => angle(PI - y, OTHER_SIDE) + 1.5 + y,
            Acos => angle(y, OTHER_SIDE),
            // The series: a correction of at most 0.18 with 7 roundings, a sum and a product.
            Sinh if a < 1.0 => 4.0 * y,
            Sinh => exponentials(a, -1.0) * y,
            Cosh => exponentials(a, 1.0) * y,
            // z = a + a^2 / (1 + sqrt(1 + a^2)): the quotient, half of z at most, errs by 17 u.
            Asinh => log1p(y, 10.0),
            // z = t + sqrt(t (t + 2)), t = x - 1: the root has two roundings and its own 9 u.
            Acosh => log1p(y, 12.0),
            // Half of that, z = 2 a / (1 - a).
            Atanh => 0.5 * log1p(2.0 * y, 6.0),
        };
        units * UNIT + TINY
    }
}

/// The absolute error, in units, of an angle y of two sides whose ratio errs by `ratio`, which changes the angle by sin y cos y
/// as much. The polynomial of a t within tan(pi / 8) errs by 2 u: 0.4 u of its own [Cephes], the last sum, and the roundings of a
/// correction of at most 0.06 t. Below pi / 8 t is a quotient, 5 u; above, two sides of the quotient are rounded, too, 7 u of a t
/// up to 0.42, and pi / 4 and sums of at most 1.2 (or a quotient, pi / 2, and a sum of at most 1.6) come to it.
fn angle(y: f64, ratio: f64) -> f64 {
    let own = if y < 0.39 { 7.0 * y } else { 6.1 };
    own + ratio * (2.0 * y).sin().abs() / 2.0
}

/// The absolute error, in units, of y = log(1 + z) whose z errs by `ratio`, relatively. Up to z = 1 a quotient, a series with a
/// correction below 0.04, and their product; above, `log`, 6 u and at 2 itself 8 u, and the rounding of 1 + z; beyond 8192 the
/// sum of log z and log 2.
fn log1p(y: f64, ratio: f64) -> f64 {
    let own = if y < 0.69 { 9.0 * y } else { f64::max(7.0 * y, 8.0) + 1.0 };
    own - ratio * (-y).exp_m1()
}

/// The relative error of e^(a - log 2) +- e^-a / 2 in units: the exponentials, 6 + 4 |z| each, the rounding of a - log 2, and
/// the sum.
fn exponentials(a: f64, sign: f64) -> f64 {
    // The second exponential by the first.
    let share = (-2.0 * a).exp();
    let (first, second) = (6.1 + 5.0 * (a - LN_2).abs(), 6.0 + 4.0 * a);
    (first + second * share) / (1.0 + sign * share) + 1.0
}

/// The tangent: sine and cosine err by 2 u and 4.2 u, their quotient by 5 u. The reduced angle r has an error d: of its last
/// rounding, and up to 2^13 quarter turns q of q times the third part of pi / 2, by its rounding and what the three parts
/// lack, 6.3e-15 q; beyond, `bound::sine` has the error. By the addition theorem it changes y by tan d (1 + y^2) / (1 - |y| tan d).
fn tangent(x: f64) -> f64 {
    let y = x.tan().abs();
    let q = (x / FRAC_PI_2).round();
    let r = x - q * FRAC_PI_2;
    let far = if x.abs() < 8192.0 { 0.0 } else { 8.0 * UNIT * x.abs() };
    // A device may take the neighbour of q where r is near pi / 4.
    let d = 1.01 * UNIT * r.abs() + 6.3e-15 * q.abs() + far;
    let t = d.tan();
    if d > 0.5 || y * t >= 1.0 {
        return f64::INFINITY;
    }
    let moved = t * (1.0 + y * y) / (1.0 - y * t);
    moved + 12.0 * UNIT * (y + moved) + TINY
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative to the result, in units: few near 0, more where exponentials are large.
    #[test]
    fn small_results_keep_their_digits() {
        for f in [Tan, Asin, Atan, Sinh, Asinh, Atanh] {
            let units = f.bound(1e-20) / UNIT / 1e-20;
            assert!(units < 26.0, "{f:?}: {units}");
        }
        assert_eq!(Acos.bound(1.0), TINY);
        assert_eq!(Acosh.bound(1.0), TINY);
        assert!(Cosh.bound(80.0) / UNIT / 80f64.cosh() > 5.0 * 79.0);
    }

    /// At a pole the error of the angle counts by the slope; where the angle has none of its digits, nothing is promised.
    #[test]
    fn a_tangent_errs_most_at_its_poles() {
        let relative = |x: f32| Tan.bound(x.into()) / f64::from(x).tan().abs();
        let pole = std::f32::consts::FRAC_PI_2;
        assert!(relative(1.0) < 16.0 * UNIT && relative(pole) < 0.01);
        assert!(relative(pole) > 5e-8);
        assert!(relative(5000.0) < 20.0 * UNIT && Tan.bound(1e9) == f64::INFINITY);
    }
}
