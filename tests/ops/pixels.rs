use convgpu::custom::Op;
use convgpu::internals::ops::pixels::{Channels, FromPixels, Norm, ToPixels};
use convgpu::{DType, Desc, Tensor};

use crate::support::{Case, Rng, check, check_golden, golden};

const SCALE: f64 = 1.0 / 255.0;
const PLAIN: Norm = Norm { scale: SCALE, mean: [0.0; 4], std: [1.0; 4] };
const IMAGENET: Norm = Norm { scale: SCALE, mean: [0.485, 0.456, 0.406, 0.5], std: [0.229, 0.224, 0.225, 0.25] };
const RGB: Channels = Channels { count: 3, swapped: false, last: false, norm: PLAIN };

/// All channel counts, orders, layouts, with and without mean and std.
fn all_channels() -> impl Iterator<Item = Channels> {
    [1, 3, 4].into_iter().flat_map(|count| {
        (0..8).map(move |k| Channels {
            count,
            swapped: k & 1 > 0,
            last: k & 2 > 0,
            norm: if k & 4 > 0 { IMAGENET } else { PLAIN },
        })
    })
}

fn random_words(rng: &mut Rng, [h, pitch]: [usize; 2]) -> Tensor {
    Tensor::new([h, pitch], (0..h * pitch).map(|_| rng.next() as u32).collect::<Vec<_>>()).unwrap()
}

/// Rows of words padded to 256 bytes; the padding has pixels that must not be seen.
fn words(rng: &mut Rng, bytes: &Tensor) -> Tensor {
    let (h, w) = (bytes.shape()[0], bytes.shape()[1]);
    let pitch = w.next_multiple_of(64);
    let mut out = random_words(rng, [h, pitch]).as_slice::<u32>().unwrap().to_vec();
    let bytes: Vec<u8> = bytes.to_i64s().unwrap().iter().map(|&b| b as u8).collect();
    for (i, b) in bytes.chunks_exact(4).enumerate() {
        out[i / w * pitch + i % w] = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    }
    Tensor::new([h, pitch], out).unwrap()
}

fn of_case(case: &Case) -> FromPixels {
    let norm = if case.bool("normalize") { IMAGENET } else { PLAIN };
    let count = case.usize("channels");
    let channels = Channels { count, swapped: case.bool("bgr") && count > 1, last: case.bool("channels_last"), norm };
    let size = case.params["size"].is_array().then(|| case.pair("size"));
    FromPixels { width: case.tensor("x").shape()[1], size, channels }
}

/// torchvision's resizing and normalisation in f64.
#[test]
fn values_are_those_of_torchvision() {
    let mut rng = Rng(1);
    let cases = golden("pixels");
    assert_eq!(cases.len(), 24);
    for case in &cases {
        let x = words(&mut rng, case.tensor("x"));
        check_golden(case, of_case(case), &[x], &[case.tensor("out").clone()]);
    }
}

/// Pillow rounds after the rows and after the columns, and the luma: with each, half a step.
#[test]
fn bytes_are_those_of_pillow_but_for_its_rounding() {
    let mut rng = Rng(2);
    let mut exact = 0;
    for case in &golden("pixels") {
        let op = of_case(case);
        let channels = Channels { last: true, swapped: false, norm: Norm { scale: 1.0, ..PLAIN }, ..op.channels };
        let y = FromPixels { channels, ..op }.reference(&[words(&mut rng, case.tensor("x"))]).unwrap().remove(0);
        let pillow = case.tensor("pillow");
        assert_eq!(y.shape()[1..], *pillow.shape());
        let steps = if channels.count == 1 { 1.5 } else { 1.0 };
        let off = y.to_f64s().into_iter().zip(pillow.to_f64s()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off <= steps + 1e-3, "case {}: {off}", case.id);
        exact += usize::from(off == 0.0);
    }
    // Those that are neither resized nor grey.
    assert_eq!(exact, 2);
}

#[test]
fn pixels_of_every_order_and_layout() {
    let mut rng = Rng(3);
    for channels in all_channels() {
        check(FromPixels { width: 7, size: None, channels }, &[random_words(&mut rng, [5, 64])], false);
        check(FromPixels { width: 70, size: Some([9, 11]), channels }, &[random_words(&mut rng, [5, 128])], false);
        check(FromPixels { width: 7, size: Some([5, 3]), channels }, &[rng.tensor(&[13, 7, 4])], false);
        check(ToPixels { pitch: 64, channels }, &[near_pixels(&mut rng, &channels, [5, 7])], false);
    }
}

