//! Parameters and buffers: their contents, initialisation and loading.

use std::borrow::Borrow;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
#[cfg(not(target_arch = "wasm32"))]
use crate::functional::eager::Number;
use crate::model::safetensors;
use crate::names;
use crate::rng::Rng;
use crate::shape::{DType, Desc};
use crate::tensor::Tensor;

/// The kind of a [`Slot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SlotKind {
    /// Learned.
    Parameter,
    /// Not learned, but part of the state: running statistics.
    Buffer,
}

/// A parameter or buffer of a layer: a tensor that [`Module::state_dict`](super::Module::state_dict) names.
pub struct Slot {
    tensor: Tensor,
    kind: SlotKind,
    /// Of the contents.
    number: u64,
    #[cfg(not(target_arch = "wasm32"))]
    owner: Owner,
}

/// The number of a slot. What was compiled with its contents goes with it.
#[cfg(not(target_arch = "wasm32"))]
struct Owner(u64);

#[cfg(not(target_arch = "wasm32"))]
impl Drop for Owner {
    fn drop(&mut self) {
        crate::functional::cache::forget_owner(self.0);
    }
}

/// A clone is a slot of its own.
impl Clone for Slot {
    fn clone(&self) -> Slot {
        Slot { number: self.number, ..Slot::new(self.tensor.clone(), self.kind) }
    }
}

/// Every slot and every content gets a unique number: two slots whose contents have the same number hold the same values.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Slot {
    fn new(tensor: Tensor, kind: SlotKind) -> Slot {
        Slot {
            tensor,
            kind,
            number: next_number(),
            #[cfg(not(target_arch = "wasm32"))]
            owner: Owner(next_number()),
        }
    }
    /// A parameter.
    pub fn parameter(tensor: Tensor) -> Slot {
        Slot::new(tensor, SlotKind::Parameter)
    }
    /// A buffer.
    pub fn buffer(tensor: Tensor) -> Slot {
        Slot::new(tensor, SlotKind::Buffer)
    }
    /// The elements.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }
    /// Parameter or buffer.
    pub fn kind(&self) -> SlotKind {
        self.kind
    }
    /// Replaces the elements; the shape may change.
    pub fn set(&mut self, tensor: Tensor) {
        self.tensor = tensor;
        self.number = next_number();
    }
    /// Replaces the elements by those of a tensor with this slot's shape and type.
    pub(super) fn fit(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        self.set(fitting(name, tensor, &self.tensor.desc()).map_err(Error::shape)?);
        Ok(())
    }
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn number(&self) -> Number {
        Number { owner: self.owner.0, contents: self.number }
    }
}

/// Shape and type, as `f32[16, 3, 3, 3]`; the elements would be too much output.
impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tensor.desc())
    }
}

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// Seeds the initialisation of layers that this thread makes from here on. The distributions are PyTorch's, the random
/// numbers are not.
///
/// A layer with random parameters ([`Conv2d`](super::Conv2d), [`Linear`](super::Linear), ..) takes one number of the
/// stream when it is made, and draws all its parameters with that seed. So the order of the calls that set its options
/// changes neither its numbers nor those of the layers after it.
///
/// ```
/// use convgpu::nn::{Conv2d, Module, manual_seed};
///
/// manual_seed(7);
/// let a = Conv2d::new(4, 6, 3).groups(2).bias(false);
/// manual_seed(7);
/// let b = Conv2d::new(4, 6, 3).bias(false).groups(2);
/// assert_eq!(a.state_dict(), b.state_dict());
/// ```
pub fn manual_seed(seed: u64) {
    SEED.set(seed);
}

/// The seed of a layer's parameters: one number of the thread's stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u64);

impl Seed {
    /// The next number of the thread's stream.
    pub fn draw() -> Seed {
        let mut stream = Rng(SEED.get());
        let seed = stream.next();
        SEED.set(stream.0);
        Seed(seed)
    }

    /// Uniform in [-bound, bound). Each parameter of a layer has a stream of its own.
    fn uniform(self, stream: u64, shape: &[usize], bound: f32) -> Tensor {
        let mut values = Rng(Rng(self.0 ^ stream.rotate_right(8)).next());
        let mut next = || values.float() * bound;
        Tensor::of(shape, (0..shape.iter().product()).map(|_| next()).collect::<Vec<_>>())
    }

