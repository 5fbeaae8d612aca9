//! The call that runs one case again.

use convgpu::DeviceChoice;
use convgpu::conformance::CaseId;
use convgpu::internals::device::avoids_workgroup_memory;

use super::Args;

/// What a call says that changes what a case runs: the device, variables and options.
pub struct Call {
    before: String,
    after: String,
}

impl Call {
    /// A call like this one, on one of its devices.
    pub fn new(choice: &DeviceChoice, args: &Args) -> Call {
        let variable = |name: &str| Some(format!("{name}={} ", std::env::var(name).ok().filter(|v| !v.is_empty())?));
        let variables: String = crate::VARIABLES.iter().filter_map(|(name, _)| variable(name)).collect();
        let device = format!(" --device {}", quoted(&choice.to_string()));
        let avoid = if avoids_workgroup_memory() { " --avoid-workgroup-memory" } else { "" };
        let replays = args.replays.map_or(String::new(), |replays| format!(" --replays {replays}"));
        Call {
            before: format!("{variables}convgpu conformance{device}{avoid}"),
            after: format!("--seed {}{replays}", args.seed),
        }
    }

    /// For a shell.
    pub fn again(&self, case: &CaseId) -> String {
        format!("{} --case {case} {}", self.before, self.after)
    }
}

/// A word of a shell.
fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if name.chars().all(is_plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', "'\\''")) }
}
