//! Compares the answers of the engines to one model, and counts.

use std::collections::{BTreeMap, BTreeSet};

use convgpu::{Device, Tensor};

use crate::close;
use crate::engines::{self, Answer};
use crate::known::{self, Known};
use crate::net::Case;

/// What the engines make of a model.
pub struct Answers {
    pub reference: Answer,
    pub device: Answer,
    pub rten: Answer,
}

impl Answers {
    pub fn of(case: &Case, device: &Device) -> Answers {
        let reference = engines::convgpu(case, &Device::cpu());
        let like = reference.as_ref().map_or(&[][..], Vec::as_slice);
        let rten = engines::rten(case).map(|answer| engines::in_types_of(answer, like));
        Answers { device: engines::convgpu(case, device), rten, reference }
    }
}

/// What is wrong with an answer.
pub fn compare(actual: &[(String, Tensor)], expected: &[(String, Tensor)]) -> Result<(), String> {
    if actual.len() != expected.len() {
        return Err(format!("gives {} outputs, expected {}", actual.len(), expected.len()));
    }
    for ((name, a), (wanted, e)) in actual.iter().zip(expected) {
        if name != wanted {
            return Err(format!("gives the output {name}, expected {wanted}"));
        }
        close::check(a, e).map_err(|e| format!("{name} {e}"))?;
    }
    Ok(())
}

/// Numbers of models, and disagreements.
#[derive(Default)]
pub struct Counts {
    pub models: usize,
    pub on_the_device: usize,
    pub with_rten: usize,
    /// Refusals by engine, kind and reason.
    refusals: BTreeMap<(&'static str, &'static str, String), usize>,
    /// Models per kind, and how many of them convgpu runs.
    pub kinds: BTreeMap<&'static str, [usize; 2]>,
    /// Engines, and operators of models in which they agree with the reference.
    pub agreed: BTreeSet<(&'static str, String)>,
    /// How often each entry of the table explained a disagreement, and the first seed.
    known: BTreeMap<&'static str, (usize, u64)>,
    pub findings: Vec<String>,
}

impl Counts {
    pub fn judge(&mut self, case: &Case, answers: &Answers) {
        self.models += 1;
        let kind = self.kinds.entry(case.kind).or_default();
        kind[0] += 1;
        let reference = match &answers.reference {
            Ok(reference) => reference,
            Err(why) => return self.refused("convgpu", case, why),
        };
        kind[1] += 1;
        match &answers.device {
            Err(why) => self.refused("the device", case, why),
            Ok(device) => {
                self.on_the_device += 1;
                match compare(device, reference) {
                    Ok(()) => self.agreed("the device", case),
                    Err(what) => self.findings.push(format!("the device {what}\n{case}")),
                }
            }
        }
        match &answers.rten {
            Err(why) => self.refused("rten", case, why),
            Ok(rten) => {
                self.with_rten += 1;
                match (compare(rten, reference), known::find(case)) {
                    (Ok(()), _) => self.agreed("rten", case),
                    (Err(_), Some(entry)) => self.known.entry(entry.reason).or_insert((0, case.seed)).0 += 1,
                    (Err(what), None) => self.findings.push(format!("rten {what}\n{case}")),
                }
            }
        }
    }

    fn agreed(&mut self, engine: &'static str, case: &Case) {
        self.agreed.extend(case.operators().map(|op| (engine, op)));
    }

    fn refused(&mut self, engine: &'static str, case: &Case, why: &str) {
        *self.refusals.entry((engine, case.kind, shortened(why))).or_default() += 1;
    }

    pub fn count_refused(&self, engine: &str) -> usize {
        self.refusals.iter().filter(|((e, ..), _)| *e == engine).map(|(_, n)| n).sum()
    }

    /// Entries of the table that explained nothing.
    pub fn unused<'k>(&self, table: &'k [Known]) -> Vec<&'k str> {
        table.iter().map(|k| k.reason).filter(|reason| !self.known.contains_key(reason)).collect()
    }

    pub fn print(&self) {
        let [ours, device, rten] = ["convgpu", "the device", "rten"].map(|engine| self.count_refused(engine));
        let known: usize = self.known.values().map(|(n, _)| n).sum();
        println!(
            "{} models, {} on the device, {} compared with rten ({known} with a known disagreement); refused by convgpu \
             {ours}, by the device {device}, by rten {rten}",
            self.models, self.on_the_device, self.with_rten
        );
        for (reason, (n, seed)) in &self.known {
            let oracle = known::RTEN.iter().find(|k| k.reason == *reason).map_or("", |k| k.oracle);
            println!("  {n} known, the first is CONVGPU_DIFF_SEED={seed}: {reason} (as we: {oracle})");
        }
        for ((engine, kind, why), n) in &self.refusals {
            println!("  {n} refused by {engine}, {kind}: {why}");
        }
        self.findings.iter().for_each(|f| println!("disagreement: {f}"));
    }
}

/// A message without its numbers, so that equal reasons are counted together.
fn shortened(why: &str) -> String {
    let plain = why.replace(|c: char| c.is_ascii_digit(), "");
    plain.chars().take(110).collect()
}
