//! Durations of repeated measurements.

use std::time::Duration;

/// Durations, in the order measured.
///
/// ```
/// use std::time::Duration;
/// use convgpu::bench::Samples;
///
/// let samples: Samples = [3, 1, 2].map(Duration::from_millis).into_iter().collect();
/// assert_eq!(samples.median(), Some(Duration::from_millis(2)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Adds one.
    pub fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The smallest sample that is not less than at least this share of the samples (nearest rank); `None` if there are
    /// none.
    pub fn percentile(&self, share: f64) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort();
        let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
        sorted.get(rank - 1).copied()
    }
    /// The middle sample, the lower of two.
    pub fn median(&self) -> Option<Duration> {
        self.percentile(0.5)
    }
    /// The 95th percentile.
    pub fn p95(&self) -> Option<Duration> {
        self.percentile(0.95)
    }
    /// The sum.
    pub fn total(&self) -> Duration {
        self.0.iter().sum()
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(samples: I) -> Samples {
        Samples(samples.into_iter().collect())
    }
}

/// Seconds as a number; NaN where nothing was measured.
pub(crate) fn seconds(duration: Option<Duration>) -> f64 {
    duration.map_or(f64::NAN, |d| d.as_secs_f64())
}

/// The position of the smallest median. What has no samples does not count, nor what took no time, which nothing does.
pub(crate) fn fastest<'a>(of: impl IntoIterator<Item = &'a Samples>) -> Option<usize> {
    let medians = of.into_iter().map(|s| s.median().filter(|m| !m.is_zero())).enumerate();
    medians.filter_map(|(k, median)| Some((median?, k))).min().map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_no_time_is_not_the_fastest() {
        let of = |ms: &[u64]| ms.iter().copied().map(Duration::from_millis).collect::<Samples>();
        assert_eq!(fastest(&[of(&[3]), of(&[0, 0, 9]), of(&[]), of(&[2, 2, 0]), of(&[2])]), Some(3));
        assert_eq!(fastest(&[of(&[0]), of(&[])]), None);
    }

    #[test]
    fn percentiles_are_samples() {
        let s: Samples = (1..=20).rev().map(Duration::from_secs).collect();
        let found = [s.median(), s.p95(), s.percentile(1.0), s.percentile(0.0), Some(s.total())];
        assert_eq!(found, [10, 19, 20, 1, 210].map(|n| Some(Duration::from_secs(n))));
        assert_eq!(Samples::default().median(), None);
    }
}
