//! A network as values and nodes; every shape is known.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};
use crate::ops::{Epilogue, Op};
use crate::shape::{Desc, checked_numel};
use crate::tensor::Tensor;

/// A value of a graph: the result of [`Graph::input`] or of a layer, and the input of layers. It belongs to its graph
/// and that graph's clones; another graph refuses it.
///
/// ```
/// use convgpu::{Desc, ErrorKind, Graph, Tensor};
///
/// let mut graph = Graph::new();
/// let x = graph.input("x", Desc::f32([2, 3]))?;
/// assert_eq!(graph.shape(x), [2, 3]);
///
/// let mut other = Graph::new();
/// other.input("a", Desc::f32([4]))?;
/// other.output("y", x);
/// let e = other.compile(&convgpu::Device::cpu()).unwrap_err();
/// assert_eq!(e.kind(), ErrorKind::Argument);
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub(crate) usize, pub(super) u32);

/// A tensor of the network, as far as it is known before a run.
#[derive(Clone, Debug)]
pub struct Value {
    /// Unique in the graph if the source has unique names.
    pub name: String,
    /// Shape and type.
    pub desc: Desc,
    /// Its elements, if it is a constant.
    pub constant: Option<Tensor>,
}

/// An operator applied to values.
#[derive(Clone, Debug)]
pub struct Node {
    /// Names the node in errors, reports and profiles.
    pub name: String,
    /// What it computes.
    pub op: Arc<dyn Op>,
    /// The operator's inputs, then those of the epilogue.
    pub inputs: Vec<ValueId>,
    /// Its results.
    pub outputs: Vec<ValueId>,
    /// Applied to the first output before it is stored.
    pub epilogue: Epilogue,
}

/// A network: values, and nodes in an order in which each comes after its inputs.
///
/// ```
/// use convgpu::{Desc, Device, Graph, Tensor};
///
/// let mut graph = Graph::new();
/// let x = graph.input("x", Desc::f32([1, 3]))?;
/// let weight = graph.constant("weight", Tensor::from([[1.0f32, 0.0, -1.0], [2.0, 1.0, 0.0]]))?;
/// let y = graph.linear(x, weight, None)?;
/// graph.output("y", y);
///
/// let session = graph.compile(&Device::cpu())?;
/// let outputs = session.run(&[("x", &Tensor::from([[1.0f32, 2.0, 3.0]]))])?;
/// assert_eq!(outputs["y"], Tensor::from([[-2.0f32, 4.0]]));
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    pub(crate) values: Vec<Value>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) outputs: Vec<(String, ValueId)>,
    /// Values that lie on the device and are the same in every run, and the numbers of their tensors there.
    pub(crate) resident: Vec<(ValueId, u64)>,
    pub(super) scope: String,
    /// The number in the ids of its values; clones share it.
    pub(super) identity: u32,
    /// The error of an output that is a value of another graph.
    stray: Option<Error>,
}

impl Default for Graph {
    fn default() -> Graph {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Graph {
            values: vec![],
            nodes: vec![],
            inputs: vec![],
            outputs: vec![],
            resident: vec![],
            scope: String::new(),
            identity: NEXT.fetch_add(1, Ordering::Relaxed),
            stray: None,
        }
    }
}

impl Graph {
    /// A network without values yet.
    pub fn new() -> Graph {
        Graph::default()
    }

    pub(super) fn value(&mut self, name: String, desc: Desc, constant: Option<Tensor>) -> Result<ValueId> {
        if checked_numel(&desc.shape).is_none() {
            return Err(Error::unsupported(format!("{desc} has 2^31 elements or more")).at(name));
        }
        if desc.dtype != desc.dtype.computed() {
            let text = format!("{desc}: a graph computes in f32; a session converts inputs and outputs of models");
            return Err(Error::unsupported(text).at(name));
        }
        self.values.push(Value { name, desc, constant });
        Ok(ValueId(self.values.len() - 1, self.identity))
    }

