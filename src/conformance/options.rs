//! Which cases are run, and how.

use std::fmt;
use std::sync::Arc;

use super::case::{Case, CaseId, Oracle};
use super::check::{REFERENCE, Runner};
use super::families::{FAMILIES, Family};
use super::pytorch::Kind;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::caps::Caps;
use crate::names::existing;
use crate::ops::{Op, kernels};
use crate::shape::Precision;
use crate::verify::node::caps_of;

/// What is told of a run: cases done, cases in all, and the name of the last one.
type Progress = Arc<dyn Fn(usize, usize, &CaseId) + Send + Sync>;

/// A negative control: these kernels give an element that was moved.
#[derive(Clone)]
pub(super) struct Moved {
    /// Part of a kernel's name.
    pub kernel: String,
    /// What becomes of the element, from it and its bound; `None`: what is certainly wrong.
    pub to: Option<fn(f32, f32) -> f32>,
}

/// What is run.
#[derive(Clone)]
#[non_exhaustive]
pub struct ConformanceOptions {
    pub(super) seed: u64,
    cases: usize,
    pub(super) replays: Option<usize>,
    op: Option<String>,
    kernel: Option<String>,
    case: Option<CaseId>,
    quick: bool,
    pub(super) moved: Option<Moved>,
    pub(super) progress: Option<Progress>,
}

impl Default for ConformanceOptions {
    fn default() -> ConformanceOptions {
        ConformanceOptions {
            seed: 1,
            cases: 60,
            replays: None,
            op: None,
            kernel: None,
            case: None,
            quick: false,
            moved: None,
            progress: None,
        }
    }
}

impl fmt::Debug for ConformanceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConformanceOptions { seed, cases, replays, op, kernel, case, .. } = self;
        write!(f, "ConformanceOptions({seed}, {cases}, {replays:?}, {op:?}, {kernel:?}, {case:?})")
    }
}

impl ConformanceOptions {
    /// All operators and kernels.
    pub fn new() -> ConformanceOptions {
        ConformanceOptions::default()
    }

    /// The seed of random cases (1).
    pub fn seed(mut self, seed: u64) -> ConformanceOptions {
        self.seed = seed;
        self
    }

    /// The number of random cases per operator (60). Operators with many kernels get up to eight times as many, and those that
    /// add as many of integers.
    pub fn cases(mut self, cases: usize) -> ConformanceOptions {
        self.cases = cases;
        self
    }

    /// A sixth of the cases: of PyTorch's, and of the random ones that [`ConformanceOptions::cases`] gives.
    pub fn quick(mut self) -> ConformanceOptions {
        self.quick = true;
        self
    }

    /// How often each case runs again: by default 100 times for one case of each set of kernels, and 3 times for the others.
    pub fn replays(mut self, replays: usize) -> ConformanceOptions {
        self.replays = Some(replays);
        self
    }

    /// Only the operators of this name: one, such as `reduce_sum`, or a family, such as `reduce`.
    pub fn op(mut self, op: impl Into<String>) -> ConformanceOptions {
        self.op = Some(op.into());
        self
    }

    /// Only variants with a kernel whose name contains this.
    pub fn kernel(mut self, kernel: impl Into<String>) -> ConformanceOptions {
        self.kernel = Some(kernel.into());
        self
    }

    /// Only this case.
    pub fn case(mut self, case: CaseId) -> ConformanceOptions {
        self.case = Some(case);
        self
    }

