//! `--export DIR`: cases as files, so that another implementation of WebGPU can run them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use convgpu::conformance::ConformanceOptions;
use convgpu::internals::conformance::{Exercise, exercises, is_refusal};
use convgpu::internals::gpu::recording::{Dispatch, Range};
use convgpu::internals::gpu::script::{POISON, Resource, Step};
use convgpu::internals::verify::Expected;
use convgpu::{DType, Device, Precision, Tensor};
use serde_json::{Value, json};

use super::nothing;
use crate::failure::{Failure, Outcome};
use crate::files::{Folder, Target};
use crate::inspect::interface::{access_name, needs, workgroup_bytes};
use crate::inspect::shaders::{as_map, fnv1a, layout};
use crate::numbers;
use crate::progress::Bar;

/// What was written.
pub struct Written {
    head: Value,
    pipelines: usize,
}

/// Writes every case that the options name with every kernel of the device; those of WebGPU's default limits for the reference.
/// `None` if there is no case.
pub fn write(folder: &Path, device: &Device, options: &ConformanceOptions, seed: u64) -> Outcome<Option<Written>> {
    let mut export = Export::new(folder)?;
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let bar = Bar::steps();
    let cases = exercises(device, options)?;
    let all = cases.len();
    for (k, (id, made)) in cases.enumerate() {
        match made {
            Ok(made) => made.iter().try_for_each(|exercise| export.add(exercise))?,
            Err(e) if is_refusal(&e) => *refused.entry(e.to_string()).or_default() += 1,
            Err(e) => return Err(Failure::from(e).of(id)),
        }
        bar.at(k + 1, all, &id.to_string());
    }
    if export.checks.is_empty() {
        let reasons: Vec<&str> = refused.keys().chain(export.skipped.keys()).map(String::as_str).collect();
        return if reasons.is_empty() { Ok(None) } else { Err(nothing(&reasons.join("; "))) };
    }
    let of =
        if device.is_reference() { "hardware with WebGPU's default limits".to_owned() } else { device.to_string() };
    let head = json!({
        "convgpu": env!("CARGO_PKG_VERSION"),
        "device": of,
        "seed": seed,
        "cases": export.cases.len(),
        "checks": export.checks.len(),
        "kernels": export.kernels.len(),
        "bytes": export.bytes,
        "skipped": export.skipped,
        "refused": refused,
    });
    export.finish(&head)?;
    Ok(Some(Written { head, pipelines: export.pipelines.len() }))
}

impl Written {
    /// In lines.
    pub fn as_text(&self, folder: &Path) -> String {
        let h = |name: &str| &self.head[name];
        let reasons = |name: &str| -> String {
            let all = h(name).as_object().into_iter().flatten();
            all.map(|(why, count)| format!("{name} {count}: {why}\n")).collect()
        };
        format!(
            "{}{}{} cases, {} checks of {} sets of kernels, {} pipelines, {} bytes of kernels and data in {} (seed {}, {})\n",
            reasons("refused"),
            reasons("skipped"),
            h("cases"),
            h("checks"),
            h("kernels"),
            self.pipelines,
            h("bytes"),
            folder.display(),
            h("seed"),
            h("device").as_str().unwrap_or_default(),
        )
    }

    /// The same for programs.
    pub fn as_json(&self, folder: &Path) -> Value {
        let mut out = self.head.clone();
        out["ok"] = json!(true);
        out["folder"] = json!(folder.display().to_string());
        out["pipelines"] = json!(self.pipelines);
        out
    }
}

/// A folder with a manifest, the texts of kernels, and a file of bytes per check.
struct Export {
    folder: PathBuf,
    manifest: Target,
    /// It is removed if nothing is written.
    _made: Folder,
    pipelines: Vec<Value>,
    /// By text, overrides and bindings.
    places: HashMap<String, Pipeline>,
    checks: Vec<Value>,
    cases: BTreeSet<String>,
    kernels: BTreeSet<String>,
    skipped: BTreeMap<String, usize>,
    bytes: usize,
}

