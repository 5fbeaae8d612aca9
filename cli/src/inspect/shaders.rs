//! `--dump-shaders DIR`: every pipeline of a plan as drivers get it, and a manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use convgpu::internals::gpu::pipelines::Shared;
use convgpu::internals::gpu::recording::{Access, Dispatch};
use convgpu::internals::plan::Plan;
use convgpu::{AdapterInfo, Precision};
use naga::ResourceBinding;
use serde_json::{Value, json};

use super::interface;
use super::translate::{Source, TARGETS, Translation};
use crate::failure::{Failure, Outcome};
use crate::files::{Folder, Target};

/// The version of naga in the `Cargo.lock` of this version, which a test compares.
const NAGA: &str = "30.0.1";

/// A folder for the files.
pub struct Dump {
    folder: PathBuf,
    manifest: Target,
    /// It is removed if nothing is written.
    _made: Folder,
}

/// What was written.
pub struct Written {
    folder: String,
    pipelines: usize,
    kernels: usize,
}

impl Dump {
    /// Makes the folder, and checks that files can be written there.
    pub fn new(folder: &Path) -> Outcome<Dump> {
        let made = Folder::new(folder)?;
        let manifest = Target::new(&folder.join("manifest.json"))?;
        Ok(Dump { folder: folder.to_owned(), manifest, _made: made })
    }

    /// Writes the files of every pipeline, and last the manifest.
    pub fn write(&self, plan: &Plan, adapter: &AdapterInfo, precision: Precision) -> Outcome<Written> {
        // A manifest of an earlier call does not describe these files.
        if self.manifest.path().is_file() {
            let failed = |e: std::io::Error| Failure::output(e.to_string()).of(self.manifest.path().display());
            std::fs::remove_file(self.manifest.path()).map_err(failed)?;
        }
        let mut pipelines = vec![];
        let mut kernels = BTreeSet::new();
        for shared in Shared::of(&plan.recording) {
            pipelines.push(self.pipeline(&shared)?);
            kernels.insert(shared.any().kernel());
        }
        let written =
            Written { folder: self.folder.display().to_string(), pipelines: pipelines.len(), kernels: kernels.len() };
        self.finish(&manifest(adapter, precision, pipelines))?;
        Ok(written)
    }

    fn finish(&self, manifest: &Value) -> Outcome<()> {
        self.manifest.write(|out| writeln!(out, "{manifest:#}"))
    }

    /// Writes the files of a pipeline; gives its entry in the manifest.
    fn pipeline(&self, shared: &Shared<'_>) -> Outcome<Value> {
        let d = shared.any();
        let wrong = |e: String| Failure::internal(format!("kernel {}: {e}", d.kernel()));
        let module = d.module()?;
        let layout = layout(d);
        let source =
            Source { module: &module, layout: &layout, checked: d.has_checks(), cleared: d.clears_workgroup_memory() };
        let translations = source.translations().map_err(wrong)?;
        let name = name(d);
        let mut files = vec![self.file(&name, "browser.wgsl", &Ok(browser(d).into_bytes()))?];
        for ((kind, _), translation) in TARGETS.iter().zip(&translations) {
            files.push(self.file(&name, kind, translation)?);
        }
        let (text, overrides) = d.shader();
        let declared = interface::Declared::of(&text).map_err(wrong)?;
        Ok(json!({
            "name": name,
            "kernel": d.kernel(),
            "sources": d.files().iter().map(|file| format!("shaders/{file}.wgsl")).collect::<Vec<_>>(),
            "precision": d.precision().to_string(),
            "overrides": as_map(overrides),
            "consts": as_map(d.consts()),
            "checked": source.checked,
            "params": declared.params(),
            "bindings": declared.bindings(&layout, &module),
            "workgroup_size": module.entry_points[0].workgroup_size,
            "workgroup_bytes": interface::workgroup_bytes(&module),
            "needs": interface::needs(&module),
            "uses": uses(shared),
            "files": files,
        }))
    }

    /// Writes a file unless the translator refused; gives its entry in the manifest.
    fn file(&self, name: &str, kind: &str, translation: &Translation) -> Outcome<Value> {
        Ok(match translation {
            Ok(bytes) => {
                let file = format!("{name}.{kind}");
                let target = Target::new(&self.folder.join(&file)).map_err(|e| Failure::output(e.to_string()))?;
                target.write(|out| out.write_all(bytes))?;
                json!({ "kind": kind, "name": file, "bytes": bytes.len() })
            }
            Err(reason) => json!({ "kind": kind, "reason": reason }),
        })
    }
}

