//! The first stage: a variant for every node, and with it the layouts and the precision of what it reads and writes.

use std::collections::HashMap;
use std::fmt;

use super::options::{Form, PlanOptions, ROW_MAJOR};
use crate::error::{Error, Result};
use crate::gpu::caps::Caps;
use crate::graph::{Graph, Node, ValueId};
use crate::ops::{self, Site, Variant};
use crate::shape::{DType, Layout, Precision};

/// What was chosen for a node.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The node's name.
    pub node: String,
    /// The chosen variant.
    pub variant: Variant,
    /// Its position among those that the device has for the node.
    pub pick: usize,
    /// Their number.
    pub alternatives: usize,
    /// The layout that each input had when the choice was made.
    pub layouts: Vec<Layout>,
}

/// The choices for all nodes, in order.
///
/// # Errors
/// No kernel covers a case: the error names the node.
pub(super) fn choose(graph: &Graph, caps: &Caps, options: &PlanOptions) -> Result<Vec<Choice>> {
    let mut chooser = Chooser { graph, caps, options, native: HashMap::new() };
    for (&id, &layout) in graph.inputs.iter().zip(&options.input_layouts) {
        chooser.native.insert(id, layout);
    }
    graph.nodes.iter().map(|node| chooser.node(node).map_err(|e| e.at(node.name.clone()))).collect()
}

struct Chooser<'a> {
    graph: &'a Graph,
    caps: &'a Caps,
    options: &'a PlanOptions,
    /// The layout in which each value was computed; row-major if it is not there.
    native: HashMap<ValueId, Layout>,
}

impl Chooser<'_> {
    fn node(&mut self, node: &Node) -> Result<Choice> {
        let graph = self.graph;
        let (inputs, outputs) = (graph.descs(&node.inputs), graph.descs(&node.outputs));
        let layouts: Vec<_> = node.inputs.iter().map(|id| self.layout_of(id)).collect();
        let constant: Vec<_> = node.inputs.iter().map(|id| graph.is_fixed(*id)).collect();
        let site = Site {
            inputs: &inputs,
            outputs: &outputs,
            layouts: &layouts,
            constant: &constant,
            epilogue: &node.epilogue,
            precision: self.options.precision,
            caps: self.caps,
        };
        let mut variants = ops::alternatives(&*node.op, &site)?;
        if variants.is_empty() {
            return Err(Error::unsupported(format!("no kernel of {} covers this case", node.op.name())));
        }
        let alternatives = variants.len();
        let tuned =
            || self.options.tuning.as_ref().and_then(|t| t.pick(graph, node, self.options.precision, &variants));
        let pick = self.options.alternative.or_else(tuned).unwrap_or(0).min(alternatives - 1);
        let variant = variants.swap_remove(pick);
        // A view has the bytes of its input, row-major.
        for (k, id) in node.outputs.iter().enumerate().filter(|_| !node.op.is_view()) {
            self.native.insert(*id, variant.outputs[k]);
        }
        Ok(Choice { node: node.name.clone(), variant, pick, alternatives, layouts })
    }

    fn layout_of(&self, id: &ValueId) -> Layout {
        self.native.get(id).copied().unwrap_or(ROW_MAJOR.0)
    }
}

/// The form of a value in a layout, for a variant of this precision.
pub(super) fn form(graph: &Graph, id: ValueId, layout: Layout, precision: Precision) -> Form {
    let narrows = layout == Layout::ChannelsLast && graph.desc(id).dtype == DType::F32;
    (layout, if narrows { precision } else { Precision::F32 })
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pick, all) = (self.pick + 1, self.alternatives);
        write!(f, "{:<30} variant {pick:>2} of {all:<2} reads", self.node)?;
        self.variant.inputs.iter().try_for_each(|layout| write!(f, " {layout}"))?;
        f.write_str(", writes")?;
        self.variant.outputs.iter().try_for_each(|layout| write!(f, " {layout}"))?;
        let kernels = self.variant.kernels();
        write!(f, ": {}", if kernels.is_empty() { "no kernel" } else { &kernels })
    }
}
