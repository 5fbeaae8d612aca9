//! Operators that move elements: copies of any type, compared exactly.

use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, Val};
use crate::onnx_build::{int, ints, string};

impl Net {
    /// An input of this shape, of any type.
    pub fn any(&mut self, shape: &[usize]) -> Val {
        let dtype = match self.rng.int(0, 3) {
            0 | 1 => DType::F32,
            2 => self.one(&[DType::I32, DType::I64]),
            _ => self.one(&[DType::Bool, DType::U8, DType::I8, DType::U16, DType::I16, DType::U32, DType::F64]),
        };
        let tensor = self.values(shape, dtype);
        self.input(tensor)
    }

    fn permutation(&mut self, rank: usize) -> Vec<i64> {
        let mut order: Vec<i64> = (0..rank as i64).collect();
        for k in (1..rank).rev() {
            order.swap(k, self.rng.int(0, k));
        }
        order
    }

    /// Distinct axes, counted from either side, in any order.
    pub fn axes(&mut self, rank: usize, most: usize) -> Vec<i64> {
        let mut axes = self.permutation(rank);
        axes.truncate(self.rng.int(1, most.min(rank)));
        axes.into_iter().map(|a| if self.flag() { a - rank as i64 } else { a }).collect()
    }
}

/// A shape with a -1, with a 0 that copies, with both.
pub fn reshape(net: &mut Net) -> Drawn {
    let shape = net.shape(4);
    let x = net.any(&shape);
    let mut wanted: Vec<i64> = match net.rng.int(0, 3) {
        0 => vec![shape[0] as i64, (shape[1] * shape[2] * shape[3]) as i64],
        1 => vec![(shape[0] * shape[1]) as i64, shape[2] as i64, shape[3] as i64, 1],
        2 => shape.iter().map(|&n| n as i64).collect(),
        _ => vec![shape[0] as i64, shape[1] as i64, (shape[3] * shape[2]) as i64],
    };
    let open = net.rng.int(0, wanted.len());
    for (k, extent) in wanted.iter_mut().enumerate() {
        if k == open {
            *extent = -1;
        } else if shape[k] as i64 == *extent && net.flag() {
            *extent = 0;
        }
    }
    let to = net.ints(&wanted);
    Ok(vec![net.add("Reshape", &[&x, &to], vec![])?])
}

pub fn transpose(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 6);
    let shape = net.shape(rank);
    let x = net.any(&shape);
    let order = net.permutation(rank);
    let attributes = if net.rng.int(0, 4) == 0 { vec![] } else { vec![ints("perm", &order)] };
    Ok(vec![net.add("Transpose", &[&x], attributes)?])
}

/// Axes of extent 1 appear or disappear, by attribute or by input.
pub fn squeeze(net: &mut Net) -> Drawn {
    let rank = net.rng.int(2, 4);
    let mut shape = net.shape(rank);
    let op = net.one(&["Squeeze", "Unsqueeze"]);
    let axes = net.axes(rank, 2);
    if op == "Squeeze" {
        axes.iter().for_each(|&a| shape[a.rem_euclid(rank as i64) as usize] = 1);
    }
    // Axes of Unsqueeze are those of the result.
    let axes: Vec<i64> = if op == "Squeeze" { axes } else { axes.iter().map(|a| a.rem_euclid(rank as i64)).collect() };
    let x = net.any(&shape);
    if net.opset < 13 {
        return Ok(vec![net.add(op, &[&x], vec![ints("axes", &axes)])?]);
    }
    if op == "Squeeze" && net.rng.int(0, 3) == 0 {
        return Ok(vec![net.add(op, &[&x], vec![])?]);
    }
    let axes = net.ints(&axes);
    Ok(vec![net.add(op, &[&x, &axes], vec![])?])
}

pub fn flatten(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 5);
    let shape = net.shape(rank);
    let x = net.any(&shape);
    let axis = net.rng.int(0, 2 * rank) as i64 - rank as i64;
    Ok(vec![net.add("Flatten", &[&x], vec![int("axis", axis)])?])
}

