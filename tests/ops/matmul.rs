use convgpu::custom::Op;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::{DType, Desc, Tensor};

use crate::engines::TILES;
use crate::support::{Case, Rng, check, check_golden, device, kernels};

const SHAPES: &[(&[usize], &[usize])] = &[
    (&[5, 7], &[7, 3]),
    (&[9, 8], &[8, 12]),
    (&[17, 12], &[12, 9]),
    (&[3, 70], &[70, 20]),
    (&[45, 13], &[13, 150]),
    (&[33, 20], &[20, 60]),
    (&[19, 12], &[12, 200]),
    (&[2, 26, 9], &[2, 9, 33]),
    (&[2, 1, 40, 6], &[3, 6, 68]),
    (&[1, 1], &[1, 1]),
    (&[6], &[6]),
    (&[6], &[6, 5]),
    (&[4, 6], &[6]),
    (&[139, 22], &[22, 147]),
    (&[70, 1], &[1, 50]),
    // Split along k.
    (&[3, 4099], &[4099, 10]),
    (&[1030], &[1030]),
    (&[70, 2001], &[2001, 70]),
    (&[2, 1, 37, 500], &[3, 500, 35]),
    (&[2, 3, 5, 7], &[7, 4]),
    (&[2, 3, 5, 7], &[2, 3, 7, 10]),
    (&[3, 1, 5, 8], &[4, 8, 12]),
    (&[5, 8], &[2, 3, 8, 11]),
    (&[2, 1, 3, 5, 6], &[4, 1, 6, 2]),
    // Four axes of batches that cannot be merged.
    (&[2, 1, 3, 1, 5, 6], &[1, 2, 1, 2, 6, 3]),
    (&[7], &[2, 3, 7, 4]),
    (&[0, 4], &[4, 3]),
    (&[2, 4], &[4, 0]),
    (&[2, 0], &[0, 3]),
    (&[0, 2, 4], &[1, 4, 3]),
    (&[2, 4], &[0, 4, 3]),
];

#[test]
fn integers_are_exact() {
    let mut rng = Rng(1);
    for (a, b) in SHAPES {
        check(MatMul, &[rng.integers(a), rng.integers(b)], true);
    }
}

/// Infinities of the last row of b and of one row of a reach the elements that they are terms of, and no others: what fills a block of
/// four is 0, and 0 times infinity would be seen.
#[test]
fn infinities_reach_their_row_and_column() {
    let mut rng = Rng(2);
    for (a, b) in [([9, 7], [7, 12]), ([9, 8], [8, 10]), ([33, 22], [22, 40]), ([70, 21], [21, 68])] {
        let spoilt = |t: Tensor, place: usize| {
            let mut values: Vec<f32> = t.as_f32().unwrap().iter().map(|v| v.abs() + 1.0).collect();
            values[place] = f32::INFINITY;
            Tensor::new(t.shape(), values).unwrap()
        };
        let (x, y) = (rng.integers(&a), rng.integers(&b));
        check(MatMul, &[spoilt(x.clone(), a[1]), y.clone()], true);
        check(MatMul, &[spoilt(x, a[1]), spoilt(y, (b[0] - 1) * b[1] + 1)], true);
    }
}

/// The shapes above together use every kernel: every tile, with splits and without.
#[test]
fn every_kernel_is_among_the_cases() {
    let run: Vec<String> = SHAPES.iter().flat_map(|(a, b)| kernels(MatMul, &[a, b])).collect();
    let subgroups = device().adapter().is_some_and(|a| a.caps.software && a.caps.subgroup_size == Some(8));
    let names =
        convgpu::internals::ops::kernels().into_iter().map(|k| k.name()).filter(|name| name.starts_with("matmul"));
    // Integers have one kernel, and a test of their own.
    let names = names.filter(|name| *name != "matmul_integer");
    for name in names.filter(|name| subgroups || !name.contains("subgroup8")) {
        assert!(run.iter().any(|variant| variant.contains(name)), "{name} is not among {run:?}");
    }
    for tile in TILES {
        let (whole, split) = (format!("matmul_tiled({tile})"), format!("matmul_tiled({tile}) + matmul_split_sum"));
        assert!(run.contains(&whole) && run.contains(&split), "{tile} is not among {run:?}");
    }
}

