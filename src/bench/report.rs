//! Every variant of every case: checked, then timed against the others.

use std::fmt;
use std::time::{Duration, Instant};

use super::case::{Case, random};
use super::open_device::{Listed, Lost, OpenDevice, Stopped, without_lost};
use super::race::{Contestant, Effort, HOPELESS, by_one_clock, clock, race};
use super::roofline::{Ceilings, Copy};
use super::samples::{Samples, fastest, seconds};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::session::{CompileOptions, Compiled};
use crate::verify::compare::worst;
use crate::verify::node::{Expected, check_against};

/// The result of a measurement.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The device.
    pub device: String,
    /// The measured peak rates of the device, and the clock of all times of kernels.
    pub ceilings: Ceilings,
    /// The cases, in order.
    pub cases: Vec<CaseReport>,
}

/// One case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaseReport {
    /// The case's name.
    pub name: String,
    /// Floating-point operations of a run.
    pub flops: u64,
    /// The fewest bytes that a run moves.
    pub bytes: u64,
    /// The variants, in the static order; without tuning the first is chosen.
    pub variants: Vec<Measured>,
    /// Times of a copy kernel that moves as many bytes, alternating with the variants; for memory-bound cases.
    pub copy: Option<Samples>,
}

/// One variant of a case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Measured {
    /// Its kernels.
    pub kernels: String,
    /// The largest ratio of error to bound; NaN if the operator's bounds are not known.
    pub worst: f64,
    /// Why it was not timed: its result is wrong, or it did not run.
    pub failure: Option<String>,
    /// The kind of the error if it did not run; [`ErrorKind::DeviceLost`] if it lost the device. `None` if its result is wrong.
    pub error: Option<ErrorKind>,
    /// Time to compile it and run it once on a newly opened device; `None` if it did not run.
    pub first: Option<Duration>,
    /// Whether it has one sample only, since it is more than 20 times as slow as another variant.
    pub hopeless: bool,
    /// The kernels alone.
    pub kernel: Samples,
    /// A whole call, upload and readback included.
    pub call: Samples,
}

/// Measures cases on the device that `open` opens; every first run gets a new one, and so do the others after a variant that loses
/// the device, which is reported. A memory-bound case
/// ([`Case::against_copy`]) is timed alternately with a copy of as many bytes. `progress` is called with the name of
/// each case before it is measured; of all cases once more, should the device's clock fail meanwhile ([`Clock`](super::Clock)).
///
/// # Errors
/// The device is the reference, or the measurement of its peak rates loses it. A wrong kernel is not an error, nor is one that
/// loses the device: the report contains it.
pub async fn measure_async(
    open: &dyn Fn() -> Result<Device>,
    cases: &[Case],
    effort: &Effort,
    progress: &mut dyn FnMut(&str),
) -> Result<Report> {
    let device = OpenDevice::new(open()?, Some(open));
    let report = async |_| {
        progress("ceilings");
        let ceilings = Ceilings::measure(&device.device(), effort).await?;
        let mut reports = vec![];
        for case in cases {
            progress(&case.name);
            reports.push(measure_case(&device, open, case, effort).await?);
        }
        Ok(Report { device: device.device().to_string(), ceilings, cases: reports })
    };
    by_one_clock(async || clock(&device.device()).await, report).await
}

/// [`measure_async`], blocking.
///
/// # Errors
/// Those of [`measure_async`].
pub fn measure(
    open: &dyn Fn() -> Result<Device>,
    cases: &[Case],
    effort: &Effort,
    progress: &mut dyn FnMut(&str),
) -> Result<Report> {
    crate::threads::block_on(measure_async(open, cases, effort, progress))
}

