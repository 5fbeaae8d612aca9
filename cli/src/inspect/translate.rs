//! A specialised kernel in the languages of the drivers, as wgpu-hal 30 has naga write it.
//!
//! What of its options depends on the device and is not visible here has one value, [`TARGETS`]. Names are left out of SPIR-V, as
//! in a release build.

use convgpu::internals::gpu::recording::Access;
use naga::back::{glsl, hlsl, msl, spv, wgsl};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ResourceBinding, ShaderStage};

use super::interface;
use crate::failure::one_line;

/// What each translation is for.
pub const TARGETS: [(&str, &str); 5] = [
    ("wgsl", "specialised"),
    ("spv", "SPIR-V 1.6, Vulkan 1.3 with robustBufferAccess2"),
    ("metal", "Metal 2.4"),
    ("hlsl", "shader model 5.1 (FXC) and later ones (DXC), which have one text"),
    ("glsl", "GLSL ES 3.10"),
];

const ENTRY: &str = "main";

/// A module with all that decides about its translations.
pub struct Source<'a> {
    pub module: &'a Module,
    /// The bindings of the layout in their order, also those that the module does not use.
    pub layout: &'a [(ResourceBinding, Access)],
    /// Whether the translator adds run-time checks.
    pub checked: bool,
    /// Whether it clears workgroup memory.
    pub cleared: bool,
}

/// The bytes of a file, or why there is none.
pub type Translation = Result<Vec<u8>, String>;

