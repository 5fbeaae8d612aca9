//! Whether an adapter computes what it should: every operator, with every kernel that the adapter has for it, on cases whose
//! right outputs are known. The result is a [`Ledger`].
//!
//! Cases have four sources: PyTorch's answers in float64; random values, and special ones such as NaN and infinities, against the
//! reference, all within derived bounds; and small integers, of which every sum is exact, with `==`. Each case runs in guarded memory that is filled with NaNs, with
//! every variant of its operator, in f32 and, where the adapter has it, f16. Then it runs again, and all bits must be the same.
//!
//! ```
//! use convgpu::Device;
//! use convgpu::conformance::{ConformanceOptions, conformance};
//!
//! let device = Device::new()?;
//! let ledger = conformance(&device, &ConformanceOptions::new().op("softmax").cases(2))?;
//! assert!(ledger.ok(), "{:?}", ledger.failures);
//! # Ok::<(), convgpu::Error>(())
//! ```

pub(crate) mod case;
pub(crate) mod check;
pub(crate) mod draw;
pub(crate) mod families;
mod faults;
mod ledger;
mod options;
pub(crate) mod pytorch;
pub(crate) mod run;

pub use case::{CaseId, Oracle};
pub use faults::{Check, Planted, PlantedKind, PlantedTable, faults};
pub use ledger::{Failure, Ledger, Row};
pub use options::ConformanceOptions;
pub use run::conformance;
