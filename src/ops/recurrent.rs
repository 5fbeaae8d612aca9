//! `lstm`, `gru`, `rnn`: recurrent layers, given the products of their input.

use super::rows::{Piece, copies};
use super::strided::copy;
use super::{Bounds, Op, Site, Variant, built_in, expect_inputs};
use crate::attr::{Activation, Cell, Coded, Direction};
use crate::bound;
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, folded, nested, params};
use crate::gpu::pieces::{FLAT, RECURRENT, TEAM};
use crate::reference::recurrent::Recurrence;
use crate::shape::{DType, Desc, Layout};
use crate::tensor::{Data, Tensor};

static ALONE: Kernel = kernel!("recurrent", RECURRENT, FLAT);
static TEAMS: Kernel = kernel!("recurrent_team", RECURRENT, TEAM);

pub(super) const KERNELS: &[&Kernel] = &[&ALONE, &TEAMS];

/// Invocations per hidden unit, and hidden units per workgroup, of `recurrent_team`.
const LANES: usize = 8;
const UNITS: usize = 32;

/// The steps of `torch.nn.LSTM`, `GRU` and `RNN`, and of ONNX's operators of these names, after the product of the input, which a
/// matrix product computes for all steps at once.
///
/// Inputs, all f32 but the last:
/// - x `[steps, batch, directions * gates * hidden]`: the products of the input plus all biases that are only added;
/// - the weight of the states `[directions, gates * hidden, hidden]`;
/// - h, and of an LSTM c, before the first step `[directions, batch, hidden]`;
/// - of an LSTM with peepholes these, `[directions, 3 * hidden]`: those of i, of o, of the forget gate; of a GRU with
///   `reset_after` the bias of the product that the reset gate multiplies, `[directions, hidden]`;
/// - if there is one more input, the number of steps of every sequence, i32 `[batch]`. The others are beyond its end: y is 0
///   there, and the reverse direction begins at the end. A length that is negative or exceeds the steps is an error on the
///   reference; a device clamps it: sessions check what reaches it (`graph::guard`).
///
/// Outputs: y `[steps, batch, directions * hidden]`, which is h after every step, and h and c after the last one, as before the
/// first.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrent {
    /// What a step computes.
    pub cell: Cell,
    /// The order of the steps.
    pub direction: Direction,
    /// The largest magnitude of what f and g are applied to; larger ones are clipped. The argument of h is not, as in ONNX
    /// Runtime, although ONNX's text says so of all functions.
    pub clip: Option<f32>,
    /// Whether x and y are `[batch, steps, ..]`.
    pub batch_first: bool,
}

#[derive(Clone, Copy)]
struct Sizes {
    steps: usize,
    batch: usize,
    hidden: usize,
    directions: usize,
    gates: usize,
}

impl Sizes {
    /// The elements of a state.
    fn units(&self) -> usize {
        self.directions * self.batch * self.hidden
    }
    /// The shape of a state.
    fn state(&self) -> Vec<usize> {
        vec![self.directions, self.batch, self.hidden]
    }
}

impl Recurrent {
    fn sizes(&self, inputs: &[Desc]) -> Result<Sizes> {
        let ([a, b, _], [_, _, hidden]) = (&inputs[0].shape[..], &inputs[1].shape[..]) else {
            let text = format!("{} takes [steps, batch, gates] and a weight [directions, gates, hidden]", self.name());
            return Err(Error::shape(text));
        };
        let (steps, batch) = if self.batch_first { (*b, *a) } else { (*a, *b) };
        Ok(Sizes { steps, batch, hidden: *hidden, directions: self.direction.count(), gates: self.cell.gates() })
    }

    /// The number of inputs without lengths.
    fn least_inputs(&self) -> usize {
        2 + self.cell.states() + usize::from(self.cell.extra() > 0)
    }

    /// The input with the parameters beside the weights.
    fn extra(&self) -> Option<usize> {
        (self.cell.extra() > 0).then_some(2 + self.cell.states())
    }

    /// The input with the lengths of the sequences, if there is one.
    pub fn lengths(&self, inputs: usize) -> Option<usize> {
        (inputs > self.least_inputs()).then_some(self.least_inputs())
    }

    /// The number of steps.
    pub fn steps(&self, x: &Desc) -> usize {
        x.shape[usize::from(self.batch_first)]
    }

    /// The shapes that the inputs must have.
    fn wanted(&self, s: Sizes) -> Vec<Vec<usize>> {
        let Sizes { steps, batch, hidden, directions, gates } = s;
        let lead = if self.batch_first { [batch, steps] } else { [steps, batch] };
        let mut shapes =
            vec![[&lead[..], &[directions * gates * hidden]].concat(), vec![directions, gates * hidden, hidden]];
        shapes.extend(vec![s.state(); self.cell.states()]);
        shapes.extend(self.extra().map(|_| vec![directions, self.cell.extra() * hidden]));
        shapes.push(vec![batch]);
        shapes
    }

