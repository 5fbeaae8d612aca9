//! `reduce`: sums, means, extremes, norms over any axes; `arg_reduce`: the index of an extreme.

use super::tree::Tree;
use super::{Algorithm, Bounds, Op, Seal, Site, Variant, built_in, expect_inputs};
use crate::attr::{Coded, Extreme, ReduceKind};
use crate::bound;
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, folded, nested, params};
use crate::gpu::pieces::{ARG_SET, FLAT, REDUCE, TEAM};
use crate::parallel;
use crate::reference::reduce::{arg_reduce, reduce_integers};
use crate::shape::{DType, Desc, strides};
use crate::tensor::{Data, Tensor};

static SERIAL: Kernel = kernel!("reduce", REDUCE, FLAT);
static LONG_SUMS: Kernel = kernel!("reduce_tree", REDUCE, TEAM);
static ARG_SERIAL: Kernel = kernel!("arg_reduce", ARG_SET, FLAT);
static LONG_ARGS: Kernel = kernel!("arg_reduce_tree", ARG_SET, TEAM);

pub(super) const KERNELS: &[&Kernel] = &[&SERIAL, &LONG_SUMS, &ARG_SERIAL, &LONG_ARGS];

/// Reductions of at least this length get one workgroup per output.
const LONG: usize = 256;

/// How the workgroup reduces them; also in the text of both kernels.
const TREE: Tree = Tree { lanes: 256, width: 1 };

/// The most joins that one of n values goes through, in sums and in products.
fn depth(tree: &Tree, n: usize) -> usize {
    if n < LONG { n } else { tree.depth(n) }
}

/// The iterations of a lane's loop over a long reduction: four rounds per iteration.
fn iterations(tree: &Tree, n: usize) -> u64 {
    nested(&[tree.rounds(n).div_ceil(4)])
}

/// A reduction over axes, as `torch.sum`, `mean`, `amax`, `amin`, `prod`, `logsumexp` and ONNX's `Reduce*`.
///
/// Input: x of any rank. Output: one value for each index of the axes kept. Without values the sum is 0, the product 1,
/// the maximum -inf (the least of an integer type, as in ONNX), the minimum inf (the largest), the mean NaN and a
/// logarithm -inf; the mean of no integers is an error, and so are extremes of no i64, which has 32 bits on a device. Integers
/// support sums and products, which keep the low bits of their type, means (exact, then truncated) and extremes; booleans
/// extremes.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// The axes that are reduced, in any order. If there are none, every value is a set of its own.
    pub axes: Vec<usize>,
    /// Whether the axes are kept with extent 1.
    pub keep_dims: bool,
    /// The kind of reduction.
    pub kind: ReduceKind,
}

/// The axes of a tensor, with adjacent kept or reduced axes merged: extents and strides.
#[derive(Default)]
struct Collapsed {
    kept: Vec<(usize, usize)>,
    reduced: Vec<(usize, usize)>,
}

fn extent(dims: &[(usize, usize)]) -> usize {
    dims.iter().map(|d| d.0).product()
}

/// Every offset that the dimensions reach, in row-major order.
fn offsets(dims: &[(usize, usize)]) -> Vec<usize> {
    if extent(dims) == 0 {
        return vec![];
    }
    dims.iter().fold(vec![0], |all, &(extent, stride)| {
        all.iter().flat_map(|&at| (0..extent).map(move |k| at + k * stride)).collect()
    })
}

/// At most three dimensions as the kernels take them: extents and strides, filled with 1 and 0 in front.
fn three(dims: &[(usize, usize)]) -> Option<([usize; 3], [usize; 3])> {
    let lead = 3usize.checked_sub(dims.len())?;
    let at = |i: usize| if i < lead { (1, 0) } else { dims[i - lead] };
    Some(([0, 1, 2].map(|i| at(i).0), [0, 1, 2].map(|i| at(i).1)))
}

impl Reduce {
    fn collapse(&self, shape: &[usize]) -> Collapsed {
        let mut out = Collapsed::default();
        let mut before = None;
        for (axis, (&extent, stride)) in shape.iter().zip(strides(shape)).enumerate() {
            if extent == 1 {
                continue;
            }
            let reduced = self.axes.contains(&axis);
            let dims = if reduced { &mut out.reduced } else { &mut out.kept };
            match dims.last_mut() {
                Some(last) if before == Some(reduced) => *last = (last.0 * extent, stride),
                _ => dims.push((extent, stride)),
            }
            before = Some(reduced);
        }
        out
    }

