//! LSTM, GRU and RNN, step by step. The gates have PyTorch's order.

use crate::attr::{Activation, Cell, Direction};
use crate::parallel;

/// A number of the recurrence: the reference computes with f64, the bound with numbers that know their errors.
pub trait Number: Clone + Send + Sync {
    /// A number that is given.
    fn exact(value: f64) -> Self;
    /// The sum of weights times numbers.
    fn sum(terms: impl Iterator<Item = (f32, Self)>) -> Self;
    /// The sum of two.
    fn plus(self, other: Self) -> Self;
    /// The product of two.
    fn times(self, other: Self) -> Self;
    /// `1 - x`
    fn complement(self) -> Self;
    /// Within `-limit` and `limit`.
    fn clipped(self, limit: f64) -> Self;
    /// A function of it.
    fn activated(self, f: Activation) -> Self;
}

impl Number for f64 {
    fn exact(value: f64) -> f64 {
        value
    }
    fn sum(terms: impl Iterator<Item = (f32, f64)>) -> f64 {
        terms.map(|(weight, v)| f64::from(weight) * v).sum()
    }
    fn plus(self, other: f64) -> f64 {
        self + other
    }
    fn times(self, other: f64) -> f64 {
        self * other
    }
    fn complement(self) -> f64 {
        1.0 - self
    }
    fn clipped(self, limit: f64) -> f64 {
        if self.is_nan() { self } else { self.clamp(-limit, limit) }
    }
    fn activated(self, f: Activation) -> f64 {
        f.eval(self)
    }
}

/// A recurrent layer and its inputs.
pub struct Recurrence<'a> {
    pub cell: Cell,
    pub direction: Direction,
    /// The largest magnitude of what f and g are applied to.
    pub clip: Option<f32>,
    /// Whether the axes of x and y begin with the batch, not with the steps.
    pub batch_first: bool,
    pub steps: usize,
    pub batch: usize,
    pub hidden: usize,
    /// `[steps, batch, directions, gates, hidden]`: products of the input, plus biases.
    pub x: &'a [f32],
    /// `[directions, gates, hidden, hidden]`
    pub weight: &'a [f32],
    /// The first states, `[directions, batch, hidden]`; `c` of an LSTM.
    pub h: &'a [f32],
    pub c: &'a [f32],
    /// `[directions, Cell::extra, hidden]`
    pub extra: &'a [f32],
    /// The steps of each sequence; all if there are none.
    pub lengths: Option<&'a [usize]>,
}

/// What a layer gives.
pub struct States<N> {
    /// h of every step `[steps, batch, directions, hidden]`, 0 beyond the end of a sequence.
    pub y: Vec<N>,
    /// h and c after the last step of every sequence, `[directions, batch, hidden]`.
    pub h: Vec<N>,
    pub c: Vec<N>,
}

/// One sequence: h of every step and where it is in `y`, and the last states.
#[derive(Clone, Default)]
struct Sequence<N> {
    steps: Vec<(usize, Vec<N>)>,
    h: Vec<N>,
    c: Vec<N>,
}

