//! Index arithmetic of kernels on tensors near the limits, by intervals: no sum and no product of 32 bits wraps around.
//!
//! The range of a value follows from the params of a launch, its grid, the limits of its loops, and the operations. What is
//! loaded, and what a loop sums up, has no range here; nothing is asserted of what is made of it. Differences may be negative:
//! kernels compute with rows above the image, and do not use them.

use std::collections::{BTreeMap, BTreeSet};

use convgpu::custom::{Arg, Kernel, Launch, Op, Params, Site, Variant};
use convgpu::internals::attr::{
    Activation, BinaryKind, Cell, Coordinates, Direction, Extreme, GridSampleMode, GridSamplePadding, PadMode,
    PoolKind, ReduceKind, ResizeMode, Rounding, Trigonometric, Window,
};
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::gpu::kernel::Scalar;
use convgpu::internals::gpu::recording::Dispatch;
use convgpu::internals::graph::{Graph, ValueId};
use convgpu::internals::ops::adaptive_pool2d::AdaptivePool2d;
use convgpu::internals::ops::batch_norm::{BatchNorm, BatchNormTraining};
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::bytes::FromBytes;
use convgpu::internals::ops::cast::Cast;
use convgpu::internals::ops::concat::Concat;
use convgpu::internals::ops::conv_transpose2d::ConvTranspose2d;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::deform_columns::DeformColumns;
use convgpu::internals::ops::det::Det;
use convgpu::internals::ops::expand::Expand;
use convgpu::internals::ops::fold::Fold;
use convgpu::internals::ops::gather::Gather;
use convgpu::internals::ops::grid_sample::GridSample;
use convgpu::internals::ops::group_norm::GroupNorm;
use convgpu::internals::ops::kernels;
use convgpu::internals::ops::layer_norm::LayerNorm;
use convgpu::internals::ops::local_response_norm::LocalResponseNorm;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::internals::ops::max_unpool::MaxUnpool;
use convgpu::internals::ops::normalize::{LpNormalize, MeanVarianceNormalize};
use convgpu::internals::ops::pad::Pad;
use convgpu::internals::ops::permute::Permute;
use convgpu::internals::ops::pixel_shuffle::{Order, PixelShuffle};
use convgpu::internals::ops::pixels::{Channels, FromPixels, Norm, ToPixels};
use convgpu::internals::ops::pool2d::{Indices, MaxPool2d};
use convgpu::internals::ops::prelu::Prelu;
use convgpu::internals::ops::recurrent::Recurrent;
use convgpu::internals::ops::reduce::{ArgReduce, Reduce};
use convgpu::internals::ops::resize::Resize2d;
use convgpu::internals::ops::roi_align::RoiAlign;
use convgpu::internals::ops::roi_pool::RoiPool;
use convgpu::internals::ops::select::Where;
use convgpu::internals::ops::sine::Sine;
use convgpu::internals::ops::slice::Slice;
use convgpu::internals::ops::softmax::Softmax;
use convgpu::internals::ops::split::Split;
use convgpu::internals::ops::tile::Tile;
use convgpu::internals::ops::top_k::TopK;
use convgpu::internals::ops::trigonometry::Trigonometry;
use convgpu::internals::ops::unary::Unary;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::{DType, Desc, Precision, Result, Tensor};
use naga::{
    AddressSpace, BinaryOperator, Binding, BuiltIn, Expression, Literal, MathFunction, Module, ScalarKind, Span,
};

use crate::inlined::{Program, Root, Value};

/// The smallest and the largest value of an integer, and whether it has a sign.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    least: i128,
    most: i128,
    signed: bool,
}

impl Range {
    fn one(value: impl Into<i128>, signed: bool) -> Range {
        let value = value.into();
        Range { least: value, most: value, signed }
    }

    fn union(self, other: Range) -> Range {
        Range { least: self.least.min(other.least), most: self.most.max(other.most), ..self }
    }

    fn fits(self) -> bool {
        let most = if self.signed { i128::from(i32::MAX) } else { i128::from(u32::MAX) };
        self.most <= most && self.least >= if self.signed { i128::from(i32::MIN) } else { 0 }
    }

