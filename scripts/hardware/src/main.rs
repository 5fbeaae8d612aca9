//! Compiles every pipeline with the Vulkan driver of the environment, and prints what its compiler made of them: registers, waves,
//! bytes, and for the main loop the share of multiply-adds and the waits for memory that stand one behind the other.
//!
//!     convgpu-hardware [--ir DIR]
//!
//! RADV, Mesa's driver for AMD, compiles without a device if `RADV_FORCE_FAMILY` names a family (`scripts/hardware.sh`). Nothing runs,
//! nothing is measured. With `--ir` the assembly and all numbers of the driver are written to files. The status is 1 if a pipeline
//! fails, if one uses scratch memory, or if a kernel that prefetches waits more than once in a row.

mod isa;
mod pipelines;
#[path = "../../../tests/samples/mod.rs"]
mod samples;
mod table;
mod vulkan;

use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
    }
}

/// Whether every pipeline is as it should be.
fn run() -> Result<bool, String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = match &arguments[..] {
        [] => None,
        [option, folder] if option == "--ir" => Some(PathBuf::from(folder)),
        _ => return Err("usage: convgpu-hardware [--ir DIR]".to_owned()),
    };
    let all = pipelines::all()?;
    let device = vulkan::Device::open()?;
    let mut rows = table::Table::new(device.name());
    for (k, pipeline) in all.iter().enumerate() {
        if std::io::stderr().is_terminal() {
            eprint!("\r{} of {} pipelines", k + 1, all.len());
        }
        let compiled = device.compile(pipeline);
        if let (Some(folder), Ok(compiled)) = (&folder, &compiled) {
            write(folder, &format!("{}-{k}", pipeline.file_name()), compiled)?;
        }
        rows.add(pipeline, compiled);
    }
    eprintln!();
    print!("{rows}");
    Ok(rows.complaints().is_empty())
}

/// The assembly as NAME.s, and the driver's numbers as a line of statistics.tsv.
fn write(folder: &Path, name: &str, compiled: &vulkan::Compiled) -> Result<(), String> {
    let numbers: String = compiled.statistics.iter().map(|(key, value)| format!("\t{key}={value}")).collect();
    let written = fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join(format!("{name}.s")), &compiled.assembly))
        .and_then(|()| File::options().create(true).append(true).open(folder.join("statistics.tsv")))
        .and_then(|mut file| writeln!(file, "{name}{numbers}"));
    written.map_err(|e| format!("{}: {e}", folder.display()))
}
