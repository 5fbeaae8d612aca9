//! Progress bars on stderr if it is a terminal; they are removed at the end.

use std::path::Path;

use convgpu::CompileOptions;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar for one stage; it is cleared when it is dropped.
pub struct Bar(ProgressBar);

impl Bar {
    fn new(bar: ProgressBar, template: &str) -> Bar {
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Bar(bar)
    }

    /// A bar for a stage without steps.
    pub fn loading(file: &Path) -> Bar {
        let bar = Bar::new(ProgressBar::new_spinner(), "{msg}");
        bar.0.set_message(format!("loading {}", file.display()));
        bar.0.tick();
        bar
    }

    /// A bar for a stage with steps.
    pub fn steps() -> Bar {
        Bar::new(ProgressBar::new(0), "{pos}/{len} {bar:30} {msg}")
    }

    /// Shows the current step.
    pub fn at(&self, step: usize, of: usize, name: &str) {
        self.0.set_message(name.to_owned());
        self.0.set_length(of as u64);
        self.0.set_position(step as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The same options, with a bar while pipelines are compiled.
pub fn compiling(options: CompileOptions) -> CompileOptions {
    let bar = Bar::steps();
    let tell = move |done: usize, all: usize| {
        bar.at(done, all, "pipelines compiled");
        if done == all {
            bar.0.finish_and_clear();
        }
    };
    options.progress(tell)
}