impl Written {
    /// The line that says so.
    pub fn line(&self) -> String {
        let Written { folder, pipelines, kernels } = self;
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        format!("{pipelines} pipeline{} of {kernels} kernel{} in {folder}\n", plural(*pipelines), plural(*kernels))
    }

    /// The same for programs.
    pub fn as_json(&self) -> Value {
        json!({ "folder": self.folder, "pipelines": self.pipelines, "kernels": self.kernels })
    }
}

fn manifest(adapter: &AdapterInfo, precision: Precision, pipelines: Vec<Value>) -> Value {
    let caps = &adapter.caps;
    json!({
        "convgpu": env!("CARGO_PKG_VERSION"),
        "naga": NAGA,
        "precision": precision.to_string(),
        "adapter": {
            "name": adapter.name,
            "type": adapter.kind.to_string(),
            "backend": adapter.backend,
            "driver": adapter.driver,
        },
        "caps": {
            "class": caps.class.to_string(),
            "max_binding_bytes": caps.max_binding_bytes,
            "max_buffer_bytes": caps.max_buffer_bytes,
            "max_invocations": caps.max_invocations,
            "max_workgroup_bytes": caps.max_workgroup_bytes,
            "subgroup_size": caps.subgroup_size,
            "f16": caps.f16,
            "timestamps": caps.timestamps,
            "compute_units": caps.compute_units,
            "least_units": caps.least_units,
            "submit_seconds": caps.submit_seconds,
            "max_iterations": caps.max_iterations,
            "software": caps.software,
        },
        "targets": targets(),
        "pipelines": pipelines,
    })
}

/// What each kind of file is for.
fn targets() -> Value {
    TARGETS.iter().map(|&(kind, of)| (kind.to_owned(), json!(of))).collect()
}

/// Names and their values.
pub fn as_map(values: &[(&str, impl Copy + Into<Value>)]) -> Value {
    values.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect()
}

/// The bindings of a pipeline's layout.
pub fn layout(d: &Dispatch) -> Vec<(ResourceBinding, Access)> {
    let of = |(group, bindings): (u32, Vec<(u32, Access)>)| {
        bindings.into_iter().map(move |(binding, access)| (ResourceBinding { group, binding }, access))
    };
    (0..).zip(d.layout()).flat_map(of).collect()
}

/// The kernel with its sizes, and a hash of all that makes the pipeline: the same on every device.
fn name(d: &Dispatch) -> String {
    let sizes: String = d.consts().iter().map(|(_, value)| format!("_{value}")).collect();
    let all = format!("{} {} {:?}", browser(d), d.has_checks(), layout(d));
    format!("{}{sizes}-{:016x}", d.kernel(), fnv1a(all.as_bytes()))
}

/// The hash FNV-1a of 64 bits.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// The text as browsers get it. The values of its overrides are a comment on its first line, so that line numbers stay.
fn browser(d: &Dispatch) -> String {
    let (text, overrides) = d.shader();
    let values: Vec<_> = overrides.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if values.is_empty() { text } else { format!("/* overrides: {} */ {text}", values.join(" ")) }
}

/// Nodes with their grids, each pair once.
fn uses(shared: &Shared<'_>) -> Vec<Value> {
    let mut counts: BTreeMap<(usize, &str, &str, [u32; 3]), usize> = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (phase, dispatches) in [("prepare", &shared.prepare), ("run", &shared.run)] {
        for d in dispatches {
            let next = places.len();
            let place = *places.entry((phase, d.node(), d.workgroups())).or_insert(next);
            *counts.entry((place, phase, d.node(), d.workgroups())).or_default() += 1;
        }
    }
    let one = |((_, phase, node, grid), n)| json!({ "phase": phase, "node": node, "grid": grid, "dispatches": n });
    counts.into_iter().map(one).collect()
}

#[cfg(test)]
#[path = "../../../tests/samples/mod.rs"]
mod samples;

#[cfg(test)]
mod tests {
    use convgpu::internals::graph::rewrite::rewrite;
    use convgpu::internals::plan::PlanOptions;
    use convgpu::nn::{Conv2d, Module, Sequential, Tanh};
    use convgpu::{Caps, Desc};

    use super::*;

