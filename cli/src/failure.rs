//! The failure of a command: one line for stderr and an exit status.

use std::fmt;

use convgpu::{Error, ErrorKind};

pub type Outcome<T> = Result<T, Failure>;

#[derive(Debug)]
pub struct Failure {
    /// 1: the check or the run failed; 2: the call or the file is wrong.
    pub status: u8,
    message: String,
}

impl Failure {
    /// The call or the file is wrong.
    pub fn call(message: impl Into<String>) -> Failure {
        Failure { status: 2, message: message.into() }
    }
    /// The check or the run failed.
    pub fn run(message: impl Into<String>) -> Failure {
        Failure { status: 1, message: message.into() }
    }
    /// The same failure, with its file or option in front of the message.
    pub fn of(self, what: impl fmt::Display) -> Failure {
        Failure { message: format!("{what}: {}", self.message), ..self }
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        let status = match e.kind() {
            ErrorKind::Shape | ErrorKind::Argument | ErrorKind::Unsupported | ErrorKind::File => 2,
            _ => 1,
        };
        Failure { status, message: e.to_string() }
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
    #[test]
    fn lines_become_clauses() {
        assert_eq!(super::one_line("not\tsupported:\n  a: Gemm\n  b: Loop\n\n"), "not supported: a: Gemm; b: Loop");
    }
}
