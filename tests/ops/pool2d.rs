use convgpu::Tensor;
use convgpu::custom::Op;
use convgpu::internals::attr::Window;
use convgpu::internals::ops::pool2d::{AvgPool2d, Indices, LpPool2d, MaxPool2d};

use crate::support::{Case, Rng, check, check_channels_last, check_golden};

/// A random window: never square, different padding on every side, some windows entirely in the padding.
struct Random {
    window: Window,
    ceil_mode: bool,
    shape: [usize; 4],
}

impl Random {
    fn new(rng: &mut Rng) -> Random {
        let (kernel, dilation) = ([rng.int(1, 4), rng.int(1, 3)], [rng.int(1, 2), rng.int(1, 3)]);
        let span = |axis: usize| dilation[axis] * (kernel[axis] - 1) + 1;
        let stride = [rng.int(1, 3), rng.int(1, 4)];
        let padding = [[rng.int(0, 3), rng.int(0, 2)], [rng.int(0, 2), rng.int(0, 4)]];
        Random {
            window: Window { kernel, stride, padding, dilation },
            ceil_mode: rng.int(0, 1) == 1,
            shape: [rng.int(1, 3), rng.int(1, 9), span(0) + rng.int(0, 6), span(1) + rng.int(0, 8)],
        }
    }
    fn max(&self, indices: Indices) -> MaxPool2d {
        let Random { window, ceil_mode, .. } = *self;
        MaxPool2d { window, ceil_mode, indices }
    }
    fn avg(&self, count_include_pad: bool, divisor_override: Option<usize>) -> AvgPool2d {
        let Random { window, ceil_mode, .. } = *self;
        AvgPool2d { window, ceil_mode, count_include_pad, divisor_override }
    }
    fn lp(&self, p: u32) -> LpPool2d {
        let Random { window, ceil_mode, .. } = *self;
        LpPool2d { window, ceil_mode, p, signed: false, rescale: false }
    }
}

#[test]
fn maxima_and_their_indices_are_exact() {
    let mut rng = Rng(1);
    for _ in 0..12 {
        let random = Random::new(&mut rng);
        let x = rng.integers(&random.shape);
        for indices in [Indices::None, Indices::Plane, Indices::Tensor, Indices::TensorColumnMajor] {
            check(random.max(indices), std::slice::from_ref(&x), true);
        }
    }
}

#[test]
fn integer_sums_are_exact() {
    let mut rng = Rng(2);
    for _ in 0..15 {
        let random = Random::new(&mut rng);
        let x = rng.integers(&random.shape);
        check(random.avg(true, Some(1)), std::slice::from_ref(&x), true);
        check(random.lp(1), std::slice::from_ref(&x), true);
        check(LpPool2d { signed: true, ..random.lp(1) }, &[x], true);
    }
}

#[test]
fn random_means_and_norms_within_bounds() {
    let mut rng = Rng(3);
    for _ in 0..12 {
        let random = Random::new(&mut rng);
        let x = rng.tensor(&random.shape);
        check(random.avg(true, None), std::slice::from_ref(&x), false);
        check(random.avg(false, None), std::slice::from_ref(&x), false);
        check(random.avg(false, Some(5)), std::slice::from_ref(&x), false);
        for p in [1, 2, 3, 5] {
            for (signed, rescale) in [(false, false), (false, true), (true, false), (true, true)] {
                check(LpPool2d { signed, rescale, ..random.lp(p) }, std::slice::from_ref(&x), false);
            }
        }
    }
}

/// Two windows of two taps, the second half outside; ONNX first, then PyTorch.
#[test]
fn norms_by_hand() {
    let x = Tensor::new([1, 1, 1, 3], vec![-3.0, 1.0, 2.0]).unwrap();
    let of = |p, signed, rescale| {
        let op = LpPool2d { window: Window::new([1, 2]), ceil_mode: true, p, signed, rescale };
        check(op.clone(), std::slice::from_ref(&x), false);
        op.reference(std::slice::from_ref(&x)).unwrap()[0].as_f32().unwrap().to_vec()
    };
    assert_eq!(of(1, false, false), [4.0, 2.0]);
    assert_eq!(of(1, true, true), [-2.0, 4.0]);
    assert_eq!(of(2, false, false), [10f32.sqrt(), 2.0]);
    assert_eq!(of(2, true, true), [10f32.sqrt(), 8f32.sqrt()]);
    assert_eq!(of(3, false, false), [28f32.cbrt(), 2.0]);
    let odd = of(3, true, true);
    assert!(odd[0].is_nan() && odd[1] == 16f32.cbrt());
}

