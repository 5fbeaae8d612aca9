//! Recurrent layers beyond the cases of PyTorch: states given and returned, weights replaced, and what is refused.

use convgpu::nn::{self, Builder, GRU, LSTM, Module, RNN, Slot, manual_seed};
use convgpu::{ErrorKind, Result, Tensor, ValueId};

use crate::nn::{assert_close, devices};
use crate::support::Rng;

/// The states of an LSTM after the last step as the result: h, then c. The first half of the steps gives the states before the
/// others.
#[derive(Clone, Debug)]
struct Continued {
    lstm: LSTM,
    halves: bool,
}

impl Module for Continued {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let steps = b.graph.shape(x)[0];
        let (mut x, mut initial) = (x, None);
        if self.halves {
            let first = b.graph.narrow(x, 0, 0, steps / 2)?;
            initial = Some(self.lstm.build_with_states(b, first, None)?.1);
            x = b.graph.narrow(x, 0, (steps / 2) as i64, steps - steps / 2)?;
        }
        let (y, [h, c]) = self.lstm.build_with_states(b, x, initial)?;
        let last = b.graph.narrow(y, 0, -1, 1)?;
        let shape = b.graph.shape(y).to_vec();
        let (states, last) = (b.graph.cat(&[h, c], 0)?, b.graph.reshape(last, shape[1..].to_vec())?);
        let states = b.graph.flatten(states, 0, -1)?;
        let last = b.graph.flatten(last, 0, -1)?;
        b.graph.cat(&[states, last], 0)
    }
    fn slots(&self) -> Vec<(String, &Slot)> {
        self.lstm.slots()
    }
    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        self.lstm.slots_mut()
    }
}

/// A sequence in two halves, the states of the first before the second, ends as the whole; h of the last layer is the last
/// result.
#[test]
fn states_continue_a_sequence() {
    manual_seed(3);
    let rng = &mut Rng(3);
    for shape in [vec![7, 3, 4], vec![6, 4]] {
        let lstm = LSTM::new(4, 5).num_layers(2);
        let x = rng.tensor(&shape);
        let units = if shape.len() == 3 { 3 * 5 } else { 5 };
        for device in devices() {
            let x = x.to_device(&device).unwrap();
            let ends = |halves: bool| Continued { lstm: lstm.clone(), halves }.forward(&x).unwrap().to_host().unwrap();
            let (whole, halves) = (ends(false), ends(true));
            assert_close("halves", &halves, &whole, 1e-5);
            let values = whole.as_f32().unwrap();
            assert_eq!(values.len(), 5 * units);
            assert_eq!(values[units..2 * units], values[4 * units..], "h of the second layer is the last result");
        }
    }
}

/// A replaced bias or weight of a layer that was run counts: what is folded from several parameters is made anew.
#[test]
fn replaced_parameters_count() {
    for device in devices() {
        let mut gru = GRU::new(2, 3).bidirectional(true);
        let x = Tensor::full([2, 1, 2], 0.5).to_device(&device).unwrap();
        let run = |gru: &GRU| gru.forward(&x).unwrap().to_host().unwrap();
        for name in ["bias_ih_l0", "bias_hh_l0_reverse", "weight_hh_l0_reverse", "weight_ih_l0"] {
            let before = run(&gru);
            let shape = gru.get_parameter(name).unwrap().shape().to_vec();
            gru.set_parameter(name, Tensor::full(shape, 0.75)).unwrap();
            assert_ne!(run(&gru), before, "{name}");
        }
    }
}

/// PyTorch's names, in PyTorch's order; options in any order draw the same weights.
#[test]
fn names_and_shapes() {
    let rnn = RNN::new(2, 3).num_layers(2).bidirectional(true);
    let names: Vec<_> =
        rnn.slots().into_iter().map(|(name, slot)| format!("{name} {:?}", slot.tensor().shape())).collect();
    let layer = |k: usize, inputs: usize| {
        ["", "_reverse"].into_iter().flat_map(move |d| {
            [
                format!("weight_ih_l{k}{d} [3, {inputs}]"),
                format!("weight_hh_l{k}{d} [3, 3]"),
                format!("bias_ih_l{k}{d} [3]"),
                format!("bias_hh_l{k}{d} [3]"),
            ]
        })
    };
    assert_eq!(names, layer(0, 2).chain(layer(1, 6)).collect::<Vec<_>>());
    assert_eq!(LSTM::new(2, 3).bias(false).num_parameters(), 12 * 5);
    manual_seed(5);
    let a = nn::LSTM::new(2, 3).num_layers(2).bias(false);
    manual_seed(5);
    let b = nn::LSTM::new(2, 3).bias(false).num_layers(2);
    assert_eq!(a.state_dict(), b.state_dict());
}

#[test]
fn what_does_not_fit_is_refused() {
    let [cpu, _] = devices();
    let run = |layer: LSTM, shape: &[usize]| layer.forward(&Tensor::zeros(shape).to_device(&cpu).unwrap()).unwrap_err();
    for (e, text) in [
        (run(LSTM::new(4, 5), &[3, 2, 5]), "1 recurrent layers of 4 inputs are given [3, 2, 5]"),
        (run(LSTM::new(4, 5), &[4]), "1 recurrent layers of 4 inputs are given [4]"),
        (run(LSTM::new(4, 5).num_layers(0), &[3, 2, 4]), "0 recurrent layers"),
        (run(LSTM::new(4, 0), &[3, 2, 4]), "0 hidden units"),
        (run(LSTM::new(4, 5), &[0, 2, 4]), "0 steps"),
    ] {
        assert!(e.kind() == ErrorKind::Shape && e.to_string().contains(text), "{e}");
    }
}
