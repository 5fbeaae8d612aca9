//! The third stage: a copy into a part of a tensor is left out where the kernel that makes what is copied can write there itself.

use super::choose::Choice;
use super::lower::{Lowered, Owner, PlaceId, Step};
use crate::gpu::launch::Slot;
use crate::graph::{Graph, ValueId};

/// Removes the copies that are not needed; the choices lose their launches, too.
pub(super) fn elide(graph: &Graph, lowered: &mut Lowered, choices: &mut [Choice]) {
    let uses = graph.uses();
    let mut at = 0;
    while at < lowered.run.len() {
        let Step { copies, reads, writes, .. } = &lowered.run[at];
        let copy = copies.filter(|(value, _)| uses[value.0] == 1).map(|copy| (copy, reads[0], writes[0]));
        if copy.is_some_and(|((value, slot), from, to)| write_in_place(lowered, value, from, to, slot)) {
            let step = lowered.run.remove(at);
            forget(&step, choices);
        } else {
            at += 1;
        }
    }
}

/// Makes the kernel that computes the value at `from` write into a slot of `to`, if it can.
fn write_in_place(lowered: &mut Lowered, value: ValueId, from: PlaceId, to: PlaceId, slot: Slot) -> bool {
    let Some(&(place, node)) = lowered.made.get(&value) else { return false };
    let writes = |step: &&mut Step| step.owner == Owner::Node(node) && step.writes.contains(&place);
    let mut makers = lowered.run.iter_mut().filter(writes);
    let (Some(maker), None) = (makers.next(), makers.next()) else { return false };
    let Some(written) = maker.writes.iter_mut().find(|place| **place == from) else { return false };
    let can = maker.launch.write_into(slot);
    if can {
        *written = to;
    }
    can
}

/// Takes the launch of a step out of the variant that was chosen.
fn forget(step: &Step, choices: &mut [Choice]) {
    let Owner::Node(node) = step.owner else { return };
    let run = &mut choices[node].variant.run;
    if let Some(k) = run.iter().position(|launch| launch.copies_to == step.launch.copies_to) {
        run.remove(k);
    }
}
