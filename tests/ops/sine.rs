use convgpu::Tensor;
use convgpu::custom::Op;
use convgpu::internals::ops::sine::Sine;

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
