//! Runs the tests that reach a mutant, those first that are quick or killed others of its file, until one fails.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::mutant::Mutant;
use crate::programs::{End, Programs};
use crate::reach::Test;
use crate::report::Equivalents;
use crate::table::is_close;
use crate::{Result, injected, jsonl, parallel};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Killed,
    Timeout,
    Survived,
    /// It survived the likeliest tests; the others were not run yet.
    Open,
    /// It does not compile.
    Invalid,
}

/// What became of a mutant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub id: usize,
    pub verdict: Verdict,
    /// The test that killed it, or how many did not.
    pub by: String,
    pub seconds: f64,
    pub mutant: Mutant,
}

const LARGE_PRIME: usize = 7919;
/// The file of outcomes, a line each; the last of a mutant counts.
pub const RESULTS: &str = "results.jsonl";
/// Seconds within which the tests that are tried first kill nearly every mutant that any test kills.
const LIKELIEST: f64 = 60.0;

/// Which tests killed mutants of a file, and how many.
type History = Mutex<BTreeMap<(String, String), usize>>;

/// What has become of mutants so far, by their numbers.
pub fn outcomes(work: &Path) -> BTreeMap<usize, Outcome> {
    jsonl::read::<Outcome>(&work.join(RESULTS)).into_iter().map(|outcome| (outcome.id, outcome)).collect()
}

/// Makes survivors open again, but for those that change nothing: tests may have joined.
pub fn reopen(work: &Path, known: &Equivalents) -> Result<()> {
    let survived = |outcome: &Outcome| outcome.verdict == Verdict::Survived && !known.has(&outcome.mutant);
    let open = |outcome: Outcome| Outcome { verdict: Verdict::Open, ..outcome };
    let path = work.join(RESULTS);
    outcomes(work).into_values().filter(survived).map(open).try_for_each(|outcome| jsonl::append(&path, &outcome))
}

/// Tries every mutant that has no outcome yet: all with the likeliest tests, then those that survived them with all tests.
pub fn all(programs: &Programs, tests: &[Test], mutants: &[Mutant], work: &Path, jobs: usize) -> Result<()> {
    pass(programs, tests, mutants, work, jobs, LIKELIEST)?;
    pass(programs, tests, mutants, work, jobs, f64::INFINITY)
}

/// Tries the mutants that were never tried, each until its tests have taken `most` seconds; if that is no limit, the open ones, too.
fn pass(programs: &Programs, tests: &[Test], mutants: &[Mutant], work: &Path, jobs: usize, most: f64) -> Result<()> {
    let path = work.join(RESULTS);
    let known = outcomes(work);
    let history = History::default();
    for outcome in known.values() {
        remember(&history, &outcome.mutant.file, &outcome.by);
    }
    let is_open = |outcome: &Outcome| outcome.verdict == Verdict::Open && most.is_infinite();
    let mut wanted: Vec<usize> = (0..mutants.len()).filter(|id| known.get(id).is_none_or(is_open)).collect();
    // Mixed, so that a part of the results tells of all files.
    wanted.sort_by_key(|id| id * LARGE_PRIME % mutants.len());
    let lock = Mutex::new(mutants.len() - wanted.len());
    parallel(jobs, &wanted, |_, &id| {
        let start = Instant::now();
        let mutant = &mutants[id];
        let (verdict, by) = one(programs, tests, id, mutant, &history, most)?;
        remember(&history, &mutant.file, &by);
        let seconds = start.elapsed().as_secs_f64();
        let mut done = lock.lock().expect("no thread panics");
        *done += 1;
        println!("{done}/{} {verdict:?} in {seconds:.1} s by {by}: {} {}", mutants.len(), mutant.file, mutant.after);
        jsonl::append(&path, &Outcome { id, verdict, by, seconds, mutant: mutant.clone() })
    })
}

fn remember(history: &History, file: &str, by: &str) {
    *history.lock().expect("no thread panics").entry((file.to_owned(), by.to_owned())).or_default() += 1;
}

fn one(
    programs: &Programs,
    tests: &[Test],
    id: usize,
    mutant: &Mutant,
    history: &History,
    most: f64,
) -> Result<(Verdict, String)> {
    let reaches = |test: &&Test| test.mutants.contains(&id) || mutant.is_shader() && test.files.contains(&mutant.file);
    let mut left: Vec<&Test> = tests.iter().filter(reaches).collect();
    let count = left.len();
    order(&mut left, &mutant.file, history);
    let active = id.to_string();
    let mut budget: f64 = 1.5;
    let start = Instant::now();
    while !left.is_empty() {
        let spent = start.elapsed().as_secs_f64();
        if spent >= most {
            return Ok((Verdict::Open, format!("{} of {count} tests", count - left.len())));
        }
        let batch = batch(&mut left, budget.min(most - spent));
        budget *= 3.0;
        let program = batch[0].program;
        let longest = batch.iter().map(|test| test.seconds).fold(0.0, f64::max);
        let limit = Duration::from_secs_f64(10.0 + 5.0 * longest);
        let mut names: Vec<&str> = batch.iter().map(|test| &*test.name).collect();
        while !names.is_empty() {
            match programs.run(program, &names, &[(injected::ACTIVE, &active)], limit)? {
                End::Passed => break,
                End::Late => return Ok((Verdict::Timeout, by_of(&batch))),
                End::Failed(by) => match names.iter().position(|name| by.split(" - ").next() == Some(name)) {
                    // What depends on time may fail by itself, but not twice.
                    Some(k)
                        if programs.run(program, &[names[k]], &[(injected::ACTIVE, &active)], limit)?
                            == End::Passed =>
                    {
                        names.remove(k);
                    }
                    Some(k) => return Ok((Verdict::Killed, path_of(&batch, names[k]))),
                    None => return Ok((Verdict::Killed, format!("{by} in {}", by_of(&batch)))),
                },
            }
        }
    }
    Ok((Verdict::Survived, format!("{count} tests")))
}

