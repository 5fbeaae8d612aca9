use convgpu::custom::Op;
use convgpu::internals::ops::conv_transpose2d::ConvTranspose2d;
use convgpu::{Desc, Tensor};

use crate::support::{Case, Rng, check, check_golden};

/// A random transposed convolution: never square, different padding on every side, channels off the tile sizes.
fn random(rng: &mut Rng, integers: bool) {
    let groups = [1, 1, 1, 2, 4][rng.int(0, 4)];
    let (icg, ocg) = if rng.int(0, 2) == 0 { (4, 8) } else { (rng.int(1, 9), rng.int(1, 13)) };
    let (n, kh, kw) = (rng.int(1, 3), rng.int(1, 5), rng.int(1, 4));
    let op = ConvTranspose2d {
        stride: [rng.int(1, 3), rng.int(1, 4)],
        padding: [[rng.int(0, 3), rng.int(0, 2)], [rng.int(0, 2), rng.int(0, 3)]],
        output_padding: [rng.int(0, 2), rng.int(0, 3)],
        dilation: [rng.int(1, 2), rng.int(1, 3)],
        groups,
    };
    let (ih, iw) = (rng.int(6, 9), rng.int(7, 11));
    let mut make = |shape: &[usize]| if integers { rng.integers(shape) } else { rng.tensor(shape) };
    let mut inputs = vec![make(&[n, icg * groups, ih, iw]), make(&[icg * groups, ocg, kh, kw])];
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
    (0..20).for_each(|_| random(&mut rng, false));
}

/// Enough channels and pixels for every tile, groups of whole tiles, phases that end beyond the image.
#[test]
fn wide_tiles_are_exact() {
    let mut rng = Rng(5);
    for (n, ic, oc, ih, iw, groups) in [(2, 6, 45, 9, 11, 1), (1, 10, 33, 3, 2, 1), (1, 8, 128, 7, 5, 2)] {
        let op = ConvTranspose2d {
            stride: [2, 3],
            padding: [[1, 0], [2, 1]],
            output_padding: [1, 0],
            dilation: [1, 2],
            groups,
        };
        let (x, w) = (rng.integers(&[n, ic, ih, iw]), rng.integers(&[ic, oc / groups, 3, 2]));
        check(op, &[x, w, rng.integers(&[oc])], true);
    }
}

/// As for `conv2d`.
#[test]
fn special_values_stay_in_their_windows() {
    for (k, (stride, dilation, groups)) in
        [([1, 1], [1, 1], 1), ([2, 3], [1, 1], 1), ([2, 1], [1, 2], 2)].into_iter().enumerate()
    {
        let mut rng = Rng(k as u64);
        let op = ConvTranspose2d { stride, dilation, groups, padding: [[1, 1], [0, 1]], ..ConvTranspose2d::default() };
        let weight = rng.tensor(&[6, 5, 3, 3]);
        for special in [f32::INFINITY, f32::NAN] {
            let mut values = rng.tensor(&[2, 6, 7, 5]).to_vec::<f32>().unwrap();
            values[70 + 9 * k] = special;
            check(op.clone(), &[Tensor::new([2, 6, 7, 5], values).unwrap(), weight.clone()], false);
        }
    }
}

#[test]
fn dcgan_layer() {
    let mut rng = Rng(3);
    let op = ConvTranspose2d { stride: [2, 2], padding: [[1; 2]; 2], ..Default::default() };
    check(op, &[rng.integers(&[1, 128, 7, 9]), rng.integers(&[128, 64, 4, 4])], true);
}

#[test]
fn single_pixels_and_empty_batches() {
    let mut rng = Rng(4);
    let op = ConvTranspose2d { stride: [3, 2], ..Default::default() };
    check(op.clone(), &[rng.integers(&[1, 5, 1, 1]), rng.integers(&[5, 3, 2, 1])], true);
    check(op, &[rng.integers(&[0, 5, 2, 3]), rng.integers(&[5, 3, 2, 1])], true);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let x = Desc::f32([1, 4, 2, 3]);
    let refused = |op: ConvTranspose2d, w: [usize; 4]| assert!(op.outputs(&[x.clone(), Desc::f32(w)]).is_err());
    refused(ConvTranspose2d { padding: [[2; 2], [0; 2]], ..Default::default() }, [4, 2, 1, 1]);
    refused(ConvTranspose2d { groups: 3, ..Default::default() }, [4, 2, 1, 1]);
    refused(ConvTranspose2d { stride: [0, 1], ..Default::default() }, [4, 2, 1, 1]);
    refused(ConvTranspose2d::default(), [5, 2, 1, 1]);
}

pub fn pytorch(case: &Case) {
    let p = case.pair("padding");
    let op = ConvTranspose2d {
        stride: case.pair("stride"),
        padding: [[p[0]; 2], [p[1]; 2]],
        output_padding: case.pair("output_padding"),
        dilation: case.pair("dilation"),
        groups: case.usize("groups"),
    };
    check_golden(case, op, &case.input_tensors(), &case.out());
}