/// Several tiles along both axes, on subgroups of 8.
#[test]
fn large_products_are_exact() {
    let mut rng = Rng(4);
    check(MatMul, &[rng.integers(&[259, 262]), rng.integers(&[262, 1030])], true);
}

/// Sums of integers keep the low bits of their type, in any order.
#[test]
fn products_of_integers_wrap() {
    let mut rng = Rng(5);
    let mut bits = |shape: &[usize], dtype: DType, few: bool| {
        let n: usize = shape.iter().product();
        let one = |rng: &mut Rng| if few { rng.int(0, 200) as i64 - 100 } else { (rng.next() as i32).into() };
        Tensor::new(shape, (0..n).map(|_| one(&mut rng)).collect::<Vec<_>>()).unwrap().to_dtype(dtype)
    };
    let shapes: [(&[usize], &[usize]); 9] = [
        (&[3, 5], &[5, 7]),
        (&[4, 8], &[8, 3]),
        (&[5], &[5]),
        (&[6], &[6, 2]),
        (&[2, 3], &[3]),
        (&[2, 1, 4, 9], &[3, 9, 2]),
        (&[3, 1, 131], &[131, 1]),
        (&[2, 0], &[0, 3]),
        (&[0, 3], &[3, 2]),
    ];
    for dtype in [DType::I8, DType::U8, DType::I16, DType::U16, DType::I32, DType::U32, DType::I64] {
        for (a, b) in shapes {
            // Sums of an i64 fit 32 bits.
            let few = dtype == DType::I64;
            check(MatMul, &[bits(a, dtype, few), bits(b, dtype, few)], true);
        }
    }
    // NumPy's matmul of the same types.
    let product = |a: Tensor, b: Tensor| MatMul.reference(&[a, b]).unwrap().remove(0);
    let (a, b) = (Tensor::from([[i32::MAX, 2], [-3, i32::MIN]]), Tensor::from([[5, -1], [i32::MAX, 2]]));
    assert_eq!(product(a, b), Tensor::from([[i32::MAX - 6, -2147483643], [2147483633, 3]]));
    let (a, b) = (Tensor::from([[200u8, 100]]), Tensor::from([[3u8], [3]]));
    assert_eq!(product(a, b), Tensor::from([[132u8]]));
}

#[test]
fn random_cases_within_bounds() {
    let mut rng = Rng(2);
    for (a, b) in SHAPES {
        check(MatMul, &[rng.tensor(a), rng.tensor(b)], false);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    assert!(MatMul.outputs(&[Desc::f32([2, 3]), Desc::f32([4, 2])]).is_err());
    assert!(MatMul.outputs(&[Desc::f32([]), Desc::f32([3])]).is_err());
    assert!(MatMul.outputs(&[Desc::f32([2, 4, 3]), Desc::f32([3, 3, 2])]).is_err());
    let of = |a, b| MatMul.outputs(&[Desc::new([2, 3], a), Desc::new([3, 2], b)]);
    assert!(of(DType::I32, DType::I32).is_ok() && of(DType::I32, DType::I64).is_err());
    assert!(of(DType::Bool, DType::Bool).is_err() && of(DType::F32, DType::I32).is_err());
}

/// `[o, i]` to `[i, o]`.
fn transposed(w: &Tensor) -> Tensor {
    let (o, i) = (w.shape()[0], w.shape()[1]);
    let w = w.as_f32().unwrap();
    Tensor::new([i, o], (0..i * o).map(|k| w[k % o * i + k / o]).collect::<Vec<_>>()).unwrap()
}

pub fn pytorch_matmul(case: &Case) {
    check_golden(case, MatMul, &case.input_tensors(), &case.out());
}

/// A linear layer without bias is a matrix product; every one is a convolution of 1x1 images.
pub fn pytorch_linear(case: &Case) {
    let (x, w, [out]) = (case.tensor("x"), case.tensor("weight"), case.out());
    let (o, i) = (w.shape()[0], w.shape()[1]);
    let rows = x.numel() / i;
    let mut inputs = vec![x.reshape([rows, i, 1, 1]).unwrap(), w.reshape([o, i, 1, 1]).unwrap()];
    inputs.extend(case.get("bias").cloned());
    check_golden(case, Conv2d::default(), &inputs, &[out.reshape([rows, o, 1, 1]).unwrap()]);
    if case.get("bias").is_none() {
        check_golden(case, MatMul, &[x.clone(), transposed(w)], &[out]);
    }
}
