//! Writing to stdout and stderr without panics.

use std::io::{ErrorKind, Write};

use crate::failure::{Failure, Outcome};

/// Writes to stdout. A closed pipe (`convgpu ops | head`) is not a failure.
pub fn print(text: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::run(format!("stdout: {e}"))),
        _ => Ok(()),
    }
}

/// Writes one line to stderr; errors are ignored, since they cannot be reported.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
