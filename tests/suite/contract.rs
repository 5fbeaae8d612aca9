//! The contract between every shader and its host side, checked without a GPU: naga parses and validates each kernel,
//! and the launches (bindings, params, overrides, sizes) match the text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use convgpu::Precision;
use convgpu::custom::Params;
use convgpu::internals::gpu::kernel::{BINDINGS, Element, FIRST_GROUP, Grid, Kernel};
use convgpu::internals::gpu::recording::Dispatch;
use convgpu::internals::gpu::texture::{LOAD, LOAD_TILE, Region};
use convgpu::internals::ops::{kernels, relayout};
use naga::{AddressSpace, ScalarKind, StorageAccess, TypeInner};

use crate::rules;

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

/// The storage bindings in order, by group and number, with their types.
fn storage_bindings(module: &naga::Module) -> Vec<((u32, u32), StorageAccess, naga::Handle<naga::Type>)> {
    let mut out = vec![];
    for (_, v) in module.global_variables.iter() {
        if let (Some(b), AddressSpace::Storage { access }) = (&v.binding, v.space) {
            out.push(((b.group, b.binding), access, v.ty));
        }
    }
    out.sort_by_key(|(place, ..)| *place);
    out
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
    /// Those of the epilogue, if there is one.
    epilogue: Option<Vec<(&'static str, &'static str)>>,
    overrides: Vec<&'static str>,
    /// Textures stand before the storage buffers.
    textures: usize,
    reads: usize,
    writes: usize,
    workgroups: [u32; 3],
    /// Whether a uniform says where its part of the grid begins.
    grid: Grid,
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
            params: fields(d.params()),
            epilogue: d.epilogue_params().map(fields),
            overrides: overrides.iter().map(|(name, _)| *name).collect(),
            textures: 0,
            reads,
            writes,
            workgroups: d.workgroups(),
            grid: d.grid(),
        }
    }
}

/// Names and types.
fn fields(params: &Params) -> Vec<(&'static str, &'static str)> {
    params.fields().iter().map(|(name, value)| (*name, value.wgsl_type())).collect()
}

/// The differences between a dispatch and the text of its kernel.
fn complaints(d: &Facts) -> Vec<String> {
    let name = d.kernel;
    let module = parse(name, &d.text);
    let mut out = vec![];
    let mut complain = |text: String| out.push(format!("{name}: {text}"));

    let mut uniforms = vec![];
    let mut textures = vec![];
    let mut workgroup_bytes = 0;
    for (_, v) in module.global_variables.iter() {
        match (&v.binding, v.space) {
            (Some(b), AddressSpace::Uniform) => uniforms.push(((b.group, b.binding), v.ty)),
            (Some(b), AddressSpace::Handle) => textures.push((b.group, b.binding)),
            (None, AddressSpace::WorkGroup) => {
                workgroup_bytes += module.types[v.ty].inner.size(module.to_ctx());
            }
            _ => {}
        }
    }
    uniforms.sort_by_key(|(place, _)| *place);
    let count = uniforms.len();
    uniforms.retain(|(place, _)| *place != (0, FIRST_GROUP));
    if (uniforms.len() < count) != (d.grid == Grid::Part) {
        complain(format!("the host has a {:?} of the grid", d.grid));
    }
    let storage = storage_bindings(&module);

    let groups: Vec<_> = std::iter::once(&d.params).chain(&d.epilogue).collect();
    let places: Vec<_> = uniforms.iter().map(|(place, _)| *place).collect();
    if places != (0..groups.len() as u32).map(|group| (group, 0)).collect::<Vec<_>>() {
        complain(format!("uniforms are at {places:?}, the host has params for {} groups", groups.len()));
    }
    for ((_, ty), params) in uniforms.into_iter().zip(groups) {
        match &module.types[ty].inner {
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
                let hosts: Vec<_> = params.iter().enumerate().map(host).collect();
                if texts != hosts {
                    complain(format!("params are {texts:?} in the text, {hosts:?} on the host"));
                }
            }
            _ => complain("the params are not a struct".to_owned()),
        }
    }

    let first = 1 + d.textures as u32;
    if textures != (1..first).map(|k| (0, k)).collect::<Vec<_>>() {
        complain(format!("textures are at {textures:?}, the host has {}", d.textures));
    }
    let accesses = std::iter::repeat_n(StorageAccess::LOAD, d.reads)
        .chain(std::iter::repeat_n(StorageAccess::LOAD | StorageAccess::STORE, d.writes));
    let own = (first..).zip(accesses).map(|(k, access)| ((0, k), access));
    let epilogue = d.epilogue.iter().flat_map(|_| (1..=3).map(|k| ((1, k), StorageAccess::LOAD)));
    let wanted: Vec<_> = own.chain(epilogue).collect();
    let found: Vec<_> = storage.iter().map(|(place, access, _)| (*place, *access)).collect();
    if found != wanted {
        complain(format!("storage bindings are {found:?} in the text, {wanted:?} on the host"));
    }
    if storage.len() > 8 {
        complain(format!("{} storage buffers, WebGPU promises 8", storage.len()));
    }

    let stored = d.stored.clone();
    let halves: Vec<bool> = storage.iter().map(|(.., ty)| is_half(&module, *ty)).collect();
    let wanted = if d.precision == Precision::F16 { stored } else { vec![false; stored.len()] };
    if halves != wanted && !d.converts {
        complain(format!("bindings of f16 are {halves:?} in the text, {wanted:?} on the host"));
    }

    let declared: BTreeSet<_> = module.overrides.iter().filter_map(|(_, o)| o.name.clone()).collect();
    let set: BTreeSet<_> = d.overrides.iter().map(|n| (*n).to_owned()).collect();
    if declared != set {
        complain(format!("overrides are {declared:?} in the text, {set:?} on the host"));
    }

    rules::breaches(&module, &d.text).into_iter().for_each(&mut complain);

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

