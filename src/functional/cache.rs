//! The cache of compiled graphs that `functional` and `Module::forward` share.
//!
//! The key of a compiled graph is made of the graph itself: its operators with all attributes, its inputs, outputs and
//! constants. So no function can leave an option out of the key.

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Write};
use std::hash::Hasher;
use std::sync::{Arc, LazyLock, Mutex};

use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::graph::{Graph, ValueId};
use crate::session::{CompileOptions, Compiled};
use crate::tensor::Tensor;

/// The most compiled graphs kept; the oldest is dropped first.
const KEPT_SESSIONS: usize = 256;

#[derive(Default)]
struct Kept {
    sessions: HashMap<String, Arc<Compiled>>,
    order: VecDeque<String>,
}

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

/// The numbers of constants' contents, by the address of their elements.
pub(crate) type Numbers = HashMap<usize, u64>;

/// A hash of 128 bits of a tensor's elements.
fn hash(tensor: &Tensor) -> [u64; 2] {
    [0u8, 1].map(|salt| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(tensor.data().bytes());
        hasher.finish()
    })
}

/// The key of a graph: everything that distinguishes it, except the names of nodes.
fn key(device: &Device, graph: &Graph, numbers: &Numbers) -> String {
    let mut key = format!("{}", device.identity());
    let mut add = |text: fmt::Arguments<'_>| key.write_fmt(text).expect("writing to a string cannot fail");
    for (id, (name, desc)) in graph.inputs.iter().zip(graph.inputs()) {
        add(format_args!("|{}<{name:?}{desc}", id.0));
    }
    for (id, value) in graph.values.iter().enumerate() {
        let Some(tensor) = &value.constant else { continue };
        match numbers.get(&tensor.data().address()) {
            Some(number) => add(format_args!("|{id}#{number}{}", value.desc)),
            None => add(format_args!("|{id}={:x?}{}", hash(tensor), value.desc)),
        }
    }
    let ids = |ids: &[ValueId]| ids.iter().map(|id| id.0).collect::<Vec<_>>();
    for node in &graph.nodes {
        add(format_args!("|{:?}{:?}{:?}{:?}", ids(&node.outputs), node.op, ids(&node.inputs), node.epilogue));
    }
    for (name, id) in &graph.outputs {
        add(format_args!("|{}>{name:?}", id.0));
    }
    key
}

/// Whether the key identifies the graph. The `Debug` text of an own operator may not describe what it computes.
fn is_known_by_key(graph: &Graph) -> bool {
    graph.nodes.iter().all(|node| node.op.is_built_in())
}

/// A compiled graph and its inputs.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The graph.
    pub compiled: Arc<Compiled>,
    /// Its inputs by name.
    pub inputs: Vec<(String, DeviceTensor)>,
}

thread_local! {
    /// The graphs that this thread's calls ran, while `traced` collects them.
    static TRACE: RefCell<Option<Vec<Traced>>> = const { RefCell::new(None) };
}

/// The result of `f`, and the compiled graphs that its calls of `functional` and `Module::forward` ran.
pub fn traced<R>(f: impl FnOnce() -> R) -> (R, Vec<Traced>) {
    let before = TRACE.replace(Some(vec![]));
    let out = f();
    (out, TRACE.replace(before).unwrap_or_default())
}

/// Runs a graph, and compiles it first if it is not in the cache. Constants with a number in `numbers` are identified
/// by it, others by a hash of their elements.
pub(crate) fn run_kept(
    device: &Device,
    graph: Graph,
    numbers: &Numbers,
    inputs: Vec<(String, DeviceTensor)>,
) -> Result<Vec<DeviceTensor>> {
    let compiled = compiled(device, graph, numbers)?;
    let given: Vec<_> = inputs.iter().map(|(name, t)| (name.as_str(), t)).collect();
    let outputs = compiled.run_device(&given)?;
    TRACE.with_borrow_mut(|trace| {
        trace.iter_mut().for_each(|t| t.push(Traced { compiled: compiled.clone(), inputs: inputs.clone() }))
    });
    Ok(outputs)
}