fn path_of(batch: &[&Test], name: &str) -> String {
    batch.iter().find(|test| test.name == name).map_or(String::new(), |test| test.path())
}

fn by_of(batch: &[&Test]) -> String {
    let more = if batch.len() > 1 { format!(" and {} more", batch.len() - 1) } else { String::new() };
    format!("{}{more}", batch[0].path())
}

/// Likely killers first, then quick ones.
fn order(tests: &mut [&Test], file: &str, history: &History) {
    let history = history.lock().expect("no thread panics");
    let kills = |test: &Test| history.get(&(file.to_owned(), test.path())).copied().unwrap_or(0);
    tests.sort_by(|a, b| {
        let key = |test: &Test| (std::cmp::Reverse(kills(test)), !is_close(file, &test.name), test.program);
        key(a).cmp(&key(b)).then(a.seconds.total_cmp(&b.seconds))
    });
}

/// Takes the first test, and further ones of its program which together take at most this number of seconds.
fn batch<'a>(left: &mut Vec<&'a Test>, budget: f64) -> Vec<&'a Test> {
    let program = left[0].program;
    let mut seconds = 0.0;
    let mut out = vec![];
    left.retain(|test| {
        // A process of its own took some time to start.
        let costs = (test.seconds - 0.1).max(0.02);
        let fits = test.program == program && (out.is_empty() || seconds + costs <= budget) && out.len() < 300;
        if fits {
            seconds += costs;
            out.push(*test);
        }
        !fits
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(program: usize, name: &str, seconds: f64) -> Test {
        let name = name.to_owned();
        Test { program, name, seconds, passes: true, mutants: [].into(), files: [].into() }
    }

    #[test]
    fn killers_come_first_and_batches_are_of_one_program() {
        let all = [test(0, "pool::a", 0.6), test(1, "b", 0.3), test(0, "c", 0.5), test(0, "d", 9.0)];
        let mut left: Vec<&Test> = all.iter().collect();
        let history = History::default();
        order(&mut left, "src/ops/pool.rs", &history);
        let names = |tests: &[&Test]| -> Vec<String> { tests.iter().map(|t| t.name.clone()).collect() };
        assert_eq!(names(&left), ["pool::a", "c", "d", "b"]);
        remember(&history, "src/ops/pool.rs", "ops d");
        order(&mut left, "src/ops/pool.rs", &history);
        assert_eq!(names(&left), ["d", "pool::a", "c", "b"]);
        assert_eq!(names(&batch(&mut left, 1.0)), ["d"]);
        assert_eq!(names(&batch(&mut left, 1.0)), ["pool::a", "c"]);
        assert_eq!(names(&batch(&mut left, 1.0)), ["b"]);
        assert!(left.is_empty());
    }

    #[test]
    fn the_last_outcome_of_a_mutant_counts_and_survivors_open_again() {
        let work = std::env::temp_dir().join(format!("convgpu-mutants-{}", std::process::id()));
        std::fs::create_dir_all(&work).unwrap();
        let mutant = Mutant::new("f", "a + b", "sign", crate::mutant::Place::Shader, [2, 3], "-".into());
        let write = |id, verdict| {
            let outcome = Outcome { id, verdict, by: String::new(), seconds: 0.0, mutant: mutant.clone() };
            jsonl::append(&work.join(RESULTS), &outcome).unwrap();
        };
        for (id, verdict) in [(1, Verdict::Open), (1, Verdict::Survived), (2, Verdict::Open), (2, Verdict::Killed)] {
            write(id, verdict);
        }
        let verdicts = || outcomes(&work).values().map(|outcome| (outcome.id, outcome.verdict)).collect::<Vec<_>>();
        assert_eq!(verdicts(), [(1, Verdict::Survived), (2, Verdict::Killed)]);
        reopen(&work, &Equivalents::parse("f | sign | a + b | a - b => it is known")).unwrap();
        assert_eq!(verdicts(), [(1, Verdict::Survived), (2, Verdict::Killed)]);
        reopen(&work, &Equivalents::default()).unwrap();
        assert_eq!(verdicts(), [(1, Verdict::Open), (2, Verdict::Killed)]);
        std::fs::remove_dir_all(&work).unwrap();
    }
}
