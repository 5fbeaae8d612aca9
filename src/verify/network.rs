//! Compares a whole network on a device with the reference: every node separately, then the whole plan end to end.

use std::fmt;
use std::sync::Arc;

use super::compare::compare;
use super::node::{Checked, Setup, Trial, check_without_workgroup_memory, isolate, run_node};
use super::report::{ATOL, Evidence, NodeReport, NodeValue, OutputReport, RTOL, Replays, Report, Sibling};
use crate::attr::Activation;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::{Graph, Node};
use crate::ops::unary::Unary;
use crate::session::{CompileOptions, Compiled, Given, Network, Ready};
use crate::shape::Precision;
use crate::tensor::Tensor;

/// Called before each node is checked, with its position, the number of nodes, and its name.
type Progress = Arc<dyn Fn(usize, usize, &str) + Send + Sync>;

/// Whether a value of this name is wanted.
type Select = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How a network is verified.
#[derive(Clone, Default)]
pub struct VerifyOptions {
    compile: CompileOptions,
    progress: Option<Progress>,
    from: Option<String>,
    /// No node is checked.
    unchecked: bool,
    values: Option<Select>,
    replays: usize,
    /// Corrupts one element of this node's result before the comparison, to show that a wrong kernel is detected.
    fail_at: Option<String>,
}

impl VerifyOptions {
    /// Compiles with [`CompileOptions::default`], without progress.
    pub fn new() -> VerifyOptions {
        VerifyOptions::default()
    }
    /// How the network is compiled: it determines the nodes and kernels that are checked.
    pub fn compile(mut self, options: CompileOptions) -> VerifyOptions {
        self.compile = options;
        self
    }
    /// `tell` is called before each node is checked, with its position, the number of nodes, and its name.
    pub fn progress(mut self, tell: impl Fn(usize, usize, &str) + Send + Sync + 'static) -> VerifyOptions {
        self.progress = Some(Arc::new(tell));
        self
    }
    /// Nodes before this one (a name of the network as it is compiled) run without being checked.
    pub fn from_node(mut self, node: impl Into<String>) -> VerifyOptions {
        self.from = Some(node.into());
        self
    }
    /// Runs every node, and the whole plan, this many times more, and compares all bits with those of the first run.
    pub fn replays(mut self, replays: usize) -> VerifyOptions {
        self.replays = replays;
        self
    }
    /// Keeps what the device computes for the values whose names `wanted` selects, in [`Report::values`].
    pub fn keep_values(mut self, wanted: impl Fn(&str) -> bool + Send + Sync + 'static) -> VerifyOptions {
        self.values = Some(Arc::new(wanted));
        self
    }
}

impl fmt::Debug for VerifyOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyOptions").field("compile", &self.compile).finish_non_exhaustive()
    }
}

/// A negative control: corrupts one element of this node's result before the comparison.
pub fn fail_at(options: VerifyOptions, node: impl Into<String>) -> VerifyOptions {
    VerifyOptions { fail_at: Some(node.into()), ..options }
}

/// Verifies a network on a device for these inputs: every node separately, then the whole network.
///
/// # Errors
/// An input is missing, unknown or misshaped; a node has no kernel for its case; the device is lost. A wrong result is
/// not an error: it is in the report.
#[cfg(not(target_arch = "wasm32"))]
pub fn verify(
    device: &Device,
    network: &dyn Network,
    inputs: &[(&str, &Tensor)],
    options: &VerifyOptions,
) -> Result<Report> {
    crate::threads::block_on(verify_async(device, network, inputs, options))
}

/// [`verify`] without blocking.
///
/// # Errors
/// Those of [`verify`].
pub async fn verify_async(
    device: &Device,
    network: &dyn Network,
    inputs: &[(&str, &Tensor)],
    options: &VerifyOptions,
) -> Result<Report> {
    let shaping = network.shape_inputs();
    let decides = |name: &str| shaping.iter().any(|s| s == name);
    // A graph computes in f32 what is given as f16 or bf16.
    let inputs: Vec<_> = inputs.iter().map(|(name, t)| (*name, t.to_dtype(t.dtype().computed()))).collect();
    let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(name, t)| (*name, t)).collect();
    let mut given = vec![];
    for &(name, t) in &inputs {
        given.push(Given { name, desc: t.desc(), value: decides(name).then(|| t.clone()) });
    }
    let graph = network.bind(&given)?;
    let used: Vec<_> = inputs.iter().filter(|(name, _)| !decides(name)).copied().collect();
    verify_graph(device, &graph, &used, options).await
}

