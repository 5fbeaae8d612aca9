//! Random numbers of ONNX models: of which distribution they are, and that a seed gives the same ones everywhere.

use convgpu::internals::conformance::Rng;
use convgpu::internals::model::proto::{AttributeProto, ModelProto, NodeProto, data_type};
use convgpu::{DType, Device, Tensor};

use crate::onnx_build::{error, float, int, ints, line, model, node, read, text, value};
use crate::support::device;

const COUNT: usize = 200_000;

/// What [`a_seed_gives_numbers_that_are_written_down`] expects.
const UNIFORM: [f64; 4] = [-1.9742729663848877, 0.5453147888183594, -1.2604624032974243, -1.8955891132354736];
const NORMAL: [f64; 3] = [-0.4674065411090851, 2.016995906829834, 1.0654240846633911];

/// A model of this node, whose input `x` has this type and shape, and whose output `y` has this type.
fn of(node: NodeProto, dtype: i32, shape: &[i64], to: i32) -> ModelProto {
    let mut proto = model(line(vec![node], vec![]));
    let graph = proto.graph.as_mut().unwrap();
    graph.input = vec![value("x", dtype, shape)];
    graph.output = vec![value("y", to, &[])];
    graph.output[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape = None;
    proto
}

fn drawn(op: &str, attributes: Vec<AttributeProto>) -> ModelProto {
    of(node(op, &[], &["y"], attributes), data_type::FLOAT, &[1], data_type::FLOAT)
}

/// What the reference and the device give: the same bits, in every run.
fn y(proto: &ModelProto, x: &Tensor) -> Tensor {
    let model = read(proto).unwrap();
    let inputs: Vec<_> = if model.inputs().is_empty() { vec![] } else { vec![("x", x)] };
    let run = |device: &Device| {
        let session = model.clone().compile(device).unwrap();
        let first = session.run(&inputs).unwrap().into_first();
        assert_eq!(first, session.run(&inputs).unwrap().into_first(), "every run gives the same");
        first
    };
    let reference = run(&Device::cpu());
    assert_eq!(run(device()), reference, "the device gives what the reference gives");
    reference
}

fn numbers(op: &str, attributes: Vec<AttributeProto>) -> Vec<f64> {
    y(&drawn(op, attributes), &Tensor::zeros([1])).to_f64s()
}

fn many(mut attributes: Vec<AttributeProto>) -> Vec<AttributeProto> {
    attributes.push(ints("shape", &[COUNT as i64 / 100, 100]));
    attributes
}

/// The mean of `f` is `expected`, and the mean of a deviation `sigma` lies within five of its own deviations.
fn mean_is(values: &[f64], f: impl Fn(usize) -> f64, expected: f64, sigma: f64) {
    let n = values.len() as f64;
    let mean = (0..values.len()).map(f).sum::<f64>() / n;
    assert!((mean - expected).abs() < 5.0 * sigma / n.sqrt(), "{mean}, not {expected}");
}

/// The published numbers of splitmix64 for the seed 1234567.
#[test]
fn the_generator_is_splitmix64() {
    let mut rng = Rng(1_234_567);
    let first = [(); 3].map(|()| rng.next());
    assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
}

/// Values of a program in Python by the formulas of the documentation.
#[test]
fn a_seed_gives_numbers_that_are_written_down() {
    let seed = || float("seed", 7.0);
    let uniform = numbers("RandomUniform", vec![ints("shape", &[4]), float("low", -2.0), float("high", 4.0), seed()]);
    assert_eq!(uniform, UNIFORM);
    let normal = numbers("RandomNormal", vec![ints("shape", &[3]), float("mean", 1.0), float("scale", 0.5), seed()]);
    // A logarithm and a cosine of another library may differ in their last bit.
    assert!(normal.iter().zip(NORMAL).all(|(a, b)| (a - b).abs() <= 2.5e-7), "{normal:?}");
}

#[test]
fn uniform_numbers_fill_their_range() {
    let u = numbers("RandomUniform", many(vec![float("low", -2.0), float("high", 4.0)]));
    assert!(u.len() == COUNT && u.iter().all(|v| (-2.0..=4.0).contains(v)));
    let centred: Vec<f64> = u.iter().map(|v| (v - 1.0) / 3.0).collect();
    let power = |k: i32| centred.iter().map(|v| v.powi(k)).collect::<Vec<_>>();
    // Moments of a uniform number in [-1, 1): 0 of odd orders, 1 / (k + 1) of even ones.
    for k in 1..=6 {
        let expected = if k % 2 == 0 { 1.0 / f64::from(k + 1) } else { 0.0 };
        let square = 1.0 / f64::from(2 * k + 1);
        let values = power(k);
        mean_is(&values, |i| values[i], expected, (square - expected * expected).sqrt());
    }
    // Neighbours know nothing of each other, nor do rows.
    for lag in [1, 2, 100] {
        mean_is(&centred, |i| centred[i] * centred[(i + lag) % COUNT], 0.0, 1.0 / 3.0);
    }
    let mut counts = [0usize; 64];
    u.iter().for_each(|v| counts[((v + 2.0) / 6.0 * 64.0).min(63.0) as usize] += 1);
    let each = COUNT as f64 / 64.0;
    let chi: f64 = counts.iter().map(|&n| (n as f64 - each).powi(2) / each).sum();
    // 63 degrees of freedom: mean 63, deviation 11.2.
    assert!((63.0 - 56.0..63.0 + 56.0).contains(&chi), "{chi}");
}

#[test]
fn normal_numbers_have_the_moments_of_the_distribution() {
    let n = numbers("RandomNormal", many(vec![float("mean", 3.0), float("scale", 2.0)]));
    let z: Vec<f64> = n.iter().map(|v| (v - 3.0) / 2.0).collect();
    // E z^k: 0, 1, 0, 3, 0, 15; E z^2k: 1, 3, 15, 105, 945, 10395.
    for (k, (expected, square)) in
        [(0.0, 1.0), (1.0, 3.0), (0.0, 15.0), (3.0, 105.0), (0.0, 945.0), (15.0, 10395.0)].into_iter().enumerate()
    {
        mean_is(&z, |i| z[i].powi(k as i32 + 1), expected, f64::sqrt(square - expected * expected));
    }
    for lag in [1, 2, 100] {
        mean_is(&z, |i| z[i] * z[(i + lag) % COUNT], 0.0, 1.0);
    }
    // P(|z| < 1), P(|z| < 2), P(z < -3).
    let share = |is: fn(f64) -> bool, p: f64| mean_is(&z, |i| f64::from(u8::from(is(z[i]))), p, (p * (1.0 - p)).sqrt());
    share(|v| v.abs() < 1.0, 0.682_689_5);
    share(|v| v.abs() < 2.0, 0.954_499_7);
    share(|v| v < -3.0, 0.001_349_9);
    assert!(z.iter().all(|v| v.abs() < 8.6));
}

#[test]
fn seeds_and_names_decide() {
    let of =
        |attributes: Vec<AttributeProto>| numbers("RandomUniform", [vec![ints("shape", &[50])], attributes].concat());
    let named = |name: &str, attributes: Vec<AttributeProto>| {
        let node = node("RandomNormal", &[], &["y"], [vec![ints("shape", &[50])], attributes].concat());
        let node = NodeProto { name: text(name), ..node };
        y(&of_floats(node), &Tensor::zeros([1])).to_f64s()
    };
    let seed = |v| vec![float("seed", v)];
    assert_eq!(of(seed(1.0)), of(seed(1.0)));
    let apart = |a: Vec<f64>, b: Vec<f64>| assert!(a.iter().zip(&b).all(|(a, b)| a != b), "{a:?} and {b:?}");
    apart(of(seed(1.0)), of(seed(2.0)));
    apart(of(seed(0.0)), of(vec![]));
    apart(named("a", vec![]), named("b", vec![]));
    assert_eq!(named("a", vec![]), named("a", vec![]));
    assert_eq!(named("a", seed(3.0)), named("b", seed(3.0)));
}

fn of_floats(node: NodeProto) -> ModelProto {
    of(node, data_type::FLOAT, &[1], data_type::FLOAT)
}

#[test]
fn types_and_shapes_are_those_of_the_attributes_or_of_the_input() {
    let like = |op: &str, from: i32, attributes: Vec<AttributeProto>, to: i32, x: &Tensor| {
        let shape: Vec<i64> = x.shape().iter().map(|&n| n as i64).collect();
        y(&of(node(op, &["x"], &["y"], attributes), from, &shape, to), x)
    };
    let x = Tensor::zeros([3, 1, 40]);
    for op in ["RandomUniformLike", "RandomNormalLike"] {
        let plain = like(op, data_type::FLOAT, vec![], data_type::FLOAT, &x);
        assert_eq!((plain.shape(), plain.dtype()), (x.shape(), DType::F32));
        let half = like(op, data_type::FLOAT16, vec![], data_type::FLOAT16, &x.to_dtype(DType::F16));
        assert_eq!((half.dtype(), &half), (DType::F16, &plain.to_dtype(DType::F16)), "the same numbers, rounded");
        let whole = x.to_dtype(DType::I64);
        let double = like(op, data_type::INT64, vec![int("dtype", 11)], data_type::DOUBLE, &whole);
        assert_eq!((double.shape(), double.dtype()), (x.shape(), DType::F64));
        // A double has more bits.
        assert!(double.to_f64s().iter().any(|v| f64::from(*v as f32) != *v));
    }
}

#[test]
fn a_bernoulli_number_is_1_with_its_probability() {
    let p: Vec<f32> = (0..COUNT).map(|k| [0.0, 0.125, 0.3, 0.5, 0.99, 1.0, f32::NAN, 2.0][k % 8]).collect();
    let x = Tensor::new([COUNT / 100, 100], p.clone()).unwrap();
    let shape = [COUNT as i64 / 100, 100];
    let of = |to: i32, attributes: Vec<AttributeProto>| {
        y(&of(node("Bernoulli", &["x"], &["y"], attributes), data_type::FLOAT, &shape, to), &x)
    };
    let plain = of(data_type::FLOAT, vec![]);
    assert_eq!(plain.dtype(), DType::F32);
    let v = plain.to_f64s();
    assert!(v.iter().all(|v| [0.0, 1.0].contains(v)));
    for (class, expected) in [0.0, 0.125, 0.3, 0.5, 0.99, 1.0, 0.0, 1.0].into_iter().enumerate() {
        let of_class: Vec<f64> = v.iter().skip(class).step_by(8).copied().collect();
        let sigma = f64::sqrt(expected * (1.0 - expected)).max(1e-12);
        mean_is(&of_class, |i| of_class[i], expected, sigma);
    }
    let truths = of(data_type::BOOL, vec![int("dtype", 9)]);
    assert_eq!((truths.dtype(), truths.to_f64s()), (DType::Bool, v.clone()));
    assert_eq!(of(data_type::INT32, vec![int("dtype", 6)]).to_f64s(), v);
    assert_ne!(of(data_type::FLOAT, vec![float("seed", 5.0)]).to_f64s(), v);
}

/// Where a number equals the probability, the result is 0: a Bernoulli whose probabilities are the numbers that it draws.
#[test]
fn a_number_that_equals_the_probability_gives_0() {
    let uniform = y(&drawn("RandomUniform", vec![ints("shape", &[64]), float("seed", 9.0)]), &Tensor::zeros([1]));
    let shift = |by: i32| {
        let bits = uniform.as_f32().unwrap().iter().map(|v| f32::from_bits(v.to_bits().wrapping_add_signed(by)));
        Tensor::new([64], bits.collect::<Vec<_>>()).unwrap()
    };
    let proto =
        of(node("Bernoulli", &["x"], &["y"], vec![float("seed", 9.0)]), data_type::FLOAT, &[64], data_type::FLOAT);
    assert_eq!(y(&proto, &uniform).to_f64s(), [0.0; 64]);
    assert_eq!(y(&proto, &shift(1)).to_f64s(), [1.0; 64]);
    assert_eq!(y(&proto, &shift(-1)).to_f64s(), [0.0; 64]);
}

#[test]
fn classes_are_drawn_by_their_probabilities() {
    let rows = [[0.0f32, 1.0, 2.0, f32::NEG_INFINITY], [3.0, 3.0, -2.0, 3.0]];
    let samples = 20_000;
    let of = |to: i32, attributes: Vec<AttributeProto>| {
        let attributes = [vec![int("sample_size", samples)], attributes].concat();
        let proto = of(node("Multinomial", &["x"], &["y"], attributes), data_type::FLOAT, &[2, 4], to);
        y(&proto, &Tensor::from(rows))
    };
    let drawn = of(data_type::INT32, vec![]);
    assert_eq!((drawn.shape(), drawn.dtype()), (&[2, samples as usize][..], DType::I32));
    let all = drawn.to_f64s();
    for (row, drawn) in rows.iter().zip(all.chunks(samples as usize)) {
        let total: f64 = row.iter().map(|v| f64::from(*v).exp()).sum();
        for (class, logit) in row.iter().enumerate() {
            let p = f64::from(*logit).exp() / total;
            let sigma = (p * (1.0 - p)).sqrt().max(1e-12);
            mean_is(drawn, |i| f64::from(u8::from(drawn[i] == class as f64)), p, sigma);
        }
    }
    let wide = of(data_type::INT64, vec![int("dtype", 7)]);
    assert_eq!((wide.dtype(), wide.to_f64s()), (DType::I64, all.clone()));
    assert_ne!(of(data_type::INT32, vec![float("seed", 1.0)]).to_f64s(), all);
}

#[test]
fn what_cannot_be_drawn_is_an_error() {
    let run = |proto: &ModelProto, shape: &[usize]| {
        let model = read(proto).unwrap();
        let x = Tensor::zeros(shape.to_vec());
        let inputs: Vec<_> = if model.inputs().is_empty() { vec![] } else { vec![("x", &x)] };
        let session = model.compile(&Device::cpu());
        session.and_then(|s| s.run(&inputs)).unwrap_err().to_string()
    };
    let says = |text: String, part: &str| assert!(text.contains(part), "{text}");
    says(run(&drawn("RandomUniform", vec![]), &[1]), "RandomUniform lacks its shape");
    let integers = drawn("RandomNormal", vec![ints("shape", &[2]), int("dtype", 6)]);
    says(run(&integers, &[1]), "RandomNormal of i32: it draws floats");
    let many = drawn("RandomUniform", vec![ints("shape", &[1 << 15, 1 << 15])]);
    says(run(&many, &[1]), "1073741824 random numbers: too many");
    let classes = |shape: &[i64], attributes: Vec<AttributeProto>| {
        of(node("Multinomial", &["x"], &["y"], attributes), data_type::FLOAT, shape, data_type::INT32)
    };
    says(run(&classes(&[4], vec![]), &[4]), "Multinomial takes floats [batch, classes], not f32[4]");
    says(run(&classes(&[2, 4], vec![int("sample_size", 0)]), &[2, 4]), "Multinomial of 0 samples as i32");
    says(run(&classes(&[2, 4], vec![int("dtype", 1)]), &[2, 4]), "Multinomial of 1 samples as f32");
    says(run(&classes(&[2, 0], vec![]), &[2, 0]), "there are no values");
    says(
        error(&drawn("RandomUniform", vec![ints("shape", &[2]), int("sides", 1)])),
        "attribute sides of RandomUniform",
    );
}
