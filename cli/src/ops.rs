//! `convgpu ops`: the table of operators.

use clap::Args as ClapArgs;
use convgpu::internals::ops::catalog::{CATALOG, Entry, markdown};
use serde_json::json;

use crate::console;
use crate::failure::Outcome;

/// Lists the operators and what is supported of each
#[derive(ClapArgs)]
pub struct Args {
    /// Print the table of docs/operators.md
    #[arg(long)]
    markdown: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
}

pub fn run(args: &Args) -> Outcome<()> {
    if args.markdown {
        return console::print_source(&markdown());
    }
    if args.json {
        let entry = |e: &Entry| json!({ "name": e.name, "pytorch": e.torch, "onnx": e.onnx, "supported": e.notes });
        return console::print_json(&json!({ "operators": CATALOG.iter().map(entry).collect::<Vec<_>>() }));
    }
    let entry = |e: &Entry| {
        format!("{}\n  PyTorch    {}\n  ONNX       {}\n  supported  {}\n", e.name, e.torch, e.onnx, e.notes)
    };
    console::print_source(&CATALOG.iter().map(entry).collect::<Vec<_>>().join("\n"))
}
