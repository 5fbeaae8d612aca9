use convgpu::custom::Op;
use convgpu::internals::attr::BinaryKind::*;
use convgpu::internals::ops::binary::Binary;
use convgpu::{DType, Desc, Tensor};

use crate::support::{Case, Rng, check, check_channels_last_with, check_golden};

/// Pairs of shapes, one per way of broadcasting an operand; they are tested in both orders.
const SHAPES: &[(&[usize], &[usize])] = &[
    (&[2, 3, 4, 5], &[2, 3, 4, 5]),
    (&[2, 7, 3, 5], &[]),
    (&[2, 7, 3, 5], &[1, 1]),
    (&[2, 7, 3, 5], &[7, 1, 1]),
    (&[2, 7, 3, 4], &[7, 1, 1]),
    (&[3, 6, 2, 5], &[1, 6, 1, 1]),
    (&[3, 6, 5, 4], &[3, 6, 1, 1]),
    (&[2, 8, 3, 3], &[2, 8, 1, 1]),
    (&[2, 5, 3, 4], &[2, 1, 3, 4]),
    (&[2, 5, 3, 4], &[1, 3, 4]),
    (&[2, 5, 3, 8], &[8]),
    (&[2, 5, 3, 6], &[6]),
    (&[2, 5, 3, 4], &[5, 1, 4]),
    (&[3, 9], &[9]),
    (&[3, 9], &[3, 1]),
    (&[11], &[1]),
    (&[3, 7, 23, 11], &[3, 7, 23, 11]),
    (&[4, 1, 3], &[2, 1]),
    (&[2, 1, 3, 1, 2, 1], &[1, 3, 1, 2, 1, 3]),
    (&[1], &[1]),
    (&[0, 3], &[3]),
    (&[2, 0, 3], &[2, 1, 1]),
    (&[2, 3], &[0, 1, 1]),
];

/// Every pair in both orders.
fn pairs() -> impl Iterator<Item = (&'static [usize], &'static [usize])> {
    SHAPES.iter().flat_map(|&(a, b)| [(a, b), (b, a)])
}

fn i32s(rng: &mut Rng, shape: &[usize]) -> Tensor {
    let n = shape.iter().product();
    Tensor::new(shape, (0..n).map(|_| rng.int(0, 14) as i32 - 7).collect::<Vec<_>>()).unwrap()
}

fn bools(rng: &mut Rng, shape: &[usize]) -> Tensor {
    let n = shape.iter().product();
    Tensor::new(shape, (0..n).map(|_| rng.int(0, 1) == 1).collect::<Vec<_>>()).unwrap()
}

#[test]
fn every_broadcast_is_exact_on_integers() {
    let mut rng = Rng(1);
    for (a, b) in pairs() {
        check(Binary(Sub), &[rng.integers(a), rng.integers(b)], true);
        check(Binary(Less), &[rng.integers(a), rng.integers(b)], true);
    }
}

#[test]
fn every_kind_of_floats() {
    let mut rng = Rng(2);
    for kind in [Add, Sub, Mul, Div, Maximum, Minimum, Equal, Less, Greater, LessOrEqual, GreaterOrEqual] {
        check(Binary(kind), &[rng.tensor(&[2, 3, 5, 7]), rng.tensor(&[3, 1, 1])], false);
    }
}

#[test]
fn powers() {
    let mut rng = Rng(3);
    let base = rng.tensor(&[3, 50]).reshape([150]).unwrap();
    let positive = Tensor::new([150], base.as_f32().unwrap().iter().map(|v| v.abs() + 0.01).collect::<Vec<_>>());
    check(Binary(Pow), &[positive.unwrap(), rng.tensor(&[150])], false);
    check(Binary(Pow), &[base, Tensor::new([5, 1], vec![2.0f32, 3.0, -1.0, 0.0, -2.0]).unwrap()], false);
    let edges = vec![0.0f32, 1.0, 0.0, -2.0, 0.0];
    let exponents = vec![2.0f32, 5.5, -1.0, 0.5, 0.0];
    check(Binary(Pow), &[Tensor::new([5], edges).unwrap(), Tensor::new([5], exponents).unwrap()], false);
}

