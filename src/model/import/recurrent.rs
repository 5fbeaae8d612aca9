//! LSTM, GRU and RNN. The products of the input, of all steps and directions, are one matrix product.

use super::operator::{MICROSOFT, Operator};
use super::quantize::check_zero;
use super::{Import, NodeView, Val};
use crate::attr::{Activation, BinaryKind, Cell, Direction};
use crate::error::{Error, Result};
use crate::ops::concat::Concat;
use crate::ops::gather::Gather;
use crate::ops::recurrent::Recurrent;
use crate::ops::split::Split;
use crate::shape::DType;
use crate::tensor::Tensor;

const LSTM: &[&str] = &[
    "activation_alpha",
    "activation_beta",
    "activations",
    "clip",
    "direction",
    "hidden_size",
    "input_forget",
    "layout",
    "output_sequence",
];
const GRU: &[&str] = &[
    "activation_alpha",
    "activation_beta",
    "activations",
    "clip",
    "direction",
    "hidden_size",
    "layout",
    "linear_before_reset",
    "output_sequence",
];
const RNN: &[&str] = &[
    "activation_alpha",
    "activation_beta",
    "activations",
    "clip",
    "direction",
    "hidden_size",
    "layout",
    "output_sequence",
];

const DYNAMIC_LSTM: &[&str] =
    &["activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size", "input_forget"];

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("GRU", GRU, gru),
    Operator::new("LSTM", LSTM, lstm),
    Operator::new("RNN", RNN, rnn),
    Operator::new("DynamicQuantizeLSTM", DYNAMIC_LSTM, dynamic_quantize_lstm).of(MICROSOFT),
];

/// <https://onnx.ai/onnx/operators/onnx__LSTM.html>
fn lstm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let (peepholes, coupled) = (node.optional(7).is_some(), node.flag("input_forget", false)?);
    let cells = functions(node, ["Sigmoid", "Tanh", "Tanh"])?;
    let cells = cells.into_iter().map(|[f, g, h]| Cell::Lstm { f, g, h, peepholes, coupled }).collect();
    // i o f c are i f g o here.
    lower(import, node, cells, &[0, 2, 3, 1])
}

/// <https://onnx.ai/onnx/operators/onnx__GRU.html>
fn gru(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let reset_after = node.flag("linear_before_reset", false)?;
    let cells = functions(node, ["Sigmoid", "Tanh"])?;
    let cells = cells.into_iter().map(|[f, g]| Cell::Gru { f, g, reset_after }).collect();
    // z r h are r z n here.
    lower(import, node, cells, &[1, 0, 2])
}

/// <https://onnx.ai/onnx/operators/onnx__RNN.html>
fn rnn(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let cells = functions(node, ["Tanh"])?.into_iter().map(|[f]| Cell::Rnn { f }).collect();
    lower(import, node, cells, &[0])
}

/// <https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM>: an LSTM whose
/// weights `[directions, inputs, 4 hidden]` are quantised. That x and h are, too, is how ONNX Runtime computes it.
fn dynamic_quantize_lstm(import: &mut Import, node: &NodeView) -> Result<Vec<Val>> {
    let mut inputs: Vec<Option<Val>> = (0..8).map(|k| node.optional(k).cloned()).collect();
    for (k, scale) in [(1, 8), (2, 10)] {
        inputs[k] = Some(dequantised(import, node, k, scale)?);
    }
    lstm(import, &node.with(inputs, node.opset))
}

/// The values of quantised weights, whose scale and zero are `[directions]` or `[directions, 4 hidden]`, with the last two axes
/// exchanged.
fn dequantised(import: &mut Import, node: &NodeView, k: usize, scale: usize) -> Result<Val> {
    let (q, scale, zero) = (node.input(k)?, node.input(scale)?, node.optional(scale + 1));
    let (&[directions, _, rows], true) = (q.shape(), matches!(q.dtype(), DType::I8 | DType::U8)) else {
        return Err(Error::argument(format!("{} with weights {}", node.op(), q.desc())));
    };
    check_zero(node, q, zero)?;
    let spread = |import: &mut Import, x: &Val| match *x.shape() {
        [n] if n == directions => import.reshape(x, &[n, 1, 1]),
        [n, m] if [n, m] == [directions, rows] => import.reshape(x, &[n, 1, m]),
        _ => Err(Error::shape(format!(
            "{} with weights {} and their scale or zero {}, which must be {:?} or {:?}",
            node.op(),
            q.desc(),
            x.desc(),
            [directions],
            [directions, rows]
        ))),
    };
    let mut values = import.cast(q, DType::F32)?;
    if let Some(zero) = zero {
        let zero = spread(import, zero)?;
        let zero = import.cast(&zero, DType::F32)?;
        values = import.binary(BinaryKind::Sub, &values, &zero)?;
    }
    let scale = spread(import, scale)?;
    let values = import.binary(BinaryKind::Mul, &values, &scale)?;
    import.permute(&values, &[0, 2, 1])
}

