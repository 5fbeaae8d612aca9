//! The capabilities of a device as plain data: all that the choice of kernels may depend on.

use std::fmt;

use super::class::Class;
use super::refused::Refused;

/// Capabilities and limits that kernels and plans are chosen by.
///
/// ```
/// use convgpu::Device;
///
/// for adapter in Device::list() {
///     println!("{adapter}: {}", adapter.caps);
///     assert!(adapter.caps.max_binding_bytes <= adapter.caps.max_buffer_bytes);
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Caps {
    /// The family of the GPU.
    pub class: Class,
    /// Largest storage binding, in bytes: no tensor on the device may exceed it.
    pub max_binding_bytes: u64,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Most invocations in a workgroup.
    pub max_invocations: u32,
    /// Bytes of workgroup memory; 0 where kernels shall not use it.
    pub max_workgroup_bytes: u32,
    /// The subgroup size, where it is one fixed number and subgroup operations are available.
    pub subgroup_size: Option<u32>,
    /// Whether shaders may compute in f16.
    pub f16: bool,
    /// Whether the device can time its own passes.
    pub timestamps: bool,
    /// Compute units (multiprocessors, cores), each with its own workgroup memory. No API reports their number, so it
    /// is assumed from the kind of adapter. The assumption is high rather than low, since an idle unit costs more than
    /// a unit with small tiles.
    pub compute_units: u32,
    /// The fewest compute units that the adapter is taken to have where too high a number does harm: in the estimate of how
    /// long a submission takes.
    pub least_units: u32,
    /// The most seconds of work, by estimate, in one submission: drivers of hardware stop one that takes too long, and with it
    /// the device. `None` on software adapters.
    pub submit_seconds: Option<f64>,
    /// The most iterations that the loops of one invocation may take together, if there is a limit. Beyond it the
    /// adapter exits the loops without an error, and the results are wrong.
    pub max_iterations: Option<u64>,
    /// Whether it is a software adapter: lanes are SIMD lanes of a CPU, and workgroup memory is not faster than other memory.
    pub software: bool,
    /// What the driver failed to compile before the device was opened, in this process.
    pub(crate) refused: Refused,
}

/// The limit of a submission on hardware: watchdogs wait for two seconds or more, and estimates are rough.
pub(super) const SUBMIT_SECONDS: f64 = 0.25;

impl Caps {
    /// Whether the loops of one invocation may take this many iterations together.
    pub fn has_iterations(&self, iterations: u64) -> bool {
        self.max_iterations.is_none_or(|most| iterations <= most)
    }
    /// WebGPU's default limits without optional features: every operator has a kernel that works within them.
    pub fn webgpu_default() -> Caps {
        Caps {
            class: Class::Unknown,
            max_binding_bytes: 128 << 20,
            max_buffer_bytes: 256 << 20,
            max_invocations: 256,
            max_workgroup_bytes: 16 << 10,
            subgroup_size: None,
            f16: false,
            timestamps: false,
            compute_units: 16,
            least_units: 16,
            submit_seconds: Some(SUBMIT_SECONDS),
            max_iterations: None,
            software: false,
            refused: Refused::default(),
        }
    }
}

impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.class != Class::Unknown {
            write!(f, "{}, ", self.class)?;
        }
        if self.f16 {
            f.write_str("f16, ")?;
        }
        if let Some(size) = self.subgroup_size {
            write!(f, "subgroups of {size}, ")?;
        }
        if self.timestamps {
            f.write_str("timestamps, ")?;
        }
        write!(
            f,
            "bindings of {} MiB, workgroups of {} invocations and {} KiB",
            self.max_binding_bytes >> 20,
            self.max_invocations,
            self.max_workgroup_bytes >> 10
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_is_shown() {
        let base = Caps::webgpu_default();
        assert_eq!(base.to_string(), "bindings of 128 MiB, workgroups of 256 invocations and 16 KiB");
        let more = Caps { class: Class::Rdna3, f16: true, subgroup_size: Some(8), timestamps: true, ..base };
        assert!(more.to_string().starts_with("rdna3, f16, subgroups of 8, timestamps, bindings of"), "{more}");
    }
}
