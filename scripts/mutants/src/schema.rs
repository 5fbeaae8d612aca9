//! All mutants of a file of Rust in one text: where one applies, the text asks which mutant is active.

use crate::mutant::{Mutant, Place};

/// A file with its mutants.
#[derive(Debug, Default)]
pub struct Schema {
    pub text: String,
    pub spots: Vec<Spot>,
}

/// Where mutants of one expression or statement are in the text.
#[derive(Debug)]
pub struct Spot {
    /// The bytes of all of it, with the original.
    pub all: std::ops::Range<usize>,
    /// The bytes of each mutant's own text.
    pub own: Vec<(usize, std::ops::Range<usize>)>,
}

impl Schema {
    /// The text with these mutants of it, each with its number.
    pub fn new(source: &str, mutants: &[(usize, &Mutant)]) -> Schema {
        let mut sorted = mutants.to_vec();
        // The outer ones first; a statement before the expression that it consists of.
        sorted.sort_by_key(|(id, m)| (m.start, std::cmp::Reverse(m.end), m.place != Place::Statement, *id));
        let mut schema = Schema::default();
        schema.write(source, [0, source.len()], &sorted);
        schema
    }

    /// Replaces text that no mutant has.
    pub fn replace(&mut self, from: &str, to: &str) -> Option<()> {
        let at = self.text.find(from)?;
        self.text.replace_range(at..at + from.len(), to);
        let moved = |k: &mut usize| {
            if *k > at {
                *k = *k + to.len() - from.len()
            }
        };
        for spot in &mut self.spots {
            for range in spot.own.iter_mut().map(|(_, range)| range).chain([&mut spot.all]) {
                moved(&mut range.start);
                moved(&mut range.end);
            }
        }
        Some(())
    }

    /// The mutants whose text has these bytes, or else those whose expression has them.
    pub fn at(&self, bytes: &std::ops::Range<usize>) -> Vec<usize> {
        let has = |r: &std::ops::Range<usize>| r.start <= bytes.start && bytes.end <= r.end;
        let own: Vec<usize> =
            self.spots.iter().flat_map(|s| &s.own).filter(|(_, r)| has(r)).map(|(id, _)| *id).collect();
        if !own.is_empty() {
            return own;
        }
        let around = self.spots.iter().filter(|s| has(&s.all)).min_by_key(|s| s.all.len());
        let within = |s: &&Spot| bytes.start <= s.all.start && s.all.end <= bytes.end;
        let near = around.into_iter().chain(self.spots.iter().filter(within));
        near.flat_map(|s| s.own.iter().map(|(id, _)| *id)).collect()
    }

    fn write(&mut self, source: &str, [mut at, end]: [usize; 2], mutants: &[(usize, &Mutant)]) {
        let mut rest = mutants;
        while let Some((_, outer)) = rest.first() {
            let range = [outer.start, outer.end];
            let same = rest.iter().take_while(|(_, m)| [m.start, m.end] == range && m.place == outer.place).count();
            let inside = rest[same..].iter().take_while(|(_, m)| m.end <= outer.end).count();
            self.text += &source[at..outer.start];
            self.write_spot(source, &rest[..same], &rest[same..same + inside]);
            at = outer.end;
            rest = &rest[same + inside..];
        }
        self.text += &source[at..end];
    }

    /// Mutants of one place, and those inside it.
    fn write_spot(&mut self, source: &str, same: &[(usize, &Mutant)], inside: &[(usize, &Mutant)]) {
        let first = same[0].1;
        let range = [first.start, first.end];
        let start = self.text.len();
        let mut own = vec![];
        if first.place == Place::Statement {
            own = same.iter().map(|(id, _)| (*id, start..start)).collect();
            let is_kept =
                same.iter().map(|(id, _)| format!("!crate::mutant::is({id})")).collect::<Vec<_>>().join(" && ");
            self.text += &format!("if {is_kept} {{ ");
            self.write(source, range, inside);
            self.text += " }";
        } else {
            if first.place == Place::Field {
                self.text += &format!("{}: ", &source[first.start..first.end]);
            }
            self.text += "(";
            for (id, mutant) in same {
                self.text += &format!("if crate::mutant::is({id}) {{ ");
                let begin = self.text.len();
                self.text += mutant.value();
                own.push((*id, begin..self.text.len()));
                self.text += " } else ";
            }
            self.text += "{ ";
            self.write(source, range, inside);
            self.text += " })";
        }
        self.spots.push(Spot { all: start..self.text.len(), own });
    }
}

impl Mutant {
    /// The expression of a mutant: of a field without its name.
    fn value(&self) -> &str {
        if self.place == Place::Field { self.text.split_once(": ").map_or("", |(_, value)| value) } else { &self.text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rust;

    fn schema(source: &str) -> (Vec<Mutant>, Schema) {
        let all = rust::mutants("f.rs", source).unwrap();
        let numbered: Vec<_> = all.iter().enumerate().collect();
        let schema = Schema::new(source, &numbered);
        (all, schema)
    }

    #[test]
    fn mutants_nest() {
        let (_, schema) = schema("fn f() { g(a + 1); }");
        assert_eq!(
            schema.text,
            "fn f() { if !crate::mutant::is(0) { g((if crate::mutant::is(1) { a - 1 } else { a + (if crate::mutant::is(2) \
             { 2 } else if crate::mutant::is(3) { 0 } else { 1 }) })); } }"
        );
        syn::parse_file(&schema.text).unwrap();
    }

    #[test]
    fn an_error_leads_to_its_mutants() {
        let (all, schema) = schema("fn f() { g(a + 1); }");
        let at = |text: &str| {
            let start = schema.text.find(text).unwrap();
            schema.at(&(start..start + text.len()))
        };
        assert_eq!(at("a - 1"), [1]);
        assert_eq!(at("a + "), [1]);
        assert_eq!(at("{ 1 }"), [2, 3]);
        assert_eq!(all.len(), 4);
    }
}