    /// The range of `f` of both, which is largest and smallest at their ends.
    fn by(self, other: Range, f: impl Fn(i128, i128) -> i128) -> Range {
        let ends =
            [(self.least, other.least), (self.least, other.most), (self.most, other.least), (self.most, other.most)]
                .map(|(a, b)| f(a, b));
        Range { least: *ends.iter().min().unwrap(), most: *ends.iter().max().unwrap(), ..self }
    }
}

/// The launch of a kernel, with the ranges of its values.
struct Launched<'a> {
    program: Program<'a>,
    /// By group.
    params: [Vec<Scalar>; 2],
    grid: [u32; 3],
    size: [u32; 3],
    /// Values with the components and members that were asked for; none while one is being found.
    known: BTreeMap<(Value, Vec<u32>), Option<Range>>,
    /// What wraps around.
    wrapped: BTreeSet<(usize, usize)>,
    spans: Vec<Span>,
}

impl<'a> Launched<'a> {
    fn of(module: &'a Module, d: &Dispatch) -> Launched<'a> {
        let values = |fields: &[(&str, Scalar)]| fields.iter().map(|(_, value)| *value).collect::<Vec<_>>();
        let epilogue = d.epilogue_params().map_or(vec![], |params| values(params.fields()));
        let params = [values(d.params().fields()), epilogue];
        let (grid, size) = (d.workgroups(), module.entry_points[0].workgroup_size);
        let (program, known, wrapped, spans) = (Program::of(module), BTreeMap::new(), BTreeSet::new(), vec![]);
        Launched { program, params, grid, size, known, wrapped, spans }
    }

    /// Finds the ranges of all values.
    fn check(mut self) -> Vec<Span> {
        for frame in 0..self.program.frames.len() {
            let all: Vec<_> =
                self.program.frames[frame].function.expressions.iter().map(|(handle, _)| handle).collect();
            for expression in all {
                self.range(Value { frame, expression }, &[]);
            }
        }
        self.spans
    }

    /// The range of a value, or of a part of it: the path names members and components, the outermost first.
    fn range(&mut self, value: Value, path: &[u32]) -> Option<Range> {
        let key = (value, path.to_vec());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        self.known.insert(key.clone(), None);
        let found = self.found(value, path);
        self.known.insert(key, found);
        found
    }

    fn found(&mut self, value: Value, path: &[u32]) -> Option<Range> {
        let at = |expression| Value { expression, ..value };
        match *self.program.expression(value) {
            Expression::Literal(Literal::U32(v)) => Some(Range::one(v, false)),
            Expression::Literal(Literal::I32(v)) => Some(Range::one(v, true)),
            Expression::Constant(constant) => {
                let module = self.program.module;
                match module.global_expressions[module.constants[constant].init] {
                    Expression::Literal(Literal::U32(v)) => Some(Range::one(v, false)),
                    Expression::Literal(Literal::I32(v)) => Some(Range::one(v, true)),
                    _ => None,
                }
            }
            Expression::Compose { ref components, .. } => {
                let (first, rest) = path.split_first()?;
                self.range(at(*components.get(*first as usize)?), rest)
            }
            Expression::AccessIndex { base, index } => self.range(at(base), &[&[index], path].concat()),
            Expression::Splat { value, .. } => self.range(at(value), path.split_first()?.1),
            Expression::Swizzle { vector, pattern, .. } => {
                let (first, rest) = path.split_first()?;
                self.range(at(vector), &[&[pattern[*first as usize] as u32], rest].concat())
            }
            Expression::FunctionArgument(k) => match self.program.frames[value.frame].arguments.get(k as usize) {
                Some(&argument) => self.range(argument, path),
                None => self.built_in(value, k as usize, path),
            },
            Expression::CallResult(_) => {
                let returned = self.program.returned(value);
                self.union(&returned, path)
            }
            Expression::Load { pointer } => self.counted(value).or_else(|| self.loaded(at(pointer), path)),
            Expression::Select { accept, reject, .. } => self.union(&[at(accept), at(reject)], path),
            Expression::As { expr, kind, convert: Some(_) } => {
                let range = self.range(at(expr), path)?;
                let range = Range { signed: kind == ScalarKind::Sint, ..range };
                (matches!(kind, ScalarKind::Sint | ScalarKind::Uint) && range.fits()).then_some(range)
            }
            Expression::Math { fun, arg, arg1, arg2, .. } => {
                let a = self.range(at(arg), path);
                let b = arg1.and_then(|b| self.range(at(b), path));
                let c = arg2.and_then(|c| self.range(at(c), path));
                match (fun, a, b, c) {
                    (MathFunction::Min, Some(a), Some(b), _) => Some(a.by(b, i128::min)),
                    // What is not known is not below 0 without a sign.
                    (MathFunction::Min, Some(a), None, _) | (MathFunction::Min, None, Some(a), _) if !a.signed => {
                        Some(Range { least: 0, ..a })
                    }
                    (MathFunction::Max, Some(a), Some(b), _) => Some(a.by(b, i128::max)),
                    (MathFunction::Clamp, _, Some(b), Some(c)) => Some(b.union(c)),
                    _ => None,
                }
            }
            Expression::Binary { op, left, right } => {
                let (a, b) = (self.range(at(left), path), self.range(at(right), path));
                let range = binary(op, a, b)?;
                if range.fits() {
                    return Some(range);
                }
                let span = self.program.frames[value.frame].function.expressions.get_span(value.expression);
                let place = span.to_range().map_or((0, 0), |range| (range.start, range.end));
                if op != BinaryOperator::Subtract && self.wrapped.insert(place) {
                    self.spans.push(span);
                }
                None
            }
            _ => None,
        }
    }

    fn union(&mut self, values: &[Value], path: &[u32]) -> Option<Range> {
        let ranges: Option<Vec<_>> = values.iter().map(|&value| self.range(value, path)).collect();
        ranges?.into_iter().reduce(Range::union)
    }

    /// The range of a variable that a loop counts.
    fn counted(&mut self, value: Value) -> Option<Range> {
        let (counter, inside) = self.program.counter(value)?;
        let (first, limit, step) = (counter.first.clone(), counter.limit, counter.step);
        let first = self.union(&first, &[])?;
        let (limit, step) = (self.range(limit, &[])?, self.range(step, &[])?);
        // Behind the loop it is the first number that is not below the limit.
        let most = if inside { limit.most - 1 } else { first.most.max(limit.most - 1 + step.most) };
        (step.least > 0 && most >= first.least).then_some(Range { most, ..first })
    }

    fn loaded(&mut self, pointer: Value, path: &[u32]) -> Option<Range> {
        match self.program.root(pointer) {
            Root::Shared(AddressSpace::Uniform) => {
                let Expression::AccessIndex { base, index } = *self.program.expression(pointer) else { return None };
                let Expression::GlobalVariable(variable) =
                    *self.program.expression(Value { expression: base, ..pointer })
                else {
                    return None;
                };
                let group = self.program.module.global_variables[variable].binding?.group;
                match self.params[group as usize].get(index as usize)? {
                    Scalar::U32(v) => Some(Range::one(*v, false)),
                    Scalar::I32(v) => Some(Range::one(*v, true)),
                    _ => None,
                }
            }
            Root::Own(frame, variable) => {
                let whole = matches!(self.program.expression(pointer), Expression::LocalVariable(_));
                let stored = self.program.stored(frame, variable).filter(|_| whole)?;
                self.union(&stored, path)
            }
            Root::Shared(_) => None,
        }
    }

    fn built_in(&self, value: Value, argument: usize, path: &[u32]) -> Option<Range> {
        let argument = &self.program.frames[value.frame].function.arguments[argument];
        let Some(Binding::BuiltIn(of)) = argument.binding else { return None };
        let below = |n: u32| Some(Range { least: 0, most: i128::from(n.max(1) - 1), signed: false });
        let axis = path.first().map(|axis| *axis as usize);
        match (of, axis) {
            (BuiltIn::WorkGroupId, Some(k)) => below(self.grid[k]),
            (BuiltIn::NumWorkGroups, Some(k)) => Some(Range::one(self.grid[k], false)),
            (BuiltIn::LocalInvocationId, Some(k)) => below(self.size[k]),
            (BuiltIn::GlobalInvocationId, Some(k)) => below(self.grid[k] * self.size[k]),
            (BuiltIn::LocalInvocationIndex, None) => below(self.size.iter().product()),
            (BuiltIn::SubgroupInvocationId, None) => below(128),
            _ => None,
        }
    }
}

fn binary(op: BinaryOperator, a: Option<Range>, b: Option<Range>) -> Option<Range> {
    use BinaryOperator::{Add, And, Divide, Modulo, Multiply, Subtract};
    match (op, a, b) {
        (Add, Some(a), Some(b)) => Some(a.by(b, |a, b| a + b)),
        (Subtract, Some(a), Some(b)) => Some(a.by(b, |a, b| a - b)),
        (Multiply, Some(a), Some(b)) => Some(a.by(b, |a, b| a * b)),
        (Divide, Some(a), Some(b)) if b.least > 0 => Some(a.by(b, |a, b| a / b)),
        (Modulo, Some(a), Some(b)) if a.least >= 0 && b.least > 0 => {
            Some(Range { least: 0, most: a.most.min(b.most - 1), ..a })
        }
        (Modulo, None, Some(b)) if b.least > 0 && !b.signed => Some(Range { least: 0, most: b.most - 1, ..b }),
        (And, _, Some(b)) | (And, Some(b), _) if b.least >= 0 => Some(Range { least: 0, ..b }),
        _ => None,
    }
}

/// The lines of a dispatch where an index may wrap around.
fn wraps(d: &Dispatch) -> Vec<String> {
    let text = d.shader().0;
    let module = d.module().unwrap();
    // The specialised module has no names, but the places of its text.
    let spans = Launched::of(&module, d).check();
    let line = |span: Span| {
        let (number, range) = (span.location(&text).line_number, span.to_range().unwrap_or_default());
        format!("{} line {number}: {} with {:?} on {:?}", d.kernel(), &text[range], d.params(), d.workgroups())
    };
    spans.into_iter().map(line).collect()
}

type Network = fn(&mut Graph, ValueId) -> ValueId;

fn conv(g: &mut Graph, x: ValueId, w: [usize; 4], groups: usize) -> ValueId {
    let w = g.input("w", Desc::f32(w)).unwrap();
    g.apply("conv", Conv2d { groups, ..Conv2d::default() }, &[x, w]).unwrap()
}

fn one(g: &mut Graph, op: impl Op + 'static, x: ValueId) -> ValueId {
    g.apply("one", op, &[x]).unwrap()
}

/// With other inputs of these shapes.
fn with(g: &mut Graph, op: impl Op + 'static, x: ValueId, shapes: &[&[usize]]) -> ValueId {
    let more = shapes.iter().enumerate().map(|(k, shape)| g.input(format!("i{k}"), Desc::f32(shape.to_vec())).unwrap());
    let inputs: Vec<_> = std::iter::once(x).chain(more.collect::<Vec<_>>()).collect();
    g.apply("with", op, &inputs).unwrap()
}

fn window(kernel: usize, stride: usize) -> Window {
    Window { kernel: [kernel; 2], stride: [stride; 2], padding: [[kernel / 2; 2]; 2], dilation: [1, 1] }
}

fn four_channels() -> Channels {
    let norm = Norm { scale: 1.0 / 255.0, mean: [0.0; 4], std: [1.0; 4] };
    Channels { count: 4, swapped: false, last: false, norm }
}

fn rnn(direction: Direction) -> Recurrent {
    Recurrent { cell: Cell::Rnn { f: Activation::Tanh }, direction, clip: None, batch_first: false }
}

fn resized(g: &mut Graph, x: ValueId, size: [usize; 2], mode: ResizeMode) -> ValueId {
    let coordinates = Coordinates::HalfPixel;
    one(g, Resize2d { size, mode, coordinates, scale: None, exclude_outside: false, antialias: false }, x)
}

fn sampled(g: &mut Graph, x: ValueId, grid: &[usize], mode: GridSampleMode) -> ValueId {
    with(g, GridSample { mode, padding_mode: GridSamplePadding::Reflection, align_corners: true }, x, &[grid])
}

/// This number of regions, each of 90 by 90 bins.
fn of_regions<O: Op + 'static>(g: &mut Graph, x: ValueId, count: usize, op: impl Fn([usize; 2]) -> O) -> ValueId {
    let boxes = g.input("boxes", Desc::f32([count, 4])).unwrap();
    let images = g.input("images", Desc::new([count], DType::I64)).unwrap();
    g.apply("regions", op([90, 90]), &[x, boxes, images]).unwrap()
}