/// Every value that a device computes, node by node, without a check; in the order of computation.
pub async fn values(
    device: &Device,
    graph: &Graph,
    inputs: &[(&str, &Tensor)],
    compile: &CompileOptions,
) -> Result<Vec<NodeValue>> {
    let options =
        VerifyOptions { unchecked: true, ..VerifyOptions::new().compile(compile.clone()).keep_values(|_| true) };
    Ok(verify_graph(device, graph, inputs, &options).await?.values)
}

async fn verify_graph(
    device: &Device,
    graph: &Graph,
    inputs: &[(&str, &Tensor)],
    options: &VerifyOptions,
) -> Result<Report> {
    // What runs on the host is the reference's own: the nodes of the device are checked.
    let ready = Ready::new_async(device, graph.clone(), &options.compile).await?;
    let (compiled, device) = (&ready.compiled, ready.compiled.device());
    let whole = if options.unchecked { vec![] } else { end_to_end(&ready, graph, inputs, options.replays).await? };
    let rewritten = compiled.graph();
    let planned = compiled.plan().map_or(&[][..], |plan| &plan.nodes);
    // The reference, which computes all of a network that runs on the host, stores f32.
    let precision = if device.is_reference() { Precision::F32 } else { options.compile.plan.precision };
    let find = |name: &String| {
        let found = rewritten.nodes.iter().position(|n| n.name == *name);
        found.ok_or_else(|| Error::argument(format!("there is no node {name} after rewriting")))
    };
    let fail_at = options.fail_at.as_ref().map(find).transpose()?;
    let from = options.from.as_ref().map(find).transpose()?.unwrap_or(0);
    if let Some(unchecked) = fail_at.filter(|at| *at < from) {
        return Err(Error::argument(format!(
            "{} comes before the first node that is checked",
            rewritten.nodes[unchecked].name
        )));
    }
    let mut values: Vec<Option<Tensor>> = rewritten.values.iter().map(|v| v.constant.clone()).collect();
    for (id, tensor) in rewritten.inputs.iter().zip(ready.given(inputs)?) {
        values[id.0] = Some(tensor.to_dtype(rewritten.desc(*id).dtype));
    }
    let (mut nodes, mut evidence, mut kept) = (vec![], None, vec![]);
    for (i, node) in rewritten.nodes.iter().enumerate() {
        if let Some(tell) = &options.progress {
            tell(i, rewritten.nodes.len(), &node.name);
        }
        let given: Vec<Tensor> = node.inputs.iter().filter_map(|id| values[id.0].clone()).collect();
        // The variant and the input layouts of the whole plan.
        let (alternative, layouts) = planned.get(i).map_or((None, vec![]), |p| (Some(p.pick), p.layouts.clone()));
        let setup = Setup { alternative, layouts, precision };
        let results = if i < from || options.unchecked {
            run_node(device, rewritten, i, &given, &setup).await?
        } else {
            let trial = Trial::new(device, &isolate(rewritten, i)?, &given, &setup).await?;
            let mut checked = trial.check(None).await?;
            let replays = Replays::of(options.replays, async || trial.repeats(&checked.outputs).await).await?;
            if options.fail_at.as_ref() == Some(&node.name) {
                checked = checked.corrupted()?;
            }
            let mut report = NodeReport { replays, ..NodeReport::of(node, &checked) };
            if !report.ok() {
                let other = check_without_workgroup_memory(device, rewritten, i, &given, &setup).await?;
                report.sibling = other.as_ref().map(|other| Sibling::of(node, other));
            }
            if !report.ok() && evidence.is_none() {
                evidence = Some(Evidence::of(node, given, &checked)?);
            }
            nodes.push(report);
            checked.outputs
        };
        for (id, tensor) in node.outputs.iter().zip(results) {
            let name = &rewritten.values[id.0].name;
            if options.values.as_ref().is_some_and(|wanted| wanted(name)) {
                let (node, op) = (node.name.clone(), operator(node));
                kept.push(NodeValue { name: name.clone(), node, op, tensor: tensor.clone() });
            }
            values[id.0] = Some(tensor);
        }
    }
    let all_right = nodes.len() == rewritten.nodes.len() && nodes.iter().all(|node| node.ok() && node.judged());
    let stepwise = Stepwise { graph: rewritten, values, all_right, is_half: precision == Precision::F16 };
    let outputs = stepwise.judge(whole, inputs).await?;
    Ok(Report { device: ready.device().to_string(), nodes, outputs, evidence, values: kept })
}

