//! Recurrent layers: LSTM, GRU and RNN.

use super::layers::slots_of;
use super::state::Seed;
use super::{Builder, Module, Slot};
use crate::attr::{self, Activation, Cell};
#[cfg(not(target_arch = "wasm32"))]
use crate::device::DeviceTensor;
use crate::error::{Error, Result};
use crate::graph::{RecurrentWeights, ValueId};

/// The weights of all layers, and their options.
#[derive(Clone, Debug)]
struct Stack {
    cell: Cell,
    input_size: usize,
    hidden_size: usize,
    num_layers: usize,
    bias: bool,
    batch_first: bool,
    bidirectional: bool,
    seed: Seed,
    /// By layer and direction, in PyTorch's order.
    slots: Vec<(String, Slot)>,
}

impl Stack {
    fn new(cell: Cell, input_size: usize, hidden_size: usize) -> Stack {
        let options = (1, true, false, false);
        let (num_layers, bias, batch_first, bidirectional) = options;
        let (seed, slots) = (Seed::draw(), vec![]);
        let stack = Stack { cell, input_size, hidden_size, num_layers, bias, batch_first, bidirectional, seed, slots };
        stack.drawn()
    }

    /// The same with the weights that the options ask for.
    fn drawn(mut self) -> Stack {
        self.slots.clear();
        let rows = self.cell.gates() * self.hidden_size;
        for layer in 0..self.num_layers {
            let inputs = if layer == 0 { self.input_size } else { self.hidden_size * self.directions() };
            for direction in 0..self.directions() {
                let weights = [("weight_ih", vec![rows, inputs]), ("weight_hh", vec![rows, self.hidden_size])];
                let biases = ["bias_ih", "bias_hh"].map(|name| (name, vec![rows]));
                for (name, shape) in weights.into_iter().chain(biases.into_iter().filter(|_| self.bias)) {
                    let slot = self.seed.fan_in_uniform(self.slots.len() as u64, &shape, self.hidden_size);
                    self.slots.push((slot_name(name, layer, direction), slot));
                }
            }
        }
        self
    }

    fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// The parameters of a layer, direction by direction.
    fn weights(&self, b: &mut Builder<'_>, layer: usize) -> Result<Vec<RecurrentWeights>> {
        let each = if self.bias { 4 } else { 2 };
        let own = self.slots.chunks(each).skip(layer * self.directions()).take(self.directions());
        let mut weights = vec![];
        for slots in own {
            let ids = slots.iter().map(|(name, slot)| b.constant(name, slot)).collect::<Result<Vec<_>>>()?;
            let biases = if self.bias { Some([ids[2], ids[3]]) } else { None };
            weights.push(RecurrentWeights { weight_ih: ids[0], weight_hh: ids[1], biases });
        }
        Ok(weights)
    }

    /// The result of the last layer, and the last states of all layers, `[num_layers * directions, batch, hidden]` each.
    fn build(&self, b: &mut Builder<'_>, x: ValueId, initial: Option<&[ValueId]>) -> Result<(ValueId, Vec<ValueId>)> {
        let shape = b.graph.shape(x).to_vec();
        if ![2, 3].contains(&shape.len()) || shape.last() != Some(&self.input_size) || self.num_layers == 0 {
            let Stack { num_layers, input_size, .. } = self;
            let text = format!("{num_layers} recurrent layers of {input_size} inputs are given {shape:?}");
            return Err(b.named(Error::shape(text)));
        }
        // Without a batch, as a batch of one sequence.
        let axis = usize::from(!self.batch_first);
        let with_batch = |shape: &[usize], axis: usize| [&shape[..axis], &[1], &shape[axis..]].concat();
        let alone = shape.len() == 2;
        let mut y = if alone { b.graph.reshape(x, with_batch(&shape, axis))? } else { x };
        let mut first = initial.map_or(vec![], <[ValueId]>::to_vec);
        for state in first.iter_mut().filter(|_| alone) {
            *state = b.graph.reshape(*state, with_batch(b.graph.shape(*state).to_vec().as_slice(), 1))?;
        }
        let mut last = vec![vec![]; self.cell.states()];
        for layer in 0..self.num_layers {
            let weights = self.weights(b, layer)?;
            let (from, count) = ((layer * self.directions()) as i64, self.directions());
            let own = first.iter().map(|state| b.graph.narrow(*state, 0, from, count)).collect::<Result<Vec<_>>>()?;
            let own = if own.is_empty() { None } else { Some(&own[..]) };
            let outputs = b.graph.recurrent(y, self.cell, &weights, own, self.batch_first)?;
            y = outputs[0];
            last.iter_mut().zip(&outputs[1..]).for_each(|(all, state)| all.push(*state));
        }
        let mut states = vec![];
        for layers in last {
            let all = if let [one] = layers[..] { one } else { b.graph.cat(&layers, 0)? };
            let shape = b.graph.shape(all).to_vec();
            states.push(if alone { b.graph.reshape(all, [shape[0], shape[2]])? } else { all });
        }
        if alone {
            let shape = b.graph.shape(y).to_vec();
            y = b.graph.reshape(y, [shape[0] * shape[1], shape[2]])?;
        }
        Ok((y, states))
    }

    fn slots(&self) -> Vec<(String, &Slot)> {
        self.slots.iter().map(|(name, slot)| (name.clone(), slot)).collect()
    }

    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        self.slots.iter_mut().map(|(name, slot)| (name.clone(), slot)).collect()
    }
}

/// `weight_ih_l1_reverse` of `weight_ih`, layer 1, direction 1.
fn slot_name(name: &str, layer: usize, direction: usize) -> String {
    format!("{name}_l{layer}{}", if direction == 1 { "_reverse" } else { "" })
}