    fn shape(&self, x: &[usize]) -> Vec<usize> {
        let gone = |axis| self.axes.contains(&axis);
        let kept = |(axis, &extent): (usize, &usize)| match (gone(axis), self.keep_dims) {
            (true, false) => None,
            (true, true) => Some(1),
            (false, _) => Some(extent),
        };
        x.iter().enumerate().filter_map(kept).collect()
    }

    /// The bounds where a value of a set of n goes through `depth(n)` joins.
    fn bounds_at(&self, x: &Tensor, y: &Tensor, depth: impl Fn(usize) -> usize) -> Bounds {
        if !x.dtype().is_float() {
            return Some(vec![vec![0.0; y.numel()]]);
        }
        let depth = depth(extent(&self.collapse(x.shape()).reduced));
        Some(vec![self.sets(x.shape(), &x.to_f64s(), |set| self.kind.bound(set, depth) as f32)])
    }

    /// What an integer type has for no values; `None` if that is undefined.
    fn of_none(&self, dtype: DType) -> Option<i64> {
        let (least, largest) = match dtype {
            DType::Bool => (0, 1),
            DType::I8 => (i8::MIN.into(), i8::MAX.into()),
            DType::U8 => (0, u8::MAX.into()),
            DType::I16 => (i16::MIN.into(), i16::MAX.into()),
            DType::U16 => (0, u16::MAX.into()),
            DType::I32 => (i32::MIN.into(), i32::MAX.into()),
            DType::U32 => (0, u32::MAX.into()),
            _ => return reduce_integers(self.kind, &[]),
        };
        match self.kind {
            ReduceKind::Max => Some(least),
            ReduceKind::Min => Some(largest),
            _ => reduce_integers(self.kind, &[]),
        }
    }

    /// Applies `f` to the values of every output.
    fn sets<T: Copy + Sync, R: Clone + Default + Send>(
        &self,
        shape: &[usize],
        x: &[T],
        f: impl Fn(&[T]) -> R + Sync,
    ) -> Vec<R> {
        let Collapsed { kept, reduced } = self.collapse(shape);
        let (from, inside) = (offsets(&kept), offsets(&reduced));
        parallel::collect(from.len(), |i| f(&inside.iter().map(|at| x[from[i] + at]).collect::<Vec<_>>()))
    }
}

