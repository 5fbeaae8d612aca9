//! `--repro DIR`: everything about one wrong case, so that others can run it without this program.

use std::path::Path;

use convgpu::Device;
use convgpu::conformance::{ConformanceOptions, Failure as Wrong};
use convgpu::custom::{Params, Scalar};
use convgpu::internals::conformance::{Reproduction, reproduce};
use convgpu::internals::gpu::recording::{Dispatch, Recording};
use serde_json::{Value, json};

use crate::failure::Outcome;
use crate::files::{Folder, Target};
use crate::inspect::shaders::{self, as_map};
use crate::numbers;
use crate::verify::dump;

/// A folder without files, made before the run.
pub struct Place<'a> {
    folder: &'a Path,
    /// It is removed if nothing is written.
    _made: Folder,
    arrays: dump::Dump,
    shaders: shaders::Dump,
}

impl Place<'_> {
    /// Makes the folder.
    pub fn new(folder: &Path) -> Outcome<Place<'_>> {
        let made = Folder::empty(folder, "--repro")?;
        Ok(Place { folder, _made: made, arrays: dump::Dump::new(folder)?, shaders: shaders::Dump::new(folder)? })
    }

    /// Writes the arrays, the shaders with their manifest, and `case.json`; gives the paths of the arrays and of `case.json`.
    pub fn write(
        &self,
        device: &Device,
        options: &ConformanceOptions,
        wrong: &Wrong,
        seed: u64,
        again: &str,
    ) -> Outcome<Vec<String>> {
        let reproduction = reproduce(device, options, wrong)?;
        let mut files = vec![];
        if let Some(Reproduction { plan, precision, evidence }) = &reproduction {
            files = self.arrays.write(evidence)?;
            if let Some(adapter) = device.adapter() {
                self.shaders.write(plan, adapter, *precision)?;
            }
        }
        let case = Target::new(&self.folder.join("case.json"))?;
        case.write(|out| writeln!(out, "{:#}", describe(device, wrong, reproduction.as_ref(), seed, again)))?;
        files.push(case.path().display().to_string());
        Ok(files)
    }
}

/// The case with the call that runs it again, and each dispatch with its params and its grid.
fn describe(device: &Device, wrong: &Wrong, reproduction: Option<&Reproduction>, seed: u64, again: &str) -> Value {
    let recording = reproduction.map(|r| &r.plan.recording);
    let commands = recording.map(|r| r.to_string().lines().map(str::to_owned).collect::<Vec<_>>());
    let all = |r: &Recording| r.preparations().chain(r.dispatches()).map(dispatch).collect::<Vec<_>>();
    let dispatches = recording.map(all);
    json!({
        "device": device.to_string(),
        "case": wrong.case.to_string(),
        "seed": seed,
        "again": again,
        "what": wrong.what,
        "kernels": wrong.kernels,
        "wrong": wrong.wrong,
        "commands": commands,
        "dispatches": dispatches,
    })
}

fn dispatch(d: &Dispatch) -> Value {
    json!({
        "kernel": d.kernel(),
        "params": params(d.params()),
        "epilogue": d.epilogue_params().map(params),
        "overrides": as_map(d.shader().1),
        "workgroups": d.workgroups(),
    })
}

/// Names and values.
fn params(params: &Params) -> Value {
    let value = |value: &Scalar| match *value {
        Scalar::U32(v) => json!(v),
        Scalar::I32(v) => json!(v),
        Scalar::F32(v) => numbers::json(v.into()),
        _ => json!(format!("{value:?}")),
    };
    params.fields().iter().map(|(name, v)| ((*name).to_owned(), value(v))).collect()
}
