//! The command line.

use std::path::PathBuf;

use crate::{Result, show};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    List,
    Prepare,
    Run,
    Retry,
    Equivalent,
    Report,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub action: Action,
    pub work: PathBuf,
    pub jobs: usize,
    /// How many valid mutants of shaders are drawn.
    pub shaders: usize,
    /// How many mutants of the host are drawn. One in five does not compile.
    pub host: usize,
    pub seed: u64,
}

const USAGE: &str = "usage: convgpu-mutants [list | prepare | run | retry | equivalent | report] [--work DIR] [--jobs N] [--shaders N] \
                     [--host N] [--seed N]";

impl Options {
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
        let work = PathBuf::from("target/mutants");
        let mut options = Options { action: Action::Run, work, jobs: 2, shaders: 610, host: 500, seed: 1 };
        while let Some(argument) = arguments.next() {
            match &*argument {
                "list" => options.action = Action::List,
                "prepare" => options.action = Action::Prepare,
                "run" => options.action = Action::Run,
                "retry" => options.action = Action::Retry,
                "equivalent" => options.action = Action::Equivalent,
                "report" => options.action = Action::Report,
                _ => {
                    let value = arguments.next().ok_or(USAGE)?;
                    options.set(&argument, &value).map_err(|e| format!("{argument} {value}: {e}\n{USAGE}"))?;
                }
            }
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let number = || value.parse::<usize>().map_err(show);
        match name {
            "--work" => self.work = PathBuf::from(value),
            "--jobs" => self.jobs = number()?.max(1),
            "--shaders" => self.shaders = number()?,
            "--host" => self.host = number()?,
            "--seed" => self.seed = number()? as u64,
            _ => return Err("unknown".to_owned()),
        }
        Ok(())
    }
}
