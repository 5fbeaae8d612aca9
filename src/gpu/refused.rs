//! Kernels that a driver failed to compile. In wgpu 30 such a failure loses the device, so they are not tried again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::launch::{Launch, title};
use super::recording::Dispatch;
use crate::error::{Error, ErrorKind};
use crate::shape::Precision;

/// A kernel as drivers compile it, whatever its overrides are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Form {
    kernel: &'static str,
    /// A name of this crate stands for one text; programs may give one name to several.
    text: &'static str,
    consts: Vec<(&'static str, u32)>,
    precision: Precision,
}

impl Form {
    pub fn of_launch(l: &Launch) -> Form {
        Form { kernel: l.kernel.name, text: l.kernel.source, consts: l.consts.clone(), precision: l.precision }
    }
    pub fn of_dispatch(d: &Dispatch) -> Form {
        Form { kernel: d.kernel.name, text: d.kernel.source, consts: d.consts.clone(), precision: d.precision }
    }
}

/// As tables name it: `conv2d_tiled(16,16,8,2) in f16`.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&title(self.kernel, &self.consts))?;
        f.write_str(if self.precision == Precision::F16 { " in f16" } else { "" })
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an adapter's driver failed to compile in this process, as far as it was known when this was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Refused(Arc<BTreeSet<Form>>);

impl Refused {
    /// Those of the adapter with this text.
    pub fn by(adapter: &str) -> Refused {
        all().get(adapter).cloned().unwrap_or_default()
    }
    pub fn has(&self, form: &Form) -> bool {
        self.0.contains(form)
    }
    /// The same and one more.
    pub fn and(&self, form: Form) -> Refused {
        Refused(Arc::new(self.0.iter().cloned().chain([form]).collect()))
    }
}

fn all() -> MutexGuard<'static, BTreeMap<String, Refused>> {
    static ALL: Mutex<BTreeMap<String, Refused>> = Mutex::new(BTreeMap::new());
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The kernel that a device compiles on this thread, and its node.
    static COMPILED: RefCell<Option<(Form, String)>> = const { RefCell::new(None) };
}

/// Runs `work`, in which a device compiles the kernel of this dispatch.
pub(crate) fn compiling<T>(d: &Dispatch, work: impl FnOnce() -> T) -> T {
    COMPILED.set(Some((Form::of_dispatch(d), d.node.clone())));
    let out = work();
    COMPILED.set(None);
    out
}

/// The error of a device of this adapter that is lost, for this reason. wgpu tells it on the thread where it happened: if a
/// kernel is compiled there, that is the cause, and it is remembered, unless the reason is another one.
pub(crate) fn loss(adapter: &str, reason: &str) -> Error {
    let lost = Error::new(ErrorKind::DeviceLost, format!("the device is lost ({reason})"));
    let Some((form, node)) = COMPILED.take() else { return lost };
    // The texts of wgpu-hal's `DeviceError::OutOfMemory` and `Lost`.
    if ["Out of memory", "Device is lost"].iter().any(|other| reason.contains(other)) {
        return lost.within(format_args!("while kernel {form} was compiled")).at(node);
    }
    let mut all = all();
    let known = all.entry(adapter.to_owned()).or_default();
    *known = known.and(form.clone());
    let hint = "; open it again: other kernels are taken then";
    lost.within(format_args!("kernel {form}: the driver failed to compile it")).followed_by(hint).at(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::kernel::Kernel;

    static KERNEL: Kernel = Kernel::new("tiles", "text");

    fn form(consts: &[(&'static str, u32)], precision: Precision) -> Form {
        Form { kernel: KERNEL.name, text: KERNEL.source, consts: consts.to_vec(), precision }
    }

    #[test]
    fn sizes_and_precisions_are_kernels_of_their_own() {
        let small = form(&[("ROWS", 4), ("COLUMNS", 8)], Precision::F16);
        assert_eq!(small.to_string(), "tiles(4,8) in f16");
        let large = form(&[("ROWS", 8), ("COLUMNS", 8)], Precision::F32);
        assert_eq!(large.to_string(), "tiles(8,8)");
        let refused = Refused::default().and(small.clone());
        assert!(refused.has(&small) && !refused.has(&large));
        let again = Refused::default().and(small.clone()).and(small);
        assert_eq!(refused, again);
    }

    #[test]
    fn a_loss_names_the_kernel_that_is_compiled_where_it_happens() {
        let plain = loss("none", "Unknown: reset");
        assert_eq!((plain.to_string().as_str(), plain.node()), ("the device is lost (Unknown: reset)", None));
        COMPILED.set(Some((form(&[], Precision::F32), "conv".to_owned())));
        let memory = loss("small", "Unknown: Out of memory");
        assert_eq!(
            memory.to_string(),
            "conv: while kernel tiles was compiled: the device is lost (Unknown: Out of memory)"
        );
        assert!(!Refused::by("small").has(&form(&[], Precision::F32)));
        COMPILED.set(Some((form(&[], Precision::F32), "conv".to_owned())));
        let elsewhere = std::thread::spawn(|| loss("other", "Unknown: reset")).join().unwrap();
        assert_eq!(elsewhere.node(), None);
        let failed = loss("broken", "Unknown: Unexpected");
        assert_eq!((failed.kind(), failed.node()), (ErrorKind::DeviceLost, Some("conv")));
        assert!(
            failed.to_string().starts_with("conv: kernel tiles: the driver failed to compile it: the device"),
            "{failed}"
        );
        assert!(Refused::by("broken").has(&form(&[], Precision::F32)));
        assert!(!Refused::by("other").has(&form(&[], Precision::F32)));
    }
}
