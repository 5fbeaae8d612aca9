//! The device that is measured. A kernel that loses it costs its own times and not those of the others.

use std::cell::RefCell;

use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};

/// A device that is opened again where a kernel loses it.
pub struct OpenDevice<'a> {
    now: RefCell<Device>,
    /// Absent of a device that belongs to the program: only the program can open it again.
    open: Option<&'a dyn Fn() -> Result<Device>>,
}

impl std::fmt::Debug for OpenDevice<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenDevice({})", self.now.borrow())
    }
}

impl<'a> OpenDevice<'a> {
    /// A device, and what opens it again.
    pub fn new(device: Device, open: Option<&'a dyn Fn() -> Result<Device>>) -> OpenDevice<'a> {
        OpenDevice { now: RefCell::new(device), open }
    }

    /// The device as it is now.
    pub fn device(&self) -> Device {
        self.now.borrow().clone()
    }

    /// After this error: opens the device again if it is lost.
    ///
    /// # Errors
    /// The error itself if it is another, or if the device cannot be opened again; those of opening.
    pub fn reopen(&self, after: Error) -> Result<()> {
        match self.open {
            Some(open) if after.kind() == ErrorKind::DeviceLost => drop(self.now.replace(open()?)),
            _ => return Err(after),
        }
        Ok(())
    }
}

/// Why a measurement of several variants ended early.
pub(crate) struct Stopped {
    /// The place in the list of the variant that was at work, if one was.
    pub by: Option<usize>,
    pub error: Error,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Stopped {
        Stopped { by: None, error }
    }
}

impl Stopped {
    /// The error of the variant at this place.
    pub fn by(place: usize) -> impl Fn(Error) -> Stopped {
        move |error| Stopped { by: Some(place), error }
    }
}

/// A variant that lost the device.
pub(crate) struct Lost {
    /// Its place in the list without those lost before it.
    pub place: usize,
    pub kernels: String,
    pub error: Error,
}

/// What `attempt` measures of variants: again without those that lost the device, which `attempt` is told by their signatures.
/// `list` gives signatures and kernels of the variants that are left.
///
/// # Errors
/// Those of both, unless a variant lost the device and it could be opened again.
pub(crate) async fn without_lost<T>(
    device: &OpenDevice<'_>,
    list: impl Fn(&Device) -> Result<Vec<Listed>>,
    attempt: impl AsyncFn(&Device, &[Listed]) -> Result<T, Stopped>,
) -> Result<(T, Vec<Lost>)> {
    let (mut lost, mut signatures): (Vec<Lost>, Vec<String>) = (vec![], vec![]);
    loop {
        let now = device.device();
        let mut left = list(&now)?;
        left.retain(|variant| !signatures.contains(&variant.signature));
        match attempt(&now, &left).await {
            Ok(done) => return Ok((done, lost)),
            Err(Stopped { by: Some(place), error }) if error.kind() == ErrorKind::DeviceLost => {
                device.reopen(error.clone())?;
                let Listed { signature, kernels, .. } = left.swap_remove(place);
                signatures.push(signature);
                lost.push(Lost { place, kernels, error });
            }
            Err(Stopped { error, .. }) => return Err(error),
        }
    }
}

/// A variant that may be measured.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Its position among the operator's variants.
    pub alternative: usize,
    pub signature: String,
    pub kernels: String,
}