/// Values of bytes a tenth off, and some outside the range.
fn near_pixels(rng: &mut Rng, c: &Channels, [h, w]: [usize; 2]) -> Tensor {
    let shape = if c.last { [1, h, w, c.count] } else { [1, c.count, h, w] };
    let channel = |i: usize| if c.last { i % c.count } else { i / (h * w) };
    let pixel = |rng: &mut Rng| rng.int(0, 300) as f32 - 20.0 + 0.8 * (rng.float() - 0.5);
    let value = |i| (pixel(rng) * c.norm.scale as f32 - c.norm.mean[channel(i)]) / c.norm.std[channel(i)];
    Tensor::new(shape, (0..h * w * c.count).map(value).collect::<Vec<_>>()).unwrap()
}

/// Whole numbers and one step of the scale: nothing is rounded.
#[test]
fn integers_are_exact() {
    let mut rng = Rng(4);
    let channels = Channels { count: 4, norm: Norm { scale: 1.0, mean: [3.0; 4], std: [0.5; 4] }, ..RGB };
    check(FromPixels { width: 60, size: None, channels }, &[random_words(&mut rng, [6, 64])], true);
    let shrunk = FromPixels { width: 64, size: Some([3, 64]), channels };
    check(shrunk, &[random_words(&mut rng, [3, 64])], true);
    check(ToPixels { pitch: 64, channels }, &[rng.integers(&[1, 4, 6, 60])], true);
}

/// `ToTensor` of torchvision divides by 255 in f32. A step is 2^-24 below 1.
#[test]
fn bytes_are_fractions_of_255() {
    let x = Tensor::new([256, 1], (0..=255u32).collect::<Vec<_>>()).unwrap();
    let channels = Channels { last: true, ..RGB };
    let op = FromPixels { width: 1, size: None, channels };
    let y = op.reference(std::slice::from_ref(&x)).unwrap().remove(0);
    // One product, which is rounded as the reference rounds it: only a subnormal number may differ.
    assert!(op.bounds(&[x], &[]).unwrap().unwrap()[0].iter().all(|bound| *bound < 1e-37));
    for (k, rgb) in y.as_f32().unwrap().chunks_exact(3).enumerate() {
        let divided = k as f32 / 255.0;
        assert!(rgb[0].to_bits().abs_diff(divided.to_bits()) <= 1, "{k}: {} for {divided}", rgb[0]);
    }
}

#[test]
fn bytes_survive_the_way_to_a_network_and_back() {
    let mut rng = Rng(5);
    for channels in all_channels().filter(|c| c.count == 4) {
        let x = random_words(&mut rng, [9, 64]);
        let values = FromPixels { width: 64, size: None, channels }.reference(std::slice::from_ref(&x)).unwrap();
        assert_eq!(ToPixels { pitch: 64, channels }.reference(&values).unwrap(), [x]);
    }
}

/// Halves go up, what is outside 0..255 is clamped, NaN is 0; without a fourth channel the fourth byte is 255, and padding is 0.
#[test]
fn bytes_by_hand() {
    let channels = Channels { norm: Norm { scale: 1.0, ..PLAIN }, ..RGB };
    let values = vec![0.5, 254.49, f32::NAN, -3.0, 1e30, f32::NEG_INFINITY, 1.0, 2.0, f32::INFINITY];
    let x = Tensor::new([1, 3, 1, 3], values).unwrap();
    let op = ToPixels { pitch: 4, channels };
    let words = op.reference(std::slice::from_ref(&x)).unwrap().remove(0);
    assert_eq!(words.as_slice::<u32>().unwrap(), [0xff01_0001, 0xff02_fffe, 0xffff_0000, 0]);
    check(op, &[x], true);
    let gray = ToPixels { pitch: 1, channels: Channels { count: 1, ..channels } };
    let words = gray.reference(&[Tensor::full([1, 1, 1, 1], 7.4f32)]).unwrap().remove(0);
    assert_eq!(words.as_slice::<u32>().unwrap(), [0xff07_0707]);
}