    /// The lengths of the sequences.
    fn read_lengths(&self, inputs: &[Tensor], steps: usize) -> Result<Option<Vec<usize>>> {
        let Some(at) = self.lengths(inputs.len()) else { return Ok(None) };
        let length = |n: i64| match usize::try_from(n) {
            Ok(n) if n <= steps => Ok(n),
            _ => Err(Error::argument(format!("a sequence of length {n} among {steps} steps"))),
        };
        inputs[at].to_i64s()?.into_iter().map(length).collect::<Result<_>>().map(Some)
    }

    /// Calls `f` with the layer and its inputs.
    fn with<R>(&self, inputs: &[Tensor], f: impl FnOnce(&Recurrence<'_>) -> R) -> Result<R> {
        let Sizes { steps, batch, hidden, .. } = self.sizes(&inputs.iter().map(Tensor::desc).collect::<Vec<_>>())?;
        let lengths = self.read_lengths(inputs, steps)?;
        let Recurrent { cell, direction, clip, batch_first } = *self;
        Ok(f(&Recurrence {
            cell,
            direction,
            clip,
            batch_first,
            steps,
            batch,
            hidden,
            x: inputs[0].f32s(),
            weight: inputs[1].f32s(),
            h: inputs[2].f32s(),
            c: if cell.states() == 2 { inputs[3].f32s() } else { &[] },
            extra: self.extra().map_or(&[], |k| inputs[k].f32s()),
            lengths: lengths.as_deref(),
        }))
    }

    /// The launches that copy the states before the first step.
    fn start(&self, units: usize) -> Vec<Launch> {
        let [state, both] = [1, 2].map(|n| Desc::f32([n, units]));
        let copied = |from, to, whole| {
            copies(Piece { whole, part: &state, axis: 0, first: 0 }, Layout::RowMajor, Arg::Input(from), to, true)
        };
        let given = (1..=self.cell.states()).map(|k| copied(1 + k, Arg::Output(k), &state));
        [copied(2, Arg::Scratch(0), &both)].into_iter().chain(given).flatten().collect()
    }

    /// The launches of all steps, by a team of invocations per hidden unit or by one.
    fn steps_of(&self, site: &Site<'_>, s: Sizes, teams: bool) -> Vec<Launch> {
        let passes: &[bool] = if self.resets_before() { &[true, false] } else { &[false] };
        let all = (0..s.steps).flat_map(|step| passes.iter().map(move |&reset| (step, reset)));
        all.map(|(step, reset)| self.step(site, s, teams, step, reset)).collect()
    }

    /// One step, or its pass that only computes the reset gate.
    fn step(&self, site: &Site<'_>, s: Sizes, teams: bool, step: usize, reset: bool) -> Launch {
        let Sizes { steps, batch, hidden, directions, .. } = s;
        let (step_rows, batch_rows) = if self.batch_first { (1, steps) } else { (batch, 1) };
        let reversed = u32::from(self.direction == Direction::Reverse);
        let [[f_a, f_b, _], [g_a, g_b, _], [h_a, h_b, _]] = self.cell.functions().map(|f| f.params());
        let limit = self.clip.unwrap_or(f32::INFINITY);
        let params = params!(
            units: s.units(), steps, batch, directions, hidden, step, reversed, step_rows, batch_rows,
            f_a, f_b, g_a, g_b, h_a, h_b, limit
        );
        let launch = match teams {
            true => Launch::grid(&TEAMS, folded(s.units().div_ceil(UNITS)), params),
            false => Launch::flat(&ALONE, s.units(), params),
        };
        let launch = launch.iterations(nested(&[if teams { hidden.div_ceil(LANES) } else { hidden }]));
        let lengths = self.lengths(site.inputs.len());
        let given = [self.extra(), lengths].map(|input| Arg::Input(input.unwrap_or(0)));
        let cell = if self.cell.states() == 2 { Arg::Output(2) } else { Arg::Scratch(1) };
        self.specialised(launch, reset, lengths.is_some())
            .reads([Arg::Input(0), Arg::Prepared(0), given[0], given[1]])
            .writes([Arg::Output(0), Arg::Output(1), cell, Arg::Scratch(0)])
    }

    /// The launch for this cell.
    fn specialised(&self, launch: Launch, reset: bool, lengths: bool) -> Launch {
        let gates = self.cell.gates() as u32;
        let [f, g, h] = self.cell.functions().map(|f| f.code());
        let (peepholes, coupled) = match self.cell {
            Cell::Lstm { peepholes, coupled, .. } => (peepholes, coupled),
            _ => (false, false),
        };
        let reset_after = matches!(self.cell, Cell::Gru { reset_after: true, .. });
        let counts = [("CELL", self.cell.code()), ("GATES", gates), ("PRODUCTS", if reset { 1 } else { gates })];
        let flags = [
            ("RESET", reset),
            ("RESET_AFTER", reset_after),
            ("RESET_BEFORE", self.resets_before()),
            ("PEEPHOLES", peepholes),
            ("COUPLED", coupled),
            ("LENGTHS", lengths),
            ("LIMITED", self.clip.is_some()),
        ];
        let flags = flags.map(|(name, yes)| (name, u32::from(yes)));
        let all = counts.into_iter().chain(flags).chain([("F", f), ("G", g), ("H", h)]);
        all.fold(launch, |launch, (name, value)| launch.set(name, value))
    }

    /// Whether the reset gate multiplies the state before the product.
    fn resets_before(&self) -> bool {
        matches!(self.cell, Cell::Gru { reset_after: false, .. })
    }
}

impl Op for Recurrent {
    built_in!(cell, direction, clip, batch_first);