/// Expected values: NumPy's `mod` and `fmod`.
#[test]
fn remainders_of_floats() {
    let mut rng = Rng(6);
    for kind in [Mod, Fmod] {
        check(
            Binary(kind),
            &[rng.tensor(&[3, 5, 7]), Tensor::new([7], vec![0.3f32, -0.3, 2.0, 1e-3, -7.5, 0.11, -1.0]).unwrap()],
            false,
        );
        check(
            Binary(kind),
            &[rng.integers(&[3, 5, 7]), Tensor::new([7], vec![3.0f32, -3.0, 2.0, 1.0, -7.0, 5.0, -1.0]).unwrap()],
            false,
        );
    }
    let a = Tensor::new([7], vec![5.5f32, -5.5, 5.5, -5.5, 3.0, -3.0, 6.0]).unwrap();
    let b = Tensor::new([7], vec![2.0f32, 2.0, -2.0, -2.0, f32::INFINITY, f32::INFINITY, 3.0]).unwrap();
    for (kind, expected) in
        [(Mod, [1.5, 0.5, -0.5, -1.5, 3.0, f32::INFINITY, 0.0]), (Fmod, [1.5, -1.5, 1.5, -1.5, 3.0, -3.0, 0.0])]
    {
        check(Binary(kind), &[a.clone(), b.clone()], false);
        assert_eq!(Binary(kind).reference(&[a.clone(), b.clone()]).unwrap()[0].as_f32().unwrap(), expected);
    }
}

#[test]
fn every_kind_of_integers() {
    let mut rng = Rng(4);
    let extremes = vec![i32::MIN, i32::MIN, i32::MAX, 5, -1, -1, 0];
    let divisors = vec![-1, 1, i32::MAX, 0, -3, -4, -2];
    let edges = [Tensor::new([7], extremes).unwrap(), Tensor::new([7], divisors).unwrap()];
    let small = [i32s(&mut rng, &[3, 5, 7]), i32s(&mut rng, &[5, 1])];
    let wide = small.clone().map(|t| Tensor::new(t.shape().to_vec(), t.to_i64s().unwrap()).unwrap());
    for kind in
        [Add, Sub, Mul, Div, Maximum, Minimum, Mod, Fmod, Pow, Equal, Less, Greater, LessOrEqual, GreaterOrEqual]
    {
        check(Binary(kind), &edges, true);
        check(Binary(kind), &small, true);
        if kind != Pow {
            check(Binary(kind), &wide, true);
        }
    }
}

#[test]
fn every_kind_of_booleans() {
    let mut rng = Rng(5);
    for kind in [And, Or, Xor, Equal] {
        check(Binary(kind), &[bools(&mut rng, &[2, 3, 5]), bools(&mut rng, &[3, 1])], true);
    }
}

#[test]
fn nan_makes_extremes_nan_and_comparisons_false() {
    let a = Tensor::new([4], vec![f32::NAN, 1.0, f32::NAN, 2.0]).unwrap();
    let b = Tensor::new([4], vec![1.0, f32::NAN, f32::NAN, 1.0]).unwrap();
    for kind in [Maximum, Minimum, Equal, Less, Greater, LessOrEqual, GreaterOrEqual] {
        check(Binary(kind), &[a.clone(), b.clone()], true);
    }
    let y = Binary(Maximum).reference(&[a, b]).unwrap().remove(0);
    assert!(y.as_f32().unwrap()[..3].iter().all(|v| v.is_nan()));
}

#[test]
fn what_does_not_fit_is_an_error() {
    let refused = |kind, a: Desc, b: Desc| assert!(Binary(kind).outputs(&[a, b]).is_err());
    refused(Add, Desc::f32([2, 3]), Desc::f32([2]));
    refused(Add, Desc::f32([2]), Desc::new([2], DType::I32));
    for kind in [And, Or, Xor, ShiftLeft, ShiftRight] {
        refused(kind, Desc::f32([2]), Desc::f32([2]));
        refused(kind, Desc::new([2], DType::F64), Desc::new([2], DType::F64));
    }
    refused(ShiftLeft, Desc::new([2], DType::Bool), Desc::new([2], DType::Bool));
    refused(Add, Desc::new([2], DType::Bool), Desc::new([2], DType::Bool));
    refused(Mod, Desc::new([2], DType::Bool), Desc::new([2], DType::Bool));
}

pub fn pytorch(case: &Case) {
    let kind = match case.op.as_str() {
        "add" => Add,
        "sub" => Sub,
        "mul" => Mul,
        "div" => Div,
        "maximum" => Maximum,
        "minimum" => Minimum,
        "pow" => Pow,
        "remainder" => Mod,
        "fmod" => Fmod,
        "eq" => Equal,
        "lt" => Less,
        "gt" => Greater,
        "le" => LessOrEqual,
        "ge" => GreaterOrEqual,
        "logical_and" | "bitwise_and" => And,
        "logical_or" | "bitwise_or" => Or,
        "logical_xor" | "bitwise_xor" => Xor,
        "bitwise_left_shift" => ShiftLeft,
        "bitwise_right_shift" => ShiftRight,
        other => panic!("{other}"),
    };
    let logical = case.params.get("input_dtype").is_some();
    let inputs = if logical { vec![case.truths("a"), case.truths("b")] } else { case.input_tensors() };
    let truths = case.params.get("dtype").is_some();
    check_golden(case, Binary(kind), &inputs, &if truths { [case.truths("out")] } else { case.out() });
}

