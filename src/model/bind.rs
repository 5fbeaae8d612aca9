//! A network from a file compiled: its graph for concrete inputs.

use super::import::extents;
use super::network::Model;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::session::{Bind, CompileOptions, Given, Network, Session, check_given};
use crate::shape::{Dim, ValueInfo};

impl Network for Model {}

impl Model {
    /// Compiles the network for a device with the default options; [`Session::new_async`] takes others.
    ///
    /// # Errors
    /// As [`Session::new_async`].
    pub async fn compile_async(self, device: &Device) -> Result<Session> {
        Session::new_async(device, self, CompileOptions::new()).await
    }

    /// Adds to an error about inputs what helps if they differ from the file in fixed extents only.
    fn say_how_to_open(&self, error: Error, inputs: &[Given<'_>]) -> Error {
        let opened = |info: &ValueInfo| {
            let open = |dim: &Dim| if matches!(dim, Dim::Fixed(_)) { Dim::Unknown } else { dim.clone() };
            ValueInfo { dims: info.dims.as_ref().map(|dims| dims.iter().map(open).collect()), ..info.clone() }
        };
        let opened = |infos: &[ValueInfo]| infos.iter().map(opened).collect::<Vec<_>>();
        match check_given(&opened(&self.inputs), &opened(&self.optional), inputs) {
            Ok(()) => error.followed_by("; Model::open_axis, or --open NAME:AXIS, lets an axis have any extent"),
            Err(_) => error,
        }
    }
}

/// An input whose value is given becomes part of the network. It is also an error if a shape depends on values computed
/// on the device. Everything unsupported is listed in one error.
impl Bind for Model {
    fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph> {
        check_given(&self.inputs, &self.optional, inputs).map_err(|e| self.say_how_to_open(e, inputs))?;
        let valued = |g: &&Given<'_>| g.value.as_ref().is_some_and(|v| v.desc() != g.desc);
        if let Some(Given { name, desc, value: Some(value) }) = inputs.iter().find(valued) {
            return Err(Error::argument(format!("the input {name} is {desc}, its value {}", value.desc())));
        }
        extents::lower(self, inputs)
    }
    fn release(&mut self) {
        // With optional inputs a run may ask for another graph.
        if self.optional.is_empty() {
            self.constants.clear();
        }
    }
    fn shape_inputs(&self) -> Vec<String> {
        self.shape_inputs.clone()
    }
    fn declared_inputs(&self) -> Vec<ValueInfo> {
        self.inputs.clone()
    }
    fn optional_inputs(&self) -> Vec<ValueInfo> {
        self.optional.clone()
    }
    fn declared_outputs(&self) -> Vec<ValueInfo> {
        self.outputs.clone()
    }
}
