//! LSTM, GRU and RNN: the recurrence with numbers that know how far a device's value may be.

use super::{TINY, UNIT, gamma};
use crate::attr::Activation;
use crate::reference::recurrent::{Number, Recurrence, States};

/// A number, and the largest error of its value on a device: a running error analysis (Higham, 3.3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Erring {
    value: f64,
    /// The largest absolute error.
    pub error: f64,
}

impl Erring {
    /// An unknown error, such as infinity times 0, is infinite.
    fn new(value: f64, error: f64) -> Erring {
        Erring { value, error: if error.is_nan() { f64::INFINITY } else { error } }
    }

    /// The largest magnitude of a device's value.
    fn most(self) -> f64 {
        self.value.abs() + self.error
    }

    /// The number once its value is rounded, or flushed.
    fn rounded(value: f64, error: f64) -> Erring {
        Erring::new(value, error + UNIT * (value.abs() + error) + TINY)
    }
}

impl Number for Erring {
    fn exact(value: f64) -> Erring {
        Erring::new(value, 0.0)
    }

    /// The errors of the numbers, and gamma_n of the n terms, in any order. A device may flush a factor, a product, and the sum.
    fn sum(terms: impl Iterator<Item = (f32, Erring)>) -> Erring {
        let (mut n, mut value, mut inherited, mut size, mut flushed) = (0, 0.0, 0.0, 0.0, 0.0);
        for (weight, v) in terms {
            let (weight, magnitude) = (f64::from(weight), f64::from(weight.abs()));
            n += 1;
            value += weight * v.value;
            inherited += magnitude * v.error;
            size += magnitude * v.most();
            flushed += (2.0 + magnitude + v.most()) * TINY;
        }
        Erring::new(value, inherited + gamma(n) * size + flushed)
    }

    fn plus(self, other: Erring) -> Erring {
        Erring::rounded(self.value + other.value, self.error + other.error)
    }

    fn times(self, other: Erring) -> Erring {
        let inherited = self.value.abs() * other.error + other.value.abs() * self.error + self.error * other.error;
        let flushed = (self.most() + other.most()) * TINY;
        Erring::rounded(self.value * other.value, inherited + flushed)
    }

    fn complement(self) -> Erring {
        Erring::rounded(1.0 - self.value, self.error)
    }

    /// Two numbers do not move apart.
    fn clipped(self, limit: f64) -> Erring {
        Erring::new(self.value.clipped(limit), self.error)
    }

    fn activated(self, f: Activation) -> Erring {
        let Erring { value, error } = self;
        let y = f.eval(value);
        Erring::new(y, f.spread(value, error) + own(f, value, error))
    }
}

/// The function's own error at arguments that are up to `error` off: the larger one of either end.
fn own(f: Activation, value: f64, error: f64) -> f64 {
    let most = f.eval(value).abs() + f.spread(value, error);
    f.bound(value - error, most).max(f.bound(value + error, most))
}

/// The largest error of h and c on a device: of every step, and of the last ones.
///
/// The errors of the states after a step are a linear function of those before it, with the derivatives at the reference's
/// values, plus what [`Form::rest`] counts: the roundings of the step, and how far the functions are from linear within the
/// errors. So the errors after many steps are sums of products of matrices, with their signs: where the steps forget, these
/// become small, although the products of the magnitudes grow. The sums are kept as a matrix whose columns are independent
/// sources ([`Sources`]).
pub fn errors(layer: &Recurrence<'_>) -> States<f64> {
    let states = layer.hidden * layer.cell.states();
    let sequences = layer.batch * layer.direction.count();
    // A step multiplies a row for every state, of as many coefficients as h has units, by the matrix.
    let work = |most: usize| (sequences * layer.steps) as f64 * (2 * states * layer.hidden * most * states) as f64;
    let most = [16, 8, 4].into_iter().find(|&most| layer.steps > SHORT && work(most) < LONGEST);
    let Some(most) = most.map(|most| most * states) else {
        let states = layer.run::<Erring>();
        let errors = |all: Vec<Erring>| all.into_iter().map(|v| v.error).collect();
        return States { y: errors(states.y), h: errors(states.h), c: errors(states.c) };
    };
    let states = layer.run_with(|_, _| {
        let mut sources = Sources { states, columns: 0, most, matrix: vec![vec![]; states] };
        move |d: usize, row: usize, (h, c): (Vec<Form>, Vec<Form>)| {
            let of = h.len() + c.len();
            let given = h.into_iter().chain(c).enumerate().map(|(at, form)| Form {
                row: Row::One { at, of },
                rest: 0.0,
                ..form
            });
            let mut h: Vec<Form> = given.collect();
            let c = h.split_off(layer.hidden);
            let (mut h, mut c) = layer.step(d, row, &h, &c);
            let errors = sources.after(h.iter().chain(&c));
            // Both ways to count are right.
            h.iter_mut().chain(&mut c).zip(errors).for_each(|(form, error)| form.error = form.error.min(error));
            (h, c)
        }
    });
    let errors = |all: Vec<Form>| all.into_iter().map(|form| form.error).collect();
    States { y: errors(states.y), h: errors(states.h), c: errors(states.c) }
}