/// What the device made of the rewritten graph, node by node.
struct Stepwise<'a> {
    graph: &'a Graph,
    values: Vec<Option<Tensor>>,
    /// Whether every node was checked, and is right by its bound.
    all_right: bool,
    is_half: bool,
}

impl Stepwise<'_> {
    /// Compares the outputs of the whole plan with those of the reference.
    async fn judge(
        &self,
        whole: Vec<(String, Tensor, Tensor, Replays)>,
        inputs: &[(&str, &Tensor)],
    ) -> Result<Vec<OutputReport>> {
        let mut out = vec![];
        // The outputs of the rewritten graph by the reference, where they decide.
        let mut rewritten = vec![];
        for (name, actual, expected, replays) in whole {
            let id = self.graph.outputs.iter().find(|(n, _)| *n == name).map(|(_, id)| id);
            let value = id.and_then(|id| self.values[id.0].as_ref());
            let rounding = value.filter(|_| self.is_half).map_or(0.0, |t| distance(t, &expected));
            let tolerances = tolerances(&expected, rounding);
            let comparison = compare(&actual, &expected, &tolerances);
            let may_be = !comparison.ok() && self.all_right && value.is_some_and(|t| t.same_bits(&actual));
            if may_be && rewritten.is_empty() {
                rewritten = reference(self.graph.clone(), inputs).await?;
            }
            let is_same = |(n, t): &(String, Tensor)| *n == name && compare(t, &expected, &tolerances).ok();
            let allowed = may_be && replays.different == 0 && rewritten.iter().any(is_same);
            let stepped = allowed && rounds_to_steps(self.graph);
            let sensitive = allowed && !stepped;
            let nan = actual.iter_f64s().filter(|v| v.is_nan()).count();
            out.push(OutputReport { name, comparison, sensitive, stepped, nan, rounding, replays });
        }
        Ok(out)
    }
}

/// Whether a node rounds to the steps of a quantisation.
fn rounds_to_steps(graph: &Graph) -> bool {
    let is_steps = |f: &Activation| matches!(f, Activation::FakeQuantize { .. });
    let one =
        |node: &Node| is_steps(&node.epilogue.activation) || node.op.downcast().is_some_and(|Unary(f)| is_steps(f));
    graph.nodes.iter().any(one)
}

