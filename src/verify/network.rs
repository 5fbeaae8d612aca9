//! Compares a whole network on a device with the reference: every node separately, then the whole plan end to end.

use std::fmt;
use std::sync::Arc;

use super::compare::{Comparison, compare, worst};
use super::node::{Checked, Setup, Trial, are_same, check_node, check_without_workgroup_memory, isolate, run_node};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::{Graph, Node};
use crate::session::{CompileOptions, Compiled, Given, Network, Ready};
use crate::shape::Precision;
use crate::tensor::Tensor;

/// The tolerance of an output y of the whole plan is `RTOL |y| + ATOL max |y|`; this is the part relative to the element.
pub const RTOL: f32 = 1e-3;
/// The tolerance of an output y of the whole plan is `RTOL |y| + ATOL max |y|`; this is the part relative to the
/// largest finite element.
pub const ATOL: f32 = 1e-4;

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

/// The comparison of one node with the reference.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeReport {
    /// The node.
    pub name: String,
    /// Its operator with its epilogue.
    pub op: String,
    /// The kernels that computed it.
    pub kernels: String,
    /// One comparison per output, within the operator's derived bound if it is known.
    pub outputs: Vec<Comparison>,
    /// Of a wrong node whose kernels use workgroup memory: what those without it give.
    pub sibling: Option<Sibling>,
    /// Whether it gives the same bits in every run ([`VerifyOptions::replays`]).
    pub replays: Replays,
    /// The share of its bounds within which the error stays if rounding errors are independent; 1 where that is not known.
    pub probable: f64,
}

/// How often something ran again, and how often it gave other bits than in the first run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replays {
    /// Runs after the first.
    pub runs: usize,
    /// Those that gave other bits.
    pub different: usize,
}

impl fmt::Display for Replays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} replays give other bits", self.different, self.runs)
    }
}

/// The kernels that compute a node without workgroup memory: all nodes have such kernels where an adapter is said to have no such
/// memory (`--avoid-workgroup-memory`, `CONVGPU_AVOID_WORKGROUP_MEMORY=1`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sibling {
    /// The kernels.
    pub kernels: String,
    /// Whether they are right.
    pub ok: bool,
}

impl fmt::Display for Sibling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is = if self.ok { "right: use it by --avoid-workgroup-memory" } else { "wrong, too" };
        write!(f, "without workgroup memory, {} is {is}", self.kernels)
    }
}

/// The comparison of one output of the whole plan (fused, buffers reused) with the graph before rewriting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutputReport {
    /// The output.
    pub name: String,
    /// The comparison within [`RTOL`] |y| + [`ATOL`] max |y| + 2 `rounding`.
    pub comparison: Comparison,
    /// Elements that are NaN.
    pub nan: usize,
    /// In [`Precision::F16`], the error of this network on this device from storing 16 bits: the largest distance from
    /// the reference when the nodes, each of which is checked separately, run one after another. Otherwise 0.
    pub rounding: f64,
    /// Whether it has the same bits in every run ([`VerifyOptions::replays`]).
    pub replays: Replays,
}

impl OutputReport {
    /// Whether every element is within its tolerance, and every run gave the same bits.
    pub fn ok(&self) -> bool {
        self.comparison.ok() && self.replays.different == 0
    }
}

/// The result of verifying a network.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "a report checks nothing unless its result is used"]
pub struct Report {
    /// The device.
    pub device: String,
    /// Every node of the rewritten graph, with the inputs that the device itself computed.
    pub nodes: Vec<NodeReport>,
    /// Every output of the network.
    pub outputs: Vec<OutputReport>,
    /// What the first wrong node was given, what it gave, and what is right.
    pub evidence: Option<Evidence>,
    /// The values that [`VerifyOptions::keep_values`] selects, in the order in which they are computed, as far as the network
    /// as it is compiled has them. Each is computed on the device, node by node.
    pub values: Vec<NodeValue>,
}

/// A value of the network, as the device computed it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeValue {
    /// Its name.
    pub name: String,
    /// The node that makes it.
    pub node: String,
    /// The operator of the node, with its epilogue.
    pub op: String,
    /// The elements.
    pub tensor: Tensor,
}