/// Few steps, whose errors' magnitudes are no larger than what they add up to.
const SHORT: usize = 8;

/// The most operations for the errors of a layer: some seconds. Of larger ones the magnitudes are multiplied.
const LONGEST: f64 = 4e9;

/// A number whose error is a linear function of the errors of the states before a step, plus a rest.
#[derive(Clone, Debug, Default)]
pub struct Form {
    value: f64,
    /// The largest absolute error.
    error: f64,
    row: Row,
    /// The largest absolute error that is not the row's.
    rest: f64,
}

/// The coefficients of the states' errors.
#[derive(Clone, Debug, Default)]
enum Row {
    /// None.
    #[default]
    Zero,
    /// 1 for this one of so many.
    One {
        at: usize,
        of: usize,
    },
    All(Vec<f64>),
}

impl Row {
    /// Adds a multiple of the row.
    fn add_to(&self, sum: &mut Vec<f64>, factor: f64) {
        match self {
            Row::Zero => {}
            Row::One { at, of } => {
                sum.resize(*of, 0.0);
                sum[*at] += factor;
            }
            Row::All(all) => {
                sum.resize(all.len(), 0.0);
                sum.iter_mut().zip(all).for_each(|(sum, v)| *sum += factor * v);
            }
        }
    }

    /// The sum of multiples.
    fn sum<'a>(terms: impl IntoIterator<Item = (f64, &'a Row)>) -> Row {
        let mut sum = vec![];
        terms.into_iter().for_each(|(factor, row)| row.add_to(&mut sum, factor));
        if sum.is_empty() { Row::Zero } else { Row::All(sum) }
    }
}

impl Form {
    fn erring(&self) -> Erring {
        Erring { value: self.value, error: self.error }
    }

    /// The number with the error of `whole`. `inherited` is the rest that comes from the operands and from what is not linear;
    /// what `whole` has beyond `passed`, the error that the operands pass on, is of this operation.
    fn of(whole: Erring, passed: f64, row: Row, inherited: f64) -> Form {
        let own = whole.error - passed;
        // Of infinite errors nothing is known.
        let rest = if own.is_nan() || inherited.is_nan() { f64::INFINITY } else { inherited + own.max(0.0) };
        Form { value: whole.value, error: whole.error, row, rest }
    }
}

impl Number for Form {
    fn exact(value: f64) -> Form {
        Form { value, ..Form::default() }
    }

    fn sum(terms: impl Iterator<Item = (f32, Form)>) -> Form {
        let (mut row, mut passed, mut inherited) = (vec![], 0.0, 0.0);
        let whole = Erring::sum(terms.map(|(weight, v)| {
            let magnitude = f64::from(weight.abs());
            v.row.add_to(&mut row, weight.into());
            passed += magnitude * v.error;
            inherited += magnitude * v.rest;
            (weight, v.erring())
        }));
        let row = if row.is_empty() { Row::Zero } else { Row::All(row) };
        Form::of(whole, passed, row, inherited)
    }

    fn plus(self, other: Form) -> Form {
        let row = Row::sum([(1.0, &self.row), (1.0, &other.row)]);
        let whole = self.erring().plus(other.erring());
        Form::of(whole, self.error + other.error, row, self.rest + other.rest)
    }

