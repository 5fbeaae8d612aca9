//! What a run says of an adapter: per operator and kernels how many cases ran, and how close the worst came to its bound.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::case::{CaseId, Oracle};
use super::check::{Outcome, is_refusal};
use super::run::REPLAYED;
use crate::error::Result;

/// One operator with one set of kernels.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Row {
    /// The operator.
    pub op: String,
    /// The kernels of a variant, with their precision.
    pub kernels: String,
    /// How many cases ran, by what says what is right.
    pub cases: BTreeMap<Oracle, usize>,
    /// The largest error, relative to its bound.
    pub worst: f64,
    /// The case with the largest error, and its shapes.
    pub worst_case: Option<(CaseId, String)>,
    /// How often a case ran again and was compared bit by bit.
    pub replays: usize,
    /// How many cases were within the bound, and not within the probable one: what computed them may do more than round.
    pub unlikely: usize,
    /// The first of these, and its shapes.
    pub unlikely_case: Option<(CaseId, String)>,
    /// How many cases were wrong.
    pub wrong: usize,
    /// A hash of all outputs: equal if another run of the same cases gave the same bits, on any device; all NaNs count as one.
    pub bits: u64,
    /// The case that runs most often, and how long it takes.
    replayed: Option<(CaseId, Duration)>,
}

/// A wrong case.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The case.
    pub case: CaseId,
    /// The operator.
    pub op: String,
    /// The operator and the shapes of its inputs.
    pub what: String,
    /// The kernels; empty where none ran.
    pub kernels: String,
    /// What is wrong.
    pub wrong: String,
}

/// The result of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ledger {
    /// The adapter, with its driver.
    pub device: String,
    /// With this seed the cases are the same.
    pub seed: u64,
    /// The number of cases.
    pub cases: usize,
    /// Cases that no kernel of the device covers, by reason.
    pub refused: BTreeMap<String, usize>,
    /// By operator and kernels.
    pub rows: Vec<Row>,
    /// The wrong cases, in order.
    pub failures: Vec<Failure>,
    /// How long the run took.
    pub time: Duration,
}

/// The share of unlikely results of an operator beyond which chance does not explain them.
const DOUBTFUL: f64 = 0.01;

impl Ledger {
    /// Whether no case was wrong, and at least one ran.
    pub fn ok(&self) -> bool {
        self.failures.is_empty() && !self.rows.is_empty()
    }

    /// How many times a kernel computed a case.
    pub fn checks(&self) -> usize {
        self.rows.iter().map(Row::checks).sum()
    }

    /// How many results are within their bounds, but not what rounding looks like.
    pub fn unlikely(&self) -> usize {
        self.rows.iter().map(|row| row.unlikely).sum()
    }

    /// The operators of which more than one check of a hundred is [unlikely](Ledger::unlikely), with the share. If their kernels are
    /// right, the model of likely errors is wrong there.
    pub fn doubtful(&self) -> impl Iterator<Item = (&str, f64)> {
        let mut of: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for row in &self.rows {
            let (unlikely, checks) = of.entry(&row.op).or_default();
            *unlikely += row.unlikely;
            *checks += row.checks();
        }
        let share = |(op, (unlikely, checks))| (op, unlikely as f64 / checks as f64);
        of.into_iter().map(share).filter(|(_, share)| *share > DOUBTFUL)
    }

    /// How many runs were repeated and compared bit by bit.
    pub fn replays(&self) -> usize {
        self.rows.iter().map(|row| row.replays).sum()
    }

