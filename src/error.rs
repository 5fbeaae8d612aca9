//! The one error type of the crate.

use std::fmt;
use std::sync::Arc;

/// The kind of an error: enough to decide what to do next.
///
/// ```
/// use convgpu::{ErrorKind, Tensor};
///
/// let e = Tensor::zeros([2, 3]).reshape([7]).unwrap_err();
/// assert_eq!(e.kind(), ErrorKind::Shape);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Shapes or data types do not fit the operator, or do not fit each other. Give other tensors.
    Shape,
    /// An argument is outside its domain: an unknown name, a missing adapter, an invalid option.
    Argument,
    /// The operator, attribute, type or size is valid but not implemented here, or this device cannot do it. The CPU
    /// reference or another adapter may.
    Unsupported,
    /// A file could not be read or written, or is not what it claims to be.
    File,
    /// The adapter cannot open a device, or the device refused the work.
    Device,
    /// The device has not enough memory, or a limit of it is too small for a tensor. Smaller inputs may fit.
    Memory,
    /// As much is in flight as may be. Wait for some of it, and try again.
    Busy,
    /// The device is lost (driver reset, unplugged, destroyed). Everything that belongs to it fails from then on: open
    /// the device again and make new sessions.
    DeviceLost,
    /// A computed value is outside its error bound.
    Check,
}

/// The error of this crate: a [`kind`](Error::kind), a message and, if it concerns a node, the name of the
/// [`node`](Error::node).
///
/// The message contains the text of the error that caused this one. [`std::error::Error::source`] gives that error
/// itself.
///
/// ```
/// use convgpu::{ErrorKind, Model};
///
/// fn load() -> Result<Model, Box<dyn std::error::Error>> {
///     Ok(Model::load("no-such-file.onnx")?)
/// }
/// let e = load().unwrap_err();
/// assert!(e.to_string().starts_with("no-such-file.onnx: "));
///
/// let e: &convgpu::Error = e.downcast_ref().unwrap();
/// assert_eq!(e.kind(), ErrorKind::File);
/// let source = std::error::Error::source(e).unwrap();
/// let io: &std::io::Error = source.downcast_ref().unwrap();
/// assert_eq!(io.kind(), std::io::ErrorKind::NotFound);
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

type Source = Arc<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    /// Written before the node's name.
    context: String,
    node: Option<String>,
    message: String,
    source: Option<Source>,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A new error; `message` says what, where, and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        let (context, message) = (String::new(), message.into());
        Error(Box::new(Inner { kind, context, node: None, message, source: None }))
    }
    pub(crate) fn shape(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Shape, message)
    }
    pub(crate) fn argument(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Argument, message)
    }
    pub(crate) fn unsupported(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Unsupported, message)
    }
    pub(crate) fn file(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::File, message)
    }
    /// A file that could not be read or written.
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Error {
        Error::file(format!("{}: {source}", path.display())).because(source)
    }

    /// The same error with the one that caused it, which [`std::error::Error::source`] then gives. The message stays as
    /// it is: it should contain the cause's text.
    pub fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The same error with the name of its node. If it has one already, that name stays.
    pub fn at(mut self, node: impl Into<String>) -> Error {
        self.0.node.get_or_insert_with(|| node.into());
        self
    }

    /// The same error with `what` and a colon before its text: kind, node and source stay.
    pub(crate) fn within(mut self, what: impl fmt::Display) -> Error {
        let inner = &mut *self.0;
        let text = if inner.node.is_some() { &mut inner.context } else { &mut inner.message };
        text.insert_str(0, &format!("{what}: "));
        self
    }

    /// The same error with `rest` behind its text.
    pub(crate) fn followed_by(mut self, rest: &str) -> Error {
        self.0.message.push_str(rest);
        self
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
    /// The name of the node (layer) that the error concerns, if any.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.node {
            Some(node) => write!(f, "{}{node}: {}", self.0.context, self.0.message),
            None => f.write_str(&self.0.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn wrapping_keeps_kind_node_and_source() {
        let io = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "no entry");
        let e = Error::io(std::path::Path::new("weights.bin"), io).within("initialiser w").at("conv").within("model");
        assert_eq!(e.to_string(), "model: conv: initialiser w: weights.bin: no entry");
        let e = e.at("outer").clone();
        assert_eq!((e.kind(), e.node()), (ErrorKind::File, Some("conv")));
        let source = e.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn an_error_without_a_cause_has_no_source() {
        let e = Error::shape("odd").within("x");
        assert!(e.source().is_none() && e.node().is_none());
        assert_eq!(format!("{e} {e:?}"), "x: odd Shape: x: odd");
    }
}
