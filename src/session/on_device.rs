//! Runs whose results stay on the device: in new tensors, in tensors of the program, or recorded into its encoder.

use std::sync::Arc;

use super::host::Ready;
use super::input::OwnedInput;
use super::{Input, Outputs, Session};
use crate::device::DeviceTensor;
use crate::error::{Error, Result};
use crate::gpu::CommandEncoder;
use crate::shape::Desc;

impl Session {
    /// Runs the network and leaves the results on its device. Inputs are tensors of the device or of the host ([`Input`]); those
    /// that decide shapes are read on the host.
    ///
    /// # Errors
    /// As [`Session::run_async`]; an input is on another device, or is recorded and its encoder is not submitted.
    pub async fn run_device_async<'a, I: Copy + Into<Input<'a>>>(
        &self,
        inputs: &[(&str, I)],
    ) -> Result<Outputs<DeviceTensor>> {
        let call = self.call(inputs).await?;
        let results = call.ready.run_device_async(&call.inputs(), &[]).await?;
        Ok(self.named(&call.ready, results))
    }

    /// Runs the network and writes the results into tensors of the program: all of them, or some; the others are dropped. Each
    /// comes from [`DeviceTensor::from_buffer`], or its buffer was taken by [`DeviceTensor::buffer`].
    ///
    /// # Errors
    /// As [`Session::run_device_async`]; an output is unknown, misshaped, given twice, on another device, or not the
    /// program's; its buffer lacks `COPY_DST` or is destroyed; it has bytes in common with an input or another output.
    pub async fn run_into_async<'a, I: Copy + Into<Input<'a>>>(
        &self,
        inputs: &[(&str, I)],
        outputs: &[(&str, &DeviceTensor)],
    ) -> Result<()> {
        let call = self.call(inputs).await?;
        let given = self.given_outputs(&call, outputs)?;
        call.ready.run_device_async(&call.inputs(), &given).await.map(drop)
    }

