//! A recording: GPU work as a list of plain named commands. This module only describes; `program` executes.
//!
//! Only the planner makes recordings: the shaders of built-in kernels run without run-time checks, so nothing outside
//! the crate may create or change one.

use std::fmt;

use super::kernel::{FIRST_GROUP, Grid, Kernel};
use super::launch::{EpilogueBindings, Launch, OnHost, Params};
use super::pacing::Pieces;
use crate::shape::Precision;
use crate::tensor::Tensor;

/// A buffer that a recording uses.
#[derive(Clone, Debug)]
pub struct BufferSpec {
    /// Its name in reports.
    pub(crate) label: String,
    /// Its size.
    pub(crate) bytes: u64,
}

/// Part of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Which of the recording's buffers.
    pub buffer: usize,
    /// First byte, a multiple of 256.
    pub offset: u64,
    /// Length, a multiple of 16.
    pub bytes: u64,
}

/// What is uploaded into a buffer of constants.
#[derive(Clone, Debug)]
pub(crate) enum Contents {
    /// These elements, of four bytes each.
    Words(Tensor),
    /// What the host makes of these, only when it is uploaded.
    Made(Tensor, Params, OnHost),
}

impl Contents {
    /// The bytes to be uploaded; what is made for them is in `room`.
    pub fn bytes<'a>(&'a self, room: &'a mut Vec<f32>) -> &'a [u8] {
        match self {
            Contents::Words(words) => words.data().bytes(),
            Contents::Made(from, params, make) => {
                make(params, from.f32s(), room);
                bytemuck::cast_slice(room)
            }
        }
    }
}

/// One step of GPU work.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Copies host bytes into a buffer.
    Upload {
        /// The number of the upload.
        slot: usize,
        /// The destination.
        to: Range,
    },
    /// One kernel over a grid.
    Dispatch(Box<Dispatch>),
    /// Ends a piece of the run: a submission may end here, and the following commands belong to the next one.
    Submit,
    /// Copies a buffer to the host.
    Download {
        /// The number of the download.
        slot: usize,
        /// The source.
        from: Range,
    },
}

/// How a kernel uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A uniform buffer.
    Uniform,
    /// A storage buffer that is read.
    Read,
    /// A storage buffer that is read and written.
    ReadWrite,
}

