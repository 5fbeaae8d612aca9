//! What tells pipelines apart, and those that a device has.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use super::kernel::Grid;
use super::recording::Dispatch;
use crate::shape::Precision;

/// The key of a pipeline: dispatches with equal keys share it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct PipelineKey {
    /// A name of this crate stands for one text; programs may give one name to several.
    kernel: (&'static str, &'static str),
    overrides: Vec<(&'static str, u64)>,
    consts: Vec<(&'static str, u32)>,
    precision: Precision,
    sums: bool,
    grid: Grid,
    /// Whether the shader keeps its run-time checks.
    checked: bool,
    /// The numbers of read-only and read-write bindings, and whether there is an epilogue: they determine the layout.
    bindings: (usize, usize, bool),
}

impl PipelineKey {
    pub fn of(d: &Dispatch) -> PipelineKey {
        PipelineKey {
            kernel: (d.kernel.name, d.kernel.source),
            overrides: d.overrides.iter().map(|&(name, value)| (name, value.to_bits())).collect(),
            consts: d.consts.clone(),
            precision: d.precision,
            sums: d.sums,
            grid: d.grid(),
            checked: d.checked,
            bindings: (d.reads.len(), d.writes.len(), d.epilogue.is_some()),
        }
    }
}

/// Pipelines by their keys.
pub(super) type Pipelines = HashMap<PipelineKey, wgpu::ComputePipeline>;

/// The pipelines of a device; each is compiled once.
#[derive(Default)]
pub(crate) struct PipelineCache(Mutex<Pipelines>);

impl PipelineCache {
    pub(super) fn lock(&self) -> MutexGuard<'_, Pipelines> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}