impl Source<'_> {
    /// Every translation, in the order of [`TARGETS`].
    ///
    /// # Errors
    /// The module is not valid.
    pub fn translations(&self) -> Result<[Translation; 5], String> {
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
        let info = validator.validate(self.module).map_err(|e| one_line(&format!("{:?}", e.into_inner())))?;
        let text = |text: Result<String, String>| text.map(String::into_bytes);
        let wgsl = wgsl::write_string(self.module, &info, wgsl::WriterFlags::empty()).map_err(|e| e.to_string());
        let all =
            [text(wgsl), self.spirv(&info), text(self.metal(&info)), text(self.hlsl(&info)), text(self.glsl(&info))];
        Ok(all.map(|one| one.map_err(|e| one_line(&e))))
    }

    /// The policy for what wgpu-hal checks with `checked`, if it does.
    fn policy(&self, checked: BoundsCheckPolicy) -> BoundsCheckPolicy {
        if self.checked { checked } else { BoundsCheckPolicy::Unchecked }
    }

    /// wgpu-hal, `vulkan/adapter.rs` and `vulkan/device.rs`.
    fn spirv(&self, info: &ModuleInfo) -> Translation {
        let place = |b: ResourceBinding| spv::BindingInfo {
            descriptor_set: b.group,
            binding: b.binding,
            binding_array_size: None,
        };
        let options = spv::Options {
            lang_version: (1, 6),
            flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
            fake_missing_bindings: false,
            binding_map: self.layout.iter().map(|&(binding, _)| (binding, place(binding))).collect(),
            bounds_check_policies: BoundsCheckPolicies {
                index: self.policy(BoundsCheckPolicy::Restrict),
                ..BoundsCheckPolicies::default() // unchecked: the device does it
            },
            zero_initialize_workgroup_memory: match self.cleared {
                true => spv::ZeroInitializeWorkgroupMemoryMode::Native,
                false => spv::ZeroInitializeWorkgroupMemoryMode::None,
            },
            force_loop_bounding: self.checked,
            emit_int_div_checks: self.checked,
            // A device may have it; all that would change is one capability of kernels in f16.
            use_storage_input_output_16: false,
            ..spv::Options::default()
        };
        let pipeline = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: ENTRY.to_owned() };
        let words = spv::write_vec(self.module, info, &options, Some(&pipeline)).map_err(|e| e.to_string())?;
        Ok(words.into_iter().flat_map(u32::to_le_bytes).collect())
    }

    /// The bindings of the layout, each with the number of those before it that are of the same kind.
    fn numbered<K: PartialEq>(
        &self,
        kind: impl Fn(Access) -> K,
    ) -> impl Iterator<Item = (ResourceBinding, Access, u32)> {
        (0..self.layout.len()).map(move |k| {
            let (binding, access) = self.layout[k];
            let before = self.layout[..k].iter().filter(|(_, other)| kind(*other) == kind(access)).count();
            (binding, access, before as u32)
        })
    }

    /// wgpu-hal, `metal/device.rs`: buffers are numbered over all groups, and their sizes come behind them.
    fn metal(&self, info: &ModuleInfo) -> Result<String, String> {
        let target = |(binding, access, slot)| {
            let mutable = access == Access::ReadWrite;
            (binding, msl::BindTarget { buffer: Some(slot as msl::Slot), mutable, ..msl::BindTarget::default() })
        };
        let resources = msl::EntryPointResources {
            resources: self.numbered(|_| ()).map(target).collect(),
            immediates_buffer: None,
            sizes_buffer: Some(self.layout.len() as msl::Slot),
        };
        let policy = self.policy(BoundsCheckPolicy::Restrict);
        let options = msl::Options {
            lang_version: (2, 4),
            per_entry_point_map: [(ENTRY.to_owned(), resources)].into(),
            fake_missing_bindings: false,
            bounds_check_policies: BoundsCheckPolicies {
                index: policy,
                buffer: policy,
                image_load: policy,
                binding_array: BoundsCheckPolicy::Unchecked,
            },
            zero_initialize_workgroup_memory: self.cleared,
            force_loop_bounding: self.checked,
            emit_int_div_checks: self.checked,
            ..msl::Options::default()
        };
        let entry_point = Some((ShaderStage::Compute, ENTRY.to_owned()));
        let pipeline = msl::PipelineOptions { entry_point, ..msl::PipelineOptions::default() };
        msl::write_string(self.module, info, &options, &pipeline).map(|(text, _)| text).map_err(|e| e.to_string())
    }

    /// wgpu-hal, `dx12/device.rs`: registers are numbered by their kinds over all groups. Only packed dot
    /// products, which no kernel has, depend on the shader model.
    fn hlsl(&self, info: &ModuleInfo) -> Result<String, String> {
        let target = |register| hlsl::BindTarget { register, ..hlsl::BindTarget::default() };
        let uniforms = self.layout.iter().filter(|(_, access)| *access == Access::Uniform).count();
        let options = hlsl::Options {
            shader_model: hlsl::ShaderModel::V6_2,
            binding_map: self.numbered(|access| access).map(|(binding, _, k)| (binding, target(k))).collect(),
            fake_missing_bindings: false,
            // The numbers of workgroups, behind the uniform buffers.
            special_constants_binding: Some(target(uniforms as u32)),
            zero_initialize_workgroup_memory: self.cleared,
            restrict_indexing: self.checked,
            force_loop_bounding: self.checked,
            ..hlsl::Options::default()
        };
        let pipeline = hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, ENTRY.to_owned())) };
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &options, &pipeline).write(self.module, info, None).map_err(|e| e.to_string())?;
        Ok(text)
    }

    /// wgpu-hal, `gles/device.rs`: uniform and storage buffers are numbered over all groups; nothing is checked.
    fn glsl(&self, info: &ModuleInfo) -> Result<String, String> {
        if interface::needs(self.module).contains(&"subgroups") {
            return Err("wgpu has no subgroups on GL, although naga would write them".to_owned());
        }
        let numbered = self.numbered(|access| access == Access::Uniform);
        let options = glsl::Options {
            version: glsl::Version::new_gles(310),
            writer_flags: glsl::WriterFlags::ADJUST_COORDINATE_SPACE | glsl::WriterFlags::FORCE_POINT_SIZE,
            binding_map: numbered.map(|(binding, _, k)| (binding, k as u8)).collect(),
            zero_initialize_workgroup_memory: self.cleared,
        };
        let pipeline = glsl::PipelineOptions {
            shader_stage: ShaderStage::Compute,
            entry_point: ENTRY.to_owned(),
            multiview: None,
        };
        let mut text = String::new();
        let unchecked = BoundsCheckPolicies::default();
        let writer = glsl::Writer::new(&mut text, self.module, info, &options, &pipeline, unchecked);
        writer.and_then(|mut writer| writer.write()).map_err(|e| e.to_string())?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_numbered_as_wgpu_numbers_them() {
        use Access::{Read, ReadWrite, Uniform};
        let at = |group, binding| ResourceBinding { group, binding };
        let layout =
            [(at(0, 0), Uniform), (at(0, 1), Read), (at(0, 2), ReadWrite), (at(1, 0), Uniform), (at(1, 1), Read)];
        let module = Module::default();
        let source = Source { module: &module, layout: &layout, checked: false, cleared: false };
        let numbers = |found: &mut dyn Iterator<Item = (ResourceBinding, Access, u32)>| -> Vec<u32> {
            found.map(|(_, _, number)| number).collect()
        };
        assert_eq!(numbers(&mut source.numbered(|_| ())), [0, 1, 2, 3, 4], "Metal");
        assert_eq!(numbers(&mut source.numbered(|access| access)), [0, 0, 0, 1, 1], "HLSL");
        assert_eq!(numbers(&mut source.numbered(|access| access == Uniform)), [0, 0, 1, 1, 2], "GLSL");
    }
}
