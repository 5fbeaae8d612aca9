//! The work folder, step by step.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::draw::{Rng, draw};
use crate::mutant::Mutant;
use crate::options::{Action, Options};
use crate::programs::Programs;
use crate::report::{Equivalents, page};
use crate::scratch::Scratch;
use crate::shaders::Texts;
use crate::table::{HOST, TESTS};
use crate::trial::{Outcome, Verdict};
use crate::{Result, equivalent, jsonl, reach, rust, show, trial, wgsl};

/// What was drawn, and built.
#[derive(Serialize, Deserialize)]
struct Prepared {
    /// Of the sources and the options: another state needs another folder.
    state: u64,
    mutants: Vec<Mutant>,
    programs: Vec<PathBuf>,
}

impl Prepared {
    fn save(&self, work: &Path) -> Result<()> {
        fs::write(work.join(PREPARED), serde_json::to_string(self).map_err(show)?).map_err(show)
    }
}

const PREPARED: &str = "mutants.json";

/// Does what the options say.
pub fn run(options: &Options) -> Result<()> {
    let repository = std::env::current_dir().map_err(show)?;
    if options.action == Action::Report {
        return report(&repository, &options.work);
    }
    if options.action == Action::List {
        drawn(&sources(&repository)?, options)?.iter().for_each(|mutant| println!("{}", mutant.name()));
        return Ok(());
    }
    fs::create_dir_all(&options.work).map_err(show)?;
    let work = options.work.canonicalize().map_err(show)?;
    let mut prepared = prepared(&repository, &work, options)?;
    let scratch = Scratch::new(&work);
    if options.action == Action::Retry {
        // All but what has mutants in the copy, and the module of the library that has them.
        scratch.copy(&repository, |name| !may_have_mutants(name) && name != "src/lib.rs")?;
        prepared.programs = scratch.build()?;
        prepared.save(&work)?;
        reach::forget(&work)?;
        trial::reopen(&work, &equivalents(&repository))?;
    }
    let programs = Programs::new(&scratch.root, &runtime(&work)?, prepared.programs);
    if options.action == Action::Equivalent {
        let known = equivalents(&repository);
        let said: Vec<_> = prepared.mutants.iter().enumerate().filter(|(_, mutant)| known.has(mutant)).collect();
        return equivalent::check(&programs, &said, &work, options.jobs);
    }
    let tests = reach::measure(&programs, &work, options.jobs)?;
    if options.action != Action::Prepare {
        trial::all(&programs, &tests, &prepared.mutants, &work, options.jobs)?;
        report(&repository, &work)?;
    }
    Ok(())
}

/// A folder that the driver asks for.
fn runtime(work: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = work.join("runtime");
    fs::create_dir_all(&path).map_err(show)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(show)?;
    Ok(path)
}

fn prepared(repository: &Path, work: &Path, options: &Options) -> Result<Prepared> {
    let path = work.join(PREPARED);
    let sources = sources(repository)?;
    let state = state(&sources, options);
    if let Ok(text) = fs::read_to_string(&path) {
        let prepared: Prepared = serde_json::from_str(&text).map_err(show)?;
        return if prepared.state == state {
            Ok(prepared)
        } else {
            Err(format!(
                "{} has the mutants of other sources or options: use another folder, or remove it",
                work.display()
            ))
        };
    }
    let mutants = drawn(&sources, options)?;
    let scratch = Scratch::new(work);
    scratch.copy(repository, |_| true)?;
    let invalid = scratch.write(repository, &mutants)?;
    let programs = scratch.build()?;
    let outcome = |&id: &usize| Outcome {
        id,
        verdict: Verdict::Invalid,
        by: "the compiler".to_owned(),
        seconds: 0.0,
        mutant: mutants[id].clone(),
    };
    invalid.iter().map(outcome).try_for_each(|outcome| jsonl::append(&work.join(trial::RESULTS), &outcome))?;
    let prepared = Prepared { state, mutants, programs };
    prepared.save(work)?;
    Ok(prepared)
}

/// The files that may have mutants, with their contents.
fn sources(repository: &Path) -> Result<Vec<(String, String)>> {
    let list =
        std::process::Command::new("git").args(["ls-files", "-z", "shaders", "src"]).current_dir(repository).output();
    let list = list.map_err(show)?;
    let names = String::from_utf8_lossy(&list.stdout).into_owned();
    names
        .split('\0')
        .filter(|name| may_have_mutants(name))
        .map(|name| {
            let text = fs::read_to_string(repository.join(name)).map_err(|e| format!("{name}: {e}"))?;
            Ok((name.to_owned(), text))
        })
        .collect()
}

fn may_have_mutants(name: &str) -> bool {
    let is_host = || HOST.iter().any(|h| name.starts_with(h)) && !TESTS.contains(&name);
    name.ends_with(".wgsl") || name.ends_with(".rs") && is_host()
}

fn state(sources: &[(String, String)], options: &Options) -> u64 {
    let mut hasher = DefaultHasher::new();
    (sources, options.shaders, options.host, options.seed).hash(&mut hasher);
    hasher.finish()
}

/// The mutants of shaders, which are valid, then those of the host.
fn drawn(sources: &[(String, String)], options: &Options) -> Result<Vec<Mutant>> {
    let (mut shaders, mut host) = (vec![], vec![]);
    for (name, text) in sources {
        if name.ends_with(".wgsl") {
            shaders.extend(wgsl::mutants(name, text));
        } else {
            host.extend(rust::mutants(name, text)?);
        }
    }
    eprintln!("{} mutants of shaders, {} of the host are possible", shaders.len(), host.len());
    let texts = Texts::all();
    let text_of = |file: &str| sources.iter().find(|(name, _)| name == file).map_or("", |(_, text)| text);
    let mut rng = Rng(options.seed);
    let mut out = draw(shaders, options.shaders, &mut rng, &mut |m| texts.are_valid(m, text_of(&m.file)));
    out.extend(draw(host, options.host, &mut rng, &mut |_| true));
    Ok(out)
}

fn report(repository: &Path, work: &Path) -> Result<()> {
    let text = fs::read_to_string(work.join(PREPARED)).map_err(|e| format!("{}: {e}", work.display()))?;
    let prepared: Prepared = serde_json::from_str(&text).map_err(show)?;
    let outcomes: Vec<Outcome> = trial::outcomes(work).into_values().collect();
    let cases = equivalent::checked(work);
    print!("{}", page(&outcomes, &equivalents(repository), &cases, prepared.mutants.len() - outcomes.len()));
    Ok(())
}

fn equivalents(repository: &Path) -> Equivalents {
    let known = fs::read_to_string(repository.join("scripts/mutants/equivalent.txt")).unwrap_or_default();
    Equivalents::parse(&known)
}
