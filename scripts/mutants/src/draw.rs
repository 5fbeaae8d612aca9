//! Draws mutants at random: every file has its share, and in a file every operator.

use std::collections::BTreeMap;

use crate::mutant::Mutant;

/// A small generator (splitmix64), so that a seed draws the same mutants everywhere.
pub struct Rng(pub u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// `count` mutants of all, for which `is_valid` holds. A file has as many as its part of all mutants, at least one.
pub fn draw(all: Vec<Mutant>, count: usize, rng: &mut Rng, is_valid: &mut dyn FnMut(&Mutant) -> bool) -> Vec<Mutant> {
    let total = all.len().max(1);
    let mut files: BTreeMap<String, Vec<Mutant>> = BTreeMap::new();
    for mutant in all {
        files.entry(mutant.file.clone()).or_default().push(mutant);
    }
    let mut quotas: Vec<(f64, Deck)> =
        files.into_values().map(|of| (of.len() as f64 * count as f64 / total as f64, Deck::new(of))).collect();
    let mut out = vec![];
    // The next mutant is of the file that lacks most of its share.
    while out.len() < count {
        let lack = |(quota, deck): &(f64, Deck)| quota.max(1.0) - deck.drawn as f64;
        let open = quotas.iter_mut().filter(|(_, deck)| !deck.is_empty());
        let Some((_, deck)) = open.max_by(|a, b| lack(a).total_cmp(&lack(b))) else { break };
        while let Some(mutant) = deck.next(rng) {
            if is_valid(&mutant) {
                deck.drawn += 1;
                out.push(mutant);
                break;
            }
        }
    }
    out
}

/// The mutants of a file that are left, by operator.
struct Deck {
    left: BTreeMap<String, Vec<Mutant>>,
    drawn: usize,
}

impl Deck {
    fn new(all: Vec<Mutant>) -> Deck {
        let mut left: BTreeMap<String, Vec<Mutant>> = BTreeMap::new();
        for mutant in all {
            left.entry(mutant.operator.clone()).or_default().push(mutant);
        }
        Deck { left, drawn: 0 }
    }

    fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// A mutant of a random operator.
    fn next(&mut self, rng: &mut Rng) -> Option<Mutant> {
        let operator = self.left.keys().nth(rng.below(self.left.len().max(1)))?.clone();
        let list = self.left.get_mut(&operator)?;
        let mutant = list.swap_remove(rng.below(list.len()));
        if list.is_empty() {
            self.left.remove(&operator);
        }
        Some(mutant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::Place;

    #[test]
    fn every_file_has_its_share() {
        let source = "abcdefghij".repeat(10);
        let mutant = |file: &str, k: usize| Mutant::new(file, &source, "o", Place::Shader, [k, k + 1], "-".to_owned());
        let all = || (0..90).map(|k| mutant("large", k)).chain([mutant("small", 0)]).collect::<Vec<_>>();
        let drawn = |seed| draw(all(), 10, &mut Rng(seed), &mut |m| m.start % 2 == 0);
        let first = drawn(1);
        assert_eq!(first.len(), 10);
        assert_eq!(first.iter().filter(|m| m.file == "small").count(), 1);
        assert!(first.iter().all(|m| m.start % 2 == 0));
        assert_eq!(first, drawn(1));
        assert_ne!(first, drawn(2));
    }
}