/// One kernel over a grid, with its buffers resolved.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The node that it belongs to.
    pub(crate) node: String,
    /// The kernel.
    pub(crate) kernel: &'static Kernel,
    /// `override` values.
    pub(crate) overrides: Vec<(&'static str, f64)>,
    /// `const` values.
    pub(crate) consts: Vec<(&'static str, u32)>,
    /// What the kernel's `Stored` is.
    pub(crate) precision: Precision,
    /// Whether the kernel's `Written` is f32 whatever `Stored` is.
    pub(crate) sums: bool,
    /// The uniform struct.
    pub(crate) params: Params,
    /// What its epilogue binds.
    pub(crate) epilogue: Option<EpilogueBindings<Range>>,
    /// Read-only bindings of group 0.
    pub(crate) reads: Vec<Range>,
    /// Read-write bindings.
    pub(crate) writes: Vec<Range>,
    /// The grid.
    pub(crate) workgroups: [u32; 3],
    /// Where it is a part of its launch: how many workgroups the parts before it have.
    pub(crate) first_group: Option<u32>,
    /// Whether the shader keeps its run-time checks. Only launches of this crate's operators may run without them.
    pub(crate) checked: bool,
}

impl Dispatch {
    /// A launch over these ranges; `reads` are those of [`Launch::all_reads`].
    pub(crate) fn of(
        launch: &Launch,
        node: String,
        mut reads: Vec<Range>,
        writes: Vec<Range>,
        checked: bool,
    ) -> Dispatch {
        let mut read = reads.split_off(launch.reads.len()).into_iter();
        let epilogue = launch.epilogue.as_ref().map(|EpilogueBindings { params, tensors }| EpilogueBindings {
            params: params.clone(),
            tensors: tensors.map(|arg| arg.and_then(|_| read.next())),
        });
        Dispatch {
            node,
            kernel: launch.kernel,
            overrides: launch.overrides.clone(),
            consts: launch.consts.clone(),
            precision: launch.precision,
            sums: launch.sums,
            params: launch.params.clone(),
            epilogue,
            reads,
            writes,
            workgroups: launch.workgroups,
            first_group: None,
            checked,
        }
    }
    /// The node that it belongs to.
    pub fn node(&self) -> &str {
        &self.node
    }
    /// The kernel's name.
    pub fn kernel(&self) -> &'static str {
        self.kernel.name
    }
    /// The text that the device compiles, and the values of its overrides.
    pub fn shader(&self) -> (String, &[(&'static str, f64)]) {
        (self.wgsl(), &self.overrides)
    }
    /// The text, in which overrides are open.
    pub(crate) fn wgsl(&self) -> String {
        self.kernel.text(&self.consts, self.precision, self.sums, self.grid())
    }
    /// Whether it is a part of its launch.
    pub fn grid(&self) -> Grid {
        if self.first_group.is_some() { Grid::Part } else { Grid::Whole }
    }
    /// The layout of its pipeline: by group, the bindings with their numbers. Params, then tensors; in a part of a launch then the
    /// number of its first workgroup; in group 1 what an epilogue has.
    pub fn layout(&self) -> Vec<Vec<(u32, Access)>> {
        let group = |reads, writes| {
            let tensors =
                std::iter::repeat_n(Access::Read, reads).chain(std::iter::repeat_n(Access::ReadWrite, writes));
            (0..).zip(std::iter::once(Access::Uniform).chain(tensors))
        };
        let first_group = self.first_group.map(|_| (FIRST_GROUP, Access::Uniform));
        let own = group(self.reads.len(), self.writes.len()).chain(first_group);
        let epilogue = self.epilogue.as_ref().map(|e| group(e.tensors.len(), 0).collect());
        std::iter::once(own.collect()).chain(epilogue).collect()
    }
    /// The same work as `count` dispatches, or as many as there are workgroups; as one if a program wrote the kernel, whose
    /// `main` is its own.
    pub(crate) fn split(self, count: u32) -> Vec<Dispatch> {
        let groups: u64 = self.workgroups.into_iter().map(u64::from).product();
        if u64::from(count).min(groups) < 2 || !self.kernel.is_built_in() {
            return vec![self];
        }
        // A part has one row.
        let count = u64::from(count).max(groups.div_ceil(65_535)).min(groups);
        let ends: Vec<u32> = (0..=count).map(|k| (groups * k / count) as u32).collect();
        let part = |ends: &[u32]| Dispatch {
            first_group: Some(ends[0]),
            workgroups: [ends[1] - ends[0], 1, 1],
            ..self.clone()
        };
        ends.windows(2).map(part).collect()
    }
    /// The values of `const` declarations.
    pub fn consts(&self) -> &[(&'static str, u32)] {
        &self.consts
    }
    /// What the kernel's `Stored` is.
    pub fn precision(&self) -> Precision {
        self.precision
    }
    /// Which of the storage bindings have elements of the type `Stored`.
    pub fn stored(&self) -> Vec<bool> {
        self.kernel.stored_by(self.sums)
    }
    /// The uniform struct.
    pub fn params(&self) -> &Params {
        &self.params
    }
    /// The uniform struct of the epilogue, if there is one.
    pub fn epilogue_params(&self) -> Option<&Params> {
        self.epilogue.as_ref().map(|e| &e.params)
    }
    /// All ranges that it reads: those of group 0, then those of its epilogue.
    pub(crate) fn all_reads(&self) -> impl Iterator<Item = &Range> {
        self.reads.iter().chain(self.epilogue.iter().flat_map(|e| e.tensors.iter().flatten()))
    }
    /// The files of `shaders/`, without `.wgsl`, that its text consists of: the kernel's own, then the shared ones.
    pub fn files(&self) -> Vec<&'static str> {
        self.kernel.files()
    }
    /// How many bindings of group 0 are read-only, and how many are read-write.
    pub fn bindings(&self) -> (usize, usize) {
        (self.reads.len(), self.writes.len())
    }
    /// The grid, in workgroups.
    pub fn workgroups(&self) -> [u32; 3] {
        self.workgroups
    }
    /// Whether the shader keeps its run-time checks.
    pub fn is_checked(&self) -> bool {
        self.checked
    }
}

/// Buffers, the work that is done once (`prepare`: upload constants, pack weights), and the work of every run.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Every buffer the commands name. The first ones are the arenas: what a run writes.
    pub(crate) buffers: Vec<BufferSpec>,
    /// The number of arenas.
    pub(crate) arenas: usize,
    /// Constants: what a buffer holds before `prepare`. A program takes them out.
    pub(crate) constants: Vec<(Range, Contents)>,
    /// Buffers of tensors that the device has already, in their order.
    pub(crate) resident: Vec<usize>,
    /// Commands that run once.
    pub(crate) prepare: Vec<Command>,
    /// Commands of every run.
    pub(crate) run: Vec<Command>,
    /// The pieces of `run`, of which there is one more than it has [`Command::Submit`].
    pub(crate) pieces: Pieces,
    /// Buffers of constants that no command of `run` reads: freed after `prepare`.
    pub(crate) transient: Vec<usize>,
    /// In a guarded recording: the gaps after tensors, which no kernel may write.
    pub(crate) guards: Vec<Range>,
}

impl Recording {
    /// An empty recording.
    pub(crate) fn new() -> Recording {
        Recording {
            buffers: vec![],
            arenas: 0,
            constants: vec![],
            resident: vec![],
            prepare: vec![],
            run: vec![],
            pieces: Pieces::whole(),
            transient: vec![],
            guards: vec![],
        }
    }
    /// Dispatches of one run.
    pub fn dispatches(&self) -> impl Iterator<Item = &Dispatch> {
        self.run.iter().filter_map(Command::as_dispatch)
    }
    /// Dispatches of `prepare`.
    pub fn preparations(&self) -> impl Iterator<Item = &Dispatch> {
        self.prepare.iter().filter_map(Command::as_dispatch)
    }
    /// Submissions of one run, as far as estimates go.
    pub fn parts(&self) -> usize {
        self.pieces.parts()
    }
    /// Bytes of all buffers.
    pub(crate) fn bytes(&self) -> u64 {
        self.buffers.iter().map(|b| b.bytes).fold(0, u64::saturating_add)
    }
    /// Bytes that a run reads back.
    pub(crate) fn result_bytes(&self) -> u64 {
        self.downloads().iter().map(|range| range.bytes).sum()
    }
    /// The ranges that a run reads back, in the order of their slots.
    pub(crate) fn downloads(&self) -> Vec<Range> {
        let mut out: Vec<_> = self
            .run
            .iter()
            .filter_map(|c| if let Command::Download { slot, from } = c { Some((*slot, *from)) } else { None })
            .collect();
        out.sort_by_key(|&(slot, _)| slot);
        out.into_iter().map(|(_, from)| from).collect()
    }
}

impl Command {
    /// The dispatch, if it is one.
    pub(crate) fn as_dispatch(&self) -> Option<&Dispatch> {
        match self {
            Command::Dispatch(d) => Some(d),
            _ => None,
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}[{}..+{}]", self.buffer, self.offset, self.bytes)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |ranges: Vec<&Range>| ranges.into_iter().map(Range::to_string).collect::<Vec<_>>().join(" ");
        match self {
            Command::Upload { slot, to } => write!(f, "upload   {slot} -> {to}"),
            Command::Submit => write!(f, "may submit"),
            Command::Download { slot, from } => write!(f, "download {from} -> {slot}"),
            Command::Dispatch(d) => {
                let [x, y, z] = d.workgroups;
                let (reads, writes) = (list(d.all_reads().collect()), list(d.writes.iter().collect()));
                let from = d.first_group.map_or_else(String::new, |first| format!(" from {first}"));
                write!(f, "dispatch {:<28} {:<24} {x}x{y}x{z}{from}  {reads} -> {writes}", d.node, d.kernel.name)
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

#[cfg(test)]
mod tests {
    use super::*;

    static OURS: Kernel = Kernel::built_in(["ours", "ours"], "", &[]);
    static THEIRS: Kernel = Kernel::new("theirs", "");

    /// The parts of a launch over this grid: their first workgroups, and how many they have.
    fn parts(kernel: &'static Kernel, workgroups: [u32; 3], count: u32) -> Vec<(Option<u32>, u32)> {
        let launch = Launch::grid(kernel, workgroups, Params::new());
        let parts = Dispatch::of(&launch, "node".to_owned(), vec![], vec![], false).split(count);
        assert!(parts.iter().all(|d| d.first_group.is_none() || d.workgroups[1..] == [1, 1]));
        parts.iter().map(|d| (d.first_group, d.workgroups.iter().product())).collect()
    }

    #[test]
    fn parts_have_each_workgroup_once() {
        assert_eq!(parts(&OURS, [7, 1, 1], 3), [(Some(0), 2), (Some(2), 2), (Some(4), 3)]);
        assert_eq!(parts(&OURS, [3, 2, 1], 1000), (0..6).map(|k| (Some(k), 1)).collect::<Vec<_>>());
        let long = parts(&OURS, [60_000, 3, 1], 2);
        assert_eq!(long, [(Some(0), 60_000), (Some(60_000), 60_000), (Some(120_000), 60_000)], "a part has one row");
    }

    #[test]
    fn what_need_not_or_cannot_be_split_is_whole() {
        assert_eq!(parts(&OURS, [60_000, 3, 1], 1), [(None, 180_000)]);
        assert_eq!(parts(&OURS, [1, 1, 1], 9), [(None, 1)]);
        assert_eq!(parts(&THEIRS, [7, 1, 1], 3), [(None, 7)]);
    }
}
