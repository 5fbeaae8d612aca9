//! What handlers build with: operators are applied to values, on the host where all are known.

use std::collections::HashMap;
use std::sync::Arc;

use super::val::{Steps, Val};
use crate::error::{Error, Result};
use crate::graph::assemble::Assemble;
use crate::graph::{Graph, ValueId};
use crate::memory;
use crate::ops::cast::Cast;
use crate::ops::reshape::Reshape;
use crate::ops::{self, Op};
use crate::shape::{self, DType, Desc};
use crate::tensor::Tensor;

/// The most elements of all known results of a model, in addition to a few for each element that the file holds: 1 GiB
/// of floats. So the weights of a network as large as vgg19 may come from `ConstantOfShape`.
const FOLDED_ELEMENTS: usize = 1 << 28;

/// The most elements that are read and written while the known results of a model are computed, in addition to a few
/// for each element that the file holds: about a second of the reference's time.
const HANDLED_ELEMENTS: usize = 1 << 24;

/// The most floating-point operations for a known result, in addition to a few per element.
const FOLDED_FLOPS: u64 = 1 << 24;

/// What the nodes of a model become: the graph that is being built.
pub(crate) struct Import<'m> {
    pub(super) graph: Graph,
    /// The node being lowered.
    pub(super) node: String,
    /// Names of known values by the address of their elements.
    pub(super) names: HashMap<usize, String>,
    /// Constants already in the graph, by the address of their elements (which the graph keeps alive) and shape.
    constants: HashMap<(usize, Vec<usize>), ValueId>,
    /// Elements that known results may still take.
    room: usize,
    /// Elements that may still be read and written for them.
    work: usize,
    /// Values that the file declares as floats of 16 bits.
    halves: &'m HashMap<String, DType>,
    /// Known values whose elements have 4 bits in the file, by the address of their elements, which they keep alive.
    pub(super) nibbles: HashMap<usize, Tensor>,
    /// Whether the file has u64, which is i64 here.
    pub(super) has_u64: bool,
    /// What quantised integers in the graph stand for.
    pub(super) steps: HashMap<ValueId, Steps>,
}

impl<'m> Import<'m> {
    /// An empty graph. `names` are those of the constants by the address of their elements, `held` is how many elements the
    /// file has.
    pub(super) fn new(
        names: HashMap<usize, String>,
        held: usize,
        halves: &'m HashMap<String, DType>,
        has_u64: bool,
    ) -> Import<'m> {
        let nibbles = HashMap::new();
        let (room, work) = (FOLDED_ELEMENTS + 4 * held, HANDLED_ELEMENTS + 8 * held);
        let (node, constants, steps) = (String::new(), HashMap::new(), HashMap::new());
        Import { graph: Graph::new(), node, names, constants, room, work, halves, nibbles, has_u64, steps }
    }
}