fn dispatches() -> Vec<Dispatch> {
    let mut out = vec![];
    crate::samples::plans(&mut |_, plan| {
        out.extend(plan.recording.preparations().chain(plan.recording.dispatches()).cloned());
    });
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
        let fields = fields(d.params());
        let names: Vec<_> = d.shader().1.iter().map(|o| o.0).collect();
        let launch = format!("{} {:?} {} {:?}", d.kernel(), d.consts(), d.precision(), d.grid());
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

/// A device without workgroup memory has a kernel for everything, and no pipeline of it has such memory.
#[test]
fn every_operator_does_without_workgroup_memory() {
    let in_module = |d: &Dispatch| {
        let module = d.module().unwrap();
        module.global_variables.iter().any(|(_, v)| v.space == AddressSpace::WorkGroup)
    };
    let mut known = BTreeMap::new(); // a module takes milliseconds
    let mut has = |d: &Dispatch| {
        let launch = format!("{} {:?} {:?} {} {:?}", d.kernel(), d.consts(), d.shader().1, d.precision(), d.stored());
        *known.entry(launch).or_insert_with(|| in_module(d))
    };
    let mut others = 0;
    crate::samples::plans(&mut |class, plan| {
        let all = plan.recording.preparations().chain(plan.recording.dispatches());
        let with: Vec<_> = all.filter(|d| has(d)).map(Dispatch::kernel).collect();
        match class == crate::samples::WITHOUT_WORKGROUP_MEMORY {
            true => assert_eq!(with, [] as [&str; 0]),
            false => others += with.len(),
        }
    });
    assert!(others > 0, "no sample has workgroup memory");
}

#[test]
fn no_shader_is_orphaned() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/");
    let stems = |folder: &str| -> Vec<String> {
        let files = fs::read_dir(format!("{root}{folder}")).unwrap().map(|e| e.unwrap().path());
        let wgsl = files.filter(|p| p.extension().is_some_and(|e| e == "wgsl"));
        wgsl.map(|p| format!("{folder}{}", p.file_stem().unwrap().to_str().unwrap())).collect()
    };
    let names = |list: Vec<&str>| -> BTreeSet<String> { list.into_iter().map(str::to_owned).collect() };
    let kernels = kernels();
    let used = kernels.iter().copied().chain([&LOAD]).flat_map(Kernel::files).collect();
    let all: BTreeSet<String> = ["", "shared/", "engine/", "problem/"].into_iter().flat_map(stems).collect();
    assert_eq!(all, names(used));
}

