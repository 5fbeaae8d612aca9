//! `softmax`, `log_softmax` along an axis.

use super::tree::Tree;
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_f32};
use crate::bound;
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{FLAT_WORKGROUP, Launch, Params, folded, nested, params};
use crate::gpu::pieces::{FLAT, SOFTMAX, SOFTMAX_TREE, TEAM};
use crate::parallel;
use crate::reference::softmax;
use crate::shape::Desc;
use crate::tensor::Tensor;

static SERIAL: Kernel = kernel!("softmax", SOFTMAX, FLAT).by_values();
static ROWS: Kernel = kernel!("softmax_rows4", SOFTMAX_TREE, TEAM).by_values();
static LONG: Kernel = kernel!("softmax_tree", SOFTMAX_TREE, TEAM).by_values();

pub(super) const KERNELS: &[&Kernel] = &[&SERIAL, &ROWS, &LONG];

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html>
///
/// `y = exp(x) / sum of exp(x) along the axis`, or its logarithm; any shape. The softmax of -inf is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// The axis along which the values sum up to 1.
    pub axis: usize,
    /// Whether the result is the logarithm.
    pub log: bool,
}

/// The longest set that one invocation computes.
const LONGEST_SERIAL: usize = 1 << 14;

/// The order of sums with a team of few lanes; also in the text of `softmax_rows4`.
const ROWS_TREE: Tree = Tree { lanes: 8, width: 4 };
/// The order of sums with a workgroup; also in the text of `softmax_tree`.
const TREE: Tree = Tree { lanes: 256, width: 1 };

/// Which invocations compute a set of values.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// One invocation.
    Serial,
    /// A few invocations of a workgroup: for many sets of consecutive values, none very long.
    Rows(Tree),
    /// A workgroup: for long sets of consecutive values, or too few sets to fill a device.
    Team(Tree),
}

impl Form {
    /// The most additions that a term of a set of n values goes through.
    fn depth(&self, n: usize) -> usize {
        match self {
            Form::Serial => n,
            Form::Rows(tree) | Form::Team(tree) => tree.depth(n),
        }
    }

    /// The launch for this many sets of n, without its bindings: each of three loops processes the set in rounds.
    fn launch(&self, sets: usize, n: usize, params: Params) -> Launch {
        let (launch, rounds) = match self {
            Form::Serial => (Launch::flat(&SERIAL, sets, params), n),
            Form::Rows(tree) => {
                let groups = sets.div_ceil(FLAT_WORKGROUP / tree.lanes);
                (Launch::grid(&ROWS, folded(groups), params), tree.rounds(n))
            }
            Form::Team(tree) => (Launch::grid(&LONG, folded(sets), params), tree.rounds(n)),
        };
        launch.iterations(3 * nested(&[rounds]))
    }
}

impl Softmax {
    /// The shape seen as `[outer, n, inner]`.
    fn extents(&self, shape: &[usize]) -> [usize; 3] {
        let inner = shape[self.axis + 1..].iter().product();
        [shape[..self.axis].iter().product(), shape[self.axis], inner]
    }

    /// Chosen by the shape alone.
    fn form(&self, shape: &[usize]) -> Form {
        let [outer, n, inner] = self.extents(shape);
        match () {
            () if inner == 1 && outer >= 16 && n.is_multiple_of(4) && (32..=4096).contains(&n) => Form::Rows(ROWS_TREE),
            () if n >= 64 && (inner == 1 || outer * inner < 1024) || n > LONGEST_SERIAL => Form::Team(TREE),
            () => Form::Serial,
        }
    }

    fn bounds_in(&self, form: &Form, x: &Tensor) -> Bounds {
        let depth = form.depth(x.shape()[self.axis]);
        Some(vec![self.along(x, |set| bound::softmax::bounds(set, self.log, depth))])
    }

    /// Applies `f` to every set of values along the axis.
    fn along(&self, x: &Tensor, f: impl Fn(&[f64]) -> Vec<f64> + Sync) -> Vec<f32> {
        let [outer, n, inner] = self.extents(x.shape());
        let data = x.f32s();
        let set = |s: usize| {
            let at = |k| f64::from(data[(s / inner * n + k) * inner + s % inner]);
            f(&(0..n).map(at).collect::<Vec<_>>())
        };
        let sets = parallel::collect(outer * inner, set);
        let mut out = vec![0.0; data.len()];
        for (s, values) in sets.iter().enumerate() {
            for (k, &v) in values.iter().enumerate() {
                out[(s / inner * n + k) * inner + s % inner] = v as f32;
            }
        }
        out
    }
}

impl Op for Softmax {
    built_in!(axis, log);
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if self.axis >= x.rank() {
            return Err(Error::argument(format!("axis {} is outside {x}", self.axis)));
        }
        Ok(vec![x.clone()])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        Ok(vec![Tensor::of(x.shape(), self.along(x, |set| softmax::softmax(set, self.log)))])
    }

    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(self.bounds_in(&self.form(inputs[0].shape()), &inputs[0]))
    }

    fn bounds_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        match algorithm {
            Algorithm::Serial => Ok(self.bounds_in(&Form::Serial, &inputs[0])),
            _ => self.bounds(inputs, outputs),
        }
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let shape = &site.inputs[0].shape;
        let [outer, n, inner] = self.extents(shape);
        let params = params!(outer, n, inner, lowest: f32::NEG_INFINITY, nan: f32::NAN, zero: 0u32);
        let variant = |form: &Form, algorithm| {
            let launch = form.launch(outer * inner, n, params.clone()).set("LOG", u8::from(self.log));
            Variant { algorithm, ..Variant::single(site, launch) }
        };
        let form = self.form(shape);
        let serial = (form != Form::Serial).then(|| variant(&Form::Serial, Algorithm::Serial));
        Ok([variant(&form, Algorithm::Direct)].into_iter().chain(serial).collect())
    }

    /// A difference, an exponential, an addition and a division.
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        4 * inputs[0].numel() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tree::tests::{constant, variants};

    #[test]
    fn text_launch_and_bound_have_one_tree() {
        assert_eq!(constant(&ROWS, "LANES"), ROWS_TREE.lanes);
        assert_eq!(constant(&ROWS, "WORKGROUP"), FLAT_WORKGROUP);
        assert_eq!(constant(&LONG, "WORKGROUP"), TREE.lanes);
        let cases = [
            ([40, 1024], Form::Rows(ROWS_TREE), Form::Rows(Tree { lanes: 16, ..ROWS_TREE })),
            ([3, 5000], Form::Team(TREE), Form::Team(Tree { lanes: 64, ..TREE })),
        ];
        for ([sets, n], form, other) in cases {
            let op = Softmax { axis: 1, log: false };
            assert_eq!(op.form(&[sets, n]), form);
            let launched = variants(&op, &[&[sets, n]]).remove(0).run.remove(0);
            let of = |launch: &Launch| (launch.workgroups, launch.iterations);
            assert_eq!(of(&launched), of(&form.launch(sets, n, params!())));
            assert_ne!(of(&launched), of(&other.launch(sets, n, params!())));

            let x = Tensor::of([sets, n], (0..sets * n).map(|k| (k % 7) as f32).collect::<Vec<_>>());
            let set: Vec<f64> = x.f32s()[..n].iter().map(|&v| v.into()).collect();
            let bound = op.bounds(&[x], &[]).unwrap().unwrap()[0][0];
            let by = |form: &Form| bound::softmax::bounds(&set, false, form.depth(n))[0] as f32;
            assert_eq!(bound, by(&form));
            assert_ne!(bound, by(&other));
        }
    }
}
