//! Compares one node of a graph on a device with the reference, for one of its variants.

use std::collections::HashSet;

use super::compare::{Comparison, compare, is_right, show, worst};
use crate::bound;
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::adapter::Gpu;
use crate::gpu::caps::Caps;
use crate::gpu::script::Script;
use crate::graph::{Graph, Node};
use crate::ops::{Algorithm, Bounds, Variant};
use crate::plan::{Plan, PlanOptions, PlannedNode};
use crate::reference::half;
use crate::session::{CompileOptions, Compiled, PlannedGraph, evaluate_with_bounds};
use crate::shape::{DType, Layout, Precision};
use crate::tensor::Tensor;

/// A graph of the node at a position of `graph`. Its non-constant inputs become inputs of the graph named `0`, `1`, ...
///
/// The node is given by its position, so that its inputs and its epilogue are those that the graph checked.
pub fn isolate(graph: &Graph, position: usize) -> Result<Graph> {
    let node = node_at(graph, position)?;
    let mut out = Graph::new();
    let mut ids = vec![];
    for (k, id) in node.inputs.iter().enumerate() {
        ids.push(match graph.constant_of(*id) {
            Some(tensor) if tensor.desc() != *graph.desc(*id) => {
                let text = format!("input {k} is {}, the graph says {}", tensor.desc(), graph.desc(*id));
                return Err(Error::shape(text).at(node.name.clone()));
            }
            Some(tensor) => out.constant(format!("{k}"), tensor.clone())?,
            None => out.input(format!("{k}"), graph.desc(*id).clone())?,
        });
    }
    let outputs = out.add_arc(node.name.clone(), node.op.clone(), &ids[..node.own_inputs()])?;
    // The kernels rely on the checks of the graph: an operator with a different result the second time is refused.
    if !outputs.iter().map(|&id| out.desc(id)).eq(node.outputs.iter().map(|&id| graph.desc(id))) {
        let text = format!("the shape rule of {} gives other outputs than before", node.op.name());
        return Err(Error::argument(text).at(node.name.clone()));
    }
    let last = out.nodes.last_mut().expect("just added");
    last.inputs = ids;
    last.epilogue = node.epilogue.clone();
    for (k, id) in outputs.into_iter().enumerate() {
        out.output(format!("{k}"), id);
    }
    Ok(out)
}

fn node_at(graph: &Graph, position: usize) -> Result<&Node> {
    let count = graph.nodes.len();
    graph.nodes.get(position).ok_or_else(|| Error::argument(format!("there is no node {position} of {count}")))
}

/// The result of one variant of one node.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The kernels.
    pub kernels: String,
    /// The comparison of actual and expected values, one per output.
    pub comparisons: Vec<Comparison>,
    /// The actual outputs.
    pub outputs: Vec<Tensor>,
    /// The expected outputs.
    pub expected: Expected,
    /// The algorithm of the kernels.
    pub algorithm: Algorithm,
    /// How they store floats.
    pub precision: Precision,
    /// The share of the bounds within which rounding errors stay that are independent; 1 where that is not known.
    pub probable: f64,
}

/// Which of its kernels a node is checked with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The position among the operator's variants; `None` for the one that a plan takes.
    pub alternative: Option<usize>,
    /// The layout of every input of the node; row-major where the list is shorter.
    pub layouts: Vec<Layout>,
    /// How floats are stored where there is a choice.
    pub precision: Precision,
}

impl Setup {
    /// How a graph of one node is planned for this variant.
    pub fn plan(&self, single: &Graph) -> PlanOptions {
        let variable = single.nodes[0].inputs.iter().enumerate().filter(|(_, id)| single.constant_of(**id).is_none());
        let layout = |k: usize| self.layouts.get(k).copied().unwrap_or(Layout::RowMajor);
        let input_layouts = variable.map(|(k, _)| layout(k)).collect();
        let (alternative, precision) = (self.alternative, self.precision);
        PlanOptions { alternative, input_layouts, precision, ..PlanOptions::default() }
    }
}

