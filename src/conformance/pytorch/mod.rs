//! PyTorch's answers, computed in float64 and rounded once: the cases of `tests/golden/make.py`, which describes the files.

mod functional;
mod module;
mod params;

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

use super::case::Part;
use crate::bound::UNIT;
use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::functional::eager::{Traced, traced};
use crate::graph::{Graph, Node, ValueId};
use crate::nn::StateDict;
use crate::session::evaluate_with_bounds;
use crate::shape::Desc;
use crate::tensor::Tensor;
use crate::verify::node::isolate;
pub use params::Params;

/// A case: a function of `torch.nn.functional`, or a layer of `torch.nn`.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Its place in the file.
    pub id: String,
    /// PyTorch's name.
    pub op: String,
    /// All options, under PyTorch's names.
    pub params: Params,
    /// Inputs and outputs by their roles.
    pub tensors: Vec<(String, Tensor)>,
    /// The roles of the inputs.
    pub inputs: Vec<String>,
    /// The roles of the outputs.
    pub outputs: Vec<String>,
}

/// Either kind of case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Functions.
    Functional,
    /// Layers.
    Module,
}

/// All cases of functions.
static FUNCTIONAL: LazyLock<Result<Vec<Golden>>> =
    LazyLock::new(|| unpack(include_bytes!("functional.safetensors.gz")));

/// All cases of layers.
static MODULE: LazyLock<Result<Vec<Golden>>> = LazyLock::new(|| unpack(include_bytes!("module.safetensors.gz")));

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Functional, Kind::Module];

    /// The name of the family.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Functional => "functional",
            Kind::Module => "module",
        }
    }

    /// All cases.
    ///
    /// # Errors
    /// The data inside the program are damaged.
    pub fn cases(self) -> Result<&'static [Golden]> {
        let all = match self {
            Kind::Functional => &FUNCTIONAL,
            Kind::Module => &MODULE,
        };
        all.as_deref().map_err(Error::clone)
    }
}

#[derive(Deserialize)]
struct Header {
    id: String,
    op: String,
    params: Value,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

fn damaged(e: impl fmt::Display) -> Error {
    Error::argument(format!("PyTorch's answers are damaged: {e}"))
}

fn unpack(compressed: &[u8]) -> Result<Vec<Golden>> {
    let mut bytes = vec![];
    GzDecoder::new(compressed).read_to_end(&mut bytes).map_err(damaged)?;
    Golden::decode(&bytes)
}

impl fmt::Display for Golden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.params)
    }
}

