//! LSTM, GRU and RNN. PyTorch's answers are those of the layers (`tests/suite/modules.rs`), ONNX Runtime's are in
//! `tests/onnx/recurrent`; here are steps by hand, exact integers, and every kernel within its bound.

use convgpu::custom::Op;
use convgpu::internals::attr::{Activation, Cell, Direction, GRU, LSTM};
use convgpu::internals::ops::recurrent::Recurrent;
use convgpu::{DType, Desc, ErrorKind, Tensor};

use crate::support::{Rng, check, kernels};

const DIRECTIONS: [Direction; 3] = [Direction::Forward, Direction::Reverse, Direction::Both];

fn forward(cell: Cell) -> Recurrent {
    Recurrent { cell, direction: Direction::Forward, clip: None, batch_first: false }
}

fn relu() -> Recurrent {
    forward(Cell::Rnn { f: Activation::Relu })
}

/// The shapes of the inputs for these steps, sequences and hidden units, without lengths.
fn shapes(op: &Recurrent, [steps, batch, hidden]: [usize; 3]) -> Vec<Vec<usize>> {
    let (directions, rows) = (op.direction.count(), op.cell.gates() * hidden);
    let (a, b) = if op.batch_first { (batch, steps) } else { (steps, batch) };
    let mut shapes = vec![vec![a, b, directions * rows], vec![directions, rows, hidden]];
    shapes.extend(vec![vec![directions, batch, hidden]; op.cell.states()]);
    shapes.extend((op.cell.extra() > 0).then(|| vec![directions, op.cell.extra() * hidden]));
    shapes
}

fn lengths(rng: &mut Rng, steps: usize, batch: usize) -> Tensor {
    Tensor::new([batch], (0..batch).map(|_| rng.int(0, steps) as i32).collect::<Vec<_>>()).unwrap()
}

/// Runs every variant with all directions, both orders of axes, with and without lengths.
fn check_all(cell: Cell, clip: Option<f32>, [steps, batch, hidden]: [usize; 3], integers: bool) {
    let rng = &mut Rng((steps * 100 + hidden) as u64);
    for (direction, batch_first) in DIRECTIONS.into_iter().flat_map(|d| [(d, false), (d, true)]) {
        let op = Recurrent { cell, direction, clip, batch_first };
        let shapes = shapes(&op, [steps, batch, hidden]);
        let draw = |rng: &mut Rng, shape: &Vec<usize>| if integers { rng.integers(shape) } else { rng.tensor(shape) };
        let mut inputs: Vec<_> = shapes.iter().map(|shape| draw(rng, shape)).collect();
        check(op.clone(), &inputs, integers);
        inputs.push(lengths(rng, steps, batch));
        check(op, &inputs, integers);
    }
}

/// With x = 1, 2, 3, R = 2 and h = 1: 1 + 2 1 = 3, 2 + 2 3 = 8, 3 + 2 8 = 19; backwards 5, 12, 25; of the first two steps alone,
/// backwards 4 and 9.
#[test]
fn steps_by_hand() {
    let x = Tensor::new([3, 1, 1], vec![1.0, 2.0, 3.0]).unwrap();
    let (weight, h) = (Tensor::from([[[2.0f32]]]), Tensor::from([[[1.0f32]]]));
    let run = |direction, lengths: Option<i32>| {
        let op = Recurrent { direction, ..relu() };
        let mut inputs = vec![x.clone(), weight.clone(), h.clone()];
        inputs.extend(lengths.map(|n| Tensor::from([n])));
        check(op.clone(), &inputs, true);
        let y = op.reference(&inputs).unwrap();
        [y[0].as_f32().unwrap(), y[1].as_f32().unwrap()].concat()
    };
    assert_eq!(run(Direction::Forward, None), [3.0, 8.0, 19.0, 19.0]);
    assert_eq!(run(Direction::Reverse, None), [25.0, 12.0, 5.0, 25.0]);
    assert_eq!(run(Direction::Forward, Some(2)), [3.0, 8.0, 0.0, 8.0]);
    assert_eq!(run(Direction::Reverse, Some(2)), [9.0, 4.0, 0.0, 9.0]);
    assert_eq!(run(Direction::Reverse, Some(0)), [0.0, 0.0, 0.0, 1.0]);
}

