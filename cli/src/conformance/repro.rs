//! `--repro DIR`: everything about one wrong case, so that others can run it without this program.

use std::path::Path;

use convgpu::Device;
use convgpu::conformance::{ConformanceOptions, Failure as Wrong};
use convgpu::internals::conformance::{Reproduction, reproduce};
use serde_json::{Value, json};

use crate::failure::Outcome;
use crate::files::Target;
use crate::inspect::shaders;
use crate::verify::dump;

/// Writes the arrays, the shaders with their manifest, and `case.json`; gives the paths of the arrays and of `case.json`.
pub fn write(folder: &Path, device: &Device, options: &ConformanceOptions, wrong: &Wrong) -> Outcome<Vec<String>> {
    let (arrays, shaders) = (dump::Dump::new(folder)?, shaders::Dump::new(folder)?);
    let reproduction = reproduce(device, options, wrong)?;
    let mut files = vec![];
    if let Some(Reproduction { plan, precision, evidence }) = &reproduction {
        files = arrays.write(evidence)?;
        if let Some(adapter) = device.adapter() {
            shaders.write(plan, adapter, *precision)?;
        }
    }
    let case = Target::new(&folder.join("case.json"))?;
    case.write(|out| writeln!(out, "{:#}", describe(device, wrong, reproduction.as_ref())))?;
    files.push(case.path().display().to_string());
    Ok(files)
}

/// The case, and each dispatch with its params and its grid.
fn describe(device: &Device, wrong: &Wrong, reproduction: Option<&Reproduction>) -> Value {
    let commands = reproduction.map(|r| r.plan.recording.to_string().lines().map(str::to_owned).collect::<Vec<_>>());
    json!({
        "device": device.to_string(),
        "case": wrong.case.to_string(),
        "what": wrong.what,
        "kernels": wrong.kernels,
        "wrong": wrong.wrong,
        "commands": commands,
    })
}
