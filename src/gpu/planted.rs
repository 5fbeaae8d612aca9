//! Faults that are planted in a recording: negative controls of all that checks results.

use super::kernel::Kernel;
use super::launch::{Launch, Params, Scalar};
use super::recording::{BufferSpec, Command, Dispatch, Range, Recording};

/// What is wrong with the commands of a node.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The node.
    pub node: String,
    /// What is wrong.
    pub kind: FaultKind,
}

/// A kind of fault. Dispatches are counted among those of the node.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// This dispatch does not run.
    Skipped(usize),
    /// This dispatch has a workgroup less.
    Shortened(usize),
    /// A field of a dispatch's params is larger by one; by a half if it is a float.
    Changed {
        /// The dispatch.
        dispatch: usize,
        /// The field. Those of the epilogue follow those of the kernel.
        field: usize,
    },
    /// Another dispatch writes words of a result after the others.
    Written {
        /// The number of the result.
        output: usize,
        /// What it writes.
        words: Words,
        /// It does so in one of this number of runs.
        every: u32,
    },
}

/// Words of a result.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// The first one.
    pub first: usize,
    /// How many.
    pub count: usize,
}

static WRITE: Kernel = Kernel::new(
    "planted",
    "struct Params { first: u32, count: u32, every: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<storage, read_write> runs: array<u32>;

@compute @workgroup_size(1)
fn main() {
    runs[0] += 1u;
    if runs[0] % p.every != 0u { return; }
    for (var k = 0u; k < p.count; k++) {
        let at = p.first + k;
        y[at] = select(0u, 0x3f800000u, y[at] == 0u);
    }
}",
);

impl Fault {
    /// Changes the recording; one without dispatches of the node stays as it is.
    pub(super) fn plant(&self, recording: &mut Recording) {
        let is_of_node = |command: &Command| command.as_dispatch().is_some_and(|d| d.node == self.node);
        let places: Vec<usize> = (0..recording.run.len()).filter(|&k| is_of_node(&recording.run[k])).collect();
        if places.is_empty() {
            return;
        }
        match self.kind {
            FaultKind::Skipped(dispatch) => {
                places.get(dispatch).map(|&k| recording.run.remove(k));
            }
            FaultKind::Shortened(dispatch) => {
                if let Some(d) = dispatch_at(recording, places.get(dispatch)) {
                    let longest = d.workgroups.iter_mut().max().expect("a grid has three sides");
                    *longest -= 1;
                }
            }
            FaultKind::Changed { dispatch, field } => {
                if let Some(d) = dispatch_at(recording, places.get(dispatch)) {
                    let of_epilogue = d.epilogue.as_mut().map(|e| &mut e.params);
                    let all = d.params.0.iter_mut().chain(of_epilogue.into_iter().flat_map(|p| &mut p.0));
                    all.skip(field).take(1).for_each(|(_, value)| *value = changed(*value));
                }
            }
            FaultKind::Written { output, words, every } => self.write(recording, output, words, every),
        }
    }

    fn write(&self, recording: &mut Recording, output: usize, words: Words, every: u32) {
        let runs = recording.buffers.len();
        recording.buffers.push(BufferSpec { label: "runs".to_owned(), bytes: 16 });
        let params = Params::new().with("first", words.first).with("count", words.count).with("every", every);
        let launch = Launch::grid(&WRITE, [1, 1, 1], params);
        let writes = vec![recording.downloads()[output], Range { buffer: runs, offset: 0, bytes: 16 }];
        let dispatch = Dispatch::of(&launch, self.node.clone(), vec![], writes, true);
        let last = recording.run.iter().rposition(|command| command.as_dispatch().is_some());
        recording.run.insert(last.map_or(0, |k| k + 1), Command::Dispatch(Box::new(dispatch)));
    }
}

/// The workgroups of every dispatch one by one, the last one first. That is no fault: a GPU runs them in any order.
pub(super) fn reverse(recording: &mut Recording) {
    let backwards = |command: Command| match command {
        Command::Dispatch(d) => {
            let parts = d.split(u32::MAX);
            parts.into_iter().rev().map(|part| Command::Dispatch(Box::new(part))).collect()
        }
        other => vec![other],
    };
    recording.run = std::mem::take(&mut recording.run).into_iter().flat_map(backwards).collect();
}

fn dispatch_at<'a>(recording: &'a mut Recording, at: Option<&usize>) -> Option<&'a mut Dispatch> {
    match recording.run.get_mut(*at?)? {
        Command::Dispatch(d) => Some(d),
        _ => None,
    }
}

fn changed(value: Scalar) -> Scalar {
    match value {
        Scalar::U32(v) => Scalar::U32(v.wrapping_add(1)),
        Scalar::I32(v) => Scalar::I32(v.wrapping_add(1)),
        Scalar::F32(v) => Scalar::F32(v + 0.5),
        Scalar::TooLarge(v) => Scalar::TooLarge(v),
    }
}
