//! What an adapter is and can do.

use std::fmt;

use super::caps::Caps;

/// What kind of hardware an adapter is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AdapterKind {
    /// A dedicated card.
    Discrete,
    /// Part of the CPU.
    Integrated,
    /// A virtual GPU in a virtual machine.
    Virtual,
    /// A CPU that executes shaders.
    Software,
    /// The driver does not say.
    Other,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Virtual => "virtual",
            AdapterKind::Software => "software",
            AdapterKind::Other => "other",
        })
    }
}

/// An adapter as [`Device::list`](crate::Device::list) and `convgpu devices` list it.
///
/// ```
/// use convgpu::{AdapterKind, Device};
///
/// // Best first: hardware comes before software adapters.
/// let adapters = Device::list();
/// let first_software = adapters.iter().position(|a| a.kind == AdapterKind::Software);
/// assert!(adapters.iter().skip(first_software.unwrap_or(adapters.len())).all(|a| a.kind >= AdapterKind::Software));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AdapterInfo {
    /// The driver's name for it.
    pub name: String,
    /// What kind of hardware it is.
    pub kind: AdapterKind,
    /// `Vulkan`, `Metal`, `Dx12`, `Gl` or `BrowserWebGpu`.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// Capabilities and limits.
    pub caps: Caps,
}

impl fmt::Display for AdapterInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.backend, self.driver)
    }
}

/// Mesa's `LP_MAX_TGSI_LOOP_ITERATIONS`, which llvmpipe counts down over all loops of an invocation.
const LLVMPIPE_ITERATIONS: u64 = 65_535;

pub(super) fn describe(info: wgpu::AdapterInfo, limits: &wgpu::Limits, features: wgpu::Features) -> AdapterInfo {
    let software = info.device_type == wgpu::DeviceType::Cpu;
    let fixed = info.subgroup_min_size == info.subgroup_max_size;
    let llvmpipe = info.name.contains("llvmpipe") || info.driver == "llvmpipe";
    AdapterInfo {
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
            wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
            wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
            wgpu::DeviceType::Cpu => AdapterKind::Software,
            wgpu::DeviceType::Other => AdapterKind::Other,
        },
        backend: format!("{:?}", info.backend),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        name: info.name,
        caps: Caps {
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            subgroup_size: (features.contains(wgpu::Features::SUBGROUP) && fixed).then_some(info.subgroup_min_size),
            f16: features.contains(wgpu::Features::SHADER_F16),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            compute_units: match info.device_type {
                wgpu::DeviceType::DiscreteGpu | wgpu::DeviceType::VirtualGpu => 128,
                wgpu::DeviceType::IntegratedGpu | wgpu::DeviceType::Other => 16,
                wgpu::DeviceType::Cpu => 4,
            },
            max_iterations: llvmpipe.then_some(LLVMPIPE_ITERATIONS),
            software,
        },
    }
}
