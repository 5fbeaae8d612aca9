//! The contract between every shader and its host side, checked without a GPU: naga parses and validates each kernel,
//! and the launches (bindings, params, overrides, sizes) match the text.

use std::collections::BTreeSet;
use std::fs;

use convgpu::Precision;
use convgpu::custom::Layout;
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::gpu::kernel::{COMMON, Kernel};
use convgpu::internals::gpu::recording::Dispatch;
use convgpu::internals::ops::{kernels, relayout};
use convgpu::internals::plan::{Plan, PlanOptions};
use naga::{AddressSpace, ScalarKind, StorageAccess, TypeInner};

fn parse(name: &str, text: &str) -> naga::Module {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    let flags = naga::valid::ValidationFlags::all();
    let capabilities = naga::valid::Capabilities::SUBGROUP | naga::valid::Capabilities::SHADER_FLOAT16;
    let mut validator = naga::valid::Validator::new(flags, capabilities);
    validator.subgroup_operations(naga::valid::SubgroupOperationSet::all());
    validator.subgroup_stages(naga::valid::ShaderStages::COMPUTE);
    validator.validate(&module).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    module
}

/// Whether the elements of an array are f16, or vectors or matrices of it.
fn is_half(module: &naga::Module, ty: naga::Handle<naga::Type>) -> bool {
    match &module.types[ty].inner {
        TypeInner::Array { base, .. } => is_half(module, *base),
        inner => inner.scalar().is_some_and(|s| (s.kind, s.width) == (ScalarKind::Float, 2)),
    }
}

/// The host's description of a dispatch, which the text of its kernel must match.
#[derive(Clone)]
struct Facts {
    kernel: &'static str,
    text: String,
    precision: Precision,
    /// Which storage bindings are `Stored`.
    stored: Vec<bool>,
    converts: bool,
    /// Names and types.
    params: Vec<(&'static str, &'static str)>,
    overrides: Vec<&'static str>,
    reads: usize,
    writes: usize,
    workgroups: [u32; 3],
}

impl Facts {
    fn of(d: &Dispatch) -> Facts {
        let (text, overrides) = d.shader();
        let (reads, writes) = d.bindings();
        Facts {
            kernel: d.kernel(),
            text,
            precision: d.precision(),
            stored: d.stored(),
            converts: relayout::is_conversion(d),
            params: d.params().fields().iter().map(|(name, value)| (*name, value.wgsl_type())).collect(),
            overrides: overrides.iter().map(|(name, _)| *name).collect(),
            reads,
            writes,
            workgroups: d.workgroups(),
        }
    }
}