/// Windows of two taps, one of them in the padding.
#[test]
fn dilated_means_by_hand() {
    let x = Tensor::new([1, 1, 2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let mut op = AvgPool2d {
        window: Window { padding: [[0; 2], [1; 2]], dilation: [1, 2], ..Window::new([1, 2]) },
        ceil_mode: false,
        count_include_pad: false,
        divisor_override: None,
    };
    let of = |op: &AvgPool2d| op.reference(std::slice::from_ref(&x)).unwrap()[0].as_f32().unwrap().to_vec();
    assert_eq!(of(&op), [2.0, 2.0, 5.0, 5.0]); // taps at columns -1, 1 and 1, 3
    op.count_include_pad = true;
    assert_eq!(of(&op), [1.0, 1.0, 2.5, 2.5]);
    check(op, std::slice::from_ref(&x), true);
}

#[test]
fn infinities_and_nans_as_pytorch_has_them() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let x = Tensor::new([1, 1, 2, 4], vec![-inf, nan, 1.0, inf, -inf, -inf, nan, 2.0]).unwrap();
    for indices in [Indices::None, Indices::Plane] {
        let op =
            MaxPool2d { window: Window { padding: [[0, 1], [2, 0]], ..Window::new([2, 1]) }, ceil_mode: true, indices };
        let y = op.reference(std::slice::from_ref(&x)).unwrap();
        assert_eq!(y[0].as_f32().unwrap()[..3], [-inf; 3]);
        assert!(y[0].as_f32().unwrap()[3..5].iter().all(|v| v.is_nan()));
        check(op, std::slice::from_ref(&x), true);
    }
}

#[test]
fn a_batch_may_be_empty() {
    let random = Random::new(&mut Rng(4));
    for shape in [[0, 3, 9, 11], [2, 0, 9, 11]] {
        check(random.max(Indices::Plane), &[Tensor::zeros(shape)], true);
        check(random.max(Indices::None), &[Tensor::zeros(shape)], true);
        check(random.avg(false, None), &[Tensor::zeros(shape)], true);
    }
}

/// A mean over the whole image uses the tree of global pooling.
#[test]
fn whole_images_within_bounds() {
    let mut rng = Rng(5);
    let op =
        AvgPool2d { window: Window::new([13, 17]), ceil_mode: false, count_include_pad: true, divisor_override: None };
    check(op, &[rng.tensor(&[2, 37, 13, 17])], false);
}

#[test]
fn padding_lanes_stay_zero() {
    // The first windows lie in the padding.
    let random = Random {
        window: Window { stride: [1, 2], padding: [[3, 0], [0, 1]], ..Window::new([2, 3]) },
        ceil_mode: true,
        shape: [2, 5, 9, 11],
    };
    check_channels_last(random.max(Indices::None), random.shape);
    check_channels_last(random.avg(true, Some(1)), random.shape);
    check_channels_last(random.lp(1), random.shape);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let good = Random::new(&mut Rng(7));
    let x = |shape: &[usize]| Tensor::zeros(shape).desc();
    let refuses = |op: &dyn Op, shape: &[usize]| assert!(op.outputs(&[x(shape)]).is_err(), "{op:?} of {shape:?}");
    refuses(&good.max(Indices::None), &[3, 9, 11]);
    refuses(&good.max(Indices::None), &[1, 3, 0, 11]);
    let with = |window: Window| Random { window, ..Random::new(&mut Rng(7)) };
    refuses(&with(Window { kernel: [0, 1], ..good.window }).max(Indices::None), &[1, 3, 9, 11]);
    refuses(&with(Window { kernel: [99, 1], ..good.window }).avg(true, None), &[1, 3, 9, 11]);
    refuses(&with(Window { kernel: [usize::MAX, 1], ..good.window }).avg(true, None), &[1, 3, 9, 11]);
    refuses(&with(Window { stride: [1, 0], ..good.window }).lp(2), &[1, 3, 9, 11]);
    refuses(&good.avg(true, Some(0)), &[1, 3, 9, 11]);
    refuses(&good.lp(0), &[1, 3, 9, 11]);
}

/// The window of a case without padding; a stride that is not given is the extent.
fn unpadded(case: &Case) -> Window {
    let kernel = case.pair(case.named(&["kernel", "kernel_size"]));
    let stride = if case.params["stride"].is_null() { kernel } else { case.pair("stride") };
    Window { stride, ..Window::new(kernel) }
}

fn padded(case: &Case) -> Window {
    Window { padding: case.pair("padding").map(|p| [p; 2]), ..unpadded(case) }
}

pub fn pytorch_max(case: &Case) {
    let op = MaxPool2d {
        window: Window { dilation: case.pair("dilation"), ..padded(case) },
        ceil_mode: case.bool("ceil_mode"),
        indices: Indices::None,
    };
    let (x, [out]) = (case.input_tensors(), case.out());
    check_golden(case, op.clone(), &x, std::slice::from_ref(&out));
    check_golden(case, MaxPool2d { indices: Indices::Plane, ..op }, &x, &[out, case.indices("indices")]);
}

pub fn pytorch_avg(case: &Case) {
    let op = AvgPool2d {
        window: padded(case),
        ceil_mode: case.bool("ceil_mode"),
        count_include_pad: case.bool("count_include_pad"),
        divisor_override: case.params["divisor_override"].as_u64().map(|n| n as usize),
    };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

/// PyTorch's windows have no padding.
pub fn pytorch_lp(case: &Case) {
    let op = LpPool2d {
        window: unpadded(case),
        ceil_mode: case.bool("ceil_mode"),
        p: case.usize("norm_type") as u32,
        signed: true,
        rescale: true,
    };
    check_golden(case, op, &case.input_tensors(), &case.out());
}

/// A kernel has 32 bits for the divisor.
#[test]
fn divisors_have_ends() {
    let outputs = |divisor: usize| {
        let window = Window { kernel: [2, 2], stride: [2, 2], padding: [[0; 2]; 2], dilation: [1, 1] };
        let op = AvgPool2d { window, ceil_mode: false, count_include_pad: true, divisor_override: Some(divisor) };
        op.outputs(&[Tensor::zeros([1, 1, 4, 4]).desc()])
    };
    assert!(outputs(1).is_ok() && outputs(u32::MAX as usize).is_ok());
    assert!(outputs(0).is_err() && outputs(u32::MAX as usize + 1).is_err());
}
