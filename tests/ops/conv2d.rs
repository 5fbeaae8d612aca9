use convgpu::custom::Op;
use convgpu::internals::attr::PadMode;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::pad::Pad;
use convgpu::{Desc, ErrorKind, Tensor};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::engines::TILES;
use crate::support::{Case, Rng, check, check_golden, kernels};

/// A convolution by its shapes: never square, different padding on every side, channels off the tile sizes.
#[derive(Clone, Debug)]
struct Form {
    n: usize,
    icg: usize,
    ocg: usize,
    kernel: [usize; 2],
    /// Rows and columns beyond what one window spans.
    extra: [usize; 2],
    bias: bool,
    op: Conv2d,
}

fn forms() -> impl Strategy<Value = Form> {
    let op = (
        [1..=3usize, 1..=2],
        [[0..=3usize, 0..=2], [0..=2, 0..=3]],
        [1..=2usize, 1..=3],
        prop_oneof![3 => Just(1usize), 1 => Just(2), 1 => Just(4)],
    );
    (1..=3usize, 1..=9usize, 1..=13usize, [1..=5usize, 1..=4], [0..=7usize, 0..=9], any::<bool>(), op).prop_map(
        |(n, icg, ocg, kernel, extra, bias, (stride, padding, dilation, groups))| Form {
            n,
            icg,
            ocg,
            kernel,
            extra,
            bias,
            op: Conv2d { stride, padding, dilation, groups },
        },
    )
}

impl Form {
    fn check(&self, integers: bool) {
        let mut rng = Rng(3);
        let mut make = |shape: &[usize]| if integers { rng.integers(shape) } else { rng.tensor(shape) };
        let extent = |a: usize| self.op.dilation[a] * (self.kernel[a] - 1) + 1 + self.extra[a];
        let [kh, kw] = self.kernel;
        let oc = self.ocg * self.op.groups;
        let x = make(&[self.n, self.icg * self.op.groups, extent(0), extent(1)]);
        let mut inputs = vec![x, make(&[oc, self.icg, kh, kw])];
        if self.bias {
            inputs.push(make(&[oc]));
        }
        check(self.op.clone(), &inputs, integers);
    }
}

proptest! {
    // The cases are the same in every run and on every machine.
    #![proptest_config(ProptestConfig {
        cases: 40, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
    })]

    #[test]
    fn any_form_is_exact_on_integers(form in forms()) {
        form.check(true);
    }

    #[test]
    fn any_form_is_within_its_bound(form in forms()) {
        form.check(false);
    }
}

/// Filters of one channel: one or more per channel.
fn depthwise(rng: &mut Rng, integers: bool) {
    let (n, c, kh, kw) = (rng.int(1, 2), rng.int(1, 21), rng.int(1, 5), rng.int(1, 9));
    let multiplier = if rng.int(0, 2) == 0 { rng.int(2, 3) } else { 1 };
    let op = Conv2d {
        stride: [rng.int(1, 3), rng.int(1, 3)],
        padding: [[rng.int(0, 2), rng.int(0, 2)], [rng.int(0, 2), rng.int(0, 3)]],
        dilation: [rng.int(1, 3), rng.int(1, 2)],
        groups: c,
    };
    let ih = op.dilation[0] * (kh - 1) + 1 + rng.int(0, 7);
    let iw = op.dilation[1] * (kw - 1) + 1 + rng.int(0, 17);
    let mut make = |shape: &[usize]| if integers { rng.integers(shape) } else { rng.tensor(shape) };
    check(op, &[make(&[n, c, ih, iw]), make(&[c * multiplier, 1, kh, kw]), make(&[c * multiplier])], integers);
}

/// Enough channels and pixels for every width of the subgroup kernel, and groups of whole subgroups.
#[test]
fn wide_tiles_are_exact() {
    let mut rng = Rng(3);
    for (n, ic, oc, ih, iw, groups) in
        [(2, 6, 45, 17, 19, 1), (1, 10, 33, 5, 7, 1), (1, 64, 64, 23, 25, 2), (1, 8, 128, 6, 5, 2)]
    {
        let op = Conv2d { stride: [1, 1], padding: [[1, 0], [1, 2]], dilation: [1, 2], groups };
        let (x, w) = (rng.integers(&[n, ic, ih, iw]), rng.integers(&[oc, ic / groups, 3, 2]));
        check(op, &[x, w, rng.integers(&[oc])], true);
    }
}

/// Images, channels and groups: more than one tile of every shape, with partial tiles; groups of more than a tile; an inner dimension
/// that is split.
const IMAGES: [[usize; 6]; 5] = [
    [1, 10, 139, 14, 11, 1],
    [2, 24, 72, 7, 9, 2],
    [1, 260, 6, 5, 4, 1],
    [3, 128, 40, 4, 3, 2],
    // Few tiles, of any shape: all are split.
    [1, 150, 70, 10, 9, 1],
];