/// Runs the node at a position on a device with the inputs given, in guarded memory, and compares with the reference.
pub async fn check_node(
    device: &Device,
    graph: &Graph,
    position: usize,
    inputs: &[Tensor],
    setup: &Setup,
) -> Result<Checked> {
    check(device, &isolate(graph, position)?, inputs, None, setup).await
}

/// [`check_node`] with the first variant whose kernels use no workgroup memory, if those of `setup` do.
pub(crate) async fn check_without_workgroup_memory(
    device: &Device,
    graph: &Graph,
    position: usize,
    inputs: &[Tensor],
    setup: &Setup,
) -> Result<Option<Checked>> {
    let Some(gpu) = device.gpu() else { return Ok(None) };
    let single = isolate(graph, position)?;
    let with = |alternative| Setup { alternative, ..setup.clone() };
    let planned = |setup: &Setup| Ok(Plan::new(&single, gpu.caps(), &setup.plan(&single))?.nodes.remove(0));
    let present = planned(setup)?;
    if present.chosen.has_workgroup_memory() {
        for setup in (0..present.alternatives).map(|k| with(Some(k))) {
            if !planned(&setup)?.chosen.has_workgroup_memory() {
                return check(device, &single, inputs, None, &setup).await.map(Some);
            }
        }
    }
    Ok(None)
}

/// The expected outputs of a node.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The outputs, by the reference.
    pub outputs: Vec<Tensor>,
    /// The largest absolute error of every element, by one algorithm, if it is known.
    pub bounds: Bounds,
}

impl Expected {
    /// The result of the reference for these inputs, with the bounds of [`Algorithm::Direct`].
    ///
    /// # Errors
    /// The inputs do not fit the node.
    pub fn of(node: &Node, inputs: &[Tensor]) -> Result<Expected> {
        Expected::by(Algorithm::Direct, node, inputs)
    }

    fn by(algorithm: Algorithm, node: &Node, inputs: &[Tensor]) -> Result<Expected> {
        let (outputs, bounds) = evaluate_with_bounds(node, inputs, algorithm)?;
        Ok(Expected { outputs, bounds })
    }

    /// What is right as well of results that are stored in f16: infinities, of elements that may be beyond its numbers.
    ///
    /// # Errors
    /// Those of [`Tensor::new`].
    pub fn overflowed(&self) -> Result<Expected> {
        let mut out = self.clone();
        for (k, bounds) in out.bounds.iter_mut().flatten().enumerate() {
            if self.outputs[k].dtype() == DType::F32 {
                let mut values = self.outputs[k].f32s().to_vec();
                for (v, b) in values.iter_mut().zip(bounds) {
                    if v.abs() + *b > half::LARGEST {
                        (*v, *b) = (f32::INFINITY.copysign(*v), 0.0);
                    }
                }
                out.outputs[k] = Tensor::new(self.outputs[k].shape(), values)?;
            }
        }
        Ok(out)
    }

    /// Widens the bounds of the outputs that a variant stores in f16 ([`half::stored`]).
    fn stored_by(mut self, setup: &Variant) -> Expected {
        for ((y, bounds), layout) in self.outputs.iter().zip(self.bounds.iter_mut().flatten()).zip(&setup.outputs) {
            if y.dtype().is_float() && *layout == Layout::ChannelsLast {
                let pairs = y.to_f64s().into_iter().zip(bounds);
                pairs.for_each(|(y, b)| *b = half::stored(y, (*b).into()) as f32);
            }
        }
        self
    }
}

/// As [`check_node`], for a graph of one node (see [`isolate`]) whose expected outputs are known, with the bounds of
/// [`Algorithm::Direct`]; the bounds of another algorithm are computed if a variant uses it.
///
/// If kernels store f16, they and the reference get inputs that are f16 numbers where the kernels read f16. Then the
/// conversion changes nothing, and the bound is that of f32 with the result stored in 16 bits.
pub async fn check_against(
    device: &Device,
    single: &Graph,
    inputs: &[Tensor],
    expected: &Expected,
    setup: &Setup,
) -> Result<Checked> {
    check(device, single, inputs, Some(expected), setup).await
}

