//! The last stage: buffers and commands.

use std::collections::{HashMap, HashSet};

use super::lifetime::{Lifetime, conflicts};
use super::lower::{Kind, Lowered, PlaceId, Step};
use super::pack::{Packed, Temporary, lower_bound, pack};
use super::parts::Parts;
use crate::gpu::recording::{BufferSpec, Command, Dispatch, Range, Recording};

/// Tensors start at multiples of this.
const ALIGNMENT: u64 = 256;

/// Where the temporaries lie.
pub(super) struct Packing {
    pub temporaries: Vec<Temporary>,
    pub packed: Packed,
    /// Bytes after every tensor that nothing may write.
    guard: u64,
}

impl Packing {
    /// Bytes of all arenas.
    pub fn peak_bytes(&self) -> u64 {
        self.packed.arenas.iter().sum()
    }

    /// The largest sum of tensors that are alive at the same time.
    pub fn lower_bound(&self) -> u64 {
        lower_bound(&self.temporaries)
    }
}

/// Gives every temporary an address, in buffers of at most `largest` bytes.
pub(super) fn packing(lowered: &Lowered, lives: &[Lifetime], guarded: bool, largest: u64) -> Packing {
    let guard = if guarded { ALIGNMENT } else { 0 };
    let temporary = |(id, (life, place)): (PlaceId, (&Lifetime, &super::lower::Place))| {
        let (first, last) = (*life)?;
        Some(Temporary { id, bytes: place.bytes.next_multiple_of(ALIGNMENT) + guard, first, last })
    };
    let temporaries: Vec<_> = lives.iter().zip(&lowered.places).enumerate().filter_map(temporary).collect();
    let packed = pack(&temporaries, &conflicts(lowered), largest);
    Packing { temporaries, packed, guard }
}

/// The recording, which may be submitted in these parts; and the bytes of constants that stay on the device.
pub(super) fn record(lowered: &Lowered, packing: &Packing, parts: &Parts) -> (Recording, u64) {
    let mut recording = Recording::new();
    let mut ranges = arenas(&mut recording, lowered, packing);
    let weight_bytes = constants(&mut recording, lowered, &mut ranges);
    let dispatch = |step: &Step| dispatch(step, &ranges);
    recording.prepare = lowered.prepare.iter().map(dispatch).map(|d| Command::Dispatch(Box::new(d))).collect();
    let upload = |(slot, place): (usize, &PlaceId)| Command::Upload { slot, to: ranges[place] };
    let download = |(slot, place): (usize, &PlaceId)| Command::Download { slot, from: ranges[place] };
    recording.run.extend(lowered.inputs.iter().enumerate().map(upload));
    let mut pieces = parts.pieces();
    let work = lowered.run.iter().zip(parts.steps()).filter(|(step, _)| !step.launch.workgroups.contains(&0));
    for (step, share) in work {
        let dispatches = dispatch(step).split(share.dispatches);
        let seconds = share.seconds / dispatches.len() as f64;
        for dispatch in dispatches {
            recording.run.extend(pieces.begin(seconds).then_some(Command::Submit));
            recording.run.push(Command::Dispatch(Box::new(dispatch)));
        }
    }
    recording.pieces = pieces;
    recording.run.extend(lowered.outputs.iter().enumerate().map(download));
    (recording, weight_bytes)
}

/// The buffers of the temporaries, and where each lies.
fn arenas(recording: &mut Recording, lowered: &Lowered, packing: &Packing) -> HashMap<PlaceId, Range> {
    let mut ranges = HashMap::new();
    for (k, &bytes) in packing.packed.arenas.iter().enumerate() {
        recording.buffers.push(BufferSpec { label: format!("arena {k}"), bytes });
    }
    for temporary in &packing.temporaries {
        let (buffer, offset) = packing.packed.at[&temporary.id];
        let bytes = lowered.places[temporary.id].bytes;
        ranges.insert(temporary.id, Range { buffer, offset, bytes });
        if packing.guard > 0 {
            let offset = offset + bytes.next_multiple_of(ALIGNMENT);
            recording.guards.push(Range { buffer, offset, bytes: packing.guard });
        }
    }
    ranges
}

/// A buffer for each of the other places; the bytes of those that a run reads.
fn constants(recording: &mut Recording, lowered: &Lowered, ranges: &mut HashMap<PlaceId, Range>) -> u64 {
    let read = lowered.run.iter().flat_map(|step| &step.reads);
    let of_run: HashSet<_> = read.chain(&lowered.outputs).copied().collect();
    let mut weight_bytes = 0;
    for (id, place) in lowered.places.iter().enumerate().filter(|(_, place)| !place.is_temporary()) {
        let buffer = recording.buffers.len();
        recording.buffers.push(BufferSpec { label: place.label.clone(), bytes: place.bytes });
        let range = Range { buffer, offset: 0, bytes: place.bytes };
        ranges.insert(id, range);
        match &place.kind {
            Kind::Constant(contents) => recording.constants.push((range, contents.clone())),
            Kind::Resident => recording.resident.push(buffer),
            Kind::Prepared | Kind::Temporary => {}
        }
        if of_run.contains(&id) {
            weight_bytes += place.bytes;
        } else {
            recording.transient.push(buffer);
        }
    }
    weight_bytes
}

fn dispatch(step: &Step, ranges: &HashMap<PlaceId, Range>) -> Dispatch {
    let of = |places: &[PlaceId]| places.iter().map(|place| ranges[place]).collect();
    let (reads, writes) = (of(&step.reads), of(&step.writes));
    Dispatch::of(&step.launch, step.node.clone(), reads, writes, step.checked)
}