impl Golden {
    /// The cases of a file, uncompressed.
    ///
    /// # Errors
    /// It is no such file.
    pub fn decode(bytes: &[u8]) -> Result<Vec<Golden>> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let cases =
            metadata.metadata().as_ref().and_then(|m| m.get("cases")).ok_or_else(|| damaged("no list of cases"))?;
        let headers: Vec<Header> = serde_json::from_str(cases).map_err(damaged)?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let tensor = |id: &str, role: &String| {
            let view = file.tensor(&format!("{id}.{role}")).map_err(damaged)?;
            let words = view.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
            let tensor = match view.dtype() {
                Dtype::F32 => Tensor::new(view.shape(), words.map(f32::from_le_bytes).collect::<Vec<_>>()),
                Dtype::I32 => Tensor::new(view.shape(), words.map(i32::from_le_bytes).collect::<Vec<_>>()),
                other => return Err(damaged(format!("{role} is {other:?}"))),
            };
            Ok((role.clone(), tensor?))
        };
        let golden = |Header { id, op, params, inputs, outputs }: Header| {
            let tensors = inputs.iter().chain(&outputs).map(|role| tensor(&id, role)).collect::<Result<_>>()?;
            Ok(Golden { params: Params::new(&op, params), id, op, tensors, inputs, outputs })
        };
        headers.into_iter().map(golden).collect()
    }

    /// The tensor of this role; `None` if the case has none (no bias, say).
    pub fn get(&self, role: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|(name, _)| name == role).map(|(_, t)| t)
    }

    /// The tensor of a role that every case of the operator has.
    fn tensor(&self, role: &str) -> Result<&Tensor> {
        self.get(role).ok_or_else(|| Error::argument(format!("case {} {} has no {role}", self.id, self.op)))
    }

    /// Calls the function, or the layer, on a device: its outputs by name.
    ///
    /// # Errors
    /// Those of the call.
    pub fn call(&self, kind: Kind, device: &Device) -> Result<Vec<(String, DeviceTensor)>> {
        match kind {
            Kind::Functional => {
                let outputs = functional::call(self, device)?;
                Ok(outputs.into_iter().enumerate().map(|(k, t)| (k.to_string(), t)).collect())
            }
            Kind::Module => module::call(self, device),
        }
    }

    /// PyTorch's outputs, in the order of [`Golden::call`].
    pub fn expected(&self) -> impl Iterator<Item = &Tensor> {
        self.outputs.iter().filter_map(|role| self.get(role))
    }

    /// The state dict of a layer.
    pub fn state(&self) -> StateDict {
        let named = |role: &String| Some((role.strip_prefix("state.")?.to_owned(), self.get(role)?.clone()));
        self.inputs.iter().filter_map(named).collect()
    }

    /// The nodes that the call makes, with their inputs. PyTorch's outputs are those of the last one, but for reshapes after it,
    /// if nothing that went before rounds: then they are right by the bound of this node alone.
    pub(super) fn parts(&self, kind: Kind) -> Result<Vec<Part>> {
        let device = Device::cpu();
        let (outputs, runs) = traced(|| self.call(kind, &device));
        let names: Vec<String> = outputs?.into_iter().map(|(name, _)| name).collect();
        let mut parts = vec![];
        for run in &runs {
            parts.extend(parts_of(run)?);
        }
        if let Some(graph) = runs.last().map(|run| run.compiled.graph())
            && let Some(last) = judged(graph)
        {
            let at = parts.len() - graph.nodes.len() + last;
            if parts.iter().take(at).all(|(_, rounds)| !rounds) {
                parts[at].0.right = self.right(graph, &graph.nodes[last], &names)?;
            }
        }
        Ok(parts.into_iter().map(|(part, _)| part).collect())
    }

    /// PyTorch's answers to all outputs of a node, in their types and shapes; `names` are those of PyTorch's outputs in the
    /// graph. `None` if an output of the node is none of the graph, but for reshapes.
    fn right(&self, graph: &Graph, node: &Node, names: &[String]) -> Result<Option<Vec<Tensor>>> {
        let expected: HashMap<&str, &Tensor> = names.iter().map(String::as_str).zip(self.expected()).collect();
        let given = |id: ValueId| {
            let (name, _) = graph.outputs.iter().find(|(_, output)| *output == id || reshaped(graph, *output) == id)?;
            expected.get(name.as_str())
        };
        let Some(all) = node.outputs.iter().map(|&id| given(id)).collect::<Option<Vec<_>>>() else { return Ok(None) };
        let descs: Vec<&Desc> = node.outputs.iter().map(|&id| graph.desc(id)).collect();
        if all.iter().zip(&descs).any(|(t, desc)| t.numel() != desc.numel()) {
            return Ok(None);
        }
        let of = |(expected, desc): (&&Tensor, &Desc)| expected.to_dtype(desc.dtype).reshape(&desc.shape[..]);
        all.into_iter().zip(descs).map(of).collect::<Result<_>>().map(Some)
    }
}

/// The last node, but for reshapes if there are others.
fn judged(graph: &Graph) -> Option<usize> {
    graph.nodes.iter().rposition(|node| !is_reshape(node)).or(graph.nodes.len().checked_sub(1))
}

fn is_reshape(node: &Node) -> bool {
    node.op.name() == "reshape"
}

/// The value of which this one is another shape.
fn reshaped(graph: &Graph, id: ValueId) -> ValueId {
    let made = graph.nodes.iter().find(|node| is_reshape(node) && node.outputs[0] == id);
    made.map_or(id, |node| reshaped(graph, node.inputs[0]))
}

/// The nodes of a graph that ran, each with its inputs by the reference, and whether its outputs may be rounded.
fn parts_of(run: &Traced) -> Result<Vec<(Part, bool)>> {
    let graph = run.compiled.graph();
    let mut values: Vec<Option<Tensor>> = graph.values.iter().map(|v| v.constant.clone()).collect();
    for (id, (name, _)) in graph.inputs.iter().zip(graph.inputs()) {
        if let Some((_, tensor)) = run.inputs.iter().find(|(n, _)| n == name) {
            values[id.0] = Some(tensor.to_host()?);
        }
    }
    let mut parts = vec![];
    for (position, node) in graph.nodes.iter().enumerate() {
        let inputs: Option<Vec<Tensor>> = node.inputs.iter().map(|id| values[id.0].clone()).collect();
        let inputs = inputs.ok_or_else(|| Error::argument(format!("{} has an input without a value", node.name)))?;
        let (outputs, bounds) = evaluate_with_bounds(node, &inputs, Default::default())?;
        node.outputs.iter().zip(outputs).for_each(|(id, output)| values[id.0] = Some(output));
        let largest = bounds.map_or(f32::INFINITY, |bounds| bounds.into_iter().flatten().fold(0.0, f32::max));
        let rounds = largest != 0.0 && !is_exact_product(node, &inputs, largest);
        parts.push((Part { graph: isolate(graph, position)?, inputs, right: None }, rounds));
    }
    Ok(parts)
}

