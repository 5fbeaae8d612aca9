//! PyTorch's answers, computed in float64 and rounded once: the cases of `tests/golden/make.py`, which describes the files.

mod functional;
mod module;
mod params;

use std::fmt;
use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

use super::case::Part;
use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::functional::eager::{Traced, traced};
use crate::graph::Graph;
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
        outputs?;
        let mut parts = vec![];
        for run in &runs {
            parts.extend(parts_of(run)?);
        }
        let last = parts.iter().rposition(|(part, _)| part.op().name() != "reshape").unwrap_or(0);
        if parts.iter().take(last).all(|(_, rounds)| !rounds)
            && let Some((end, _)) = parts.last()
            && self.is_output_of(&end.graph)
        {
            let right = self.right(&parts[last].0.graph)?;
            parts[last].0.right = Some(right);
        }
        Ok(parts.into_iter().map(|(part, _)| part).collect())
    }

    /// Whether PyTorch's outputs have the shapes of a node's.
    fn is_output_of(&self, node: &Graph) -> bool {
        node.outputs().map(|(_, desc)| &desc.shape[..]).eq(self.expected().map(Tensor::shape))
    }

    /// PyTorch's outputs in the types and the shapes of a node's.
    fn right(&self, node: &Graph) -> Result<Vec<Tensor>> {
        let of = |((_, desc), expected): ((_, &Desc), &Tensor)| expected.to_dtype(desc.dtype).reshape(&desc.shape[..]);
        node.outputs().zip(self.expected()).map(of).collect()
    }
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
        let rounds = bounds.is_none_or(|bounds| bounds.iter().flatten().any(|bound| *bound != 0.0));
        parts.push((Part { graph: isolate(graph, position)?, inputs, right: None }, rounds));
    }
    Ok(parts)
}
