use Activation::*;
use convgpu::Tensor;
use convgpu::custom::Op;
use convgpu::internals::attr::Activation;
use convgpu::internals::attr::{HARD_SIGMOID, RELU6, SELU, SILU};
use convgpu::internals::ops::unary::Unary;

use crate::support::{Case, Rng, check, check_channels_last, check_golden};

#[test]
fn relu_of_odd_sizes() {
    for n in [1, 3, 64, 257, 2001] {
        check(Unary(Activation::Relu), &[Rng(n).tensor(&[n as usize, 3])], true);
    }
    check(Unary(Activation::Relu), &[Tensor::zeros([0, 3])], true);
}

/// Functions of every kind, with thresholds that are numbers of f32.
fn functions() -> Vec<Activation> {
    let (alpha, beta) = (0.75, 1.25);
    vec![
        Identity,
        Relu,
        Clamp { min: -0.5, max: 1.5 },
        LeakyRelu { slope: -0.25 },
        Elu { alpha },
        SELU,
        Celu { alpha },
        Gelu,
        GeluTanh,
        Sigmoid,
        Tanh,
        Affine { alpha: -0.75, beta: 0.25 },
        ScaledTanh { alpha: -1.75, beta: 0.625 },
        HARD_SIGMOID,
        HardSwish,
        Swish { beta },
        Mish,
        Softplus { beta, threshold: 1.0 },
        Softsign,
        Threshold { threshold: -0.5, value: 2.0 },
        ThresholdedRelu { alpha: 0.25 },
        ThresholdedRelu { alpha: -0.5 },
        FakeQuantize { scale: 0.1, low: -20.0, high: 235.0 },
        FakeQuantize { scale: 0.5, low: -8.0, high: 7.0 },
        Exp,
        Log,
        Sqrt,
        Reciprocal,
        Abs,
        Neg,
        Floor,
        Ceil,
        Round,
        Sign,
        Erf,
    ]
}

/// Of functions that are not 0 at 0, where padding lanes are.
#[test]
fn padding_lanes_stay_zero() {
    for f in [Threshold { threshold: -4.0, value: f32::INFINITY }, Threshold { threshold: 0.5, value: f32::INFINITY }] {
        check_channels_last(Unary(f), [2, 5, 4, 6]);
    }
}

/// 0 is no number above 0: an infinite slope makes a NaN of it, as in PyTorch.
#[test]
fn leaky_relu_of_zero_is_a_product() {
    let x = Tensor::from([0.0f32, -0.0, 1.0, -1.0, 2.0]);
    let op = Unary(LeakyRelu { slope: f32::INFINITY });
    let y = op.reference(std::slice::from_ref(&x)).unwrap()[0].to_vec::<f32>().unwrap();
    assert!(y[0].is_nan() && y[1].is_nan() && y[2..] == [1.0, f32::NEG_INFINITY, 2.0], "{y:?}");
    check(op, &[x], false);
}

/// In every layout and precision; PyTorch's results cover the edge cases.
#[test]
fn every_function_is_within_its_bound() {
    let x = Rng(2).tensor(&[2, 5, 3, 7]);
    let positive =
        Tensor::new(x.shape(), x.as_f32().unwrap().iter().map(|v| v.abs() + 0.01).collect::<Vec<_>>()).unwrap();
    for function in functions() {
        let x = if matches!(function, Log | Sqrt | Reciprocal) { &positive } else { &x };
        check(Unary(function), std::slice::from_ref(x), false);
    }
}

/// Where the formulas of a function meet.
#[test]
fn borders_of_formulas() {
    let borders = [
        -88.0f32, -30.0, -5.0, -3.0, -2.0, -1.5, -1.0, -0.5, -0.375, -0.3, -0.25, -0.125, 0.0, 0.125, 0.25, 0.3, 0.375,
        0.5, 0.75, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 6.0, 20.0, 30.0, 88.0,
    ];
    let positive: Vec<f32> = borders.iter().map(|v| v.abs().max(0.125)).collect();
    for function in functions() {
        let is_positive = matches!(function, Log | Sqrt | Reciprocal);
        check(Unary(function), &[Tensor::from(if is_positive { &positive[..] } else { &borders[..] })], false);
    }
}

