//! Durations of one thing measured again and again.

/// Seconds, in the order measured.
#[derive(Clone, Debug, Default)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    /// Adds one.
    pub fn push(&mut self, seconds: f64) {
        self.0.push(seconds);
    }
    /// The smallest sample that at least this share of the samples does not exceed (nearest rank); NaN if there is none.
    pub fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
        sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
    }
    /// The middle sample, the lower of two.
    pub fn median(&self) -> f64 {
        self.percentile(0.5)
    }
    /// 95 % of the samples are no longer.
    pub fn p95(&self) -> f64 {
        self.percentile(0.95)
    }
    /// The sum.
    pub fn total(&self) -> f64 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn percentiles_are_samples() {
        let s = Samples((1..=20).rev().map(f64::from).collect());
        assert_eq!(
            (s.median(), s.p95(), s.percentile(1.0), s.percentile(0.0), s.total()),
            (10.0, 19.0, 20.0, 1.0, 210.0)
        );
        assert!(Samples::default().median().is_nan());
    }
}
