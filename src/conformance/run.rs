//! Runs cases by several threads, and makes a ledger of what they give.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::case::{Case, CaseId, Oracle};
use super::check::{Exercise, Outcome, Reproduction};
use super::ledger::{Failure, Ledger, Row};
use super::options::{ConformanceOptions, Moved};
use crate::device::Device;
use crate::error::{ErrorKind, Result};
use crate::gpu::caps::Caps;
use crate::ops::Op;
use crate::threads::block_on;
use crate::verify::node::caps_of;

/// How often a case runs again: each, and one per kernel.
const REPLAYS: usize = 3;
const MANY_REPLAYS: usize = 100;

/// The case that runs most often has as many workgroups as this time allows: a race needs several.
pub(super) const REPLAYED: Duration = Duration::from_millis(2);

/// How often a case runs that loses its device, each time on a new one: a kernel that the driver failed to compile is not chosen
/// there.
const ATTEMPTS: usize = 4;

/// The device is opened anew after this number of cases: it keeps every pipeline that it has compiled, and most cases have others.
const KEPT: usize = 512;

/// Runs the cases on a device.
///
/// # Errors
/// An option names no operator or no case. A case that is wrong is no error: the ledger has it.
pub fn conformance(device: &Device, options: &ConformanceOptions) -> Result<Ledger> {
    let start = Instant::now();
    let ids = options.ids()?;
    let mut ledger = Ledger {
        device: device.to_string(),
        seed: options.seed,
        cases: 0,
        refused: BTreeMap::new(),
        rows: vec![],
        failures: vec![],
        time: Duration::ZERO,
    };
    let (done, all) = (AtomicUsize::new(0), AtomicUsize::new(ids.len()));
    let run = Run { device: Mutex::new(device.clone()), losses: Mutex::default(), options, done, all };
    let replays = options.replays.unwrap_or(REPLAYS);
    let each = run.each(&ids, |id| run.one(id, &|op, kernels| options.wants(op, kernels), replays));
    ids.iter().zip(each).for_each(|(id, outcomes)| ledger.add(id, outcomes));
    if options.replays.is_none() {
        let again = |row: &Row| Some((row.replayed()?.clone(), row.op.clone(), row.kernels.clone()));
        let again: Vec<_> = ledger.rows.iter().filter_map(again).collect();
        run.all.fetch_add(again.len(), Ordering::Relaxed);
        let each = run.each(&again, |(id, op, kernels)| {
            run.one(id, &|o, k| o.name() == op && k == kernels, MANY_REPLAYS - REPLAYS)
        });
        again.iter().zip(each).for_each(|((id, ..), outcomes)| ledger.add_replays(id, outcomes));
    }
    ledger.add_losses(run.losses.into_inner().unwrap_or_else(PoisonError::into_inner));
    ledger.time = start.elapsed();
    Ok(ledger)
}

/// Runs the kernels of a failure again, for files that tell all about it; `None` where there are no kernels.
///
/// # Errors
/// Those of the run.
pub fn reproduce(device: &Device, options: &ConformanceOptions, failure: &Failure) -> Result<Option<Reproduction>> {
    let wanted = |op: &dyn Op, kernels: &str| op.name() == failure.op && kernels == failure.kernels;
    match options.find(&failure.case)? {
        Some(case) => block_on(options.runner(device, &wanted, 0).reproduce(&case)),
        None => Ok(None),
    }
}

/// The cases that the options name, each with all its variants, in order; nothing runs. The variants are those of the device. The
/// reference has none: for it they are those of hardware with WebGPU's default limits, which browsers have.
///
/// # Errors
/// An option names no operator or no case. An error of a case says that no variant can compute it, or that the reference has no
/// answer.
pub fn exercises<'a>(
    device: &'a Device,
    options: &'a ConformanceOptions,
) -> Result<impl ExactSizeIterator<Item = (CaseId, Result<Vec<Exercise>>)> + 'a> {
    let caps = caps_of(device).cloned().unwrap_or_else(Caps::webgpu_default);
    Ok(options.ids()?.into_iter().map(move |id| {
        let wanted = |op: &dyn Op, kernels: &str| options.wants(op, kernels);
        let made = options.find(&id).and_then(|case| match case {
            Some(case) => block_on(options.runner_within(device, Some(&caps), &wanted, 0).exercises(&case)),
            None => Ok(vec![]),
        });
        (id, made)
    }))
}

/// The operators of every case that the options name, in order, each with what says what is right of it; nothing runs.
///
/// # Errors
/// An option names no operator or no case.
pub fn operators(options: &ConformanceOptions) -> Result<Vec<Vec<(&'static str, Oracle)>>> {
    let of = |case: Case| case.parts.iter().map(|part| (part.op().name(), part.oracle(&case.id))).collect();
    let one = |id: CaseId| Ok(options.find(&id)?.map(of));
    options.ids()?.into_iter().filter_map(|id| one(id).transpose()).collect()
}

/// A negative control: the results of these kernels get a wrong element.
pub fn fail_at(mut options: ConformanceOptions, kernel: impl Into<String>) -> ConformanceOptions {
    options.moved = Some(Moved { kernel: kernel.into(), to: None });
    options
}

/// A negative control: the results of these kernels get an element that is within its bound, as rounding hardly ever makes it.
pub fn drift_at(mut options: ConformanceOptions, kernel: impl Into<String>) -> ConformanceOptions {
    options.moved = Some(Moved { kernel: kernel.into(), to: Some(|v, bound| v + 0.6 * bound) });
    options
}

/// A run by several threads.
struct Run<'a> {
    /// Opened again where a case loses it.
    device: Mutex<Device>,
    /// The cases that were at work when it was lost, and how: one lost it, the others ran beside it.
    losses: Mutex<Vec<(CaseId, String)>>,
    options: &'a ConformanceOptions,
    /// For the progress: steps done, and all steps.
    done: AtomicUsize,
    all: AtomicUsize,
}

impl Run<'_> {
    /// What `f` makes of each element, in order.
    fn each<T: Sync, R: Send>(&self, list: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let some = || {
            let places = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            places.map_while(|at| Some((at, f(list.get(at)?)))).collect::<Vec<_>>()
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
        let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
            workers
                .into_iter()
                .flat_map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, result)| result).collect()
    }

    fn one(
        &self,
        id: &CaseId,
        wanted: &(dyn Fn(&dyn Op, &str) -> bool + Sync),
        replays: usize,
    ) -> Result<Vec<Outcome>> {
        let mut attempts = 1;
        let outcomes = loop {
            let device = self.device();
            let outcomes = self.options.find(id).and_then(|case| match case {
                Some(case) => block_on(self.options.runner(&device, wanted, replays).run(&case)),
                None => Ok(vec![]),
            });
            let Some(lost) = outcomes.as_ref().err().filter(|e| e.kind() == ErrorKind::DeviceLost) else {
                break outcomes;
            };
            self.losses.lock().unwrap_or_else(PoisonError::into_inner).push((id.clone(), lost.to_string()));
            self.reopen(&device);
            if attempts == ATTEMPTS {
                break outcomes;
            }
            attempts += 1;
        };
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(KEPT) {
            self.reopen(&self.device());
        }
        if let Some(progress) = &self.options.progress {
            progress(done, self.all.load(Ordering::Relaxed), id);
        }
        outcomes
    }

    fn device(&self) -> Device {
        self.device.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another device in place of this one, unless another thread was faster.
    fn reopen(&self, lost: &Device) {
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        if device.same(lost)
            && let Ok(new) = block_on(device.reopened_async())
        {
            *device = new;
        }
    }
}
