//! Mutation testing: makes small changes of shaders and host code at random places, one at a time, and runs the tests that reach
//! them. A change that no test finds shows what the tests do not check.
//!
//!     convgpu-mutants [list | prepare | run | retry | equivalent | report] [--work DIR] [--jobs N] [--shaders N] [--host N]
//!                     [--seed N]
//!
//! All mutants are in one build: in a copy of the repository an expression asks which of its mutants is active (`schema`), and the
//! texts of shaders pass through a function that changes them (`injected`). An environment variable of the copy names the mutant;
//! the product has no such path. `list` prints what is drawn. `prepare` makes and builds the copy, runs every test without a
//! mutant, and notes which places each reaches. `run` (that is all of it) goes on where it was stopped. `retry` takes the tests and
//! all else that has no mutants as they are now, and tries those again that survived. `equivalent` runs
//! random cases of those that are said to change nothing. `report` prints tables and the survivors.

mod draw;
mod equivalent;
mod injected;
mod jsonl;
mod mutant;
mod options;
mod programs;
mod reach;
mod report;
mod rust;
mod schema;
mod scratch;
mod shaders;
mod swaps;
mod table;
mod tokens;
mod trial;
mod wgsl;
mod work;

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

pub type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match options::Options::parse(std::env::args().skip(1)).and_then(|options| work::run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

/// An error of another type.
fn show(e: impl Display) -> String {
    e.to_string()
}

/// Calls a function for every item, from several threads; the function gets the number of its thread.
///
/// # Errors
/// The first of a thread, which the others follow after the item at hand.
fn parallel<T: Sync>(jobs: usize, items: &[T], each: impl Fn(usize, &T) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let worker = |number: usize| {
            let (next, each) = (&next, &each);
            scope.spawn(move || {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(number, item).inspect_err(|_| next.store(items.len(), Ordering::Relaxed))?;
                }
                Ok(())
            })
        };
        let workers: Vec<_> = (0..jobs).map(worker).collect();
        workers.into_iter().try_for_each(|w| w.join().unwrap_or_else(|_| Err("a thread panicked".to_owned())))
    })
}
