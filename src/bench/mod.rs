//! Measuring kernels: every layer through every kernel that can compute it, checked first, then timed in turn.
//!
//! Times are of the kernels alone (layout conversions left out, [`crate::gpu::profile::Clock`] says by which clock)
//! and of whole calls, upload and readback included. Shares are of ceilings measured on the same device in the same run.

mod case;
mod layers;
mod memory_bound;
mod products;
mod race;
mod report;
mod roofline;
mod samples;
mod tune;
mod tuning_file;

pub use case::Case;
pub use layers::{DEFAULT_LAYERS, Kind, Layer};
pub use memory_bound::memory_bound;
pub use products::products;
pub use race::{Contestant, Effort, HOPELESS, race};
pub use report::{CaseReport, Measured, Report, measure};
pub use roofline::{Ceilings, Copy, FmaChain};
pub use samples::Samples;
pub use tune::{Tuned, tune};
pub use tuning_file::{load, path, save};