/// A layer whose directions have these cells: two layers of a direction each, where they differ.
fn lower(import: &mut Import, node: &NodeView, cells: Vec<Cell>, order: &[i64]) -> Result<Vec<Val>> {
    let layer = Layer::new(node, cells[0])?;
    if cells.iter().all(|cell| *cell == cells[0]) {
        return layer.lower(import, node, order);
    }
    let batch_first = layer.op.batch_first;
    let state = usize::from(batch_first);
    let mut parts = vec![];
    for (k, (cell, direction)) in cells.into_iter().zip([Direction::Forward, Direction::Reverse]).enumerate() {
        let op = Recurrent { cell, direction, ..layer.op.clone() };
        let mut inputs = node.all().to_vec();
        for (input, axis) in [(1, 0), (2, 0), (3, 0), (5, state), (6, state), (7, 0)] {
            if let Some(given) = inputs.get_mut(input).and_then(Option::as_mut) {
                *given = import.apply_all(Split { axis, sizes: vec![1, 1] }, &[given])?.swap_remove(k);
            }
        }
        let one = Layer { op, directions: 1, ..layer };
        parts.push(one.lower(import, &node.with(inputs, node.opset), order)?);
    }
    let steps = if batch_first { 2 } else { 1 };
    let axes = [steps].into_iter().chain([state; 2]);
    axes.zip(parts[0].iter().zip(&parts[1])).map(|(axis, (a, b))| import.apply(Concat { axis }, &[a, b])).collect()
}

fn direction(node: &NodeView) -> Result<Direction> {
    match node.string("direction", "forward")? {
        "forward" => Ok(Direction::Forward),
        "reverse" => Ok(Direction::Reverse),
        "bidirectional" => Ok(Direction::Both),
        other => Err(Error::file(format!("{} with direction = {other}", node.op()))),
    }
}

/// The functions of every direction. Those that have parameters take them from the lists, in order.
fn functions<const N: usize>(node: &NodeView, defaults: [&str; N]) -> Result<Vec<[Activation; N]>> {
    let count = N * direction(node)?.count();
    let names = node.strings("activations")?.unwrap_or_else(|| defaults.repeat(count / N));
    if names.len() != count {
        return Err(Error::file(format!("{} with {} activations, not {count}", node.op(), names.len())));
    }
    let mut alphas = node.floats("activation_alpha")?.unwrap_or_default().into_iter();
    let mut betas = node.floats("activation_beta")?.unwrap_or_default().into_iter();
    let mut function = |name: &str| {
        let mut both = || {
            alphas.next().zip(betas.next()).ok_or_else(|| {
                Error::file(format!("{} with the activation {name}: it needs an alpha and a beta", node.op()))
            })
        };
        match name {
            "Affine" => return both().map(|(alpha, beta)| Activation::Affine { alpha, beta }),
            "ScaledTanh" => return both().map(|(alpha, beta)| Activation::ScaledTanh { alpha, beta }),
            _ => {}
        }
        let mut alpha = |default| alphas.next().unwrap_or(default);
        Ok(match name {
            "Sigmoid" => Activation::Sigmoid,
            "Tanh" => Activation::Tanh,
            "Relu" => Activation::Relu,
            "Softsign" => Activation::Softsign,
            "Softplus" => Activation::Softplus { beta: 1.0, threshold: f32::INFINITY },
            "LeakyRelu" => Activation::LeakyRelu { slope: alpha(0.01) },
            "ThresholdedRelu" => Activation::ThresholdedRelu { alpha: alpha(1.0) },
            "Elu" => Activation::Elu { alpha: alpha(1.0) },
            "HardSigmoid" => {
                Activation::HardSigmoid { alpha: alpha(0.2).into(), beta: betas.next().unwrap_or(0.5).into() }
            }
            other => return Err(Error::unsupported(format!("{} with the activation {other}", node.op()))),
        })
    };
    let all = names.iter().map(|name| function(name)).collect::<Result<Vec<_>>>()?;
    Ok(all.as_chunks::<N>().0.to_vec())
}

/// A layer, and the extents of its weights.
struct Layer {
    op: Recurrent,
    directions: usize,
    gates: usize,
    hidden: usize,
}

impl Layer {
    fn new(node: &NodeView, cell: Cell) -> Result<Layer> {
        let direction = direction(node)?;
        let clip = node.has("clip").then(|| node.float("clip", 0.0)).transpose()?;
        let op = Recurrent { cell, direction, clip, batch_first: node.flag("layout", false)? };
        let (directions, gates) = (direction.count(), cell.gates());
        let (w, r) = (node.input(1)?, node.input(2)?);
        let (&[_, _, inputs], &[_, _, hidden]) = (w.shape(), r.shape()) else {
            return Err(Error::shape(format!("{} with weights {} and {}", node.op(), w.desc(), r.desc())));
        };
        let layer = Layer { op, directions, gates, hidden };
        let rows = gates.saturating_mul(hidden);
        if w.shape() != [directions, rows, inputs] || r.shape() != [directions, rows, hidden] {
            let text = format!("{} of {hidden} units with weights {} and {}", node.op(), w.desc(), r.desc());
            return Err(Error::shape(text));
        }
        match node.count("hidden_size", hidden)? {
            n if n == hidden && n > 0 => Ok(layer),
            n => Err(Error::shape(format!("{} with hidden_size {n} and a weight {}", node.op(), r.desc()))),
        }
    }

