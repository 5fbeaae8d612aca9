//! The tests without a mutant: every one must pass. Beside it they tell their time, and which mutants they reach: others they
//! cannot kill.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::programs::{End, Programs};
use crate::table::BINARIES;
use crate::{Result, injected, jsonl, parallel, show};

/// A test and what it reaches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Test {
    /// The number of its program.
    pub program: usize,
    pub name: String,
    pub seconds: f64,
    pub passes: bool,
    /// Mutants of the host.
    pub mutants: BTreeSet<usize>,
    /// Shaders.
    pub files: BTreeSet<String>,
}

impl Test {
    /// Its name with that of its program.
    pub fn path(&self) -> String {
        format!("{} {}", BINARIES[self.program].name, self.name)
    }
}

const TESTS: &str = "tests.jsonl";

/// Forgets what was measured of other tests.
pub fn forget(work: &Path) -> Result<()> {
    fs::write(work.join(TESTS), "").map_err(show)
}

/// Runs every test that has not passed yet. Each has a process of its own.
pub fn measure(programs: &Programs, work: &Path, jobs: usize) -> Result<Vec<Test>> {
    let path = work.join(TESTS);
    let known = tests(&path);
    let mut open = vec![];
    for (program, binary) in BINARIES.iter().enumerate() {
        let names = programs.tests(program)?;
        let is_open = |name: &String| known.get(&format!("{} {name}", binary.name)).is_none_or(|test| !test.passes);
        open.extend(names.into_iter().filter(is_open).map(|name| (program, name)));
    }
    let done = Mutex::new(0);
    parallel(jobs, &open, |worker, (program, name)| {
        let record = work.join(format!("reached-{worker}"));
        let _ = fs::remove_file(&record);
        let (end, seconds) = programs.timed(*program, name, (injected::RECORD, &record.to_string_lossy()))?;
        let (mutants, files) = recorded(&record);
        let test = Test { program: *program, name: name.clone(), seconds, passes: end == End::Passed, mutants, files };
        let mut done = done.lock().expect("no thread panics");
        *done += 1;
        eprint!("\r{done} of {} tests without a mutant ", open.len());
        jsonl::append(&path, &test)
    })?;
    let all: Vec<Test> = tests(&path).into_values().collect();
    let failed: Vec<_> = all.iter().filter(|test| !test.passes).map(Test::path).collect();
    if failed.is_empty() { Ok(all) } else { Err(format!("these tests fail without a mutant: {}", failed.join(", "))) }
}

/// What is known of tests, by their paths; the last line of one counts.
fn tests(path: &Path) -> BTreeMap<String, Test> {
    jsonl::read::<Test>(path).into_iter().map(|test| (test.path(), test)).collect()
}

/// What a test noted in this file: mutants of the host, and shaders.
pub fn recorded(path: &Path) -> (BTreeSet<usize>, BTreeSet<String>) {
    reached(&fs::read_to_string(path).unwrap_or_default())
}

/// The lines that `injected::module` writes.
fn reached(text: &str) -> (BTreeSet<usize>, BTreeSet<String>) {
    let mutants = text.lines().filter_map(|line| line.parse().ok()).collect();
    let files = text.lines().filter(|line| line.ends_with(".wgsl")).map(str::to_owned).collect();
    (mutants, files)
}