fn uneven(groups: usize) -> Conv2d {
    Conv2d { stride: [1, 1], padding: [[1, 0], [1, 2]], dilation: [1, 2], groups }
}

#[test]
fn workgroup_tiles_are_exact() {
    let mut rng = Rng(5);
    for [n, ic, oc, ih, iw, groups] in IMAGES {
        let (x, w) = (rng.integers(&[n, ic, ih, iw]), rng.integers(&[oc, ic / groups, 3, 2]));
        check(uneven(groups), &[x, w, rng.integers(&[oc])], true);
    }
}

/// Plain matrix products: many rows, one row, an inner dimension that is split.
const PRODUCTS: [[usize; 5]; 13] = [
    [2, 22, 139, 9, 8],
    [1, 22, 60, 7, 9],
    [1, 700, 35, 1, 1],
    [3, 130, 9, 1, 2],
    // Whole vec4s: every band of channels.
    [2, 20, 5, 6, 10],
    [1, 4, 13, 5, 4],
    [3, 36, 70, 14, 14],
    // Numbers of pixels that are not a multiple of 4: rows that begin 1, 2 and 3 elements after a vec4.
    [2, 12, 21, 3, 7],
    [1, 8, 35, 5, 6],
    [3, 20, 9, 7, 5],
    [1, 160, 45, 7, 7],
    // Few tiles, of any shape: all are split.
    [1, 700, 70, 9, 9],
    // Several tiles along both axes.
    [1, 260, 262, 33, 32],
];

#[test]
fn one_tap_is_exact() {
    let mut rng = Rng(6);
    for [n, ic, oc, ih, iw] in PRODUCTS {
        let (x, w) = (rng.integers(&[n, ic, ih, iw]), rng.integers(&[oc, ic, 1, 1]));
        check(Conv2d::default(), &[x, w, rng.integers(&[oc])], true);
    }
}

/// The cases above together use every tile, with splits and without.
#[test]
fn every_tile_is_among_the_cases() {
    let of_images = |[n, ic, oc, ih, iw, groups]: [usize; 6]| {
        kernels(uneven(groups), &[&[n, ic, ih, iw], &[oc, ic / groups, 3, 2], &[oc]])
    };
    let of_products =
        |[n, ic, oc, ih, iw]: [usize; 5]| kernels(Conv2d::default(), &[&[n, ic, ih, iw], &[oc, ic, 1, 1], &[oc]]);
    let run: Vec<_> =
        IMAGES.into_iter().flat_map(of_images).chain(PRODUCTS.into_iter().flat_map(of_products)).collect();
    for tile in TILES {
        for kernel in [format!("conv2d_tiled({tile})"), format!("gemm_tiled({tile})")] {
            let split = format!("{kernel} + split_k_sum");
            assert!(run.contains(&kernel) && run.contains(&split), "{kernel} is not among {run:?}");
        }
    }
}

/// Images off the tiles of 4 outputs on every side, one tile and many, every band of the products.
#[test]
fn winograd_within_bounds() {
    let mut rng = Rng(4);
    for (n, ic, oc, ih, iw, padding) in [
        (2, 6, 45, 17, 19, [[1, 0], [1, 2]]),
        (1, 18, 33, 5, 7, [[1; 2]; 2]),
        (1, 17, 16, 3, 3, [[0; 2]; 2]),
        (3, 16, 5, 6, 11, [[4, 1], [0, 5]]),
        (1, 64, 64, 23, 25, [[1; 2]; 2]),
        (1, 3, 2, 2, 1, [[0, 7], [6, 1]]),
    ] {
        let op = Conv2d { padding, ..Conv2d::default() };
        let (x, w) = (rng.tensor(&[n, ic, ih, iw]), rng.tensor(&[oc, ic, 3, 3]));
        check(op, &[x, w, rng.tensor(&[oc])], false);
    }
}

#[test]
fn depthwise_integers_are_exact() {
    let mut rng = Rng(1);
    (0..20).for_each(|_| depthwise(&mut rng, true));
}

#[test]
fn depthwise_within_bounds() {
    let mut rng = Rng(2);
    (0..10).for_each(|_| depthwise(&mut rng, false));
}