/// Everything about a wrong node: enough to compute it again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evidence {
    /// The node.
    pub node: String,
    /// Its inputs, weights among them.
    pub inputs: Vec<Tensor>,
    /// What the device gave.
    pub outputs: Vec<Tensor>,
    /// What the reference gives.
    pub expected: Vec<Tensor>,
    /// The largest error that every element may have; empty if that is not known.
    pub bounds: Vec<Tensor>,
}

impl NodeReport {
    /// Whether every element is within its bound. Of a node that is not [judged](NodeReport::judged): whether every element is
    /// finite where the reference's is, and only there. And whether every run gave the same bits.
    pub fn ok(&self) -> bool {
        self.outputs.iter().all(Comparison::ok) && self.replays.different == 0
    }
    /// Whether the error is within the bound, but larger than independent rounding errors explain: that is no proof of a fault,
    /// and unlikely without one.
    pub fn unlikely(&self) -> bool {
        self.ok() && self.worst() > self.probable
    }
    /// Whether the operator's bounds are known. If not, the differences of the node are shown, and its verdict is "not known".
    pub fn judged(&self) -> bool {
        self.outputs.iter().all(|c| c.judged)
    }
    /// The largest ratio of error to bound; NaN if the bounds are not known and no element is wrong whatever they are.
    pub fn worst(&self) -> f64 {
        worst(&self.outputs)
    }
    /// The largest difference from the reference, of elements that are finite in both.
    pub fn difference(&self) -> f64 {
        self.outputs.iter().map(|c| c.difference).fold(0.0, f64::max)
    }
    /// Elements that are NaN or infinite on both.
    pub fn nonfinite(&self) -> usize {
        self.outputs.iter().map(|c| c.nonfinite).sum()
    }
    /// The elements of all outputs.
    pub fn elements(&self) -> usize {
        self.outputs.iter().map(|c| c.elements).sum()
    }
    /// Whether there is something to check: false if it has elements, and none of them is finite.
    pub fn checkable(&self) -> bool {
        self.elements() == 0 || self.nonfinite() < self.elements()
    }
}

