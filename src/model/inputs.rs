//! Inputs with other descriptions than the file declares.

use std::collections::HashMap;

use super::import::trace;
use super::network::Model;
use crate::error::{Error, Result};
use crate::names;
use crate::shape::{self, Desc, Dim, ValueInfo};

impl Model {
    /// Replaces the description that the file declares for an input, for example by another image size or batch.
    ///
    /// Extents with a name in the file are fixed wherever they have that name. The type may be replaced by one in which the
    /// network computes in the same way: f16, bf16 and f32 by each other. An input that the file has a value for must then be
    /// given, if that value has another shape. [`Model::open_axis`] says what is checked, and what becomes of the outputs.
    ///
    /// ```
    /// use convgpu::{Desc, Device, Model, Tensor};
    ///
    /// let model = Model::load("tests/models/lenet5_mnist.onnx")?.with_input("input", Desc::f32([4, 1, 28, 28]))?;
    /// assert_eq!(model.outputs()[0].to_string(), "probs: f32[4, 10]");
    /// let outputs = model.compile(&Device::cpu())?.run(&[("input", &Tensor::zeros([4, 1, 28, 28]))])?;
    /// assert_eq!(outputs["probs"].shape(), [4, 10]);
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such input; the number of axes or the way of computing differs; extents with one name in the file differ;
    /// the values of the input decide shapes.
    pub fn with_input(mut self, name: &str, desc: Desc) -> Result<Model> {
        let file = self.declared_input(name)?.clone();
        let unfit = |why: &str| Error::shape(format!("the input {file} cannot be {desc}: {why}"));
        if file.dtype.is_some_and(|dtype| dtype.computed() != desc.dtype.computed()) {
            return Err(unfit("the network computes in another way with that type"));
        }
        if let Some(dims) = &file.dims {
            if dims.len() != desc.rank() {
                return Err(unfit("the number of axes differs"));
            }
            let mut named = HashMap::new();
            for (dim, &extent) in dims.iter().zip(&desc.shape) {
                let Dim::Named(dim) = dim else { continue };
                if *named.entry(dim.as_str()).or_insert(extent) != extent {
                    return Err(unfit(&format!("all extents named {dim} are equal")));
                }
            }
            named.into_iter().for_each(|(dim, extent)| self.set_named(dim, Dim::Fixed(extent)));
        }
        let current = self.current_input(name);
        *current = ValueInfo::of(name, &desc);
        self.require(name, &desc);
        Ok(self.described())
    }

    /// Opens an axis of an input, so that a run may give any extent: a file that was exported for one image then runs batches
    /// (axis 0). A negative axis counts from the end. Extents that have a name in the file are opened wherever they have
    /// that name.
    ///
    /// Values in the file may fix an extent, as `Reshape` to `[1, 1000]` does. Then a run with another extent is an error that
    /// names the node and the shapes. It is one as well where a node would do something else than with the file's extents, for
    /// example `Reshape` to `[1, -1]`, which would merge the images of a batch. The rules: every value keeps its number of axes,
    /// and reshapes merge and split the same axes. Along a batch (axis 0, if the file declares it as 1 or the input has at least
    /// four axes) every value that is computed from it has one axis for it, no node mixes elements along that axis, and an output
    /// has the batch as an axis of its own. Not checked is what operators of the program's own do inside, and nodes in a branch of an If
    /// that is not taken with the file's extents.
    ///
    /// [`Model::outputs`] then has open extents: if only batches are open, those which change with them, else all.
    ///
    /// ```
    /// use convgpu::{Device, Model, Tensor};
    ///
    /// let model = Model::load("tests/models/lenet5_mnist.onnx")?;
    /// assert_eq!(model.inputs()[0].to_string(), "input: f32[1, 1, 28, 28]");
    /// let model = model.open_axis("input", 0)?;
    /// assert_eq!(model.inputs()[0].to_string(), "input: f32[?, 1, 28, 28]");
    /// assert_eq!(model.outputs()[0].to_string(), "probs: f32[?, 10]");
    ///
    /// let session = model.compile(&Device::cpu())?;
    /// for n in [1, 5] {
    ///     let outputs = session.run(&[("input", &Tensor::zeros([n, 1, 28, 28]))])?;
    ///     assert_eq!(outputs["probs"].shape(), [n, 10]);
    /// }
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such input or axis; the values of the input decide shapes.
    pub fn open_axis(mut self, name: &str, axis: i64) -> Result<Model> {
        let file = self.declared_input(name)?.clone();
        // Of an input without a shape every axis is open.
        let Some(dims) = &file.dims else { return Ok(self) };
        let axis = shape::axis(axis, dims.len()).map_err(|e| e.within(format_args!("the input {file}")))?;
        match &dims[axis] {
            Dim::Named(dim) => self.set_named(dim, Dim::Named(dim.clone())),
            _ => {
                let current = self.current_input(name);
                current.dims.iter_mut().for_each(|dims| dims[axis] = Dim::Unknown);
            }
        }
        Ok(self.described())
    }

    /// The input as the file describes it.
    fn declared_input(&self, name: &str) -> Result<&ValueInfo> {
        if self.shape_inputs.iter().any(|s| s == name) {
            let text = format!("the values of the input {name:?} decide shapes: its description cannot be replaced");
            return Err(Error::argument(text));
        }
        self.declared.inputs.iter().find(|v| v.name == name).ok_or_else(|| {
            let known = self.declared.inputs.iter().map(|v| v.name.as_str());
            Error::argument(format!("there is no input {name}; {}", names::existing("inputs", name, known)))
        })
    }

    fn current_input(&mut self, name: &str) -> &mut ValueInfo {
        let mut all = self.inputs.iter_mut().chain(&mut self.optional);
        all.find(|v| v.name == name).expect("every declared input is an input")
    }

    /// Replaces the extents that have this name in the file.
    fn set_named(&mut self, dim: &str, to: Dim) {
        let wanted = Dim::Named(dim.to_owned());
        for file in &self.declared.inputs {
            let mut all = self.inputs.iter_mut().chain(&mut self.optional);
            let current = all.find(|v| v.name == file.name).expect("every declared input is an input");
            let pairs = current.dims.iter_mut().flatten().zip(file.dims.iter().flatten());
            pairs.filter(|(_, file)| **file == wanted).for_each(|(dim, _)| *dim = to.clone());
        }
    }

    /// Makes an input that the file has a value for one that must be given, if the value does not have this shape.
    fn require(&mut self, name: &str, desc: &Desc) {
        if self.constants.get(name).is_some_and(|t| t.shape() == desc.shape) {
            return;
        }
        if let Some(at) = self.optional.iter().position(|v| v.name == name) {
            self.inputs.push(self.optional.remove(at));
            self.constants.remove(name);
            self.shape_inputs = trace::shape_inputs(self);
        }
    }
}