pub fn concat(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 5);
    let mut shape = net.shape(rank);
    let axis = net.axis(rank);
    let first = net.any(&shape);
    let mut parts = vec![first.clone()];
    for _ in 0..net.rng.int(0, 3) {
        shape[axis.rem_euclid(rank as i64) as usize] = net.rng.int(1, 6);
        let tensor = net.values(&shape, first.dtype());
        parts.push(net.either(tensor));
    }
    if net.flag() {
        parts.push(first);
    }
    Ok(vec![net.add("Concat", &parts.iter().collect::<Vec<_>>(), vec![int("axis", axis)])?])
}

/// Into equal parts, into given sizes, into a number of parts of which the last is smaller.
pub fn split(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let mut shape = net.shape(rank);
    let axis = net.axis(rank);
    let at = axis.rem_euclid(rank as i64) as usize;
    let parts = net.rng.int(1, 4);
    let sizes: Vec<i64> = (0..parts).map(|_| net.rng.int(1, 3) as i64).collect();
    let form = net.rng.int(0, 2);
    shape[at] = match form {
        0 => sizes.iter().sum::<i64>() as usize,
        1 => parts * net.rng.int(1, 3),
        // The last part must not be empty.
        _ => parts * 3 - if parts > 1 && net.opset >= 18 { net.rng.int(0, 2) } else { 0 },
    };
    let x = net.any(&shape);
    let mut attributes = vec![int("axis", axis)];
    if form > 0 {
        if net.opset >= 18 {
            attributes.push(int("num_outputs", parts as i64));
        }
        return net.several("Split", &[&x], parts, attributes);
    }
    if net.opset < 13 {
        attributes.push(ints("split", &sizes));
        return net.several("Split", &[&x], parts, attributes);
    }
    let sizes = net.ints(&sizes);
    net.several("Split", &[&x, &sizes], parts, attributes)
}

/// Steps of both signs, ends beyond the extent.
pub fn slice(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let shape: Vec<usize> = (0..rank).map(|_| net.rng.int(3, 8)).collect();
    let x = net.any(&shape);
    let axes = net.axes(rank, 3);
    let (mut starts, mut ends, mut steps) = (vec![], vec![], vec![]);
    for &axis in &axes {
        let n = shape[axis.rem_euclid(rank as i64) as usize] as i64;
        let (low, high) = (net.rng.int(0, n as usize - 2) as i64, n - net.rng.int(0, 1) as i64);
        let step = net.rng.int(1, 3) as i64;
        let far = net.rng.int(0, 3) == 0;
        let (start, end, step) = match net.flag() {
            true => (low, if far { i64::MAX } else { high }, step),
            false => (high - 1, if far || low == 0 { i64::MIN + 1 } else { low - 1 }, -step),
        };
        let back = |v: i64| if (0..n).contains(&v) { v - n } else { v };
        starts.push(if net.flag() { back(start) } else { start });
        ends.push(if net.flag() { back(end) } else { end });
        steps.push(step);
    }
    let [starts, ends, axes, steps] = [starts, ends, axes, steps].map(|v| net.ints(&v));
    Ok(vec![net.add("Slice", &[&x, &starts, &ends, &axes, &steps], vec![])?])
}

/// Every mode; a negative amount crops.
pub fn pad(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let shape: Vec<usize> = (0..rank).map(|_| net.rng.int(4, 6)).collect();
    let x = net.any(&shape);
    let modes: &[&str] =
        if net.opset >= 19 { &["constant", "reflect", "edge", "wrap"] } else { &["constant", "reflect", "edge"] };
    let mode = net.one(modes);
    let crop = net.rng.int(0, 3) == 0;
    let pads: Vec<i64> = (0..2 * rank).map(|_| net.rng.int(0, 3) as i64 - i64::from(crop)).collect();
    let pads = net.ints(&pads);
    let mut inputs = vec![x.clone(), pads];
    if mode == "constant" && net.flag() {
        let number = Tensor::new([], vec![1i64]).unwrap().to_dtype(x.dtype());
        inputs.push(net.constant(&number));
    }
    Ok(vec![net.add("Pad", &inputs.iter().collect::<Vec<_>>(), vec![string("mode", mode)])?])
}

