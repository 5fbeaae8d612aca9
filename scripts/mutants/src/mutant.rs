//! What a mutant is: a piece of a file and the text that stands there instead.

use serde::{Deserialize, Serialize};

/// What a mutant replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// A piece of a shader's text.
    Shader,
    /// An expression of Rust.
    Expression,
    /// A field of a struct that is written as its name alone.
    Field,
    /// A statement of Rust, which is left out.
    Statement,
}

/// A change of one place of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutant {
    /// The file's path in the repository.
    pub file: String,
    /// The kind of change.
    pub operator: String,
    pub place: Place,
    /// The bytes that it replaces.
    pub start: usize,
    pub end: usize,
    /// What stands there instead.
    pub text: String,
    /// The line, from 1 on.
    pub line: usize,
    /// What the line is, and what it becomes. With the file and the operator that is the mutant's name, which stays the same when
    /// other lines of the file change.
    pub before: String,
    pub after: String,
}

impl Mutant {
    /// The change of `source[start..end]` to `text`.
    pub fn new(file: &str, source: &str, operator: &str, place: Place, range: [usize; 2], text: String) -> Mutant {
        let [start, end] = range;
        let first = source[..start].rfind('\n').map_or(0, |k| k + 1);
        let last = source[end..].find('\n').map_or(source.len(), |k| end + k);
        let before = one_line(&source[first..last]);
        let after = one_line(&format!("{}{text}{}", &source[first..start], &source[end..last]));
        let line = source[..start].matches('\n').count() + 1;
        let (file, operator) = (file.to_owned(), operator.to_owned());
        Mutant { file, operator, place, start, end, text, line, before, after }
    }

    /// Its name in the list of equivalent mutants.
    pub fn name(&self) -> String {
        format!("{} | {} | {} | {}", self.file, self.operator, self.before, self.after)
    }

    /// The file with the change.
    pub fn apply(&self, source: &str) -> String {
        format!("{}{}{}", &source[..self.start], self.text, &source[self.end..])
    }

    pub fn is_shader(&self) -> bool {
        self.place == Place::Shader
    }
}

/// Without comments and line breaks, and with one space between words.
fn one_line(text: &str) -> String {
    let code = |line: &str| line.split_once("//").map_or(line.to_owned(), |(code, _)| code.to_owned());
    let all: Vec<_> = text.lines().map(code).collect();
    all.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_named_by_its_line() {
        let source = "one\n  let a = b + 1; // why\nthree\n";
        let at = source.find('+').unwrap();
        let mutant = Mutant::new("f", source, "op", Place::Shader, [at, at + 1], "-".to_owned());
        assert_eq!((mutant.line, &*mutant.before, &*mutant.after), (2, "let a = b + 1;", "let a = b - 1;"));
        assert_eq!(mutant.apply(source), "one\n  let a = b - 1; // why\nthree\n");
    }
}
