//! Parameters and buffers: what they hold, how they start, how they are loaded.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// What a [`Slot`] is to a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// Learned.
    Parameter,
    /// Kept beside the parameters: running statistics.
    Buffer,
}

/// A parameter or buffer of a layer.
#[derive(Clone, Debug)]
pub struct Slot {
    tensor: Tensor,
    kind: SlotKind,
    number: u64,
}

/// Every content ever held has a number of its own: two slots with one number hold the same values.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Slot {
    /// A parameter.
    pub fn parameter(tensor: Tensor) -> Slot {
        Slot { tensor, kind: SlotKind::Parameter, number: next_number() }
    }
    /// A buffer.
    pub fn buffer(tensor: Tensor) -> Slot {
        Slot { tensor, kind: SlotKind::Buffer, number: next_number() }
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
    /// A training step's new value. A module in training reads its buffers as inputs, so what was compiled stays valid
    /// while it trains; `set_training` renumbers.
    pub(crate) fn replace_buffer(&mut self, tensor: Tensor) {
        self.tensor = tensor;
    }
    pub(crate) fn renumber(&mut self) {
        self.number = next_number();
    }
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// Seeds the initialisation of layers made on this thread. The distributions are PyTorch's, the stream is not.
pub fn manual_seed(seed: u64) {
    SEED.set(seed);
}

/// Uniform in [-bound, bound), from the thread's stream (splitmix64).
pub(crate) fn uniform(shape: &[usize], bound: f32) -> Tensor {
    let next = || {
        SEED.set(SEED.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = SEED.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * bound
    };
    Tensor::of(shape, (0..shape.iter().product()).map(|_| next()).collect::<Vec<_>>())
}

/// PyTorch's default for linear and convolution layers, weight and bias alike: `kaiming_uniform_(a=sqrt(5))`, which is
/// uniform in +-1/sqrt(fan_in).
pub(crate) fn fan_in_uniform(shape: &[usize], fan_in: usize) -> Slot {
    Slot::parameter(uniform(shape, 1.0 / (fan_in.max(1) as f32).sqrt()))
}

pub(super) fn load(slots: Vec<(String, &mut Slot)>, state: &[(String, Tensor)]) -> Result<()> {
    let mut given: HashMap<&str, &Tensor> = state.iter().map(|(name, t)| (name.as_str(), t)).collect();
    let mut wrong = vec![];
    let mut take = vec![];
    for (name, slot) in slots {
        match given.remove(name.as_str()) {
            None => wrong.push(format!("missing {name} {}", slot.tensor.desc())),
            Some(t) if t.desc() != slot.tensor.desc() => {
                wrong.push(format!("{name} is {}, must be {}", t.desc(), slot.tensor.desc()));
            }
            Some(t) => take.push((slot, t)),
        }
    }
    wrong.extend(
        state.iter().filter(|(n, _)| given.contains_key(n.as_str())).map(|(n, t)| format!("extra {n} {}", t.desc())),
    );
    if !wrong.is_empty() {
        return Err(Error::shape(format!("the state does not fit: {}", wrong.join("; "))));
    }
    take.into_iter().for_each(|(slot, t)| slot.set(t.clone()));
    Ok(())
}