impl Recurrence<'_> {
    /// All sequences.
    pub fn run<N: Number + Default>(&self) -> States<N> {
        self.run_with(|_, _| move |d: usize, row: usize, (h, c): (Vec<N>, Vec<N>)| self.step(d, row, &h, &c))
    }

    /// All sequences, each by a step of its own, which makes the states of those before it: it is given the direction and the row
    /// of the products.
    pub fn run_with<N: Number + Default, S: FnMut(usize, usize, (Vec<N>, Vec<N>)) -> (Vec<N>, Vec<N>)>(
        &self,
        step: impl Fn(usize, usize) -> S + Sync,
    ) -> States<N> {
        let (n, directions) = (self.hidden, self.direction.count());
        let sequences = parallel::collect(directions * self.batch, |k| {
            let (d, b) = (k / self.batch, k % self.batch);
            self.sequence(d, b, step(d, b))
        });
        let mut y = vec![N::exact(0.0); self.steps * self.batch * directions * n];
        for (row, h) in sequences.iter().flat_map(|sequence: &Sequence<N>| &sequence.steps) {
            y[row * n..][..n].clone_from_slice(h);
        }
        let last = |of: fn(&Sequence<N>) -> &[N]| sequences.iter().flat_map(of).cloned().collect();
        States { y, h: last(|sequence| &sequence.h), c: last(|sequence| &sequence.c) }
    }

    fn sequence<N: Number>(
        &self,
        d: usize,
        b: usize,
        mut step: impl FnMut(usize, usize, (Vec<N>, Vec<N>)) -> (Vec<N>, Vec<N>),
    ) -> Sequence<N> {
        let first = (d * self.batch + b) * self.hidden;
        let state = |all: &[f32]| all.iter().skip(first).take(self.hidden).map(|&v| N::exact(v.into())).collect();
        let (mut h, mut c): (Vec<N>, Vec<N>) = (state(self.h), state(self.c));
        let length = self.lengths.map_or(self.steps, |lengths| lengths[b]);
        let mut steps = vec![];
        for s in 0..length {
            let t = if self.direction.is_reversed(d) { length - 1 - s } else { s };
            let row = self.row(t, b) * self.direction.count() + d;
            (h, c) = step(d, row, (h, c));
            steps.push((row, h.clone()));
        }
        Sequence { steps, h, c }
    }

    /// Where step `t` of sequence `b` is.
    fn row(&self, t: usize, b: usize) -> usize {
        if self.batch_first { b * self.steps + t } else { t * self.batch + b }
    }

    /// What a gate of unit `j` sums up: weights and states.
    fn products<'a, N: Number>(
        &'a self,
        d: usize,
        gate: usize,
        j: usize,
        h: &'a [N],
    ) -> impl Iterator<Item = (f32, N)> + 'a {
        let first = ((d * self.cell.gates() + gate) * self.hidden + j) * self.hidden;
        self.weight[first..][..self.hidden].iter().copied().zip(h.iter().cloned())
    }

    /// The states after a step of direction `d`, whose products are in `row`.
    pub fn step<N: Number>(&self, d: usize, row: usize, h: &[N], c: &[N]) -> (Vec<N>, Vec<N>) {
        let (n, gates) = (self.hidden, self.cell.gates());
        let x = |gate: usize, j: usize| (1.0, N::exact(self.x[(row * gates + gate) * n + j].into()));
        let extra = |k: usize, j: usize| self.extra[(d * self.cell.extra() + k) * n + j];
        let limited = |a: N| match self.clip {
            Some(limit) => a.clipped(limit.into()),
            None => a,
        };
        let gate = |k: usize, j: usize, h: &[N], more: Option<(f32, N)>, f: Activation| {
            limited(N::sum(self.products(d, k, j, h).chain([x(k, j)]).chain(more))).activated(f)
        };
        match self.cell {
            Cell::Rnn { f } => ((0..n).map(|j| gate(0, j, h, None, f)).collect(), vec![]),
            Cell::Gru { f, g, reset_after } => {
                let reset: Vec<N> = (0..n).map(|j| gate(0, j, h, None, f)).collect();
                let before: Vec<N> = reset.iter().zip(h).map(|(r, h)| r.clone().times(h.clone())).collect();
                let candidate = |j: usize| match reset_after {
                    false => gate(2, j, &before, None, g),
                    true => {
                        let product = N::sum(self.products(d, 2, j, h).chain([(extra(0, j), N::exact(1.0))]));
                        limited(N::sum([x(2, j), (1.0, reset[j].clone().times(product))].into_iter())).activated(g)
                    }
                };
                let next = |j: usize| {
                    let z = gate(1, j, h, None, f);
                    z.clone().complement().times(candidate(j)).plus(z.times(h[j].clone()))
                };
                ((0..n).map(next).collect(), vec![])
            }
            Cell::Lstm { f, g, h: out, peepholes, coupled } => {
                let seen = |k: usize, j: usize, c: N| peepholes.then(|| (extra(k, j), c));
                let next = |j: usize| {
                    let old = || c[j].clone();
                    let i = gate(0, j, h, seen(0, j, old()), f);
                    let forget = if coupled { i.clone().complement() } else { gate(1, j, h, seen(2, j, old()), f) };
                    let new = forget.times(old()).plus(i.times(gate(2, j, h, None, g)));
                    let o = gate(3, j, h, seen(1, j, new.clone()), f);
                    (o.times(new.clone().activated(out)), new)
                };
                (0..n).map(next).unzip()
            }
        }
    }
}
