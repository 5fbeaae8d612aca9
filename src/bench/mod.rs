//! Times of layers with every kernel that can compute them. Each is checked against the reference first; all are timed
//! alternately.
//!
//! A [`Case`] is one operator with its inputs. [`measure`] runs every variant that the device has; a wrong one is
//! reported and not timed. Times are of the kernels alone (without conversions of layout) and of whole calls, upload
//! and readback included. Rates are compared with the [`Ceilings`] measured on the same device in the same run.
//!
//! ```no_run
//! use std::time::Duration;
//! use convgpu::Device;
//! use convgpu::bench::{DEFAULT_LAYERS, Effort, Layer, measure};
//!
//! let cases = Layer::read(DEFAULT_LAYERS)?.iter().map(Layer::case).collect::<Result<Vec<_>, _>>()?;
//! let effort = Effort::new(Duration::from_millis(200));
//! let report = measure(&|| Device::new(), &cases, &effort, &mut |name| eprintln!("{name}"))?;
//! println!("{report}");
//! # Ok::<(), convgpu::Error>(())
//! ```

pub(crate) mod case;
mod layers;
mod memory_bound;
pub(crate) mod open_device;
mod products;
pub(crate) mod race;
mod report;
pub(crate) mod roofline;
pub(crate) mod samples;
pub(crate) mod tune;
pub(crate) mod tuning_file;
pub(crate) mod whole;

pub use crate::gpu::clock::Clock;
pub use case::Case;
pub use layers::{DEFAULT_LAYERS, Layer, LayerKind};
pub use memory_bound::memory_bound;
pub use products::products;
pub use race::Effort;
pub use report::{CaseReport, Measured, Report, measure, measure_async};
pub use roofline::Ceilings;
pub use samples::Samples;
