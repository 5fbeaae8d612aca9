//! Every pipeline that a plan for hardware may have, as SPIR-V.

use std::collections::BTreeMap;

use convgpu::Precision;
use convgpu::internals::gpu::pipelines::Shared;
use convgpu::internals::gpu::recording::{Access, Dispatch};
use convgpu::internals::plan::Plan;
use naga::ResourceBinding;
use naga::back::spv;
use naga::proc::BoundsCheckPolicies;
use naga::valid::{Capabilities, ValidationFlags, Validator};

use crate::samples;

/// A pipeline.
#[derive(Debug)]
pub struct Pipeline {
    /// The kernel with its sizes and its precision.
    pub kernel: String,
    pub spirv: Vec<u32>,
    /// The bindings of each group.
    pub groups: Vec<Vec<(u32, Access)>>,
}

impl Pipeline {
    /// The kernel as part of a file's name.
    pub fn file_name(&self) -> String {
        self.kernel.replace(['(', ')', ',', ' '], "_")
    }
}

/// The pipelines of every variant of every sample on every class of hardware, each once.
pub fn all() -> Result<Vec<Pipeline>, String> {
    let mut found: BTreeMap<(String, Vec<u32>), _> = BTreeMap::new();
    let mut failed = None;
    let mut visit = |class: &'static str, plan: &Plan| {
        let all = if class.starts_with("hardware") { Shared::of(&plan.recording) } else { vec![] };
        for shared in all {
            match pipeline(shared.any()) {
                Ok(Pipeline { kernel, spirv, groups }) => drop(found.insert((kernel, spirv), groups)),
                Err(e) => failed = Some(e),
            }
        }
    };
    samples::plans(&mut visit);
    let pipeline = |((kernel, spirv), groups)| Pipeline { kernel, spirv, groups };
    failed.map_or_else(|| Ok(found.into_iter().map(pipeline).collect()), Err)
}

fn pipeline(d: &Dispatch) -> Result<Pipeline, String> {
    let groups = d.layout();
    let sizes: Vec<_> = d.consts().iter().map(|(_, value)| value.to_string()).collect();
    let sizes = if sizes.is_empty() { String::new() } else { format!("({})", sizes.join(",")) };
    let precision = if d.precision() == Precision::F16 { " f16" } else { "" };
    let kernel = format!("{}{sizes}{precision}", d.kernel());
    let spirv = spirv(d, &groups).map_err(|e| format!("{kernel}: {e}"))?;
    Ok(Pipeline { kernel, spirv, groups })
}

/// As wgpu-hal 30 has naga write it, without run-time checks.
fn spirv(d: &Dispatch, groups: &[Vec<(u32, Access)>]) -> Result<Vec<u32>, String> {
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
            .flat_map(|(group, bindings)| bindings.iter().map(move |(k, _)| binding(group, *k)))
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