async fn measure_case(
    device: &OpenDevice<'_>,
    open: &dyn Fn() -> Result<Device>,
    case: &Case,
    effort: &Effort,
) -> Result<CaseReport> {
    let expected = Expected::of(case.node(), &case.values)?;
    let list = |device: &Device| case.variants(device, effort.variants);
    let attempt = async |device: &Device, listed: &[Listed]| {
        let variants = check_all(device, open, case, &expected, listed).await?;
        time_all(device, case, listed, variants, effort).await
    };
    let ((mut variants, copy), lost) = without_lost(device, list, attempt).await?;
    // Each place is that among the variants that were left.
    for Lost { place, kernels, error } in lost.into_iter().rev() {
        variants.insert(place, Measured::failed(kernels, &error));
    }
    Ok(CaseReport { name: case.name.clone(), flops: case.flops, bytes: case.bytes, variants, copy })
}

/// The variants, checked; those that are right with their first runs.
async fn check_all(
    device: &Device,
    open: &dyn Fn() -> Result<Device>,
    case: &Case,
    expected: &Expected,
    listed: &[Listed],
) -> Result<Vec<Measured>, Stopped> {
    let mut variants = vec![];
    for (place, one) in listed.iter().enumerate() {
        let mut variant = check(device, case, expected, one).await.map_err(Stopped::by(place))?;
        if variant.failure.is_none() {
            let first = first_run(&open()?, case, one.alternative).await.map_err(Stopped::by(place))?;
            variant.first = Some(first);
        }
        variants.push(variant);
    }
    Ok(variants)
}

/// The variants with the times of those that are right, and the times of a copy.
async fn time_all(
    device: &Device,
    case: &Case,
    listed: &[Listed],
    mut variants: Vec<Measured>,
    effort: &Effort,
) -> Result<(Vec<Measured>, Option<Samples>), Stopped> {
    let copy = Case::new("copy", Copy, vec![random(&[(case.bytes as usize / 32 * 4).max(4)], 0)], 1)?;
    let right: Vec<usize> = (0..variants.len()).filter(|&k| variants[k].failure.is_none()).collect();
    let mut contestants: Vec<Contestant<'_>> = vec![];
    for &place in &right {
        let fastest = contestants.iter().map(|c| c.guess).fold(f64::INFINITY, f64::min);
        let made = Contestant::new(device, case, listed[place].alternative, fastest).await;
        contestants.push(made.map_err(Stopped::by(place))?);
    }
    if case.against_copy {
        contestants.push(Contestant::new(device, &copy, 0, f64::INFINITY).await?);
    }
    let raced = race(&mut contestants, effort).await;
    raced.map_err(|stopped| Stopped { by: stopped.by.and_then(|k| right.get(k).copied()), ..stopped })?;
    let copy = if case.against_copy { contestants.pop().map(|c| c.kernel) } else { None };
    for (place, c) in right.into_iter().zip(contestants) {
        let variant = &mut variants[place];
        (variant.kernel, variant.call, variant.hopeless) = (c.kernel, c.call, c.hopeless);
    }
    Ok((variants, copy))
}

/// A variant that is checked and not timed.
///
/// # Errors
/// The device is lost.
async fn check(device: &Device, case: &Case, expected: &Expected, listed: &Listed) -> Result<Measured> {
    match check_against(device, &case.graph, &case.values, expected, &case.setup(listed.alternative)).await {
        Err(e) if e.kind() == ErrorKind::DeviceLost => Err(e),
        Err(e) => Ok(Measured::failed(listed.kernels.clone(), &e)),
        Ok(checked) => {
            let worst = worst(&checked.comparisons);
            let failure = checked.comparisons.iter().find(|c| !c.ok()).map(ToString::to_string);
            Ok(Measured { worst, failure, ..Measured::of(checked.kernels) })
        }
    }
}

async fn first_run(device: &Device, case: &Case, alternative: usize) -> Result<Duration> {
    let plan = case.setup(alternative).plan(&case.graph);
    let options = CompileOptions { rewrite: false, plan, ..CompileOptions::default() };
    let begin = Instant::now();
    let compiled = Compiled::new_async(device, case.graph.clone(), &options).await?;
    compiled.run_async(&case.inputs()).await?;
    Ok(begin.elapsed())
}

impl Measured {
    /// A variant that was not timed.
    fn of(kernels: String) -> Measured {
        let (kernel, call) = (Samples::default(), Samples::default());
        Measured { kernels, worst: f64::NAN, failure: None, error: None, first: None, hopeless: false, kernel, call }
    }