/// Whether f32 holds every sum of terms of a product of two tensors, to which others are added: the terms are multiples of a
/// power of two, and their magnitudes add up to less than 2^24 of these. The bound is at least one rounding of that sum.
fn is_exact_product(node: &Node, inputs: &[Tensor], bound: f32) -> bool {
    let is_product = ["conv2d", "matmul"].contains(&node.op.name()) && node.epilogue.is_none();
    let ([a, b, added @ ..], true) = (inputs, is_product) else { return false };
    let unit = added.iter().map(unit_of).fold(unit_of(a) * unit_of(b), f64::min);
    f64::from(bound) / UNIT < f64::from(1 << 24) * unit
}

/// The largest power of two of which all elements are multiples; 0 if one is not finite.
fn unit_of(tensor: &Tensor) -> f64 {
    let unit = |v: f64| match v {
        0.0 => f64::INFINITY,
        v if !v.is_finite() => 0.0,
        // The lowest bit of the mantissa that is set. As f64 no f32 is subnormal.
        v => {
            let exponent = (v.to_bits() >> 52 & 0x7ff) as i32 - 1075;
            2f64.powi(exponent + (v.to_bits() & ((1 << 52) - 1) | 1 << 52).trailing_zeros() as i32)
        }
    };
    tensor.iter_f64s().map(unit).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functional::{Conv2dOptions, relu};

    #[test]
    fn units_are_lowest_bits() {
        let of = |values: &[f32]| unit_of(&Tensor::of([values.len()], values.to_vec()));
        assert_eq!(of(&[3.0, -0.5, 0.0]), 0.5);
        assert_eq!(of(&[1.0 + f32::EPSILON]), f64::from(f32::EPSILON));
        assert_eq!(of(&[f32::from_bits(1), 4.0]), f64::from(f32::from_bits(1)));
        assert_eq!(of(&[f32::MAX]), 2f64.powi(104));
        assert_eq!(of(&[f32::NAN, 1.0]), 0.0);
        assert_eq!(of(&[0.0]), f64::INFINITY);
    }

    /// Whether the first node of a call may round, by the products of x and a weight.
    fn rounds(x: f32, weight: f32) -> bool {
        let device = Device::cpu();
        let tensor = |shape: [usize; 4], v: f32| Tensor::full(shape, v).to_device(&device).unwrap();
        let (x, weight) = (tensor([1, 2, 1, 3], x), tensor([2, 2, 1, 1], weight));
        let (y, runs) = traced(|| relu(&crate::functional::conv2d(&x, &weight, None, Conv2dOptions::new())?));
        y.unwrap();
        parts_of(&runs[0]).unwrap()[0].1
    }

    /// PyTorch's answers of a layer whose products are exact are those of the recurrence, all of its outputs; of other layers
    /// only the last node of all would be compared, which is no recurrence.
    #[test]
    fn all_outputs_of_a_recurrence_are_answered() {
        for (op, states) in [("LSTM", 2), ("GRU", 1), ("RNN", 1)] {
            let cases = Kind::Module.cases().unwrap().iter().filter(|golden| golden.op == op);
            let mut answered = 0;
            for golden in cases {
                let parts = golden.parts(Kind::Module).unwrap();
                let part = parts.iter().find(|part| part.op().name() == op.to_lowercase()).unwrap();
                let Some(right) = &part.right else { continue };
                assert_eq!((right.len(), golden.outputs.len()), (1 + states, 1 + states), "{golden}");
                for (right, expected) in right.iter().zip(golden.expected()) {
                    assert_eq!(right.as_f32().unwrap(), expected.as_f32().unwrap(), "{golden}");
                }
                answered += 1;
            }
            assert!(answered >= 10, "{op}: {answered}");
        }
    }

    #[test]
    fn products_of_few_bits_are_exact() {
        assert!(!rounds(1.5, 0.25));
        assert!(!rounds(1023.0, 511.0 / 8.0));
        assert!(rounds(4097.0, 4097.0));
        assert!(rounds(0.1, 0.1));
    }
}