    /// With errors a and b of x and y, `x b + y a + a b`.
    fn times(self, other: Form) -> Form {
        let row = Row::sum([(other.value, &self.row), (self.value, &other.row)]);
        let (x, y, both) = (self.value.abs(), other.value.abs(), self.error * other.error);
        let whole = self.erring().times(other.erring());
        let passed = x * other.error + y * self.error + both;
        Form::of(whole, passed, row, x * other.rest + y * self.rest + both)
    }

    fn complement(self) -> Form {
        let row = Row::sum([(-1.0, &self.row)]);
        Form::of(self.erring().complement(), self.error, row, self.rest)
    }

    /// Where a device's value may be beyond the limit its error is a rest.
    fn clipped(self, limit: f64) -> Form {
        let whole = self.erring().clipped(limit);
        match self.value.abs() + self.error <= limit {
            true => Form { value: whole.value, ..self },
            false => Form { value: whole.value, error: whole.error, row: Row::Zero, rest: whole.error },
        }
    }

    fn activated(self, f: Activation) -> Form {
        let whole = self.erring().activated(f);
        let Some((slope, wobble)) = f.slope(self.value, self.error) else {
            return Form { value: whole.value, error: whole.error, row: Row::Zero, rest: whole.error };
        };
        let own = own(f, self.value, self.error);
        let rest = slope.abs() * self.rest + wobble * self.error + own;
        Form { value: whole.value, error: whole.error, row: Row::sum([(slope, &self.row)]), rest }
    }
}

/// The errors of the states as a matrix times a vector of unknown numbers from -1 to 1, the sources: one for every rounded state
/// of every step. When there are too many, those that matter least become errors of single states (Girard 2005, "Reachability of
/// uncertain linear systems using zonotopes").
struct Sources {
    states: usize,
    columns: usize,
    most: usize,
    /// `[states][columns]`
    matrix: Vec<Vec<f64>>,
}