/// 1/255 as an f32 is a little more than 1/255: its inverse would turn 127.5 into 127.
#[test]
fn halves_of_the_default_scale_go_up() {
    let x = Tensor::new([1, 3, 1, 1], vec![0.5f32, 0.1, 0.3]).unwrap();
    let op = ToPixels { pitch: 1, channels: RGB };
    let words = op.reference(std::slice::from_ref(&x)).unwrap().remove(0);
    assert_eq!(words.as_slice::<u32>().unwrap(), [u32::from_le_bytes([128, 26, 77, 255])]);
    check(op, &[x], true);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let refuses = |op: &dyn Op, x: Desc, says: &str| {
        let e = op.outputs(&[x]).unwrap_err().to_string();
        assert!(e.contains(says), "{e}");
    };
    let from = FromPixels { width: 7, size: None, channels: RGB };
    let words = |shape: [usize; 2]| Desc::new(shape, DType::U32);
    refuses(&from, words([5, 6]), "7 pixels a row are u32[h, 7 or more] or f32[h, 7, 4], not u32[5, 6]");
    refuses(&from, Desc::f32([5, 7, 3]), "not f32[5, 7, 3]");
    refuses(&from, words([0, 64]), "0 pixels to 0");
    refuses(&FromPixels { size: Some([0, 3]), ..from.clone() }, words([5, 64]), "5 pixels to 0");
    refuses(&FromPixels { size: Some([1, 1]), ..from.clone() }, words([9000, 64]), "more than 4096 taps");
    refuses(&FromPixels { channels: Channels { count: 2, ..RGB }, ..from.clone() }, words([5, 64]), "1, 3 or 4");
    let norm = Norm { std: [1.0, 0.0, 1.0, 1.0], ..PLAIN };
    let with = |norm| FromPixels { channels: Channels { norm, ..RGB }, ..from.clone() };
    refuses(&with(norm), words([5, 64]), "scale and std not 0");
    refuses(&with(Norm { std: [1e-40; 4], ..PLAIN }), words([5, 64]), "their inverses");
    refuses(&with(Norm { scale: 1e-30, mean: [1e30; 4], ..PLAIN }), words([5, 64]), "quotients");
    let to = ToPixels { pitch: 6, channels: RGB };
    refuses(&to, Desc::f32([1, 3, 5, 7]), "7 pixels do not fit a row of 6");
    refuses(&to, Desc::f32([2, 3, 5, 6]), "an image is f32[1, 3, h, w], not f32[2, 3, 5, 6]");
    check(ToPixels { pitch: 64, channels: RGB }, &[Tensor::zeros([1, 3, 0, 7])], true);
}

/// A factor or a quotient that f32 does not have, or only as a subnormal number.
#[test]
fn norms_that_f32_cannot_compute_are_refused() {
    let of = |norm: Norm| {
        let op = FromPixels { width: 2, size: None, channels: Channels { norm, ..RGB } };
        op.outputs(&[Desc::new([2, 2], DType::U32)]).map(drop)
    };
    assert!(of(IMAGENET).is_ok());
    // 1 / 3e38 is subnormal, 1 / 1e-39 is infinite.
    for v in [3e38, 1e-39, 0.0, f32::NAN, f32::INFINITY] {
        let mut std = [1.0; 4];
        std[2] = v;
        assert!(of(Norm { std, ..PLAIN }).is_err(), "std {v}");
        assert!(of(Norm { scale: v.into(), ..PLAIN }).is_err(), "scale {v}");
    }
    for (mean, scale) in [(f32::NAN, SCALE), (f32::INFINITY, SCALE), (3e38, 1e-3)] {
        assert!(of(Norm { mean: [0.0, mean, 0.0, 0.0], scale, ..PLAIN }).is_err(), "mean {mean}");
    }
}

/// Adding the mean rounds by its size: a number so near to the middle of two integers may become either.
#[test]
fn a_large_mean_widens_the_bound() {
    let mut norm = PLAIN;
    norm.mean[0] = 0.5;
    let op = ToPixels { pitch: 1, channels: Channels { count: 1, norm, ..RGB } };
    // 2^-24 (100 + 2 127.5 + 1) 5 is 1.06e-4; without the mean it would be 3.0e-5.
    for (off, may_differ) in [(6e-5, true), (2e-4, false)] {
        let x = Tensor::new([1, 1, 1, 1], vec![((100.5 + off) / 255.0 - 0.5) as f32]).unwrap();
        let y = op.reference(std::slice::from_ref(&x)).unwrap();
        let bound = op.bounds(std::slice::from_ref(&x), &y).unwrap().unwrap()[0][0];
        assert_eq!(bound > 0.0, may_differ, "{off}: {bound}");
    }
}

/// A negative scale and a negative deviation.
#[test]
fn negative_norms() {
    let mut norm = IMAGENET;
    norm.std[1] = -0.25;
    let channels = Channels { norm, ..RGB };
    let rng = &mut Rng(8);
    check(FromPixels { width: 9, size: None, channels }, &[random_words(rng, [7, 9])], false);
    let op = FromPixels { width: 2, size: None, channels };
    let words = random_words(rng, [2, 2]);
    let y = op.reference(std::slice::from_ref(&words)).unwrap();
    let bounds = op.bounds(std::slice::from_ref(&words), &y).unwrap().unwrap();
    assert!(bounds[0].iter().all(|bound| *bound >= 0.0), "{bounds:?}");
}
