use convgpu::Tensor;
use convgpu::custom::{Arg, Op};
use convgpu::internals::attr::Trigonometric::{self, *};
use convgpu::internals::ops::trigonometry::Trigonometry;

use crate::reassociated::Mutant;
use crate::support::{Case, Rng, check, check_golden};

const ALL: [Trigonometric; 9] = [Tan, Asin, Acos, Atan, Sinh, Cosh, Asinh, Acosh, Atanh];

fn of(values: Vec<f32>) -> Tensor {
    Tensor::new([values.len()], values).unwrap()
}

#[test]
fn any_number() {
    let mut rng = Rng(1);
    for f in ALL {
        for scale in [1e-30, 1e-3, 0.4, 1.0, 4.0, 88.0, 8000.0, 1e20] {
            let x = (0..1001).map(|_| rng.float() * scale).collect();
            check(Trigonometry(f), &[of(x)], false);
        }
        let quarters = (-40..40).map(|k| k as f32 * std::f32::consts::FRAC_PI_2).collect();
        check(Trigonometry(f), &[of(quarters)], false);
        check(Trigonometry(f), &[Tensor::zeros([2, 0, 3])], false);
    }
}

/// Where formulas meet, and at the ends of domains.
#[test]
fn seams() {
    let around = |at: f32| (-20i32..=20).map(move |k| f32::from_bits(at.to_bits().wrapping_add_signed(k)));
    let seams = [
        0.382_683_43,
        0.414_213_56,
        0.5,
        std::f32::consts::FRAC_1_SQRT_2,
        0.75,
        0.923_879_5,
        1.0,
        1.25,
        2.414_213_6,
        8192.0,
        1e30,
    ];
    let positive = seams.into_iter().flat_map(around).chain([0.0, f32::MIN_POSITIVE, 89.0, 89.415_98, 89.42, f32::MAX]);
    let positive: Vec<f32> = positive.chain([f32::INFINITY, f32::NAN]).collect();
    let x = of(positive.iter().flat_map(|&v| [v, -v]).collect());
    for f in ALL {
        check(Trigonometry(f), std::slice::from_ref(&x), false);
    }
}

/// The functions of `mpmath`, of the f32 numbers.
#[test]
fn values() {
    let near = |f: Trigonometric, x: f32, expected: f64| {
        let y = Trigonometry(f).reference(&[of(vec![x])]).unwrap()[0].to_f64s()[0];
        assert!((y - expected).abs() <= 1e-7 * expected.abs(), "{f:?} of {x}: {y}");
    };
    near(Tan, 1.0, 1.557_407_724_654_902);
    near(Asin, 0.5, std::f64::consts::FRAC_PI_6);
    near(Acos, -0.5, 2.094_395_102_393_195_3);
    near(Atan, 3.0, 1.249_045_772_398_254_4);
    near(Sinh, 2.0, 3.626_860_407_847_019);
    near(Cosh, 2.0, 3.762_195_691_083_631_4);
    near(Asinh, -2.0, -1.443_635_475_178_810_3);
    near(Acosh, 3.0, 1.762_747_174_039_086);
    near(Atanh, -0.5, -0.549_306_144_334_054_8);
}

/// As PyTorch has them.
#[test]
fn outside_the_domain() {
    let at = |f: Trigonometric, x: f32| Trigonometry(f).reference(&[of(vec![x])]).unwrap()[0].to_f64s()[0];
    let nowhere = [(Tan, f32::INFINITY), (Asin, 2.0), (Acos, -2.0), (Acosh, 0.5), (Acosh, -2.0), (Atanh, -2.0)];
    assert!(nowhere.into_iter().all(|(f, x)| at(f, x).is_nan()));
    assert_eq!([at(Atanh, 1.0), at(Atanh, -1.0)], [f64::INFINITY, f64::NEG_INFINITY]);
    assert_eq!([at(Sinh, -90.0), at(Cosh, -90.0)], [f64::NEG_INFINITY, f64::INFINITY]);
}

/// What a mistake in the text would be: a coefficient, a threshold, a sign, a constant.
#[test]
fn changed_texts_are_wrong() {
    let x = of((-4000..=4000).map(|k| k as f32 / 1000.0).chain([9000.0, 1e30]).collect());
    let text = |f, edits: &[(&str, &str)]| {
        Mutant::new(Trigonometry(f), &x.desc(), &[(&[Arg::Input(0)], &[Arg::Output(0)])], edits)
    };
    let fails = |f, from, to| {
        assert!(!text(f, &[]).fails(&x), "{f:?} as it is");
        assert!(text(f, &[(from, to)]).fails(&x), "{f:?} with {to}");
    };
    fails(Tan, "1.6666654611e-1", "1.6667654611e-1");
    fails(Tan, "select(t.even, -t.odd, is_odd)", "select(t.even, t.odd, is_odd)");
    fails(Atan, "3.33329491539e-1", "3.33319491539e-1");
    fails(Atan, "let is_steep = x < EIGHTH * y;", "let is_steep = x < 0.5 * y;");
    fails(Atan, "1.5707964", "1.570806");
    fails(Asin, "(1.0 - a) * (1.0 + a)", "1.0 - a * a + 1e-5");
    fails(Acos, "3.1415927 - acute", "3.1415827 - acute");
    fails(Sinh, "q * (1.0 / 120.0", "q * (1.0 / 120.0 + 1e-5");
    fails(Sinh, "series, a < 1.0", "series, a < 2.5");
    fails(Cosh, "+ 0.5 * exp(-a)", "- 0.5 * exp(-a)");
    fails(Asinh, "const LARGE = 8192.0;", "const LARGE = 3.0;");
    fails(Asinh, "1.0 / 3.0 + q", "1.0 / 3.0 + 1e-5 + q");
    fails(Acosh, "t * (t + 2.0)", "t * (t + 1.99999)");
    fails(Atanh, "z <= 1.0", "z <= 4.0");
}

pub fn pytorch(case: &Case) {
    let f = ALL.into_iter().find(|f| f.name() == case.op).unwrap();
    check_golden(case, Trigonometry(f), &case.input_tensors(), &case.out());
}
