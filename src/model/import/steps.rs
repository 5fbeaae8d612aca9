//! What the nodes of a model read and gave, and along which axes they mix elements.

use super::node_view::{self, NodeView};
use super::val::Val;
use crate::error::Result;
use crate::model::node::Node;
use crate::shape::Desc;

/// A node of a model that was lowered: what it read and gave.
pub(super) struct Step {
    pub node: String,
    pub op: String,
    pub inputs: Vec<Value>,
    pub outputs: Vec<Value>,
    /// Axes of the first input along which the node mixes elements.
    pub mixed: Vec<usize>,
}

/// A value that a step read or gave.
pub(super) struct Value {
    pub name: String,
    pub desc: Desc,
    /// Whether every run computes it.
    pub computed: bool,
}

impl Value {
    fn new(name: &str, val: &Val) -> Value {
        Value { name: name.to_owned(), desc: val.desc(), computed: val.known().is_none() }
    }
}

impl Step {
    pub fn new(node: &Node, view: &NodeView, outputs: &[Val]) -> Step {
        let named = node.output.iter().zip(outputs).filter(|(name, _)| !name.is_empty());
        Step {
            node: node.name().to_owned(),
            op: node.op_type().to_owned(),
            inputs: view.named_inputs().map(|(name, val)| Value::new(name, val)).collect(),
            outputs: named.map(|(name, val)| Value::new(name, val)).collect(),
            mixed: mixed(view, outputs).unwrap_or_default(),
        }
    }
}

/// Axes of the first input along which a node mixes or moves elements, where the extents may not show it.
fn mixed(node: &NodeView, outputs: &[Val]) -> Result<Vec<usize>> {
    let x = node.input(0)?;
    let rank = x.rank();
    let to_last = |default: i64| Ok((node.axis(default, rank)?..rank).collect());
    match node.op() {
        "Softmax" | "LogSoftmax" | "Hardmax" if node.opset < 13 => to_last(1),
        "Softmax" | "LogSoftmax" | "Hardmax" | "LpNormalization" => Ok(vec![node.axis(-1, rank)?]),
        "LayerNormalization" | "RMSNormalization" | "SimplifiedLayerNormalization" => to_last(-1),
        "SkipLayerNormalization" | "SkipSimplifiedLayerNormalization" => to_last(-1),
        "CumSum" => node_view::axes(&node.host_ints(1)?.unwrap_or_default(), rank),
        "MeanVarianceNormalization" => node_view::axes(&node.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]), rank),
        "BatchNormalization" if node.flag("training_mode", false)? => Ok((0..rank).filter(|&k| k != 1).collect()),
        "Trilu" => Ok((rank.saturating_sub(2)..rank).collect()),
        "Concat" if node.num_inputs() > 1 => Ok(vec![node.axis(1, rank)?]),
        "Gather" => Ok(vec![node.axis(0, rank)?]),
        "Slice" => reversed(node, rank),
        "ReverseSequence" => Ok(vec![node.count("time_axis", 0)?]),
        "LSTM" | "GRU" | "RNN" | "DynamicQuantizeLSTM" => Ok(vec![usize::from(node.flag("layout", false)?), 2]),
        "Resize" | "Upsample" | "Tile" => {
            Ok((0..rank).filter(|&k| outputs.iter().any(|y| y.shape().get(k) != x.shape().get(k))).collect())
        }
        // Indices count the elements of all images.
        "MaxPool" if node.gives(1) => Ok((0..rank).collect()),
        // Axis 0 holds images.
        "Conv"
        | "FusedConv"
        | "NhwcConv"
        | "ConvTranspose"
        | "AveragePool"
        | "MaxPool"
        | "LpPool"
        | "GlobalAveragePool"
        | "GlobalMaxPool"
        | "GlobalLpPool"
        | "LRN"
        | "InstanceNormalization"
        | "GroupNormalization"
        | "DepthToSpace"
        | "SpaceToDepth"
        | "BatchNormalization" => Ok((1..rank).collect()),
        _ => Ok(vec![]),
    }
}

/// The axes that a Slice reads backwards.
fn reversed(node: &NodeView, rank: usize) -> Result<Vec<usize>> {
    let steps = node.host_ints(4)?.unwrap_or_default();
    let axes = node.host_ints(3)?.unwrap_or_else(|| (0..steps.len() as i64).collect());
    let backwards = axes.into_iter().zip(steps).filter(|(_, step)| *step < 0).map(|(axis, _)| axis);
    node_view::axes(&backwards.collect::<Vec<_>>(), rank)
}
