//! The last stage: buffers and commands.

use std::collections::{HashMap, HashSet};

use super::lifetime::{Lifetime, conflicts};
use super::lower::{Kind, Lowered, PlaceId, Step};
use super::pack::{Packed, Temporary, lower_bound, pack};
use super::parts::Parts;
use crate::gpu::recording::{BufferSpec, Command, Dispatch, Range, Recording};

/// Tensors start at multiples of this.
const ALIGNMENT: u64 = 256;

/// Constants of more bytes get no gap: programs of a device share them, and one with a gap is a copy.
const LARGEST_WITH_GAP: u64 = 4 << 20;

/// Where the temporaries lie.
pub(super) struct Packing {
    pub temporaries: Vec<Temporary>,
    pub packed: Packed,
    /// Whether there is a gap after every tensor.
    guarded: bool,
}

/// Where a place lies.
struct Spot {
    /// Its bytes.
    range: Range,
    /// What kernels are bound to. It includes the gap after the place, if there is one: many drivers drop what a kernel writes
    /// beyond its binding, and give zeros to one that reads there, so that only a gap inside the binding shows the mistake.
    bound: Range,
}

impl Spot {
    fn new(buffer: usize, offset: u64, bytes: u64, guarded: bool) -> Spot {
        let range = Range { buffer, offset, bytes };
        let bound = if guarded { Range { bytes: with_gap(bytes), ..range } } else { range };
        Spot { range, bound }
    }

    /// From the last byte of the place to the end of the binding; `None` without a gap.
    fn gap(&self) -> Option<Range> {
        let Range { buffer, offset, bytes } = self.range;
        let gap = self.bound.bytes - bytes;
        (gap > 0).then_some(Range { buffer, offset: offset + bytes, bytes: gap })
    }
}

/// The bytes of a place and of the gap after it, which is at least [`ALIGNMENT`] long.
fn with_gap(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGNMENT) + ALIGNMENT
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
    let temporary = |(id, (life, place)): (PlaceId, (&Lifetime, &super::lower::Place))| {
        let (first, last) = (*life)?;
        let bytes = if guarded { with_gap(place.bytes) } else { place.bytes.next_multiple_of(ALIGNMENT) };
        Some(Temporary { id, bytes, first, last })
    };
    let temporaries: Vec<_> = lives.iter().zip(&lowered.places).enumerate().filter_map(temporary).collect();
    let packed = pack(&temporaries, &conflicts(lowered), largest);
    Packing { temporaries, packed, guarded }
}

/// The recording, which may be submitted in these parts; and the bytes of constants that stay on the device.
pub(super) fn record(lowered: &Lowered, packing: &Packing, parts: &Parts) -> (Recording, u64) {
    let mut recording = Recording::new();
    let mut spots = arenas(&mut recording, lowered, packing);
    let weight_bytes = constants(&mut recording, lowered, packing.guarded, &mut spots);
    recording.guards = spots.values().filter_map(Spot::gap).collect();
    recording.guards.sort_by_key(|gap| (gap.buffer, gap.offset));
    let dispatch = |step: &Step| dispatch(step, &spots);
    recording.prepare = lowered.prepare.iter().map(dispatch).map(|d| Command::Dispatch(Box::new(d))).collect();
    let upload = |(slot, place): (usize, &PlaceId)| Command::Upload { slot, to: spots[place].range };
    let download = |(slot, place): (usize, &PlaceId)| Command::Download { slot, from: spots[place].range };
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
fn arenas(recording: &mut Recording, lowered: &Lowered, packing: &Packing) -> HashMap<PlaceId, Spot> {
    for (k, &bytes) in packing.packed.arenas.iter().enumerate() {
        recording.buffers.push(BufferSpec { label: format!("arena {k}"), bytes });
    }
    recording.arenas = recording.buffers.len();
    let spot = |temporary: &Temporary| {
        let (buffer, offset) = packing.packed.at[&temporary.id];
        (temporary.id, Spot::new(buffer, offset, lowered.places[temporary.id].bytes, packing.guarded))
    };
    packing.temporaries.iter().map(spot).collect()
}

/// A buffer for each of the other places; the bytes of those that a run reads. A gap follows those that the program makes and
/// keeps, if they are small.
fn constants(recording: &mut Recording, lowered: &Lowered, guarded: bool, spots: &mut HashMap<PlaceId, Spot>) -> u64 {
    let read = lowered.run.iter().flat_map(|step| &step.reads);
    let of_run: HashSet<_> = read.chain(&lowered.outputs).copied().collect();
    let mut weight_bytes = 0;
    for (id, place) in lowered.places.iter().enumerate().filter(|(_, place)| !place.is_temporary()) {
        let buffer = recording.buffers.len();
        let is_kept = of_run.contains(&id) && !matches!(place.kind, Kind::Resident);
        let guarded = guarded && is_kept && place.bytes <= LARGEST_WITH_GAP;
        let spot = Spot::new(buffer, 0, place.bytes, guarded);
        recording.buffers.push(BufferSpec { label: place.label.clone(), bytes: spot.bound.bytes });
        match &place.kind {
            Kind::Constant(contents) => recording.constants.push((spot.range, contents.clone())),
            Kind::Resident => recording.resident.push(buffer),
            Kind::Prepared | Kind::Temporary => {}
        }
        if of_run.contains(&id) {
            weight_bytes += place.bytes;
        } else {
            recording.transient.push(buffer);
        }
        spots.insert(id, spot);
    }
    weight_bytes
}

fn dispatch(step: &Step, spots: &HashMap<PlaceId, Spot>) -> Dispatch {
    let of = |places: &[PlaceId]| places.iter().map(|place| spots[place].bound).collect();
    let (reads, writes) = (of(&step.reads), of(&step.writes));
    Dispatch::of(&step.launch, step.node.clone(), reads, writes, step.checked)
}
