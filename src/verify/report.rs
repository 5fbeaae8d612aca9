//! What a verification found, node by node and output by output, and how it is shown.

use std::fmt;

use super::compare::{Comparison, worst};
use crate::tensor::Tensor;

/// The tolerance of an output y of the whole plan is `RTOL |y| + ATOL max |y|`; this is the part relative to the element.
pub const RTOL: f32 = 1e-3;
/// The tolerance of an output y of the whole plan is `RTOL |y| + ATOL max |y|`; this is the part relative to the
/// largest finite element.
pub const ATOL: f32 = 1e-4;

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
    /// Whether it gives the same bits in every run ([`VerifyOptions::replays`](crate::verify::VerifyOptions::replays)).
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
    /// Whether it is beyond the tolerance by no more than the bounds of the nodes allow: every node is right by its bound, the
    /// nodes one by one give the same bits, and rewriting the graph changes nothing on the reference. Then the plan is right, and
    /// the network makes small errors large, such as a norm of nearly equal values or a comparison of equal ones.
    pub sensitive: bool,
    /// The same of a network that rounds to whole steps (a quantised one), whose results differ by steps where a sum is near the
    /// middle of two: such an output is right.
    pub stepped: bool,
    /// Elements that are NaN.
    pub nan: usize,
    /// In [`Precision::F16`](crate::Precision::F16), the error of this network on this device from storing 16 bits: the largest
    /// distance from the reference when the nodes, each of which is checked separately, run one after another. Otherwise 0.
    pub rounding: f64,
    /// Whether it has the same bits in every run ([`VerifyOptions::replays`](crate::verify::VerifyOptions::replays)).
    pub replays: Replays,
}

impl OutputReport {
    /// Whether every element is within its tolerance, or differs by steps that every node's bound allows, and every run gave the
    /// same bits.
    pub fn ok(&self) -> bool {
        (self.comparison.ok() || self.stepped) && self.replays.different == 0
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
    /// The values that [`VerifyOptions::keep_values`](crate::verify::VerifyOptions::keep_values) selects, in the order in which
    /// they are computed, as far as the network as it is compiled has them. Each is computed on the device, node by node.
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
    /// How many outputs are beyond the tolerance by what the bounds of the nodes allow ([`OutputReport::sensitive`]).
    pub fn sensitive(&self) -> usize {
        self.outputs.iter().filter(|o| o.sensitive).count()
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
        for output @ OutputReport { name, comparison, sensitive, stepped, nan, rounding, replays } in &self.outputs {
            let result = match replays.different {
                0 if *sensitive => "BEYOND it, by what the bounds of the nodes allow".to_owned(),
                0 if *stepped => "ok: by whole steps, which the bounds of the nodes allow".to_owned(),
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
            if !self.nodes.is_empty() && self.nodes.iter().all(|n| n.elements() == 0) {
                return format!("{checked}: nothing to check, no node has elements");
            }
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
        let sensitive = self.sensitive();
        let outputs = self.outputs.iter().filter(|o| !o.ok()).count() - sensitive;
        let beyond =
            format!("{} beyond the tolerance by what the bounds of the nodes allow", count(sensitive, "output"));
        let wrong = format!("{} and {} WRONG", count(nodes, "node"), count(outputs, "output"));
        match (sensitive, nodes + outputs) {
            (0, _) => format!("{checked}: {wrong}{unjudged}"),
            (_, 0) => format!("{checked}: {beyond}{unjudged}"),
            _ => format!("{checked}: {wrong}, {beyond}{unjudged}"),
        }
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
    use super::percent;

    #[test]
    fn percentages_are_short() {
        assert_eq!(
            [0.0, 1.2e-3, 3.4e-9, 0.5, 123.456, f64::INFINITY].map(percent),
            ["0 %", "0.12 %", "3e-7 %", "50 %", "1e4 %", "inf %"]
        );
    }
}
