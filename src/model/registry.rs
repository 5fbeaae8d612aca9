//! Operators of a program's own for the nodes of a model file.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::import::NodeView;
use super::node::is_default;
use super::proto::NodeProto;
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::shape::Desc;
use crate::tensor::Tensor;

type Make = dyn Fn(&Node<'_>) -> Result<Box<dyn Op>> + Send + Sync;

/// Operators of a program's own, by the domain and the name that nodes of a model file have.
///
/// [`Model::load_with`](crate::Model::load_with) takes one. For every node of such a name the function is called with the
/// [`Node`], once its inputs are described (when a graph is made for a set of input shapes, not when the file is read), and
/// gives the [operator](crate::custom::Op) that computes it. What a registry has comes before the operators of this crate and
/// before functions of the model. An attribute of the node for which the function does not ask is an error, and so is a graph
/// as an attribute.
///
/// ```
/// use convgpu::custom::{Arg, Bounds, Kernel, Launch, Op, Params, Site, Variant};
/// use convgpu::onnx::Registry;
/// use convgpu::{DType, Desc, Device, Error, ErrorKind, Model, Result, Tensor};
/// # use convgpu::internals::model::proto::*;
/// # use convgpu::internals::model::proto::data_type::FLOAT;
/// # use prost::Message;
///
/// /// `factor x`.
/// #[derive(Debug)]
/// struct Scale {
///     factor: f32,
/// }
///
/// static SCALE: Kernel = Kernel::new("scale", "
///     struct Params { count: u32, factor: f32 }
///     @group(0) @binding(0) var<uniform> p: Params;
///     @group(0) @binding(1) var<storage, read> x: array<f32>;
///     @group(0) @binding(2) var<storage, read_write> y: array<f32>;
///     @compute @workgroup_size(64)
///     fn main(@builtin(global_invocation_id) id: vec3<u32>) {
///         if id.x < p.count { y[id.x] = p.factor * x[id.x]; }
///     }");
///
/// impl Op for Scale {
///     fn name(&self) -> &'static str {
///         "scale"
///     }
///     fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
///         match inputs {
///             [x] if x.dtype == DType::F32 => Ok(vec![x.clone()]),
///             _ => Err(Error::new(ErrorKind::Shape, "takes one tensor of f32")),
///         }
///     }
///     fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
///         let y: Vec<f32> = inputs[0].as_f32()?.iter().map(|x| self.factor * x).collect();
///         Ok(vec![Tensor::new(inputs[0].shape(), y)?])
///     }
///     fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
///         Ok(Some(vec![outputs[0].as_f32()?.iter().map(|y| y.abs() * 2f32.powi(-24)).collect()]))
///     }
///     fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
///         let count = site.outputs[0].numel();
///         let params = Params::new().with("count", count).with("factor", self.factor);
///         let launch = Launch::grid(&SCALE, [count.div_ceil(64) as u32, 1, 1], params)
///             .reads([Arg::Input(0)])
///             .writes([Arg::Output(0)]);
///         Ok(vec![Variant::row_major(site, vec![launch])])
///     }
///     fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
///         inputs[0].numel() as u64
///     }
/// }
///
/// # let text = |s: &str| Some(s.to_owned());
/// # let factor = AttributeProto { name: text("factor"), f: Some(2.5), r#type: Some(1), ..Default::default() };
/// # let node = NodeProto { input: vec!["x".into()], output: vec!["y".into()], op_type: text("Scale"),
/// #     domain: text("com.example"), attribute: vec![factor], ..Default::default() };
/// # let dim = vec![DimensionProto { dim_value: Some(2), dim_param: None }];
/// # let tensor_type = Some(TensorTypeProto { elem_type: Some(FLOAT), shape: Some(TensorShapeProto { dim }) });
/// # let x = ValueInfoProto { name: text("x"), r#type: Some(TypeProto { tensor_type }) };
/// # let y = ValueInfoProto { name: text("y"), r#type: None };
/// # let graph = GraphProto { node: vec![node], input: vec![x], output: vec![y], ..Default::default() };
/// # let sets = vec![OperatorSetIdProto { domain: None, version: Some(17) }];
/// # let file = ModelProto { ir_version: Some(8), graph: Some(graph), opset_import: sets, ..Default::default() }.encode_to_vec();
/// let registry = Registry::new().op("com.example", "Scale", |node| {
///     Ok(Box::new(Scale { factor: node.float("factor", 1.0)? }))
/// });
/// let model = Model::from_bytes_with(&file, &registry)?; // or Model::load_with(path, &registry)?
/// let session = model.compile(&Device::cpu())?;
/// let outputs = session.run(&[("x", &Tensor::from([2.0f32, -4.0]))])?;
/// assert_eq!(outputs["y"], Tensor::from([5.0f32, -10.0]));
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Registry(HashMap<(String, String), Arc<Make>>);

impl Registry {
    /// No operators yet.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Adds the operator `name` of `domain` (empty for ONNX's own). An error of `make` is that of the node: it gets the
    /// node's name. One added under the same names before is replaced.
    pub fn op(
        mut self,
        domain: impl Into<String>,
        name: impl Into<String>,
        make: impl Fn(&Node<'_>) -> Result<Box<dyn Op>> + Send + Sync + 'static,
    ) -> Registry {
        self.0.insert((normal(&domain.into()).to_owned(), name.into()), Arc::new(make));
        self
    }

    /// What makes the operator of a node, if it is one of the registry's.
    pub(super) fn find(&self, node: &NodeProto) -> Option<&Make> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(normal(node.domain()).to_owned(), node.op_type().to_owned())).map(|make| &**make)
    }
}