    /// `[directions, n, gates * hidden, ..]` with the gates in another order.
    fn reordered(&self, import: &mut Import, v: &Val, order: &[i64]) -> Result<Val> {
        if order.is_sorted() {
            return Ok(v.clone());
        }
        let lists = v.shape()[1] / (self.gates * self.hidden);
        let inner = &v.shape()[2..];
        let apart = import.reshape(v, &[&[self.directions, lists, self.gates, self.hidden], inner].concat())?;
        let order = Tensor::of([self.gates], order.to_vec());
        let apart = import.apply(Gather { axis: 2 }, &[&apart, &order.into()])?;
        import.reshape(&apart, v.shape())
    }

    /// The bias that is added to the products of the input, and that which the reset gate multiplies.
    fn biases(&self, import: &mut Import, b: &Val, order: &[i64]) -> Result<(Val, Option<Val>)> {
        let (rows, hidden) = (self.gates * self.hidden, self.hidden);
        if b.shape() != [self.directions, 2 * rows] {
            return Err(Error::shape(format!("a bias {} of {} rows and as many again", b.desc(), rows)));
        }
        let b = self.reordered(import, b, order)?;
        let of_input = |states: Vec<usize>| Split { axis: 1, sizes: states };
        if !matches!(self.op.cell, Cell::Gru { reset_after: true, .. }) {
            let both = import.apply_all(of_input(vec![rows; 2]), &[&b])?;
            return Ok((import.binary(BinaryKind::Add, &both[0], &both[1])?, None));
        }
        let parts = import.apply_all(of_input(vec![rows, rows - hidden, hidden]), &[&b])?;
        let none = Tensor::zeros([self.directions, hidden]).into();
        let added = import.apply(Concat { axis: 1 }, &[&parts[1], &none])?;
        Ok((import.binary(BinaryKind::Add, &parts[0], &added)?, Some(parts[2].clone())))
    }

    /// A state before the first step: given, or 0.
    fn state(&self, import: &mut Import, given: Option<&Val>, batch: usize) -> Result<Val> {
        match given {
            None => Ok(Tensor::zeros([self.directions, batch, self.hidden]).into()),
            Some(v) => self.in_layout(import, v),
        }
    }

    /// A state with its first two axes exchanged, if the batch comes first in the file.
    fn in_layout(&self, import: &mut Import, v: &Val) -> Result<Val> {
        if self.op.batch_first && v.rank() == 3 { import.permute(v, &[1, 0, 2]) } else { Ok(v.clone()) }
    }

    fn lower(self, import: &mut Import, node: &NodeView, order: &[i64]) -> Result<Vec<Val>> {
        let Layer { directions, gates, hidden, .. } = self;
        let (x, w, r) = (node.input(0)?, node.input(1)?, node.input(2)?);
        let (&[a, b, features], inputs) = (x.shape(), w.shape()[2]) else {
            return Err(Error::shape(format!("{} of {}: it takes three axes", node.op(), x.desc())));
        };
        if features != inputs {
            return Err(Error::shape(format!("{} of {} with a weight {}", node.op(), x.desc(), w.desc())));
        }
        let (w, r) = (self.reordered(import, w, order)?, self.reordered(import, r, order)?);
        let w = import.reshape(&w, &[directions * gates * hidden, inputs])?;
        let (bias, multiplied) = match node.optional(3) {
            None => (None, None),
            Some(b) => {
                let (added, multiplied) = self.biases(import, b, order)?;
                (Some(import.reshape(&added, &[directions * gates * hidden])?), multiplied)
            }
        };
        let products = import.layer(x, &w, bias.as_ref())?;
        let batch = if self.op.batch_first { a } else { b };
        let mut given = vec![products, r, self.state(import, node.optional(5), batch)?];
        if let Cell::Lstm { peepholes, .. } = self.op.cell {
            given.push(self.state(import, node.optional(6), batch)?);
            given.extend(node.optional(7).filter(|_| peepholes).cloned());
        }
        if self.op.cell.extra() == 1 {
            given.push(multiplied.unwrap_or_else(|| Tensor::zeros([directions, hidden]).into()));
        }
        if let Some(lengths) = node.optional(4) {
            given.push(import.cast(lengths, DType::I32)?);
        }
        let mut outputs = import.apply_all(self.op.clone(), &given.iter().collect::<Vec<_>>())?;
        let apart = import.reshape(&outputs[0], &[a, b, directions, hidden])?;
        outputs[0] = if self.op.batch_first { apart } else { import.permute(&apart, &[0, 2, 1, 3])? };
        for state in &mut outputs[1..] {
            *state = self.in_layout(import, state)?;
        }
        Ok(outputs)
    }
}
