//! Several nodes one after another: functions with constants of any rank, views and copies, images from bytes.

use convgpu::internals::model::proto::{AttributeProto, GraphProto};
use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, Val, code};
use crate::onnx_build::{int, ints, node, untyped};

/// Functions and sums; a constant may have more axes than what it is added to.
pub fn elementwise(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let shape = net.shape(rank);
    let x = net.floats(&shape);
    let mut x = net.input(x);
    let first = x.clone();
    for _ in 0..net.rng.int(2, 5) {
        x = match net.rng.int(0, 3) {
            0 => {
                let op = net.one(&["Sigmoid", "Tanh", "Relu", "Erf", "Softsign", "Abs"]);
                net.add(op, &[&x], vec![])?
            }
            1 => {
                let op = net.one(&["Add", "Mul", "Sub", "Max", "Min"]);
                let mut of: Vec<usize> = x.shape().iter().map(|&n| if net.flag() { 1 } else { n }).collect();
                if of.len() < 5 && net.rng.int(0, 3) == 0 {
                    of.insert(0, net.rng.int(1, 2));
                }
                let c = net.floats(&of);
                let c = net.either(c);
                let inputs = if net.flag() { [&x, &c] } else { [&c, &x] };
                net.add(op, &inputs, vec![])?
            }
            2 => {
                let n = net.number(0.5);
                let op = net.one(&["Mul", "Add", "Div"]);
                net.add(op, &[&x, &n], vec![])?
            }
            _ => net.add("Add", &[&x, &first], vec![])?,
        };
    }
    Ok(vec![x])
}

/// Integers and floats that are only moved; sums of integers between.
pub fn views(net: &mut Net) -> Drawn {
    let shape = net.shape(3);
    let dtype = net.one(&[DType::F32, DType::I32, DType::I64, DType::U8, DType::I8, DType::I16, DType::Bool]);
    let x = net.values(&shape, dtype);
    let mut x = net.input(x);
    for _ in 0..net.rng.int(2, 5) {
        let rank = x.shape().len();
        x = match net.rng.int(0, 5) {
            0 => {
                let order: Vec<i64> = (0..rank as i64).rev().collect();
                net.add("Transpose", &[&x], vec![ints("perm", &order)])?
            }
            1 => {
                let to = net.ints(&[-1, x.shape()[rank - 1] as i64]);
                net.add("Reshape", &[&x, &to], vec![])?
            }
            2 => {
                let axis = net.axis(rank);
                net.add("Concat", &[&x, &x], vec![int("axis", axis)])?
            }
            3 => {
                let axis = net.axis(rank);
                let [starts, ends, axes, steps] = [[-1], [i64::MIN], [axis], [-1]].map(|v| net.ints(&v));
                net.add("Slice", &[&x, &starts, &ends, &axes, &steps], vec![])?
            }
            4 if matches!(dtype, DType::F32 | DType::I32 | DType::I64) => net.add("Add", &[&x, &x], vec![])?,
            4 => net.add("Identity", &[&x], vec![])?,
            _ => {
                let (axis, k) = (net.axis(rank), net.ints(&[0, -1]));
                net.add("Gather", &[&x, &k], vec![int("axis", axis)])?
            }
        };
    }
    Ok(vec![x])
}

/// Bytes of an image in channels-last order: converted, transposed, scaled, through a convolution, and back to bytes.
pub fn image_of_bytes(net: &mut Net) -> Drawn {
    net.at_least(13);
    let (h, w) = (net.rng.int(3, 7), net.rng.int(3, 7));
    let x = net.integers(&[1, h, w, 3], DType::U8, 0, 255);
    let x = net.input(x);
    let x = net.add("Cast", &[&x], vec![int("to", code(DType::F32).into())])?;
    let x = net.add("Transpose", &[&x], vec![ints("perm", &[0, 3, 1, 2])])?;
    let scale = net.number(1.0 / 256.0);
    let x = net.add("Mul", &[&x, &scale], vec![])?;
    // Whole weights: the result is a multiple of 1/256.
    let weight = net.integers(&[4, 3, 1, 1], DType::F32, 0, 2);
    let weight = net.constant(&weight);
    let attributes = vec![ints("kernel_shape", &[1, 1]), ints("dilations", &[1, 1]), ints("strides", &[1, 1])];
    let y = net.add("Conv", &[&x, &weight], attributes)?;
    let (low, high) = (net.number_alone(0.0), net.number_alone(1.0));
    let y = net.add("Clip", &[&y, &low, &high], vec![])?;
    let most = net.number(255.0);
    let y = net.add("Mul", &[&y, &most], vec![])?;
    // Sums are exact, products with 255 are not whole only by multiples of 1/256.
    let half = net.number(0.25 / 256.0);
    let y = net.add("Add", &[&y, &half], vec![])?;
    Ok(vec![net.add("Cast", &[&y], vec![int("to", code(DType::U8).into())])?])
}

