//! Compares every case of the family `functional` with the public function of its name: on the reference and on the
//! test device, within the bounds of the operators that ran (`traced`).

use std::collections::HashSet;

use convgpu::functional::*;
use convgpu::internals::conformance::{Kind, Params};
use convgpu::nn::{Module, Upsample};
use convgpu::{Device, DeviceTensor, Tensor};

use crate::support::{Case, device, golden};
use crate::traced::{check, check_all, in_order};

#[test]
fn every_case_against_pytorch() {
    let cases = Kind::Functional.cases().unwrap();
    let functions: HashSet<&str> = cases.iter().map(|c| c.op.as_str()).collect();
    assert_eq!((cases.len(), functions.len()), (3430, 124));
    check_all(cases, |golden, device| {
        let call = || Ok(golden.call(Kind::Functional, device)?.into_iter().map(|(_, t)| t).collect());
        check(call, &in_order(golden.expected()))
    });
}

fn interpolation(case: &Case) -> InterpolateOptions {
    Params::new(&case.op, case.params.clone()).interpolate().unwrap()
}

/// Scale factors that f32 rounds, in every mode: through the function and through the layer.
#[test]
fn every_scale_factor_against_pytorch() {
    let cases = golden("interpolate");
    assert_eq!(cases.len(), 156);
    check_all(&cases, |case, device| {
        let (x, o) = (case.get("x").unwrap().to_device(device).unwrap(), interpolation(case));
        let layer = Upsample::new().options(o);
        let out = case.get("out").unwrap();
        check(|| Ok(vec![interpolate(&x, o)?]), &in_order([out]))?;
        check(|| Ok(vec![layer.forward(&x)?]), &[("out".to_owned(), out)])
    });
}

/// The values of `max_pool2d_with_indices` are those of `max_pool2d`.
#[test]
fn max_pooling_without_indices() {
    let cases: Vec<_> = golden("functional").into_iter().filter(|c| c.op == "max_pool2d").collect();
    assert_eq!(cases.len(), 70);
    check_all(&cases, |case, device| {
        let x = case.get("x").unwrap().to_device(device).unwrap();
        let options = Params::new(&case.op, case.params.clone()).max_pool().unwrap();
        let f = || Ok(vec![max_pool2d(&x, case.pair("kernel_size"), options)?]);
        check(f, &in_order([case.get("out").unwrap()]))
    });
}

fn tensor(shape: &[usize], values: &[f32]) -> DeviceTensor {
    Tensor::new(shape, values.to_vec()).unwrap().to_device(device()).unwrap()
}

/// Orders that PyTorch's cases do not have, computed by hand.
#[test]
fn norms_of_any_order() {
    let x = tensor(&[2, 3], &[3.0, 0.0, -4.0, 1.0, -2.0, 2.0]);
    for (p, wanted) in [
        (f32::INFINITY, [4.0, 2.0]),
        (f32::NEG_INFINITY, [0.0, 1.0]),
        (0.0, [2.0, 3.0]),
        (3.0, [91.0f32.cbrt(), 17.0f32.cbrt()]),
        (0.5, [(3.0f32.sqrt() + 2.0).powi(2), (1.0 + 2.0 * 2.0f32.sqrt()).powi(2)]),
    ] {
        let y = norm(&x, p, &[1], false).unwrap().to_host().unwrap();
        let off = |(a, e): (&f32, f32)| (a - e).abs() > 1e-5 * e;
        assert!(!y.as_f32().unwrap().iter().zip(wanted).any(off), "{p}: {y:?} for {wanted:?}");
    }
    // The cubes 1, 8, -27 and -1 add up to -19, which has no root in PyTorch's power; -1 + 8 has one.
    let x = tensor(&[1, 1, 2, 2], &[1.0, 2.0, -3.0, -1.0]);
    let y = lp_pool2d(&x, 3.0, 2, LpPool2dOptions::new()).unwrap().to_host().unwrap();
    assert!(y.as_f32().unwrap()[0].is_nan(), "{y:?}");
    let x = tensor(&[1, 1, 1, 2], &[-1.0, 2.0]);
    let y = lp_pool2d(&x, 3.0, [1, 2], LpPool2dOptions::new()).unwrap().to_host().unwrap();
    assert!((y.as_f32().unwrap()[0] - 7.0f32.cbrt()).abs() < 1e-5, "{y:?}");
}

