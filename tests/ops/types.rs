//! Every element type: what arithmetic, conversions and reductions give at the ends of its range. The expected values are
//! computed here in 128 bits.

use convgpu::custom::Op;
use convgpu::internals::attr::{BinaryKind, ReduceKind};
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::cast::Cast;
use convgpu::internals::ops::reduce::Reduce;
use convgpu::{CompileOptions, DType, Data, Desc, Device, Graph, Session, Tensor};

use crate::support::{check, device};

use DType::*;

/// The narrower integers with their bits, and whether they have a sign.
const NARROW: [(DType, u32, bool); 6] =
    [(I8, 8, true), (U8, 8, false), (I16, 16, true), (U16, 16, false), (I32, 32, true), (U32, 32, false)];

/// Functions with their meaning for integers without limits.
type Function = (BinaryKind, fn(i128, i128) -> i128);
type Comparison = (BinaryKind, fn(&i128, &i128) -> bool);

/// The low bits of an integer as a number of this type.
fn wrapped(v: i128, bits: u32, signed: bool) -> i64 {
    let low = v.rem_euclid(1 << bits);
    (if signed && low >= 1 << (bits - 1) { low - (1 << bits) } else { low }) as i64
}

/// The ends of the range, small numbers, and some between.
fn edges(bits: u32, signed: bool) -> Vec<i64> {
    let top = (1i64 << (bits - u32::from(signed))) - 1;
    let bottom = if signed { -top - 1 } else { 0 };
    [bottom, bottom + 1, bottom / 2, -7, -1, 0, 1, 2, 3, 11, top / 2, top / 2 + 1, top - 1, top]
        .into_iter()
        .filter(|v| (bottom..=top).contains(v))
        .collect()
}

fn tensor(values: &[i64], dtype: DType) -> Tensor {
    let t = Tensor::from(values).to_dtype(dtype);
    assert_eq!(t.to_i64s().unwrap(), values, "{dtype} holds them");
    t
}

/// The reference gives `expected`, and every kernel the same.
fn gives(op: impl Op + Clone + 'static, inputs: &[Tensor], expected: &[i64]) {
    let what = format!("{op:?} of {}", inputs[0].desc());
    assert_eq!(op.reference(inputs).unwrap()[0].to_i64s().unwrap(), expected, "{what}");
    check(op, inputs, true);
}

#[test]
fn arithmetic_wraps() {
    for (dtype, bits, signed) in NARROW {
        let edges = edges(bits, signed);
        let pairs: Vec<(i128, i128)> =
            edges.iter().flat_map(|&a| edges.iter().map(move |&b| (a.into(), b.into()))).collect();
        let a = tensor(&pairs.iter().map(|p| p.0 as i64).collect::<Vec<_>>(), dtype);
        let b = tensor(&pairs.iter().map(|p| p.1 as i64).collect::<Vec<_>>(), dtype);
        let floor = |a: i128, b: i128| if b == 0 { 0 } else { a - b * (a as f64 / b as f64).floor() as i128 };
        let functions: [Function; 8] = [
            (BinaryKind::Add, |a, b| a + b),
            (BinaryKind::Sub, |a, b| a - b),
            (BinaryKind::Mul, |a, b| a * b),
            (BinaryKind::Div, |a, b| if b == 0 { 0 } else { a / b }),
            (BinaryKind::Maximum, |a, b| a.max(b)),
            (BinaryKind::Minimum, |a, b| a.min(b)),
            (BinaryKind::Mod, floor),
            (BinaryKind::Fmod, |a, b| if b == 0 { 0 } else { a % b }),
        ];
        for (kind, f) in functions {
            let expected: Vec<i64> = pairs.iter().map(|&(a, b)| wrapped(f(a, b), bits, signed)).collect();
            gives(Binary(kind), &[a.clone(), b.clone()], &expected);
        }
        let comparisons: [Comparison; 5] = [
            (BinaryKind::Equal, i128::eq),
            (BinaryKind::Less, i128::lt),
            (BinaryKind::Greater, i128::gt),
            (BinaryKind::LessOrEqual, i128::le),
            (BinaryKind::GreaterOrEqual, i128::ge),
        ];
        for (kind, f) in comparisons {
            let expected: Vec<i64> = pairs.iter().map(|(a, b)| f(a, b).into()).collect();
            gives(Binary(kind), &[a.clone(), b.clone()], &expected);
        }
    }
}

