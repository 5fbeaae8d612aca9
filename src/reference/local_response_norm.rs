//! Local response normalisation, as `torch.nn.functional.local_response_norm`.

use crate::parallel;
/// The formula's constants: `y = x (k + alpha / size sum x^2)^-beta`, the sum over the channels from `before` below.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Formula {
    pub size: usize,
    pub before: usize,
    pub alpha: f64,
    pub beta: f64,
    pub k: f64,
}

impl Formula {
    /// For each x (`[n, c, area]`), the value of `f(x, base)` with `base = k + alpha / size sum x^2`.
    pub fn map(&self, x: &[f32], [c, area]: [usize; 2], f: impl Fn(f64, f64) -> f64 + Sync) -> Vec<f64> {
        let one = |i: usize| {
            let channel = i / area % c;
            let end = (channel + self.size).saturating_sub(self.before).min(c);
            let image = i - channel * area;
            let window = channel.saturating_sub(self.before)..end;
            let sum: f64 = window.map(|j| f64::from(x[image + j * area]).powi(2)).sum();
            f(x[i].into(), self.k + self.alpha / self.size as f64 * sum)
        };
        parallel::collect(x.len(), one)
    }

    /// The normalised values.
    pub fn apply(&self, x: &[f32], extents: [usize; 2]) -> Vec<f64> {
        self.map(x, extents, |x, base| x * base.powf(-self.beta))
    }
}
