//! Runs a case with every kernel that can compute it.

use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::case::{Case, CaseId, Oracle, Part};
use super::options::Moved;
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::caps::Caps;
use crate::gpu::script::Script;
use crate::graph::Graph;
use crate::ops::{Algorithm, Op};
use crate::plan::Plan;
use crate::shape::{DType, Precision};
use crate::tensor::Tensor;
use crate::verify::compare::worst;
use crate::verify::node::{Checked, Expected, Setup, Trial, isolate, scripted, setups_within};
use crate::verify::report::Evidence;

/// What one variant made of an operator of a case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The operator.
    pub op: &'static str,
    /// The operator with its attributes and the shapes of its inputs.
    pub what: String,
    /// What said what is right.
    pub oracle: Oracle,
    /// The kernels of the variant.
    pub kernels: String,
    /// The largest error, relative to its bound.
    pub worst: f64,
    /// How often the case ran again.
    pub replays: usize,
    /// How long its last replay took.
    pub time: Duration,
    /// Whether the error is within the bound, but larger than independent rounding errors explain.
    pub unlikely: bool,
    /// A hash of the outputs: of their bits, but that all NaNs are one.
    pub bits: u64,
    /// What is wrong; `None` if nothing is.
    pub wrong: Option<String>,
}

/// What stands for the kernels of the reference.
pub(super) const REFERENCE: &str = "reference";

/// How cases are run.
pub(super) struct Runner<'a> {
    pub device: &'a Device,
    /// Whose kernels are run: the device's, which the reference does not have.
    pub caps: Option<&'a Caps>,
    pub precisions: &'a [Precision],
    /// Whether the kernels of an operator are run.
    pub wanted: &'a (dyn Fn(&dyn Op, &str) -> bool + Sync),
    /// How often a case runs again.
    pub replays: usize,
    /// What is planted, to test that it is found.
    pub moved: Option<&'a Moved>,
}

/// Everything about one variant of one operator of a case: enough to run it elsewhere.
#[derive(Clone, Debug)]
pub struct Reproduction {
    /// The kernels and what they are given.
    pub plan: Plan,
    /// How they store floats.
    pub precision: Precision,
    /// What the variant was given, what it gave, and what is right.
    pub evidence: Evidence,
}

/// One variant of one operator of a case: what runs, and what is right.
#[derive(Clone, Debug)]
pub struct Exercise {
    /// The case.
    pub case: CaseId,
    /// The operator.
    pub op: &'static str,
    /// The operator with its attributes and the shapes of its inputs.
    pub what: String,
    /// What says what is right.
    pub oracle: Oracle,
    /// The kernels of the variant.
    pub kernels: String,
    /// How they store floats.
    pub precision: Precision,
    /// The work, in guarded memory. Its first results are the outputs of the operator; others are for the host.
    pub script: Script,
    /// The right outputs, with the bounds of the variant's algorithm.
    pub expected: Expected,
    /// What is right as well for outputs in f32, on a device that takes subnormal inputs for zeros.
    pub flushed: Option<Expected>,
    /// Whether results must be equal, whatever the bounds.
    pub exact: bool,
    /// The share of the bounds within which rounding errors stay that are independent; 1 where that is not known.
    pub probable: f64,
}

impl Runner<'_> {
    /// Every variant of each operator of the case.
    ///
    /// # Errors
    /// The device has no variant, is lost, or the reference has no answer.
    pub async fn run(&self, case: &Case) -> Result<Vec<Outcome>> {
        let mut out = vec![];
        self.each(case, async |trials, setup| {
            out.extend(match setup {
                Some((setup, kernels)) => Some(trials.of_variant(setup, kernels).await?),
                None => trials.of_the_reference(),
            });
            Ok(())
        })
        .await?;
        Ok(out)
    }

    /// The first variant of these kernels.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub async fn reproduce(&self, case: &Case) -> Result<Option<Reproduction>> {
        let mut out = None;
        self.each(case, async |trials, setup| {
            if let (None, Some((setup, kernels))) = (&out, setup) {
                out = trials.reproduced(setup, kernels).await?;
            }
            Ok(())
        })
        .await?;
        Ok(out)
    }

    /// Every variant of each operator of the case as data. Nothing runs on a device.
    ///
    /// # Errors
    /// As [`Runner::run`], but for what only the device can refuse.
    pub async fn exercises(&self, case: &Case) -> Result<Vec<Exercise>> {
        let mut out = vec![];
        self.each(case, async |trials, setup| {
            if let (Some(caps), Some((setup, kernels))) = (self.caps, setup) {
                out.push(trials.exercise(&case.id, caps, setup, kernels)?);
            }
            Ok(())
        })
        .await?;
        Ok(out)
    }

    /// Visits the reference, and then every variant, of each operator of the case.
    async fn each(
        &self,
        case: &Case,
        mut visit: impl AsyncFnMut(&Trials<'_>, Option<(&Setup, &str)>) -> Result<()>,
    ) -> Result<()> {
        for part in &case.parts {
            let trials = Trials::new(self, part.oracle(&case.id), part)?;
            visit(&trials, None).await?;
            for (setup, kernels) in trials.setups()? {
                if (self.wanted)(part.op(), &kernels) {
                    visit(&trials, Some((&setup, &kernels))).await?;
                }
            }
        }
        Ok(())
    }
}

