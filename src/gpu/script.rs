//! A recording with what it reads, as data: enough for any implementation of WebGPU to run it.

pub use super::program::{POISON, poison};
use super::recording::{Access, Command, Dispatch, Range, Recording};

/// The work of one run. Buffers are zero but for those in `poisoned`; what `writes` says comes before the dispatches.
#[derive(Clone, Debug)]
pub struct Script {
    /// The bytes of each buffer.
    pub buffers: Vec<u64>,
    /// Buffers whose words are [`poison`] first.
    pub poisoned: Vec<usize>,
    /// Constants and inputs.
    pub writes: Vec<(Range, Vec<u8>)>,
    /// The dispatches, in order.
    pub steps: Vec<Step>,
    /// What no kernel may write: it is as it was at the end.
    pub guards: Vec<Range>,
    /// Where the results are, in order; their last bytes may be padding.
    pub results: Vec<Range>,
}

/// A dispatch with all that it binds.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its shader and its grid.
    pub dispatch: Dispatch,
    /// Whether it is done once, before the first run.
    pub prepares: bool,
    /// Group by group.
    pub bindings: Vec<Binding>,
}

/// One binding of a dispatch.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The group.
    pub group: u32,
    /// The number in the group.
    pub binding: u32,
    /// How the kernel uses it.
    pub access: Access,
    /// What is bound.
    pub resource: Resource,
}

/// What is bound.
#[derive(Clone, Debug)]
pub enum Resource {
    /// A uniform buffer of these bytes.
    Uniform(Vec<u8>),
    /// A part of a buffer.
    Part(Range),
}

impl Script {
    /// One run of a recording, given the bytes of each upload. What the recording has as constants is not in a program's.
    pub(crate) fn of(recording: &Recording, uploads: &[Vec<u8>]) -> Script {
        let mut buffers: Vec<_> = recording.buffers.iter().map(|b| b.bytes).collect();
        let absent = Range { buffer: buffers.len(), offset: 0, bytes: ABSENT };
        buffers.push(ABSENT);
        let mut room = vec![];
        let mut writes: Vec<_> =
            recording.constants.iter().map(|(to, contents)| (*to, contents.bytes(&mut room).to_vec())).collect();
        let upload = |command: &Command| match command {
            Command::Upload { slot, to } => Some((*to, uploads[*slot].clone())),
            _ => None,
        };
        writes.extend(recording.run.iter().filter_map(upload));
        let step = |d: &Dispatch, prepares| Step { dispatch: d.clone(), prepares, bindings: bindings(d, absent) };
        let mut steps: Vec<_> = recording.preparations().map(|d| step(d, true)).collect();
        steps.extend(recording.dispatches().map(|d| step(d, false)));
        let mut poisoned: Vec<_> = recording.guards.iter().map(|guard| guard.buffer).collect();
        poisoned.sort_unstable();
        poisoned.dedup();
        Script { buffers, poisoned, writes, steps, guards: recording.guards.clone(), results: recording.downloads() }
    }
}

/// The bytes of the buffer that stands for tensors that an epilogue does not have.
const ABSENT: u64 = 16;

fn bindings(d: &Dispatch, absent: Range) -> Vec<Binding> {
    let part = |range: &Range| Resource::Part(*range);
    let mut own = vec![Resource::Uniform(d.params.bytes())];
    own.extend(d.reads.iter().chain(&d.writes).map(part));
    own.extend(d.first_group.map(|first| Resource::Uniform(bytemuck::cast_slice(&[first, 0, 0, 0]).to_vec())));
    let epilogue = d.epilogue.as_ref().map(|e| {
        let tensors = e.tensors.iter().map(|range| Resource::Part(range.unwrap_or(absent)));
        std::iter::once(Resource::Uniform(e.params.bytes())).chain(tensors).collect::<Vec<_>>()
    });
    let mut out = vec![];
    for ((group, layout), resources) in (0..).zip(d.layout()).zip(std::iter::once(own).chain(epilogue)) {
        let numbered = layout.into_iter().zip(resources);
        out.extend(numbered.map(|((binding, access), resource)| Binding { group, binding, access, resource }));
    }
    out
}