    /// Takes what a case gave.
    pub(super) fn add(&mut self, case: &CaseId, outcomes: Result<Vec<Outcome>>) {
        let outcomes = match outcomes {
            Ok(outcomes) if outcomes.is_empty() => return,
            Ok(outcomes) => outcomes,
            Err(error) if is_refusal(&error) => return *self.refused.entry(error.to_string()).or_default() += 1,
            Err(error) => return self.fail(case, &case.op, "", "", error.to_string()),
        };
        self.cases += 1;
        for outcome in outcomes {
            let row = self.row(outcome.op, &outcome.kernels);
            *row.cases.entry(outcome.oracle).or_default() += 1;
            row.unlikely += usize::from(outcome.unlikely);
            if outcome.unlikely && row.unlikely_case.is_none() {
                row.unlikely_case = Some((case.clone(), outcome.what.clone()));
            }
            row.bits = xxh3_64_with_seed(case.to_string().as_bytes(), row.bits ^ outcome.bits);
            if row.worst_case.is_none() || outcome.worst > row.worst {
                row.worst = outcome.worst;
                row.worst_case = Some((case.clone(), outcome.what.clone()));
            }
            // The longest that is short enough, else the shortest.
            let order = |time: Duration| if time <= REPLAYED { (1, time) } else { (0, Duration::MAX - time) };
            if row.replayed.as_ref().is_none_or(|(_, best)| order(outcome.time) > order(*best)) {
                row.replayed = Some((case.clone(), outcome.time));
            }
            self.count(case, outcome);
        }
    }

    /// Takes what more replays of a case gave.
    pub(super) fn add_replays(&mut self, case: &CaseId, outcomes: Result<Vec<Outcome>>) {
        match outcomes {
            Err(error) => self.fail(case, &case.op, "", "", error.to_string()),
            Ok(outcomes) => outcomes.into_iter().for_each(|mut outcome| {
                let is_this = |f: &Failure| (&f.case, &f.op[..], &f.kernels) == (case, outcome.op, &outcome.kernels);
                if self.failures.iter().any(is_this) {
                    // It counts already.
                    outcome.wrong = None;
                }
                self.count(case, outcome);
            }),
        }
    }

    /// Takes the cases in which the device was lost, and which ran again on another: each way to lose it counts once.
    pub(super) fn add_losses(&mut self, losses: Vec<(CaseId, String)>) {
        for (case, how) in losses {
            if self.failures.iter().all(|failure| failure.wrong != how) {
                self.fail(&case, &case.op, "", "", how);
            }
        }
    }

    /// Its replays, and what is wrong.
    fn count(&mut self, case: &CaseId, Outcome { op, what, kernels, replays, wrong, .. }: Outcome) {
        let row = self.row(op, &kernels);
        row.replays += replays;
        row.wrong += usize::from(wrong.is_some());
        if let Some(wrong) = wrong {
            self.fail(case, op, &what, &kernels, wrong);
        }
    }

    fn fail(&mut self, case: &CaseId, op: &str, what: &str, kernels: &str, wrong: String) {
        let [op, what, kernels] = [op, what, kernels].map(str::to_owned);
        self.failures.push(Failure { case: case.clone(), op, what, kernels, wrong });
    }

    fn row(&mut self, op: &str, kernels: &str) -> &mut Row {
        let key = |row: &Row| (&row.op[..], &row.kernels[..]) == (op, kernels);
        let at = self.rows.iter().position(key).unwrap_or_else(|| {
            self.rows.push(Row {
                op: op.to_owned(),
                kernels: kernels.to_owned(),
                cases: BTreeMap::new(),
                worst: 0.0,
                worst_case: None,
                replays: 0,
                unlikely: 0,
                unlikely_case: None,
                wrong: 0,
                bits: 0,
                replayed: None,
            });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }
}

impl Row {
    /// How many cases ran.
    pub fn checks(&self) -> usize {
        self.cases.values().sum()
    }

    /// The case that runs most often; `None` if nothing was run on the device.
    pub(super) fn replayed(&self) -> Option<&CaseId> {
        self.replayed.as_ref().filter(|(_, time)| !time.is_zero()).map(|(case, _)| case)
    }

    /// In a word.
    pub fn verdict(&self) -> &'static str {
        if self.wrong > 0 { "wrong" } else { "ok" }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {}: {}", self.case, self.what, self.kernels, self.wrong)
    }
}