    /// PyTorch's default for linear and convolution layers, for weight and bias: `kaiming_uniform_(a=sqrt(5))`, which
    /// is uniform in +-1/sqrt(fan_in).
    pub fn fan_in_uniform(self, stream: u64, shape: &[usize], fan_in: usize) -> Slot {
        Slot::parameter(self.uniform(stream, shape, 1.0 / (fan_in.max(1) as f32).sqrt()))
    }

    /// PyTorch's `xavier_uniform_` of a matrix: uniform in +-sqrt(6 / (rows + columns)).
    pub fn xavier_uniform(self, stream: u64, [rows, columns]: [usize; 2]) -> Slot {
        let bound = (6.0 / (rows + columns).max(1) as f32).sqrt();
        Slot::parameter(self.uniform(stream, &[rows, columns], bound))
    }

    /// Normal with this deviation, by Box and Muller's formula.
    pub fn normal(self, stream: u64, shape: &[usize], deviation: f32) -> Slot {
        let (tensor, angles) = (self.uniform(stream, shape, 1.0), self.uniform(!stream, shape, std::f32::consts::PI));
        let number = |(v, angle): (&f32, &f32)| {
            // Uniform in (0, 1].
            let share = 1.0 - v.abs().min(1.0 - f32::EPSILON);
            deviation * (-2.0 * share.ln()).sqrt() * angle.cos()
        };
        let values = tensor.f32s().iter().zip(angles.f32s()).map(number).collect::<Vec<_>>();
        Slot::parameter(Tensor::of(shape, values))
    }
}

/// Makes or drops an optional parameter or buffer.
pub(super) fn have(slot: &mut Option<Slot>, wanted: bool, make: impl FnOnce() -> Slot) {
    match (wanted, &slot) {
        (true, None) => *slot = Some(make()),
        (false, _) => *slot = None,
        _ => {}
    }
}

/// Names and tensors in order: the state of a module, as PyTorch's `state_dict()`, and what a safetensors file holds.
///
/// ```
/// use convgpu::Tensor;
/// use convgpu::nn::{Linear, Module, StateDict};
///
/// let mut state = StateDict::new();
/// state.insert("weight", Tensor::new([1, 2], vec![2.0f32, -1.0])?);
/// state.insert("bias", Tensor::zeros([1]));
///
/// let mut layer = Linear::new(2, 1);
/// layer.load_state_dict(&state)?;
/// assert_eq!(layer.state_dict(), state);
/// assert_eq!(StateDict::from_bytes(&state.to_bytes()?)?, state);
/// # Ok::<(), convgpu::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct StateDict(Vec<(String, Tensor)>);

/// The same names with the same tensors, in any order: a file sorts entries by type and name.
impl PartialEq for StateDict {
    fn eq(&self, other: &StateDict) -> bool {
        self.len() == other.len() && self.iter().all(|(name, t)| other.get(name) == Some(t))
    }
}

impl StateDict {
    /// No entries.
    pub fn new() -> StateDict {
        StateDict::default()
    }
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }
    /// Sets the tensor of this name; a new name is appended.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        let name = name.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, held)) => *held = tensor,
            None => self.0.push((name, tensor)),
        }
    }
    /// Removes the tensor of this name.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }
    /// Names and tensors, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, t)| (name.as_str(), t))
    }
    /// The entries of a safetensors file. Floats of 16 and 64 bits become f32, integers below 32 bits i32.
    ///
    /// # Errors
    /// The file cannot be read, is not a safetensors file, or holds elements of an unsupported type.
    pub fn read(path: impl AsRef<Path>) -> Result<StateDict> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        StateDict::from_bytes(&bytes).map_err(|e| e.within(path.display()))
    }
    /// Writes the entries as a safetensors file, which sorts them by type and name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        std::fs::write(path, self.to_bytes()?).map_err(|e| Error::io(path, e))
    }
    /// The entries of the bytes of a safetensors file, as [`StateDict::read`].
    ///
    /// # Errors
    /// The bytes are not a safetensors file, or hold elements of an unsupported type.
    pub fn from_bytes(bytes: &[u8]) -> Result<StateDict> {
        safetensors::from_bytes(bytes).map(StateDict)
    }
    /// The entries as the bytes of a safetensors file.
    ///
    /// # Errors
    /// There are too many entries for such a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        safetensors::to_bytes(&self.0)
    }
}

/// If a name occurs twice, the last entry counts.
impl<N: Into<String>> FromIterator<(N, Tensor)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (N, Tensor)>>(entries: I) -> StateDict {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut out: Vec<(String, Tensor)> = vec![];
        for (name, tensor) in entries {
            let name = name.into();
            match places.get(&name) {
                Some(&at) => out[at].1 = tensor,
                None => {
                    places.insert(name.clone(), out.len());
                    out.push((name, tensor));
                }
            }
        }
        StateDict(out)
    }
}

