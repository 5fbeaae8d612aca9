//! The description of an ONNX operator.

use super::context::Import;
use super::node_view::NodeView;
use super::val::Val;
use crate::error::Result;

/// The domain of ONNX Runtime's own operators.
pub(super) const MICROSOFT: &str = "com.microsoft";

/// Lowers one node: its outputs, in order.
pub(super) type Handler = fn(&mut Import, &NodeView) -> Result<Vec<Val>>;

/// The description of an ONNX operator, independent of its inputs.
pub(crate) struct Operator {
    /// The domain of its nodes, empty for the default one.
    pub(super) domain: &'static str,
    /// `op_type` of its nodes.
    pub(super) name: &'static str,
    /// Attributes it may have, over all versions.
    pub(super) attributes: &'static [&'static str],
    /// Inputs whose values must be known when it is lowered, because they decide a shape, an axis or a scale.
    pub host: &'static [usize],
    /// Lowers a node; `None` of If: what lowers the nodes of a model lowers those of a branch.
    pub(super) lower: Option<Handler>,
}

impl Operator {
    /// An operator of the default domain with these attributes.
    pub(super) const fn new(name: &'static str, attributes: &'static [&'static str], lower: Handler) -> Operator {
        Operator { domain: "", name, attributes, host: &[], lower: Some(lower) }
    }
    /// If.
    pub(super) const fn branch(name: &'static str, attributes: &'static [&'static str]) -> Operator {
        Operator { domain: "", name, attributes, host: &[], lower: None }
    }
    /// The same in another domain.
    pub(super) const fn of(self, domain: &'static str) -> Operator {
        Operator { domain, ..self }
    }
    /// Adds inputs that must be known.
    pub(super) const fn host(self, host: &'static [usize]) -> Operator {
        Operator { host, ..self }
    }
}