    /// An error unless all these are values of this graph.
    pub(crate) fn own(&self, ids: &[ValueId]) -> Result<()> {
        match ids.iter().find(|id| self.find(**id).is_none()) {
            Some(_) => Err(Error::argument("a value of another graph is used: take values of this graph only")),
            None => Ok(()),
        }
    }

    fn find(&self, id: ValueId) -> Option<&Value> {
        self.values.get(id.0).filter(|_| id.1 == self.identity)
    }

    fn known(&self, id: ValueId) -> &Value {
        self.find(id).unwrap_or_else(|| panic!("{id:?} is a value of another graph"))
    }

    /// An input: every run is given its value.
    ///
    /// # Errors
    /// It has 2^31 elements or more.
    pub fn input(&mut self, name: impl Into<String>, desc: Desc) -> Result<ValueId> {
        let id = self.value(name.into(), desc, None)?;
        self.inputs.push(id);
        Ok(id)
    }

    /// A constant.
    ///
    /// # Errors
    /// It has 2^31 elements or more.
    pub fn constant(&mut self, name: impl Into<String>, tensor: Tensor) -> Result<ValueId> {
        self.value(name.into(), tensor.desc(), Some(tensor))
    }

    /// Applies an operator; its outputs, in order.
    ///
    /// # Errors
    /// The inputs do not fit the operator: the error names the node and lists every input's shape. An input is a value of
    /// another graph.
    pub fn add(&mut self, name: impl Into<String>, op: impl Op + 'static, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        self.add_arc(name.into(), Arc::new(op), inputs)
    }

