//! Outputs: results from inside the network, and what is known of them.

use std::collections::HashSet;

use super::import::{extents, trace};
use super::network::Model;
use super::node::identity;
use super::nodes::needed;
use super::reads::{branches, read};
use crate::error::{Error, Result};
use crate::names;
use crate::session::{Bind, Given};
use crate::shape::{Desc, Dim, ValueInfo};

impl Model {
    /// Adds an output: the value of this name, or else the first result of the node of this name. The output has the name that was
    /// asked for. A name that is an output already changes nothing.
    ///
    /// Nodes without a name in the file have their operator's and their position, as `Conv_3`; each is reached by the name of the
    /// value that it gives, too. A node of a function is reached by the name of the call, a slash and its own. Nodes in branches
    /// of an If are not reached, nor those that no output of the file needs.
    ///
    /// ```
    /// use convgpu::{Device, Model, Tensor};
    ///
    /// let model = Model::load("tests/models/lenet5_mnist.onnx")?.output_at("conv2")?;
    /// assert_eq!(model.outputs().last().unwrap().to_string(), "conv2: f32[1, 16, 10, 10]");
    /// let outputs = model.compile(&Device::cpu())?.run(&[("input", &Tensor::zeros([1, 1, 28, 28]))])?;
    /// assert_eq!(outputs["conv2"].shape(), [1, 16, 10, 10]);
    /// assert_eq!(outputs["probs"].shape(), [1, 10]);
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such value or node: the error lists some with similar names, and the count.
    pub fn output_at(mut self, name: &str) -> Result<Model> {
        if self.outputs.iter().all(|v| v.name != name) {
            let output = self.make_output(name)?;
            self.declared.outputs.push(output.clone());
            self.outputs.push(output);
        }
        Ok(self.described())
    }

