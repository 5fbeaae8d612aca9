//! The results of a run.

use std::fmt;
use std::ops::Index;

use crate::device::DeviceTensor;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The named results of a run, in the order of the network's outputs; there is at least one. [`Session::run`] gives host
/// tensors, [`Session::run_device`] those of its device.
///
/// ```
/// use convgpu::{Desc, Device, Graph, Tensor};
///
/// let mut graph = Graph::new();
/// let x = graph.input("x", Desc::f32([2]))?;
/// let y = graph.softmax(x, 0)?;
/// graph.output("y", y);
/// let session = graph.compile(&Device::cpu())?;
/// let x = Tensor::from([0.0f32, 0.0]);
///
/// let outputs = session.run(&[("x", &x)])?;
/// assert_eq!(outputs["y"], Tensor::from([0.5f32, 0.5]));
/// assert_eq!(outputs.first(), &outputs["y"]);
/// assert!(outputs.get("z").is_none());
/// for (name, tensor) in &outputs {
///     println!("{name}: {tensor}");
/// }
///
/// // If a network has one output, it converts to a tensor.
/// let y: Tensor = session.run(&[("x", &x)])?.try_into()?;
/// assert_eq!(y, outputs["y"]);
/// # Ok::<(), convgpu::Error>(())
/// ```
///
/// [`Session::run`]: crate::Session::run
/// [`Session::run_device`]: crate::Session::run_device
#[derive(Clone)]
pub struct Outputs<T = Tensor>(pub(crate) Vec<(String, T)>);

impl<T> Outputs<T> {
    /// The result of this name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }
    /// The first result. Every network has one.
    pub fn first(&self) -> &T {
        &self.0[0].1
    }
    /// The first result; the others are dropped.
    pub fn into_first(self) -> T {
        let mut results = self.0;
        results.swap_remove(0).1
    }
    /// The number of results.
    #[allow(clippy::len_without_is_empty)] // it never is
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Names and results, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &T)> + DoubleEndedIterator {
        self.into_iter()
    }
    fn single(self) -> Result<T> {
        if self.len() == 1 {
            return Ok(self.into_first());
        }
        let names: Vec<_> = self.iter().map(|(name, _)| name).collect();
        Err(Error::argument(format!("one output is expected, the network has {}", names.join(", "))))
    }
}

/// # Panics
/// No result has this name; use [`Outputs::get`] if it may be missing.
impl<T> Index<&str> for Outputs<T> {
    type Output = T;
    fn index(&self, name: &str) -> &T {
        self.get(name).unwrap_or_else(|| {
            let names: Vec<_> = self.iter().map(|(name, _)| name).collect();
            panic!("the network has no output named {name}; outputs: {}", names.join(", "))
        })
    }
}

impl<T> IntoIterator for Outputs<T> {
    type Item = (String, T);
    type IntoIter = std::vec::IntoIter<(String, T)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Outputs<T> {
    type Item = (&'a str, &'a T);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (String, T)>, fn(&(String, T)) -> (&str, &T)>;
    fn into_iter(self) -> Self::IntoIter {
        fn named<T>((name, tensor): &(String, T)) -> (&str, &T) {
            (name, tensor)
        }
        self.0.iter().map(named)
    }
}

/// The only result.
///
/// # Errors
/// There are several.
impl TryFrom<Outputs> for Tensor {
    type Error = Error;
    fn try_from(outputs: Outputs) -> Result<Tensor> {
        outputs.single()
    }
}

/// The only result.
///
/// # Errors
/// There are several.
impl TryFrom<Outputs<DeviceTensor>> for DeviceTensor {
    type Error = Error;
    fn try_from(outputs: Outputs<DeviceTensor>) -> Result<DeviceTensor> {
        outputs.single()
    }
}

/// Every result after its name; the precision of the format (`{:.2}`) applies to the elements.
impl<T: fmt::Display> fmt::Display for Outputs<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, (name, tensor)) in self.iter().enumerate() {
            let text = f.precision().map_or_else(|| format!("{tensor}"), |digits| format!("{tensor:.digits$}"));
            let (before, between) = (if k > 0 { "\n" } else { "" }, if text.contains('\n') { "\n" } else { " " });
            write!(f, "{before}{name}:{between}{text}")?;
        }
        Ok(())
    }
}

impl<T: fmt::Debug> fmt::Debug for Outputs<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Outputs {
        Outputs(vec![("a".to_owned(), Tensor::from([1i32])), ("b".to_owned(), Tensor::from([[2i32], [3]]))])
    }

    #[test]
    fn results_are_found_by_name_and_in_order() {
        let outputs = two();
        assert_eq!(outputs.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((outputs.len(), outputs["b"].shape(), outputs.get("c")), (2, &[2, 1][..], None));
        assert_eq!(outputs.to_string(), "a: [1] i32[1]\nb:\n[[2],\n [3]] i32[2, 1]");
        assert_eq!(format!("{outputs:?}"), r#"{"a": i32[1] [1], "b": i32[2, 1] [2, 3]}"#);
        assert_eq!(outputs.clone().into_iter().next_back().unwrap().0, "b");
        assert_eq!(outputs.into_first(), Tensor::from([1i32]));
    }

    #[test]
    fn several_results_are_not_one() {
        let e = Tensor::try_from(two()).unwrap_err();
        assert!(e.to_string().contains("the network has a, b"), "{e}");
        let one = Outputs(two().0[..1].to_vec());
        assert_eq!(Tensor::try_from(one).unwrap(), Tensor::from([1i32]));
    }

    #[test]
    #[should_panic(expected = "no output named c; outputs: a, b")]
    fn an_unknown_name_panics_and_says_which_there_are() {
        let _ = &two()["c"];
    }
}
