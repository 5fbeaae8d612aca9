//! Winograd's algorithm F(4x4, 3x3) for 3x3 convolutions of stride 1: a quarter of the multiplications.

use super::Case;
use super::subgroup::BATCH_SUBGROUP8;
use crate::bound::winograd::{ROUNDINGS, depth};
use crate::bound::{flushed_products, gamma};
use crate::gpu::caps::Caps;
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, nested, params};
use crate::gpu::pieces::{BLOCKS, EPILOGUE4, FLAT, GEMM, ONE_TAP, REGISTERS, WINOGRAD};
use crate::ops::geometry::Geometry;
use crate::ops::rows8::Rows8;
use crate::ops::tiled::{self, MOVE, Product};
use crate::ops::{Algorithm, Epilogue, Variant};
use crate::reference::winograd::{TILE, Transform, winograd};
use crate::shape::Precision;
use crate::tensor::Tensor;

pub(super) static WEIGHT: Kernel = kernel!("conv2d_winograd_weight", WINOGRAD, FLAT);
pub(super) static INPUT: Kernel = kernel!("conv2d_winograd_input", WINOGRAD, FLAT);
pub(super) static OUTPUT: Kernel = kernel!("conv2d_winograd_output", EPILOGUE4, FLAT);
pub(super) static BATCH_REGISTERS: Kernel =
    kernel!("gemm", "problem/gemm", GEMM, BLOCKS, ONE_TAP, EPILOGUE4, REGISTERS);

/// Rows and columns of a transformed tile.
const SIZE: usize = TILE + 2;

/// The number of matrix products, one per element of a transformed tile.
const MATRICES: usize = SIZE * SIZE;

/// The cost of a transform beside what it moves, in multiply-adds of a compute unit: about 6 us, since it waits for the launch
/// before it and the next one for it (fitted as the constants of `ops::tiled`).
const TRANSFORM: f64 = 7e5;

impl Case<'_> {
    /// Needs a 3x3 window of stride 1, not dilated, one group, and tensors between the stages that the device can bind.
    pub(super) fn winograd(&self) -> Vec<Variant> {
        let Geometry { n, ic, ih, iw, oc, oh, ow, ref window, groups } = self.geometry;
        let is_plain = window.kernel == [3, 3] && [window.stride, window.dilation] == [[1, 1]; 2] && groups == 1;
        if !is_plain || n * ic * oc == 0 {
            return vec![];
        }
        let (ic4, oc4, th, tw) = (ic.div_ceil(4), oc.div_ceil(4), oh.div_ceil(TILE), ow.div_ceil(TILE));
        let tiles = n * th * tw;
        let fits = |a: usize, b: usize, bytes: usize| {
            let sizes = [MATRICES, a, b, bytes].map(|n| n as u64);
            sizes.into_iter().fold(1, u64::saturating_mul) <= self.site.caps.max_binding_bytes
        };
        if !(fits(ic4, oc4, 64) && fits(tiles, ic4, 16) && fits(tiles, oc4, 16)) {
            return vec![];
        }
        let [[py, _], [px, _]] = window.padding;
        let weight = Launch::flat(&WEIGHT, ic4 * oc4 * 4, params!(oc, ic, size: SIZE));
        let input = Launch::flat(&INPUT, tiles * ic4, params!(n, ih, iw, ic4, th, tw, py, px, size: SIZE))
            .reads([Arg::Input(0)])
            .writes([Arg::Scratch(0)]);
        let output = Launch::flat(&OUTPUT, tiles * oc4, params!(n, oh, ow, oc4, th, tw, size: SIZE));
        let output = self.finished(output.reads([Arg::Scratch(1)]));
        let variant = |product: Launch| {
            let product = product.reads([Arg::Scratch(0), Arg::Prepared(0)]).writes([Arg::Scratch(1)]);
            let product = Epilogue::NONE.attach(product, oc, &[], None);
            let run = vec![input.clone(), product, output.clone()];
            let scratch = vec![MATRICES * tiles * ic4 * 16, MATRICES * tiles * oc4 * 16];
            let packed = self.packed(run, weight.clone(), MATRICES * ic4 * oc4 * 64);
            Variant { scratch, algorithm: Algorithm::Winograd, ..packed }
        };
        products(self.site.caps, [MATRICES, tiles, ic, oc]).map(variant).into()
    }

    /// Whether this variant comes first. On software adapters: if the transforms are cheap compared with the products
    /// (measured on lavapipe and, without subgroups of 8, on SwiftShader), and the gain justifies compiling four
    /// kernels instead of two (on lavapipe the first call takes 100 ms more, later calls 0.5 ms less at this size;
    /// `tune` may choose it for smaller layers, too). On hardware: by the costs of `ops::tiled`. Its tensors are f32:
    /// with f16 they would have to be converted.
    pub(super) fn winograd_pays(&self) -> bool {
        let (g, site) = (&self.geometry, self.site);
        let products = [g.n, g.oh, g.ow, g.ic, g.oc].into_iter().fold(1, usize::saturating_mul);
        let smallest = match site.caps.subgroup_size {
            _ if !site.caps.software => 1,
            Some(8) => 64,
            _ => 16,
        };
        let deep = g.ic >= 32 && g.oc >= 32 && g.oh * g.ow >= smallest;
        let wide = site.precision == Precision::F32;
        let pays = || match site.caps.software {
            true => products >= 1 << 22,
            false => winograd_cost(site.caps, g) < direct_cost(site.caps, g),
        };
        wide && site.constant[1] && deep && pays()
    }
}

