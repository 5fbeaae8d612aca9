//! Runs tests of the copy.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::table::BINARIES;
use crate::{Result, show};

/// How some tests of one program end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Passed,
    /// A test failed, or the process died.
    Failed(String),
    /// A test takes much longer than without a mutant.
    Late,
}

/// The test programs of the copy.
pub struct Programs {
    root: PathBuf,
    runtime: PathBuf,
    paths: Vec<PathBuf>,
}

/// A mutated size must not take the machine's memory.
const MOST_MEMORY_KIB: u64 = 24 << 20;

impl Programs {
    pub fn new(root: &Path, runtime: &Path, paths: Vec<PathBuf>) -> Programs {
        Programs { root: root.to_owned(), runtime: runtime.to_owned(), paths }
    }

    /// The names of the tests of a program that may be run.
    pub fn tests(&self, program: usize) -> Result<Vec<String>> {
        let output = self.command(program, &["--list", "--format=terse"]).output().map_err(show)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
        let without = BINARIES[program].without;
        Ok(names.filter(|name| !without.iter().any(|w| name.starts_with(w))).map(str::to_owned).collect())
    }

    fn command(&self, program: usize, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("ulimit -c 0 -v {MOST_MEMORY_KIB}; exec \"$0\" \"$@\""))
            .arg(&self.paths[program]);
        command.args(arguments).current_dir(&self.root).env("LP_NUM_THREADS", "0").env("RUST_BACKTRACE", "0");
        command
            .env("CARGO_MANIFEST_DIR", &self.root)
            .env("XDG_RUNTIME_DIR", &self.runtime)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        command
    }

    /// Runs tests of one program one after another, with these variables, until one fails, or prints nothing within the time limit.
    pub fn run(&self, program: usize, tests: &[&str], variables: &[(&str, &str)], limit: Duration) -> Result<End> {
        let mut arguments = vec!["--test-threads=1", "--exact"];
        arguments.extend(tests);
        let mut command = self.command(program, &arguments);
        let mut child = command.envs(variables.iter().copied()).stdout(Stdio::piped()).spawn().map_err(show)?;
        let lines = lines(&mut child);
        let ended = end(&lines, limit);
        // Also its own children.
        if ended.is_some() {
            let group = format!("-{}", child.id());
            Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status().map_err(show)?;
        }
        let status = child.wait().map_err(show)?;
        Ok(match ended {
            Some(ended) => ended,
            None if status.success() => End::Passed,
            None => End::Failed(status.signal().map_or("exit".to_owned(), |signal| format!("signal {signal}"))),
        })
    }

    /// As [`Programs::run`], with the seconds that it takes.
    pub fn timed(&self, program: usize, test: &str, variable: (&str, &str)) -> Result<(End, f64)> {
        let start = Instant::now();
        let end = self.run(program, &[test], &[variable], Duration::from_secs(600))?;
        Ok((end, start.elapsed().as_secs_f64()))
    }
}

fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    let stdout = child.stdout.take().expect("stdout is a pipe");
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = vec![];
        while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
    receiver
}

/// What the lines tell before the process ends.
fn end(lines: &Receiver<String>, limit: Duration) -> Option<End> {
    loop {
        match lines.recv_timeout(limit) {
            Ok(line) => {
                let failed = line.trim_end().strip_suffix("FAILED").and_then(|line| line.split("test ").nth(1));
                if let Some(name) = failed.and_then(|rest| rest.split(" ...").next().or(Some(rest))) {
                    return Some(End::Failed(name.trim().to_owned()));
                }
            }
            Err(RecvTimeoutError::Timeout) => return Some(End::Late),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_the_first_failure() {
        let of = |text: &[&str]| {
            let (sender, receiver) = channel();
            text.iter().for_each(|line| sender.send((*line).to_owned()).unwrap());
            drop(sender);
            end(&receiver, Duration::from_secs(1))
        };
        assert_eq!(of(&["running 2 tests\n", "test a::b ... ok\n"]), None);
        assert_eq!(
            of(&["test a::b ... ok\n", "test c::d ... FAILED\n", "test e ... ok\n"]),
            Some(End::Failed("c::d".to_owned()))
        );
        assert_eq!(of(&["test a - should panic ... FAILED\n"]), Some(End::Failed("a - should panic".to_owned())));
    }
}