/// `direct` is what is expected of kernels that store f32 and whose algorithm is [`Algorithm::Direct`], if it is known.
async fn check(
    device: &Device,
    single: &Graph,
    inputs: &[Tensor],
    direct: Option<&Expected>,
    setup: &Setup,
) -> Result<Checked> {
    Trial::new(device, single, inputs, setup).await?.check(direct).await
}

/// One variant of a node, planned for guarded memory, with its inputs: what can be said of it before it runs.
#[derive(Debug)]
pub struct Subject {
    single: Graph,
    inputs: Vec<Tensor>,
    /// `None` on the reference.
    planned: Option<PlannedNode>,
}

impl Subject {
    /// Plans a graph of one node (see [`isolate`]) for these capabilities, or for the reference. Inputs that the variant reads in
    /// f16 are rounded.
    ///
    /// # Errors
    /// No device of these capabilities has such a variant.
    fn new(
        device: &Device,
        caps: Option<&Caps>,
        single: &Graph,
        inputs: &[Tensor],
        setup: &Setup,
    ) -> Result<(Subject, PlannedGraph, CompileOptions)> {
        let plan = PlanOptions { guarded: true, ..setup.plan(single) };
        let (single, inputs) = rounded(caps, single, inputs, &plan)?;
        let options = as_planned(plan);
        let graph = PlannedGraph::within(device, caps, single.clone(), &options)?;
        let planned = graph.plan.as_ref().and_then(|p| p.nodes.first().cloned());
        Ok((Subject { single, inputs, planned }, graph, options))
    }

    /// The algorithm of its kernels.
    pub fn algorithm(&self) -> Algorithm {
        self.planned.as_ref().map_or(Algorithm::Direct, |n| n.chosen.algorithm)
    }

    /// How they store floats.
    pub fn precision(&self) -> Precision {
        self.planned.as_ref().map_or(Precision::F32, |n| n.chosen.precision)
    }

    /// What is expected of it. `direct` is that of kernels that store f32 and whose algorithm is [`Algorithm::Direct`], if it is
    /// known: other algorithms have its outputs and other bounds; kernels that store f16 get other inputs.
    ///
    /// # Errors
    /// Those of the reference.
    pub fn expected(&self, direct: Option<&Expected>) -> Result<Expected> {
        let algorithm = self.algorithm();
        let by = || Expected::by(algorithm, &self.single.nodes[0], &self.inputs);
        match (&self.planned, direct) {
            (Some(n), _) if n.chosen.precision == Precision::F16 => Ok(by()?.stored_by(&n.chosen)),
            (_, Some(expected)) if algorithm == Algorithm::Direct => Ok(expected.clone()),
            (_, Some(expected)) => Ok(Expected { outputs: expected.outputs.clone(), bounds: by()?.bounds }),
            _ => by(),
        }
    }

    /// [`Checked::probable`]: sums alone, since what follows them in the kernel has errors of its own.
    pub fn probable(&self) -> f64 {
        let node = &self.single.nodes[0];
        if self.precision() != Precision::F32 || !node.epilogue.is_none() {
            return 1.0;
        }
        let elements = self.single.outputs().map(|(_, desc)| desc.numel()).sum();
        bound::probable(node.op.roundings_by(self.algorithm(), &self.inputs), elements)
    }
}

/// A variant of a graph of one node (see [`isolate`]), as a device of these capabilities would run it in guarded memory.
///
/// # Errors
/// No such device has the variant; an input does not fit.
pub fn scripted(caps: &Caps, single: &Graph, inputs: &[Tensor], setup: &Setup) -> Result<(Subject, Script)> {
    let (subject, graph, _) = Subject::new(&Device::cpu(), Some(caps), single, inputs, setup)?;
    let given: Vec<_> = given(&subject.single, &subject.inputs).into_iter().map(|(_, tensor)| tensor).collect();
    let script = graph.script(&given)?.expect("it is planned for a device");
    Ok((subject, script))
}

/// One variant of a node, compiled for guarded memory, with its inputs.
#[derive(Debug)]
pub struct Trial {
    subject: Subject,
    session: Compiled,
}

