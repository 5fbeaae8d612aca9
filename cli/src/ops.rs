//! `convgpu ops`: the table of operators.

use clap::Args as ClapArgs;
use convgpu::internals::ops::catalog::{CATALOG, markdown};

use crate::console;
use crate::failure::Outcome;

/// Lists the operators and what is supported of each
#[derive(ClapArgs)]
pub struct Args {
    /// Print the table of docs/operators.md
    #[arg(long)]
    markdown: bool,
}

pub fn run(args: &Args) -> Outcome<()> {
    if args.markdown {
        return console::print(&markdown());
    }
    let entry = |e: &convgpu::internals::ops::catalog::Entry| {
        format!("{}\n  PyTorch    {}\n  ONNX       {}\n  supported  {}\n", e.name, e.torch, e.onnx, e.notes)
    };
    console::print(&CATALOG.iter().map(entry).collect::<Vec<_>>().join("\n"))
}