#[derive(Clone)]
enum Pipeline {
    /// Its place in the manifest.
    Written(usize),
    /// Features that browsers do not give it.
    Needs(&'static str),
}

impl Export {
    fn new(folder: &Path) -> Outcome<Export> {
        let made = Folder::empty(folder, "--export")?;
        let manifest = Target::new(&folder.join("manifest.json"))?;
        Ok(Export {
            folder: folder.to_owned(),
            manifest,
            _made: made,
            pipelines: vec![],
            places: HashMap::new(),
            checks: vec![],
            cases: BTreeSet::new(),
            kernels: BTreeSet::new(),
            skipped: BTreeMap::new(),
            bytes: 0,
        })
    }

    /// Writes what a variant of a case takes, or counts why not.
    fn add(&mut self, exercise: &Exercise) -> Outcome<()> {
        let script = &exercise.script;
        let pipelines = match self.pipelines_of(exercise)? {
            Ok(pipelines) => pipelines,
            Err(reason) => {
                *self.skipped.entry(reason.to_owned()).or_default() += 1;
                return Ok(());
            }
        };
        let mut bytes = Bytes::default();
        let writes: Vec<_> = script.writes.iter().map(|(to, data)| written(to, data, &mut bytes)).collect();
        let steps = script.steps.iter().zip(pipelines);
        let dispatches: Vec<_> = steps.map(|(step, pipeline)| dispatch(step, pipeline, &mut bytes)).collect();
        let outputs = outputs(exercise, &mut bytes);
        let file = self.write("checks", &format!("{}.bin", self.checks.len()), &bytes.0)?;
        self.checks.push(json!({
            "case": exercise.case.to_string(),
            "op": exercise.op,
            "what": exercise.what,
            "oracle": exercise.oracle.to_string(),
            "kernels": exercise.kernels,
            "exact": exercise.exact,
            "probable": numbers::json(exercise.probable),
            "file": file,
            "buffers": script.buffers,
            "poisoned": script.poisoned,
            "writes": writes,
            "dispatches": dispatches,
            "guards": script.guards.iter().map(part).collect::<Vec<_>>(),
            "outputs": outputs,
        }));
        self.cases.insert(exercise.case.to_string());
        self.kernels.insert(format!("{} {}", exercise.op, exercise.kernels));
        Ok(())
    }

    /// The pipelines of its dispatches, or why browsers do not run it.
    fn pipelines_of(&mut self, exercise: &Exercise) -> Outcome<Result<Vec<usize>, &'static str>> {
        if exercise.precision == Precision::F16 {
            return Ok(Err("f16"));
        }
        if exercise.script.steps.is_empty() {
            return Ok(Err("no kernel: it moves no element"));
        }
        if exercise.expected.outputs.iter().any(|right| words(right).is_none()) {
            return Ok(Err("an output that the host rounds to 16 bits"));
        }
        let mut out = vec![];
        for step in &exercise.script.steps {
            match self.pipeline(&step.dispatch)? {
                Pipeline::Written(place) => out.push(place),
                Pipeline::Needs(feature) => return Ok(Err(feature)),
            }
        }
        Ok(Ok(out))
    }

    /// The pipeline of a dispatch, whose text is written once.
    fn pipeline(&mut self, d: &Dispatch) -> Outcome<Pipeline> {
        let (text, overrides) = d.shader();
        let key = format!("{text} {overrides:?} {:?}", layout(d));
        if let Some(known) = self.places.get(&key) {
            return Ok(known.clone());
        }
        let module = d.module()?;
        let made = match needs(&module).first() {
            Some(feature) => Pipeline::Needs(feature),
            None => {
                let file = format!("{}-{:016x}.wgsl", d.kernel(), fnv1a(text.as_bytes()));
                let file = self.write("shaders", &file, text.as_bytes())?;
                let bindings = layout(d).into_iter().map(
                    |(at, access)| json!({ "group": at.group, "binding": at.binding, "access": access_name(access) }),
                );
                self.pipelines.push(json!({
                    "kernel": d.kernel(),
                    "file": file,
                    "entry": "main",
                    "overrides": as_map(overrides),
                    "bindings": bindings.collect::<Vec<_>>(),
                    "workgroup_size": module.entry_points[0].workgroup_size,
                    "workgroup_bytes": workgroup_bytes(&module),
                }));
                Pipeline::Written(self.pipelines.len() - 1)
            }
        };
        self.places.insert(key, made.clone());
        Ok(made)
    }