pub fn pytorch_not(case: &Case) {
    let [x, out] = [case.tensor("x").clone(), case.tensor("out").clone()];
    let ones = Tensor::new([], vec![-1i32]).unwrap();
    check_golden(case, Binary(Xor), &[x, ones], &[out]);
}

const INTEGERS: [DType; 7] = [DType::I8, DType::U8, DType::I16, DType::U16, DType::I32, DType::U32, DType::I64];

/// The low bits of these as another type, of i64 as many as a device has.
fn bits(shape: &[usize], dtype: DType, values: impl FnMut() -> i32) -> Tensor {
    let n = shape.iter().product();
    let all: Vec<i32> = std::iter::repeat_with(values).take(n).collect();
    let all: Vec<i64> = all.into_iter().map(i64::from).collect();
    Tensor::new(shape, all).unwrap().to_dtype(dtype)
}

#[test]
fn bits_of_every_type() {
    let mut rng = Rng(7);
    for dtype in INTEGERS {
        for kind in [And, Or, Xor, ShiftRight, ShiftLeft] {
            let (a, b) = match kind {
                ShiftLeft if dtype == DType::I64 => {
                    let small = || rng.int(0, 14) as i32 - 7;
                    (bits(&[3, 5, 7], dtype, small), bits(&[5, 1], dtype, || rng.int(0, 28) as i32))
                }
                ShiftLeft | ShiftRight => {
                    let a = bits(&[3, 5, 7], dtype, || rng.next() as i32);
                    (a, bits(&[5, 7], dtype, || rng.int(0, 44) as i32 - 5))
                }
                _ => {
                    let a = bits(&[3, 5, 7], dtype, || rng.next() as i32);
                    (a, bits(&[5, 1], dtype, || rng.next() as i32))
                }
            };
            check(Binary(kind), &[a, b], true);
        }
    }
}

/// Expected values: NumPy's `<<`, `>>` and `~` of the same types; PyTorch's where the other one is negative, which NumPy leaves open.
#[test]
fn shifts_keep_the_bits_of_their_type() {
    let of = |dtype, values: &[i64]| Tensor::new([values.len()], values.to_vec()).unwrap().to_dtype(dtype);
    let expect = |kind, dtype, a: &[i64], b: &[i64], y: &[i64]| {
        let inputs = [of(dtype, a), of(dtype, b)];
        assert_eq!(Binary(kind).reference(&inputs).unwrap()[0], of(dtype, y), "{kind:?} of {dtype}");
        check(Binary(kind), &inputs, true);
    };
    expect(ShiftLeft, DType::U8, &[129, 255, 1, 3], &[1, 4, 7, 8], &[2, 240, 128, 0]);
    expect(ShiftLeft, DType::I8, &[64, -1, 1, -128], &[1, 7, -1, 1], &[-128, -128, 0, 0]);
    expect(ShiftRight, DType::I8, &[-128, 127, -1, -128], &[7, 6, 100, -3], &[-1, 1, -1, -1]);
    expect(ShiftRight, DType::U8, &[255, 128, 255], &[4, 7, 8], &[15, 1, 0]);
    expect(ShiftLeft, DType::U32, &[0xffff_ffff, 1, 5], &[31, 31, 32], &[0x8000_0000, 0x8000_0000, 0]);
    expect(ShiftRight, DType::U32, &[0xffff_ffff, 0x8000_0000, 5], &[31, 30, 32], &[1, 2, 0]);
    expect(ShiftRight, DType::I64, &[-5, i32::MIN.into(), 7], &[1, 40, 63], &[-3, -1, 0]);
    expect(Xor, DType::U16, &[0, 0xffff, 0xaaaa], &[-1, -1, -1], &[0xffff, 0, 0x5555]);
}

#[test]
fn an_i64_that_is_shifted_out_of_its_bits_is_an_error() {
    let shift = |a: i64, by: i64| Binary(ShiftLeft).reference(&[Tensor::from([a]), Tensor::from([by])]);
    assert_eq!(shift(-1, 63).unwrap()[0], Tensor::from([i64::MIN]));
    assert_eq!(shift(0, 64).unwrap()[0], Tensor::from([0i64]));
    for (a, by) in [(1, 63), (2, 62), (1, 64), (5, -1), (-2, 63)] {
        let e = shift(a, by).unwrap_err().to_string();
        assert!(e.contains(&format!("{a} shifted to the left by {by}")), "{e}");
    }
}

/// An infinite term detects a padding lane that is not 0: see [`check_channels_last_with`].
#[test]
fn channels_last_keeps_padding_lanes_zero() {
    let shapes: [&[usize]; 5] = [&[], &[7, 1, 1], &[2, 7, 1, 1], &[2, 1, 3, 5], &[2, 7, 3, 5]];
    for shape in shapes {
        check_channels_last_with(Binary(Add), [2, 7, 3, 5], &[Tensor::full(shape, f32::INFINITY)]);
    }
}