impl Sources {
    /// The largest error of every state after a step.
    fn after<'a>(&mut self, states: impl Iterator<Item = &'a Form>) -> Vec<f64> {
        let (mut matrix, mut rests) = (vec![], vec![]);
        for form in states {
            matrix.push(self.product(&form.row));
            rests.push(form.rest);
        }
        self.matrix = matrix;
        self.reduce(&mut rests);
        for (k, row) in self.matrix.iter_mut().enumerate() {
            row.extend((0..self.states).map(|at| if at == k { rests[k] } else { 0.0 }));
        }
        self.columns += self.states;
        self.matrix.iter().map(|row| row.iter().map(|v| v.abs()).sum()).collect()
    }

    /// A row of coefficients times the matrix.
    fn product(&self, row: &Row) -> Vec<f64> {
        let mut sum = vec![0.0; self.columns];
        let mut add = |at: usize, factor: f64| {
            sum.iter_mut().zip(&self.matrix[at]).for_each(|(sum, v)| *sum += factor * v);
        };
        match row {
            Row::Zero => {}
            Row::One { at, .. } => add(*at, 1.0),
            Row::All(all) => all.iter().enumerate().filter(|(_, v)| **v != 0.0).for_each(|(at, v)| add(at, *v)),
        }
        sum
    }

    /// Makes room for a source per state: the columns that are nearest to one of a single state are added to the rests.
    fn reduce(&mut self, rests: &mut [f64]) {
        let beyond = (self.columns + self.states).saturating_sub(self.most);
        if beyond == 0 {
            return;
        }
        let (mut sums, mut largest) = (vec![0.0; self.columns], vec![0.0f64; self.columns]);
        for row in &self.matrix {
            for ((sum, largest), v) in sums.iter_mut().zip(&mut largest).zip(row) {
                *sum += v.abs();
                *largest = largest.max(v.abs());
            }
        }
        // Infinities count most.
        let cost = |k: usize| if sums[k].is_finite() { sums[k] - largest[k] } else { f64::INFINITY };
        let mut order: Vec<usize> = (0..self.columns).collect();
        order.sort_by(|&a, &b| cost(a).total_cmp(&cost(b)));
        let (boxed, mut kept) = (order[..beyond].to_vec(), order[beyond..].to_vec());
        kept.sort_unstable();
        for (row, rest) in self.matrix.iter_mut().zip(rests) {
            *rest += boxed.iter().map(|&k| row[k].abs()).sum::<f64>();
            *row = kept.iter().map(|&k| row[k]).collect();
        }
        self.columns = kept.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::{Cell, Direction, GRU, LSTM};
    use crate::rng::Rng;

    /// A sum of three terms, one of which errs, through a sigmoid at its steepest.
    #[test]
    fn errors_add_up() {
        let given = Erring::exact(0.5);
        let off = Erring::new(-0.25, 1e-3);
        let sum = Erring::sum([(1.0, given), (2.0, off), (3.0, Erring::exact(0.0))].into_iter());
        assert_eq!(sum.value, 0.0);
        assert!((sum.error - (2e-3 + gamma(3) * 1.002)).abs() < 1e-12, "{sum:?}");
        let y = sum.activated(Activation::Sigmoid);
        assert!(y.error > sum.error / 4.0 && y.error < sum.error / 4.0 + 20.0 * UNIT, "{y:?}");
        let product = y.times(Erring::exact(2.0));
        assert!(product.error > 2.0 * y.error && product.error < 2.0 * y.error + 2.0 * UNIT, "{product:?}");
    }

    /// A layer of random numbers, and what it is given.
    struct Random {
        cell: Cell,
        steps: usize,
        hidden: usize,
        x: Vec<f32>,
        weight: Vec<f32>,
        h: Vec<f32>,
        c: Vec<f32>,
        extra: Vec<f32>,
        clip: Option<f32>,
    }

    impl Random {
        fn new(cell: Cell, steps: usize, hidden: usize, scale: f32, rng: &mut Rng) -> Random {
            let mut draw = |n: usize, scale: f32| (0..n).map(|_| scale * rng.float()).collect::<Vec<_>>();
            let gates = cell.gates();
            let (x, weight) = (draw(steps * gates * hidden, 1.5), draw(gates * hidden * hidden, scale));
            let (h, c, extra) = (draw(hidden, 1.0), draw(hidden, 1.0), draw(cell.extra() * hidden, 0.5));
            let c = if cell.states() == 2 { c } else { vec![] };
            Random { cell, steps, hidden, x, weight, h, c, extra, clip: None }
        }

        fn layer(&self) -> Recurrence<'_> {
            Recurrence {
                cell: self.cell,
                direction: Direction::Forward,
                clip: self.clip,
                batch_first: false,
                steps: self.steps,
                batch: 1,
                hidden: self.hidden,
                x: &self.x,
                weight: &self.weight,
                h: &self.h,
                c: &self.c,
                extra: &self.extra,
                lengths: None,
            }
        }

        /// h of all steps, and the last c, where every state of every step is off by a share of the error that a step makes of
        /// exact states, which `noise` draws: a device that is as bad as it may be.
        fn disturbed(&self, noise: &(dyn Fn(usize) -> f64 + Sync)) -> Vec<f64> {
            let layer = &self.layer();
            let states = layer.run_with(|_, _| {
                let mut count = 0;
                move |d: usize, row: usize, (h, c): (Vec<f64>, Vec<f64>)| {
                    let exact = |all: &[f64]| all.iter().map(|&v| Form::exact(v)).collect::<Vec<_>>();
                    let (h, c) = layer.step(d, row, &exact(&h), &exact(&c));
                    let mut off = |all: Vec<Form>| {
                        let mut one = |v: Form| {
                            count += 1;
                            v.value + noise(count) * v.error.min(v.rest)
                        };
                        all.into_iter().map(&mut one).collect::<Vec<_>>()
                    };
                    (off(h), off(c))
                }
            });
            [states.y, states.c].concat()
        }
    }

    /// A number of a device: f32, with sums in an order of its own, and functions that are nearly as wrong as they may be, with
    /// a sign that depends on the argument.
    #[derive(Clone, Copy, Debug, Default)]
    struct Single<const ORDER: u8>(f32);

    impl<const ORDER: u8> Number for Single<ORDER> {
        fn exact(value: f64) -> Self {
            Single(value as f32)
        }
        fn sum(terms: impl Iterator<Item = (f32, Self)>) -> Self {
            let mut terms: Vec<(f32, f32)> = terms.map(|(weight, v)| (weight, v.0)).collect();
            match ORDER {
                0 => Single(terms.iter().fold(0.0, |sum, (a, b)| sum + a * b)),
                1 => Single(terms.iter().rev().fold(0.0, |sum, (a, b)| a.mul_add(*b, sum))),
                _ => {
                    terms.sort_by(|x, y| (x.0 * x.1).abs().total_cmp(&(y.0 * y.1).abs()).reverse());
                    Single(terms.iter().map(|(a, b)| a * b).sum())
                }
            }
        }
        fn plus(self, other: Self) -> Self {
            Single(self.0 + other.0)
        }
        fn times(self, other: Self) -> Self {
            Single(self.0 * other.0)
        }
        fn complement(self) -> Self {
            Single(1.0 - self.0)
        }
        fn clipped(self, limit: f64) -> Self {
            Single(self.0.clamp(-limit as f32, limit as f32))
        }
        fn activated(self, f: Activation) -> Self {
            let x = f64::from(self.0);
            let y = f.eval(x);
            let sign = match ORDER {
                0 => 1.0,
                1 => -1.0,
                _ => f64::from(self.0.to_bits().count_ones() % 3) - 1.0,
            };
            // The last rounding is of f32.
            let most = (f.bound(x, y) - UNIT * y.abs()).max(0.0);
            Single((y + sign * most) as f32)
        }
    }

    /// h of all steps and the last c on such a device.
    fn single<const ORDER: u8>(layer: &Recurrence<'_>) -> Vec<f64> {
        let states = layer.run::<Single<ORDER>>();
        states.y.iter().chain(&states.c).map(|v| v.0.into()).collect()
    }

    /// Devices with f32, sums in several orders and the worst functions stay within the bound.
    #[test]
    fn roundings_stay_within_the_bound() {
        let rng = &mut Rng(11);
        let mut largest = 0.0f64;
        for cell in cells() {
            for (steps, hidden, scale) in [(1, 3, 1.0), (12, 7, 0.5), (60, 12, 0.35), (9, 5, 3.0), (150, 24, 0.2)] {
                for clip in [None, Some(0.5)] {
                    let random = Random { clip, ..Random::new(cell, steps, hidden, scale, rng) };
                    let layer = random.layer();
                    let (exact, found) = (layer.run::<f64>(), errors(&layer));
                    let (exact, bound) = ([exact.y, exact.c].concat(), [found.y, found.c].concat());
                    for device in [single::<0>(&layer), single::<1>(&layer), single::<2>(&layer)] {
                        for ((a, e), bound) in device.iter().zip(&exact).zip(&bound) {
                            assert!((a - e).abs() <= *bound, "{cell:?} {steps} {hidden}: {a} for {e}, bound {bound}");
                            largest = largest.max((a - e).abs() / bound);
                        }
                    }
                }
            }
        }
        println!("at most {largest:.2} of the bound");
        assert!(largest > 0.3, "the devices are not bad enough: {largest}");
    }

    /// The cells, with functions of every kind.
    fn cells() -> Vec<Cell> {
        let (f, g) = (Activation::Sigmoid, Activation::Tanh);
        let hard = Activation::HardSigmoid { alpha: 0.2, beta: 0.5 };
        let scaled = Activation::ScaledTanh { alpha: 1.25, beta: -0.75 };
        vec![
            LSTM,
            Cell::Lstm { f, g, h: g, peepholes: true, coupled: true },
            Cell::Lstm { f: hard, g: Activation::Softsign, h: scaled, peepholes: true, coupled: false },
            GRU,
            Cell::Gru { f, g, reset_after: false },
            Cell::Rnn { f: g },
            Cell::Rnn { f: Activation::Relu },
            Cell::Rnn { f: Activation::LeakyRelu { slope: -0.25 } },
        ]
    }

    /// Devices that are as bad as they may be stay within the bound: with errors of one sign, of alternating and of random signs.
    /// The bound is not much more than the worst of them where steps forget, and never more than that of the magnitudes.
    #[test]
    fn disturbances_stay_within_the_bound() {
        let rng = &mut Rng(7);
        for cell in cells() {
            for (steps, hidden, scale) in [(12, 7, 0.5), (60, 12, 0.35), (9, 5, 3.0)] {
                for clip in [None, Some(0.5)] {
                    let random = Random { clip, ..Random::new(cell, steps, hidden, scale, rng) };
                    let layer = random.layer();
                    let exact = layer.run::<f64>();
                    let exact = [exact.y, exact.c].concat();
                    let found = errors(&layer);
                    let bound = [found.y, found.c].concat();
                    let plain = layer.run::<Erring>();
                    let plain: Vec<f64> = plain.y.iter().chain(&plain.c).map(|v| v.error).collect();
                    let signs = rng.next();
                    let random_sign = |k: usize| {
                        let bit = Rng(signs ^ k as u64).next() >> 40 & 1;
                        if bit == 0 { 1.0 } else { -1.0 }
                    };
                    let noises: [&(dyn Fn(usize) -> f64 + Sync); 4] =
                        [&|_| 1.0, &|_| -1.0, &|k| if k % 2 == 0 { 1.0 } else { -1.0 }, &random_sign];
                    for noise in noises {
                        for ((a, e), bound) in random.disturbed(noise).iter().zip(&exact).zip(&bound) {
                            // In f64, as the bound is.
                            let most = bound * (1.0 + 1e-9) + 1e-15;
                            assert!((a - e).abs() <= most, "{cell:?} {steps} {hidden}: {a} for {e}, bound {bound}");
                        }
                    }
                    assert!(bound.iter().zip(&plain).all(|(b, p)| b <= p), "{cell:?}");
                }
            }
        }
    }

    /// A layer with PyTorch's weights that forgets: the bound stays where the magnitudes alone say nothing.
    #[test]
    fn long_sequences_keep_a_bound() {
        for (cell, most) in [(LSTM, 2e-4), (GRU, 2e-4), (Cell::Rnn { f: Activation::Tanh }, 2e-4)] {
            let random = Random::new(cell, 100, 48, 1.0 / 48f32.sqrt(), &mut Rng(5));
            let layer = random.layer();
            let largest = |all: &[f64]| all.iter().fold(0.0, |m: f64, v| m.max(*v));
            let found = largest(&errors(&layer).y);
            let plain: Vec<f64> = layer.run::<Erring>().y.iter().map(|v| v.error).collect();
            println!("{cell:?}: {found:e}, magnitudes {:e}", largest(&plain));
            assert!(found < most && found < largest(&plain) / 10.0, "{cell:?}: {found:e}, {:e}", largest(&plain));
        }
    }

    /// Slopes and how far they are from the differences of nearby values.
    #[test]
    fn slopes_are_derivatives() {
        let functions = [
            Activation::Sigmoid,
            Activation::Tanh,
            Activation::Identity,
            Activation::Relu,
            Activation::LeakyRelu { slope: 0.25 },
            Activation::Affine { alpha: -0.5, beta: 1.0 },
            Activation::ScaledTanh { alpha: -1.5, beta: 0.75 },
            Activation::HardSigmoid { alpha: 0.2, beta: 0.5 },
            Activation::Softsign,
            Activation::Elu { alpha: 0.75 },
        ];
        let mut counted = 0;
        for f in functions {
            for k in -40..=40 {
                for dx in [1e-6, 1e-3, 0.2, 3.0] {
                    let x = f64::from(k) / 8.0;
                    let Some((slope, wobble)) = f.slope(x, dx) else { continue };
                    counted += 1;
                    for share in [-1.0, -0.5, 0.25, 1.0] {
                        let off = f.eval(x + share * dx) - f.eval(x) - slope * share * dx;
                        let most = wobble * share.abs() * dx * (1.0 + 1e-9) + 1e-15;
                        assert!(off.abs() <= most, "{f:?} at {x} within {dx}: {off}, {most}");
                    }
                }
            }
        }
        assert!(counted > 2000, "{counted}");
    }

    #[test]
    fn an_error_without_an_end_is_infinite() {
        let jump = Erring::new(1.0, 1e-3).activated(Activation::ThresholdedRelu { alpha: 1.0 });
        assert_eq!(jump.times(Erring::exact(0.0)).error, f64::INFINITY);
    }
}
