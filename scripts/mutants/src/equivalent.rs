//! Mutants that are said to change nothing: random cases of the operators that reach them, of which none may differ from what is
//! right. One that differs is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use convgpu::internals::conformance::FAMILIES;
use serde::{Deserialize, Serialize};

use crate::mutant::Mutant;
use crate::programs::{End, Programs};
use crate::table::BINARIES;
use crate::{Result, injected, jsonl, parallel, reach};

/// Random cases of a mutant.
const CASES: usize = 10_000;
/// Random cases of an operator that tell what it reaches.
const REACHING: usize = 2_000;
/// The test of the copy that runs cases of the operator that variables name.
const TEST: &str = "conformance::random_cases_of_an_operator";
const LIMIT: Duration = Duration::from_secs(3600);
/// The file of results, a line each.
const FILE: &str = "equivalent.jsonl";

/// What became of the cases of a mutant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checked {
    /// The mutant.
    pub id: usize,
    /// The operators whose cases reach it.
    pub ops: Vec<String>,
    /// Cases, at least.
    pub cases: usize,
    /// The operator of which a case differed.
    pub differs: Option<String>,
}

impl fmt::Display for Checked {
    /// Behind a reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.differs {
            Some(op) => write!(f, "; NOT SO: a case of {op} differs"),
            None if self.ops.is_empty() => f.write_str("; cases of no operator reach it"),
            None => write!(f, "; {} cases of {} do not differ", self.cases, self.ops.join(", ")),
        }
    }
}

/// The results so far, by mutant.
pub fn checked(work: &Path) -> BTreeMap<usize, Checked> {
    jsonl::read::<Checked>(&work.join(FILE)).into_iter().map(|one| (one.id, one)).collect()
}

/// Runs the cases of the mutants that have no result yet; an error if a case of one differs.
pub fn check(programs: &Programs, mutants: &[(usize, &Mutant)], work: &Path, jobs: usize) -> Result<()> {
    let reached = reached(programs, work, jobs)?;
    let known = checked(work);
    let open: Vec<_> = mutants.iter().filter(|(id, _)| !known.contains_key(id)).collect();
    parallel(jobs, &open, |_, &&(id, mutant)| {
        let reaches = |(hosts, files): &Reached| hosts.contains(&id) || files.contains(&mutant.file);
        let ops: Vec<String> = reached.iter().filter(|(_, of)| reaches(of)).map(|(op, _)| op.clone()).collect();
        let mut one = Checked { id, cases: 0, differs: None, ops };
        let share = CASES.div_ceil(one.ops.len().max(1));
        for op in &one.ops {
            if run(programs, op, share, (injected::ACTIVE, &id.to_string()))? != End::Passed {
                one.differs = Some(op.clone());
                break;
            }
            one.cases += share;
        }
        println!("{}{one}", mutant.name());
        jsonl::append(&work.join(FILE), &one)
    })?;
    let differ: Vec<_> = checked(work).into_values().filter(|one| one.differs.is_some()).map(|one| one.id).collect();
    if differ.is_empty() { Ok(()) } else { Err(format!("not equivalent: {differ:?}")) }
}

type Reached = (BTreeSet<usize>, BTreeSet<String>);

/// What cases of each operator reach.
fn reached(programs: &Programs, work: &Path, jobs: usize) -> Result<BTreeMap<String, Reached>> {
    let out = Mutex::new(BTreeMap::new());
    let ops: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    parallel(jobs, &ops, |worker, op| {
        let record = work.join(format!("reached-{worker}"));
        let _ = std::fs::remove_file(&record);
        let end = run(programs, op, REACHING, (injected::RECORD, &record.to_string_lossy()))?;
        if end != End::Passed {
            return Err(format!("{op} without a mutant: {end:?}"));
        }
        out.lock().expect("no thread panics").insert((*op).to_owned(), reach::recorded(&record));
        Ok(())
    })?;
    Ok(out.into_inner().expect("no thread panics"))
}

fn run(programs: &Programs, op: &str, cases: usize, variable: (&str, &str)) -> Result<End> {
    let suite = BINARIES.iter().position(|binary| binary.name == "suite").ok_or("there is no suite")?;
    let variables = [variable, ("CONVGPU_OP", op), ("CONVGPU_CASES", &cases.to_string())];
    programs.run(suite, &[TEST, "--include-ignored"], &variables, LIMIT)
}
