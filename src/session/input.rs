//! What a run is given.

use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

/// An input of a run that leaves its results on the device: a tensor of the host or of the device. References to both convert
/// to it.
///
/// ```
/// use convgpu::functional::BinaryKind;
/// use convgpu::{Desc, Device, Graph, Input, Tensor};
///
/// let mut graph = Graph::new();
/// let (a, b) = (graph.input("a", Desc::f32([2]))?, graph.input("b", Desc::f32([2]))?);
/// let sum = graph.binary(a, b, BinaryKind::Add)?;
/// graph.output("sum", sum);
/// let device = Device::cpu();
/// let session = graph.compile(&device)?;
///
/// let (here, there) = (Tensor::from([1.0f32, 2.0]), Tensor::from([3.0f32, 4.0]).to_device(&device)?);
/// let outputs = session.run_device(&[("a", Input::from(&here)), ("b", Input::from(&there))])?;
/// assert_eq!(outputs["sum"].to_host()?, Tensor::from([4.0f32, 6.0]));
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Elements on the host: they are uploaded.
    Host(&'a Tensor),
    /// Elements on the device of the session.
    Device(&'a DeviceTensor),
}

impl<'a> From<&'a Tensor> for Input<'a> {
    fn from(tensor: &'a Tensor) -> Input<'a> {
        Input::Host(tensor)
    }
}

impl<'a> From<&'a DeviceTensor> for Input<'a> {
    fn from(tensor: &'a DeviceTensor) -> Input<'a> {
        Input::Device(tensor)
    }
}

impl<'a> Input<'a> {
    pub(super) fn desc(&self) -> Desc {
        match self {
            Input::Host(tensor) => tensor.desc(),
            Input::Device(tensor) => tensor.desc().clone(),
        }
    }

    /// An error if it is on another device.
    pub(super) fn check_device(&self, device: &Device) -> Result<()> {
        match self {
            Input::Device(tensor) if !tensor.device().same(device) => {
                Err(Error::argument(format!("an input is on {}, the session on {device}", tensor.device())))
            }
            _ => Ok(()),
        }
    }

    /// The elements, copied to the host if they are not there.
    pub(super) async fn to_host(self) -> Result<Tensor> {
        match self {
            Input::Host(tensor) => Ok(tensor.clone()),
            Input::Device(tensor) => tensor.to_host_async().await,
        }
    }

    /// The same in another type of float.
    pub(super) fn as_computed(self, dtype: DType) -> OwnedInput {
        match self {
            Input::Host(tensor) => OwnedInput::Host(tensor.to_dtype(dtype)),
            Input::Device(tensor) => OwnedInput::Device(tensor.as_float(dtype)),
        }
    }
}

/// As [`Input`], without borrowing.
pub(super) enum OwnedInput {
    Host(Tensor),
    Device(DeviceTensor),
}

impl OwnedInput {
    pub fn borrowed(&self) -> Input<'_> {
        match self {
            OwnedInput::Host(tensor) => Input::Host(tensor),
            OwnedInput::Device(tensor) => Input::Device(tensor),
        }
    }
}
