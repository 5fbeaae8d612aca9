//! Recurrent layers.

use crate::attr::{Activation, Cell, Direction};
use crate::conformance::draw::{Drawn, Draws, Fill};
use crate::ops::recurrent::Recurrent;
use crate::shape::{DType, Desc};

/// A function of gates: mostly the usual one.
fn function(r: &mut Draws, usual: Activation) -> Activation {
    let softplus = Activation::Softplus { beta: 1.0, threshold: f32::INFINITY };
    let others = [
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.125 },
        Activation::HardSigmoid { alpha: 0.25, beta: 0.5 },
        Activation::Elu { alpha: 0.5 },
        Activation::Softsign,
        Activation::Affine { alpha: 0.25, beta: -0.5 },
        Activation::ScaledTanh { alpha: 1.5, beta: 0.625 },
        softplus,
    ];
    if r.rng.int(0, 5) == 0 { r.one(&others) } else { usual }
}

fn cell(r: &mut Draws) -> Cell {
    let [f, g, h] = [Activation::Sigmoid, Activation::Tanh, Activation::Tanh].map(|usual| function(r, usual));
    match r.rng.int(0, 5) {
        0 => Cell::Rnn { f: g },
        1 | 2 => Cell::Gru { f, g, reset_after: r.flag() },
        _ => Cell::Lstm { f, g, h, peepholes: r.flag(), coupled: r.rng.int(0, 3) == 0 },
    }
}

pub fn recurrent(r: &mut Draws) -> Drawn {
    let cell = cell(r);
    let direction = r.one(&[Direction::Forward, Direction::Reverse, Direction::Both]);
    let clip = if r.rng.int(0, 3) == 0 { Some(r.number()) } else { None };
    let op = Recurrent { cell, direction, clip, batch_first: r.flag() };
    let hidden = if !r.wild && r.rng.int(0, 3) == 0 { r.rng.int(60, 70) } else { r.count().min(300) };
    let (steps, batch, directions) = (r.count().min(7), r.count().min(7), direction.count());
    let rows = cell.gates() * hidden;
    let state = vec![directions, batch, hidden];
    let lead = if op.batch_first { [batch, steps] } else { [steps, batch] };
    let mut shapes = vec![vec![lead[0], lead[1], directions * rows], vec![directions, rows, hidden]];
    shapes.extend(vec![state; cell.states()]);
    if cell.extra() > 0 {
        shapes.push(vec![directions, cell.extra() * hidden]);
    }
    let mut fills = vec![Fill::Factors; shapes.len()];
    let mut descs: Vec<Desc> = shapes.iter().map(|shape| r.desc(shape)).collect();
    if r.flag() {
        descs.push(Desc::new([batch], DType::I32));
        fills.push(Fill::UpTo(steps));
    }
    Drawn::new(op, descs).filled(fills)
}