impl Trial {
    /// Compiles a graph of one node (see [`isolate`]). Inputs that the variant reads in f16 are rounded.
    ///
    /// # Errors
    /// The device has no such variant, or cannot compile it.
    pub async fn new(device: &Device, single: &Graph, inputs: &[Tensor], setup: &Setup) -> Result<Trial> {
        let (subject, graph, options) = Subject::new(device, caps_of(device), single, inputs, setup)?;
        Ok(Trial { subject, session: graph.compile(&options, &[]).await? })
    }

    /// The outputs of one run.
    ///
    /// # Errors
    /// Those of the run.
    pub async fn run(&self) -> Result<Vec<Tensor>> {
        run_single(&self.session, &self.subject.inputs).await
    }

    /// The kernels and what they are given.
    pub fn plan(&self) -> Option<&Plan> {
        self.session.plan()
    }

    /// The inputs, as the kernels read them.
    pub fn inputs(&self) -> &[Tensor] {
        &self.subject.inputs
    }

    /// One run, compared with the reference ([`Trial::judge`]). Kernels that wrote past a tensor are wrong, whatever they gave.
    ///
    /// # Errors
    /// Those of the run and of the reference.
    pub async fn check(&self, direct: Option<&Expected>) -> Result<Checked> {
        match self.run().await {
            Ok(outputs) => self.judge(outputs, direct),
            Err(e) if e.kind() == ErrorKind::Check => {
                let checked = self.uncompared(vec![], direct)?;
                let wrong = |y: &Tensor| Comparison::mismatched(y.numel(), e.to_string());
                let comparisons = checked.expected.outputs.iter().map(wrong).collect();
                // A network goes on with what is right.
                Ok(Checked { comparisons, outputs: checked.expected.outputs.clone(), ..checked })
            }
            Err(e) => Err(e),
        }
    }

    /// Whether another run gives the same bits as one that gave `first`.
    ///
    /// # Errors
    /// Those of the run.
    pub async fn repeats(&self, first: &[Tensor]) -> Result<bool> {
        match self.run().await {
            Ok(outputs) => Ok(are_same(&outputs, first)),
            Err(e) if e.kind() == ErrorKind::Check => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Compares outputs with the reference; `direct` as in [`Subject::expected`].
    ///
    /// # Errors
    /// Those of the reference.
    pub fn judge(&self, outputs: Vec<Tensor>, direct: Option<&Expected>) -> Result<Checked> {
        Ok(self.uncompared(outputs, direct)?.compared())
    }

    /// Outputs beside what is expected.
    fn uncompared(&self, outputs: Vec<Tensor>, direct: Option<&Expected>) -> Result<Checked> {
        let subject = &self.subject;
        Ok(Checked {
            kernels: subject.planned.as_ref().map_or("reference".to_owned(), |n| n.kernels.clone()),
            comparisons: vec![],
            outputs,
            expected: subject.expected(direct)?,
            algorithm: subject.algorithm(),
            precision: subject.precision(),
            probable: subject.probable(),
        })
    }
}

/// Whether all bits are the same.
pub(crate) fn are_same(a: &[Tensor], b: &[Tensor]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_bits(b))
}

/// Every variant of a graph of one node in these precisions, for inputs of both layouts, each once, with its kernels; of f16 only
/// those that store 16 bits.
///
/// # Errors
/// The device has no variant of the node.
pub fn setups(device: &Device, single: &Graph, precisions: &[Precision]) -> Result<Vec<(Setup, String)>> {
    match caps_of(device) {
        Some(caps) => setups_within(caps, single, precisions),
        None => Ok(vec![(Setup::default(), "reference".to_owned())]),
    }
}

/// [`setups`] of a device of these capabilities.
///
/// # Errors
/// No such device has a variant of the node.
pub fn setups_within(caps: &Caps, single: &Graph, precisions: &[Precision]) -> Result<Vec<(Setup, String)>> {
    let planned = |setup: &Setup| Ok(Plan::new(single, caps, &setup.plan(single))?.nodes.remove(0));
    let descs: Vec<_> = single.nodes[0].inputs.iter().map(|&id| single.desc(id)).collect();
    let last = descs.iter().map(|d| if d.rank() < 2 { Layout::RowMajor } else { Layout::ChannelsLast }).collect();
    let (mut out, mut seen) = (vec![], HashSet::new());
    for &precision in precisions {
        for layouts in [vec![Layout::RowMajor; descs.len()], Vec::clone(&last)] {
            let setup = |alternative| Setup { alternative, layouts: layouts.clone(), precision };
            for k in 0..planned(&setup(None))?.alternatives {
                let PlannedNode { chosen, kernels, .. } = planned(&setup(Some(k)))?;
                if chosen.precision() == precision && seen.insert((chosen.signature(), precision.to_string())) {
                    out.push((setup(Some(k)), kernels));
                }
            }
        }
    }
    Ok(out)
}

/// Runs the node at a position on a device with the inputs given, without a check.
pub(crate) async fn run_node(
    device: &Device,
    graph: &Graph,
    position: usize,
    inputs: &[Tensor],
    setup: &Setup,
) -> Result<Vec<Tensor>> {
    let single = isolate(graph, position)?;
    let plan = setup.plan(&single);
    let compiled = Compiled::new_async(device, single, &as_planned(plan)).await?;
    run_single(&compiled, inputs).await
}

/// A graph as it is, planned like this.
fn as_planned(plan: PlanOptions) -> CompileOptions {
    CompileOptions { rewrite: false, plan, ..CompileOptions::default() }
}

/// The capabilities of a device; the reference has none.
pub(crate) fn caps_of(device: &Device) -> Option<&Caps> {
    device.gpu().map(Gpu::caps)
}

/// The open inputs of a graph of one node by their names, which are their numbers.
pub(crate) fn given<'a>(single: &'a Graph, inputs: &'a [Tensor]) -> Vec<(&'a str, &'a Tensor)> {
    let given = |(name, _)| (name, &inputs[str::parse::<usize>(name).expect("inputs are named by number")]);
    single.inputs().map(given).collect()
}