    /// Applies an operator of one output.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn apply(&mut self, name: impl Into<String>, op: impl Op + 'static, inputs: &[ValueId]) -> Result<ValueId> {
        let (name, kind) = (name.into(), op.name());
        let outputs = self.add(name.clone(), op, inputs)?;
        let none = || Error::argument(format!("the operator {kind} has no outputs")).at(name);
        outputs.first().copied().ok_or_else(none)
    }

    pub(crate) fn add_arc(&mut self, name: String, op: Arc<dyn Op>, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        self.own(inputs).map_err(|e| e.at(name.clone()))?;
        let descs = self.descs(inputs);
        let outputs = op.outputs(&descs).map_err(|e| e.within(op.call(&descs)).at(name.clone()))?;
        let one = outputs.len() == 1;
        let mut ids = vec![];
        for (k, desc) in outputs.into_iter().enumerate() {
            let label = if one { name.clone() } else { format!("{name}:{k}") };
            ids.push(self.value(label, desc, None)?);
        }
        let node = Node { name, op, inputs: inputs.to_vec(), outputs: ids.clone(), epilogue: Epilogue::NONE };
        self.nodes.push(node);
        Ok(ids)
    }

    /// Makes a value an output with this name. Names of outputs must differ; that and a value of another graph are
    /// errors when the graph is compiled.
    pub fn output(&mut self, name: impl Into<String>, value: ValueId) {
        let name = name.into();
        match self.own(&[value]) {
            Ok(()) => self.outputs.push((name, value)),
            Err(e) => drop(self.stray.get_or_insert(e.within(format_args!("the output {name}")))),
        }
    }

    /// Makes an input a value that lies on the device and is the same in every run.
    pub(crate) fn make_resident(&mut self, input: ValueId, number: u64) {
        self.inputs.retain(|id| *id != input);
        self.resident.push((input, number));
    }

    /// Whether the value is the same in every run.
    pub(crate) fn is_fixed(&self, id: ValueId) -> bool {
        self.values[id.0].constant.is_some() || self.resident.iter().any(|(resident, _)| *resident == id)
    }

    /// An error unless the names of inputs and of outputs are unique and there is an output.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(stray) = &self.stray {
            return Err(stray.clone());
        }
        if self.outputs.is_empty() {
            return Err(Error::argument("the network has no outputs: name one with Graph::output"));
        }
        let mut names = HashSet::new();
        if let Some((name, _)) = self.inputs().find(|(name, _)| !names.insert(*name)) {
            return Err(Error::argument(format!("two inputs of the network are named {name}")));
        }
        names.clear();
        match self.outputs().find(|(name, _)| !names.insert(*name)) {
            Some((name, _)) => Err(Error::argument(format!("two outputs of the network are named {name}"))),
            None => Ok(()),
        }
    }

    /// Drops nodes whose results nothing reads, and the elements of constants that nothing reads.
    pub(crate) fn remove_dead(&mut self) {
        let mut live = vec![false; self.values.len()];
        self.outputs.iter().for_each(|(_, id)| live[id.0] = true);
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.reverse();
        nodes.retain(|node| {
            let needed = node.outputs.iter().any(|id| live[id.0]);
            if needed {
                node.inputs.iter().for_each(|id| live[id.0] = true);
            }
            needed
        });
        nodes.reverse();
        self.nodes = nodes;
        self.values.iter_mut().zip(live).filter(|(_, live)| !live).for_each(|(value, _)| value.constant = None);
    }

    /// The shape and type of a value.
    ///
    /// # Panics
    /// It is a value of another graph.
    pub fn desc(&self, value: ValueId) -> &Desc {
        &self.known(value).desc
    }
    /// The shape of a value.
    ///
    /// # Panics
    /// It is a value of another graph.
    pub fn shape(&self, value: ValueId) -> &[usize] {
        &self.known(value).desc.shape
    }
    /// The elements of a value, if it is a constant.
    ///
    /// # Panics
    /// It is a value of another graph.
    pub fn constant_of(&self, value: ValueId) -> Option<&Tensor> {
        self.known(value).constant.as_ref()
    }
    /// The nodes, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
    /// Names and descriptions of the inputs.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &Desc)> {
        self.inputs.iter().map(|id| (self.values[id.0].name.as_str(), &self.values[id.0].desc))
    }
    /// Names and descriptions of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &Desc)> {
        self.outputs.iter().map(|(name, id)| (name.as_str(), &self.values[id.0].desc))
    }
    /// Floating-point operations of one run; a multiply-add counts as two.
    pub fn flops(&self) -> u64 {
        let of = |n: &Node| n.op.flops(&self.descs(&n.inputs), &self.descs(&n.outputs));
        self.nodes.iter().map(of).fold(0, u64::saturating_add)
    }
    /// How many readers each value has, graph outputs included.
    pub(crate) fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        let read = self.nodes.iter().flat_map(|n| &n.inputs).chain(self.outputs.iter().map(|(_, id)| id));
        read.for_each(|id| uses[id.0] += 1);
        uses
    }
    pub(crate) fn descs(&self, ids: &[ValueId]) -> Vec<Desc> {
        ids.iter().map(|&i| self.values[i.0].desc.clone()).collect()
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, desc) in self.inputs() {
            writeln!(f, "input  {name}: {desc}")?;
        }
        for n in &self.nodes {
            let list = |ids: &[ValueId]| {
                ids.iter().map(|id| format!("{}{:?}", id.0, self.shape(*id))).collect::<Vec<_>>().join(" ")
            };
            let (from, to) = (list(&n.inputs), list(&n.outputs));
            writeln!(f, "{:<28} {}{}  {from} -> {to}", n.name, n.op.name(), n.epilogue)?;
        }
        for (name, desc) in self.outputs() {
            writeln!(f, "output {name}: {desc}")?;
        }
        Ok(())
    }
}