/// The domain, by the shorter name of the default one.
fn normal(domain: &str) -> &str {
    if is_default(domain) { "" } else { domain }
}

/// The operators by domain and name.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.0.keys().collect();
        names.sort();
        f.debug_tuple("Registry").field(&names).finish()
    }
}

/// A node of a model file, for which a [`Registry`] makes an operator: attributes by name and type, inputs described.
///
/// The operator gets the inputs that the node has, in order, without the optional ones that it leaves out: if `input(1)` is
/// `None` here, the operator's input 1 is the node's input 2. It gives as many outputs as the node lists, or more.
#[derive(Debug)]
pub struct Node<'a> {
    view: &'a NodeView<'a>,
    /// The names of attributes that were asked for.
    asked: RefCell<HashSet<String>>,
}

impl<'a> Node<'a> {
    /// The operator that `make` gives for a node.
    ///
    /// # Errors
    /// Those of `make`; an attribute is a graph, refers to an attribute of a function, or is one that `make` does not know.
    pub(super) fn lower(view: &'a NodeView<'a>, make: &Make) -> Result<Box<dyn Op>> {
        if let Some(name) = view.unusable() {
            let text = format!("attribute {name} of {} is a graph, or a reference outside a function", view.op());
            return Err(Error::unsupported(text));
        }
        let node = Node { view, asked: RefCell::default() };
        let op = make(&node)?;
        let asked = node.asked.into_inner();
        match view.attributes().find(|name| !asked.contains(*name)) {
            Some(name) => {
                let text = format!("attribute {name} of {}: the program's operator does not read it", view.op());
                Err(Error::unsupported(text))
            }
            None => Ok(op),
        }
    }

    fn asked(&self, name: &str) -> &'a NodeView<'a> {
        self.asked.borrow_mut().insert(name.to_owned());
        self.view
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        self.view.name()
    }
    /// The version of ONNX's operator set that the node is written in.
    pub fn opset(&self) -> i64 {
        self.view.opset
    }
    /// How many inputs the node lists, those that it leaves out included.
    pub fn num_inputs(&self) -> usize {
        self.view.num_inputs()
    }
    /// Shape and type of input `k`; `None` if the node leaves it out.
    pub fn input(&self, k: usize) -> Option<Desc> {
        self.view.optional(k).map(|v| v.desc())
    }
    /// The elements of input `k`, if they are known before the network runs: a weight, a shape.
    pub fn value(&self, k: usize) -> Option<&Tensor> {
        self.view.host(k)
    }
    /// How many outputs the node lists.
    pub fn num_outputs(&self) -> usize {
        self.view.outputs()
    }
    /// The names of the node's attributes. Whoever lists them answers for those that he does not know.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.asked.borrow_mut().extend(self.view.attributes().map(str::to_owned));
        self.view.attributes()
    }
    /// An integer attribute, or `default` if the node has none of this name.
    ///
    /// # Errors
    /// The attribute has another type; so in the following functions.
    pub fn int(&self, name: &str, default: i64) -> Result<i64> {
        self.asked(name).int(name, default)
    }
    /// A float attribute.
    ///
    /// # Errors
    /// As [`Node::int`].
    pub fn float(&self, name: &str, default: f32) -> Result<f32> {
        self.asked(name).float(name, default)
    }
    /// A string attribute.
    ///
    /// # Errors
    /// As [`Node::int`]; it is not UTF-8.
    pub fn string<'s>(&'s self, name: &str, default: &'s str) -> Result<&'s str> {
        self.asked(name).string(name, default)
    }
    /// A list of integers, if the node has it.
    ///
    /// # Errors
    /// As [`Node::int`].
    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        self.asked(name).ints(name)
    }
    /// A list of floats, if the node has it.
    ///
    /// # Errors
    /// As [`Node::int`].
    pub fn floats(&self, name: &str) -> Result<Option<Vec<f32>>> {
        self.asked(name).floats(name)
    }
    /// A tensor, if the node has it.
    ///
    /// # Errors
    /// As [`Node::int`]; its elements are of a type that is not supported.
    pub fn tensor(&self, name: &str) -> Result<Option<Tensor>> {
        self.asked(name).tensor(name)
    }
}