impl Report {
    /// Whether everything that has a bound is within it. Nodes without bounds ([`Report::unjudged`]) neither pass nor fail by one.
    pub fn ok(&self) -> bool {
        self.first_wrong().is_none() && self.outputs.iter().all(OutputReport::ok)
    }
    /// Whether there was something to check of every node: false if all elements of one are NaN or infinite on both sides.
    pub fn checkable(&self) -> bool {
        self.nodes.iter().all(NodeReport::checkable)
    }
    /// How many nodes have elements, none of which is finite.
    pub fn uncheckable(&self) -> usize {
        self.nodes.iter().filter(|n| !n.checkable()).count()
    }
    /// How many nodes are within their bounds, but not what rounding looks like ([`NodeReport::unlikely`]).
    pub fn unlikely(&self) -> usize {
        self.nodes.iter().filter(|n| n.unlikely()).count()
    }
    /// How many nodes were compared and not judged, since the bounds of their operators are not known.
    pub fn unjudged(&self) -> usize {
        self.nodes.iter().filter(|n| !n.judged()).count()
    }
    /// The first node with a NaN or an infinity in its result, on the device or on both sides.
    pub fn first_nonfinite(&self) -> Option<&NodeReport> {
        let wrong = |n: &NodeReport| n.outputs.iter().flat_map(|c| &c.first).any(|m| !m.actual.is_finite());
        self.nodes.iter().find(|n| n.nonfinite() > 0 || wrong(n))
    }
    /// The first node with an element outside its bound, or, where that is not known, outside any bound; or with other bits in
    /// another run.
    pub fn first_wrong(&self) -> Option<&NodeReport> {
        self.nodes.iter().find(|n| !n.ok())
    }
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
    let precision = options.compile.plan.precision;
    let find = |name: &String| {
        let found = rewritten.nodes.iter().position(|n| n.name == *name);
        found.ok_or_else(|| Error::argument(format!("there is no node {name} after rewriting")))
    };
    options.fail_at.as_ref().map(find).transpose()?;
    let from = options.from.as_ref().map(find).transpose()?.unwrap_or(0);
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
            let mut checked = check_node(device, rewritten, i, &given, &setup).await?;
            if options.fail_at.as_ref() == Some(&node.name) {
                checked = corrupt(checked)?;
            }
            let mut report = NodeReport::of(node, &checked);
            if options.replays > 0 {
                let trial = Trial::new(device, &isolate(rewritten, i)?, &given, &setup).await?;
                report.replays = Replays::of(options.replays, async || trial.run().await).await?;
            }
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
    let mut outputs = vec![];
    for (name, actual, expected, replays) in whole {
        let id = rewritten.outputs.iter().find(|(n, _)| *n == name).map(|(_, id)| id);
        let stepwise = id.and_then(|id| values[id.0].as_ref()).filter(|_| precision == Precision::F16);
        let rounding = stepwise.map_or(0.0, |t| distance(t, &expected));
        let comparison = compare(&actual, &expected, &tolerances(&expected, rounding));
        let nan = actual.iter_f64s().filter(|v| v.is_nan()).count();
        outputs.push(OutputReport { name, comparison, nan, rounding, replays });
    }
    Ok(Report { device: device.to_string(), nodes, outputs, evidence, values: kept })
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
    /// Runs `run` once, and this many times more.
    async fn of(runs: usize, run: impl AsyncFn() -> Result<Vec<Tensor>>) -> Result<Replays> {
        let first = run().await?;
        let mut out = Replays::default();
        while out.runs < runs {
            out.runs += 1;
            out.different += usize::from(!are_same(&run().await?, &first));
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
    let plain = CompileOptions { rewrite: false, ..CompileOptions::default() };
    let expected = Compiled::new_async(&Device::cpu(), graph.clone(), &plain).await?.run_async(inputs).await?;
    let pairs = actual.0.into_iter().zip(expected.0).zip(all);
    Ok(pairs.map(|(((name, a), (_, e)), replays)| (name, a, e, replays)).collect())
}

/// The largest distance of elements that are finite in both.
pub fn distance(a: &Tensor, b: &Tensor) -> f64 {
    let pairs = a.iter_f64s().zip(b.iter_f64s());
    pairs.map(|(a, b)| (a - b).abs()).filter(|d| d.is_finite()).fold(0.0, f64::max)
}

/// [`RTOL`] |y| + [`ATOL`] max |y| + 2 `rounding` of a float output; integers must be equal. Twice, since the plan and
/// the separate nodes may round differently.
pub fn tolerances(expected: &Tensor, rounding: f64) -> Vec<f32> {
    if !expected.dtype().is_float() {
        return vec![0.0; expected.numel()];
    }
    let finite = || expected.iter_f64s().map(|v| if v.is_finite() { v.abs() as f32 } else { 0.0 });
    let largest = finite().fold(0.0, f32::max);
    finite().map(|v| RTOL * v + ATOL * largest + 2.0 * rounding as f32).collect()
}

/// Moves the middle element of an output far outside its bound.
fn corrupt(mut checked: Checked) -> Result<Checked> {
    let output = &mut checked.outputs[0];
    let mut values = output.as_f32()?.to_vec();
    let middle = values.len() / 2;
    if let Some(v) = values.get_mut(middle) {
        *v += 10.0 * (1.0 + v.abs() + checked.expected.bounds.as_ref().map_or(0.0, |b| b[0][middle]));
    }
    *output = Tensor::new(output.shape(), values)?;
    Ok(checked.compared())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "device  {}\n", self.device)?;
        writeln!(f, "{:<30} {:<26} {:<34} {:>11}  result", "node", "operator", "kernels", "error/bound")?;
        for n in &self.nodes {
            let result = match (n.ok(), n.checkable()) {
                (false, _) if n.replays.different > 0 => format!("WRONG: {}", n.replays),
                (false, _) => "WRONG".to_owned(),
                (true, false) => "not checkable: nothing is finite".to_owned(),
                (true, true) if !n.judged() => format!("not judged: differs by {:.1e}", n.difference()),
                (true, true) if n.unlikely() => "ok, but not what rounding looks like".to_owned(),
                (true, true) if n.elements() == 0 => "nothing to check: no elements".to_owned(),
                (true, true) if n.nonfinite() > 0 => format!("ok, {} NaN or infinite", n.nonfinite()),
                (true, true) => "ok".to_owned(),
            };
            let worst = if n.worst().is_nan() { "not known".to_owned() } else { format!("{:.1e}", n.worst()) };
            writeln!(f, "{:<30} {:<26} {:<34} {worst:>11}  {result}", n.name, n.op, n.kernels)?;
            n.outputs.iter().filter(|c| !c.ok()).try_for_each(|c| writeln!(f, "{c}"))?;
            n.sibling.iter().try_for_each(|sibling| writeln!(f, "  {sibling}"))?;
        }
        if let Some(first) = self.first_nonfinite() {
            writeln!(f, "the first NaN or infinity is in the result of {}", first.name)?;
        }
        for output @ OutputReport { name, comparison, nan, rounding, replays } in &self.outputs {
            let result = match replays.different {
                0 if output.ok() => "ok".to_owned(),
                0 => "WRONG".to_owned(),
                _ => format!("WRONG: {replays}"),
            };
            let stored = if *rounding > 0.0 { format!(" + 2 x {rounding:.1e} of storing f16") } else { String::new() };
            let tolerance = format!("the tolerance ({RTOL:e} |x| + {ATOL:e} max|x|{stored})");
            let nan = if *nan > 0 { format!(", {nan} NaN") } else { String::new() };
            writeln!(f, "output {name:?}: error {} of {tolerance}  {result}{nan}", percent(comparison.worst))?;
        }
        writeln!(f, "{}", self.conclusion())
    }
}