#[test]
fn powers_wrap() {
    for (dtype, bits, signed) in NARROW {
        let bases = edges(bits, signed);
        for exponent in [0i64, 1, 2, 5, 9] {
            let power = |&a: &i64| (0..exponent).fold(1i128, |y, _| wrapped(y * i128::from(a), bits, signed).into());
            let expected: Vec<i64> = bases.iter().map(|a| power(a) as i64).collect();
            let exponents = tensor(&vec![exponent; bases.len()], dtype);
            gives(Binary(BinaryKind::Pow), &[tensor(&bases, dtype), exponents], &expected);
        }
    }
}

#[test]
fn integers_become_other_integers() {
    for (from, bits, signed) in NARROW {
        let edges = edges(bits, signed);
        for (to, bits, signed) in NARROW {
            let expected: Vec<i64> = edges.iter().map(|&v| wrapped(v.into(), bits, signed)).collect();
            gives(Cast { to }, &[tensor(&edges, from)], &expected);
        }
        gives(Cast { to: Bool }, &[tensor(&edges, from)], &edges.iter().map(|&v| (v != 0).into()).collect::<Vec<_>>());
        let small: Vec<i64> = edges.iter().copied().filter(|&v| i32::try_from(v).is_ok()).collect();
        gives(Cast { to: I64 }, &[tensor(&small, from)], &small);
        check(Cast { to: F32 }, &[tensor(&edges, from)], true);
    }
}

/// Truncated to 32 bits, the nearest integer beyond; of those bits a narrower type keeps the low ones.
#[test]
fn floats_become_integers() {
    let floats =
        [0.0f32, -0.9, 1.5, -1.5, 127.9, 128.0, -129.0, 255.0, 256.0, 300.7, -1.0, 65_536.5, 3e9, -3e9, 1e20, f32::NAN];
    for (to, bits, signed) in NARROW {
        let whole = |v: f32| match to {
            U32 if v > 0.0 => i128::from(v as u32),
            _ => i128::from(v as i32),
        };
        let expected: Vec<i64> = floats.iter().map(|&v| wrapped(whole(v), bits, signed)).collect();
        gives(Cast { to }, &[Tensor::from(floats)], &expected);
    }
    let x = Tensor::new([2], Data::F64(vec![16_777_217.0, -0.5].into())).unwrap();
    assert_eq!(Cast { to: I64 }.reference(&[x]).unwrap()[0].to_i64s().unwrap(), [16_777_217, 0]);
}

/// Numbers around every step of the formats, from what becomes 0 to what becomes infinite: the crate half, which nobody here
/// wrote, says what is nearest.
#[test]
fn floats_of_16_bits_are_the_nearest() {
    let mut values = vec![0.0f32, f32::INFINITY, 65_504.0, 65_519.9, 65_520.0, 1e5, 1e-12, 3.3895314e38, 3.4e38, 1e-40];
    for exponent in -27..17 {
        for step in
            [1.0, 1.0 + 1.0 / 2048.0, 1.0 + 3.0 / 2048.0, 1.000_488_4, 1.25, 1.9995, 1.999_999_9, 1.0 + 1.0 / 256.0]
        {
            values.push(step * 2.0f32.powi(exponent));
        }
    }
    values.extend(values.clone().iter().map(|v| -v));
    let x = Tensor::from(values.clone());
    let halves: Vec<f32> = values.iter().map(|&v| half::f16::from_f32(v).to_f32()).collect();
    assert_eq!(Cast { to: F16 }.reference(std::slice::from_ref(&x)).unwrap()[0].as_f32().unwrap(), halves);
    let brains: Vec<f32> = values.iter().map(|&v| half::bf16::from_f32(v).to_f32()).collect();
    assert_eq!(Cast { to: BF16 }.reference(std::slice::from_ref(&x)).unwrap()[0].as_f32().unwrap(), brains);
    check(Cast { to: F16 }, std::slice::from_ref(&x), true);
    check(Cast { to: BF16 }, &[x], true);
}