    /// Asserts that a pipeline has every translation, but for what GL lacks.
    fn has_every_translation(d: &Dispatch) {
        let (module, layout) = (d.module().unwrap(), layout(d));
        let source = Source { module: &module, layout: &layout, checked: d.has_checks(), cleared: false };
        let [wgsl, spv, metal, hlsl, glsl] = source.translations().unwrap_or_else(|e| panic!("{}: {e}", d.kernel()));
        let others = [wgsl, spv, metal, hlsl];
        assert!(others.iter().all(Result::is_ok), "{}: {others:?}", d.kernel());
        assert_eq!(glsl.is_ok(), interface::needs(&module).is_empty(), "{}: {glsl:?}", d.kernel());
    }

    /// What is translated but once: the same text, overrides and bindings have one name ([`name`]), which takes longer to find.
    fn key(d: &Dispatch) -> String {
        let overrides = d.shader().1;
        format!(
            "{} {:?} {:?} {:?} {:?} {:?}",
            d.kernel(),
            d.consts(),
            overrides,
            d.precision(),
            d.stored(),
            (d.bindings(), d.grid())
        )
    }

    /// Every pipeline of every sample (`tests/samples`), on every class of device, in all languages: kernels that the adapter of
    /// the tests may not run, too.
    ///
    /// `CONVGPU_DUMP=DIR` writes them, for compilers that are not part of the build: the files and the manifest that
    /// `inspect --dump-shaders` writes (docs/json.md), but `adapter`, `caps` and `precision`, and with `pipelines[].classes`, the
    /// classes of devices that use a pipeline (`tests/samples`).
    #[test]
    fn every_pipeline_has_every_translation() {
        let dump = std::env::var_os("CONVGPU_DUMP").map(|folder| Dump::new(Path::new(&folder)).unwrap());
        let mut places = BTreeMap::new();
        let mut found: Vec<(Value, BTreeSet<&str>)> = vec![];
        samples::plans(&mut |class, plan| {
            for shared in Shared::of(&plan.recording) {
                let place = *places.entry(key(shared.any())).or_insert(found.len());
                if place == found.len() {
                    has_every_translation(shared.any());
                    let entry = dump.as_ref().map_or(Value::Null, |dump| dump.pipeline(&shared).unwrap());
                    found.push((entry, BTreeSet::new()));
                }
                found[place].1.insert(class);
            }
        });
        assert!(found.len() > 100, "{} pipelines", found.len());
        let subgroups = found.iter().filter(|(_, classes)| !classes.iter().any(|class| class.starts_with("hardware")));
        assert!(subgroups.count() > 0, "every pipeline is for hardware");
        let Some(dump) = dump else { return };
        let with_classes = |(mut entry, classes): (Value, BTreeSet<&str>)| {
            entry["classes"] = json!(classes);
            entry
        };
        let pipelines: Vec<_> = found.into_iter().map(with_classes).collect();
        let manifest = json!({
            "convgpu": env!("CARGO_PKG_VERSION"), "naga": NAGA, "targets": targets(), "pipelines": pipelines,
        });
        dump.finish(&manifest).unwrap();
    }

    /// What the adapter of the tests may not run: kernels with workgroup memory, in both precisions.
    #[test]
    fn kernels_for_hardware_have_every_translation() {
        let net = Sequential::new().with(Conv2d::new(16, 64, 3)).with(Tanh).with(Conv2d::new(64, 64, 1));
        let mut graph = net.graph(Desc::f32([1, 16, 40, 30])).unwrap();
        rewrite(&mut graph);
        let mut caps = Caps::webgpu_default();
        caps.f16 = true;
        for precision in [Precision::F32, Precision::F16] {
            let plan = Plan::new(&graph, &caps, &PlanOptions { precision, ..PlanOptions::default() }).unwrap();
            let mut tiled = 0;
            for shared in Shared::of(&plan.recording) {
                let d = shared.any();
                has_every_translation(d);
                let workgroup_bytes = interface::workgroup_bytes(&d.module().unwrap());
                tiled += usize::from(workgroup_bytes > 0 && !d.consts().is_empty());
            }
            assert!(tiled > 0, "{plan}");
        }
    }

    #[test]
    fn the_hash_is_fnv1a() {
        // From the test vectors of its authors.
        assert_eq!((fnv1a(b""), fnv1a(b"foobar")), (0xcbf2_9ce4_8422_2325, 0x8594_4171_f739_67e8));
    }

    #[test]
    fn the_version_of_naga_is_the_locked_one() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        let locked = format!("name = \"naga\"\nversion = \"{NAGA}\"\n");
        assert!(lock.replace("\r\n", "\n").contains(&locked), "NAGA is not naga's version in Cargo.lock");
    }
}
