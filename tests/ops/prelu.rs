use convgpu::Desc;
use convgpu::custom::Op;
use convgpu::internals::ops::prelu::Prelu;

use crate::support::{Case, Rng, check, check_golden};

#[test]
fn slopes_of_every_form() {
    let mut rng = Rng(1);
    let slopes: [(&[usize], &[usize]); 6] = [
        (&[2, 5, 3, 4], &[5]),
        (&[2, 5, 3, 4], &[1]),
        (&[2, 5, 3, 4], &[5, 1, 1]),
        (&[2, 5, 3, 4], &[1, 1, 1, 4]),
        (&[3, 7], &[7]),
        (&[0, 5, 3], &[5]),
    ];
    for (x, slope) in slopes {
        check(Prelu, &[rng.integers(x), rng.integers(slope)], true);
        check(Prelu, &[rng.tensor(x), rng.tensor(slope)], false);
    }
}

#[test]
fn a_slope_that_would_widen_the_input_is_an_error() {
    assert!(Prelu.outputs(&[Desc::f32([1, 5]), Desc::f32([2, 5])]).is_err());
    assert!(Prelu.outputs(&[Desc::f32([2, 5, 3]), Desc::f32([4])]).is_err());
}

pub fn pytorch(case: &Case) {
    check_golden(case, Prelu, &case.input_tensors(), &case.out());
}