/// The launches, best first, of `batch` products `[rows, ic] x [ic, oc]`, without their bindings and their epilogue.
fn products(caps: &Caps, [batch, rows, ic, oc]: [usize; 4]) -> [Launch; 2] {
    let (ic4, oc4) = (ic.div_ceil(4), oc.div_ceil(4));
    let product = Product { matrices: batch, rows, blocks: oc4, steps: ic4 };
    let tiled = product.unsplit(caps)[0].launch(&tiled::GEMM, &product, product.gemm());
    let own = match Rows8::new(caps, rows, oc4) {
        Some(tile) => tile.launch(&BATCH_SUBGROUP8, batch, product.gemm()).iterations(nested(&[ic4])),
        None => by_registers(&product),
    };
    if tiled::are_fast(caps) { [tiled, own] } else { [own, tiled] }
}

/// Without workgroup memory.
fn by_registers(product: &Product) -> Launch {
    let Product { matrices, rows, blocks, steps } = *product;
    let pair = blocks > 1;
    let columns = if pair { blocks.div_ceil(2) } else { blocks };
    let launch = Launch::flat(&BATCH_REGISTERS, matrices * rows.div_ceil(8) * columns, product.gemm());
    launch.iterations(nested(&[steps])).set("PAIR", u8::from(pair))
}

/// Winograd's algorithm of absolute values times gamma_k, k the roundings of a factor of
/// |A^T| [sum (|G| |g| |G^T|) * (|B^T| |d| |B|)] |A| (Higham, Accuracy and Stability of Numerical Algorithms, 3.1 and 3.5).
pub(super) fn bounds(s: &Geometry, inputs: &[Tensor]) -> Vec<f32> {
    let abs: Vec<_> = inputs.iter().map(|t| t.map(f64::abs)).collect();
    let (image, weight) = ((abs[0].f32s(), [s.n, s.ic, s.ih, s.iw]), (abs[1].f32s(), s.oc));
    let pad = s.window.padding.map(|[before, _]| before);
    let sums = winograd(&Transform::new().abs(), image, weight, pad, [s.oh, s.ow]);
    let scale = gamma(depth(ROUNDINGS, s.ic));
    let bias = |i: usize| abs.get(2).map_or(0.0, |b| f64::from(b.f32s()[i / (s.oh * s.ow) % s.oc]));
    // The transforms multiply what a device flushes by at most what they make of ones.
    let tile = [SIZE; 2];
    let ones = vec![1.0; tile[0] * tile[1]];
    let of_ones =
        winograd(&Transform::new().abs(), (&ones, [1, 1, tile[0], tile[1]]), (&[1.0; 9], 1), [0, 0], [TILE; 2]);
    let largest = of_ones.into_iter().fold(1.0, f64::max);
    let flushed = largest * flushed_products(s.ic, &inputs[0], &inputs[1]);
    sums.into_iter().enumerate().map(|(i, sum)| ((sum + bias(i)) * scale + flushed) as f32).collect()
}

fn direct_cost(caps: &Caps, s: &Geometry) -> f64 {
    let (blocks, steps) = (s.oc.div_ceil(4), 9 * s.ic.div_ceil(4));
    Product { matrices: 1, rows: s.n * s.oh * s.ow, blocks, steps }.choices(caps)[0].cost
}

/// The cost of the products, of the two transforms, and of what they read and write.
fn winograd_cost(caps: &Caps, s: &Geometry) -> f64 {
    let tiles = s.n * s.oh.div_ceil(TILE) * s.ow.div_ceil(TILE);
    let (blocks, steps) = (s.oc.div_ceil(4), s.ic.div_ceil(4));
    let products = Product { matrices: MATRICES, rows: tiles, blocks, steps }.unsplit(caps)[0].cost;
    let moved = s.n * (s.ic * s.ih * s.iw + s.oc * s.oh * s.ow) + MATRICES * tiles * (s.ic + s.oc);
    products + 2.0 * TRANSFORM + MOVE * moved as f64 / f64::from(caps.compute_units)
}