    /// Encodes a run into an encoder of the program's, which submits it: so a frame is one submission, with passes of the program
    /// before and after. The results are tensors for further passes ([`DeviceTensor::buffer`]), further calls of
    /// `record`, and, once the encoder is submitted, for any call; before that, calls that read them give an error.
    ///
    /// The commands hold the memory that they use, and each recorded run writes its inputs there first: several may be recorded
    /// into one encoder, and other runs may come between recording and submitting. Inputs that are recorded themselves must be
    /// written by the same encoder, or by one that is submitted before.
    ///
    /// ```
    /// use convgpu::{DeviceTensor, Result, Session, wgpu};
    ///
    /// /// A frame: what a pass of the program wrote goes through the network and on to another pass.
    /// async fn frame(session: &Session, encoder: &mut wgpu::CommandEncoder, painted: &DeviceTensor) -> Result<wgpu::Buffer> {
    ///     let outputs = session.record_async(encoder, &[("image", painted)]).await?;
    ///     Ok(outputs["styled"].buffer()?.0)
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Session::run_device_async`]; the device is the CPU reference; an input decides shapes by its value; a run is
    /// submitted in parts ([`CompileOptions::submit_limit`](crate::CompileOptions::submit_limit)); part of the network runs on
    /// the host.
    pub async fn record_async(
        &self,
        encoder: &mut CommandEncoder,
        inputs: &[(&str, &DeviceTensor)],
    ) -> Result<Outputs<DeviceTensor>> {
        let call = self.recordable(inputs).await?;
        let results = call.ready.record_async(encoder, &call.inputs(), &[]).await?;
        Ok(self.named(&call.ready, results))
    }

    /// As [`Session::record_async`], with the results in tensors of the program, as in [`Session::run_into_async`].
    ///
    /// # Errors
    /// Those of both.
    pub async fn record_into_async(
        &self,
        encoder: &mut CommandEncoder,
        inputs: &[(&str, &DeviceTensor)],
        outputs: &[(&str, &DeviceTensor)],
    ) -> Result<()> {
        let call = self.recordable(inputs).await?;
        let given = self.given_outputs(&call, outputs)?;
        call.ready.record_async(encoder, &call.inputs(), &given).await.map(drop)
    }

    async fn recordable(&self, inputs: &[(&str, &DeviceTensor)]) -> Result<Call> {
        match inputs.iter().find(|(name, _)| self.0.shapes(name)) {
            Some((name, _)) => {
                let text = format!("the value of the input {name:?} decides shapes: the run cannot be recorded");
                Err(Error::argument(text))
            }
            None => self.call(inputs).await,
        }
    }

    /// The plan for these inputs, and what it is given.
    async fn call<'a, I: Copy + Into<Input<'a>>>(&self, inputs: &[(&str, I)]) -> Result<Call> {
        let (mut given, mut used) = (vec![], vec![]);
        for &(name, input) in inputs {
            let input: Input<'a> = input.into();
            let value = if self.0.shapes(name) { Some(input.to_host().await?) } else { None };
            let input = input.as_computed(self.0.computed(name, input.desc().dtype));
            given.push((name.to_owned(), input.borrowed().desc(), value));
            if !self.0.shapes(name) {
                used.push((name.to_owned(), input));
            }
        }
        Ok(Call { ready: self.ready(given).await?, inputs: used })
    }

    /// The tensors for results, in the order of the network's outputs.
    fn given_outputs<'o>(
        &self,
        call: &Call,
        outputs: &[(&str, &'o DeviceTensor)],
    ) -> Result<Vec<Option<&'o DeviceTensor>>> {
        let mut given: Vec<Option<&DeviceTensor>> = vec![];
        for (name, desc) in call.ready.outputs() {
            let mut found = outputs.iter().filter(|(n, _)| *n == name).map(|(_, t)| *t);
            let tensor = found.next();
            if found.next().is_some() {
                return Err(Error::argument(format!("the output {name} is given twice")));
            }
            let desc = Desc::new(desc.shape.clone(), self.0.declared(name, desc.dtype));
            tensor
                .map_or(Ok(()), |t| t.check_output(&self.0.device, &desc))
                .map_err(|e| e.within(format_args!("the output {name}")))?;
            given.push(tensor);
        }
        if let Some((name, _)) = outputs.iter().find(|(name, _)| !call.ready.outputs().any(|(n, _)| n == *name)) {
            let known: Vec<_> = call.ready.outputs().map(|(n, _)| n).collect();
            return Err(Error::argument(format!("there is no output named {name}; outputs: {}", known.join(", "))));
        }
        for (k, (name, tensor)) in outputs.iter().enumerate() {
            let inputs = call.inputs.iter().filter_map(|(n, input)| match input {
                OwnedInput::Device(t) => Some((n.as_str(), t)),
                OwnedInput::Host(_) => None,
            });
            let others = outputs[..k].iter().map(|(n, t)| (*n, *t));
            if let Some((other, _)) = inputs.chain(others).find(|(_, other)| tensor.overlaps(other)) {
                return Err(Error::argument(format!("the output {name} has bytes in common with {other}")));
            }
        }
        Ok(given)
    }

    /// Results with the names and types that the network declares.
    fn named(&self, ready: &Ready, results: Vec<DeviceTensor>) -> Outputs<DeviceTensor> {
        let typed = |((name, _), t): ((&str, &Desc), DeviceTensor)| {
            let dtype = self.0.declared(name, t.dtype());
            (name.to_owned(), t.as_float(dtype))
        };
        Outputs(ready.outputs().zip(results).map(typed).collect())
    }
}

/// A plan, and what it is given.
struct Call {
    ready: Arc<Ready>,
    inputs: Vec<(String, OwnedInput)>,
}

impl Call {
    fn inputs(&self) -> Vec<(&str, Input<'_>)> {
        self.inputs.iter().map(|(name, input)| (name.as_str(), input.borrowed())).collect()
    }
}
