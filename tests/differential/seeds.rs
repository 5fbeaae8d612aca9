//! Which seeds run, and for how long.

use std::time::{Duration, Instant};

/// The seeds of a test: the rare and the fixed ones, then as many as the time allows.
pub fn seeds(fixed: u64, rare: &'static [u64], share: f64) -> impl Iterator<Item = u64> {
    let (only, most) = (number("CONVGPU_DIFF_SEED"), number("CONVGPU_DIFF_SEEDS"));
    let time = Duration::from_secs(number("CONVGPU_DIFF_SECONDS").unwrap_or(5)).mul_f64(share);
    let start = Instant::now();
    let runs = move |seed: &u64| match most {
        Some(most) => *seed <= most,
        None => *seed <= fixed || start.elapsed() < time,
    };
    let rare = if only.is_some() { &[][..] } else { rare };
    only.into_iter().chain(rare.iter().copied()).chain((1..).take_while(move |seed| only.is_none() && runs(seed)))
}

/// Whether a single seed was asked for.
pub fn alone() -> bool {
    number("CONVGPU_DIFF_SEED").is_some()
}

/// Whether all fixed seeds run, so that what they contain can be asserted.
pub fn all_fixed(fixed: u64) -> bool {
    !alone() && number("CONVGPU_DIFF_SEEDS").is_none_or(|most| most >= fixed)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}
