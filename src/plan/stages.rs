//! The stages of a plan as text.

use std::fmt::Write;

use super::options::PlanOptions;
use super::{Stages, choose, lower};
use crate::error::Result;
use crate::gpu::caps::Caps;
use crate::graph::Graph;

/// A stage of planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A variant per node.
    Choose,
    /// Steps, conversions, and the tensors that they read and write.
    Lower,
    /// The same without the copies that are not needed.
    Elide,
    /// The first and the last step of every temporary.
    Lifetime,
    /// The address of every temporary.
    Pack,
    /// Buffers and commands.
    Record,
}

/// The stages by name, in order.
pub const NAMES: [(&str, Stage); 6] = [
    ("choose", Stage::Choose),
    ("lower", Stage::Lower),
    ("elide", Stage::Elide),
    ("lifetime", Stage::Lifetime),
    ("pack", Stage::Pack),
    ("record", Stage::Record),
];

/// What a stage makes of a graph.
///
/// # Errors
/// As [`Plan::new`](super::Plan::new).
pub fn text(graph: &Graph, caps: &Caps, options: &PlanOptions, stage: Stage) -> Result<String> {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("a string takes all");
    match stage {
        Stage::Choose | Stage::Lower => {
            super::check(caps, options)?;
            let choices = choose::choose(graph, caps, options)?;
            match stage {
                Stage::Choose => choices.iter().for_each(|choice| line(format_args!("{choice}"))),
                _ => line(format_args!("{}", lower::lower(graph, caps, options, &choices)?)),
            }
        }
        Stage::Elide => {
            let choices = choose::choose(graph, caps, options)?;
            let before = lower::lower(graph, caps, options, &choices)?.run.len();
            let lowered = Stages::new(graph, caps, options)?.lowered;
            line(format_args!("{lowered}{} of {before} steps were left out", before - lowered.run.len()));
        }
        Stage::Lifetime => {
            let stages = Stages::new(graph, caps, options)?;
            line(format_args!("{} steps; the results are read after the last one", stages.lowered.run.len()));
            for (k, (life, place)) in stages.lives.iter().zip(&stages.lowered.places).enumerate() {
                if let Some((first, last)) = life {
                    line(format_args!(
                        "%{k:<5} {:<40} {:>12} bytes  steps {first} to {last}",
                        place.label, place.bytes
                    ));
                }
            }
        }
        Stage::Pack => {
            let Stages { packing, lowered, .. } = Stages::new(graph, caps, options)?;
            for temporary in &packing.temporaries {
                let ((arena, offset), place) = (packing.packed.at[&temporary.id], &lowered.places[temporary.id]);
                let (id, bytes) = (temporary.id, temporary.bytes);
                line(format_args!("%{id:<5} {:<40} arena {arena}, {offset} to {}", place.label, offset + bytes));
            }
            line(format_args!("{} bytes; no plan takes less than {}", packing.peak_bytes(), packing.lower_bound()));
        }
        Stage::Record => line(format_args!("{}", super::Plan::new(graph, caps, options)?.recording)),
    }
    Ok(out)
}