/// One step with the identity for every function. LSTM with x = i f g o = 1 2 3 4, R = 1 1 1 1, h = 1 and c = 10: i = 2, f = 3,
/// g = 4, o = 5, c' = 30 + 8, h' = 5 38. With peepholes i o f = 1 2 3: i = 12, f = 33, c' = 330 + 48, o = 5 + 756. GRU with
/// x = r z n = 1 2 3, R = 1 2 3 and h = 2: r = 3, z = 6; n = 3 + 3 3 2 = 21, or with the bias 1 inside 3 + 3 7 = 24;
/// h' = -5 n + 12.
#[test]
fn gates_by_hand() {
    let f = Activation::Identity;
    let row = |values: &[f32]| Tensor::new([1, 1, values.len()], values.to_vec()).unwrap();
    let column = |values: &[f32]| Tensor::new([1, values.len(), 1], values.to_vec()).unwrap();
    let flat = |values: &[f32]| Tensor::new([1, values.len()], values.to_vec()).unwrap();
    let run = |cell: Cell, inputs: &[Tensor]| {
        check(forward(cell), inputs, true);
        forward(cell).reference(inputs).unwrap().iter().map(|t| t.as_f32().unwrap()[0]).collect::<Vec<_>>()
    };
    let lstm = |peepholes, coupled| Cell::Lstm { f, g: f, h: f, peepholes, coupled };
    let given = [row(&[1.0, 2.0, 3.0, 4.0]), column(&[1.0; 4]), row(&[1.0]), row(&[10.0])];
    assert_eq!(run(lstm(false, false), &given), [190.0, 190.0, 38.0]);
    assert_eq!(run(lstm(false, true), &given), [-10.0, -10.0, -2.0]);
    let seen = [&given[..], &[flat(&[1.0, 2.0, 3.0])]].concat();
    assert_eq!(run(lstm(true, false), &seen), [761.0 * 378.0, 761.0 * 378.0, 378.0]);
    let gru = |reset_after| Cell::Gru { f, g: f, reset_after };
    let given = [row(&[1.0, 2.0, 3.0]), column(&[1.0, 2.0, 3.0]), row(&[2.0])];
    assert_eq!(run(gru(false), &given), [-93.0; 2]);
    assert_eq!(run(gru(true), &[&given[..], &[flat(&[1.0])]].concat()), [-108.0; 2]);
}

/// Integers with the identity as function, clipped so that they stay below 2^24.
#[test]
fn integers_are_exact() {
    let f = Activation::Identity;
    let lstm = |peepholes, coupled| Cell::Lstm { f, g: f, h: f, peepholes, coupled };
    let gru = |reset_after| Cell::Gru { f, g: f, reset_after };
    let cells = [Cell::Rnn { f }, gru(false), gru(true), lstm(false, false), lstm(true, false), lstm(true, true)];
    for cell in cells {
        check_all(cell, Some(3.0), [3, 2, 5], true);
        check_all(cell, Some(2.0), [2, 3, 33], true);
    }
}

#[test]
fn every_kernel_is_within_its_bound() {
    let (f, g) = (Activation::Sigmoid, Activation::Tanh);
    let before = Cell::Gru { f, g, reset_after: false };
    let seen = Cell::Lstm { f, g, h: g, peepholes: true, coupled: true };
    for cell in [LSTM, seen, GRU, before, Cell::Rnn { f: g }] {
        for sizes in [[4, 2, 7], [1, 1, 1], [3, 3, 66]] {
            check_all(cell, None, sizes, false);
        }
        check_all(cell, Some(0.75), [5, 3, 6], false);
    }
}