pub fn pytorch(case: &Case) {
    let or = |name: &str, otherwise: f32| case.f32_or_null(name).unwrap_or(otherwise);
    let function = match case.op.as_str() {
        "relu" => Relu,
        "relu6" => RELU6,
        "leaky_relu" => LeakyRelu { slope: case.f32("negative_slope") },
        "elu" => Elu { alpha: case.f32("alpha") },
        "selu" => SELU,
        "celu" => Celu { alpha: case.f32("alpha") },
        "gelu" if case.str("approximate") == "none" => Gelu,
        "gelu" | "gelu_tanh" => GeluTanh,
        "sigmoid" => Sigmoid,
        "tanh" => Tanh,
        "hardsigmoid" => HARD_SIGMOID,
        "hardswish" => HardSwish,
        "silu" => SILU,
        "mish" => Mish,
        "softplus" => Softplus { beta: case.f32("beta"), threshold: case.f32("threshold") },
        "softsign" => Softsign,
        "threshold" => Threshold { threshold: case.f32("threshold"), value: case.f32("value") },
        "clamp" => Clamp { min: or("min", f32::NEG_INFINITY), max: or("max", f32::INFINITY) },
        "fake_quantize_per_tensor_affine" => {
            let limit = |name: &str| case.f32(name) - case.f32("zero_point");
            FakeQuantize { scale: case.f32("scale"), low: limit("quant_min"), high: limit("quant_max") }
        }
        "exp" => Exp,
        "log" => Log,
        "sqrt" => Sqrt,
        "reciprocal" => Reciprocal,
        "abs" => Abs,
        "neg" => Neg,
        "floor" => Floor,
        "ceil" => Ceil,
        "round" => Round,
        "sign" => Sign,
        "erf" => Erf,
        other => panic!("{other}"),
    };
    let mut x = case.input_tensors();
    if case.params.get("of").is_some() {
        // The square root of the absolute values.
        let values = x[0].as_f32().unwrap().iter().map(|v| v.abs()).collect::<Vec<_>>();
        x = vec![Tensor::new(x[0].shape(), values).unwrap()];
    }
    check_golden(case, Unary(function), &x, &case.out());
}

/// At the threshold the type of the tensor decides: 0.1 as f32, times 10, is above 1, but rounded to f32 it is 1.
#[test]
fn softplus_compares_with_its_threshold_in_f32() {
    let softplus = Unary(Softplus { beta: 0.1, threshold: 1.0 });
    let x = Tensor::from([10.0f32, 10.1]);
    let y = Op::reference(&softplus, std::slice::from_ref(&x)).unwrap().remove(0);
    let y = y.as_f32().unwrap();
    assert!((y[0] - 13.132_617).abs() < 1e-4 && y[1] == 10.1, "{y:?}");
    check(softplus, &[x], false);
}

/// The bounds of every function at these points, to three digits, as they were derived: from far below 0 to far above.
#[test]
fn bounds_are_those_on_record() {
    let x: Vec<f32> =
        [0.0, 1e-3, 0.1, 0.2, 0.3, 0.5, 1.0, 1.7, 3.0, 8.0, 40.0, 200.0].iter().flat_map(|&v| [-v, v]).collect();
    let x = Tensor::from(x);
    let mut now = String::new();
    let mut all = functions();
    all.extend([Selu { alpha: -1.5, gamma: -1.25 }, Celu { alpha: -0.75 }, Elu { alpha: -2.0 }]);
    for f in all {
        let op = Unary(f);
        let y = op.reference(std::slice::from_ref(&x)).unwrap();
        let bounds = op.bounds(std::slice::from_ref(&x), &y).unwrap().unwrap();
        let bounds: Vec<_> = bounds[0].iter().map(|b| format!("{b:.2e}")).collect();
        // An argument that may be off by a hundredth.
        let spread: Vec<_> = x.to_f64s().iter().map(|x| format!("{:.2e}", f.spread(*x, 0.01))).collect();
        now += &format!("{f:?}\n  {}\n  {}\n", bounds.join(" "), spread.join(" "));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ops/unary_bounds.txt");
    if std::env::var("CONVGPU_GENERATE").is_ok_and(|v| v == "1") {
        return std::fs::write(path, now).unwrap();
    }
    let record = std::fs::read_to_string(path).unwrap();
    for (now, then) in now.lines().zip(record.lines()) {
        assert_eq!(now, then, "if that is meant: CONVGPU_GENERATE=1 cargo test --all-features --test ops bounds_are");
    }
    assert_eq!(now.lines().count(), record.lines().count());
}