/// Runs a graph of one node.
async fn run_single(compiled: &Compiled, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let given = given(compiled.graph(), inputs);
    Ok(compiled.run_async(&given).await?.0.into_iter().map(|(_, t)| t).collect())
}

impl Checked {
    /// Whether no element is wrong, but one is farther from the reference than rounding explains.
    pub fn is_unlikely(&self) -> bool {
        let worst = worst(&self.comparisons);
        worst > self.probable && worst <= 1.0
    }

    /// A negative control: the same with the middle element of the first output moved far outside its bound.
    ///
    /// # Errors
    /// Those of [`Tensor::new`].
    pub fn corrupted(self) -> Result<Checked> {
        self.moved(|v, bound| v + 10.0 * (1.0 + v.abs() + bound))
    }

    /// A negative control: the same with the middle element of the first output as `to` makes it of the element and its bound; a
    /// Bool turns into the other one.
    ///
    /// # Errors
    /// Those of [`Tensor::new`].
    pub fn moved(mut self, to: impl Fn(f32, f32) -> f32) -> Result<Checked> {
        let output = &mut self.outputs[0];
        let mut values: Vec<f32> = output.iter_f64s().map(|v| v as f32).collect();
        let middle = values.len() / 2;
        if let Some(v) = values.get_mut(middle) {
            let bound = self.expected.bounds.as_ref().map_or(0.0, |b| b[0][middle]);
            *v = if output.dtype() == DType::Bool { 1.0 - *v } else { to(*v, bound) };
        }
        *output = Tensor::new(output.shape(), values)?.to_dtype(output.dtype());
        Ok(self.compared())
    }

    /// [`Checked::or`] with infinities where f16 has no number.
    ///
    /// # Errors
    /// Those of [`Tensor::new`].
    pub fn or_overflowed(self) -> Result<Checked> {
        let second = self.expected.overflowed()?;
        self.or(&second)
    }