    fn name(&self) -> &'static str {
        match self.cell {
            Cell::Rnn { .. } => "rnn",
            Cell::Gru { .. } => "gru",
            Cell::Lstm { .. } => "lstm",
        }
    }

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        let least = self.least_inputs();
        expect_inputs(self, inputs, least..=least + 1)?;
        let s = self.sizes(inputs)?;
        if s.steps == 0 || s.hidden == 0 {
            let text =
                format!("{} of {} steps with {} hidden units: it needs one of each", self.name(), s.steps, s.hidden);
            return Err(Error::shape(text));
        }
        for (k, (desc, shape)) in inputs.iter().zip(self.wanted(s)).enumerate() {
            let wanted = Desc::new(shape, if k == least { DType::I32 } else { DType::F32 });
            if *desc != wanted {
                return Err(Error::shape(format!("input {k} of {} must be {wanted}, is {desc}", self.name())));
            }
        }
        if let Some(clip) = self.clip.filter(|clip| clip.is_nan() || *clip < 0.0) {
            return Err(Error::argument(format!("a clip of {clip}: it must not be negative")));
        }
        if let Some(f) = self.cell.functions().into_iter().find(|f| !is_gate_function(*f)) {
            return Err(Error::unsupported(format!("{} with {}", self.name(), f.name())));
        }
        let mut y = inputs[0].clone();
        y.shape[2] = s.directions * s.hidden;
        Ok([vec![y], vec![Desc::f32(s.state()); self.cell.states()]].concat())
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let outputs = self.outputs(&inputs.iter().map(Tensor::desc).collect::<Vec<_>>())?;
        let states = self.with(inputs, |layer| layer.run::<f64>())?;
        let all = outputs.into_iter().zip([states.y, states.h, states.c]);
        Ok(all.map(|(desc, v)| Tensor::of(desc.shape, Data::F64(v.into())).to_dtype(DType::F32)).collect())
    }

    /// The recurrence with numbers that carry their error.
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        let states = self.with(inputs, bound::recurrent::errors)?;
        let errors = |all: Vec<f64>| all.into_iter().map(|v| v as f32).collect();
        Ok(Some([states.y, states.h, states.c].into_iter().take(outputs.len()).map(errors).collect()))
    }

    /// The states before the first step are copied to where the steps find them; then a dispatch per step, or two. Teams come
    /// first on hardware, where a layer alone has too few invocations; their workgroup memory costs more than it gains in
    /// software.
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let s = self.sizes(site.inputs)?;
        let (units, rows) = (s.units(), s.gates * s.hidden);
        let strides = vec![(rows * s.hidden) as isize, 1, s.hidden as isize];
        let packings = copy(site, &[s.directions, s.hidden, rows], strides, 0)?;
        let forms: &[bool] = match (s.hidden >= UNITS, site.caps.software) {
            (false, _) => &[false],
            (true, true) => &[false, true],
            (true, false) => &[true, false],
        };
        let start = self.start(units);
        let cell = if self.resets_before() { units } else { usize::from(self.cell.states() == 1) };
        let variant = |packing: &Variant, teams: bool| {
            let run = [start.clone(), self.steps_of(site, s, teams)].concat();
            let variant = Variant { scratch: vec![2 * units * 4, cell * 4], ..Variant::row_major(site, run) };
            let packing = packing.run[0].clone().reads([Arg::Input(1)]).writes([Arg::Prepared(0)]);
            variant.with_prepared(s.directions * rows * s.hidden * 4, packing)
        };
        Ok(forms
            .iter()
            .flat_map(|&teams| packings.iter().map(move |packing| (packing, teams)))
            .map(|(p, t)| variant(p, t))
            .collect())
    }

    /// Two per weight and step; about ten per unit for its functions.
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        let Ok(s) = self.sizes(inputs) else { return 0 };
        ((2 * s.hidden + 10) * s.gates * s.units()) as u64 * s.steps as u64
    }
}

/// Whether `shaders/shared/gates.wgsl` has the function.
fn is_gate_function(f: Activation) -> bool {
    use Activation::*;
    match f {
        Identity | Relu | LeakyRelu { .. } | Elu { .. } | Sigmoid | Tanh | HardSigmoid { .. } | Softsign => true,
        ThresholdedRelu { .. } | Affine { .. } | ScaledTanh { .. } => true,
        Softplus { beta, threshold } => beta == 1.0 && threshold == f32::INFINITY,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tree::tests::constant;

    #[test]
    fn text_and_host_have_one_team() {
        assert_eq!(constant(&TEAMS, "LANES"), LANES);
        assert_eq!(constant(&TEAMS, "WORKGROUP"), LANES * UNITS);
    }
}
