//! Pipelines compiled by a Vulkan driver, and what it says of them (`VK_KHR_pipeline_executable_properties`).

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};

use ash::{khr, vk};
use convgpu::internals::gpu::recording::Access;

use crate::pipelines::Pipeline;

/// An open device. It lives until the process ends.
pub struct Device {
    _entry: ash::Entry,
    _instance: ash::Instance,
    device: ash::Device,
    executables: khr::pipeline_executable_properties::Device,
    name: String,
}

/// What the driver says of a pipeline.
#[derive(Debug)]
pub struct Compiled {
    /// The driver's numbers by their names.
    pub statistics: BTreeMap<String, u64>,
    /// The assembly.
    pub assembly: String,
}

impl Device {
    /// Opens the first device of the environment's driver, with the features that wgpu asks for.
    pub fn open() -> Result<Device, String> {
        // SAFETY: Vulkan is called as its specification says; every structure outlives the call that it is given to.
        unsafe { open() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Compiles a pipeline.
    pub fn compile(&self, pipeline: &Pipeline) -> Result<Compiled, String> {
        // SAFETY: as above; the SPIR-V is that of a validated module.
        unsafe { self.compiled(pipeline) }.map_err(|e| format!("{}: {e}", pipeline.kernel))
    }

    unsafe fn compiled(&self, pipeline: &Pipeline) -> Result<Compiled, vk::Result> {
        let device = &self.device;
        let sets = pipeline.groups.iter().map(|group| unsafe { self.set(group) });
        let sets = sets.collect::<Result<Vec<_>, _>>()?;
        let layout = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
        let layout = unsafe { device.create_pipeline_layout(&layout, None) }?;
        let module = vk::ShaderModuleCreateInfo::default().code(&pipeline.spirv);
        let module = unsafe { device.create_shader_module(&module, None) }?;
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE)
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(c"main");
        let captured = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
            | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
        let create = vk::ComputePipelineCreateInfo::default().flags(captured).stage(stage).layout(layout);
        let made = unsafe { device.create_compute_pipelines(vk::PipelineCache::null(), &[create], None) };
        let made = made.map_err(|(_, e)| e)?[0];
        let of = vk::PipelineExecutableInfoKHR::default().pipeline(made);
        let statistics = unsafe { self.executables.get_pipeline_executable_statistics(&of) }?;
        let compiled = Compiled {
            statistics: statistics.iter().map(|s| (text(&s.name), number(s))).collect(),
            assembly: unsafe { self.assembly(&of) }?,
        };
        unsafe {
            device.destroy_pipeline(made, None);
            device.destroy_shader_module(module, None);
            device.destroy_pipeline_layout(layout, None);
            sets.iter().for_each(|&set| device.destroy_descriptor_set_layout(set, None));
        }
        Ok(compiled)
    }

    unsafe fn set(&self, group: &[(u32, Access)]) -> Result<vk::DescriptorSetLayout, vk::Result> {
        let binding = |&(k, access): &(u32, Access)| {
            let kind = match access {
                Access::Uniform => vk::DescriptorType::UNIFORM_BUFFER,
                Access::Read | Access::ReadWrite => vk::DescriptorType::STORAGE_BUFFER,
            };
            vk::DescriptorSetLayoutBinding::default()
                .binding(k)
                .descriptor_type(kind)
                .descriptor_count(1)
                .stage_flags(vk::ShaderStageFlags::COMPUTE)
        };
        let bindings: Vec<_> = group.iter().map(binding).collect();
        let create = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        unsafe { self.device.create_descriptor_set_layout(&create, None) }
    }

    /// The representation named assembly: the driver writes the sizes first, then the texts.
    unsafe fn assembly(&self, of: &vk::PipelineExecutableInfoKHR<'_>) -> Result<String, vk::Result> {
        let call = self.executables.fp().get_pipeline_executable_internal_representations_khr;
        let handle = self.device.handle();
        let mut all = unsafe { self.executables.get_pipeline_executable_internal_representations(of) }?;
        let mut texts: Vec<_> = all.iter().map(|one| vec![0u8; one.data_size + 1]).collect();
        for (one, text) in all.iter_mut().zip(&mut texts) {
            one.p_data = text.as_mut_ptr().cast();
        }
        let mut count = all.len() as u32;
        unsafe { call(handle, of, &mut count, all.as_mut_ptr()) }.result()?;
        let found = all.iter().position(|one| text(&one.name).to_lowercase().contains("assembly"));
        let bytes = found.map(|k| std::mem::take(&mut texts[k])).unwrap_or_default();
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
}

unsafe fn open() -> Result<Device, String> {
    let failed = |what: &'static str| move |e: vk::Result| format!("{what}: {e}");
    let entry = unsafe { ash::Entry::load() }.map_err(|e| format!("no Vulkan loader: {e}"))?;
    let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
    let create = vk::InstanceCreateInfo::default().application_info(&application);
    let instance = unsafe { entry.create_instance(&create, None) }.map_err(failed("the instance"))?;
    let devices = unsafe { instance.enumerate_physical_devices() }.map_err(failed("the devices"))?;
    let physical = *devices.first().ok_or("the driver lists no device")?;
    let name = text(&unsafe { instance.get_physical_device_properties(physical) }.device_name);
    let extension = khr::pipeline_executable_properties::NAME;
    let has = unsafe { instance.enumerate_device_extension_properties(physical) }.map_err(failed("its extensions"))?;
    if !has.iter().any(|e| e.extension_name_as_c_str() == Ok(extension)) {
        return Err(format!("{name} has no {}", extension.to_string_lossy()));
    }
    let mut executables = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default();
    let mut v13 = vk::PhysicalDeviceVulkan13Features::default();
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default();
    let mut v11 = vk::PhysicalDeviceVulkan11Features::default();
    let mut features = vk::PhysicalDeviceFeatures2::default()
        .push_next(&mut executables)
        .push_next(&mut v13)
        .push_next(&mut v12)
        .push_next(&mut v11);
    unsafe { instance.get_physical_device_features2(physical, &mut features) };
    let queue = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
    let names = [extension.as_ptr()];
    let create = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queue)
        .enabled_extension_names(&names)
        .push_next(&mut features);
    let device = unsafe { instance.create_device(physical, &create, None) }.map_err(failed("the device"))?;
    let executables = khr::pipeline_executable_properties::Device::new(&instance, &device);
    Ok(Device { _entry: entry, _instance: instance, device, executables, name })
}

/// A text of the driver's, which ends with 0.
fn text(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().map(|&c| c as u8).collect();
    CStr::from_bytes_until_nul(&bytes).unwrap_or_default().to_string_lossy().into_owned()
}

fn number(s: &vk::PipelineExecutableStatisticKHR<'_>) -> u64 {
    // SAFETY: the format says which member is set; those of 64 bits are integers.
    unsafe {
        match s.format {
            vk::PipelineExecutableStatisticFormatKHR::BOOL32 => s.value.b32.into(),
            vk::PipelineExecutableStatisticFormatKHR::FLOAT64 => s.value.f64 as u64,
            _ => s.value.u64,
        }
    }
}