/// The outputs of a graph by the reference, without rewriting.
async fn reference(graph: Graph, inputs: &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>> {
    let plain = CompileOptions { rewrite: false, ..CompileOptions::default() };
    Ok(Compiled::new_async(&Device::cpu(), graph, &plain).await?.run_async(inputs).await?.0)
}

/// The operator of a node with its epilogue.
fn operator(node: &Node) -> String {
    format!("{}{}", node.op.name(), node.epilogue)
}

impl NodeReport {
    fn of(node: &Node, checked: &Checked) -> NodeReport {
        NodeReport {
            name: node.name.clone(),
            op: operator(node),
            kernels: checked.kernels.clone(),
            outputs: checked.comparisons.clone(),
            sibling: None,
            replays: Replays::default(),
            probable: checked.probable,
        }
    }
}

impl Sibling {
    fn of(node: &Node, checked: &Checked) -> Sibling {
        Sibling { kernels: checked.kernels.clone(), ok: NodeReport::of(node, checked).ok() }
    }
}

impl Evidence {
    pub(crate) fn of(node: &Node, inputs: Vec<Tensor>, checked: &Checked) -> Result<Evidence> {
        let expected = &checked.expected;
        let pairs = expected.outputs.iter().zip(expected.bounds.iter().flatten());
        let bounds = pairs.map(|(y, b)| Tensor::new(y.shape(), b.clone())).collect::<Result<_>>()?;
        let (node, outputs) = (node.name.clone(), checked.outputs.clone());
        Ok(Evidence { node, inputs, outputs, expected: expected.outputs.clone(), bounds })
    }
}

impl Replays {
    /// Asks this many times whether a run repeats the first one.
    async fn of(runs: usize, repeats: impl AsyncFn() -> Result<bool>) -> Result<Replays> {
        let mut out = Replays::default();
        while out.runs < runs {
            out.runs += 1;
            out.different += usize::from(!repeats().await?);
        }
        Ok(out)
    }
}

/// Every output by name: of the whole plan, and of the reference; and whether the whole plan always gives the same.
async fn end_to_end(
    ready: &Ready,
    graph: &Graph,
    inputs: &[(&str, &Tensor)],
    replays: usize,
) -> Result<Vec<(String, Tensor, Tensor, Replays)>> {
    let actual = ready.run_async(inputs).await?;
    let mut all = vec![Replays { runs: replays, different: 0 }; actual.0.len()];
    for _ in 0..replays {
        let again = ready.run_async(inputs).await?;
        for (replays, ((_, a), (_, b))) in all.iter_mut().zip(again.0.iter().zip(&actual.0)) {
            replays.different += usize::from(!a.same_bits(b));
        }
    }
    let expected = reference(graph.clone(), inputs).await?;
    let pairs = actual.0.into_iter().zip(expected).zip(all);
    Ok(pairs.map(|(((name, a), (_, e)), replays)| (name, a, e, replays)).collect())
}

/// The largest distance of elements that are finite in both.
pub fn distance(a: &Tensor, b: &Tensor) -> f64 {
    let pairs = a.iter_f64s().zip(b.iter_f64s());
    pairs.map(|(a, b)| (a - b).abs()).filter(|d| d.is_finite()).fold(0.0, f64::max)
}

/// [`RTOL`] |y| + [`ATOL`] max |y| + 2 `rounding` of a float output; integers must be equal. Twice, since the plan and
/// the separate nodes may round differently. Subnormal numbers may be taken for 0: twice the least normal number more.
pub fn tolerances(expected: &Tensor, rounding: f64) -> Vec<f32> {
    if !expected.dtype().is_float() {
        return vec![0.0; expected.numel()];
    }
    let finite = || expected.iter_f64s().map(|v| if v.is_finite() { v.abs() as f32 } else { 0.0 });
    let largest = finite().fold(0.0, f32::max);
    finite().map(|v| RTOL * v + ATOL * largest + 2.0 * rounding as f32 + 2.0 * f32::MIN_POSITIVE).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Replays, Stepwise};
    use crate::attr::BinaryKind;
    use crate::graph::Graph;
    use crate::shape::Desc;
    use crate::tensor::Tensor;
    use crate::verify::node::are_same;

    /// y = factor * x.
    fn scaled(factor: f32) -> Graph {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([2])).unwrap();
        let factor = graph.constant("factor", Tensor::from([factor])).unwrap();
        let y = graph.binary(x, factor, BinaryKind::Mul).unwrap();
        graph.output("y", y);
        graph
    }

    /// A plan whose nodes are right is wrong if the graph that it computes is another one, as a wrong rewrite makes it; if
    /// another bit differs; or if a replay does.
    #[test]
    fn what_excuses_an_output() {
        let x = Tensor::from([1.0f32, 2.0]);
        // Device and reference differ by more than the tolerance, by what the bounds of the nodes allow.
        let [expected, actual, other] = [[1.0f32, 2.0], [1.02, 2.04], [1.02, 2.05]].map(Tensor::from);
        let judged = |graph: &Graph, stepwise: &Tensor, all_right: bool, different: usize| {
            let mut values = vec![None; graph.values.len()];
            values[graph.outputs[0].1.0] = Some(stepwise.clone());
            let whole = vec![("y".to_owned(), actual.clone(), expected.clone(), Replays { runs: 3, different })];
            let stepwise = Stepwise { graph, values, all_right, is_half: false };
            let report = pollster::block_on(stepwise.judge(whole, &[("x", &x)])).unwrap().remove(0);
            assert!(!report.comparison.ok());
            report.sensitive
        };
        let (right, wrong) = (scaled(1.0), scaled(1.02));
        assert!(judged(&right, &actual, true, 0));
        assert!(!judged(&wrong, &actual, true, 0), "the rewritten graph computes something else");
        assert!(!judged(&right, &other, true, 0), "the plan computes something else than its nodes");
        assert!(!judged(&right, &actual, false, 0), "a node is wrong");
        assert!(!judged(&right, &actual, true, 1), "runs differ");
    }

    /// Every third run gives another number; a NaN is like itself, and the zeros differ.
    #[test]
    fn replays_compare_bits() {
        let of = |values: [f32; 3]| {
            let runs = Cell::new(0);
            let run = || {
                runs.set(runs.get() + 1);
                vec![Tensor::from([values[runs.get() % 3]])]
            };
            let first = run();
            pollster::block_on(Replays::of(7, async || Ok(are_same(&run(), &first)))).unwrap()
        };
        assert_eq!(of([1.0, 1.0, 1.0]), Replays { runs: 7, different: 0 });
        assert_eq!(of([1.0 + f32::EPSILON, 1.0, 1.0]), Replays { runs: 7, different: 2 });
        assert_eq!(of([-0.0, 0.0, 0.0]).different, 2);
        assert_eq!(of([f32::NAN; 3]).different, 0);
        assert_eq!(of([-0.0, 0.0, 0.0]).to_string(), "2 of 7 replays give other bits");
    }
}
