//! Sums over axes: products of matrices, reductions, softmax, normalisations.

use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, Val};
use crate::onnx_build::{float, int, ints, string};

impl Net {
    /// The shapes of two factors: vectors, matrices, and stacks of them that broadcast.
    pub fn factors(&mut self) -> [Vec<usize>; 2] {
        let [m, k, n] = [self.rng.int(1, 6), self.rng.int(1, 9), self.rng.int(1, 6)];
        let [batch_a, batch_b] = match self.rng.int(0, 2) {
            0 => [vec![], vec![]],
            1 => [vec![3], vec![]],
            _ => [vec![2, 1], vec![3]],
        };
        let a = if self.rng.int(0, 4) == 0 { vec![k] } else { [&batch_a[..], &[m, k]].concat() };
        let b = if self.rng.int(0, 4) == 0 { vec![k] } else { [&batch_b[..], &[k, n]].concat() };
        [a, b]
    }
}

pub fn matmul(net: &mut Net) -> Drawn {
    let [a, b] = net.factors();
    let (a, b) = (net.floats(&a), net.floats(&b));
    let (a, b) = (net.input(a), net.either(b));
    Ok(vec![net.add("MatMul", &[&a, &b], vec![])?])
}

/// Both transposes, factors, and an addend that broadcasts.
pub fn gemm(net: &mut Net) -> Drawn {
    let [m, k, n] = [net.rng.int(1, 6), net.rng.int(1, 9), net.rng.int(1, 6)];
    let (ta, tb) = (net.flag(), net.flag());
    let (a, b) = (net.floats(&if ta { [k, m] } else { [m, k] }), net.floats(&if tb { [n, k] } else { [k, n] }));
    let mut inputs = vec![net.input(a), net.either(b)];
    let mut attributes = vec![int("transA", ta.into()), int("transB", tb.into())];
    for name in ["alpha", "beta"] {
        if net.flag() {
            attributes.push(float(name, net.rng.int(0, 8) as f32 / 4.0));
        }
    }
    let shapes: [&[usize]; 5] = [&[], &[n], &[m, 1], &[1, n], &[m, n]];
    if net.flag() {
        let shape = net.one(&shapes);
        let c = net.floats(shape);
        inputs.push(net.either(c));
    }
    Ok(vec![net.add("Gemm", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

pub fn einsum(net: &mut Net) -> Drawn {
    net.at_least(12);
    let (equation, a, b) = net.one(&[
        ("ij,jk->ik", &[3, 4][..], &[4, 5][..]),
        ("bij,bkj->bik", &[2, 3, 4], &[2, 5, 4]),
        ("bhid,bhjd->bhij", &[2, 3, 4, 5], &[2, 3, 6, 5]),
        ("nchw,cd->ndhw", &[2, 3, 4, 5], &[3, 6]),
        ("i,j->ji", &[3], &[4]),
    ]);
    let (a, b) = (net.floats(a), net.floats(b));
    let (a, b) = (net.input(a), net.either(b));
    Ok(vec![net.add("Einsum", &[&a, &b], vec![string("equation", equation)])?])
}

/// Every reduction, with axes as attribute, as input, and without.
pub fn reduce(net: &mut Net) -> Drawn {
    const KINDS: [&str; 10] = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"];
    let kind = net.one(&KINDS);
    let dtype = match kind {
        "Sum" | "Max" | "Min" | "Prod" | "L1" | "SumSquare" if net.rng.int(0, 3) == 0 => {
            net.one(&[DType::I32, DType::I64, DType::I8, DType::U8])
        }
        _ => DType::F32,
    };
    let rank = net.rng.int(1, 5);
    let shape: Vec<usize> = (0..rank).map(|_| net.rng.int(1, 4)).collect();
    let x = match (dtype, kind) {
        (DType::F32, "LogSum" | "Prod") => net.positive(&shape),
        (DType::F32, _) => net.floats(&shape),
        // A product stays small.
        (DType::I32 | DType::I64, "Prod") => net.integers(&shape, dtype, 1, 1),
        (_, "Max" | "Min") => net.values(&shape, dtype),
        (DType::I32 | DType::I64, _) => net.values(&shape, dtype),
        _ => net.integers(&shape, DType::I32, -3, 3),
    };
    let x = net.input(x);
    let mut attributes = vec![];
    if net.flag() {
        attributes.push(int("keepdims", net.flag().into()));
    }
    let by_input = if kind == "Sum" { net.opset >= 13 } else { net.opset >= 18 };
    let op = format!("Reduce{kind}");
    let axes = net.axes(rank, 3);
    let given = net.rng.int(0, 4) > 0;
    if !by_input {
        if given {
            attributes.push(ints("axes", &axes));
        }
        return Ok(vec![net.add(&op, &[&x], attributes)?]);
    }
    if net.rng.int(0, 2) == 0 {
        attributes.push(int("noop_with_empty_axes", net.flag().into()));
    }
    if !given {
        return Ok(vec![net.add(&op, &[&x], attributes)?]);
    }
    let axes = net.ints(&axes);
    Ok(vec![net.add(&op, &[&x, &axes], attributes)?])
}

impl Net {
    /// Different values in any order.
    fn distinct(&mut self, shape: &[usize]) -> Val {
        let count: usize = shape.iter().product();
        let mut values: Vec<f32> = (0..count).map(|k| k as f32 / 8.0 - 2.0).collect();
        (1..count).rev().for_each(|k| values.swap(k, self.rng.int(0, k)));
        self.input(Tensor::new(shape, values).unwrap())
    }
}

/// Positions of extremes; equal values decide which is meant.
pub fn positions(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let shape = net.shape(rank);
    let axis = net.axis(rank);
    let x = match net.flag() {
        true => net.distinct(&shape),
        false => {
            let equal = net.integers(&shape, DType::F32, 0, 2);
            net.input(equal)
        }
    };
    let op = net.one(&["ArgMax", "ArgMin"]);
    let mut attributes = vec![int("axis", axis), int("keepdims", net.flag().into())];
    if net.opset >= 12 && net.flag() {
        attributes.push(int("select_last_index", 1));
    }
    Ok(vec![net.add(op, &[&x], attributes)?])
}

pub fn top_k(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let shape = net.shape(rank);
    let axis = net.axis(rank);
    let n = shape[axis.rem_euclid(rank as i64) as usize];
    let x = net.distinct(&shape);
    let k = net.rng.int(1, n) as i64;
    let k = net.ints(&[k]);
    let largest = i64::from(net.flag());
    net.several("TopK", &[&x, &k], 2, vec![int("axis", axis), int("largest", largest)])
}

pub fn running_sum(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 3);
    let shape = net.shape(rank);
    let axis = net.axis(rank);
    let dtype = net.one(&[DType::F32, DType::F32, DType::I32, DType::I64]);
    let x = net.values(&shape, dtype);
    let x = net.input(x);
    let axis = net.constant(&Tensor::new([], vec![axis]).unwrap());
    let (exclusive, reverse) = (i64::from(net.flag()), i64::from(net.flag()));
    Ok(vec![net.add("CumSum", &[&x, &axis], vec![int("exclusive", exclusive), int("reverse", reverse)])?])
}

/// Before version 13 all axes from `axis` on are one.
pub fn softmax(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 5);
    let shape = net.shape(rank);
    let op = net.one(&["Softmax", "LogSoftmax", "Softmax", "LogSoftmax", "Hardmax"]);
    let x = if op == "Hardmax" {
        net.distinct(&shape)
    } else {
        let x = net.floats(&shape);
        net.input(x)
    };
    let attributes = if net.rng.int(0, 4) == 0 { vec![] } else { vec![int("axis", net.axis(rank))] };
    Ok(vec![net.add(op, &[&x], attributes)?])
}

pub fn batch_norm(net: &mut Net) -> Drawn {
    let rank = net.rng.int(2, 5);
    let mut shape = net.shape(rank);
    shape[1] = net.rng.int(1, 9);
    let c = [shape[1]];
    let parts = [net.floats(&shape), net.floats(&c), net.floats(&c), net.floats(&c), net.positive(&c)];
    let mut inputs = vec![];
    for (k, part) in parts.into_iter().enumerate() {
        inputs.push(if k == 0 { net.input(part) } else { net.either(part) });
    }
    let attributes = if net.flag() { vec![float("epsilon", 0.01)] } else { vec![] };
    Ok(vec![net.add("BatchNormalization", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// Normalisations by the mean and variance of groups, rows, planes.
pub fn norm(net: &mut Net) -> Drawn {
    let shape = net.image();
    let x = net.floats(&shape);
    let x = net.input(x);
    let mut attributes = if net.flag() { vec![float("epsilon", 0.01)] } else { vec![] };
    let affine = |net: &mut Net, shape: &[usize]| {
        let (scale, shift) = (net.floats(shape), net.floats(shape));
        [net.either(scale), net.either(shift)]
    };
    match net.rng.int(0, 3) {
        0 => {
            let [scale, shift] = affine(net, &shape[1..2]);
            Ok(vec![net.add("InstanceNormalization", &[&x, &scale, &shift], attributes)?])
        }
        1 => {
            net.at_least(17);
            let axis = net.axis(4);
            let rest = &shape[axis.rem_euclid(4) as usize..];
            let [scale, shift] = affine(net, rest);
            attributes.push(int("axis", axis));
            let inputs = [&x, &scale, &shift];
            let given = net.rng.int(2, 3);
            Ok(vec![net.add("LayerNormalization", &inputs[..given], attributes)?])
        }
        2 => {
            net.opset = 23;
            let axis = net.axis(4);
            let scale = net.floats(&shape[axis.rem_euclid(4) as usize..]);
            let scale = net.either(scale);
            attributes.push(int("axis", axis));
            Ok(vec![net.add("RMSNormalization", &[&x, &scale], attributes)?])
        }
        _ => {
            net.opset = 21;
            let c = shape[1];
            let groups = net.one(&(1..=c).filter(|g| c.is_multiple_of(*g)).collect::<Vec<_>>());
            let [scale, shift] = affine(net, &[c]);
            attributes.push(int("num_groups", groups as i64));
            Ok(vec![net.add("GroupNormalization", &[&x, &scale, &shift], attributes)?])
        }
    }
}

pub fn other_norm(net: &mut Net) -> Drawn {
    let shape = net.image();
    // No row is zero.
    let x = net.positive(&shape);
    let x = net.input(x);
    match net.rng.int(0, 2) {
        0 => {
            let size = net.one(&[1, 3, 5]);
            let attributes = vec![int("size", size), float("alpha", 0.5), float("beta", 0.75), float("bias", 2.0)];
            Ok(vec![net.add("LRN", &[&x], attributes)?])
        }
        1 => {
            let (axis, p) = (net.axis(4), net.rng.int(1, 2) as i64);
            Ok(vec![net.add("LpNormalization", &[&x], vec![int("axis", axis), int("p", p)])?])
        }
        _ => {
            let axes = net.axes(4, 3);
            Ok(vec![net.add("MeanVarianceNormalization", &[&x], vec![ints("axes", &axes)])?])
        }
    }
}
