//! The text of the copy's module `mutant`, and where the copy calls it.

use std::fmt::Write;

use crate::mutant::Mutant;

/// The variable that names the active mutant.
pub const ACTIVE: &str = "CONVGPU_MUTANT";
/// The variable that names a file to which the places of mutants are added that a test reaches.
pub const RECORD: &str = "CONVGPU_MUTANT_RECORD";

/// Calls in `src/gpu/kernel.rs`, where the text of a kernel is put together.
pub const HOOKS: &[(&str, &str)] = &[
    ("text.push_str(self.source);", "text.push_str(&crate::mutant::shader(self.file, self.source));"),
    ("text.push_str(piece.source);", "text.push_str(&crate::mutant::shader(piece.name, piece.source));"),
];

/// The module, with the mutants of shaders.
pub fn module(mutants: &[Mutant]) -> String {
    let mut table = String::new();
    for (id, m) in mutants.iter().enumerate().filter(|(_, m)| m.is_shader()) {
        let name = m.file.trim_start_matches("shaders/").trim_end_matches(".wgsl");
        writeln!(table, "    ({id}, {name:?}, {}, {}, {:?}),", m.start, m.end, m.text).expect("strings grow");
    }
    TEMPLATE
        .replace("COUNT", &mutants.len().to_string())
        .replace("TABLE", &table)
        .replace("ACTIVE_NAME", ACTIVE)
        .replace("RECORD_NAME", RECORD)
}

const TEMPLATE: &str = r#"//! Which mutant is active.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

const NONE: usize = usize::MAX - 2;
const RECORDED: usize = usize::MAX - 1;
const UNKNOWN: usize = usize::MAX;
static MODE: AtomicUsize = AtomicUsize::new(UNKNOWN);
static SEEN: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];
static SHADERS_SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Number, file, bytes and text of the mutants of shaders.
static SHADERS: &[(usize, &str, usize, usize, &str)] = &[
TABLE];

#[inline(always)]
pub(crate) fn is(id: usize) -> bool {
    let mode = MODE.load(Relaxed);
    mode == id || mode > NONE && special(id)
}

#[cold]
fn special(id: usize) -> bool {
    if mode() == RECORDED && !SEEN[id].swap(true, Relaxed) {
        record(&id.to_string());
    }
    mode() == id
}

fn mode() -> usize {
    if MODE.load(Relaxed) == UNKNOWN {
        let active = std::env::var("ACTIVE_NAME").ok().and_then(|id| id.parse().ok());
        let mode = if std::env::var_os("RECORD_NAME").is_some() { RECORDED } else { active.unwrap_or(NONE) };
        MODE.store(mode, Relaxed);
    }
    MODE.load(Relaxed)
}

fn record(line: &str) {
    let path = std::env::var_os("RECORD_NAME").unwrap();
    let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// The file's text with the active mutant.
pub(crate) fn shader<'a>(name: &str, source: &'a str) -> Cow<'a, str> {
    let mode = mode();
    if mode == RECORDED && SHADERS_SEEN.lock().unwrap().insert(name.to_owned()) {
        record(&format!("shaders/{name}.wgsl"));
    }
    match SHADERS.iter().find(|(id, file, ..)| *id == mode && *file == name) {
        Some((_, _, start, end, text)) => Cow::Owned(format!("{}{text}{}", &source[..*start], &source[*end..])),
        None => Cow::Borrowed(source),
    }
}
"#;
