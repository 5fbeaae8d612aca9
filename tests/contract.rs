//! The contract between every shader and its host side, held without a GPU: naga parses and validates each kernel, and
//! what the launches say of it (bindings, params, overrides, sizes) equals what the text says.

use std::collections::BTreeSet;
use std::fs;

use convgpu::gpu::caps::Caps;
use convgpu::gpu::kernel::COMMON;
use convgpu::gpu::recording::{Command, Dispatch};
use convgpu::graph::plan::{Plan, PlanOptions};
use convgpu::ops::kernels;
use naga::{AddressSpace, ScalarKind, StorageAccess, TypeInner};

mod samples;

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

/// What is wrong with a dispatch, seen from the text of its kernel.
fn complaints(d: &Dispatch) -> Vec<String> {
    let name = d.kernel.name;
    let module = parse(name, &d.kernel.wgsl(&d.consts));
    let mut out = vec![];
    let mut complain = |text: String| out.push(format!("{name}: {text}"));

    let mut uniform = None;
    let mut storage = vec![];
    let mut workgroup_bytes = 0;
    for (_, v) in module.global_variables.iter() {
        match (&v.binding, v.space) {
            (Some(b), _) if b.group != 0 => complain(format!("binding in group {}", b.group)),
            (Some(b), AddressSpace::Uniform) => uniform = Some((b.binding, v.ty)),
            (Some(b), AddressSpace::Storage { access }) => storage.push((b.binding, access)),
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
                let hosts: Vec<_> = d
                    .params
                    .0
                    .iter()
                    .enumerate()
                    .map(|(i, (field, value))| ((*field).to_owned(), value.wgsl_type().to_owned(), 4 * i as u32))
                    .collect();
                if texts != hosts {
                    complain(format!("params are {texts:?} in the text, {hosts:?} on the host"));
                }
            }
            _ => complain("the params are not a struct".to_owned()),
        },
        _ => complain("binding 0 is not the uniform struct of params".to_owned()),
    }

    let wanted: Vec<_> = (1u32..)
        .zip(std::iter::repeat_n(StorageAccess::LOAD, d.reads.len()))
        .chain(
            (1 + d.reads.len() as u32..)
                .zip(std::iter::repeat_n(StorageAccess::LOAD | StorageAccess::STORE, d.writes.len())),
        )
        .collect();
    if storage != wanted {
        complain(format!("storage bindings are {storage:?} in the text, {wanted:?} on the host"));
    }
    if storage.len() > 8 {
        complain(format!("{} storage buffers, WebGPU promises 8", storage.len()));
    }

    let declared: BTreeSet<_> = module.overrides.iter().filter_map(|(_, o)| o.name.clone()).collect();
    let set: BTreeSet<_> = d.overrides.iter().map(|(n, _)| (*n).to_owned()).collect();
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

/// Capabilities of every class of device that the choice of kernels tells apart.
fn classes() -> Vec<Caps> {
    let base = Caps::webgpu_default();
    let lavapipe =
        Caps { subgroup_size: Some(8), f16: true, software: true, max_workgroup_bytes: 32 << 10, ..base.clone() };
    let swiftshader = Caps { subgroup_size: Some(4), software: true, ..base.clone() };
    let discrete = Caps { subgroup_size: Some(32), f16: true, timestamps: true, ..base.clone() };
    vec![base, lavapipe, swiftshader, discrete]
}

fn dispatches() -> Vec<Dispatch> {
    let mut out = vec![];
    for (name, graph) in samples::graphs() {
        for caps in classes() {
            for alternative in 0..8 {
                let options = PlanOptions { alternative: Some(alternative), ..Default::default() };
                let plan = Plan::new(&graph, &caps, &options).unwrap_or_else(|e| panic!("{name}: {e}"));
                let commands = plan.recording.prepare.iter().chain(&plan.recording.run);
                out.extend(commands.filter_map(|c| match c {
                    Command::Dispatch(d) => Some(d.clone()),
                    _ => None,
                }));
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
        seen.insert(d.kernel.name);
        let fields: Vec<_> = d.params.0.iter().map(|(n, v)| (*n, v.wgsl_type())).collect();
        let names: Vec<_> = d.overrides.iter().map(|o| o.0).collect();
        let form =
            format!("{} {:?} {fields:?} {names:?} {} {}", d.kernel.name, d.consts, d.reads.len(), d.writes.len());
        if checked.insert(form) {
            wrong.extend(complaints(d));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    let unseen: Vec<_> = kernels().iter().map(|k| k.name).filter(|n| !seen.contains(n)).collect();
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
    assert_eq!(stems(root), names(kernels().iter().map(|k| k.name).collect()));
    assert_eq!(stems(&format!("{root}/common")), names(COMMON.iter().map(|c| c.name).collect()));
}

#[test]
fn the_check_sees_a_breach() {
    let good = dispatches().remove(0);
    assert!(complaints(&good).is_empty());
    let breaches: [fn(&mut Dispatch); 4] = [
        |d| {
            d.params.0.pop();
        },
        |d| d.params.0.swap(0, 1),
        |d| d.reads.push(d.reads[0]),
        |d| d.overrides.push(("NO_SUCH", 1.0)),
    ];
    for breach in breaches {
        let mut d = good.clone();
        breach(&mut d);
        assert!(!complaints(&d).is_empty());
    }
}
