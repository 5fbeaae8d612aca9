use convgpu::custom::Op;
use convgpu::internals::ops::kernels;
use convgpu::internals::ops::sine::Sine;
use convgpu::{Precision, Tensor};

use crate::support::{Case, Rng, check, check_golden};

fn of(values: Vec<f32>) -> Tensor {
    Tensor::new([values.len()], values).unwrap()
}

#[test]
fn any_angle() {
    let mut rng = Rng(1);
    for cosine in [false, true] {
        for scale in [1e-3, 1.0, 4.0, 100.0, 8000.0, 1e6, 1e20] {
            let x = (0..1001).map(|_| rng.float() * scale).collect();
            check(Sine { cosine }, &[of(x)], false);
        }
        let quarters = (-40..40).map(|k| k as f32 * std::f32::consts::FRAC_PI_2).collect();
        check(Sine { cosine }, &[of(quarters)], false);
        check(Sine { cosine }, &[of(vec![0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX])], false);
        check(Sine { cosine }, &[Tensor::zeros([2, 0, 3])], false);
    }
}

/// `numpy.sin` and `numpy.cos` of the f32 numbers in f64.
#[test]
fn values() {
    let x = [of(vec![1.0, 30.0, -7.5])];
    let near = |op: Sine, expected: [f64; 3]| {
        let y = op.reference(&x).unwrap().remove(0);
        assert!(y.to_f64s().iter().zip(expected).all(|(y, e)| (y - e).abs() < 1e-7), "{y:?}");
    };
    near(Sine { cosine: false }, [0.8414709848, -0.9880316241, -0.9379999768]);
    near(Sine { cosine: true }, [0.5403023059, 0.1542514499, 0.3466353179]);
}

pub fn pytorch(case: &Case) {
    check_golden(case, Sine { cosine: case.op == "cos" }, &case.input_tensors(), &case.out());
}

/// `a * b + c`.
type MultiplyAdd = fn(f32, f32, f32) -> f32;

#[allow(clippy::approx_constant, clippy::excessive_precision, reason = "the numbers of the shader's text")]
/// `shaders/sine.wgsl` on a device whose multiply-adds are `f`; `reduced` gives the rest of an angle after q quarter turns.
fn emulated(x: f32, cosine: bool, f: MultiplyAdd, reduced: fn(f32, f32, MultiplyAdd) -> f32) -> f32 {
    let q = (x * 0.636_619_77).clamp(-1e9, 1e9).round_ties_even();
    let r = reduced(x, q, f);
    let s = r * r;
    let odd = f(r * s, f(f(-1.951_529_589_1e-4, s, 8.332_160_873_6e-3), s, -1.666_665_461_1e-1), r);
    let even = f(f(2.443_315_711_809_948e-5, s, -1.388_731_625_493_765e-3), s, 4.166_664_568_298_827e-2);
    let even = f(s * s, even, f(-0.5, s, 1.0));
    let quadrant = (q as i32 + i32::from(cosine)) & 3;
    let size = if quadrant & 1 == 1 { even } else { odd }.clamp(-1.0, 1.0);
    if quadrant >= 2 { -size } else { size }
}

#[allow(clippy::excessive_precision, reason = "the numbers of the shader's text")]
const PARTS: [f32; 3] = [1.570_312_5, 4.837_512_969_970_703e-4, 7.549_789_954_891_882e-8];

fn nested(x: f32, q: f32, f: MultiplyAdd) -> f32 {
    PARTS.iter().fold(x, |r, part| f(-q, *part, r))
}

/// The bound holds for devices that fuse multiply-adds and for those that do not, and not for a compiler that adds the parts of
/// pi up.
#[test]
fn the_bound_holds_fused_and_not() {
    let kernel = kernels().into_iter().find(|kernel| kernel.name() == "sine").unwrap();
    let text = kernel.wgsl(&[], Precision::F32);
    for line in [
        "let q = round(clamp(v * 0.63661977, -1e9, 1e9));",
        "let first = bitcast<f32>(bitcast<u32>(fma(-q, 1.5703125, v)) ^ zero);",
        "let second = bitcast<f32>(bitcast<u32>(fma(-q, 4.837512969970703e-4, first)) ^ zero);",
        "let r = fma(-q, 7.549789954891882e-8, second);",
        "let odd = r + r * s * ((-1.9515295891e-4 * s + 8.3321608736e-3) * s - 1.6666654611e-1);",
        "let even = 1.0 - 0.5 * s + s * s * ((2.443315711809948e-5 * s - 1.388731625493765e-3) * s + 4.166664568298827e-2);",
    ] {
        assert!(text.contains(line), "the emulation is that of another text: {line}");
    }
    let mut rng = Rng(5);
    let mut angles: Vec<f32> = (0..60_000).map(|k| k as f32 * 0.136_5).collect();
    angles.extend((0..5300).map(|k| k as f32 * std::f32::consts::FRAC_PI_2));
    angles.extend((0..20_000).map(|_| 1e5 * rng.float()));
    let x = [of(angles.clone())];
    // The ratio of the largest error to its bound.
    let worst = |f: MultiplyAdd, reduced| {
        let of_one = |cosine: bool| {
            let bounds = Sine { cosine }.bounds(&x, &[]).unwrap().unwrap().remove(0);
            let exact = if cosine { f64::cos } else { f64::sin };
            let error = |x: f32| (f64::from(emulated(x, cosine, f, reduced)) - exact(x.into())).abs();
            angles.iter().zip(bounds).map(|(x, bound)| error(*x) / f64::from(bound)).fold(0.0, f64::max)
        };
        f64::max(of_one(false), of_one(true))
    };
    let unfused: MultiplyAdd = |a, b, c| a * b + c;
    for f in [unfused, f32::mul_add] {
        let ratio = worst(f, nested);
        assert!(ratio <= 1.0, "{ratio}");
        assert!(worst(f, |x, q, f| f(-q, PARTS.iter().sum(), x)) > 100.0);
    }
}