impl Node {
    /// How many of the inputs are the operator's own; those of the epilogue follow.
    pub fn own_inputs(&self) -> usize {
        self.inputs.len() - self.epilogue.inputs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::Activation;
    use crate::error::ErrorKind;
    use crate::ops::unary::Unary;

    fn relu() -> Unary {
        Unary(Activation::Relu)
    }

    #[test]
    fn a_value_of_another_graph_is_refused() {
        let (mut a, mut b) = (Graph::new(), Graph::new());
        let x = a.input("x", Desc::f32([2])).unwrap();
        let y = b.input("y", Desc::f32([3])).unwrap();
        for id in [y, ValueId(7, a.identity)] {
            let e = a.apply("relu", relu(), &[id]).unwrap_err();
            assert_eq!((e.kind(), e.node()), (ErrorKind::Argument, Some("relu")), "{e}");
        }
        a.output("y", y);
        assert!(a.outputs.is_empty());
        assert!(a.check().unwrap_err().to_string().contains("the output y: a value of another graph"));
        // A clone's values are those of the graph.
        let mut c = b.clone();
        let z = c.apply("relu", relu(), &[y]).unwrap();
        assert!(b.apply("relu", relu(), &[z]).is_err(), "added to the clone only");
        assert_eq!((c.shape(z), a.shape(x)), (&[3][..], &[2][..]));
    }

    /// Layers that read a shape first give the same error as layers that only add a node.
    #[test]
    fn layers_refuse_a_value_of_another_graph() {
        use crate::attr::Activation;
        use crate::options::{
            Conv1dOptions, Conv2dOptions, Conv3dOptions, ConvTranspose3dOptions, InterpolateOptions, MaxPool3dOptions,
        };
        let mut other = Graph::new();
        let far = other.input("far", Desc::f32([1, 4, 3, 3])).unwrap();
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([1, 4, 3, 3])).unwrap();
        let w = g.constant("w", Tensor::zeros([4, 4, 1, 1])).unwrap();
        let deep = g.constant("deep", Tensor::zeros([4, 4, 1, 1, 1])).unwrap();
        let results = [
            g.conv2d(far, w, None, Conv2dOptions::new()),
            g.conv2d(x, far, None, Conv2dOptions::new()),
            g.conv2d(x, w, Some(far), Conv2dOptions::new()),
            g.conv1d(far, w, None, Conv1dOptions::new()),
            g.conv3d(far, deep, None, Conv3dOptions::new()),
            g.conv3d(x, far, None, Conv3dOptions::new()),
            g.conv_transpose3d(far, deep, None, ConvTranspose3dOptions::new()),
            g.conv_transpose3d(x, far, None, ConvTranspose3dOptions::new()),
            g.interpolate(far, InterpolateOptions::new().size(2)),
            g.activation(far, Activation::Relu),
            g.bitwise_not(far),
            g.max_pool3d(far, 1, MaxPool3dOptions::new()),
            g.linear(far, w, None),
            g.linear(x, far, None),
            g.cat(&[x, far], 0),
            g.split(far, 1, 0).map(|parts| parts[0]),
            g.narrow(far, 0, 0, 1),
            g.index_select(x, 0, far),
            g.expand(far, &[1, 4, 3, 3]),
            g.tile(far, &[2]),
            g.permute(far, &[0, 1, 2, 3]),
            g.transpose(far, 0, 1),
            g.reshape(far, [36]),
            g.flatten(far, 0, -1),
            g.softmax(far, 1),
            g.layer_norm(far, &[3], None, None, 1e-5),
            g.instance_norm(far, None, None, 1e-5),
            g.prelu(x, far),
        ];
        for (k, result) in results.into_iter().enumerate() {
            let e = result.unwrap_err();
            assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("another graph"), "{k}: {e}");
        }
    }

    #[test]
    #[should_panic(expected = "value of another graph")]
    fn a_shape_of_another_graph_panics() {
        let mut a = Graph::new();
        let x = a.input("x", Desc::f32([2])).unwrap();
        let mut b = Graph::new();
        b.input("x", Desc::f32([2])).unwrap();
        b.shape(x);
    }

    #[test]
    fn names_tell_inputs_and_outputs_apart() {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([2])).unwrap();
        assert!(g.check().unwrap_err().to_string().contains("no outputs"));
        g.output("y", x);
        g.check().unwrap();
        g.output("y", x);
        assert!(g.check().unwrap_err().to_string().contains("two outputs of the network are named y"));
        let mut g = Graph::new();
        g.input("x", Desc::f32([2])).unwrap();
        let x = g.input("x", Desc::f32([3])).unwrap();
        g.output("y", x);
        assert!(g.check().unwrap_err().to_string().contains("two inputs of the network are named x"));
    }
}