/// Infinities and NaNs reach the outputs whose windows they are in, and no others: also with kernels that multiply by zeros
/// beside the window. (Winograd's algorithm, which no case has here, spreads them over a tile of outputs.)
#[test]
fn special_values_stay_in_their_windows() {
    let cases = [
        ([2, 6, 9, 21], [6, 1, 3, 3], 6, [1, 1], [1, 1]),
        ([1, 3, 12, 17], [6, 1, 3, 3], 3, [2, 2], [1, 1]),
        ([1, 4, 13, 19], [4, 1, 5, 5], 4, [1, 1], [1, 2]),
        ([1, 4, 13, 19], [4, 1, 2, 7], 4, [1, 3], [2, 1]),
        ([1, 8, 9, 11], [8, 4, 3, 3], 2, [1, 1], [1, 1]),
        ([2, 6, 9, 11], [37, 6, 3, 3], 1, [2, 1], [1, 1]),
        ([1, 6, 9, 35], [5, 6, 1, 5], 1, [1, 1], [1, 1]),
        ([1, 40, 5, 7], [70, 40, 1, 1], 1, [1, 1], [1, 1]),
        ([1, 70, 6, 7], [66, 70, 2, 3], 1, [1, 1], [1, 1]),
    ];
    for (k, (x, w, groups, stride, dilation)) in cases.into_iter().enumerate() {
        let mut rng = Rng(k as u64);
        let [weight, bias] = [rng.tensor(&w), rng.tensor(&w[..1])];
        let paddings = [[[1, 0], [1, 2]], [[0, 2], [2, 0]], [[2, 1], [0, 1]]];
        for (special, padding) in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN].into_iter().zip(paddings) {
            let op = Conv2d { stride, padding, dilation, groups };
            let mut values = rng.tensor(&x).to_vec::<f32>().unwrap();
            let first = rng.int(0, values.len() - 1);
            let second = rng.int(0, values.len() - 1);
            (values[first], values[second]) = (special, special);
            check(op.clone(), &[Tensor::new(x, values).unwrap(), weight.clone(), bias.clone()], false);
        }
    }
}

/// The padding of an axis, before and after: both numbers, one for both, or 'same' or 'valid' as in PyTorch.
pub fn sides(padding: &serde_json::Value, dilation: usize, taps: usize) -> [usize; 2] {
    match padding.as_str() {
        Some("valid") => [0, 0],
        Some("same") => {
            let all = dilation * (taps - 1);
            [all / 2, all - all / 2]
        }
        _ => match padding.as_array() {
            Some(both) => [0, 1].map(|k| both[k].as_u64().unwrap() as usize),
            None => [padding.as_u64().unwrap() as usize; 2],
        },
    }
}

/// The input padded in another mode than zeros, and the padding that remains: it only copies elements.
pub fn padded(case: &Case, x: Tensor, padding: [[usize; 2]; 2]) -> (Tensor, [[usize; 2]; 2]) {
    let mode = match case.params["padding_mode"].as_str() {
        None | Some("zeros") => return (x, padding),
        Some("reflect") => PadMode::Reflect,
        Some("replicate") => PadMode::Replicate,
        Some("circular") => PadMode::Circular,
        Some(other) => panic!("{other}"),
    };
    let pads = [[[0; 2]; 2], padding].concat().into_iter().map(|axis| axis.map(|n| n as i64)).collect();
    (Pad { pads, mode }.reference(&[x]).unwrap().remove(0), [[0; 2]; 2])
}

pub fn pytorch(case: &Case) {
    let (weight, dilation) = (case.tensor("weight").shape(), case.pair("dilation"));
    let padding = &case.params["padding"];
    let of = |axis: usize| match padding.as_array().map(|list| &list[..]) {
        Some([top, bottom, left, right]) => [[top, bottom], [left, right]][axis].map(|n| n.as_u64().unwrap() as usize),
        _ => sides(padding.get(axis).unwrap_or(padding), dilation[axis], weight[2 + axis]),
    };
    let mut inputs = case.input_tensors();
    let (x, padding) = padded(case, inputs[0].clone(), [of(0), of(1)]);
    inputs[0] = x;
    let op = Conv2d { stride: case.pair("stride"), padding, dilation, groups: case.usize("groups") };
    check_golden(case, op, &inputs, &case.out());
}

/// Positions in the padded image have 31 bits, along either axis.
#[test]
fn images_beyond_31_bits_are_refused() {
    let outputs = |image: [usize; 4]| Conv2d::default().outputs(&[Desc::f32(image), Desc::f32([1, 1, 1, 1])]);
    for image in [[1, 1, (1 << 30) + 1, 1], [1, 1, 1, (1 << 30) + 1]] {
        assert_eq!(outputs(image).unwrap_err().kind(), ErrorKind::Unsupported);
    }
    assert!(outputs([1, 1, 1 << 30, 1]).is_ok() && outputs([1, 1, 1, 1 << 30]).is_ok());
}
