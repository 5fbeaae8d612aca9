//! Runs graphs at once: each is compiled at its first run, and kept.
//!
//! The key of a compiled graph is its fingerprint, which is made of the graph itself. So no function can leave an option out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::cache::{Cache, Entry};
use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::gpu::tensor_buffer::TensorBuffer;
use crate::graph::{Fingerprint, Graph, ValueId};
use crate::identity::Identity;
use crate::session::{CompileOptions, Compiled};
use crate::threads::block_on;

/// Who a parameter belongs to, and which contents it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number {
    pub owner: u64,
    pub contents: u64,
}

/// The numbers of parameters, by the address of their elements.
pub(crate) type Numbers = HashMap<usize, Number>;

/// The fingerprint of a graph in which a numbered parameter stands for its owner, whatever it holds.
fn fingerprint(graph: &Graph, numbers: &Numbers) -> Option<Fingerprint> {
    graph.fingerprint_by(|tensor| match numbers.get(&tensor.data().address()) {
        Some(number) => Identity::of(("owner", number.owner)),
        None => tensor.identity(),
    })
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

fn is_traced() -> bool {
    TRACE.with_borrow(Option::is_some)
}

/// The result of `f`, and the compiled graphs that its calls of `functional` and `Module::forward` ran.
pub fn traced<R>(f: impl FnOnce() -> R) -> (R, Vec<Traced>) {
    let before = TRACE.replace(Some(vec![]));
    let out = f();
    (out, TRACE.replace(before).unwrap_or_default())
}

/// Runs a graph, and compiles it first if it is not kept, or kept with other contents of its parameters. Constants with a
/// number are identified by it, others by a hash of their elements.
pub(crate) fn run_kept(
    device: &Device,
    graph: Graph,
    numbers: &Numbers,
    inputs: Vec<(String, DeviceTensor)>,
) -> Result<Vec<DeviceTensor>> {
    let parameters = graph.values.iter().filter_map(|v| numbers.get(&v.constant.as_ref()?.data().address()));
    let (owners, contents) = parameters.map(|number| (number.owner, number.contents)).unzip();
    let compiled = kept(device, graph, numbers, contents, |graph| {
        let mut entry = compile(device, graph, &[])?;
        entry.owners = owners;
        Ok(entry)
    })?;
    run_compiled(device, &compiled, inputs)
}

/// The graph as it is kept, or as `compile` makes it.
fn kept(
    device: &Device,
    graph: Graph,
    numbers: &Numbers,
    contents: Vec<u64>,
    compile: impl FnOnce(Graph) -> Result<Entry>,
) -> Result<Arc<Compiled>> {
    let Some(fingerprint) = fingerprint(&graph, numbers) else { return Ok(compile(graph)?.compiled) };
    // With its constants only where a test traces it.
    let (cache, key) = (Cache::of(device), Identity::of((fingerprint, is_traced())));
    cache.drop_stale();
    if let Some(found) = cache.find(key, &contents) {
        return Ok(found);
    }
    let mut entry = compile(graph)?;
    entry.contents = contents;
    let compiled = entry.compiled.clone();
    cache.keep(key, entry);
    Ok(compiled)
}

/// What is kept for a device must not keep the device.
fn compile(device: &Device, graph: Graph, resident: &[TensorBuffer]) -> Result<Entry> {
    let options = CompileOptions { weights: is_traced(), ..CompileOptions::default() };
    Ok(Entry::new(block_on(Compiled::with_resident(&device.bare(), graph, &options, resident))?))
}

fn run_compiled(
    device: &Device,
    compiled: &Arc<Compiled>,
    inputs: Vec<(String, DeviceTensor)>,
) -> Result<Vec<DeviceTensor>> {
    let given: Vec<_> = inputs.iter().map(|(name, t)| (name.as_str(), t)).collect();
    let outputs = compiled.run_device(&given)?.into_iter().map(|t| t.on(device)).collect();
    TRACE.with_borrow_mut(|trace| {
        trace.iter_mut().for_each(|t| t.push(Traced { compiled: compiled.clone(), inputs: inputs.clone() }))
    });
    Ok(outputs)
}

/// Runs the graph that `build` makes of `inputs`.
pub(super) fn run_all(
    inputs: &[&DeviceTensor],
    build: impl FnOnce(&mut Graph, &[ValueId]) -> Result<Vec<ValueId>>,
) -> Result<Vec<DeviceTensor>> {
    let mut build = Some(build);
    run_with(inputs, 0..0, &mut |g, ids| build.take().expect("a graph is built once")(g, ids))
}

/// As [`run_all`], of one output.
pub(super) fn run(
    inputs: &[&DeviceTensor],
    build: impl FnOnce(&mut Graph, &[ValueId]) -> Result<ValueId>,
) -> Result<DeviceTensor> {
    Ok(run_all(inputs, |g, ids| Ok(vec![build(g, ids)?]))?.remove(0))
}

/// Makes a graph of inputs, and tells its outputs.
pub(super) type Build<'a> = dyn FnMut(&mut Graph, &[ValueId]) -> Result<Vec<ValueId>> + 'a;

/// As [`run_all`], where some inputs are `parameters`, which are often the same from call to call. A call whose parameters were
/// there before compiles them into the graph, so that it finds them packed from then on.
pub(super) fn run_with(
    inputs: &[&DeviceTensor],
    parameters: Range<usize>,
    build: &mut Build<'_>,
) -> Result<Vec<DeviceTensor>> {
    let Some(first) = inputs.first() else { return Err(Error::argument("there is no input tensor")) };
    let device = first.device();
    let mut given: Vec<_> = inputs.iter().enumerate().map(|(k, &t)| (k.to_string(), t.clone())).collect();
    let mut graph = Graph::new();
    let mut ids = vec![];
    for (name, t) in &given {
        ids.push(graph.input(name, t.desc().clone())?);
    }
    for (k, id) in build(&mut graph, &ids)?.into_iter().enumerate() {
        graph.output(k.to_string(), id);
    }
    let buffers: Option<Vec<_>> = inputs[parameters.clone()].iter().map(|t| t.unchanging(device)).collect();
    let Some(buffers) = buffers.filter(|_| !parameters.is_empty() && !is_traced()) else {
        return run_kept(device, graph, &Numbers::new(), given);
    };
    let (buffers, numbers): (Vec<_>, Vec<_>) = buffers.into_iter().unzip();
    if !Cache::of(device).repeats(Identity::of((fingerprint(&graph, &Numbers::new()), &numbers))) {
        return run_kept(device, graph, &Numbers::new(), given);
    }
    let tensors = buffers.iter().filter_map(|b| b.watch()).collect();
    given.drain(parameters.clone());
    ids[parameters].iter().zip(numbers).for_each(|(id, number)| graph.make_resident(*id, number));
    let compiled = kept(device, graph, &Numbers::new(), vec![], |graph| {
        let mut entry = compile(device, graph, &buffers)?;
        entry.tensors = tensors;
        Ok(entry)
    })?;
    run_compiled(device, &compiled, given)
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
    use crate::tensor::Tensor;

    fn key_of(build: impl FnOnce(&mut Graph, ValueId) -> Result<ValueId>) -> Fingerprint {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([1, 2, 5, 5])).unwrap();
        let y = build(&mut g, x).unwrap();
        g.output("y", y);
        g.fingerprint().unwrap()
    }

    /// Every option and every element of a constant changes the fingerprint; equal graphs have equal ones.
    #[test]
    fn a_fingerprint_holds_every_attribute() {
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
        let keys = vec![
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
        assert_eq!(keys.into_iter().collect::<std::collections::HashSet<_>>().len(), all);
    }
}