#[test]
fn reductions_of_every_integer() {
    for (dtype, bits, signed) in NARROW {
        // Sets of few and of many values: other kernels.
        for n in [14usize, 700] {
            let edges = edges(bits, signed);
            let x: Vec<i64> = (0..2 * n).map(|k| edges[(k * 5 + k / n) % edges.len()]).collect();
            let sets: Vec<Vec<i128>> = x.chunks(n).map(|c| c.iter().map(|&v| v.into()).collect()).collect();
            let x = tensor(&x, dtype).reshape([2, n]).unwrap();
            let op = |kind| Reduce { axes: vec![1], keep_dims: false, kind };
            let each =
                |f: &dyn Fn(&[i128]) -> i128| sets.iter().map(|s| wrapped(f(s), bits, signed)).collect::<Vec<_>>();
            gives(op(ReduceKind::Max), std::slice::from_ref(&x), &each(&|s| *s.iter().max().unwrap()));
            gives(op(ReduceKind::Min), std::slice::from_ref(&x), &each(&|s| *s.iter().min().unwrap()));
            gives(op(ReduceKind::Sum), std::slice::from_ref(&x), &each(&|s| s.iter().sum()));
            gives(
                op(ReduceKind::Prod),
                std::slice::from_ref(&x),
                &each(&|s| s.iter().fold(1, |a, b| (a * b).rem_euclid(1 << bits))),
            );
            gives(op(ReduceKind::SumSquare), std::slice::from_ref(&x), &each(&|s| s.iter().map(|v| v * v).sum()));
            gives(op(ReduceKind::L1), std::slice::from_ref(&x), &each(&|s| s.iter().map(|v| v.abs()).sum()));
            gives(op(ReduceKind::Mean), std::slice::from_ref(&x), &each(&|s| s.iter().sum::<i128>() / s.len() as i128));
        }
    }
}

/// Quotients and remainders of the elements have other signs than their sums.
#[test]
fn means_are_rounded_towards_zero() {
    let mean = Reduce { axes: vec![1], keep_dims: false, kind: ReduceKind::Mean };
    let x = tensor(&[-7, 8, 7, -8, 7, -10, -7, 10], I32).reshape([4, 2]).unwrap();
    gives(mean, &[x], &[0, 0, -1, 1]);
}

/// In f64 on the reference; in f32, within the bounds, on a device.
#[test]
fn doubles() {
    let x = Tensor::new([3], Data::F64(vec![100.0, 1.0, -3.5].into())).unwrap();
    let y = Tensor::new([3], Data::F64(vec![0.29, 1e-12, 0.5].into())).unwrap();
    let product = Binary(BinaryKind::Mul).reference(&[x.clone(), y.clone()]).unwrap().swap_remove(0);
    assert_eq!((product.dtype(), product.to_f64s()), (F64, vec![100.0 * 0.29, 1e-12, -1.75]));
    check(Binary(BinaryKind::Mul), &[x.clone(), x.clone()], true);
    check(Cast { to: F64 }, &[Tensor::from([1.5f32, -2.0])], true);
    check(Reduce { axes: vec![0], keep_dims: true, kind: ReduceKind::Sum }, &[x], true);
}

/// A device holds 32 bits of every element: the next kernel must see what the type keeps.
#[test]
fn sums_wrap_before_the_next_operator() {
    for (dtype, bits, signed) in NARROW {
        let top = if signed { (1i64 << (bits - 1)) - 1 } else { (1i64 << bits) - 1 };
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::new([3], dtype)).unwrap();
        let one = graph.constant("one", Tensor::from([1i64]).to_dtype(dtype)).unwrap();
        let sum = graph.apply("sum", Binary(BinaryKind::Add), &[x, one]).unwrap();
        let less = graph.apply("less", Binary(BinaryKind::Less), &[sum, x]).unwrap();
        graph.output("y", less);
        let x = Tensor::from([top, 5, top - 1]).to_dtype(dtype);
        let run = |device: &Device| {
            let session = Session::new(device, graph.clone(), CompileOptions::new()).unwrap();
            session.run(&[("x", &x)]).unwrap().into_first()
        };
        assert_eq!(run(device()).to_i64s().unwrap(), [1, 0, 0], "{dtype}");
        assert!(run(device()) == run(&Device::cpu()), "{dtype}");
    }
}

#[test]
fn products_of_matrices_wrap_before_the_next_operator() {
    for (dtype, bits, signed) in NARROW {
        let top = if signed { (1i64 << (bits - 1)) - 1 } else { (1i64 << bits) - 1 };
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::new([3, 1], dtype)).unwrap();
        let two = graph.constant("two", Tensor::from([[2i64]]).to_dtype(dtype)).unwrap();
        let twice = graph.matmul(x, two).unwrap();
        let less = graph.apply("less", Binary(BinaryKind::Less), &[twice, x]).unwrap();
        graph.output("y", less);
        let x = Tensor::from([[top], [5], [top - 1]]).to_dtype(dtype);
        let run = |device: &Device| {
            let session = Session::new(device, graph.clone(), CompileOptions::new()).unwrap();
            session.run(&[("x", &x)]).unwrap().into_first()
        };
        assert_eq!(run(device()).to_i64s().unwrap(), [1, 0, 1], "{dtype}");
        assert!(run(device()) == run(&Device::cpu()), "{dtype}");
    }
}