/// Shapes and operators whose tensors have nearly 2^29 elements: with four bytes each they fill the largest binding that wgpu
/// allows, of 2^31 - 1 bytes.
fn networks() -> Vec<(Vec<usize>, Network)> {
    let image = || vec![1, 8, 8100, 8200];
    let rows = || vec![500_000, 1030];
    vec![
        (image(), |g, x| conv(g, x, [8, 8, 3, 3], 1)),
        (vec![1, 500, 1000, 1060], |g, x| conv(g, x, [8, 500, 1, 1], 1)),
        (vec![7, 64, 1080, 1090], |g, x| conv(g, x, [64, 64, 3, 3], 1)),
        // Transformed by Winograd it has four times as many elements.
        (vec![1, 64, 1400, 1450], |g, x| {
            let w = g.constant("w", Tensor::zeros([64, 64, 3, 3])).unwrap();
            g.apply("c", Conv2d::default(), &[x, w]).unwrap()
        }),
        (vec![1, 20_000, 1, 1], |g, x| conv(g, x, [26_000, 20_000, 1, 1], 1)),
        (vec![3, 64, 1640, 1690], |g, x| conv(g, x, [64, 1, 3, 3], 64)),
        (vec![500_000, 1000, 1, 1], |g, x| conv(g, x, [900, 1000, 1, 1], 1)),
        (vec![1, 64, 1640, 1690], |g, x| {
            let op = ConvTranspose2d { stride: [2, 2], ..ConvTranspose2d::default() };
            with(g, op, x, &[&[64, 40, 2, 2]])
        }),
        (vec![1, 8, 4000, 4000], |g, x| {
            let op = ConvTranspose2d { stride: [2, 2], groups: 8, ..ConvTranspose2d::default() };
            with(g, op, x, &[&[8, 1, 3, 3]])
        }),
        (vec![3, 13_000, 13_000], |g, x| g.apply("m", MatMul, &[x, x]).unwrap()),
        (vec![3, 13_000, 13_000], |g, x| {
            let whole = g.cast(x, DType::I32).unwrap();
            g.apply("m", MatMul, &[whole, whole]).unwrap()
        }),
        (vec![500_000, 1000], |g, x| with(g, MatMul, x, &[&[1000, 1]])),
        (vec![1, 20_000], |g, x| with(g, MatMul, x, &[&[20_000, 26_000]])),
        (vec![8, 8, 2800, 2900], |g, x| one(g, LayerNorm { axes: 3, eps: 1e-5, stats: false }, x)),
        (rows(), |g, x| with(g, LayerNorm { axes: 1, eps: 1e-5, stats: false }, x, &[&[1030], &[1030]])),
        (vec![32, 8, 1400, 1450], |g, x| with(g, GroupNorm { groups: 2, eps: 1e-5 }, x, &[&[8], &[8]])),
        (image(), |g, x| with(g, BatchNorm { eps: 1e-5 }, x, &[&[8], &[8], &[8], &[8]])),
        (image(), |g, x| {
            with(g, BatchNormTraining { eps: 1e-5, momentum: 0.1, unbiased: true }, x, &[&[8], &[8], &[8], &[8]])
        }),
        (image(), |g, x| one(g, LocalResponseNorm { size: 3, before: 1, alpha: 1e-4, beta: 0.75, k: 1.0 }, x)),
        (rows(), |g, x| one(g, LpNormalize { axis: 0, p: 2 }, x)),
        (image(), |g, x| one(g, MeanVarianceNormalize { axes: vec![0, 2, 3], eps: 1e-9 }, x)),
        (rows(), |g, x| one(g, Softmax { axis: 1, log: false }, x)),
        (rows(), |g, x| one(g, Softmax { axis: 0, log: false }, x)),
        (vec![4_000_000, 128], |g, x| one(g, Softmax { axis: 1, log: false }, x)),
        (vec![64, 8_300_000], |g, x| one(g, Softmax { axis: 1, log: true }, x)),
        (rows(), |g, x| one(g, Reduce { axes: vec![1], keep_dims: false, kind: ReduceKind::Sum }, x)),
        (rows(), |g, x| one(g, Reduce { axes: vec![0], keep_dims: false, kind: ReduceKind::Max }, x)),
        (rows(), |g, x| one(g, ArgReduce { axis: 1, keep_dims: false, select_last: false, kind: Extreme::Max }, x)),
        (rows(), |g, x| one(g, ArgReduce { axis: 0, keep_dims: false, select_last: false, kind: Extreme::Max }, x)),
        (rows(), |g, x| one(g, TopK { axis: 1, k: 3, smallest: false }, x)),
        // Two steps of a long row of gates, of many sequences, and with a large weight.
        (vec![2, 8_000_000, 32], |g, x| with(g, rnn(Direction::Both), x, &[&[2, 16, 16], &[2, 8_000_000, 16]])),
        (vec![2, 3, 23_000], |g, x| with(g, rnn(Direction::Forward), x, &[&[1, 23_000, 23_000], &[1, 3, 23_000]])),
        (rows(), |g, x| one(g, Permute { order: vec![1, 0] }, x)),
        (vec![30, 60, 500, 590], |g, x| one(g, Permute { order: vec![3, 1, 2, 0] }, x)),
        (image(), |g, x| one(g, AdaptivePool2d { output: [7, 7], kind: PoolKind::Avg }, x)),
        (image(), |g, x| one(g, MaxPool2d { window: window(3, 1), ceil_mode: false, indices: Indices::None }, x)),
        (vec![1, 8, 8000, 8000], |g, x| {
            one(g, MaxPool2d { window: window(2, 2), ceil_mode: false, indices: Indices::Plane }, x)
        }),
        (vec![1, 16, 5600, 5900], |g, x| one(g, PixelShuffle { factor: 2, order: Order::DepthFirst }, x)),
        (vec![1, 8, 8100, 8000], |g, x| {
            let pads = vec![[0, 0], [0, 0], [9, 9], [9, 9]];
            one(g, Pad { pads, mode: PadMode::Reflect }, x)
        }),
        (vec![1, 8, 4000, 4100], |g, x| resized(g, x, [8000, 8200], ResizeMode::Nearest(Rounding::Floor))),
        (vec![1, 8, 4000, 4100], |g, x| resized(g, x, [8001, 8201], ResizeMode::Linear)),
        (vec![1, 8, 4000, 4100], |g, x| resized(g, x, [8001, 8201], ResizeMode::Cubic(-0.75))),
        (vec![1, 8, 4000, 4100], |g, x| {
            let (size, mode) = ([8000, 8200], ResizeMode::Nearest(Rounding::Floor));
            let coordinates = Coordinates::Asymmetric;
            one(g, Resize2d { size, mode, coordinates, scale: None, exclude_outside: false, antialias: false }, x)
        }),
        (image(), |g, x| sampled(g, x, &[1, 8100, 8200, 2], GridSampleMode::Bilinear)),
        (image(), |g, x| sampled(g, x, &[1, 8000, 8300, 2], GridSampleMode::Bicubic)),
        (vec![7, 4, 50, 600, 620], |g, x| sampled(g, x, &[7, 40, 600, 620, 3], GridSampleMode::Nearest)),
        (vec![2, 4, 4050, 4100], |g, x| {
            let indices = g.input("indices", Desc::new([2, 4, 4050, 4100], DType::I64)).unwrap();
            g.apply("unpool", MaxUnpool { shape: vec![2, 4, 8100, 8200], planes: 1 }, &[x, indices]).unwrap()
        }),
        (vec![524_000, 32, 32], |g, x| one(g, Det, x)),
        (vec![1, 8, 2500, 2920], |g, x| {
            let op = DeformColumns { window: window(3, 1), groups: 1 };
            with(g, op, x, &[&[1, 18, 2500, 2920], &[1, 9, 2500, 2920]])
        }),
        (vec![1, 72, 7_300_000], |g, x| {
            one(
                g,
                Fold { window: Window { padding: [[1, 1]; 2], stride: [1, 1], ..window(3, 1) }, size: [2500, 2920] },
                x,
            )
        }),
        (image(), |g, x| {
            of_regions(g, x, 8280, |output| {
                let (spatial_scale, kind) = (1.0, PoolKind::Avg);
                RoiAlign { output, spatial_scale, sampling_ratio: 2, aligned: true, kind }
            })
        }),
        (image(), |g, x| of_regions(g, x, 8280, |output| RoiPool { output, spatial_scale: 1.0 })),
        (vec![1, 4, 11_000, 11_000], |g, x| one(g, ToPixels { pitch: 11_003, channels: four_channels() }, x)),
        (vec![11_000, 11_000, 4], |g, x| {
            one(g, FromPixels { width: 11_000, size: None, channels: four_channels() }, x)
        }),
        (vec![1], |g, _| {
            let words = g.input("words", Desc::new([134_125_000], DType::U32)).unwrap();
            one(g, FromBytes { desc: Desc::new([500_000, 1073], DType::U8) }, words)
        }),
        (rows(), |g, x| one(g, Unary(Activation::Relu), x)),
        (rows(), |g, x| one(g, Sine { cosine: false }, x)),
        (rows(), |g, x| one(g, Trigonometry(Trigonometric::Tan), x)),
        (rows(), |g, x| with(g, Binary(BinaryKind::Add), x, &[&[500_000, 1030]])),
        (rows(), |g, x| with(g, Binary(BinaryKind::Add), x, &[&[500_000, 1]])),
        (image(), |g, x| with(g, Prelu, x, &[&[8, 1, 1]])),
        (rows(), |g, x| one(g, Cast { to: DType::I32 }, x)),
        (rows(), |g, x| one(g, Slice { starts: vec![3, 5], steps: vec![1, 2], sizes: vec![490_000, 500] }, x)),
        (rows(), |g, x| one(g, Split { axis: 1, sizes: vec![1000, 30] }, x)),
        (vec![500_000, 500], |g, x| g.apply("c", Concat { axis: 1 }, &[x, x]).unwrap()),
        (vec![500_000, 1], |g, x| one(g, Expand { shape: vec![500_000, 1030] }, x)),
        (vec![500_000, 103], |g, x| one(g, Tile { repeats: vec![1, 10] }, x)),
        (rows(), |g, x| {
            let rows = g.input("rows", Desc { dtype: DType::I32, shape: vec![400_000] }).unwrap();
            g.apply("g", Gather { axis: 0 }, &[x, rows]).unwrap()
        }),
        (rows(), |g, x| {
            let mask = g.input("mask", Desc { dtype: DType::Bool, shape: vec![500_000, 1] }).unwrap();
            g.apply("w", Where, &[mask, x, x]).unwrap()
        }),
    ]
}

