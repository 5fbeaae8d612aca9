//! One variant of a case, and the faults that can be planted in it.

use super::{Check, PlantedKind};
use crate::conformance::check::Trials;
use crate::error::Result;
use crate::gpu::adapter::Gpu;
use crate::gpu::planted::{Fault, FaultKind, Words};
use crate::gpu::recording::Dispatch;
use crate::plan::Plan;
use crate::session::CompileOptions;
use crate::tensor::Tensor;
use crate::verify::node::{Setup, Trial, are_same, given};
use crate::verify::{NodeReport, VerifyOptions, verify_async};

/// A rare fault shows itself in one of this number of runs.
const RARE: u32 = 50;

/// How often a kernel with a rare fault runs.
const RUNS: usize = 100;

/// What a fault does, and whether a check sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// No result changes.
    Nothing,
    /// Results change within their bounds.
    Within,
    /// Results are wrong, which the check says.
    Found,
    /// Results are wrong, which the check does not say.
    Missed,
}

/// A variant of a case.
pub struct Target<'a> {
    trials: &'a Trials<'a>,
    setup: &'a Setup,
    gpu: &'a Gpu,
    plan: Plan,
    /// What it gives without a fault.
    sound: Vec<Tensor>,
}

impl<'a> Target<'a> {
    /// `None` if the node has no dispatches.
    pub async fn new(trials: &'a Trials<'a>, setup: &'a Setup) -> Result<Option<Target<'a>>> {
        let trial = trials.trial(setup).await?;
        let (Some(gpu), Some(plan)) = (trials.runner.device.gpu(), trial.plan()) else { return Ok(None) };
        let plan = plan.clone();
        Ok(Some(Target { trials, setup, gpu, plan, sound: trial.run().await? }))
    }

    fn node(&self) -> &str {
        &self.trials.single.nodes[0].name
    }

    fn dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.plan.recording.dispatches().filter(|d| d.node == self.node())
    }

    /// All faults, with their kinds.
    pub fn faults(&self) -> Vec<(PlantedKind, Fault)> {
        let mut kinds = vec![];
        for (k, d) in self.dispatches().enumerate() {
            kinds.push((PlantedKind::Skipped, FaultKind::Skipped(k)));
            kinds.push((PlantedKind::Shortened, FaultKind::Shortened(k)));
            let fields = 0..fields(d).count();
            kinds.extend(fields.map(|field| (PlantedKind::Param, FaultKind::Changed { dispatch: k, field })));
        }
        if !kinds.is_empty() && self.sound[0].numel() > 0 {
            let written = |words, every| FaultKind::Written { output: 0, words, every };
            let [element, row, channel] = self.words();
            kinds.extend([
                (PlantedKind::Element, written(element, 1)),
                (PlantedKind::Row, written(row, 1)),
                (PlantedKind::Channel, written(channel, 1)),
                (PlantedKind::Rare, written(element, RARE)),
            ]);
        }
        let fault = |kind| Fault { node: self.node().to_owned(), kind };
        kinds.into_iter().map(|(kind, what)| (kind, fault(what))).collect()
    }

    /// The words of an element, a row and a channel in the middle of the first result, which is row-major.
    fn words(&self) -> [Words; 3] {
        let shape = self.sound[0].shape();
        let middle = self.sound[0].numel() / 2;
        let width = shape.last().copied().unwrap_or(1);
        let (channels, pixels) = (shape.get(1).copied().unwrap_or(1), shape.iter().skip(2).product());
        let words = |first, count| Words { first, count };
        [words(middle, 1), words(middle / width * width, width), words(channels / 2 * pixels, pixels)]
    }

    /// Plants a fault, and looks whether results change and the check sees it.
    pub async fn effect(&self, fault: &Fault, check: Check) -> Result<Effect> {
        self.gpu.plant(Some(fault.clone()));
        let effect = self.planted(fault, check).await;
        self.gpu.plant(None);
        effect
    }

    async fn planted(&self, fault: &Fault, check: Check) -> Result<Effect> {
        let runs = if matches!(fault.kind, FaultKind::Written { every: RARE, .. }) { RUNS } else { 1 };
        let trial = self.trials.trial(self.setup).await?;
        let seen = if runs > 1 { self.replayed(&trial, runs).await? } else { self.run(&trial).await? };
        match check {
            Check::Verify if seen == Effect::Found => self.by_verify(runs).await,
            _ => Ok(seen),
        }
    }

    async fn run(&self, trial: &Trial) -> Result<Effect> {
        Ok(match self.trials.verdict(trial).await? {
            (_, true) => Effect::Found,
            (outputs, false) if are_same(&outputs, &self.sound) => Effect::Nothing,
            _ => Effect::Within,
        })
    }

    async fn replayed(&self, trial: &Trial, runs: usize) -> Result<Effect> {
        for _ in 0..runs {
            if !trial.repeats(&self.sound).await? {
                return Ok(Effect::Found);
            }
        }
        Ok(Effect::Nothing)
    }

    /// Whether `verify` names the node.
    async fn by_verify(&self, runs: usize) -> Result<Effect> {
        let single = &self.trials.single;
        let inputs = given(single, &self.trials.part.inputs);
        let options = VerifyOptions::new().compile(CompileOptions { rewrite: false, ..CompileOptions::default() });
        let options = options.replays(if runs > 1 { runs } else { 0 });
        let report = verify_async(self.trials.runner.device, single, &inputs, &options).await?;
        let named = |node: &NodeReport| node.name == self.node();
        Ok(match report.first_wrong() {
            Some(node) if named(node) => Effect::Found,
            // Work on a few integers is the host's, whose kernels have no faults.
            None if report.nodes.iter().any(|node| named(node) && node.kernels == "reference") => Effect::Nothing,
            _ => Effect::Missed,
        })
    }

    /// The fault in words.
    pub fn describe(&self, fault: &Fault) -> String {
        let dispatch = |k: usize| self.dispatches().nth(k).map_or("", Dispatch::kernel);
        match fault.kind {
            FaultKind::Skipped(k) => format!("{} is skipped", dispatch(k)),
            FaultKind::Shortened(k) => format!("{} has a workgroup less", dispatch(k)),
            FaultKind::Changed { dispatch: k, field } => {
                let name = self.dispatches().nth(k).and_then(|d| fields(d).nth(field));
                format!("{} of {} is larger", name.unwrap_or_default(), dispatch(k))
            }
            FaultKind::Written { words: w, every, .. } => {
                format!("{} words from word {} in 1 of {every} runs", w.count, w.first)
            }
        }
    }
}

/// The params of a dispatch and of its epilogue.
fn fields(d: &Dispatch) -> impl Iterator<Item = &'static str> {
    let epilogue = d.epilogue_params().into_iter().flat_map(|params| params.fields());
    d.params().fields().iter().chain(epilogue).map(|(name, _)| *name)
}
