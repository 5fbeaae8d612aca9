//! Which tests may kill a mutant, and which files have mutants.

/// A test binary of the copy.
#[derive(Debug)]
pub struct Binary {
    pub name: &'static str,
    /// What `cargo test` builds it by.
    pub arguments: &'static [&'static str],
    /// Tests whose names begin so are not run.
    pub without: &'static [&'static str],
}

/// Those that find most first.
pub const BINARIES: &[Binary] = &[
    Binary { name: "ops", arguments: &["--test", "ops"], without: &[] },
    Binary { name: "convgpu", arguments: &["--lib"], without: &[] },
    Binary {
        name: "suite",
        arguments: &["--test", "suite"],
        without: &[
            // The copy has a module that is in no layer.
            "architecture::",
            // Files that are not in the repository; minutes of use.
            "networks::",
            "soak::",
        ],
    },
];

/// Where mutants of the host are.
pub const HOST: &[&str] = &[
    "src/attr/",
    "src/bound/",
    "src/gpu/kernel.rs",
    "src/gpu/launch.rs",
    "src/gpu/specialise.rs",
    "src/graph/",
    "src/ops/",
    "src/plan/",
    "src/reference/",
    "src/session/",
    "src/session.rs",
];

/// Files in these folders that are tests.
pub const TESTS: &[&str] = &["src/session/tests.rs"];

/// The part of the repository that a file counts to in tables.
pub fn area(file: &str) -> &str {
    let folder = HOST.iter().copied().chain(["shaders/engine/", "shaders/problem/", "shaders/shared/", "shaders/"]);
    folder
        .into_iter()
        .find(|folder| file.starts_with(folder))
        .unwrap_or(file)
        .trim_end_matches(".rs")
        .trim_end_matches('/')
}

/// Whether the tests of a module are likely to find a mutant of this file.
pub fn is_close(file: &str, test: &str) -> bool {
    let stem = file.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or("");
    let module = test.split_once("::").map(|(module, _)| module);
    module.is_some_and(|module| file.contains(module)) || (!stem.is_empty() && test.contains(stem))
}