    /// Writes a file of a folder; gives its name in the manifest.
    fn write(&mut self, folder: &str, name: &str, bytes: &[u8]) -> Outcome<String> {
        let path = self.folder.join(folder).join(name);
        let written = fs::create_dir_all(self.folder.join(folder)).and_then(|()| fs::write(&path, bytes));
        written.map_err(|e| failed(&path, &e))?;
        self.bytes += bytes.len();
        Ok(format!("{folder}/{name}"))
    }

    fn finish(&self, head: &Value) -> Outcome<()> {
        let mut all = head.clone();
        all["poison"] = json!(POISON);
        all["pipelines"] = json!(self.pipelines);
        all["list"] = json!(self.checks);
        self.manifest.write(|out| writeln!(out, "{all}"))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::output(error.to_string()).of(path.display())
}

/// The bytes of a check.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    /// Adds some where any number may begin; gives their place.
    fn add(&mut self, bytes: &[u8]) -> usize {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = self.0.len();
        self.0.extend(bytes);
        at
    }
}

fn part(range: &Range) -> Value {
    json!({ "buffer": range.buffer, "offset": range.offset, "bytes": range.bytes })
}

/// What is written into a buffer: no more than there is.
fn written(to: &Range, data: &[u8], bytes: &mut Bytes) -> Value {
    json!({ "buffer": to.buffer, "offset": to.offset, "bytes": data.len(), "at": bytes.add(data) })
}

fn dispatch(step: &Step, pipeline: usize, bytes: &mut Bytes) -> Value {
    let resource = |resource: &Resource| match resource {
        Resource::Uniform(params) => json!({ "at": bytes.add(params), "bytes": params.len() }),
        Resource::Part(range) => part(range),
    };
    let resources: Vec<_> = step.bindings.iter().map(|b| &b.resource).map(resource).collect();
    let workgroups = step.dispatch.workgroups();
    json!({ "pipeline": pipeline, "prepares": step.prepares, "workgroups": workgroups, "resources": resources })
}

/// Where the outputs are, with the right ones and their bounds.
fn outputs(exercise: &Exercise, bytes: &mut Bytes) -> Vec<Value> {
    let Exercise { script, expected, flushed, .. } = exercise;
    let pairs = expected.outputs.iter().zip(&script.results).enumerate();
    let one = |(k, (right, from)): (usize, (&Tensor, &Range))| {
        let mut answer = |expected: &Expected| {
            let elements: Vec<u8> = expected.outputs[k].to_f64s().into_iter().flat_map(f64::to_le_bytes).collect();
            let bounds = expected.bounds.as_ref().map(|all| all[k].iter().copied().flat_map(f32::to_le_bytes));
            let right = bytes.add(&elements);
            json!({ "right": right, "bounds": bounds.map(|bounds| bytes.add(&bounds.collect::<Vec<_>>())) })
        };
        let own = answer(expected);
        let or = flushed.as_ref().filter(|_| right.dtype() == DType::F32).map(answer);
        json!({
            "buffer": from.buffer,
            "offset": from.offset,
            "bytes": from.bytes,
            "shape": right.shape(),
            "type": words(right),
            "right": own["right"],
            "bounds": own["bounds"],
            "or": or,
        })
    };
    pairs.map(one).collect()
}

/// What the words of an output are on the host, where integers wrap to fewer bits; `None` if it rounds them.
fn words(tensor: &Tensor) -> Option<&'static str> {
    Some(match tensor.dtype() {
        DType::F32 | DType::F64 => "f32",
        DType::U32 => "u32",
        DType::U16 => "u16",
        DType::U8 => "u8",
        DType::I16 => "i16",
        DType::I8 => "i8",
        DType::Bool => "bool",
        dtype if dtype.is_float() => return None,
        _ => "i32",
    })
}
