//! Recurrent layers: directions, lengths, states, functions; and sequences turned round.

use convgpu::internals::model::proto::AttributeProto;
use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, Val, scaled};
use crate::onnx_build::{float, float_list, int, string};

/// Functions without steps, since no state is exact, and how many numbers each has. Those between -1 and 1 come first.
const FUNCTIONS: [(&str, usize); 8] = [
    ("Sigmoid", 0),
    ("Tanh", 0),
    ("Softsign", 0),
    ("HardSigmoid", 2),
    ("Relu", 0),
    ("Softplus", 0),
    ("LeakyRelu", 1),
    ("Elu", 1),
];
const GATES: usize = 4;

/// A layer under construction.
struct Layer {
    batch: usize,
    hidden: usize,
    directions: usize,
    batch_first: bool,
    attributes: Vec<AttributeProto>,
    /// x, weights, weights of the state, bias, lengths, state.
    inputs: Vec<Val>,
}

impl Layer {
    /// What the layers have in common.
    fn draw(net: &mut Net, gates: usize, functions: usize, weight: fn(&mut Net, [usize; 3]) -> Val) -> Layer {
        let [steps, batch, features, hidden] =
            [net.rng.int(1, 6), net.rng.int(1, 3), net.rng.int(1, 5), net.rng.int(1, 5)];
        let direction = net.one(&["forward", "reverse", "bidirectional"]);
        let directions = if direction == "bidirectional" { 2 } else { 1 };
        let mut attributes = vec![int("hidden_size", hidden as i64)];
        if direction != "forward" || net.flag() {
            attributes.push(string("direction", direction));
        }
        if net.rng.int(0, 3) == 0 {
            attributes.extend(drawn_functions(net, functions, directions));
        }
        if net.rng.int(0, 5) == 0 {
            attributes.push(float("clip", net.one(&[0.75, 1.5])));
        }
        let batch_first = net.opset >= 14 && net.rng.int(0, 5) == 0;
        if batch_first {
            attributes.push(int("layout", 1));
        }
        let x = net.floats(&if batch_first { [batch, steps, features] } else { [steps, batch, features] });
        let mut inputs = vec![net.input(x)];
        for of in [features, hidden] {
            inputs.push(weight(net, [directions, gates * hidden, of]));
        }
        let bias = net.small(&[directions, 2 * gates * hidden]);
        inputs.push(net.perhaps(bias));
        inputs.push(lengths(net, steps, batch));
        let mut layer = Layer { batch, hidden, directions, batch_first, attributes, inputs };
        let state = layer.state(net);
        layer.inputs.push(state);
        layer
    }

    /// A state before the first step, or none.
    fn state(&self, net: &mut Net) -> Val {
        let Layer { batch, hidden, directions, .. } = *self;
        let state =
            net.floats(&if self.batch_first { [batch, directions, hidden] } else { [directions, batch, hidden] });
        net.perhaps(state)
    }

    fn finish(self, net: &mut Net, op: &str, most: usize) -> Drawn {
        let inputs = Net::given(self.inputs);
        let outputs = net.rng.int(1, most);
        net.several(op, &inputs.iter().collect::<Vec<_>>(), outputs, self.attributes)
    }
}

/// A weight of floats.
fn weight(net: &mut Net, shape: [usize; 3]) -> Val {
    let weight = net.small(&shape);
    net.either(weight)
}

impl Net {
    /// Multiples of 1/16 in [-1, 1): results keep the size of their inputs.
    fn small(&mut self, shape: &[usize]) -> Tensor {
        scaled(&self.floats(shape), 0.5)
    }
}

/// Lengths of which the first is not the whole, or none.
fn lengths(net: &mut Net, steps: usize, batch: usize) -> Val {
    if steps == 1 || net.rng.int(0, 2) > 0 {
        return Net::none();
    }
    let mut lengths: Vec<i32> = (0..batch).map(|_| net.rng.int(1, steps) as i32).collect();
    lengths[0] = net.rng.int(1, steps - 1) as i32;
    net.either(Tensor::new([batch], lengths).unwrap())
}