#[cfg(test)]
mod tests {
    use naga::{BinaryOperator, Expression, Function, Handle, Literal, Module, UnaryOperator};

    use super::*;
    use crate::attr::Window;
    use crate::gpu::kernel::Kernel;

    /// Counts the roundings of an f32 expression with exact arguments.
    struct Counter<'a> {
        module: &'a Module,
        function: &'a Function,
    }

    enum Count {
        /// A number of the text.
        Constant(f32),
        /// The most roundings of an argument.
        Roundings(usize),
    }

    impl Counter<'_> {
        fn global(&self, at: Handle<Expression>) -> f32 {
            match self.module.global_expressions[at] {
                Expression::Literal(Literal::F32(v)) => v,
                ref other => panic!("{other:?}"),
            }
        }

        /// A product with a power of two is exact; with a constant that f32 cannot hold it counts twice. The constants
        /// of the texts that f32 holds exactly have few digits.
        fn product(&self, constant: f32, roundings: usize) -> usize {
            let digits = 24 - (constant.to_bits() & 0x007f_ffff | 0x0080_0000).trailing_zeros();
            roundings + [0, 1, 2][usize::from(digits > 1) + usize::from(digits > 12)]
        }

        fn count(&self, at: Handle<Expression>) -> Count {
            use Count::{Constant, Roundings};
            let most = |parts: &[Handle<Expression>]| {
                let of = |&part| match self.count(part) {
                    Roundings(n) => n,
                    Constant(_) => 0,
                };
                Roundings(parts.iter().map(of).max().unwrap())
            };
            match &self.function.expressions[at] {
                Expression::FunctionArgument(_) => Roundings(0),
                Expression::Literal(Literal::F32(v)) => Constant(*v),
                Expression::Constant(c) => Constant(self.global(self.module.constants[*c].init)),
                Expression::Splat { value, .. } => self.count(*value),
                Expression::Unary { op: UnaryOperator::Negate, expr } => self.count(*expr),
                Expression::Compose { components, .. } => most(components),
                Expression::Binary { op: BinaryOperator::Multiply, left, right } => {
                    match (self.count(*left), self.count(*right)) {
                        (Constant(c), Roundings(n)) | (Roundings(n), Constant(c)) => Roundings(self.product(c, n)),
                        (Constant(a), Constant(b)) => Constant(a * b),
                        _ => panic!("a product of arguments"),
                    }
                }
                Expression::Binary { op: BinaryOperator::Add | BinaryOperator::Subtract, left, right } => {
                    let Roundings(n) = most(&[*left, *right]) else { unreachable!() };
                    Roundings(n + 1)
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The most roundings of an argument in a result of the kernel's function `transform`.
    fn roundings(kernel: &Kernel) -> usize {
        let module = naga::front::wgsl::parse_str(&kernel.wgsl(&[], Precision::F32)).unwrap();
        let named = |(_, f): &(_, &Function)| f.name.as_deref() == Some("transform");
        let (_, function) = module.functions.iter().find(named).unwrap();
        let counter = Counter { module: &module, function };
        let returns = function.body.iter().filter_map(|s| match s {
            naga::Statement::Return { value } => *value,
            _ => None,
        });
        let of = |value| match counter.count(value) {
            Count::Roundings(n) => n,
            Count::Constant(_) => 0,
        };
        returns.map(of).max().unwrap()
    }

    #[test]
    fn texts_and_bound_have_the_same_roundings() {
        assert_eq!([&WEIGHT, &INPUT, &OUTPUT].map(roundings), ROUNDINGS);
    }

    #[test]
    fn other_roundings_have_another_bound() {
        let [x, w] = [[1, 3, 4, 4], [2, 3, 3, 3]].map(|shape| Tensor::full(shape, 1.0));
        let window = Window { kernel: [3; 2], stride: [1; 2], padding: [[0; 2]; 2], dilation: [1; 2] };
        let geometry = Geometry { n: 1, ic: 3, ih: 4, iw: 4, oc: 2, oh: 2, ow: 2, window, groups: 1 };
        let bound = bounds(&geometry, &[x, w])[0];
        let sums = winograd(&Transform::new().abs(), (&[1.0; 48], [1, 3, 4, 4]), (&[1.0; 54], 2), [0, 0], [2, 2]);
        let by = |roundings| (sums[0] * gamma(depth(roundings, 3))) as f32;
        assert_eq!(bound, by(ROUNDINGS));
        assert!((0..3).all(|k| {
            let mut more = ROUNDINGS;
            more[k] += 1;
            by(more) > bound
        }));
    }
}
