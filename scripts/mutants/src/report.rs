//! Tables of what was killed, and the list of what survived.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::equivalent::Checked;
use crate::mutant::Mutant;
use crate::table::area;
use crate::trial::{Outcome, Verdict};

/// The mutants that change nothing that a test could see, with the reason: lines `NAME => REASON`.
#[derive(Default)]
pub struct Equivalents(BTreeMap<String, String>);

impl Equivalents {
    pub fn parse(text: &str) -> Equivalents {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.rsplit_once(" => "));
        Equivalents(pairs.map(|(name, reason)| (name.trim().to_owned(), reason.trim().to_owned())).collect())
    }

    /// Whether a mutant is in the list.
    pub fn has(&self, mutant: &Mutant) -> bool {
        self.reason(mutant).is_some()
    }

    fn reason(&self, mutant: &Mutant) -> Option<&String> {
        self.0.get(mutant.name().trim())
    }
}

/// The mutants of one line of a table.
#[derive(Default)]
struct Count {
    invalid: usize,
    killed: usize,
    late: usize,
    equivalent: usize,
    survived: usize,
    open: usize,
}

impl Count {
    fn add(&mut self, outcome: &Outcome, equivalents: &Equivalents) {
        match outcome.verdict {
            Verdict::Invalid => self.invalid += 1,
            Verdict::Killed => self.killed += 1,
            Verdict::Timeout => self.late += 1,
            Verdict::Open => self.open += 1,
            Verdict::Survived if equivalents.reason(&outcome.mutant).is_some() => self.equivalent += 1,
            Verdict::Survived => self.survived += 1,
        }
    }

    fn row(&self, name: &str) -> String {
        let dead = self.killed + self.late;
        let valid = dead + self.equivalent + self.survived + self.open;
        let percent =
            |of: usize| if of == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * dead as f64 / of as f64) };
        format!(
            "| {name} | {valid} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            self.killed,
            self.late,
            self.open,
            self.survived,
            self.equivalent,
            percent(valid),
            percent(valid - self.equivalent),
            self.invalid
        )
    }
}

/// All of it as a page.
pub fn page(outcomes: &[Outcome], equivalents: &Equivalents, cases: &BTreeMap<usize, Checked>, open: usize) -> String {
    let mut out = String::new();
    if open > 0 {
        writeln!(out, "{open} mutants were not tried yet.\n").expect("strings grow");
    }
    out += &table("mutants", outcomes, equivalents, |m| kind(m).to_owned());
    out += &table("area", outcomes, equivalents, |m| area(&m.file).to_owned());
    out += &table("operator", outcomes, equivalents, |m| format!("{}: {}", kind(m), m.operator));
    let mut survivors: Vec<&Outcome> =
        outcomes.iter().filter(|o| matches!(o.verdict, Verdict::Survived | Verdict::Open)).collect();
    survivors.sort_by_key(|o| (!o.mutant.is_shader(), &o.mutant.file, o.mutant.line));
    let list = |title: &str, is_known: bool| {
        let mut text = format!("## {title}\n");
        let mut file = "";
        for outcome in &survivors {
            let (mutant, reason) = (&outcome.mutant, equivalents.reason(&outcome.mutant));
            if reason.is_some() != is_known {
                continue;
            }
            if mutant.file != file {
                file = &mutant.file;
                text += &format!("\n### {file}\n\n");
            }
            let cases = cases.get(&outcome.id).map_or(String::new(), Checked::to_string);
            let reason =
                reason.map_or(format!("{} passed", outcome.by), |reason| format!("equivalent: {reason}{cases}"));
            text += &format!("- {}: `{}` → `{}` ({reason})\n", mutant.operator, mutant.before, mutant.after);
        }
        text + "\n"
    };
    out + &list("Survivors", false) + &list("Equivalent", true)
}

fn kind(mutant: &Mutant) -> &'static str {
    if mutant.is_shader() { "shader" } else { "host" }
}

fn table(title: &str, outcomes: &[Outcome], equivalents: &Equivalents, key: impl Fn(&Mutant) -> String) -> String {
    let mut rows: BTreeMap<String, Count> = BTreeMap::new();
    for outcome in outcomes {
        rows.entry(key(&outcome.mutant)).or_default().add(outcome, equivalents);
    }
    let head = format!(
        "| {title} | valid | killed | timeout | open | survived | equivalent | dead | dead of the others | invalid |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    head + &rows.iter().map(|(name, count)| count.row(name)).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutant::Place;

    #[test]
    fn survivors_are_listed_and_equivalents_have_a_reason() {
        let source = "let a = b + c;\nlet a = b * c;\n";
        let mutant = |at: usize, operator, text: &str| {
            Mutant::new("f", source, operator, Place::Shader, [at, at + 1], text.into())
        };
        let outcome = |verdict, mutant: &Mutant| Outcome {
            id: 0,
            verdict,
            by: "3 tests".into(),
            seconds: 0.0,
            mutant: mutant.clone(),
        };
        let (sum, product) = (mutant(10, "sign", "-"), mutant(25, "product", "/"));
        let known = Equivalents::parse("# comment\nf | product | let a = b * c; | let a = b / c; => c is 1\n");
        let outcomes =
            [outcome(Verdict::Survived, &sum), outcome(Verdict::Survived, &product), outcome(Verdict::Killed, &sum)];
        let cases = [(0, Checked { id: 0, ops: vec!["conv2d".into()], cases: 10_000, differs: None })];
        let page = page(&outcomes, &known, &cases.into(), 0);
        assert!(page.contains("| shader | 3 | 1 | 0 | 0 | 1 | 1 | 33.3 % | 50.0 % | 0 |"), "{page}");
        assert!(page.contains("- sign: `let a = b + c;` → `let a = b - c;` (3 tests passed)"), "{page}");
        assert!(page.contains("(equivalent: c is 1; 10000 cases of conv2d do not differ)"), "{page}");
    }
}