pub fn gather(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let shape = net.shape(rank);
    let axis = net.axis(rank);
    let n = shape[axis.rem_euclid(rank as i64) as usize] as i64;
    let x = net.any(&shape);
    let dtype = net.one(&[DType::I32, DType::I64]);
    if net.flag() {
        let rank = net.rng.int(0, 2);
        let of = net.shape(rank);
        let indices = net.integers(&of, dtype, -n, n - 1);
        let indices = net.either(indices);
        return Ok(vec![net.add("Gather", &[&x, &indices], vec![int("axis", axis)])?]);
    }
    let of: Vec<usize> = shape.iter().map(|&n| net.rng.int(1, n)).collect();
    let indices = net.integers(&of, dtype, -n, n - 1);
    let indices = net.either(indices);
    Ok(vec![net.add("GatherElements", &[&x, &indices], vec![int("axis", axis)])?])
}

/// Elements at tuples of indices, read or written.
pub fn by_tuples(net: &mut Net) -> Drawn {
    let shape = net.shape(3);
    let x = net.any(&shape);
    let depth = net.rng.int(1, 3);
    // Each row is written once: the rows are different places along the first axis.
    let mut rows = net.permutation(shape[0]);
    rows.truncate(net.rng.int(1, shape[0]));
    let mut tuples = vec![];
    for &row in &rows {
        tuples.push(row);
        (1..depth).for_each(|k| tuples.push(net.rng.int(0, shape[k] - 1) as i64));
    }
    let count = rows.len();
    let indices = net.constant(&Tensor::new([count, depth], tuples).unwrap());
    if net.flag() {
        return Ok(vec![net.add("GatherND", &[&x, &indices], vec![])?]);
    }
    let updates = net.values(&[&[count], &shape[depth..]].concat(), x.dtype());
    let updates = net.either(updates);
    Ok(vec![net.add("ScatterND", &[&x, &indices, &updates], vec![])?])
}

/// Repeats: whole tensors, or axes of extent 1.
pub fn repeat(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let mut shape = net.shape(rank);
    if net.flag() {
        let x = net.any(&shape);
        let repeats: Vec<i64> = (0..rank).map(|_| net.rng.int(1, 3) as i64).collect();
        let repeats = net.ints(&repeats);
        return Ok(vec![net.add("Tile", &[&x, &repeats], vec![])?]);
    }
    let mut wanted: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
    for k in 0..rank {
        if net.flag() {
            shape[k] = 1;
        } else if net.flag() {
            wanted[k] = 1;
        }
    }
    if net.flag() {
        wanted.insert(0, 2);
    }
    let x = net.any(&shape);
    let wanted = net.ints(&wanted);
    Ok(vec![net.add("Expand", &[&x, &wanted], vec![])?])
}

pub fn depth(net: &mut Net) -> Drawn {
    let (r, c) = (net.rng.int(1, 3), net.rng.int(1, 5));
    let (h, w) = (net.rng.int(1, 4), net.rng.int(1, 4));
    if net.flag() {
        let x = net.any(&[2, c, h * r, w * r]);
        return Ok(vec![net.add("SpaceToDepth", &[&x], vec![int("blocksize", r as i64)])?]);
    }
    let x = net.any(&[2, c * r * r, h, w]);
    let mode = net.one(&["DCR", "CRD"]);
    Ok(vec![net.add("DepthToSpace", &[&x], vec![int("blocksize", r as i64), string("mode", mode)])?])
}

pub fn triangle(net: &mut Net) -> Drawn {
    let rank = net.rng.int(2, 3);
    let shape = net.shape(rank);
    let x = net.any(&shape);
    net.at_least(14);
    let upper = i64::from(net.flag());
    if net.flag() {
        return Ok(vec![net.add("Trilu", &[&x], vec![int("upper", upper)])?]);
    }
    let k = net.rng.int(0, 4) as i64 - 2;
    let k = net.constant(&Tensor::new([], vec![k]).unwrap());
    Ok(vec![net.add("Trilu", &[&x, &k], vec![int("upper", upper)])?])
}