    /// The same with these outputs only, in this order; outputs of the file are named as they are. Nodes and weights that they do
    /// not need are dropped. The inputs stay.
    ///
    /// ```
    /// use convgpu::Model;
    ///
    /// let model = Model::load("tests/models/lenet5_mnist.onnx")?.outputs_at(&["conv2"])?;
    /// assert_eq!(model.outputs().len(), 1);
    /// assert_eq!(model.num_parameters(), 6 * 25 + 6 + 16 * 6 * 25 + 16);
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::output_at`]; a name is given twice, or none is given.
    pub fn outputs_at(mut self, names: &[&str]) -> Result<Model> {
        if names.is_empty() {
            return Err(Error::argument("no output is named: a network has at least one"));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
            return Err(Error::argument(format!("two outputs are named {twice}")));
        }
        let mut outputs = vec![];
        for name in names {
            let declared = self.declared.outputs.iter().find(|v| v.name == *name).cloned();
            outputs.push(declared.map_or_else(|| self.make_output(name), Ok)?);
        }
        self.outputs = outputs.clone();
        self.declared.outputs = outputs;
        self.drop_unneeded();
        Ok(self.described())
    }

    /// A value of this name, which is that of a node if there is none.
    fn make_output(&mut self, name: &str) -> Result<ValueInfo> {
        let is_value = self.constants.contains_key(name)
            || self.inputs.iter().any(|v| v.name == name)
            || self.nodes.iter().any(|n| n.output.iter().any(|value| value == name));
        let mut value = name.to_owned();
        if !is_value || name.is_empty() {
            let node = self.nodes.iter().find(|n| n.name() == name).ok_or_else(|| self.unknown(name))?;
            let first = node.output.iter().find(|value| !value.is_empty());
            value = first.ok_or_else(|| Error::argument("the node has no output").at(name))?.clone();
            let alias = identity(node, &value, name);
            self.nodes.push(alias);
        }
        let dtype = self.halves.get(&value).copied();
        if let Some(dtype) = dtype {
            self.halves.insert(name.to_owned(), dtype);
        }
        Ok(ValueInfo::new(name, dtype, None))
    }

    fn unknown(&self, name: &str) -> Error {
        let inside = self.nodes.iter().find(|n| {
            let mut nodes = branches(n).flat_map(|graph| &graph.node);
            nodes.any(|n| n.name() == name || n.output.iter().any(|value| value == name))
        });
        if let Some(outer) = inside {
            let text = format!("{name} is in a branch of the node: only results of the whole node can be outputs");
            return Error::argument(text).at(outer.name());
        }
        let known: Vec<&str> = self.nodes.iter().map(|n| n.name()).collect();
        let values: Vec<&str> = self.nodes.iter().flat_map(|n| &n.output).map(String::as_str).collect();
        let (known, values) = (names::existing("nodes", name, known), names::existing("values", name, values));
        Error::argument(format!("there is no node or value {name}; {known}; {values}"))
    }

    /// Drops nodes and constants that no output needs.
    fn drop_unneeded(&mut self) {
        let outputs: Vec<&str> = self.outputs.iter().map(|v| v.name.as_str()).collect();
        self.nodes = needed(std::mem::take(&mut self.nodes), &outputs);
        let read: HashSet<String> = read(&self.nodes, &outputs).into_iter().map(str::to_owned).collect();
        self.constants.retain(|name, _| read.contains(name));
        self.shape_inputs = trace::shape_inputs(self);
    }

    /// The model with its outputs described again: by the network if all inputs have fixed extents, and up to batches if those
    /// are all that is open. Otherwise extents that the file fixes are open once a description was replaced.
    pub(super) fn described(mut self) -> Model {
        self.outputs.clone_from(&self.declared.outputs);
        let replaced = self.inputs.iter().chain(&self.optional).any(|v| {
            let file = self.declared.inputs.iter().find(|f| f.name == v.name);
            file.is_some_and(|f| f.dims != v.dims)
        });
        // What differs between one and two changes with the batch.
        let is_open = self.inputs.iter().any(|v| v.fixed().is_none());
        let one = self.with_batches(1);
        let two = if is_open { self.with_batches(2) } else { one.clone() };
        let (Some(one), Some(two)) = (one, two) else {
            if replaced {
                let dims = self.outputs.iter_mut().flat_map(|v| v.dims.iter_mut().flatten());
                dims.filter(|dim| dim.fixed().is_some()).for_each(|dim| *dim = Dim::Unknown);
            }
            return self;
        };
        for (output, (a, b)) in self.outputs.iter_mut().zip(one.into_iter().zip(two)) {
            if replaced || output.dims.is_none() {
                let same = |(a, b): (&usize, &usize)| if a == b { Dim::Fixed(*a) } else { Dim::Unknown };
                output.dims = Some(a.shape.iter().zip(&b.shape).map(same).collect());
            }
            output.dtype = output.dtype.or(Some(a.dtype));
        }
        self
    }

    /// The outputs for open batches of `factor` times the size that the file declares; none if other extents are open, shapes
    /// depend on values of inputs, or the network does not fit yet, because other inputs must change, too.
    fn with_batches(&self, factor: usize) -> Option<Vec<Desc>> {
        let given = |info: &'_ ValueInfo| -> Option<Desc> {
            let file = self.declared.inputs.iter().find(|v| v.name == info.name)?.dims.as_ref()?;
            let extent = |(axis, dim): (usize, &Dim)| match dim {
                Dim::Fixed(n) => Some(*n),
                _ if extents::is_batch(file, axis) => Some(factor * file[axis].fixed()?),
                _ => None,
            };
            let shape: Option<Vec<usize>> = info.dims.as_ref()?.iter().enumerate().map(extent).collect();
            Some(Desc::new(shape?, info.dtype?))
        };
        if !self.shape_inputs.is_empty() {
            return None;
        }
        let descs: Vec<Desc> = self.inputs.iter().map(given).collect::<Option<_>>()?;
        let given = self.inputs.iter().zip(descs).map(|(v, desc)| Given { name: &v.name, desc, value: None });
        let graph = self.bind(&given.collect::<Vec<_>>()).ok()?;
        Some(graph.outputs().map(|(_, desc)| desc.clone()).collect())
    }
}