    /// Compares again, with floats of a second expectation where they are right by it and not by the first.
    ///
    /// # Errors
    /// Those of [`Tensor::new`].
    pub fn or(mut self, second: &Expected) -> Result<Checked> {
        let (Some(bounds), Some(others)) = (&mut self.expected.bounds, &second.bounds) else { return Ok(self) };
        for (k, actual) in self.outputs.iter().enumerate().filter(|(_, y)| y.dtype() == DType::F32) {
            let mut values = self.expected.outputs[k].f32s().to_vec();
            let (own, others) = (&mut bounds[k], &others[k]);
            for (i, (&a, &other)) in actual.f32s().iter().zip(second.outputs[k].f32s()).enumerate() {
                let is = |e: f32, bound: f32| is_right(a.into(), e.into(), bound);
                if !is(values[i], own[i]) && is(other, others[i]) {
                    (values[i], own[i]) = (other, others[i]);
                }
            }
            self.expected.outputs[k] = Tensor::new(actual.shape(), values)?;
        }
        Ok(self.compared())
    }

    /// Repeats the comparisons.
    pub(crate) fn compared(mut self) -> Checked {
        let pairs = self.outputs.iter().zip(&self.expected.outputs);
        self.comparisons = match &self.expected.bounds {
            Some(bounds) => pairs.zip(bounds).map(|((a, e), b)| compare(a, e, b)).collect(),
            None => pairs.map(|(a, e)| show(a, e)).collect(),
        };
        self
    }
}

/// A graph of one node and its inputs; those that the planned variant reads in f16 are rounded.
fn rounded(caps: Option<&Caps>, single: &Graph, inputs: &[Tensor], plan: &PlanOptions) -> Result<(Graph, Vec<Tensor>)> {
    let (mut graph, mut values) = (single.clone(), inputs.to_vec());
    let Some(caps) = caps.filter(|_| plan.precision == Precision::F16) else { return Ok((graph, values)) };
    let setup = Plan::new(single, caps, plan)?.nodes.remove(0).chosen;
    for (k, _) in setup.rounds(inputs.len()).iter().enumerate().filter(|(_, rounds)| **rounds) {
        if values[k].dtype().is_float() {
            values[k] = values[k].map(|v| half::nearest(v as f32).into());
            let id = graph.nodes[0].inputs[k];
            let constant = &mut graph.values[id.0].constant;
            *constant = constant.is_some().then(|| values[k].clone());
        }
    }
    Ok((graph, values))
}

/// The number of variants of a device for the node at a position, if floats may be stored in this precision.
pub fn alternatives(device: &Device, graph: &Graph, position: usize, precision: Precision) -> Result<usize> {
    let Some(gpu) = device.gpu() else { return Ok(1) };
    let options = PlanOptions { precision, ..PlanOptions::default() };
    Ok(Plan::new(&isolate(graph, position)?, gpu.caps(), &options)?.nodes[0].alternatives)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(values: [f32; 3], bounds: [f32; 3]) -> Expected {
        Expected { outputs: vec![Tensor::new([3], values.to_vec()).unwrap()], bounds: Some(vec![bounds.to_vec()]) }
    }

    /// An element is right by one of two expectations, or wrong.
    #[test]
    fn one_of_two_expectations_holds() {
        let first = expected([1.0, f32::INFINITY, f32::INFINITY], [0.5; 3]);
        let second = expected([9.0, f32::NAN, f32::NAN], [0.5; 3]);
        let wrong = |values: [f32; 3]| {
            let checked = Checked {
                kernels: String::new(),
                comparisons: vec![],
                outputs: expected(values, [0.0; 3]).outputs,
                expected: first.clone(),
                algorithm: Algorithm::Direct,
                precision: Precision::F32,
                probable: 1.0,
            };
            checked.or(&second).unwrap().comparisons[0].wrong
        };
        assert_eq!(wrong([1.25, f32::INFINITY, f32::NAN]), 0);
        assert_eq!(wrong([9.0, f32::NAN, 5.0]), 1);
        assert_eq!(wrong([2.0, 0.0, f32::NEG_INFINITY]), 3);
    }

    /// 65 504 may become infinite, with its sign; a smaller number may not.
    #[test]
    fn f16_may_overflow() {
        let second = expected([65_000.0, -65_504.0, 7e4], [1.0, 1.0, 0.0]).overflowed().unwrap();
        assert_eq!(second.outputs[0].f32s(), [65_000.0, f32::NEG_INFINITY, f32::INFINITY]);
        assert_eq!(second.bounds.unwrap()[0], [1.0, 0.0, 0.0]);
    }
}
