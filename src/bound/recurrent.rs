//! LSTM, GRU and RNN: the recurrence with numbers that know how far a device's value may be.

use super::{TINY, UNIT, gamma};
use crate::attr::Activation;
use crate::reference::recurrent::Number;

/// A number, and the largest error of its value on a device: a running error analysis (Higham, 3.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Erring {
    value: f64,
    /// The largest absolute error.
    pub error: f64,
}

impl Erring {
    /// An unknown error, such as infinity times 0, is infinite.
    fn new(value: f64, error: f64) -> Erring {
        Erring { value, error: if error.is_nan() { f64::INFINITY } else { error } }
    }

    /// The largest magnitude of a device's value.
    fn most(self) -> f64 {
        self.value.abs() + self.error
    }

    /// The number once its value is rounded, or flushed.
    fn rounded(value: f64, error: f64) -> Erring {
        Erring::new(value, error + UNIT * (value.abs() + error) + TINY)
    }
}

impl Number for Erring {
    fn exact(value: f64) -> Erring {
        Erring::new(value, 0.0)
    }

    /// The errors of the numbers, and gamma_n of the n terms, in any order. A device may flush a factor, a product, and the sum.
    fn sum(terms: impl Iterator<Item = (f32, Erring)>) -> Erring {
        let (mut n, mut value, mut inherited, mut size, mut flushed) = (0, 0.0, 0.0, 0.0, 0.0);
        for (weight, v) in terms {
            let (weight, magnitude) = (f64::from(weight), f64::from(weight.abs()));
            n += 1;
            value += weight * v.value;
            inherited += magnitude * v.error;
            size += magnitude * v.most();
            flushed += (2.0 + magnitude + v.most()) * TINY;
        }
        Erring::new(value, inherited + gamma(n) * size + flushed)
    }

    fn plus(self, other: Erring) -> Erring {
        Erring::rounded(self.value + other.value, self.error + other.error)
    }

    fn times(self, other: Erring) -> Erring {
        let inherited = self.value.abs() * other.error + other.value.abs() * self.error + self.error * other.error;
        let flushed = (self.most() + other.most()) * TINY;
        Erring::rounded(self.value * other.value, inherited + flushed)
    }

    fn complement(self) -> Erring {
        Erring::rounded(1.0 - self.value, self.error)
    }

    /// Two numbers do not move apart.
    fn clipped(self, limit: f64) -> Erring {
        Erring::new(self.value.clipped(limit), self.error)
    }

    /// What the error of the argument makes of it, and the function's own error at either end of the arguments.
    fn activated(self, f: Activation) -> Erring {
        let Erring { value, error } = self;
        let (y, spread) = (f.eval(value), f.spread(value, error));
        let own = |x: f64| f.bound(x, y.abs() + spread);
        Erring::new(y, spread + own(value - error).max(own(value + error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sum of three terms, one of which errs, through a sigmoid at its steepest.
    #[test]
    fn errors_add_up() {
        let given = Erring::exact(0.5);
        let off = Erring::new(-0.25, 1e-3);
        let sum = Erring::sum([(1.0, given), (2.0, off), (3.0, Erring::exact(0.0))].into_iter());
        assert_eq!(sum.value, 0.0);
        assert!((sum.error - (2e-3 + gamma(3) * 1.002)).abs() < 1e-12, "{sum:?}");
        let y = sum.activated(Activation::Sigmoid);
        assert!(y.error > sum.error / 4.0 && y.error < sum.error / 4.0 + 20.0 * UNIT, "{y:?}");
        let product = y.times(Erring::exact(2.0));
        assert!(product.error > 2.0 * y.error && product.error < 2.0 * y.error + 2.0 * UNIT, "{product:?}");
    }

    #[test]
    fn an_error_without_an_end_is_infinite() {
        let jump = Erring::new(1.0, 1e-3).activated(Activation::ThresholdedRelu { alpha: 1.0 });
        assert_eq!(jump.times(Erring::exact(0.0)).error, f64::INFINITY);
    }
}
