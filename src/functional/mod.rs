//! PyTorch's functional forms: each builds a small graph and runs it at once, compiled once per shape and device.

mod conv;
mod elementwise;
mod norm;
mod pool;
mod resample;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::graph::{Graph, ValueId};
use crate::session::{CompileOptions, Compiled};

pub use conv::*;
pub use elementwise::*;
pub use norm::*;
pub use pool::*;
pub use resample::*;

/// Compiled graphs kept for reuse, the oldest leaving first.
const KEPT_SESSIONS: usize = 256;

#[derive(Default)]
struct Kept {
    sessions: HashMap<String, Arc<Compiled>>,
    order: std::collections::VecDeque<String>,
}

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

/// Runs the graph that `build` makes of `inputs`. `name` and the inputs' descriptions identify the graph: `name` must
/// hold every attribute that `build` depends on.
pub(crate) fn run_graph(
    name: &str,
    inputs: &[&DeviceTensor],
    build: impl FnOnce(&mut Graph, &[ValueId]) -> Result<Vec<ValueId>>,
) -> Result<Vec<DeviceTensor>> {
    let Some(first) = inputs.first() else { return Err(Error::argument(format!("{name} has no inputs"))) };
    let device: &Device = first.device();
    let descs: Vec<_> = inputs.iter().map(|t| t.desc().to_string()).collect();
    let key = format!("{}|{name}|{}", device.identity(), descs.join(","));
    let session = cached(key, || {
        let mut graph = Graph::new();
        let mut ids = vec![];
        for (k, t) in inputs.iter().enumerate() {
            ids.push(graph.input(k.to_string(), t.desc().clone())?);
        }
        for (k, id) in build(&mut graph, &ids)?.into_iter().enumerate() {
            graph.output(k.to_string(), id);
        }
        Compiled::new(device, graph, &CompileOptions::default())
    })?;
    let names: Vec<_> = (0..inputs.len()).map(|k| k.to_string()).collect();
    let given: Vec<_> = names.iter().map(String::as_str).zip(inputs.iter().copied()).collect();
    session.run_device(&given)
}

/// The session of this key, made now if it is not kept.
pub(crate) fn cached(key: String, make: impl FnOnce() -> Result<Compiled>) -> Result<Arc<Compiled>> {
    let lock = || KEPT.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(session) = lock().sessions.get(&key) {
        return Ok(session.clone());
    }
    let session = Arc::new(make()?);
    let mut kept = lock();
    if kept.order.len() >= KEPT_SESSIONS
        && let Some(oldest) = kept.order.pop_front()
    {
        kept.sessions.remove(&oldest);
    }
    kept.order.push_back(key.clone());
    kept.sessions.insert(key, session.clone());
    Ok(session)
}

/// Forgets every compiled graph that `functional` and `Module::forward` keep, and frees their memory on the device.
pub fn clear_cache() {
    *KEPT.lock().unwrap_or_else(|e| e.into_inner()) = Kept::default();
}

/// As [`run_graph`], of one output.
pub(crate) fn run_named(
    name: &str,
    inputs: &[&DeviceTensor],
    build: impl FnOnce(&mut Graph, &[ValueId]) -> Result<ValueId>,
) -> Result<DeviceTensor> {
    Ok(run_graph(name, inputs, |g, ids| Ok(vec![build(g, ids)?]))?.remove(0))
}