    /// A variant that did not run.
    fn failed(kernels: String, error: &Error) -> Measured {
        Measured { failure: Some(error.to_string()), error: Some(error.kind()), ..Measured::of(kernels) }
    }

    /// What the table calls its failure.
    fn verdict(&self) -> &'static str {
        match self.error {
            None => "WRONG",
            Some(ErrorKind::DeviceLost) => "LOST THE DEVICE",
            Some(_) => "DID NOT RUN",
        }
    }
}

impl Report {
    /// Whether every variant of every case ran and is right.
    pub fn ok(&self) -> bool {
        self.cases.iter().flat_map(|c| &c.variants).all(|w| w.failure.is_none())
    }
}

impl CaseReport {
    /// The position of the variant whose kernels were fastest; `None` if none is right.
    pub fn fastest(&self) -> Option<usize> {
        fastest(self.variants.iter().map(|variant| &variant.kernel))
    }
    /// Floating-point operations per second of a variant's kernels.
    pub fn flop_rate(&self, variant: &Measured) -> f64 {
        self.flops as f64 / seconds(variant.kernel.median())
    }
    /// Bytes per second of a variant's kernels, counting the fewest that must move.
    pub fn byte_rate(&self, variant: &Measured) -> f64 {
        self.bytes as f64 / seconds(variant.kernel.median())
    }
    /// How many times as long as a copy of the same bytes a variant takes.
    pub fn copy_ratio(&self, variant: &Measured) -> Option<f64> {
        self.copy.as_ref().map(|copy| seconds(variant.kernel.median()) / seconds(copy.median()))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, ceilings: &Ceilings) -> fmt::Result {
        let ms = |duration| seconds(duration) * 1e3;
        for (k, w) in self.variants.iter().enumerate() {
            let taken = if k == 0 { '*' } else { ' ' };
            let fastest = if self.fastest() == Some(k) { '<' } else { ' ' };
            let label = format!("{:<20} {taken}{fastest}", self.name);
            if let Some(failure) = &w.failure {
                let line = failure.lines().next().unwrap_or_default();
                writeln!(f, "{label} {}: {}: {line}", w.kernels, w.verdict())?;
                continue;
            }
            let (flops, bytes) = (self.flop_rate(w), self.byte_rate(w));
            write!(f, "{label} {:>9.3} {:>9.3}", ms(w.kernel.median()), ms(w.kernel.p95()))?;
            write!(f, " {:>9.2} {:>6.1}%", flops / 1e9, 100.0 * flops / ceilings.flops)?;
            write!(f, " {:>8.2} {:>6.1}%", bytes / 1e9, 100.0 * bytes / ceilings.bytes)?;
            let ratio = self.copy_ratio(w).map_or("-".to_owned(), |r| format!("{r:.2}"));
            write!(f, " {ratio:>6} {:>9.3} {:>9.1}", ms(w.call.median()), ms(w.first))?;
            let once = if w.hopeless { " (1 sample)" } else { "" };
            writeln!(f, " {:>9.1e}  {}{once}", w.worst, w.kernels)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ceilings { flops, bytes, clock } = self.ceilings;
        writeln!(f, "{}", self.device)?;
        writeln!(f, "measured ceilings: {:.1} GFLOP/s, {:.2} GB/s", flops / 1e9, bytes / 1e9)?;
        writeln!(f, "* chosen without tuning, < fastest; times are of the kernels by {clock}, except call and first;")?;
        writeln!(f, "1 sample: for a variant over {HOPELESS} times as slow as another\n")?;
        write!(f, "{:<23} {:>9} {:>9}", "case", "median ms", "p95 ms")?;
        write!(f, " {:>9} {:>7} {:>8} {:>7}", "GFLOP/s", "of ALU", "GB/s", "of copy")?;
        writeln!(f, " {:>6} {:>9} {:>9} {:>9}  kernels", "copies", "call ms", "first ms", "err/bound")?;
        self.cases.iter().try_for_each(|c| c.write(f, &self.ceilings))
    }
}