impl Op for Reduce {
    built_in!(axes, keep_dims, kind);
    fn name(&self) -> &'static str {
        match self.kind {
            ReduceKind::Sum => "reduce_sum",
            ReduceKind::Mean => "reduce_mean",
            ReduceKind::Max => "reduce_max",
            ReduceKind::Min => "reduce_min",
            ReduceKind::Prod => "reduce_prod",
            ReduceKind::L1 => "reduce_l1",
            ReduceKind::L2 => "reduce_l2",
            ReduceKind::LogSum => "reduce_log_sum",
            ReduceKind::LogSumExp => "reduce_log_sum_exp",
            ReduceKind::SumSquare => "reduce_sum_square",
        }
    }

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if let Some(axis) = self.axes.iter().find(|&&axis| axis >= x.rank()) {
            return Err(Error::argument(format!("axis {axis} is outside {x}")));
        }
        if (1..self.axes.len()).any(|k| self.axes[..k].contains(&self.axes[k])) {
            return Err(Error::argument(format!("the axes {:?} contain one twice", self.axes)));
        }
        let floats_only = matches!(self.kind, ReduceKind::L2 | ReduceKind::LogSum | ReduceKind::LogSumExp);
        let extreme = matches!(self.kind, ReduceKind::Max | ReduceKind::Min);
        if matches!(x.dtype, DType::F16 | DType::BF16)
            || (x.dtype == DType::Bool && !extreme)
            || (!x.dtype.is_float() && floats_only)
        {
            return Err(Error::unsupported(format!("{} of {x}", self.name())));
        }
        let empty = self.axes.iter().any(|&axis| x.shape[axis] == 0) && !self.shape(&x.shape).contains(&0);
        let undefined = self.kind == ReduceKind::Mean && !x.dtype.is_float() || extreme && x.dtype == DType::I64;
        if empty && undefined {
            return Err(Error::shape(format!("{} of {x}: undefined without values", self.name())));
        }
        Ok(vec![Desc::new(self.shape(&x.shape), x.dtype)])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let x = &inputs[0];
        let shape = self.shape(x.shape());
        if x.dtype().is_float() {
            let y = self.sets(x.shape(), &x.to_f64s(), |set| self.kind.reduce(set));
            return Ok(vec![Tensor::of(shape, Data::F64(y.into())).to_dtype(x.dtype())]);
        }
        let none = self.of_none(x.dtype());
        let one = |set: &[i64]| if set.is_empty() { none } else { reduce_integers(self.kind, set) };
        let y = self.sets(x.shape(), &x.to_i64s()?, one);
        let y: Vec<i64> = y.into_iter().collect::<Option<_>>().ok_or_else(|| {
            Error::unsupported(format!("{} of {}: a result has no value in its type", self.name(), x.desc()))
        })?;
        Ok(vec![Tensor::of(shape, y).to_dtype(x.dtype())])
    }

    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(self.bounds_at(&inputs[0], &outputs[0], |n| depth(&TREE, n)))
    }

    fn bounds_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        match algorithm {
            Algorithm::Serial => Ok(self.bounds_at(&inputs[0], &outputs[0], |n| n)),
            _ => self.bounds(inputs, outputs),
        }
    }

    fn roundings_of(&self, _: Seal, algorithm: Algorithm, inputs: &[Tensor]) -> usize {
        let n = extent(&self.collapse(inputs[0].shape()).reduced);
        match (self.kind, algorithm) {
            (ReduceKind::Sum | ReduceKind::L1, Algorithm::Serial) => n,
            (ReduceKind::Sum | ReduceKind::L1, _) => depth(&TREE, n),
            _ => 1,
        }
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let x = &site.inputs[0];
        let Collapsed { kept, reduced } = self.collapse(&x.shape);
        let (Some((k, ks)), Some((r, rs))) = (three(&kept), three(&reduced)) else {
            return Err(Error::unsupported(format!(
                "{} over axes {:?} of {x}: too many groups of axes",
                self.name(),
                self.axes
            )));
        };
        let (outputs, count) = (extent(&kept), extent(&reduced));
        // By its bits, as the kernel has all values. Which NaN 0 / 0 is depends on who compiled it.
        let of_none = self.kind.reduce(&[]) as f32;
        let empty = match x.dtype.is_float() {
            true => if of_none.is_nan() { f32::NAN } else { of_none }.to_bits(),
            false => self.of_none(x.dtype).unwrap_or(0) as u32,
        };
        let params = params!(
            outputs, count,
            k1: k[1], k2: k[2], ks0: ks[0], ks1: ks[1], ks2: ks[2],
            r1: r[1], r2: r[2], rs0: rs[0], rs1: rs[1], rs2: rs[2],
            lowest: f32::NEG_INFINITY, highest: f32::INFINITY, empty
        );
        let folds = if self.kind == ReduceKind::LogSumExp { 2 } else { 1 };
        // Only the serial kernel has the exact mean of integers whose sum may not fit.
        let exact = self.kind == ReduceKind::Mean && matches!(x.dtype, DType::I32 | DType::U32 | DType::I64);
        let serial = Launch::flat(&SERIAL, outputs, params.clone());
        let launches = match count < LONG || exact {
            true if exact => vec![(serial.iterations(count as u64), Algorithm::Direct)],
            true => vec![(serial, Algorithm::Direct)],
            false => vec![
                (
                    Launch::grid(&LONG_SUMS, folded(outputs), params).iterations(folds * iterations(&TREE, count)),
                    Algorithm::Direct,
                ),
                (serial.iterations(folds * nested(&[count])), Algorithm::Serial),
            ],
        };
        let variant = |(launch, algorithm): (Launch, Algorithm)| {
            let launch = launch.set("KIND", self.kind.code()).set("TYPE", x.dtype.code());
            Variant { algorithm, ..Variant::single(site, launch) }
        };
        Ok(launches.into_iter().map(variant).collect())
    }

    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        inputs[0].numel() as u64
    }
}

/// The index of the largest or smallest value along an axis, as `torch.argmax`, `argmin` and ONNX's `ArgMax`, `ArgMin`.
///
/// Input: x of any rank, floats, integers or booleans. Output: i64 indices. NaN counts as more extreme than any number.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgReduce {
    /// The axis that is reduced.
    pub axis: usize,
    /// Whether the axis is kept with extent 1.
    pub keep_dims: bool,
    /// Whether the last of equal values is selected, not the first.
    pub select_last: bool,
    /// Which value.
    pub kind: Extreme,
}

