//! A network from a file, and what it says about itself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use super::functions::Definitions;
use super::node::Node;
use crate::shape::{DType, ValueInfo, list, list_first};
use crate::tensor::Tensor;

/// Optional inputs that `Display` names; the others are counted. Exporters may write every weight as one.
const NAMED: usize = 4;

/// A network from an ONNX file: checked, with its weights in memory. Extents may still be open.
///
/// ```
/// use convgpu::{Device, Model, Tensor};
///
/// let model = Model::load("tests/models/lenet5_mnist.onnx")?;
/// println!("{model}");
/// assert_eq!(model.inputs()[0].to_string(), "input: f32[1, 1, 28, 28]");
/// assert_eq!(model.num_parameters(), 61_706);
///
/// let session = model.compile(&Device::cpu())?; // Device::new()? is the best GPU
/// let outputs = session.run(&[("input", &Tensor::zeros([1, 1, 28, 28]))])?;
/// assert_eq!(outputs["probs"].shape(), [1, 10]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// Files are untrusted: anything broken in one gives an error.
///
/// ```
/// use convgpu::{ErrorKind, Model};
///
/// assert_eq!(Model::from_bytes(b"no model").unwrap_err().kind(), ErrorKind::File);
/// ```
#[derive(Clone)]
pub struct Model {
    pub(super) opset: i64,
    pub(super) producer: String,
    pub(super) metadata: Vec<(String, String)>,
    /// In an order in which each node comes after what it reads; all have names.
    pub(super) nodes: Vec<Node>,
    /// What nodes of branches may name.
    pub(super) definitions: Definitions,
    /// Initialisers and the values of Constant nodes.
    pub(super) constants: HashMap<String, Tensor>,
    pub(super) inputs: Vec<ValueInfo>,
    /// Those which the file has a value for.
    pub(super) optional: Vec<ValueInfo>,
    pub(super) outputs: Vec<ValueInfo>,
    /// Inputs, optional ones included, and outputs as the file describes them.
    pub(super) declared: Declared,
    /// Names of inputs that decide a shape, an axis or a scale.
    pub(super) shape_inputs: Vec<String>,
    /// Values that the file declares as floats of 16 bits.
    pub(super) halves: HashMap<String, DType>,
    /// Initialisers of integers of 4 bits, which are held in 8.
    pub(super) nibbles: HashSet<String>,
    /// Whether any tensor or conversion in the file is of u64, which is held as i64.
    pub(super) has_u64: bool,
}

/// Inputs and outputs as the file describes them: a program may have replaced the descriptions.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub inputs: Vec<ValueInfo>,
    pub outputs: Vec<ValueInfo>,
}

impl Model {
    /// The inputs of a run, without constants.
    pub fn inputs(&self) -> &[ValueInfo] {
        &self.inputs
    }

    /// What a run may be given besides: the file has a value for each, which holds unless a run gives another.
    pub fn optional_inputs(&self) -> &[ValueInfo] {
        &self.optional
    }

    /// The outputs of a run. Extents are open where they may change with those of the inputs.
    pub fn outputs(&self) -> &[ValueInfo] {
        &self.outputs
    }

    /// The version of ONNX's operator set that the model is written in.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// The program that wrote the file and its version, according to the file; may be empty.
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// What the file says about itself besides, as pairs of a key and a value; `Image.BitmapPixelFormat` and other keys have a
    /// meaning (<https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md>).
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    /// The number of weights and other constants, in elements.
    pub fn num_parameters(&self) -> usize {
        self.constants.values().map(Tensor::numel).sum()
    }

    /// How often the model uses each of ONNX's operators, by name. Constants do not count.
    pub fn operators(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for node in &self.nodes {
            *counts.entry(node.op_type()).or_default() += 1;
        }
        counts
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({} nodes, {} -> {})", self.nodes.len(), list(&self.inputs), list(&self.outputs))
    }
}

/// The inputs, outputs, origin, operators and size of the network.
impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "inputs      {}", list(&self.inputs))?;
        if !self.optional.is_empty() {
            writeln!(f, "optional    {}", list_first(&self.optional, NAMED))?;
        }
        writeln!(f, "outputs     {}", list(&self.outputs))?;
        let by = if self.producer.is_empty() { String::new() } else { format!(", by {}", self.producer) };
        writeln!(f, "format      ONNX, operator set {}{by}", self.opset)?;
        let counts: Vec<String> = self.operators().iter().map(|(name, n)| format!("{name} {n}")).collect();
        writeln!(f, "operators   {}", counts.join(", "))?;
        write!(f, "parameters  {}", self.num_parameters())
    }
}
