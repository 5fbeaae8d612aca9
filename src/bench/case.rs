//! One operator with inputs: what is checked and timed.

use super::open_device::Listed;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::{Graph, Node};
use crate::ops::Op;
use crate::plan::{Plan, PlannedNode};
use crate::rng::Rng;
use crate::shape::{Layout, Precision};
use crate::tensor::Tensor;
use crate::verify::node::{Setup, isolate};

/// A graph of one node, and the values of its inputs. Each input of the graph is named by its position among the node's.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name in tables.
    pub(crate) name: String,
    /// The graph.
    pub(crate) graph: Graph,
    /// The node's inputs, constants included.
    pub(crate) values: Vec<Tensor>,
    /// Floating-point operations of a run.
    pub(crate) flops: u64,
    /// The fewest bytes that a run moves: every input and output once.
    pub(crate) bytes: u64,
    /// The layout of each of the node's inputs; row-major where the list is shorter.
    pub(crate) layouts: Vec<Layout>,
    /// How floats are stored.
    pub(crate) precision: Precision,
    /// Whether it is memory-bound: timed alternately with a copy of as many bytes.
    pub(crate) against_copy: bool,
    /// Only kernels whose names start with this are timed: part of an operator.
    pub(crate) only: Option<&'static str>,
}

impl Case {
    /// An operator on these values. Those from position `variable` on are constants, packed before the first run.
    ///
    /// # Errors
    /// The values do not fit the operator.
    pub fn new(name: impl Into<String>, op: impl Op + 'static, values: Vec<Tensor>, variable: usize) -> Result<Case> {
        let mut graph = Graph::new();
        let mut ids = vec![];
        for (k, t) in values.iter().enumerate() {
            let id = if k < variable {
                graph.input(k.to_string(), t.desc())
            } else {
                graph.constant(k.to_string(), t.clone())
            };
            ids.push(id?);
        }
        let name = name.into();
        for (k, id) in graph.add(name.clone(), op, &ids)?.into_iter().enumerate() {
            graph.output(k.to_string(), id);
        }
        Ok(Case::of(name, graph, values))
    }

    /// The node at a position of a network, with inputs in these layouts: its constants, and random numbers for the others.
    ///
    /// # Errors
    /// An input of the node is not f32.
    pub fn of_node(graph: &Graph, position: usize, layouts: &[Layout]) -> Result<Case> {
        let single = isolate(graph, position)?;
        let node = &graph.nodes()[position];
        let value = |(k, id): (usize, &crate::graph::ValueId)| match graph.constant_of(*id) {
            Some(tensor) => tensor.clone(),
            None => random(graph.shape(*id), k as u64),
        };
        let values = node.inputs.iter().enumerate().map(value).collect();
        let case = Case::of(node.name.clone(), single, values);
        Ok(Case { layouts: layouts.to_vec(), ..case })
    }

    fn of(name: String, graph: Graph, values: Vec<Tensor>) -> Case {
        let elements: usize =
            values.iter().map(Tensor::numel).sum::<usize>() + graph.outputs().map(|(_, d)| d.numel()).sum::<usize>();
        let (flops, bytes) = (graph.flops(), 4 * elements as u64);
        Case {
            name,
            flops,
            bytes,
            graph,
            values,
            layouts: vec![],
            precision: Precision::F32,
            against_copy: false,
            only: None,
        }
    }

    /// The name in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Floating-point operations of a run; a multiply-add counts as two.
    pub fn flops(&self) -> u64 {
        self.flops
    }

    /// The fewest bytes that a run moves: every input and output once.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The same case, timed alternately with a copy of as many bytes: for memory-bound operators.
    pub fn against_copy(self) -> Case {
        Case { against_copy: true, ..self }
    }

    /// The same case with floats stored in this precision.
    pub fn stored_in(self, precision: Precision) -> Case {
        let elements = self.bytes / self.precision.bytes() as u64;
        Case { bytes: elements * precision.bytes() as u64, precision, ..self }
    }

    /// The node.
    pub(crate) fn node(&self) -> &Node {
        &self.graph.nodes()[0]
    }

    /// One of the node's variants.
    pub(crate) fn setup(&self, alternative: usize) -> Setup {
        Setup { alternative: Some(alternative), layouts: self.layouts.clone(), precision: self.precision }
    }

    /// The node as it is planned with one of its variants; `None` if it has fewer.
    ///
    /// # Errors
    /// The device cannot compute the node.
    pub(crate) fn planned(&self, device: &Device, alternative: usize) -> Result<Option<PlannedNode>> {
        let gpu = device.gpu().ok_or_else(|| Error::argument("the reference has no kernels to choose from"))?;
        let plan = Plan::new(&self.graph, gpu.caps(), &self.setup(alternative).plan(&self.graph))?.nodes.remove(0);
        Ok(Some(plan).filter(|plan| alternative < plan.alternatives))
    }

    /// The first variants that the device has.
    ///
    /// # Errors
    /// As [`Case::planned`].
    pub(crate) fn variants(&self, device: &Device, most: usize) -> Result<Vec<Listed>> {
        let mut listed = vec![];
        while listed.len() < most {
            let Some(plan) = self.planned(device, listed.len())? else { break };
            listed.push(Listed {
                alternative: listed.len(),
                signature: plan.chosen.signature(),
                kernels: plan.kernels,
            });
        }
        Ok(listed)
    }

    /// The inputs of a run.
    pub(crate) fn inputs(&self) -> Vec<(&str, &Tensor)> {
        let value = |name: &str| &self.values[name.parse::<usize>().expect("inputs are named by position")];
        self.graph.inputs().map(|(name, _)| (name, value(name))).collect()
    }
}

/// Numbers in [-1, 1), the same every time.
pub(crate) fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = Rng(seed.wrapping_mul(0xd134_2543_de82_ef95));
    Tensor::of(shape.to_vec(), (0..shape.iter().product()).map(|_| rng.float()).collect::<Vec<f32>>())
}