/// Tensors from their shape or from indices alone.
pub fn filled(net: &mut Net) -> Drawn {
    let x = net.floats(&[4, 4]);
    let x = net.input(x);
    let y = match net.rng.int(0, 3) {
        0 => {
            let shape = net.ints(&[4, 1]);
            let value = Tensor::new([1], vec![0.5f32]).unwrap();
            let value = crate::onnx_build::tensor("value", crate::net::tensor_proto("", &value));
            net.add("ConstantOfShape", &[&shape], vec![value])?
        }
        1 => {
            let [first, limit, step] = [0i64, 8, 2].map(|v| net.constant(&Tensor::new([], vec![v]).unwrap()));
            let y = net.add("Range", &[&first, &limit, &step], vec![])?;
            net.add("Cast", &[&y], vec![int("to", 1)])?
        }
        2 => {
            let k = net.rng.int(0, 4) as i64 - 2;
            net.add("EyeLike", &[&x], vec![int("k", k)])?
        }
        _ => {
            let indices = net.integers(&[4], DType::I64, -4, 3);
            let indices = net.input(indices);
            let depth = net.ints(&[4]);
            let values = net.constant(&Tensor::from([0.25f32, 2.0]));
            let axis = net.axis(2);
            net.add("OneHot", &[&indices, &depth, &values], vec![int("axis", axis)])?
        }
    };
    Ok(vec![net.add("Add", &[&x, &y], vec![])?])
}

/// What is known when a network is planned: a number of elements, places that are not 0, a branch; and Dropout in evaluation.
pub fn planned(net: &mut Net) -> Drawn {
    net.at_least(13);
    let shape = net.shape(2);
    let x = net.floats(&shape);
    let x = net.input(x);
    let size = net.add("Size", &[&x], vec![])?;
    match net.rng.int(0, 3) {
        0 => {
            let count = net.add("Cast", &[&size], vec![int("to", code(DType::F32).into())])?;
            Ok(vec![net.add("Div", &[&x, &count], vec![])?])
        }
        1 => {
            let mask = net.integers(&shape, DType::F32, 0, 1);
            let mask = net.constant(&mask);
            let places = net.add("NonZero", &[&mask], vec![])?;
            let places = net.add("Transpose", &[&places], vec![])?;
            Ok(vec![net.add("GatherND", &[&x, &places], vec![])?])
        }
        2 => {
            let limit = net.constant(&Tensor::new([], vec![9i64]).unwrap());
            let small = net.add("Less", &[&size, &limit], vec![])?;
            let [yes, no] = [("then_branch", "Tanh"), ("else_branch", "Neg")].map(|(name, op)| branch(name, op, &x));
            Ok(vec![net.add("If", &[&small], vec![yes, no])?])
        }
        _ => {
            let y = net.add("Dropout", &[&x], vec![])?;
            Ok(vec![net.add("Neg", &[&y], vec![])?])
        }
    }
}

/// A branch of a node.
fn branch(name: &str, op: &str, x: &Val) -> AttributeProto {
    let (given, output) = (node(op, &[&x.name], &[name], vec![]), vec![untyped(name)]);
    let graph = GraphProto { name: Some(name.to_owned()), node: vec![given], output, ..Default::default() };
    AttributeProto { name: Some(name.to_owned()), g: Some(Box::new(graph)), r#type: Some(5), ..Default::default() }
}
