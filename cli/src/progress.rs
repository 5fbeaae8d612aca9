//! Progress on stderr: bars that are removed at the end if it is a terminal, else a line from time to time.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use convgpu::CompileOptions;
use indicatif::{ProgressBar, ProgressStyle};

use crate::console;

/// How often a line is written where there is no terminal: short work writes none.
const PATIENCE: Duration = Duration::from_secs(20);

/// A bar for one stage; it is cleared when it is dropped.
pub struct Bar {
    bar: ProgressBar,
    /// When the last line was written, or the stage began; `None` on a terminal.
    told: Option<Mutex<Instant>>,
}

impl Bar {
    fn new(bar: ProgressBar, template: &str) -> Bar {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let told = (!std::io::stderr().is_terminal()).then(|| Mutex::new(Instant::now()));
        Bar { bar, told }
    }

    /// A bar for a stage without steps.
    pub fn loading(file: &Path) -> Bar {
        let bar = Bar::new(ProgressBar::new_spinner(), "{msg}");
        bar.bar.set_message(format!("loading {}", file.display()));
        bar.bar.tick();
        bar
    }

    /// A bar for a stage with steps.
    pub fn steps() -> Bar {
        Bar::new(ProgressBar::new(0), "{pos}/{len} {bar:30} {msg}")
    }

    /// Shows the current step.
    pub fn at(&self, step: usize, of: usize, name: &str) {
        self.bar.set_message(name.to_owned());
        self.bar.set_length(of as u64);
        self.bar.set_position(step as u64);
        if let Some(told) = self.told.as_ref()
            && let Ok(mut told) = told.lock()
            && told.elapsed() >= PATIENCE
        {
            *told = Instant::now();
            console::note(&format!("{step} of {of}: {name}"));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The same options, with a bar while pipelines are compiled.
pub fn compiling(options: CompileOptions) -> CompileOptions {
    let bar = Bar::steps();
    let tell = move |done: usize, all: usize| {
        bar.at(done, all, "pipelines compiled");
        if done == all {
            bar.bar.finish_and_clear();
        }
    };
    options.progress(tell)
}