/// Invalid arguments give an error on every device, before anything runs.
#[test]
fn arguments_that_cannot_be() {
    use convgpu::ErrorKind::{Argument, Shape, Unsupported};
    let x = tensor(&[1, 2, 4, 4], &[0.5; 32]);
    let flat = tensor(&[6], &[0.5; 6]);
    let w = tensor(&[2, 2, 3, 3], &[0.5; 36]);
    let whole = Tensor::new([6], vec![1i32; 6]).unwrap().to_device(device()).unwrap();
    let square = Tensor::new([4, 4], vec![1i32; 16]).unwrap().to_device(device()).unwrap();
    let conv = |o: Conv2dOptions| conv2d(&x, &w, None, o).err();
    let (v, k) = (tensor(&[1, 2, 2, 2, 4], &[0.5; 32]), tensor(&[2, 2, 3, 3, 3], &[0.5; 108]));
    let deep = |o: Conv3dOptions| conv3d(&v, &k, None, o).err();
    let padded = Conv3dOptions::new().padding(1);
    let largest = |kernel: usize, o: MaxPool3dOptions| max_pool3d(&v, kernel, o).err();
    let maps = tensor(&[1, 2, 3], &[0.5; 6]);
    let sampled = |shape: [usize; 4]| {
        let grid = Tensor::zeros(shape).to_device(device()).unwrap();
        grid_sample(&x, &grid, GridSampleOptions::new()).err()
    };
    let attended = |query: [usize; 4], mask: Option<&[usize]>, o: AttentionOptions| {
        let zeros = |shape: &[usize]| Tensor::zeros(shape).to_device(device()).unwrap();
        let (q, k, mask) = (zeros(&query), zeros(&[1, 2, 5, 3]), mask.map(zeros));
        scaled_dot_product_attention(&q, &k, &k, mask.as_ref(), o).err()
    };
    let heads = AttentionOptions::new();
    let places = Tensor::new([1, 2, 2, 2], vec![0i64; 8]).unwrap().to_device(device()).unwrap();
    let small = tensor(&[1, 2, 2, 2], &[0.5; 8]);
    let unpooled = |o: MaxUnpool2dOptions| max_unpool2d(&small, &places, 2, o);
    let moved = |shape: &[usize]| {
        let offset = Tensor::zeros(shape).to_device(device()).unwrap();
        deform_conv2d(&x, &offset, &w, None, None, DeformConv2dOptions::new()).err()
    };
    let one_box = tensor(&[1, 5], &[0.0, 1.0, 1.0, 2.0, 2.0]);
    let resized = |o: InterpolateOptions| interpolate(&x, o).err();
    // As for `v`, a transposed kernel whose rows are its channels.
    let wide = ConvTranspose3dOptions::new().stride(2);
    let back = |k: &DeviceTensor, o: ConvTranspose3dOptions| conv_transpose3d(&v, k, None, o).err();
    let zoomed = |mode: InterpolateMode| interpolate(&v, InterpolateOptions::new().size(3).mode(mode)).err();
    for (what, error, kind) in [
        ("a kernel larger than the image", conv(Conv2dOptions::new().dilation(2)), Shape),
        ("'same' with a stride", conv(Conv2dOptions::new().stride(2).padding(Padding::Same)), Argument),
        ("groups that do not fit", conv(Conv2dOptions::new().groups(2)), Shape),
        ("a kernel deeper than the volume", deep(Conv3dOptions::new().padding([0, 1, 1])), Shape),
        ("a kernel higher than the volume", deep(Conv3dOptions::new().padding([1, 0, 1])), Shape),
        ("no step along the depth", deep(padded.stride([0, 1, 1])), Argument),
        ("no step to the right", deep(padded.stride([1, 1, 0])), Argument),
        ("no step between taps", deep(padded.dilation([0, 1, 1])), Argument),
        ("'same' with a stride in volumes", deep(padded.padding(Padding::Same).stride(2)), Argument),
        ("groups of a volume that do not fit", deep(padded.groups(2)), Shape),
        ("no groups", deep(padded.groups(0)), Shape),
        ("a volume with a kernel of images", conv3d(&v, &w, None, Conv3dOptions::new()).err(), Shape),
        ("an image with a kernel of volumes", conv3d(&x, &k, None, Conv3dOptions::new()).err(), Shape),
        ("taps without end", deep(padded.padding([usize::MAX, 1, 1])), Unsupported),
        ("a transposed kernel of images", conv_transpose3d(&v, &w, None, ConvTranspose3dOptions::new()).err(), Shape),
        ("a transposed kernel of other channels", back(&k.reshape([1, 4, 3, 3, 3]).unwrap(), wide), Shape),
        ("groups of a transposed volume that do not fit", back(&k, wide.groups(3)), Shape),
        ("no groups of a transposed volume", back(&k, wide.groups(0)), Shape),
        ("as much at the end as a step", back(&k, wide.output_padding([2, 0, 0])), Argument),
        ("no step of a transposed volume", back(&k, wide.stride([0, 2, 2])), Argument),
        ("no depth left", back(&k, wide.padding([3, 0, 0])), Shape),
        ("no height left", back(&k, wide.padding([0, 3, 0])), Shape),
        ("a depth without end", back(&k, wide.stride([usize::MAX, 2, 2])), Shape),
        ("a volume by a mode of images", zoomed(InterpolateMode::Bilinear), Argument),
        ("a volume by cubics", zoomed(InterpolateMode::Bicubic), Argument),
        (
            "an image by a mode of volumes",
            resized(InterpolateOptions::new().size(3).mode(InterpolateMode::Trilinear)),
            Argument,
        ),
        ("sizes of an image for a volume", interpolate(&v, InterpolateOptions::new().size([3, 4])).err(), Argument),
        (
            "factors of a volume for an image",
            resized(InterpolateOptions::new().scale_factor([1.0, 2.0, 3.0])),
            Argument,
        ),
        ("no factor", interpolate(&v, InterpolateOptions::new().scale_factor([1.0, -2.0, 3.0])).err(), Argument),
        ("no depth", interpolate(&v, InterpolateOptions::new().scale_factor([0.1, 1.0, 1.0])).err(), Shape),
        ("windows of volumes over an image", max_pool3d(&x, 2, MaxPool3dOptions::new()).err(), Shape),
        ("a window deeper than the volume", largest(3, MaxPool3dOptions::new()), Shape),
        ("padding over half the volume's window", largest(2, MaxPool3dOptions::new().padding(2)), Argument),
        ("no step of a window", largest(2, MaxPool3dOptions::new().stride([0, 1, 1])), Argument),
        ("padding over half the window", max_pool2d(&x, 2, MaxPool2dOptions::new().padding(2)).err(), Argument),
        ("no order", lp_pool2d(&x, 0.0, 2, LpPool2dOptions::new()).err(), Argument),
        ("boxes without images", roi_align(&x, &tensor(&[1, 4], &[0.5; 4]), 2, RoiAlignOptions::new()).err(), Shape),
        ("no samples", roi_align(&x, &one_box, 2, RoiAlignOptions::new().sampling_ratio(0)).err(), Argument),
        ("no bins", roi_pool(&x, &one_box, [2, 0], 1.0).err(), Argument),
        ("no scale", roi_pool(&x, &one_box, 2, 0.0).err(), Argument),
        ("indices of another shape", max_unpool2d(&x, &places, 2, MaxUnpool2dOptions::new()).err(), Shape),
        ("an output far from the windows", unpooled(MaxUnpool2dOptions::new().output_size(2)).err(), Argument),
        ("an output without a size", unpooled(MaxUnpool2dOptions::new().padding(4)).err(), Shape),
        ("windows of another image", fold(&tensor(&[1, 4, 9], &[0.5; 36]), 5, 2, FoldOptions::new()).err(), Shape),
        ("taps that are none", fold(&tensor(&[1, 3, 9], &[0.5; 27]), 4, 2, FoldOptions::new()).err(), Shape),
        ("offsets of other taps", moved(&[1, 4, 2, 2]), Shape),
        ("offsets of other windows", moved(&[1, 18, 3, 3]), Shape),
        ("a flat offset", moved(&[18, 2]), Shape),
        ("neither size nor factor", resized(InterpolateOptions::new()), Argument),
        (
            "no factor to compute anew",
            resized(InterpolateOptions::new().size(3).recompute_scale_factor(true)),
            Argument,
        ),
        ("both", resized(InterpolateOptions::new().size(3).scale_factor(2.0)), Argument),
        ("corners of nearest", resized(InterpolateOptions::new().size(3).align_corners(true)), Argument),
        ("half a pair", pad(&x, &[1], PadMode::Reflect).err(), Argument),
        ("more axes than there are", pad(&flat, &[0; 4], PadMode::Reflect).err(), Argument),
        (
            "one running statistic",
            { batch_norm_training(&x, Some(&flat), None, None, None, 0.1, 1e-5).err() },
            Argument,
        ),
        ("another normalized shape", layer_norm(&x, &[3], None, None, 1e-5).err(), Shape),
        ("no normalized shape", layer_norm(&x, &[], None, None, 1e-5).err(), Shape),
        ("slopes of another axis", prelu(&x, &tensor(&[4], &[0.5; 4])).err(), Shape),
        ("a mean of integers", mean(&whole, &[], false).err(), Unsupported),
        ("two types", add(&flat, &whole).err(), Shape),
        ("a limit that is no integer", clamp(&whole, 0.5, 2.0).err(), Argument),
        ("a limit beyond the type", clamp(&whole, None, 3e9).err(), Argument),
        ("an exponential of integers", exp(&whole).err(), Unsupported),
        ("bits of floats", bitwise_and(&flat, &flat).err(), Unsupported),
        ("no bits of floats", bitwise_not(&flat).err(), Unsupported),
        ("products of two types", matmul(&flat, &whole).err(), Unsupported),
        ("an axis twice", sum(&x, &[1, -3], false).err(), Argument),
        ("an axis outside", softmax(&x, 4).err(), Argument),
        ("NaN as an order", norm(&x, f32::NAN, &[], false).err(), Argument),
        ("parts that do not add up", split(&flat, [2, 3], 0).err(), Shape),
        ("parts of nothing", split(&flat, 0, 0).err(), Argument),
        ("entries outside", narrow(&flat, 0, 4, 3).err(), Argument),
        ("a start outside", narrow(&flat, 0, -7, 1).err(), Argument),
        ("indices of two axes", index_select(&x, 1, &whole.reshape([2, 3]).unwrap()).err(), Shape),
        ("a new axis as it is", expand(&flat, &[-1, 6]).err(), Argument),
        ("an axis that is not 1", expand(&flat, &[12]).err(), Shape),
        ("two extents open", reshape(&flat, &[-1, -1]).err(), Shape),
        ("another count", reshape(&flat, &[4, -1]).err(), Shape),
        ("the end before the start", flatten(&x, 2, 1).err(), Argument),
        ("no tensors", cat(&[], 0).err(), Argument),
        ("a grid of other images", sampled([2, 1, 1, 2]), Shape),
        ("a grid of volumes", sampled([1, 1, 1, 3]), Shape),
        ("no size of an image", affine_grid(&maps, &[1, 1, 2], false).err(), Shape),
        ("no pixel", affine_grid(&maps, &[1, 1, 0, 2], false).err(), Shape),
        ("maps of other images", affine_grid(&maps, &[2, 1, 3, 2], false).err(), Shape),
        ("maps of images", affine_grid(&maps, &[1, 1, 3, 2, 4], false).err(), Shape),
        ("queries of another size", attended([1, 2, 4, 4], None, heads), Shape),
        ("another batch", attended([2, 2, 4, 3], None, heads), Shape),
        ("other heads", attended([1, 4, 4, 3], None, heads), Shape),
        ("heads that do not divide", attended([1, 3, 4, 3], None, heads.enable_gqa(true)), Shape),
        ("a mask of other keys", attended([1, 2, 4, 3], Some(&[4, 4]), heads), Shape),
        ("a mask of more images", attended([1, 2, 4, 3], Some(&[2, 1, 4, 5]), heads), Shape),
        ("a mask of one axis", attended([1, 2, 4, 3], Some(&[5]), heads), Shape),
        ("a mask and a causal one", attended([1, 2, 4, 3], Some(&[4, 5]), heads.is_causal(true)), Argument),
        ("attention to an image", scaled_dot_product_attention(&x, &flat, &flat, None, heads).err(), Shape),
        ("a mask of integers", scaled_dot_product_attention(&x, &x, &x, Some(&square), heads).err(), Shape),
        ("too many points", affine_grid(&maps, &[1, 1, usize::MAX, 2], false).err(), Unsupported),
    ] {
        let e = error.unwrap_or_else(|| panic!("{what} is not an error"));
        assert_eq!(e.kind(), kind, "{what}: {e}");
    }
}

