//! The copy of the repository that has all mutants in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::mutant::Mutant;
use crate::schema::Schema;
use crate::table::BINARIES;
use crate::{Result, injected, show};

/// The copy, and the programs that are built of it.
pub struct Scratch {
    pub root: PathBuf,
    target: PathBuf,
}

impl Scratch {
    pub fn new(work: &Path) -> Scratch {
        Scratch { root: work.join("copy"), target: work.join("target") }
    }

    /// Copies the files that git does not ignore and that are wanted.
    pub fn copy(&self, repository: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let list = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(repository)
            .output()
            .map_err(show)?;
        for name in String::from_utf8_lossy(&list.stdout).split('\0').filter(|name| !name.is_empty() && wanted(name)) {
            let (from, to) = (repository.join(name), self.root.join(name));
            if from.is_file() {
                fs::create_dir_all(to.parent().expect("files have folders")).map_err(show)?;
                fs::copy(&from, &to).map_err(|e| format!("{name}: {e}"))?;
            }
        }
        Ok(())
    }

    /// Writes the mutants into the copy, and leaves out those that do not compile, whose numbers it returns.
    pub fn write(&self, repository: &Path, mutants: &[Mutant]) -> Result<BTreeSet<usize>> {
        fs::write(self.root.join("src/mutant.rs"), injected::module(mutants)).map_err(show)?;
        let library = fs::read_to_string(repository.join("src/lib.rs")).map_err(show)?;
        fs::write(self.root.join("src/lib.rs"), format!("{library}\nmod mutant;\n")).map_err(show)?;
        let mut invalid = BTreeSet::new();
        loop {
            let schemas = self.write_hosts(repository, mutants, &invalid)?;
            let wrong = self.check(&schemas)?;
            if wrong.is_empty() {
                return Ok(invalid);
            }
            eprintln!("{} mutants do not compile", wrong.len());
            invalid.extend(wrong);
        }
    }

    fn write_hosts(
        &self,
        repository: &Path,
        mutants: &[Mutant],
        invalid: &BTreeSet<usize>,
    ) -> Result<BTreeMap<String, Schema>> {
        let mut files: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::from([(KERNEL, vec![])]);
        for (id, mutant) in mutants.iter().enumerate().filter(|(_, m)| !m.is_shader()) {
            let list = files.entry(&mutant.file).or_default();
            if !invalid.contains(&id) {
                list.push((id, mutant));
            }
        }
        let mut schemas = BTreeMap::new();
        for (file, list) in files {
            let source = fs::read_to_string(repository.join(file)).map_err(show)?;
            let mut schema = Schema::new(&source, &list);
            if file == KERNEL {
                for (from, to) in injected::HOOKS {
                    schema.replace(from, to).ok_or_else(|| format!("{KERNEL} has no `{from}`"))?;
                }
            }
            fs::write(self.root.join(file), &schema.text).map_err(show)?;
            schemas.insert(file.to_owned(), schema);
        }
        Ok(schemas)
    }

    fn cargo(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let mut command = Command::new("cargo");
        command.args(arguments).args(["--message-format=json", "--quiet", "-p", "convgpu"]);
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target).env("CARGO_INCREMENTAL", "0");
        let output = command.stderr(std::process::Stdio::inherit()).output().map_err(show)?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// The mutants at which the compiler finds errors.
    fn check(&self, schemas: &BTreeMap<String, Schema>) -> Result<BTreeSet<usize>> {
        let mut wrong = BTreeSet::new();
        for message in self.cargo(&["check", "--lib"])? {
            let message = &message["message"];
            if message["level"] != "error" {
                continue;
            }
            let spans = message["spans"].as_array().map_or(&[][..], Vec::as_slice);
            let (primary, others): (Vec<&Value>, Vec<&Value>) = spans.iter().partition(|s| s["is_primary"] == true);
            let found = [primary, others].into_iter().map(|list| culprits(&list, schemas)).find(|ids| !ids.is_empty());
            match found {
                Some(ids) => wrong.extend(ids),
                // The last message only counts the others.
                None if spans.is_empty() => {}
                None => return Err(format!("no mutant is at this error:\n{}", message["rendered"])),
            }
        }
        Ok(wrong)
    }

    /// Builds the tests: their programs, in the order of the table.
    pub fn build(&self) -> Result<Vec<PathBuf>> {
        let mut arguments = vec!["test", "--no-run"];
        BINARIES.iter().for_each(|binary| arguments.extend(binary.arguments));
        let messages = self.cargo(&arguments)?;
        let program = |name: &str| {
            let of =
                |m: &&Value| m["target"]["name"] == name && m["profile"]["test"] == true && m["executable"].is_string();
            let path = messages.iter().rfind(of).and_then(|m| m["executable"].as_str());
            path.map(PathBuf::from).ok_or_else(|| format!("the copy's test {name} was not built"))
        };
        BINARIES.iter().map(|binary| program(binary.name)).collect()
    }
}

const KERNEL: &str = "src/gpu/kernel.rs";

/// The mutants at these places of an error.
fn culprits(spans: &[&Value], schemas: &BTreeMap<String, Schema>) -> Vec<usize> {
    let of = |span: &&Value| {
        let byte = |key: &str| span[key].as_u64().unwrap_or(0) as usize;
        let schema = span["file_name"].as_str().and_then(|name| schemas.get(name));
        schema.map_or(vec![], |schema| schema.at(&(byte("byte_start")..byte("byte_end"))))
    };
    spans.iter().flat_map(of).collect()
}