/// The kernel that no operator launches, since it reads a texture.
#[test]
fn the_loader_of_textures_keeps_the_contract() {
    let region = Region { top: 1, left: 2, height: 3, width: 4 };
    let facts = Facts {
        kernel: LOAD.name(),
        text: LOAD.wgsl(&[], Precision::F32),
        precision: Precision::F32,
        stored: vec![false],
        converts: false,
        params: fields(&region.params()),
        epilogue: None,
        overrides: vec![],
        textures: 1,
        reads: 0,
        writes: 1,
        workgroups: [1; 3],
        grid: Grid::Whole,
    };
    assert_eq!(complaints(&facts), [] as [&str; 0]);
    assert!(!complaints(&Facts { textures: 0, ..facts.clone() }).is_empty());
    let tile = LOAD_TILE as u32;
    assert_eq!(parse(facts.kernel, &facts.text).entry_points[0].workgroup_size, [tile * tile, 1, 1]);
    assert!(facts.text.contains(&format!("const TILE = {tile}u;")));
}

/// The elements of the storage bindings of a kernel, by its text: `Stored` and `Written` are those that change with precision.
fn elements(kernel: &Kernel) -> Vec<Element> {
    let halves = |precision, sums| -> Vec<bool> {
        let module = parse(kernel.name(), &kernel.text(&[], precision, sums, Grid::Whole));
        storage_bindings(&module).into_iter().map(|(.., ty)| is_half(&module, ty)).collect()
    };
    let [wide, results, sums] =
        [(Precision::F32, false), (Precision::F16, false), (Precision::F16, true)].map(|(p, sums)| halves(p, sums));
    let kind = |k: usize| match (wide[k], results[k], sums[k]) {
        (false, true, true) => Element::Stored,
        (false, true, false) => Element::Written,
        _ => Element::Other,
    };
    (0..wide.len()).map(kind).collect()
}

/// The table of bindings is what the texts say. `CONVGPU_GENERATE=1` writes it.
#[test]
fn the_table_of_bindings_is_that_of_the_texts() {
    let mut all = kernels();
    all.sort_by_key(|kernel| kernel.name());
    let line = |kernel: &&Kernel| {
        let list: Vec<_> = elements(kernel).iter().map(|element| format!("{element:?}")).collect();
        format!("    (\"{}\", &[{}]),\n", kernel.name(), list.join(", "))
    };
    let lines: String = all.iter().map(line).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/gpu/bindings.rs");
    let file = fs::read_to_string(path).unwrap();
    let (head, rest) = file.split_once("= &[\n").unwrap();
    let (table, tail) = rest.split_once("];\n").unwrap();
    if std::env::var("CONVGPU_GENERATE").is_ok_and(|v| v == "1") {
        return fs::write(path, format!("{head}= &[\n{lines}];\n{tail}")).unwrap();
    }
    assert!(
        table == lines,
        "src/gpu/bindings.rs is out of date: CONVGPU_GENERATE=1 cargo test -p convgpu --test suite contract"
    );
    assert_eq!(BINDINGS.len(), all.len());
    // Pipelines are shared by name.
    let names: BTreeSet<_> = all.iter().map(|kernel| kernel.name()).collect();
    assert_eq!(names.len(), all.len());
}

/// A kernel with a binding of `Stored` that the table does not know.
static HIDDEN: Kernel = Kernel::new(
    "hidden",
    "enable f16;
alias Four = vec4<f16>;
struct Params { n: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<Four>;
@group(0) @binding(2) var<storage, read_write> y: array<Four>;
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
        epilogue: None,
        overrides: vec![],
        textures: 0,
        reads: 1,
        writes: 1,
        workgroups: [1; 3],
        grid: Grid::Whole,
    };
    let complaints = complaints(&of(Precision::F16));
    assert!(matches!(&complaints[..], [c] if c.contains("bindings of f16")), "{complaints:?}");
}

#[test]
fn the_check_sees_a_breach() {
    let all = dispatches();
    let good = Facts::of(all.iter().find(|d| d.epilogue_params().is_some()).unwrap());
    assert!(complaints(&good).is_empty());
    let breaches: [fn(&mut Facts); 6] = [
        |d| {
            d.params.pop();
        },
        |d| d.params.swap(0, 1),
        |d| d.reads += 1,
        |d| d.overrides.push("NO_SUCH"),
        |d| d.epilogue = if d.epilogue.is_some() { None } else { Some(vec![]) },
        |d| d.epilogue.iter_mut().for_each(|params| params.swap(0, 2)),
    ];
    for breach in breaches {
        let mut d = good.clone();
        breach(&mut d);
        assert!(!complaints(&d).is_empty());
    }
}
