//! The command line as a script sees it, with good and with bad files.

mod bad_files;
mod checks;
mod conformance;
mod contract;
mod notes;
mod results;
mod shaders;
mod support;
