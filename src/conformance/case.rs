//! One case: an operator with its inputs, what says what is right, and a name by which it is found again.

use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::draw::{Draws, Values};
use super::families::Family;
use super::pytorch::Kind;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::ops::Op;
use crate::reference::half;
use crate::rng::Rng;
use crate::shape::Desc;
use crate::tensor::Tensor;

/// What says what the outputs of a case are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Oracle {
    /// The reference in f64, within the operator's derived bound, for random values.
    Reference,
    /// The reference for values that are small integers: results must be equal.
    Integers,
    /// The reference for values among which are NaNs, infinities, both zeros and subnormal numbers.
    Edges,
    /// PyTorch in float64, within the operator's derived bound.
    PyTorch,
}

impl Oracle {
    /// All of them.
    pub const ALL: [Oracle; 4] = [Oracle::Reference, Oracle::Integers, Oracle::Edges, Oracle::PyTorch];

    /// Its name in tables and in names of cases.
    pub fn name(self) -> &'static str {
        match self {
            Oracle::Reference => "reference",
            Oracle::Integers => "integers",
            Oracle::Edges => "edges",
            Oracle::PyTorch => "pytorch",
        }
    }
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of a case: `conv2d/integers/17`. With the seed of the run it is the same case everywhere. PyTorch's cases are those of
/// a function or of a layer, not of an operator: `functional/pytorch/17`, `module/pytorch/17`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct CaseId {
    /// The family of the operator, or the kind of PyTorch's case.
    pub op: String,
    /// What says what is right.
    pub oracle: Oracle,
    /// Which of the operator's cases.
    pub number: usize,
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.op, self.oracle, self.number)
    }
}

impl FromStr for CaseId {
    type Err = Error;

    fn from_str(text: &str) -> Result<CaseId> {
        let parsed = || {
            let (op, rest) = text.split_once('/')?;
            let (oracle, number) = rest.split_once('/')?;
            let oracle = Oracle::ALL.into_iter().find(|o| o.name() == oracle)?;
            Some(CaseId { op: op.to_owned(), oracle, number: number.parse().ok()? })
        };
        parsed().ok_or_else(|| Error::argument(format!("{text:?} names no case; a name is like conv2d/integers/17")))
    }
}

/// Operators with their inputs: one, or the few of a function or a layer.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub id: CaseId,
    /// Each node.
    pub parts: Vec<Part>,
}

/// One operator with its inputs.
#[derive(Clone, Debug)]
pub struct Part {
    /// One node.
    pub graph: Graph,
    /// The node's inputs, constants included.
    pub inputs: Vec<Tensor>,
    /// The right outputs, if another than the reference says what they are.
    pub right: Option<Vec<Tensor>>,
}

/// The most elements of an input or an output, and the most work.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Elements.
    pub elements: usize,
    /// Floating-point operations.
    pub flops: u64,
}

/// What the reference computes in some milliseconds.
const LIMITS: Limits = Limits { elements: 1 << 16, flops: 1 << 23 };

/// How often another operator is drawn where the shape rule refuses one.
const ATTEMPTS: u64 = 200;

impl Limits {
    /// Whether a graph is within them.
    pub fn hold(self, graph: &Graph) -> bool {
        let all = graph.inputs().chain(graph.outputs()).map(|(_, d)| d.numel());
        all.max() <= Some(self.elements) && graph.flops() <= self.flops
    }
}

impl Case {
    /// The random case of this name; `None` if the operator has no cases of this kind, or nothing that its shape rule accepts
    /// was drawn.
    pub fn random(family: &Family, id: &CaseId, seed: u64) -> Option<Case> {
        let values = match id.oracle {
            Oracle::Integers if family.exact => Values::Integers,
            Oracle::Edges if family.edges => Values::Edges,
            Oracle::Reference => Values::Numbers,
            _ => return None,
        };
        let mut seeds = Rng(xxh3_64_with_seed(id.to_string().as_bytes(), seed));
        (0..ATTEMPTS).find_map(|_| {
            let mut draws = Draws { rng: Rng(seeds.next()).into(), wild: false, values };
            let drawn = (family.draw)(&mut draws);
            let fits = drawn.graph().is_some_and(|graph| LIMITS.hold(&graph) && !is_empty(&graph));
            let (graph, inputs) = fits.then(|| drawn.valued(&mut draws))??;
            Some(Case { id: id.clone(), parts: vec![Part { graph, inputs, right: None }] })
        })
    }

    /// PyTorch's case of this name; `None` if there is none.
    ///
    /// # Errors
    /// The reference refuses what PyTorch computes.
    pub fn pytorch(id: &CaseId) -> Result<Option<Case>> {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == id.op) else { return Ok(None) };
        let Some(golden) = kind.cases()?.get(id.number) else { return Ok(None) };
        Ok(Some(Case { id: id.clone(), parts: golden.parts(kind)? }))
    }
}

impl Part {
    /// Whether f16 has numbers for all inputs, as far as they are finite: a kernel that reads f16 gets infinities of others.
    pub fn fits_half(&self) -> bool {
        let values = self.inputs.iter().filter(|t| t.dtype().is_float()).flat_map(Tensor::iter_f64s);
        values.into_iter().all(|v| !v.is_finite() || v.abs() <= half::LARGEST.into())
    }

    /// What says what is right, in a case of this name: the reference of an operator of several, if PyTorch has no answer to it
    /// alone.
    pub fn oracle(&self, case: &CaseId) -> Oracle {
        match case.oracle {
            Oracle::PyTorch if self.right.is_none() => Oracle::Reference,
            oracle => oracle,
        }
    }

    /// The operator.
    pub fn op(&self) -> &dyn Op {
        &*self.graph.nodes[0].op
    }

    /// The operator with its epilogue and the shapes of its inputs.
    pub fn describe(&self) -> String {
        let node = &self.graph.nodes[0];
        let inputs: Vec<_> = self.inputs.iter().map(|t| Desc::to_string(&t.desc())).collect();
        format!("{:?}{} of {}", node.op, node.epilogue, inputs.join(", "))
    }
}

/// Empty results are exact whatever a kernel does.
fn is_empty(graph: &Graph) -> bool {
    graph.outputs().all(|(_, d)| d.numel() == 0)
}