impl Import<'_> {
    /// If a node of the model became several nodes of the graph, appends the operator's name to theirs, except to the
    /// only one that is not a view.
    pub(super) fn name_nodes(&mut self, first: usize, name: &str) {
        let added = &mut self.graph.nodes[first..];
        let several = added.iter().filter(|n| n.name == name && !n.op.is_view()).count() > 1;
        for node in added.iter_mut().filter(|n| n.name == name && (several || n.op.is_view())) {
            node.name = format!("{}/{}", node.name, node.op.name());
        }
    }

    /// Names the values that these nodes give by node and operator: the file has names for some of them, which come after.
    pub(super) fn name_values(&mut self, first: usize) {
        let Graph { nodes, values, .. } = &mut self.graph;
        for (node, id) in nodes[first..].iter().flat_map(|node| node.outputs.iter().map(move |id| (node, id))) {
            let (name, op) = (&node.name, format!("/{}", node.op.name()));
            values[id.0].name = if name.ends_with(&op) { name.clone() } else { format!("{name}{op}") };
        }
    }

    /// Applies an operator of one output.
    pub fn apply(&mut self, op: impl Op + 'static, inputs: &[&Val]) -> Result<Val> {
        Ok(self.apply_all(op, inputs)?.swap_remove(0))
    }

    /// Applies an operator: here if all inputs are known and it is not too much work, else on the device.
    pub fn apply_all(&mut self, op: impl Op + 'static, inputs: &[&Val]) -> Result<Vec<Val>> {
        self.apply_arc(Arc::new(op), inputs)
    }

    pub(super) fn apply_arc(&mut self, op: Arc<dyn Op>, inputs: &[&Val]) -> Result<Vec<Val>> {
        let descs: Vec<Desc> = inputs.iter().map(|v| v.desc()).collect();
        if descs.iter().any(|d| d.dtype == DType::F64) && op.outputs(&descs).is_err() {
            return self.apply_in_single(op, inputs);
        }
        let known: Option<Vec<Tensor>> = inputs.iter().map(|v| v.known().cloned()).collect();
        if let Some(tensors) = known
            && self.folds(&*op, &tensors)?
        {
            return Ok(ops::evaluate(&*op, &tensors)?.into_iter().map(Val::Known).collect());
        }
        let ids = inputs.iter().map(|v| self.id(v)).collect::<Result<Vec<_>>>()?;
        let outputs = self.graph.add_arc(self.node.clone(), op, &ids)?;
        Ok(outputs.into_iter().map(|id| Val::Computed(id, self.graph.desc(id).clone())).collect())
    }

    /// Applies an operator that has no f64: its floats are f32, and its results f64 again.
    fn apply_in_single(&mut self, op: Arc<dyn Op>, inputs: &[&Val]) -> Result<Vec<Val>> {
        let retyped = |import: &mut Self, v: &Val, from, to| match v.dtype() == from {
            true => import.apply(Cast { to }, &[v]),
            false => Ok(v.clone()),
        };
        let single = inputs.iter().map(|v| retyped(self, v, DType::F64, DType::F32)).collect::<Result<Vec<_>>>()?;
        let outputs = self.apply_arc(op, &single.iter().collect::<Vec<_>>())?;
        outputs.iter().map(|v| retyped(self, v, DType::F32, DType::F64)).collect()
    }

    /// Notes that the elements of a known value have 4 bits in the file.
    pub(super) fn has_nibbles(&mut self, tensor: &Tensor) {
        self.nibbles.insert(tensor.data().address(), tensor.clone());
    }

    /// The type that the model declares for a value, where that is a float of 16 bits (which is f32 here).
    pub fn declared_type(&self, name: &str) -> Option<DType> {
        self.halves.get(name).copied()
    }

    /// Whether a node of known inputs is evaluated here rather than on the device.
    fn folds(&mut self, op: &dyn Op, inputs: &[Tensor]) -> Result<bool> {
        let descs: Vec<Desc> = inputs.iter().map(Tensor::desc).collect();
        let outputs = op.outputs(&descs).map_err(|e| e.within(op.call(&descs)))?;
        let made = outputs.iter().try_fold(0, |sum, d| Ok::<_, Error>(sum + checked_numel(&d.shape)?))?;
        let handled = made + inputs.iter().map(Tensor::numel).sum::<usize>();
        let little_work = op.flops(&descs, &outputs) <= FOLDED_FLOPS.max(4 * handled as u64);
        Ok(little_work && (op.is_view() || self.affords_work(handled) && self.affords_room(made)))
    }

    /// Takes `elements` from the room for known results, if it suffices.
    pub fn affords_room(&mut self, elements: usize) -> bool {
        take(&mut self.room, elements)
    }

    /// An error unless the host can hold a known result.
    pub fn affords_memory(&self, shape: &[usize], dtype: DType) -> Result<()> {
        let bytes = (shape::numel(shape) as u64).saturating_mul(dtype.width() as u64);
        memory::afford(bytes, || format!("a constant {}", Desc::new(shape, dtype)))
    }

    /// Takes `elements` from those that may be read and written, if they suffice.
    pub(super) fn affords_work(&mut self, elements: usize) -> bool {
        take(&mut self.work, elements)
    }

    /// The value in the graph.
    pub(super) fn id(&mut self, value: &Val) -> Result<ValueId> {
        let tensor = match value {
            Val::Computed(id, _) => return Ok(*id),
            Val::Known(tensor) => tensor,
        };
        let key = (tensor.data().address(), tensor.shape().to_vec());
        if let Some(id) = self.constants.get(&key) {
            return Ok(*id);
        }
        let name = self.names.get(&key.0).cloned().unwrap_or_else(|| format!("{}/constant", self.node));
        let id = self.graph.constant(name, tensor.clone())?;
        self.constants.insert(key, id);
        Ok(id)
    }

    /// The same elements under another shape.
    pub fn reshape(&mut self, x: &Val, shape: &[usize]) -> Result<Val> {
        if x.shape() == shape {
            return Ok(x.clone());
        }
        checked_numel(shape)?;
        self.apply(Reshape { shape: shape.to_vec() }, &[x])
    }
}

impl Assemble for Import<'_> {
    type Value = Val;

    fn extents(&self, x: &Val) -> Result<Vec<usize>> {
        Ok(x.shape().to_vec())
    }

    fn add_op(&mut self, op: impl Op + 'static, inputs: &[&Val]) -> Result<Val> {
        self.apply(op, inputs)
    }

    fn see_as(&mut self, x: &Val, shape: &[usize]) -> Result<Val> {
        self.reshape(x, shape)
    }

    fn fixed(&mut self, _: &str, tensor: Tensor) -> Result<Val> {
        Ok(tensor.into())
    }
}

/// Subtracts an amount from what is left, if it suffices.
fn take(left: &mut usize, amount: usize) -> bool {
    let rest = left.checked_sub(amount);
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

/// The number of elements.
///
/// # Errors
/// There are 2^31 or more, which no device can index, even if extents of 0 are ignored.
pub(super) fn checked_numel(shape: &[usize]) -> Result<usize> {
    shape::checked_numel(shape)
        .ok_or_else(|| Error::unsupported(format!("a tensor of shape {shape:?} has 2^31 elements or more")))
}