impl ArgReduce {
    fn as_reduce(&self) -> Reduce {
        Reduce { axes: vec![self.axis], keep_dims: self.keep_dims, kind: ReduceKind::Max }
    }
}

impl Op for ArgReduce {
    built_in!(axis, keep_dims, select_last, kind);
    fn name(&self) -> &'static str {
        match self.kind {
            Extreme::Max => "arg_max",
            Extreme::Min => "arg_min",
        }
    }

    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_inputs(self, inputs, 1..=1)?;
        let x = &inputs[0];
        if matches!(x.dtype, DType::F16 | DType::BF16) {
            return Err(Error::unsupported(format!("{} of {x}", self.name())));
        }
        if self.axis >= x.rank() {
            return Err(Error::argument(format!("axis {} is outside {x}", self.axis)));
        }
        let shape = self.as_reduce().shape(&x.shape);
        if x.shape[self.axis] == 0 && !shape.contains(&0) {
            return Err(Error::shape(format!("{} of {x}: there are no values", self.name())));
        }
        Ok(vec![Desc::new(shape, DType::I64)])
    }

    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (x, reduce) = (&inputs[0], self.as_reduce());
        let smallest = self.kind == Extreme::Min;
        let indices = if x.dtype().is_float() {
            reduce.sets(x.shape(), &x.to_f64s(), |set| arg_reduce(set, smallest, self.select_last) as i64)
        } else {
            reduce.sets(x.shape(), &x.to_i64s()?, |set| arg_reduce(set, smallest, self.select_last) as i64)
        };
        Ok(vec![Tensor::of(reduce.shape(x.shape()), indices)])
    }

    /// Indices are exact, but for those of subnormal values.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let (x, smallest) = (&inputs[0], self.kind == Extreme::Min);
        let extreme = |set: &[f64]| set[arg_reduce(set, smallest, self.select_last)];
        let extremes = self.as_reduce().sets(x.shape(), &x.to_f64s(), extreme);
        Ok(Some(vec![bound::indices(extremes, x)]))
    }

    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let shape = &site.inputs[0].shape;
        let (outer, n): (usize, _) = (shape[..self.axis].iter().product(), shape[self.axis]);
        let inner: usize = shape[self.axis + 1..].iter().product();
        let params = params!(outer, n, inner);
        let serial = Launch::flat(&ARG_SERIAL, outer * inner, params.clone());
        let launches = match n < LONG {
            true => vec![serial],
            false => vec![
                Launch::grid(&LONG_ARGS, folded(outer * inner), params).iterations(iterations(&TREE, n)),
                serial.iterations(nested(&[n])),
            ],
        };
        let variant = |launch: Launch| {
            let launch = launch
                .set("SMALLEST", u8::from(self.kind == Extreme::Min))
                .set("LAST", u8::from(self.select_last))
                .set("NAN_LAST", 0u8)
                .set("TYPE", site.inputs[0].dtype.code());
            Variant::single(site, launch)
        };
        Ok(launches.into_iter().map(variant).collect())
    }

    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        inputs[0].numel() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tree::tests::{constant, variants};

    #[test]
    fn text_launch_and_bound_have_one_tree() {
        for kernel in [&LONG_SUMS, &LONG_ARGS] {
            assert_eq!(constant(kernel, "WORKGROUP"), TREE.lanes, "{}", kernel.name());
        }
        let (n, other) = (5000, Tree { lanes: 64, ..TREE });
        let op = Reduce { axes: vec![0], keep_dims: false, kind: ReduceKind::Sum };
        let launch = variants(&op, &[&[n]]).remove(0).run.remove(0);
        assert_eq!(launch.iterations, iterations(&TREE, n));
        assert_ne!(launch.iterations, iterations(&other, n));

        let x: Vec<f32> = (0..n).map(|k| (k % 7) as f32 - 3.0).collect();
        let set: Vec<f64> = x.iter().map(|&v| v.into()).collect();
        let x = [Tensor::of([n], x)];
        let bound = op.bounds(&x, &op.reference(&x).unwrap()).unwrap().unwrap()[0][0];
        let by = |tree: &Tree| op.kind.bound(&set, depth(tree, n)) as f32;
        assert_eq!(bound, by(&TREE));
        assert!(by(&other) > bound);
    }
}
