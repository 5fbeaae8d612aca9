//! Writing to stdout and stderr: without panics, and nothing that a terminal would take for a command.

use std::io::{ErrorKind, Write};
use std::sync::Mutex;

use serde_json::Value;

use crate::failure::{Failure, Outcome};

/// The most columns of a line: names in files have any length.
const COLUMNS: usize = 400;

/// Writes text to stdout. A closed pipe (`convgpu ops | head`) is not a failure.
pub fn print(text: &str) -> Outcome<()> {
    write(&text.split_inclusive('\n').map(|line| plain(line, COLUMNS)).collect::<String>())
}

/// Writes the text of a program to stdout, lines of any length.
pub fn print_source(text: &str) -> Outcome<()> {
    write(&text.split_inclusive('\n').map(|line| plain(line, usize::MAX)).collect::<String>())
}

/// Writes results to stdout, or to stderr if a file has that.
pub fn print_beside(text: &str, taken: bool) -> Outcome<()> {
    if !taken {
        return print(text);
    }
    text.lines().for_each(note);
    Ok(())
}

/// Writes one JSON object to stdout.
pub fn print_json(object: &Value) -> Outcome<()> {
    write(&format!("{object:#}\n"))
}

fn write(text: &str) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Failure::output(e.to_string()).of("stdout")),
        _ => Ok(()),
    }
}

/// Writes one line to stderr; errors are ignored, since they cannot be reported.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", plain(line, COLUMNS));
}

static HINTS: Mutex<Vec<String>> = Mutex::new(vec![]);

/// A line for stderr that is worth reading only if the command succeeds: a failure is one line.
pub fn hint(line: String) {
    let mut hints = HINTS.lock().unwrap_or_else(|e| e.into_inner());
    if !hints.contains(&line) {
        hints.push(line);
    }
}

/// Writes the hints to stderr.
pub fn show_hints() {
    HINTS.lock().unwrap_or_else(|e| e.into_inner()).drain(..).for_each(|line| note(&line));
}

/// A line with control characters escaped and its middle left out if it is longer. Its end of line stays.
fn plain(line: &str, most: usize) -> String {
    let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
    let text: Vec<char> = line.chars().flat_map(escaped).collect();
    if text.len() <= most {
        return text.into_iter().chain(end.chars()).collect();
    }
    let head = most * 3 / 4;
    let tail = most - head - 3;
    text[..head]
        .iter()
        .copied()
        .chain(" … ".chars())
        .chain(text[text.len() - tail..].iter().copied())
        .chain(end.chars())
        .collect()
}

/// A character, or what stands for a control character and for marks that reorder text.
fn escaped(c: char) -> Vec<char> {
    let reorders = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() && c != '\t' || reorders { c.escape_default().collect() } else { vec![c] }
}

/// A name on one line.
pub fn name(text: &str) -> String {
    text.chars().flat_map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_short_and_plain() {
        assert_eq!(plain("a\u{1b}[2Jb\n", 400), "a\\u{1b}[2Jb\n");
        assert_eq!(plain("αβγδεζηθικλμν", 12), "αβγδεζηθι … ");
        assert_eq!(plain("αβγδεζηθικλμνξοπ", 16).chars().count(), 16);
        assert_eq!(plain(&"x".repeat(500), 400).chars().count(), 400);
        assert_eq!(name("two\nlines"), "two\\nlines");
    }
}
