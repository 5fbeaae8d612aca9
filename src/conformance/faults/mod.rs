//! The checker is checked: faults are planted in the commands of every operator, and each has to be found.

use std::collections::BTreeMap;
use std::fmt;

mod target;

use super::case::CaseId;
use super::check::Trials;
use super::options::ConformanceOptions;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::threads::block_on;
use crate::verify::node::Setup;
use target::{Effect, Target};

/// What a check made of the faults of one kind that were planted in the kernels of an operator.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Planted {
    /// How many were planted.
    pub planted: usize,
    /// How many of them changed no bit of any result: nothing is wrong then.
    pub without_effect: usize,
    /// Those that changed results by no more than the operator's bound: no check that allows for rounding can find them.
    pub within_bound: Vec<String>,
    /// How many were found; of [`Check::Verify`] those whose node was named.
    pub found: usize,
    /// Those that made results wrong and were not found.
    pub missed: Vec<String>,
}

/// What checks results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// [`conformance`](super::conformance).
    Conformance,
    /// [`verify`](crate::verify::verify).
    Verify,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PlantedKind {
    /// A dispatch does not run.
    Skipped,
    /// A dispatch has a workgroup less.
    Shortened,
    /// A field of the params (a stride, a padding, an extent, ...) is larger by one, or by a half if it is a float.
    Param,
    /// Another dispatch writes an element of the result.
    Element,
    /// Another dispatch writes a row of the result.
    Row,
    /// Another dispatch writes a channel of the result.
    Channel,
    /// Another dispatch writes an element, in one of 50 runs.
    Rare,
}

impl PlantedKind {
    /// All of them.
    pub const ALL: [PlantedKind; 7] = [
        PlantedKind::Skipped,
        PlantedKind::Shortened,
        PlantedKind::Param,
        PlantedKind::Element,
        PlantedKind::Row,
        PlantedKind::Channel,
        PlantedKind::Rare,
    ];
}

impl fmt::Display for PlantedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PlantedKind::Skipped => "skipped",
            PlantedKind::Shortened => "shortened",
            PlantedKind::Param => "param",
            PlantedKind::Element => "element",
            PlantedKind::Row => "row",
            PlantedKind::Channel => "channel",
            PlantedKind::Rare => "1 in 50",
        })
    }
}

impl Check {
    /// All of them.
    pub const ALL: [Check; 2] = [Check::Conformance, Check::Verify];
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Check::Conformance => "conformance",
            Check::Verify => "verify",
        })
    }
}

/// By operator, kind of fault, and check.
pub type PlantedTable = BTreeMap<(String, PlantedKind, Check), Planted>;

/// Plants faults in the dispatches of every operator, and looks whether the checks find them. [`ConformanceOptions::cases`] says
/// how many cases each operator has; [`ConformanceOptions::op`] chooses one.
///
/// # Errors
/// There is no operator of this name; the device is the reference, which has no dispatches, or is lost.
pub fn faults(device: &Device, options: &ConformanceOptions) -> Result<PlantedTable> {
    if device.is_reference() {
        return Err(Error::argument("the reference has no dispatches in which a fault could be planted"));
    }
    let mut table = PlantedTable::new();
    let ids = options.reference_ids()?;
    for (k, id) in ids.iter().enumerate() {
        // A fault is planted in every program of a device, which keeps the pipelines of all of them.
        let device = block_on(device.reopened_async())?;
        block_on(Cases { options, device: &device }.plant(id, &mut table)).map_err(|e| e.within(id.to_string()))?;
        if let Some(progress) = &options.progress {
            progress(k + 1, ids.len(), id);
        }
    }
    Ok(table)
}

/// Cases of the operators, in which faults are planted.
struct Cases<'a> {
    device: &'a Device,
    options: &'a ConformanceOptions,
}

impl Cases<'_> {
    /// Plants all faults in one variant of a case, each time another one, and in the one that a plan takes.
    async fn plant(&self, id: &CaseId, table: &mut PlantedTable) -> Result<()> {
        let Some(case) = self.options.find(id)? else { return Ok(()) };
        let all = |_: &dyn Op, _: &str| true;
        let runner = self.options.runner(self.device, &all, 0);
        let trials = Trials::new(&runner, id.oracle, &case.parts[0])?;
        let setups = trials.setups()?;
        let chosen = (Setup::default(), "the kernels of a plan".to_owned());
        let each = [(Check::Conformance, &setups[id.number % setups.len()]), (Check::Verify, &chosen)];
        for (check, (setup, kernels)) in each {
            let Some(target) = Target::new(&trials, setup).await? else { continue };
            for (kind, fault) in target.faults() {
                let effect = target.effect(&fault, check).await?;
                let row = table.entry((id.op.clone(), kind, check)).or_default();
                row.add(effect, || format!("{id}, {}, {kernels}: {}", trials.what, target.describe(&fault)));
            }
        }
        Ok(())
    }
}

impl Planted {
    fn add(&mut self, effect: Effect, what: impl FnOnce() -> String) {
        self.planted += 1;
        match effect {
            Effect::Nothing => self.without_effect += 1,
            Effect::Within => self.within_bound.push(what()),
            Effect::Found => self.found += 1,
            Effect::Missed => self.missed.push(what()),
        }
    }
}
