//! How a long run is submitted: in parts, since drivers stop a submission that takes too long.
//!
//! A plan splits a run into pieces, each with an estimate of its time. A part is as many pieces as fit into a submission. Estimates
//! count operations, and no API tells how fast a device is: so the parts that were measured correct the following ones.

use std::sync::Mutex;
#[cfg(not(target_arch = "wasm32"))]
use std::time::Instant;

/// Pieces take at least this share of their estimates, however fast others were: those of one network differ.
const FASTEST: f64 = 0.25;

/// The pieces of a run, in order.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    /// The most seconds of a part.
    pub most: f64,
    /// Estimated seconds of each.
    pub seconds: Vec<f64>,
}

impl Pieces {
    /// A run of one piece.
    pub fn whole() -> Pieces {
        Pieces { most: f64::INFINITY, seconds: vec![0.0] }
    }

    /// How many pieces from `first` on make a part, at least one, if they take `rate` times their estimates.
    pub fn part(&self, first: usize, rate: f64) -> usize {
        let mut spent = 0.0;
        let fits = |seconds: &&f64| {
            spent += *seconds * rate;
            spent <= self.most
        };
        self.seconds[first..].iter().take_while(fits).count().max(1)
    }

    /// The parts of a run by the estimates alone.
    pub fn parts(&self) -> usize {
        let (mut at, mut parts) = (0, 0);
        while at < self.seconds.len() {
            at += self.part(at, 1.0);
            parts += 1;
        }
        parts
    }
}

/// The pieces of a run, and what its parts have taught about their estimates.
#[derive(Debug)]
pub(crate) struct Pace {
    pieces: Pieces,
    /// Measured by estimated seconds, at the slowest part of the last run; `None` before one was measured.
    rate: Mutex<Option<f64>>,
}

impl Pace {
    pub fn new(pieces: Pieces) -> Pace {
        Pace { pieces, rate: Mutex::default() }
    }

    /// The parts of a run by the estimates alone.
    pub fn parts(&self) -> usize {
        self.pieces.parts()
    }

    /// How many pieces the part from `first` on has. Nothing is known before the first part of a long run is measured, so that is
    /// one piece.
    pub fn part(&self, first: usize) -> usize {
        match self.rate() {
            Some(rate) => self.pieces.part(first, rate),
            None if first == 0 && self.parts() > 1 => 1,
            None => self.pieces.part(first, 1.0),
        }
    }

    /// Whether the first part of the run must be measured before the next one is made.
    pub fn is_unknown(&self) -> bool {
        self.rate().is_none()
    }

    /// What a part took, `count` pieces from `first` on. The first part of a run replaces what is known, a slower one after it
    /// raises it.
    pub fn learn(&self, first: usize, count: usize, seconds: f64) {
        let estimated: f64 = self.pieces.seconds[first..first + count].iter().sum();
        if estimated > 0.0 && seconds > 0.0 {
            let measured = (seconds / estimated).max(FASTEST);
            let mut rate = self.lock();
            *rate = Some(rate.filter(|_| first > 0).map_or(measured, |rate| rate.max(measured)));
        }
    }

    /// Measured by estimated seconds, at the slowest part of the last run.
    pub fn rate(&self) -> Option<f64> {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<f64>> {
        self.rate.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// The time since something began, by the host's clock. A browser has none that this crate could read.
pub(super) struct Watch(#[cfg(not(target_arch = "wasm32"))] Instant);

impl Watch {
    #[cfg(not(target_arch = "wasm32"))]
    pub fn start() -> Watch {
        Watch(Instant::now())
    }
    #[cfg(not(target_arch = "wasm32"))]
    pub fn seconds(&self) -> Option<f64> {
        Some(self.0.elapsed().as_secs_f64())
    }
    #[cfg(target_arch = "wasm32")]
    pub fn start() -> Watch {
        Watch()
    }
    #[cfg(target_arch = "wasm32")]
    pub fn seconds(&self) -> Option<f64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(most: f64, seconds: &[f64]) -> Pace {
        Pace::new(Pieces { most, seconds: seconds.to_vec() })
    }

    /// The sizes of the parts of a run in which nothing is measured.
    fn parts(pace: &Pace) -> Vec<usize> {
        let (mut at, mut sizes) = (0, vec![]);
        while at < pace.pieces.seconds.len() {
            sizes.push(pace.part(at));
            at += sizes[sizes.len() - 1];
        }
        sizes
    }

    #[test]
    fn a_part_takes_the_pieces_that_fit() {
        let pieces = Pieces { most: 1.0, seconds: vec![0.5, 0.5, 0.25, 3.0, 0.5, 0.5] };
        assert_eq!([0, 1, 2, 3, 4, 5].map(|first| pieces.part(first, 1.0)), [2, 2, 1, 1, 2, 1]);
        assert_eq!((pieces.parts(), pieces.part(0, 0.5), pieces.part(0, 100.0)), (4, 3, 1));
        assert_eq!((Pieces::whole().parts(), Pieces::whole().part(0, 1e9)), (1, 1));
    }

    #[test]
    fn the_first_measured_part_rescales_the_rest() {
        let pace = pace(1.0, &[0.25; 8]);
        assert!(pace.is_unknown());
        assert_eq!(parts(&pace), [1, 4, 3], "one piece, and the rest by its estimates");
        pace.learn(0, 1, 0.5);
        assert_eq!(parts(&pace), [2, 2, 2, 2], "twice as slow as estimated");
        pace.learn(2, 2, 4.0);
        assert_eq!(parts(&pace), [1; 8], "a slower part is what counts");
        pace.learn(4, 1, 0.25);
        assert_eq!(parts(&pace), [1; 8]);
        pace.learn(0, 1, 0.125);
        assert_eq!(parts(&pace), [8], "the next run begins anew");
    }

    #[test]
    fn a_fast_part_does_not_make_the_rest_endless() {
        let pace = pace(1.0, &[0.25; 40]);
        pace.learn(0, 1, 1e-9);
        assert_eq!(parts(&pace), [16, 16, 8]);
    }

    #[test]
    fn a_run_that_fits_is_whole_before_anything_is_measured() {
        assert_eq!(parts(&pace(1.0, &[0.25; 4])), [4]);
        assert_eq!(parts(&pace(0.0, &[0.0; 3])), [3], "nothing to do takes no time");
        assert_eq!(parts(&pace(0.0, &[0.1; 3])), [1, 1, 1]);
    }
}
