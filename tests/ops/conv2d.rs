use convgpu::ops::conv2d::Conv2d;

use crate::support::{Rng, check, check_golden, golden};

/// A random convolution: never square, padding of every side its own, channels off the tile sizes.
fn random(rng: &mut Rng, integers: bool) {
    let groups = [1, 1, 1, 2, 4][rng.int(0, 4)];
    let (icg, ocg) = (rng.int(1, 9), rng.int(1, 13));
    let (n, kh, kw) = (rng.int(1, 3), rng.int(1, 5), rng.int(1, 4));
    let op = Conv2d {
        stride: [rng.int(1, 3), rng.int(1, 2)],
        padding: [rng.int(0, 3), rng.int(0, 2), rng.int(0, 2), rng.int(0, 3)],
        dilation: [rng.int(1, 2), rng.int(1, 3)],
        groups,
    };
    let ih = op.dilation[0] * (kh - 1) + 1 + rng.int(0, 7);
    let iw = op.dilation[1] * (kw - 1) + 1 + rng.int(0, 9);
    let mut make = |shape: &[usize]| if integers { rng.integers(shape) } else { rng.tensor(shape) };
    let mut inputs = vec![make(&[n, icg * groups, ih, iw]), make(&[ocg * groups, icg, kh, kw])];
    if kh % 2 == 0 {
        inputs.push(make(&[ocg * groups]));
    }
    check(op, &inputs, integers);
}

#[test]
fn integers_are_exact() {
    let mut rng = Rng(1);
    (0..30).for_each(|_| random(&mut rng, true));
}

#[test]
fn random_cases_within_bounds() {
    let mut rng = Rng(2);
    (0..30).for_each(|_| random(&mut rng, false));
}

#[test]
fn pytorch_agrees() {
    let mut ran = 0;
    for case in golden("conv2d") {
        let (Some(padding), "zeros") =
            (case.params["padding"].as_array(), case.params["padding_mode"].as_str().unwrap())
        else {
            continue; // 'same' and the other padding modes are functional forms: tests/functional.rs
        };
        let p: Vec<_> = padding.iter().map(|v| v.as_u64().unwrap() as usize).collect();
        let op = Conv2d {
            stride: case.pair("stride"),
            padding: [p[0], p[0], p[1], p[1]],
            dilation: case.pair("dilation"),
            groups: case.usize("groups"),
        };
        check_golden(&case, op, &case.input_tensors(), &[case.get("out").unwrap().clone()]);
        ran += 1;
    }
    assert_eq!(ran, 24);
}