impl IntoIterator for StateDict {
    type Item = (String, Tensor);
    type IntoIter = std::vec::IntoIter<(String, Tensor)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// The names in which a module and a state dict differ, as
/// [`Module::load_state_dict_partial`](super::Module::load_state_dict_partial) found them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncompatibleKeys {
    /// Parameters and buffers of the module that the dict does not have. They are unchanged.
    pub missing: Vec<String>,
    /// Entries of the dict that the module does not have. They are ignored.
    pub unexpected: Vec<String>,
}

/// A tensor in the type of a slot: 32-bit integers are widened to 64.
fn as_type(tensor: &Tensor, dtype: DType) -> Option<Tensor> {
    match (tensor.dtype(), dtype) {
        (have, want) if have == want => Some(tensor.clone()),
        (DType::I32, DType::I64) => Some(Tensor::of(tensor.shape(), tensor.to_i64s().ok()?)),
        _ => None,
    }
}

/// The tensor in the type of a slot that has this description, or what does not fit.
fn fitting(name: &str, tensor: &Tensor, slot: &Desc) -> Result<Tensor, String> {
    let fits = as_type(tensor, slot.dtype).filter(|t| t.shape() == slot.shape);
    fits.ok_or_else(|| format!("{name} is {}, must be {slot}", tensor.desc()))
}

/// The slot of this kind and name.
pub(super) fn find<S: Borrow<Slot>>(slots: Vec<(String, S)>, kind: SlotKind, name: &str) -> Result<S> {
    let (what, other, get_other) = match kind {
        SlotKind::Parameter => ("parameter", "buffer", "get_buffer and set_buffer"),
        SlotKind::Buffer => ("buffer", "parameter", "get_parameter and set_parameter"),
    };
    let mut known = vec![];
    for (path, slot) in slots {
        match (path == name, slot.borrow().kind == kind) {
            (true, true) => return Ok(slot),
            (true, false) => {
                return Err(Error::argument(format!("{name} is a {other}, not a {what}: {get_other} take it")));
            }
            (false, true) => known.push(path),
            (false, false) => {}
        }
    }
    let existing = names::existing(&format!("{what}s"), name, known.iter().map(String::as_str));
    Err(Error::argument(format!("there is no {what} {name}; {existing}")))
}

/// Entries of each kind that an error shows.
const SHOWN: usize = 5;

/// How many entries of a state dict are `what`, and the first of them.
fn counted(what: &str, entries: &[String]) -> Option<String> {
    let first = entries.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if entries.len() > SHOWN { ", .." } else { "" };
    (!entries.is_empty()).then(|| format!("{} {what} ({first}{more})", entries.len()))
}

/// Sets the slots that the dict names. Nothing is set if an entry does not fit its slot, or if `strict` and names differ.
pub(super) fn load(slots: Vec<(String, &mut Slot)>, state: &StateDict, strict: bool) -> Result<IncompatibleKeys> {
    let mut given: HashMap<&str, &Tensor> = state.iter().collect();
    let (mut missing, mut unexpected, mut misshaped) = (vec![], vec![], vec![]);
    let mut take = vec![];
    let mut names = IncompatibleKeys::default();
    for (name, slot) in slots {
        let desc = slot.tensor.desc();
        match given.remove(name.as_str()) {
            None => {
                missing.push(format!("{name} {desc}"));
                names.missing.push(name);
            }
            Some(t) => match fitting(&name, t, &desc) {
                Ok(t) => take.push((slot, t)),
                Err(text) => misshaped.push(text),
            },
        }
    }
    for (name, tensor) in state.iter().filter(|(name, _)| given.contains_key(name)) {
        unexpected.push(format!("{name} {}", tensor.desc()));
        names.unexpected.push(name.to_owned());
    }
    if !strict {
        (missing, unexpected) = (vec![], vec![]);
    }
    let lists = [("missing", missing), ("unexpected", unexpected), ("misshaped", misshaped)];
    let wrong: Vec<String> = lists.iter().filter_map(|(what, entries)| counted(what, entries)).collect();
    if !wrong.is_empty() {
        return Err(Error::shape(format!("the state does not fit: {}", wrong.join("; "))));
    }
    take.into_iter().for_each(|(slot, t)| slot.set(t));
    Ok(names)
}