/// Devices with bindings as large as wgpu allows any.
fn classes() -> Vec<Caps> {
    let large = |subgroup_size, software, f16| {
        let mut caps = Caps::webgpu_default();
        (caps.max_binding_bytes, caps.max_buffer_bytes) = ((1 << 31) - 1, 1 << 40);
        (caps.subgroup_size, caps.software, caps.f16) = (subgroup_size, software, f16);
        caps
    };
    vec![large(None, false, true), large(Some(8), true, false)]
}

/// Kernels of which no launch is large, with the reason.
const SMALL: [(&str, &str); 6] = [
    ("matmul_split_sum", "sums are split where there are few outputs"),
    ("narrow", "one index, of a block of four: below 2^27"),
    ("widen", "the same"),
    ("split_k_sum", "sums are split where there are few outputs"),
    ("roofline_fma", "no operator: it measures the device, with sizes of its own"),
    ("roofline_copy", "the same"),
];

#[test]
fn no_index_wraps_around() {
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    for (shape, network) in networks() {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32(shape)).unwrap();
        let y = network(&mut graph, x);
        graph.output("y", y);
        for caps in classes() {
            let precisions = if caps.f16 { vec![Precision::F32, Precision::F16] } else { vec![Precision::F32] };
            for (alternative, precision) in (0..16).flat_map(|k| precisions.iter().map(move |p| (Some(k), *p))) {
                let options = PlanOptions { alternative, precision, ..PlanOptions::default() };
                let plan = Plan::new(&graph, &caps, &options).unwrap_or_else(|e| panic!("{e}"));
                for d in plan.recording.preparations().chain(plan.recording.dispatches()) {
                    if seen.insert(format!("{} {:?} {:?} {:?}", d.kernel(), d.params(), d.consts(), d.shader().1)) {
                        found.extend(wraps(d));
                    }
                }
            }
        }
    }
    let names: BTreeSet<_> = seen.iter().filter_map(|launch| launch.split(' ').next()).collect();
    let unseen: Vec<_> = kernels().iter().map(|kernel| kernel.name()).filter(|name| !names.contains(name)).collect();
    assert_eq!(unseen, SMALL.map(|(kernel, _)| kernel), "kernels that no network here launches");
    assert!(found.is_empty(), "{}", found.into_iter().collect::<Vec<_>>().join("\n"));
}