impl Report {
    /// How many nodes and outputs were checked, how many of them are wrong, and how many nodes were not judged.
    fn conclusion(&self) -> String {
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let judged = self.nodes.len() - self.unjudged();
        let checked = format!("{} and {} checked", count(judged, "node"), count(self.outputs.len(), "output"));
        let unjudged = match self.unjudged() {
            0 => String::new(),
            n => format!("; {} not judged: the bounds of their operators are not known", count(n, "node")),
        };
        if self.ok() {
            let but = match self.uncheckable() {
                0 => String::new(),
                n => format!(", but {} without a finite element", count(n, "node")),
            };
            let unlikely = match self.unlikely() {
                0 => String::new(),
                n => format!("; {} not what rounding looks like", count(n, "node")),
            };
            let same = match self.outputs.first().map_or(0, |o| o.replays.runs) {
                0 => String::new(),
                n => format!("; the same bits in {}", count(n, "replay")),
            };
            return format!("{checked}: all within their bounds{but}{unlikely}{same}{unjudged}");
        }
        let nodes = self.nodes.iter().filter(|n| !n.ok()).count();
        let outputs = self.outputs.iter().filter(|o| !o.ok()).count();
        format!("{checked}: {} and {} WRONG{unjudged}", count(nodes, "node"), count(outputs, "output"))
    }
}

/// A ratio in percent: two decimals, or a power of ten.
pub fn percent(ratio: f64) -> String {
    match 100.0 * ratio {
        p if p == 0.0 || (0.01..1e4).contains(&p) => format!("{} %", (100.0 * p).round() / 100.0),
        p => format!("{p:.0e} %"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Replays, percent};
    use crate::tensor::Tensor;

    /// Every third run gives another number; a NaN is like itself, and the zeros differ.
    #[test]
    fn replays_compare_bits() {
        let of = |values: [f32; 3]| {
            let runs = Cell::new(0);
            let run = async || {
                runs.set(runs.get() + 1);
                Ok(vec![Tensor::from([values[runs.get() % 3]])])
            };
            pollster::block_on(Replays::of(7, run)).unwrap()
        };
        assert_eq!(of([1.0, 1.0, 1.0]), Replays { runs: 7, different: 0 });
        assert_eq!(of([1.0 + f32::EPSILON, 1.0, 1.0]), Replays { runs: 7, different: 2 });
        assert_eq!(of([-0.0, 0.0, 0.0]).different, 2);
        assert_eq!(of([f32::NAN; 3]).different, 0);
        assert_eq!(of([-0.0, 0.0, 0.0]).to_string(), "2 of 7 replays give other bits");
    }

    #[test]
    fn percentages_are_short() {
        assert_eq!(
            [0.0, 1.2e-3, 3.4e-9, 0.5, 123.456, f64::INFINITY].map(percent),
            ["0 %", "0.12 %", "3e-7 %", "50 %", "1e4 %", "inf %"]
        );
    }
}