/// Functions, the same in both directions, with or without their numbers. Factors of a state are bounded, so that it does not
/// grow without end.
fn drawn_functions(net: &mut Net, count: usize, directions: usize) -> Vec<AttributeProto> {
    let mut drawn: Vec<(&str, usize)> = (0..count).map(|_| net.one(&FUNCTIONS)).collect();
    if count > 1 {
        drawn[0] = net.one(&FUNCTIONS[..GATES]);
    }
    let names: Vec<&str> = drawn.iter().map(|f| f.0).collect();
    let mut attributes = vec![strings("activations", &names.repeat(directions))];
    for (name, least) in [("activation_alpha", 1), ("activation_beta", 2)] {
        let numbers: Vec<f32> = drawn.iter().filter(|f| f.1 >= least).map(|_| net.rng.int(1, 7) as f32 / 8.0).collect();
        if !numbers.is_empty() && net.flag() {
            attributes.push(float_list(name, &numbers.repeat(directions)));
        }
    }
    attributes
}

fn strings(name: &str, list: &[&str]) -> AttributeProto {
    let strings = list.iter().map(|s| s.as_bytes().to_vec().into()).collect();
    AttributeProto { name: Some(name.to_owned()), strings, r#type: Some(8), ..Default::default() }
}

pub fn lstm(net: &mut Net) -> Drawn {
    long_short_term_memory(net, weight).finish(net, "LSTM", 3)
}

/// With weights of 8 bits whose last axes are exchanged, and a scale and zero point per direction or per column.
pub fn dynamic_quantize_lstm(net: &mut Net) -> Drawn {
    let quantised = |net: &mut Net, [directions, columns, rows]: [usize; 3]| {
        let dtype = net.byte();
        let weight = net.whole_range(&[directions, rows, columns], dtype);
        net.either(weight)
    };
    // It lacks the attribute `layout`, which others have from version 14 on.
    net.opset = net.opset.min(13);
    let mut layer = long_short_term_memory(net, quantised);
    layer.inputs.resize_with(8, Net::none);
    for k in [1, 2] {
        let (dtype, columns) = (layer.inputs[k].dtype(), layer.inputs[k].shape()[2]);
        let of = if net.flag() { vec![layer.directions] } else { vec![layer.directions, columns] };
        let (scale, zero) = (scaled(&net.powers(&of), 1.0 / 128.0), net.middle(&of, dtype));
        layer.inputs.extend([net.constant(&scale), net.constant(&zero)]);
    }
    layer.finish(net, "com.microsoft.DynamicQuantizeLSTM", 3)
}

fn long_short_term_memory(net: &mut Net, weight: fn(&mut Net, [usize; 3]) -> Val) -> Layer {
    let mut layer = Layer::draw(net, 4, 3, weight);
    if net.rng.int(0, 5) == 0 {
        layer.attributes.push(int("input_forget", 1));
    }
    let cell = layer.state(net);
    layer.inputs.push(cell);
    if net.rng.int(0, 3) == 0 {
        let peepholes = net.small(&[layer.directions, 3 * layer.hidden]);
        layer.inputs.push(net.either(peepholes));
    }
    layer
}

pub fn gru(net: &mut Net) -> Drawn {
    let mut layer = Layer::draw(net, 3, 2, weight);
    // rten has only this form.
    if net.rng.int(0, 2) > 0 {
        layer.attributes.push(int("linear_before_reset", 1));
    }
    layer.finish(net, "GRU", 2)
}

pub fn rnn(net: &mut Net) -> Drawn {
    Layer::draw(net, 1, 1, weight).finish(net, "RNN", 2)
}

pub fn reverse_sequence(net: &mut Net) -> Drawn {
    let rank = net.rng.int(2, 4);
    let shape = net.shape(rank);
    let x = net.any(&shape);
    let time = net.rng.int(0, 1);
    let lengths = net.integers(&[shape[1 - time]], DType::I64, 1, shape[time] as i64);
    let lengths = net.either(lengths);
    let mut attributes = vec![int("batch_axis", 1 - time as i64), int("time_axis", time as i64)];
    if time == 0 && net.flag() {
        attributes.clear();
    }
    Ok(vec![net.add("ReverseSequence", &[&x, &lengths], attributes)?])
}
