//! Assigns addresses to temporary tensors: tensors whose lifetimes overlap never overlap in memory, and the total is small.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A tensor that needs an address.
pub(super) struct Temporary {
    pub id: usize,
    pub bytes: u64,
    /// The first and the last step that touches it.
    pub first: usize,
    pub last: usize,
}

/// For every tensor, those that must not be in the same buffer.
pub(super) type Conflicts = HashMap<usize, Vec<usize>>;

pub(super) struct Packed {
    /// The size of every buffer.
    pub arenas: Vec<u64>,
    /// The buffer and the offset of every tensor.
    pub at: HashMap<usize, (usize, u64)>,
}

/// A buffer that is being filled: its size so far, and the tensors in it.
///
/// The k-th map holds the tensors with a lifetime from 2^k to 2^(k+1) - 1 steps, by their first step. A tensor that is
/// alive at a given step began less than 2^(k+1) steps earlier, so a lookup takes time proportional to the matches.
#[derive(Default)]
struct Arena<'t> {
    size: u64,
    placed: Vec<Placed<'t>>,
}

/// Tensors and their offsets, by first step and number.
type Placed<'t> = BTreeMap<(usize, usize), (&'t Temporary, u64)>;

/// Greedy by size: the largest first, each in the arena that grows least, among the arenas without a tensor that
/// conflicts with it (Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020).
pub(super) fn pack(temporaries: &[Temporary], conflicts: &Conflicts, largest: u64) -> Packed {
    let mut order: Vec<&Temporary> = temporaries.iter().collect();
    order.sort_by_key(|t| (Reverse(t.bytes), t.first, t.id));
    let mut arenas: Vec<Arena<'_>> = vec![];
    let mut at: HashMap<usize, (usize, u64)> = HashMap::new();
    for t in order {
        let rivals = conflicts.get(&t.id).into_iter().flatten();
        let closed: HashSet<usize> = rivals.filter_map(|id| at.get(id)).map(|&(k, _)| k).collect();
        let fit = |(k, arena): (usize, &Arena<'_>)| {
            let offset = arena.lowest_gap(t);
            let grown = arena.size.max(offset + t.bytes);
            (grown <= largest).then_some((grown - arena.size, k, offset))
        };
        let open = arenas.iter().enumerate().filter(|(k, _)| !closed.contains(k));
        let (k, offset) = match open.filter_map(fit).min() {
            Some((_, k, offset)) => (k, offset),
            None => {
                arenas.push(Arena::default());
                (arenas.len() - 1, 0)
            }
        };
        arenas[k].place(t, offset);
        at.insert(t.id, (k, offset));
    }
    Packed { arenas: arenas.into_iter().map(|a| a.size).collect(), at }
}

/// The largest sum of the sizes of tensors that are alive at the same time.
pub(super) fn lower_bound(temporaries: &[Temporary]) -> u64 {
    let mut changes: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for t in temporaries {
        changes.entry(t.first).or_default().0 += t.bytes;
        changes.entry(t.last + 1).or_default().1 += t.bytes;
    }
    let live = changes.values().scan(0, |live, (come, gone)| {
        *live = *live + come - gone;
        Some(*live)
    });
    live.max().unwrap_or(0)
}

impl<'t> Arena<'t> {
    fn place(&mut self, t: &'t Temporary, offset: u64) {
        self.size = self.size.max(offset + t.bytes);
        let class = (t.last - t.first + 1).ilog2() as usize;
        if self.placed.len() <= class {
            self.placed.resize_with(class + 1, BTreeMap::new);
        }
        self.placed[class].insert((t.first, t.id), (t, offset));
    }

    /// The lowest offset where `t` overlaps no tensor that is alive at the same time.
    fn lowest_gap(&self, t: &Temporary) -> u64 {
        let met = |(class, placed): (usize, &Placed<'t>)| {
            let longest = 2usize << class;
            let meets = placed.range((t.first.saturating_sub(longest), 0)..(t.last + 1, 0)).map(|(_, &other)| other);
            meets.filter(|(other, _)| other.last >= t.first).collect::<Vec<_>>()
        };
        let met = self.placed.iter().enumerate().flat_map(met);
        let mut taken: Vec<(u64, u64)> = met.map(|(other, offset)| (offset, offset + other.bytes)).collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if offset + t.bytes <= start {
                break;
            }
            offset = offset.max(end);
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tensors of various sizes and lifetimes, most of them short.
    fn temporaries() -> Vec<Temporary> {
        let mut state = 5u64;
        let mut next = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % n
        };
        let mut one = |id| {
            let first = next(200) as usize;
            let life = if next(10) == 0 { next(150) } else { next(4) };
            Temporary { id, bytes: 256 * (1 + next(40)), first, last: first + life as usize }
        };
        (0..300).map(&mut one).collect()
    }

    fn meet(a: &Temporary, b: &Temporary) -> bool {
        a.first <= b.last && b.first <= a.last
    }

    #[test]
    fn nobody_shares_a_place_at_one_time_or_a_buffer_with_a_rival() {
        let temporaries = temporaries();
        let mut conflicts = Conflicts::new();
        for (a, b) in temporaries.iter().zip(&temporaries[1..]) {
            conflicts.entry(a.id).or_default().push(b.id);
            conflicts.entry(b.id).or_default().push(a.id);
        }
        let packed = pack(&temporaries, &conflicts, 1 << 30);
        for a in &temporaries {
            let (buffer, offset) = packed.at[&a.id];
            assert!(offset + a.bytes <= packed.arenas[buffer]);
            for b in temporaries.iter().filter(|b| b.id != a.id && packed.at[&b.id].0 == buffer) {
                let other = packed.at[&b.id].1;
                let apart = offset + a.bytes <= other || other + b.bytes <= offset;
                assert!(apart || !meet(a, b), "{} and {}", a.id, b.id);
                assert!(a.id.abs_diff(b.id) != 1, "{} and {} are rivals", a.id, b.id);
            }
        }
    }

    #[test]
    fn everybody_takes_the_lowest_gap_and_no_buffer_grows_too_large() {
        let temporaries = temporaries();
        let free = pack(&temporaries, &Conflicts::new(), 1 << 30);
        assert_eq!(free.arenas.len(), 1);
        assert!(free.arenas[0] < lower_bound(&temporaries) * 3 / 2, "{} {}", free.arenas[0], lower_bound(&temporaries));
        // An offset is 0 or the end of a tensor that is alive at the same time.
        for a in &temporaries {
            let (_, offset) = free.at[&a.id];
            let ends = |b: &&Temporary| meet(a, b) && free.at[&b.id].1 + b.bytes == offset;
            assert!(offset == 0 || temporaries.iter().any(|b| ends(&b)), "{}", a.id);
        }
        let tight = pack(&temporaries, &Conflicts::new(), 64 << 10);
        assert!(tight.arenas.len() > 1 && tight.arenas.iter().all(|&bytes| bytes <= 64 << 10));
    }

    #[test]
    fn the_lower_bound_is_the_fullest_step() {
        let temporaries = temporaries();
        let at = |step| temporaries.iter().filter(|t| t.first <= step && step <= t.last).map(|t| t.bytes).sum::<u64>();
        assert_eq!(Some(lower_bound(&temporaries)), (0..400).map(at).max());
    }
}
