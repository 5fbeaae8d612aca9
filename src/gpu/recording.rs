//! A recording: GPU work as a list of plain named commands. This module only describes; `program` executes.

use std::fmt;

use super::kernel::{Kernel, Params};
use crate::shape::Precision;

/// A buffer that a recording uses.
#[derive(Clone, Debug)]
pub struct BufferSpec {
    /// What it is for.
    pub label: String,
    /// Its size.
    pub bytes: u64,
}

/// Part of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Index into [`Recording::buffers`].
    pub buffer: usize,
    /// First byte, a multiple of 256.
    pub offset: u64,
    /// Length, a multiple of 16.
    pub bytes: u64,
}

/// One step of GPU work.
#[derive(Clone, Debug)]
pub enum Command {
    /// Host bytes into a buffer; `slot` numbers the recording's uploads.
    Upload {
        /// Which of the bytes given to the run.
        slot: usize,
        /// Where they go.
        to: Range,
    },
    /// One kernel over a grid.
    Dispatch(Dispatch),
    /// What came before is submitted, what follows is a submission of its own.
    Submit,
    /// Buffer to host; `slot` numbers the recording's downloads.
    Download {
        /// Which of the run's results.
        slot: usize,
        /// Where they are.
        from: Range,
    },
}

/// One kernel over a grid, with its buffers resolved.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The node it works for.
    pub node: String,
    /// The kernel.
    pub kernel: &'static Kernel,
    /// `override` values.
    pub overrides: Vec<(&'static str, f64)>,
    /// `const` values.
    pub consts: Vec<(&'static str, u32)>,
    /// What the kernel's `Stored` is.
    pub precision: Precision,
    /// The uniform struct.
    pub params: Params,
    /// Read-only bindings.
    pub reads: Vec<Range>,
    /// Read-write bindings.
    pub writes: Vec<Range>,
    /// The grid.
    pub workgroups: [u32; 3],
}

/// Buffers, work done once (`prepare`: constants up, weights packed), and work of every run.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Every buffer the commands name.
    pub buffers: Vec<BufferSpec>,
    /// Constants: the bytes of a buffer, given before `prepare`.
    pub constants: Vec<(Range, std::sync::Arc<Vec<u8>>)>,
    /// Done once.
    pub prepare: Vec<Command>,
    /// Done every run.
    pub run: Vec<Command>,
    /// Buffers of constants that no command of `run` reads: freed after `prepare`.
    pub transient: Vec<usize>,
    /// In a guarded recording: the gaps behind every tensor of an arena, which no kernel may touch.
    pub guards: Vec<Range>,
}

impl Recording {
    /// Dispatches of one run.
    pub fn dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.run.iter().filter_map(|c| match c {
            Command::Dispatch(d) => Some(d),
            _ => None,
        })
    }
}

impl Recording {
    /// Submissions of one run.
    pub fn parts(&self) -> usize {
        1 + self.run.iter().filter(|c| matches!(c, Command::Submit)).count()
    }
    /// The ranges that a run reads back, in the order of their slots.
    pub fn downloads(&self) -> Vec<Range> {
        let mut out: Vec<_> = self
            .run
            .iter()
            .filter_map(|c| if let Command::Download { slot, from } = c { Some((*slot, *from)) } else { None })
            .collect();
        out.sort_by_key(|&(slot, _)| slot);
        out.into_iter().map(|(_, from)| from).collect()
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}[{}..+{}]", self.buffer, self.offset, self.bytes)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ranges: &[Range]| ranges.iter().map(Range::to_string).collect::<Vec<_>>().join(" ");
        match self {
            Command::Upload { slot, to } => write!(f, "upload   {slot} -> {to}"),
            Command::Submit => write!(f, "submit"),
            Command::Download { slot, from } => write!(f, "download {from} -> {slot}"),
            Command::Dispatch(d) => {
                let [x, y, z] = d.workgroups;
                let (reads, writes) = (list(&d.reads), list(&d.writes));
                write!(f, "dispatch {:<28} {:<24} {x}x{y}x{z}  {reads} -> {writes}", d.node, d.kernel.name)
            }
        }
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, b) in self.buffers.iter().enumerate() {
            writeln!(f, "#{i} {:<20} {:>12} bytes", b.label, b.bytes)?;
        }
        for (title, commands) in [("prepare", &self.prepare), ("run", &self.run)] {
            writeln!(f, "{title}:")?;
            for c in commands {
                writeln!(f, "  {c}")?;
            }
        }
        Ok(())
    }
}