/// The differences between a dispatch and the text of its kernel.
fn complaints(d: &Facts) -> Vec<String> {
    let name = d.kernel;
    let module = parse(name, &d.text);
    let mut out = vec![];
    let mut complain = |text: String| out.push(format!("{name}: {text}"));

    let mut uniform = None;
    let mut storage = vec![];
    let mut halves = vec![];
    let mut workgroup_bytes = 0;
    for (_, v) in module.global_variables.iter() {
        match (&v.binding, v.space) {
            (Some(b), _) if b.group != 0 => complain(format!("binding in group {}", b.group)),
            (Some(b), AddressSpace::Uniform) => uniform = Some((b.binding, v.ty)),
            (Some(b), AddressSpace::Storage { access }) => {
                storage.push((b.binding, access));
                halves.push((b.binding, is_half(&module, v.ty)));
            }
            (None, AddressSpace::WorkGroup) => {
                workgroup_bytes += module.types[v.ty].inner.size(module.to_ctx());
            }
            _ => {}
        }
    }
    storage.sort_by_key(|s| s.0);

    match uniform {
        Some((0, ty)) => match &module.types[ty].inner {
            TypeInner::Struct { members, .. } => {
                let texts: Vec<_> = members
                    .iter()
                    .map(|m| {
                        let ty = match module.types[m.ty].inner {
                            TypeInner::Scalar(naga::Scalar { kind: ScalarKind::Uint, width: 4 }) => "u32",
                            TypeInner::Scalar(naga::Scalar { kind: ScalarKind::Sint, width: 4 }) => "i32",
                            TypeInner::Scalar(naga::Scalar { kind: ScalarKind::Float, width: 4 }) => "f32",
                            _ => "not a 4-byte scalar",
                        };
                        (m.name.clone().unwrap_or_default(), ty.to_owned(), m.offset)
                    })
                    .collect();
                let host =
                    |(i, (field, ty)): (usize, &(&str, &str))| ((*field).to_owned(), (*ty).to_owned(), 4 * i as u32);
                let hosts: Vec<_> = d.params.iter().enumerate().map(host).collect();
                if texts != hosts {
                    complain(format!("params are {texts:?} in the text, {hosts:?} on the host"));
                }
            }
            _ => complain("the params are not a struct".to_owned()),
        },
        _ => complain("binding 0 is not the uniform struct of params".to_owned()),
    }

    let wanted: Vec<_> = (1u32..)
        .zip(std::iter::repeat_n(StorageAccess::LOAD, d.reads))
        .chain((1 + d.reads as u32..).zip(std::iter::repeat_n(StorageAccess::LOAD | StorageAccess::STORE, d.writes)))
        .collect();
    if storage != wanted {
        complain(format!("storage bindings are {storage:?} in the text, {wanted:?} on the host"));
    }
    if storage.len() > 8 {
        complain(format!("{} storage buffers, WebGPU promises 8", storage.len()));
    }

    halves.sort();
    let stored = d.stored.clone();
    let halves: Vec<bool> = halves.into_iter().map(|(_, half)| half).collect();
    let wanted = if d.precision == Precision::F16 { stored } else { vec![false; stored.len()] };
    if halves != wanted && !d.converts {
        complain(format!("bindings of f16 are {halves:?} in the text, {wanted:?} on the host"));
    }

    let declared: BTreeSet<_> = module.overrides.iter().filter_map(|(_, o)| o.name.clone()).collect();
    let set: BTreeSet<_> = d.overrides.iter().map(|n| (*n).to_owned()).collect();
    if declared != set {
        complain(format!("overrides are {declared:?} in the text, {set:?} on the host"));
    }

    match &module.entry_points[..] {
        [entry] if entry.name == "main" => {
            let invocations: u32 = entry.workgroup_size.iter().product();
            if invocations > 256 || workgroup_bytes > 16 << 10 {
                complain(format!("{invocations} invocations, {workgroup_bytes} bytes of workgroup memory"));
            }
        }
        _ => complain("there must be one entry point, `main`".to_owned()),
    }
    if d.workgroups.iter().any(|&n| n > 65_535) {
        complain(format!("grid {:?}", d.workgroups));
    }
    out
}

/// Capabilities of every class of device that the choice of kernels distinguishes.
fn classes() -> Vec<Caps> {
    let class = |subgroup_size: Option<u32>, f16: bool, software: bool| {
        let mut caps = Caps::webgpu_default();
        (caps.subgroup_size, caps.f16, caps.software) = (subgroup_size, f16, software);
        caps
    };
    let mut lavapipe = class(Some(8), true, true);
    lavapipe.max_workgroup_bytes = 32 << 10;
    vec![class(None, false, false), lavapipe, class(Some(4), false, true), class(Some(32), true, false)]
}

/// More variants than any operator has, in every precision of a device.
fn ways(caps: &Caps) -> Vec<(usize, Precision)> {
    let wide = (0..16).map(|k| (k, Precision::F32));
    let half = (0..32).map(|k| (k, Precision::F16)).filter(|_| caps.f16);
    wide.chain(half).collect()
}