/// A kernel that writes rows which lie `pitch` apart.
macro_rules! rows {
    ($name:literal, $main:literal) => {
        Kernel::new(
            $name,
            concat!(
                "struct Params { rows: u32, pitch: u32 }
                @group(0) @binding(0) var<uniform> p: Params;
                @group(0) @binding(1) var<storage, read_write> y: array<f32>;
                fn at(row: u32) -> u32 { return row * p.pitch; }
                @compute @workgroup_size(64) ",
                $main
            ),
        )
    };
}

/// Its index wraps around in its last workgroups.
static WRAPPING: Kernel = rows!(
    "wrapping",
    "fn main(@builtin(global_invocation_id) id: vec3<u32>) { if id.x < p.rows { y[at(id.x) + 1u] = 0.0; } }"
);

/// Its index wraps around in the last turns of a loop.
static COUNTING: Kernel =
    rows!("counting", "fn main() { for (var row = 9u; row < p.rows; row += 10u) { y[at(row) + 1u] = 0.0; } }");

/// It launches a kernel for 64 000 rows of this many elements.
#[derive(Debug)]
struct Rows(&'static Kernel, usize);

impl Op for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        Ok(inputs.to_vec())
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(inputs.to_vec())
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let params = Params::new().with("rows", 64usize * 1000).with("pitch", self.1);
        Ok(vec![Variant::row_major(site, vec![Launch::grid(self.0, [1000, 1, 1], params).writes([Arg::Output(0)])])])
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

#[test]
fn the_check_sees_an_index_that_wraps_around() {
    for (kernel, place) in
        [(&WRAPPING, "wrapping line 4: row * p.pitch"), (&COUNTING, "counting line 4: row * p.pitch")]
    {
        let found = |pitch| {
            let mut graph = Graph::new();
            let x = graph.input("x", Desc::f32([64])).unwrap();
            let y = graph.apply("y", Rows(kernel, pitch), &[x]).unwrap();
            graph.output("y", y);
            let plan = Plan::new(&graph, &classes()[0], &PlanOptions::default()).unwrap();
            plan.recording.dispatches().flat_map(wraps).collect::<Vec<_>>()
        };
        // 63 999 rows before the last.
        assert_eq!(found(67_109), [] as [&str; 0]);
        let wrong = found(67_110);
        assert!(matches!(&wrong[..], [one] if one.starts_with(place)), "{wrong:?}");
    }
}