/// Tensors without elements: made by a slice, read by others.
pub fn empty(net: &mut Net) -> Drawn {
    let x = net.any(&[3, 4]);
    let axis = net.rng.int(0, 1) as i64;
    let [starts, ends, axes] = [[2], [2], [axis]].map(|v| net.ints(&v));
    let y = net.add("Slice", &[&x, &starts, &ends, &axes], vec![])?;
    match net.rng.int(0, 4) {
        0 => Ok(vec![net.add("Concat", &[&y, &x, &y], vec![int("axis", axis)])?]),
        1 => Ok(vec![net.add("Transpose", &[&y], vec![])?]),
        2 => Ok(vec![net.add("Equal", &[&y, &y], vec![])?]),
        3 => {
            let shape = net.ints(&[-1, y.shape()[0] as i64 + y.shape()[1] as i64]);
            Ok(vec![net.add("Reshape", &[&y, &shape], vec![])?])
        }
        _ => {
            let floats = net.add("Cast", &[&y], vec![int("to", 1)])?;
            let weight = net.floats(&[y.shape()[1], 2]);
            let weight = net.constant(&weight);
            Ok(vec![net.add("MatMul", &[&floats, &weight], vec![])?])
        }
    }
}

/// Elements written along an axis: replaced, added, multiplied.
pub fn scatter(net: &mut Net) -> Drawn {
    net.at_least(18);
    let shape = net.shape(2);
    let axis = net.axis(2);
    let at = axis.rem_euclid(2) as usize;
    let reduction = net.one(&["none", "none", "add", "mul", "max", "min"]);
    let dtype = net.one(&[DType::F32, DType::F32, DType::I32, DType::I64]);
    let mut of: Vec<usize> = shape.iter().map(|&n| net.rng.int(1, n)).collect();
    let n = shape[at] as i64;
    let indices = if reduction == "none" {
        // Every place is written once: the positions along the axis are the same for all rows, and different.
        let mut places = net.permutation(shape[at]);
        places.truncate(of[at]);
        let place = |k: usize| places[if at == 0 { k / of[1] } else { k % of[1] }];
        Tensor::new(of.clone(), (0..of[0] * of[1]).map(place).collect::<Vec<_>>()).unwrap()
    } else {
        of[at] = net.rng.int(1, 6);
        net.integers(&of, DType::I64, -n, n - 1)
    };
    let (x, updates) = (net.values(&shape, dtype), net.values(&of, dtype));
    let (x, indices, updates) = (net.input(x), net.constant(&indices), net.either(updates));
    if reduction == "none" && net.flag() {
        net.opset = 10;
        return Ok(vec![net.add("Scatter", &[&x, &indices, &updates], vec![int("axis", axis)])?]);
    }
    let attributes = vec![int("axis", axis), string("reduction", reduction)];
    Ok(vec![net.add("ScatterElements", &[&x, &indices, &updates], attributes)?])
}

/// The middle of each axis, or zeros around it, of all axes or of some.
pub fn crop_or_pad(net: &mut Net) -> Drawn {
    net.at_least(18);
    let rank = net.rng.int(1, 4);
    let shape = net.shape(rank);
    let x = net.any(&shape);
    let axes = net.axes(rank, rank);
    let some = net.flag();
    let count = if some { axes.len() } else { rank };
    let wanted: Vec<i64> = (0..count).map(|_| net.rng.int(1, 8) as i64).collect();
    let wanted = net.ints(&wanted);
    let attributes = if some { vec![ints("axes", &axes)] } else { vec![] };
    Ok(vec![net.add("CenterCropPad", &[&x, &wanted], attributes)?])
}

/// Parts along an axis, or elements; the condition may be shorter than the axis.
pub fn compress(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let shape = net.shape(rank);
    let x = net.any(&shape);
    let axis = net.axis(rank);
    let along = net.flag();
    let extent = if along { shape[axis.rem_euclid(rank as i64) as usize] } else { shape.iter().product() };
    let count = net.rng.int(1, extent);
    let condition = net.values(&[count], DType::Bool);
    let condition = net.either(condition);
    let attributes = if along { vec![int("axis", axis)] } else { vec![] };
    Ok(vec![net.add("Compress", &[&x, &condition], attributes)?])
}
