//! The failure of a command: one line for stderr, an exit status, and what a program reads of it.

use std::fmt;

use convgpu::{Error, ErrorKind};
use serde_json::{Value, json};

pub type Outcome<T> = Result<T, Failure>;

#[derive(Debug)]
pub struct Failure {
    /// 1: the check or the run failed; 2: the call or the file is wrong.
    pub status: u8,
    /// One word for programs.
    kind: &'static str,
    message: String,
    node: Option<String>,
    /// Whether stdout has the result that says so.
    pub reported: bool,
}

impl Failure {
    fn new(status: u8, kind: &'static str, message: impl Into<String>) -> Failure {
        Failure { status, kind, message: message.into(), node: None, reported: false }
    }
    /// The call is wrong.
    pub fn call(message: impl Into<String>) -> Failure {
        Failure::new(2, "argument", message)
    }
    /// A file that is read is wrong, or a place where nothing can be written.
    pub fn file(message: impl Into<String>) -> Failure {
        Failure::new(2, "file", message)
    }
    /// A result could not be written.
    pub fn output(message: impl Into<String>) -> Failure {
        Failure::new(1, "output", message)
    }
    /// The check failed, as the results on stdout say.
    pub fn check(message: impl Into<String>) -> Failure {
        Failure { reported: true, ..Failure::new(1, "check", message) }
    }
    /// The program has an error.
    pub fn internal(message: impl fmt::Display) -> Failure {
        Failure::new(1, "internal", format!("internal error: {message}"))
    }
    /// Whether the device is lost.
    pub fn is_lost_device(&self) -> bool {
        self.kind == kind(ErrorKind::DeviceLost).1
    }
    /// The same failure, with its file or option in front of the message.
    pub fn of(self, what: impl fmt::Display) -> Failure {
        Failure { message: format!("{what}: {}", self.message), ..self }
    }
    /// The same failure, and another one after it.
    pub fn and(self, other: &Failure) -> Failure {
        Failure { message: format!("{}; {other}", self.message), ..self }
    }
    /// How a command ends that printed its results: a file that cannot be written hides none of them.
    pub fn beside(verdict: Outcome<()>, lost: Option<Failure>) -> Outcome<()> {
        match (verdict, lost) {
            (Err(wrong), Some(lost)) => Err(wrong.and(&lost)),
            (Ok(()), Some(lost)) => Err(lost.and_reported()),
            (verdict, None) => verdict,
        }
    }
    /// The same failure, after the results were printed.
    pub fn and_reported(self) -> Failure {
        Failure { reported: true, ..self }
    }
    /// The same failure, of this node.
    pub fn at(self, node: &str) -> Failure {
        Failure { node: Some(node.to_owned()), ..self }
    }
    /// What `--json` prints of it.
    pub fn as_json(&self) -> Value {
        json!({ "error": { "kind": self.kind, "message": self.to_string(), "node": self.node } })
    }
}

/// The exit status of an error, and its word for programs.
pub fn kind(of: ErrorKind) -> (u8, &'static str) {
    match of {
        ErrorKind::Shape => (2, "shape"),
        ErrorKind::Argument => (2, "argument"),
        ErrorKind::Unsupported => (2, "unsupported"),
        ErrorKind::File => (2, "file"),
        ErrorKind::Memory => (1, "memory"),
        ErrorKind::DeviceLost => (1, "device lost"),
        ErrorKind::Check => (1, "check"),
        _ => (1, "device"),
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        let (status, kind) = kind(e.kind());
        Failure { node: e.node().map(str::to_owned), ..Failure::new(status, kind, e.to_string()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.message))
    }
}

/// Joins lines to one line and collapses spaces.
pub fn one_line(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|l| !l.is_empty()) {
        out += match out.chars().last() {
            None => "",
            Some(':' | ';' | ',') => " ",
            Some(_) => "; ",
        };
        out += &line;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_clauses() {
        assert_eq!(one_line("not\tsupported:\n  a: Gemm\n  b: Loop\n\n"), "not supported: a: Gemm; b: Loop");
    }

    #[test]
    fn programs_read_kind_and_node() {
        let e = Failure::from(Error::new(ErrorKind::Shape, "no").at("conv1"));
        assert_eq!(e.as_json(), json!({ "error": { "kind": "shape", "message": "conv1: no", "node": "conv1" } }));
    }
}