#[test]
fn a_seed_gives_the_same_numbers_on_every_device() {
    let cpu = Device::cpu();
    let host = |t: DeviceTensor| t.to_host().unwrap();
    for draw in [rand, randn] {
        let first = host(draw(&cpu, &[3, 50], 5).unwrap());
        assert_eq!(host(draw(device(), &[3, 50], 5).unwrap()), first);
        let other = host(draw(&cpu, &[3, 50], 6).unwrap());
        assert!(first.as_f32().unwrap().iter().zip(other.as_f32().unwrap()).all(|(a, b)| a != b));
        assert!(draw(&cpu, &[1 << 20, 1 << 20], 5).is_err());
    }
    // The mean of 1 with the probabilities k / 8, within five deviations.
    let n = 40_000;
    let p = Tensor::new([n, 9], (0..9 * n).map(|k| (k % 9) as f32 / 8.0).collect::<Vec<_>>()).unwrap();
    let on = |device: &Device| host(bernoulli(&p.to_device(device).unwrap(), 11).unwrap());
    let drawn = on(&cpu);
    assert_eq!(on(device()), drawn);
    for k in 0..9 {
        let p = k as f64 / 8.0;
        let mean = drawn.to_f64s().iter().skip(k).step_by(9).sum::<f64>() / n as f64;
        assert!((mean - p).abs() <= 5.0 * (p * (1.0 - p) / n as f64).sqrt(), "{mean}, not {p}");
    }
}