#[test]
fn other_functions() {
    let softplus = Activation::Softplus { beta: 1.0, threshold: f32::INFINITY };
    let hard = Activation::HardSigmoid { alpha: 0.2, beta: 0.5 };
    let functions = [
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.25 },
        Activation::Elu { alpha: 0.5 },
        Activation::ThresholdedRelu { alpha: 0.5 },
        Activation::Softsign,
        Activation::Affine { alpha: 0.25, beta: -0.5 },
        Activation::ScaledTanh { alpha: 1.5, beta: -0.625 },
        softplus,
        hard,
    ];
    for f in functions {
        check_all(Cell::Rnn { f }, Some(2.0), [3, 2, 4], false);
        let cell = Cell::Lstm { f: Activation::Sigmoid, g: f, h: Activation::Tanh, peepholes: false, coupled: false };
        check_all(cell, None, [2, 2, 5], false);
        let cell = Cell::Lstm { f: Activation::Sigmoid, g: Activation::Tanh, h: f, peepholes: false, coupled: false };
        check_all(cell, None, [2, 2, 5], false);
        check_all(Cell::Gru { f: hard, g: f, reset_after: true }, None, [2, 2, 5], false);
    }
}

/// No sequence, and more steps than kernels have names for.
#[test]
fn no_sequence_and_many_steps() {
    check_all(LSTM, None, [2, 0, 3], false);
    let rng = &mut Rng(7);
    let op = forward(GRU);
    let inputs: Vec<_> = shapes(&op, [300, 2, 3]).iter().map(|shape| rng.tensor(shape)).collect();
    let shapes: Vec<_> = inputs.iter().map(Tensor::shape).collect();
    assert!(kernels(op.clone(), &shapes).iter().all(|k| k.ends_with(" + recurrent x 300")), "a dispatch per step");
    check(op, &inputs, false);
}

#[test]
fn what_does_not_fit_is_refused() {
    let lstm = forward(LSTM);
    let refused = |op: &Recurrent, shapes: &[Vec<usize>], last: Option<Desc>, text: &str| {
        let inputs: Vec<_> = shapes.iter().map(|shape| Desc::f32(shape.clone())).chain(last).collect();
        let e = op.outputs(&inputs).expect_err(text).to_string();
        assert!(e.contains(text), "{e}");
    };
    let good = shapes(&lstm, [4, 2, 3]);
    refused(&lstm, &good[..3], None, "takes 4..=5 inputs, has 3");
    refused(&lstm, &shapes(&lstm, [0, 2, 3]), None, "lstm of 0 steps with 3 hidden units");
    refused(&lstm, &shapes(&lstm, [4, 2, 0]), None, "lstm of 4 steps with 0 hidden units");
    refused(&lstm, &good, Some(Desc::f32([2])), "input 4 of lstm must be i32[2], is f32[2]");
    refused(&lstm, &good, Some(Desc::new([3], DType::I32)), "must be i32[2], is i32[3]");
    for k in 0..good.len() {
        let mut shapes = good.clone();
        *shapes[k].last_mut().unwrap() += 1;
        refused(&lstm, &shapes, None, "of lstm must be f32[");
        shapes[k].push(1);
        refused(&lstm, &shapes, None, "lstm");
    }
    refused(&Recurrent { clip: Some(-1.0), ..lstm.clone() }, &good, None, "a clip of -1");
    refused(&Recurrent { clip: Some(f32::NAN), ..lstm.clone() }, &good, None, "a clip of NaN");
    let gelu = forward(Cell::Rnn { f: Activation::Gelu });
    refused(&gelu, &shapes(&gelu, [4, 2, 3]), None, "rnn with gelu");
    for length in [-1, 5] {
        let mut inputs: Vec<_> = good.iter().map(|shape| Tensor::zeros(shape.clone())).collect();
        inputs.push(Tensor::from([2, length]));
        let e = lstm.reference(&inputs).unwrap_err();
        assert!(e.kind() == ErrorKind::Argument, "{e}");
        assert!(e.to_string().contains(&format!("a sequence of length {length} among 4 steps")), "{e}");
    }
}
