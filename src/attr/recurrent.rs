//! What a recurrent layer computes in a step, and in which order it takes the steps.

use super::{Activation, attribute};

attribute! {
    /// What a step makes of `a`, the products of its input and of the state before it plus the biases, gate by gate. `f`, `g` and
    /// `h` are functions, named as ONNX names them. The order of the gates is PyTorch's.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Cell, "CELL" {
        /// h = f(a)
        #[allow(missing_docs)]
        Rnn { f: Activation },
        /// r = f(a), z = f(a), n = g(a), h' = (1 - z) n + z h. The reset gate r multiplies the state before the product
        /// of n, or that product and its bias (`reset_after`).
        #[allow(missing_docs)]
        Gru { f: Activation, g: Activation, reset_after: bool },
        /// i = f(a), f = f(a), g = g(a), o = f(a), c' = f c + i g, h' = o h(c'). With `peepholes` the gates i, o and f also see
        /// the cell; `coupled` sets f to 1 - i.
        #[allow(missing_docs)]
        Lstm { f: Activation, g: Activation, h: Activation, peepholes: bool, coupled: bool },
    }
}

attribute! {
    /// The order in which the steps are taken.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Direction {
        /// From the first step to the last.
        Forward,
        /// From the last step to the first.
        Reverse,
        /// Both, each with its own weights; the forward one comes first.
        Both,
    }
}

use Activation::{Identity, Sigmoid, Tanh};

/// PyTorch's LSTM.
pub const LSTM: Cell = Cell::Lstm { f: Sigmoid, g: Tanh, h: Tanh, peepholes: false, coupled: false };
/// PyTorch's GRU.
pub const GRU: Cell = Cell::Gru { f: Sigmoid, g: Tanh, reset_after: true };

impl Cell {
    /// The number of gates.
    pub fn gates(self) -> usize {
        match self {
            Cell::Rnn { .. } => 1,
            Cell::Gru { .. } => 3,
            Cell::Lstm { .. } => 4,
        }
    }

    /// The number of states that pass from step to step: h, and the cell c.
    pub fn states(self) -> usize {
        if matches!(self, Cell::Lstm { .. }) { 2 } else { 1 }
    }

    /// The parameters per hidden unit beside the weights: peepholes, or the bias of a product that the reset gate multiplies.
    pub fn extra(self) -> usize {
        match self {
            Cell::Lstm { peepholes: true, .. } => 3,
            Cell::Gru { reset_after: true, .. } => 1,
            _ => 0,
        }
    }

    /// f, g and h; the identity for one that the cell does not have.
    pub fn functions(self) -> [Activation; 3] {
        match self {
            Cell::Rnn { f } => [f, Identity, Identity],
            Cell::Gru { f, g, .. } => [f, g, Identity],
            Cell::Lstm { f, g, h, .. } => [f, g, h],
        }
    }
}

impl Direction {
    /// The number of directions.
    pub fn count(self) -> usize {
        if self == Direction::Both { 2 } else { 1 }
    }

    /// Whether direction number `d` takes the last step first.
    pub fn is_reversed(self, d: usize) -> bool {
        self == Direction::Reverse || d == 1
    }
}