macro_rules! recurrent {
    ($(#[$doc:meta])* $name:ident, $cell:expr, $states:literal, $note:literal) => {
        $(#[$doc])*
        ///
        /// The input is `[steps, batch, input_size]`, or `[steps, input_size]` of one sequence; the result has
        #[doc = concat!("`hidden_size` in place of `input_size`, twice as many in both directions. It is [torch.nn.",
            stringify!($name), "](https://docs.pytorch.org/docs/stable/generated/torch.nn.", stringify!($name), ".html)")]
        /// without dropout between the layers, which only acts in training, and without projections.
        ///
        #[doc = concat!("The state of layer k is `weight_ih_lk`, `weight_hh_lk`, `bias_ih_lk` and `bias_hh_lk`", $note, ",")]
        /// and the same with `_reverse` of the other direction; all are drawn uniformly from +-1 / sqrt(hidden_size).
        #[derive(Clone, Debug)]
        pub struct $name(Stack);

        impl $name {
            /// One layer in one direction, with biases.
            pub fn new(input_size: usize, hidden_size: usize) -> $name {
                $name(Stack::new($cell, input_size, hidden_size))
            }
            /// The number of layers, each of which takes the result of the one before; 1 by default.
            #[must_use]
            pub fn num_layers(self, num_layers: usize) -> $name {
                $name(Stack { num_layers, ..self.0 }.drawn())
            }
            /// With or without biases; with them by default.
            #[must_use]
            pub fn bias(self, bias: bool) -> $name {
                $name(Stack { bias, ..self.0 }.drawn())
            }
            /// Whether the input and the result are `[batch, steps, ..]`; false by default. States are not.
            #[must_use]
            pub fn batch_first(self, batch_first: bool) -> $name {
                $name(Stack { batch_first, ..self.0 })
            }
            /// Whether every layer also goes through the steps from the last to the first; false by default.
            #[must_use]
            pub fn bidirectional(self, bidirectional: bool) -> $name {
                $name(Stack { bidirectional, ..self.0 }.drawn())
            }
            /// As [`Module::build`], with the states before the first step (0 if there are none) and after the last one, each
            /// `[num_layers * directions, batch, hidden_size]`, without a batch `[num_layers * directions, hidden_size]`.
            ///
            /// # Errors
            /// The shapes do not fit.
            pub fn build_with_states(
                &self,
                b: &mut Builder<'_>,
                x: ValueId,
                initial: Option<[ValueId; $states]>,
            ) -> Result<(ValueId, [ValueId; $states])> {
                let (y, states) = self.0.build(b, x, initial.as_ref().map(|states| &states[..]))?;
                Ok((y, states.try_into().expect("there are as many states before and after")))
            }
        }

        #[cfg(not(target_arch = "wasm32"))]
        impl $name {
            /// As [`Module::forward`], with the states before the first step (0 if there are none) and after the last one, which
            /// have the shapes of [`build_with_states`](Self::build_with_states).
            ///
            /// # Errors
            /// The shapes do not fit; the tensors are not on one device, which has no memory left or is lost.
            pub fn forward_with_states(
                &self,
                x: &DeviceTensor,
                initial: Option<[&DeviceTensor; $states]>,
            ) -> Result<(DeviceTensor, [DeviceTensor; $states])> {
                let states = ["h_0", "c_0"].into_iter().zip(initial.into_iter().flatten());
                let given: Vec<_> = [("x", x)].into_iter().chain(states).collect();
                let mut results = super::forward_of(self.slots(), &given, |b, ids| {
                    let (y, states) = self.build_with_states(b, ids[0], ids[1..].try_into().ok())?;
                    Ok([("out", y)].into_iter().chain(["h_n", "c_n"].into_iter().zip(states)).collect())
                })?;
                let states = results.split_off(1);
                Ok((results.remove(0), states.try_into().expect("there are as many states before and after")))
            }
        }

        impl Module for $name {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                Ok(self.0.build(b, x, None)?.0)
            }
            slots_of!(0);
        }
    };
}

recurrent! {
    /// Long short-term memory: i, f, o = sigmoid(a), g = tanh(a), c' = f c + i g, h' = o tanh(c'), with a = W x + b + R h + b.
    /// Its states are h and c.
    ///
    /// ```
    /// use convgpu::nn::{LSTM, Module};
    /// use convgpu::{Device, Tensor};
    ///
    /// let lstm = LSTM::new(5, 8).num_layers(2).bidirectional(true);
    /// assert_eq!(lstm.get_parameter("weight_ih_l1_reverse")?.shape(), [4 * 8, 2 * 8]);
    /// let x = Tensor::zeros([7, 3, 5]).to_device(&Device::cpu())?;
    /// assert_eq!(lstm.forward(&x)?.shape(), [7, 3, 2 * 8]);
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    LSTM, attr::LSTM, 2, " with the gates i, f, g, o one below the other"
}

recurrent! {
    /// Gated recurrent units: r, z = sigmoid(W x + b + R h + b), n = tanh(W x + b + r (R h + b)), h' = (1 - z) n + z h.
    /// Its state is h.
    GRU, attr::GRU, 1, " with the gates r, z, n one below the other"
}

recurrent! {
    /// Elman's recurrent units: h' = tanh(W x + b + R h + b), or the larger of that sum and 0. Its state is h.
    RNN, Cell::Rnn { f: Activation::Tanh }, 1, ""
}

impl RNN {
    /// With `max(x, 0)` in place of tanh: `nonlinearity="relu"`.
    #[must_use]
    pub fn relu(self) -> RNN {
        RNN(Stack { cell: Cell::Rnn { f: Activation::Relu }, ..self.0 })
    }
}