    /// Is called after each case, from several threads, with the number of cases done, of all, and the case.
    pub fn progress(mut self, progress: impl Fn(usize, usize, &CaseId) + Send + Sync + 'static) -> ConformanceOptions {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// The names of the cases, operator by operator.
    ///
    /// # Errors
    /// There is no operator, no kernel or no case of this name; there are too many cases.
    pub(super) fn ids(&self) -> Result<Vec<CaseId>> {
        if let Some(case) = &self.case {
            let found = self.find(case)?.map(|_| vec![case.clone()]);
            return found.ok_or_else(|| Error::argument(format!("there is no case {case}")));
        }
        if let Some(kernel) = self.kernel.as_ref().filter(|kernel| !is_in_a_kernel(kernel)) {
            return Err(Error::argument(format!(
                "no kernel has {kernel:?} in its name; the ledger of a run without --kernel has all"
            )));
        }
        let mut out = vec![];
        for family in self.families()? {
            let count = self.cases.saturating_mul(family.weight).div_ceil(if self.quick { QUICK } else { 1 });
            for oracle in family.oracles() {
                extend(&mut out, family, oracle, count)?;
            }
        }
        for kind in Kind::ALL {
            let all = ids(kind.name(), Oracle::PyTorch, kind.cases()?.len());
            out.extend(all.step_by(if self.quick { QUICK } else { 1 }));
        }
        Ok(out)
    }

    /// As many random cases of every operator as [`ConformanceOptions::cases`] says.
    ///
    /// # Errors
    /// There is no operator of this name; there are too many cases.
    pub(super) fn reference_ids(&self) -> Result<Vec<CaseId>> {
        let mut out = vec![];
        for family in self.families()? {
            extend(&mut out, family, Oracle::Reference, self.cases)?;
        }
        Ok(out)
    }

    fn families(&self) -> Result<Vec<&'static Family>> {
        let families: Vec<_> = match &self.op {
            Some(name) => FAMILIES.iter().filter(|family| family.is_named(name)).collect(),
            None => FAMILIES.iter().collect(),
        };
        if families.is_empty() {
            return Err(unknown(self.op.as_deref().unwrap_or_default()));
        }
        Ok(families)
    }

    /// Whether these kernels of an operator are run.
    pub(super) fn wants(&self, op: &dyn Op, kernels: &str) -> bool {
        self.op.as_ref().is_none_or(|name| Family::means(name, op))
            && self.kernel.as_ref().is_none_or(|kernel| kernels.contains(kernel))
    }

    pub(super) fn runner<'a>(
        &'a self,
        device: &'a Device,
        wanted: &'a (dyn Fn(&dyn Op, &str) -> bool + Sync),
        replays: usize,
    ) -> Runner<'a> {
        self.runner_within(device, caps_of(device), wanted, replays)
    }

    /// A runner for the kernels of these capabilities.
    pub(super) fn runner_within<'a>(
        &'a self,
        device: &'a Device,
        caps: Option<&'a Caps>,
        wanted: &'a (dyn Fn(&dyn Op, &str) -> bool + Sync),
        replays: usize,
    ) -> Runner<'a> {
        let half = caps.is_some_and(|caps| caps.f16);
        let precisions = if half { &[Precision::F32, Precision::F16][..] } else { &[Precision::F32] };
        Runner { device, caps, precisions, wanted, replays, moved: self.moved.as_ref() }
    }

    /// The case of this name; `None` if there is none.
    pub(super) fn find(&self, id: &CaseId) -> Result<Option<Case>> {
        match id.oracle {
            Oracle::PyTorch => Case::pytorch(id),
            _ => Ok(Case::random(family(&id.op)?, id, self.seed)),
        }
    }
}

/// A quick run takes one case of every six.
const QUICK: usize = 6;

/// The most cases of a run: their names alone take hundreds of megabytes.
const MOST: usize = 4_000_000;

/// Adds cases to a list.
fn extend(out: &mut Vec<CaseId>, family: &Family, oracle: Oracle, count: usize) -> Result<()> {
    if out.len().saturating_add(count) > MOST {
        return Err(Error::argument(format!(
            "more than {MOST} cases at once: take fewer, or another seed for more of them"
        )));
    }
    out.extend(ids(family.name, oracle, count));
    Ok(())
}

fn is_in_a_kernel(name: &str) -> bool {
    name == REFERENCE || kernels().iter().any(|kernel| kernel.name().contains(name))
}

fn ids(op: &str, oracle: Oracle, count: usize) -> impl Iterator<Item = CaseId> {
    (0..count).map(move |number| CaseId { op: op.to_owned(), oracle, number })
}

fn family(name: &str) -> Result<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    let known = existing("operators", name, FAMILIES.iter().map(|family| family.name));
    Error::argument(format!("there is no operator {name:?}; {known}"))
}
