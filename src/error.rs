//! The one error type of the crate.

use std::fmt;

/// What went wrong, coarsely: enough to decide what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Shapes or data types do not fit the operator, or do not fit each other.
    Shape,
    /// An argument outside its domain: an unknown name, an option that cannot be.
    Argument,
    /// The operator, attribute, type or size is valid but not implemented here.
    Unsupported,
    /// A file could not be read, or is not what it claims to be.
    File,
    /// No adapter, or the adapter refused the work.
    Device,
    /// The device has not enough memory, or a limit of it is too small for a tensor.
    Memory,
    /// The device is gone (driver reset, unplugged, destroyed).
    DeviceLost,
    /// A computed value is outside its error bound.
    Check,
}

/// An error with its [`kind`](Error::kind) and, where one is concerned, the name of the [`node`](Error::node).
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    node: Option<String>,
    message: String,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A new error; `message` says what, where, and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { kind, node: None, message: message.into() }))
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
    /// The same error, naming the node it belongs to. The innermost name wins.
    pub fn at(mut self, node: impl Into<String>) -> Error {
        self.0.node.get_or_insert_with(|| node.into());
        self
    }
    /// What went wrong, coarsely.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
    /// The name of the node (layer) concerned, if there is one.
    pub fn node(&self) -> Option<&str> {
        self.0.node.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.node {
            Some(node) => write!(f, "{node}: {}", self.0.message),
            None => f.write_str(&self.0.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {}