fn dispatches() -> Vec<Dispatch> {
    let mut out = vec![];
    for (name, graph) in crate::samples::graphs() {
        for caps in classes() {
            let layout = |d: &convgpu::Desc| if d.rank() < 2 { Layout::RowMajor } else { Layout::ChannelsLast };
            let last: Vec<_> = graph.inputs().map(|(_, d)| layout(d)).collect();
            for (alternative, precision) in ways(&caps) {
                for input_layouts in [vec![], last.clone()] {
                    let alternative = Some(alternative);
                    let options = PlanOptions { alternative, input_layouts, precision, ..Default::default() };
                    let plan = Plan::new(&graph, &caps, &options).unwrap_or_else(|e| panic!("{name}: {e}"));
                    out.extend(plan.recording.preparations().chain(plan.recording.dispatches()).cloned());
                }
            }
        }
    }
    out
}

#[test]
fn every_kernel_keeps_the_contract() {
    let all = dispatches();
    let mut seen = BTreeSet::new();
    let mut checked = BTreeSet::new();
    let mut wrong = BTreeSet::new();
    for d in &all {
        assert!(!d.is_checked(), "{}: every kernel here is the crate's own", d.kernel());
        seen.insert(d.kernel());
        let fields: Vec<_> = d.params().fields().iter().map(|(n, v)| (*n, v.wgsl_type())).collect();
        let names: Vec<_> = d.shader().1.iter().map(|o| o.0).collect();
        let launch = format!("{} {:?} {}", d.kernel(), d.consts(), d.precision());
        if checked.insert(format!("{launch} {fields:?} {names:?} {:?}", d.bindings())) {
            wrong.extend(complaints(&Facts::of(d)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    // Every kernel that has a form in f16 is launched in it.
    let halves: BTreeSet<_> = all.iter().filter(|d| d.precision() == Precision::F16).map(|d| d.kernel()).collect();
    let narrow = kernels().into_iter().filter(|k| k.stored().contains(&true)).map(|k| k.name());
    assert_eq!(narrow.filter(|name| !halves.contains(name)).collect::<Vec<_>>(), [] as [&str; 0]);
    let unseen: Vec<_> = kernels().iter().map(|k| k.name()).filter(|n| !seen.contains(n)).collect();
    assert!(unseen.is_empty(), "no sample launches {unseen:?}: add one to tests/samples/mod.rs");
}

#[test]
fn no_shader_is_orphaned() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");
    let stems = |dir: &str| -> BTreeSet<String> {
        let files = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
        let wgsl = files.filter(|p| p.extension().is_some_and(|e| e == "wgsl"));
        wgsl.map(|p| p.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let names = |list: Vec<&str>| -> BTreeSet<String> { list.into_iter().map(str::to_owned).collect() };
    assert_eq!(stems(root), names(kernels().iter().map(|k| k.name()).collect()));
    assert_eq!(stems(&format!("{root}/common")), names(COMMON.iter().map(|c| c.name()).collect()));
}

/// A kernel with a binding of `Stored` that does not say so on its line.
static HIDDEN: Kernel = Kernel::new(
    "hidden",
    "alias Stored = f32;
alias Four = vec4<Stored>;
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<Four>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<Stored>>;
@compute @workgroup_size(1) fn main() { y[p.n] = x[p.n]; }",
);

#[test]
fn the_check_sees_a_hidden_f16() {
    let of = |precision| Facts {
        kernel: HIDDEN.name(),
        text: HIDDEN.wgsl(&[], precision),
        precision,
        stored: HIDDEN.stored(),
        converts: false,
        params: vec![("n", "u32")],
        overrides: vec![],
        reads: 1,
        writes: 1,
        workgroups: [1; 3],
    };
    assert!(complaints(&of(Precision::F32)).is_empty());
    let complaints = complaints(&of(Precision::F16));
    assert!(matches!(&complaints[..], [c] if c.contains("bindings of f16")), "{complaints:?}");
}

#[test]
fn the_check_sees_a_breach() {
    let good = Facts::of(&dispatches()[0]);
    assert!(complaints(&good).is_empty());
    let breaches: [fn(&mut Facts); 4] = [
        |d| {
            d.params.pop();
        },
        |d| d.params.swap(0, 1),
        |d| d.reads += 1,
        |d| d.overrides.push("NO_SUCH"),
    ];
    for breach in breaches {
        let mut d = good.clone();
        breach(&mut d);
        assert!(!complaints(&d).is_empty());
    }
}
