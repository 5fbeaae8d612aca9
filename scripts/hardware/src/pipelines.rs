//! Every pipeline that a plan for hardware may have, as SPIR-V.

use std::collections::BTreeSet;

use convgpu::custom::Layout;
use convgpu::internals::gpu::pipelines::Shared;
use convgpu::internals::gpu::recording::Dispatch;
use convgpu::internals::graph::Graph;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::nn::{Conv2d, Module};
use convgpu::{Caps, Desc, Precision};
use naga::ResourceBinding;
use naga::back::spv;
use naga::proc::BoundsCheckPolicies;
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// A pipeline.
#[derive(Debug)]
pub struct Pipeline {
    /// The kernel with its sizes and its precision.
    pub kernel: String,
    pub spirv: Vec<u32>,
    /// Per group: the uniform buffer, then so many storage buffers.
    pub groups: Vec<usize>,
}

impl Pipeline {
    /// The kernel as part of a file's name.
    pub fn file_name(&self) -> String {
        self.kernel.replace(['(', ')', ',', ' '], "_")
    }
}

/// What distinguishes hardware for the choice of kernels.
fn classes() -> [Caps; 2] {
    [None, Some(32)].map(|subgroup_size| {
        let mut caps = Caps::webgpu_default();
        (caps.subgroup_size, caps.f16, caps.software) = (subgroup_size, true, false);
        caps
    })
}

/// Layers with enough work for every tile.
fn layers() -> Vec<Graph> {
    let layer = |module: &dyn Module, shape: [usize; 4]| module.graph(Desc::f32(shape)).expect("the layer fits");
    vec![
        layer(&Conv2d::new(64, 256, 1), [1, 64, 56, 56]),
        layer(&Conv2d::new(64, 256, 3), [1, 64, 56, 56]),
        layer(&Conv2d::new(1024, 256, 1), [1, 1024, 14, 14]),
        layer(&Conv2d::new(2048, 1000, 1), [1, 2048, 1, 1]),
        layer(&Conv2d::new(2048, 1000, 1), [4, 2048, 1, 1]),
    ]
}

/// The pipelines of every variant of every sample, each once.
pub fn all() -> Result<Vec<Pipeline>, String> {
    let graphs = crate::samples::graphs().into_iter().map(|(_, graph)| graph).chain(layers());
    let mut seen = BTreeSet::new();
    let mut out = vec![];
    for graph in graphs {
        for (caps, options) in choices(&graph) {
            let plan = Plan::new(&graph, &caps, &options).map_err(|e| e.to_string())?;
            for shared in Shared::of(&plan.recording) {
                let pipeline = pipeline(shared.any())?;
                if seen.insert((pipeline.kernel.clone(), pipeline.spirv.clone())) {
                    out.push(pipeline);
                }
            }
        }
    }
    out.sort_by(|a, b| a.kernel.cmp(&b.kernel));
    Ok(out)
}

/// More variants than any operator has, on every class, from either layout.
fn choices(graph: &Graph) -> Vec<(Caps, PlanOptions)> {
    let layout = |d: &Desc| if d.rank() < 2 { Layout::RowMajor } else { Layout::ChannelsLast };
    let last: Vec<_> = graph.inputs().map(|(_, d)| layout(d)).collect();
    let mut out = vec![];
    for caps in classes() {
        for (precision, count) in [(Precision::F32, 20), (Precision::F16, 40)] {
            for alternative in (0..count).map(Some) {
                for input_layouts in [vec![], last.clone()] {
                    let options = PlanOptions { alternative, input_layouts, precision, ..PlanOptions::default() };
                    out.push((caps.clone(), options));
                }
            }
        }
    }
    out
}

fn pipeline(d: &Dispatch) -> Result<Pipeline, String> {
    let (reads, writes) = d.bindings();
    let groups: Vec<_> = std::iter::once(reads + writes).chain(d.epilogue_bindings()).collect();
    let sizes: Vec<_> = d.consts().iter().map(|(_, value)| value.to_string()).collect();
    let sizes = if sizes.is_empty() { String::new() } else { format!("({})", sizes.join(",")) };
    let precision = if d.precision() == Precision::F16 { " f16" } else { "" };
    let kernel = format!("{}{sizes}{precision}", d.kernel());
    let spirv = spirv(d, &groups).map_err(|e| format!("{kernel}: {e}"))?;
    Ok(Pipeline { kernel, spirv, groups })
}

/// As wgpu-hal 30 has naga write it, without run-time checks.
fn spirv(d: &Dispatch, groups: &[usize]) -> Result<Vec<u32>, String> {
    let module = d.module().map_err(|e| e.to_string())?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(&module).map_err(|e| format!("{e:?}"))?;
    let binding = |group, binding| {
        let place = spv::BindingInfo { descriptor_set: group, binding, binding_array_size: None };
        (ResourceBinding { group, binding }, place)
    };
    let options = spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
        fake_missing_bindings: false,
        binding_map: (0..)
            .zip(groups)
            .flat_map(|(group, &storage)| (0..=storage as u32).map(move |k| binding(group, k)))
            .collect(),
        bounds_check_policies: BoundsCheckPolicies::default(),
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        use_storage_input_output_16: false,
        ..spv::Options::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: naga::ShaderStage::Compute, entry_point: "main".to_owned() };
    spv::write_vec(&module, &info, &options, Some(&pipeline)).map_err(|e| e.to_string())
}
