//! What an adapter is and can do.

use std::fmt;

use super::caps::{Caps, SUBMIT_SECONDS};
use super::class::Class;
use super::refused::Refused;

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
    /// Hardware of which the driver does not say more: every GPU in a browser, many by GL.
    Other,
    /// A CPU that executes shaders.
    Software,
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Virtual => "virtual",
            AdapterKind::Other => "other",
            AdapterKind::Software => "software",
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
/// assert!(adapters.iter().skip(first_software.unwrap_or(adapters.len())).all(|a| a.kind == AdapterKind::Software));
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

impl AdapterInfo {
    /// What its user should know before relying on it, if anything: on Direct3D 12 that shaders are probably compiled by FXC,
    /// which knows neither subgroups nor f16, since dxcompiler.dll was not found.
    pub fn warning(&self) -> Option<&'static str> {
        let fxc = self.backend == "Dx12" && !self.caps.software && !self.caps.f16 && self.caps.subgroup_size.is_none();
        fxc.then_some(
            "Direct3D 12 without f16 and subgroups: dxcompiler.dll was probably not found, and FXC compiles the shaders; \
             put that file beside the program, build with the feature static-dxc, or use Vulkan (--device vulkan)",
        )
    }
}

impl fmt::Display for AdapterInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.backend, self.driver)
    }
}

/// Mesa's `LP_MAX_TGSI_LOOP_ITERATIONS`, which llvmpipe counts down over all loops of an invocation.
const LLVMPIPE_ITERATIONS: u64 = 65_535;

/// Parts of the names, in lower case, of software adapters that GL reports as unknown hardware. wgpu knows llvmpipe, SwiftShader
/// and Mesa's off-screen one.
const SOFTWARE: [&str; 5] =
    ["softpipe", "software rasterizer", "apple software renderer", "microsoft basic render", "gdi generic"];

fn kind(info: &wgpu::AdapterInfo) -> AdapterKind {
    let name = info.name.to_lowercase();
    match info.device_type {
        _ if SOFTWARE.iter().any(|part| name.contains(part)) => AdapterKind::Software,
        wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
        wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
        wgpu::DeviceType::Other => AdapterKind::Other,
        wgpu::DeviceType::Cpu => AdapterKind::Software,
    }
}

pub(super) fn describe(info: wgpu::AdapterInfo, limits: &wgpu::Limits, features: wgpu::Features) -> AdapterInfo {
    let kind = kind(&info);
    let fixed = info.subgroup_min_size == info.subgroup_max_size;
    let llvmpipe = info.name.contains("llvmpipe") || info.driver == "llvmpipe";
    AdapterInfo {
        kind,
        backend: format!("{:?}", info.backend),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        caps: Caps {
            class: Class::of(info.vendor, &info.name, info.subgroup_min_size),
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            subgroup_size: (features.contains(wgpu::Features::SUBGROUP) && fixed).then_some(info.subgroup_min_size),
            f16: features.contains(wgpu::Features::SHADER_F16),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            compute_units: match kind {
                AdapterKind::Discrete | AdapterKind::Virtual => 128,
                AdapterKind::Other => 48,
                AdapterKind::Integrated => 16,
                AdapterKind::Software => 4,
            },
            least_units: match kind {
                AdapterKind::Discrete | AdapterKind::Virtual => 128,
                AdapterKind::Integrated | AdapterKind::Other => 16,
                AdapterKind::Software => 4,
            },
            submit_seconds: (kind != AdapterKind::Software).then_some(SUBMIT_SECONDS),
            max_iterations: llvmpipe.then_some(LLVMPIPE_ITERATIONS),
            software: kind == AdapterKind::Software,
            refused: Refused::default(),
        },
        name: info.name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(of: wgpu::DeviceType, backend: wgpu::Backend, name: &str, features: wgpu::Features) -> AdapterInfo {
        let info = wgpu::AdapterInfo { name: name.to_owned(), ..wgpu::AdapterInfo::new(of, backend) };
        describe(info, &wgpu::Limits::default(), features)
    }

    #[test]
    fn software_that_gl_takes_for_hardware_is_known_by_its_name() {
        let gl = |name| adapter(wgpu::DeviceType::Other, wgpu::Backend::Gl, name, wgpu::Features::empty());
        for name in ["softpipe", "Software Rasterizer", "GDI Generic", "Apple Software Renderer"] {
            let found = gl(name);
            assert_eq!((found.kind, found.caps.software), (AdapterKind::Software, true), "{name}");
        }
        let found = gl("AMD Radeon RX 6800 (radeonsi, navi21, LLVM 15.0.6)");
        assert_eq!((found.kind, found.caps.software, found.caps.class), (AdapterKind::Other, false, Class::Rdna2));
    }

    #[test]
    fn only_fxc_is_worth_a_warning() {
        let none = wgpu::Features::empty();
        let of = |backend, features| adapter(wgpu::DeviceType::DiscreteGpu, backend, "GeForce", features).warning();
        assert!(of(wgpu::Backend::Dx12, none).is_some_and(|text| text.contains("dxcompiler.dll")));
        assert_eq!(of(wgpu::Backend::Dx12, wgpu::Features::SHADER_F16), None);
        assert_eq!(of(wgpu::Backend::Vulkan, none), None);
        let warp = adapter(wgpu::DeviceType::Cpu, wgpu::Backend::Dx12, "Microsoft Basic Render Driver", none);
        assert_eq!(warp.warning(), None);
    }

    #[test]
    fn only_hardware_has_a_watchdog() {
        use wgpu::{Backend, DeviceType};
        let of = |kind| {
            let info = wgpu::AdapterInfo::new(kind, Backend::Vulkan);
            describe(info, &wgpu::Limits::default(), wgpu::Features::empty()).caps
        };
        assert_eq!(of(DeviceType::Cpu).submit_seconds, None);
        for kind in [DeviceType::DiscreteGpu, DeviceType::IntegratedGpu, DeviceType::VirtualGpu, DeviceType::Other] {
            assert_eq!(of(kind).submit_seconds, Some(SUBMIT_SECONDS));
        }
        assert!(of(DeviceType::Other).least_units <= of(DeviceType::IntegratedGpu).least_units);
    }

    /// Tiles for hardware of which the driver does not say more are between those of a processor's GPU and of a card.
    #[test]
    fn compute_units_are_guessed_by_the_kind() {
        use wgpu::{Backend, DeviceType};
        let units = |kind| {
            let info = wgpu::AdapterInfo::new(kind, Backend::BrowserWebGpu);
            describe(info, &wgpu::Limits::default(), wgpu::Features::empty()).caps.compute_units
        };
        let kinds = [DeviceType::IntegratedGpu, DeviceType::Other, DeviceType::DiscreteGpu, DeviceType::VirtualGpu];
        assert_eq!(kinds.map(units), [16, 48, 128, 128]);
    }
}