/// An operator of a case, and what is right.
pub(super) struct Trials<'a> {
    pub runner: &'a Runner<'a>,
    pub part: &'a Part,
    pub what: String,
    pub single: Graph,
    oracle: Oracle,
    /// By the reference.
    computed: Expected,
    /// By the oracle, with the bounds of the operator.
    right: Expected,
    /// What is right as well on a device that takes subnormal inputs for zeros, where they have a special meaning: zero times
    /// infinity is NaN.
    flushed: Option<Expected>,
}

impl<'a> Trials<'a> {
    pub fn new(runner: &'a Runner<'a>, oracle: Oracle, part: &'a Part) -> Result<Trials<'a>> {
        let single = isolate(&part.graph, 0)?;
        let computed = Expected::of(&part.graph.nodes[0], &part.inputs)?;
        let outputs = part.right.as_ref().unwrap_or(&computed.outputs).clone();
        let right = Expected { outputs, bounds: computed.bounds.clone() };
        let has_subnormal = |t: &Tensor| t.dtype() == DType::F32 && t.f32s().iter().any(|v| v.is_subnormal());
        let flushed = match oracle {
            Oracle::Edges if part.inputs.iter().any(has_subnormal) => {
                Some(Expected::of(&part.graph.nodes[0], &flushed(&part.inputs)?)?)
            }
            _ => None,
        };
        Ok(Trials { runner, part, what: part.describe(), single, oracle, computed, right, flushed })
    }

    /// Every variant, with its kernels; none for the reference.
    pub fn setups(&self) -> Result<Vec<(Setup, String)>> {
        let Some(caps) = self.runner.caps else { return Ok(vec![]) };
        let precisions = if self.part.fits_half() { self.runner.precisions } else { &[Precision::F32] };
        setups_within(caps, &self.single, precisions)
    }

    /// What a run of a variant gives, and whether that is wrong.
    pub async fn verdict(&self, trial: &Trial) -> Result<(Vec<Tensor>, bool)> {
        let checked = self.compared(trial).await?;
        let is_wrong = wrong(self.oracle, &checked).is_some();
        Ok((checked.outputs, is_wrong))
    }

    fn outcome(&self, kernels: &str) -> Outcome {
        Outcome {
            op: self.part.op().name(),
            what: self.what.clone(),
            oracle: self.oracle,
            kernels: kernels.to_owned(),
            worst: 0.0,
            replays: 0,
            time: Duration::ZERO,
            unlikely: false,
            bits: 0,
            wrong: None,
        }
    }

    /// The reference itself, where something else says what is right.
    fn of_the_reference(&self) -> Option<Outcome> {
        if self.oracle != Oracle::PyTorch || !(self.runner.wanted)(self.part.op(), REFERENCE) {
            return None;
        }
        let checked = Checked {
            kernels: REFERENCE.to_owned(),
            comparisons: vec![],
            outputs: self.computed.outputs.clone(),
            expected: self.right.clone(),
            algorithm: Algorithm::Direct,
            precision: Precision::F32,
            probable: 1.0,
        };
        let mut outcome = self.outcome(REFERENCE);
        outcome.judge(&checked.compared());
        Some(outcome)
    }

    pub async fn trial(&self, setup: &Setup) -> Result<Trial> {
        Trial::new(self.runner.device, &self.single, &self.part.inputs, setup).await
    }

    /// A run beside what is right.
    async fn compared(&self, trial: &Trial) -> Result<Checked> {
        let checked = trial.check(Some(&self.right)).await?;
        if checked.comparisons.iter().any(|c| c.mismatch.is_some()) {
            return Ok(checked);
        }
        match self.flushed(checked.precision, checked.algorithm) {
            Some(other) => checked.or(other),
            None if checked.precision == Precision::F16 => checked.or_overflowed(),
            None => Ok(checked),
        }
    }

    /// The second expectation, of kernels for which it is one: f16 has other subnormal numbers, other algorithms other bounds.
    fn flushed(&self, precision: Precision, algorithm: Algorithm) -> Option<&Expected> {
        self.flushed.as_ref().filter(|_| precision == Precision::F32 && algorithm == Algorithm::Direct)
    }

    /// The same, with what is planted in these kernels.
    async fn check(&self, trial: &Trial, kernels: &str) -> Result<Checked> {
        let checked = self.compared(trial).await?;
        match self.runner.moved {
            Some(Moved { kernel, to }) if kernels.contains(kernel) => match to {
                Some(to) => checked.moved(to),
                None => checked.corrupted(),
            },
            _ => Ok(checked),
        }
    }

    async fn reproduced(&self, setup: &Setup, kernels: &str) -> Result<Option<Reproduction>> {
        let trial = self.trial(setup).await?;
        let Some(plan) = trial.plan() else { return Ok(None) };
        let checked = self.check(&trial, kernels).await?;
        let evidence = Evidence::of(&self.single.nodes[0], trial.inputs().to_vec(), &checked)?;
        Ok(Some(Reproduction { plan: plan.clone(), precision: checked.precision, evidence }))
    }

    fn exercise(&self, case: &CaseId, caps: &Caps, setup: &Setup, kernels: &str) -> Result<Exercise> {
        let (subject, script) = scripted(caps, &self.single, &self.part.inputs, setup)?;
        Ok(Exercise {
            case: case.clone(),
            op: self.part.op().name(),
            what: self.what.clone(),
            oracle: self.oracle,
            kernels: kernels.to_owned(),
            precision: subject.precision(),
            script,
            expected: subject.expected(Some(&self.right))?,
            flushed: self.flushed(subject.precision(), subject.algorithm()).cloned(),
            exact: is_held_to_equality(self.oracle, subject.algorithm()),
            probable: subject.probable(),
        })
    }

    async fn of_variant(&self, setup: &Setup, kernels: &str) -> Result<Outcome> {
        let trial = self.trial(setup).await?;
        let mut outcome = self.outcome(kernels);
        let checked = self.check(&trial, kernels).await?;
        if checked.precision == Precision::F16 && self.oracle == Oracle::PyTorch {
            // The inputs are rounded to 16 bits: PyTorch has no answer to those.
            outcome.oracle = Oracle::Reference;
        }
        outcome.judge(&checked);
        while outcome.wrong.is_none() && outcome.replays < self.runner.replays {
            outcome.replays += 1;
            let start = Instant::now();
            if !trial.repeats(&checked.outputs).await? {
                outcome.wrong = Some(format!("replay {} gives other bits than the first run", outcome.replays));
            }
            outcome.time = start.elapsed();
        }
        Ok(outcome)
    }
}

impl Outcome {
    fn judge(&mut self, checked: &Checked) {
        self.worst = worst(&checked.comparisons);
        self.unlikely = checked.is_unlikely();
        self.bits = checked.outputs.iter().fold(0, |seed, output| hash(output, seed));
        self.wrong = wrong(self.oracle, checked);
    }
}

/// A hash of the elements. Which NaN is computed, with which sign, is nobody's promise.
fn hash(tensor: &Tensor, seed: u64) -> u64 {
    let bytes: Vec<u8> = tensor.iter_f64s().flat_map(|v| if v.is_nan() { f64::NAN } else { v }.to_le_bytes()).collect();
    xxh3_64_with_seed(&bytes, seed)
}

/// The tensors with zeros for subnormal numbers.
fn flushed(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let flush = |v: f32| if v.is_subnormal() { v * 0.0 } else { v };
    let of = |t: &Tensor| match t.dtype() {
        DType::F32 => Tensor::new(t.shape(), t.f32s().iter().copied().map(flush).collect::<Vec<f32>>()),
        _ => Ok(t.clone()),
    };
    inputs.iter().map(of).collect()
}

/// What is wrong with the outputs.
fn wrong(oracle: Oracle, checked: &Checked) -> Option<String> {
    if let Some((k, comparison)) = checked.comparisons.iter().enumerate().find(|(_, c)| !c.ok()) {
        return Some(format!("output {k}: {}", comparison.summary()));
    }
    let exact = is_held_to_equality(oracle, checked.algorithm);
    (exact && !is_exact(checked)).then(|| "sums of integers must be exact".to_owned())
}

/// Whether results must be equal: sums of integers, but where an algorithm has constants that are not.
fn is_held_to_equality(oracle: Oracle, algorithm: Algorithm) -> bool {
    oracle == Oracle::Integers && algorithm != Algorithm::Winograd
}

/// Integers up to this are f16 numbers.
const LARGEST_INTEGER: f64 = 2048.0;

/// Whether results are exact, as far as the precision has numbers for the integers expected.
pub fn is_exact(checked: &Checked) -> bool {
    let pairs = checked.outputs.iter().zip(&checked.expected.outputs);
    pairs.into_iter().all(|(a, e)| {
        let half = checked.precision == Precision::F16;
        let within = |e: f64| !half || e.abs() <= LARGEST_INTEGER;
        a.iter_f64s().zip(e.iter_f64s()).all(|(a, e)| !within(e) || a == e || (a.is_nan() && e.is_nan()))
    })
}

/// Whether an error says that a device cannot compute the case, which is no fault.
pub fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Argument)
}
