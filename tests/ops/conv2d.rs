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

/// One filter a channel.
fn depthwise(rng: &mut Rng, integers: bool) {
    let (n, c, kh, kw) = (rng.int(1, 2), rng.int(2, 21), rng.int(1, 5), rng.int(1, 4));
    let op = Conv2d {
        stride: [rng.int(1, 2), rng.int(1, 3)],
        padding: [rng.int(0, 2), rng.int(0, 2), rng.int(0, 2), rng.int(0, 3)],
        dilation: [rng.int(1, 2), rng.int(1, 2)],
        groups: c,
    };
    let ih = op.dilation[0] * (kh - 1) + 1 + rng.int(0, 7);
    let iw = op.dilation[1] * (kw - 1) + 1 + rng.int(0, 9);
    let mut make = |shape: &[usize]| if integers { rng.integers(shape) } else { rng.tensor(shape) };
    check(op, &[make(&[n, c, ih, iw]), make(&[c, 1, kh, kw]), make(&[c])], integers);
}

/// Enough channels and pixels for every width of the subgroup kernel, and groups of whole subgroups.
#[test]
fn wide_tiles_are_exact() {
    let mut rng = Rng(3);
    for (n, ic, oc, ih, iw, groups) in [(2, 6, 45, 17, 19, 1), (1, 10, 33, 5, 7, 1), (1, 64, 64, 23, 25, 2)] {
        let op = Conv2d { stride: [1, 1], padding: [1, 0, 1, 2], dilation: [1, 2], groups };
        let (x, w) = (rng.integers(&[n, ic, ih, iw]), rng.integers(&[oc, ic / groups, 3, 2]));
        check(op, &[x, w, rng.integers(&[oc])], true);
    }
}

#[test]
fn integers_are_exact() {
    let mut rng = Rng(1);
    (0..30).for_each(|_| random(&mut rng, true));
    (0..20).for_each(|_| depthwise(&mut rng, true));
}

#[test]
fn random_cases_within_bounds() {
    let mut rng = Rng(2);
    (0..30).for_each(|_| random(&mut rng, false));
    (0..10).for_each(|_| depthwise(&mut rng, false));
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
