//! The fourth stage: from which step to which a temporary is needed, and which of them must not share a buffer.

use super::lower::{Lowered, PlaceId};
use super::pack::Conflicts;

/// The first and the last step of a temporary; `None` if nothing reads or writes it, and for other places.
pub(super) type Lifetime = Option<(usize, usize)>;

/// The lifetime of every place. With `whole`, every temporary lives from the first step to the last.
pub(super) fn lifetimes(lowered: &Lowered, whole: bool) -> Vec<Lifetime> {
    let end = lowered.run.len();
    let mut lives: Vec<Lifetime> = vec![None; lowered.places.len()];
    let mut touch = |place: PlaceId, step: usize| {
        let (first, last) = lives[place].unwrap_or((step, step));
        lives[place] = Some((first.min(step), last.max(step)));
    };
    for (k, step) in lowered.run.iter().enumerate() {
        step.reads.iter().chain(&step.writes).for_each(|&place| touch(place, k));
    }
    lowered.inputs.iter().for_each(|&place| touch(place, 0));
    lowered.outputs.iter().for_each(|&place| touch(place, end));
    let of_kind = |(place, life): (PlaceId, &mut Lifetime)| match lowered.places[place].is_temporary() {
        true if whole => *life = Some((0, end)),
        true => {}
        false => *life = None,
    };
    lives.iter_mut().enumerate().for_each(of_kind);
    lives
}

/// For every place, those that one dispatch reads while it writes this one, or writes while it reads this one:
/// WebGPU forbids them to share a buffer.
pub(super) fn conflicts(lowered: &Lowered) -> Conflicts {
    let mut conflicts = Conflicts::new();
    for step in &lowered.run {
        for (&r, &w) in step.reads.iter().flat_map(|r| step.writes.iter().map(move |w| (r, w))) {
            conflicts.entry(r).or_default().push(w);
            conflicts.entry(w).or_default().push(r);
        }
    }
    conflicts
}