fn compiled(device: &Device, graph: Graph, numbers: &Numbers) -> Result<Arc<Compiled>> {
    if !is_known_by_key(&graph) {
        return Ok(Arc::new(Compiled::new(device, graph, &CompileOptions::default())?));
    }
    let key = key(device, &graph, numbers);
    let lock = || KEPT.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(session) = lock().sessions.get(&key) {
        return Ok(session.clone());
    }
    let session = Arc::new(Compiled::new(device, graph, &CompileOptions::default())?);
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

/// Drops every compiled graph that `functional` and [`Module::forward`](crate::nn::Module::forward) keep, and frees
/// their memory on the devices.
pub fn clear_cache() {
    *KEPT.lock().unwrap_or_else(|e| e.into_inner()) = Kept::default();
}

/// Runs the graph that `build` makes of `inputs`.
pub(super) fn run_all(
    inputs: &[&DeviceTensor],
    build: impl FnOnce(&mut Graph, &[ValueId]) -> Result<Vec<ValueId>>,
) -> Result<Vec<DeviceTensor>> {
    let Some(first) = inputs.first() else { return Err(Error::argument("there is no input tensor")) };
    let inputs: Vec<_> = inputs.iter().enumerate().map(|(k, &t)| (k.to_string(), t.clone())).collect();
    let mut graph = Graph::new();
    let mut ids = vec![];
    for (name, t) in &inputs {
        ids.push(graph.input(name, t.desc().clone())?);
    }
    for (k, id) in build(&mut graph, &ids)?.into_iter().enumerate() {
        graph.output(k.to_string(), id);
    }
    run_kept(first.device(), graph, &Numbers::new(), inputs)
}

/// As [`run_all`], of one output.
pub(super) fn run(
    inputs: &[&DeviceTensor],
    build: impl FnOnce(&mut Graph, &[ValueId]) -> Result<ValueId>,
) -> Result<DeviceTensor> {
    Ok(run_all(inputs, |g, ids| Ok(vec![build(g, ids)?]))?.remove(0))
}

/// Inputs, some of which may be absent.
pub(super) struct Given<'a> {
    pub tensors: Vec<&'a DeviceTensor>,
    present: Vec<bool>,
}

impl<'a> Given<'a> {
    pub fn new(all: &[Option<&'a DeviceTensor>]) -> Given<'a> {
        Given { tensors: all.iter().flatten().copied().collect(), present: all.iter().map(Option::is_some).collect() }
    }
    /// The value of every input, in the order given.
    pub fn values(&self, ids: &[ValueId]) -> Vec<Option<ValueId>> {
        let mut ids = ids.iter().copied();
        self.present.iter().map(|&present| if present { ids.next() } else { None }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::{Activation, Conv2dOptions};
    use crate::shape::Desc;

    fn key_of(build: impl FnOnce(&mut Graph, ValueId) -> Result<ValueId>) -> String {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([1, 2, 5, 5])).unwrap();
        let y = build(&mut g, x).unwrap();
        g.output("y", y);
        key(&Device::cpu(), &g, &Numbers::new())
    }

    /// Every option and every element of a constant changes the key; equal graphs have equal keys.
    #[test]
    fn a_key_holds_every_attribute() {
        let conv = |o: Conv2dOptions, weight: f32| {
            key_of(|g, x| {
                let w = g.constant("w", Tensor::full([2, 2, 3, 3], weight))?;
                g.conv2d(x, w, None, o)
            })
        };
        let grouped = |groups| {
            key_of(|g, x| {
                let w = g.constant("w", Tensor::full([2, 2 / groups, 3, 3], 1.0))?;
                g.conv2d(x, w, None, Conv2dOptions::new().groups(groups))
            })
        };
        let plain = Conv2dOptions::new();
        let mut keys = vec![
            conv(plain, 1.0),
            conv(plain, 1.0 + f32::EPSILON),
            conv(plain.stride([1, 2]), 1.0),
            conv(plain.padding([0, 0, 0, 1]), 1.0),
            conv(plain.dilation([2, 1]), 1.0),
            grouped(2),
            key_of(|g, x| g.activation(x, Activation::Elu { alpha: 1.0 })),
            key_of(|g, x| g.activation(x, Activation::Elu { alpha: 1.0 + f32::EPSILON })),
            key_of(|g, x| g.sum(x, &[1], false)),
            key_of(|g, x| g.sum(x, &[1], true)),
            key_of(|g, x| g.sum(x, &[2], true)),
        ];
        assert_eq!(conv(plain, 1.0), keys[0]);
        assert_eq!(grouped(1), keys[0]);
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
