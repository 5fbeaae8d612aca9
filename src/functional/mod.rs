//! PyTorch's functional forms: each builds a small graph and runs it at once, compiled once per shape and device.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::graph::{Graph, ValueId};
use crate::ops::Op;
use crate::session::{CompileOptions, Session};

/// Compiled graphs kept for reuse, the oldest leaving first.
const KEPT_SESSIONS: usize = 256;

#[derive(Default)]
struct Kept {
    sessions: HashMap<String, Arc<Session>>,
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
    let found = KEPT.lock().unwrap_or_else(|e| e.into_inner()).sessions.get(&key).cloned();
    let session = match found {
        Some(session) => session,
        None => {
            let mut graph = Graph::new();
            let mut ids = vec![];
            for (k, t) in inputs.iter().enumerate() {
                ids.push(graph.input(k.to_string(), t.desc().clone())?);
            }
            for (k, id) in build(&mut graph, &ids)?.into_iter().enumerate() {
                graph.output(k.to_string(), id);
            }
            let session = Arc::new(Session::new(device, graph, &CompileOptions::default())?);
            keep(key, session.clone());
            session
        }
    };
    let names: Vec<_> = (0..inputs.len()).map(|k| k.to_string()).collect();
    let given: Vec<_> = names.iter().map(String::as_str).zip(inputs.iter().copied()).collect();
    session.run_device(&given)
}

fn keep(key: String, session: Arc<Session>) {
    let mut kept = KEPT.lock().unwrap_or_else(|e| e.into_inner());
    if kept.order.len() >= KEPT_SESSIONS
        && let Some(oldest) = kept.order.pop_front()
    {
        kept.sessions.remove(&oldest);
    }
    kept.order.push_back(key.clone());
    kept.sessions.insert(key, session);
}

/// Runs one operator.
pub(crate) fn run_op(op: impl Op + 'static, inputs: &[&DeviceTensor]) -> Result<Vec<DeviceTensor>> {
    let name = format!("{op:?}");
    run_graph(&name, inputs, |g, ids| g.add(op.name(), op, ids))
}

/// Runs one operator of one output.
pub(crate) fn run_one(op: impl Op + 'static, inputs: &[&DeviceTensor]) -> Result<DeviceTensor> {
    Ok(run_op(op, inputs)?.remove(0))
}
