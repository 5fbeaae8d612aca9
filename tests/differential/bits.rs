//! The bits of integers, and shifts of them.

use convgpu::DType;

use crate::net::{Drawn, Net};
use crate::onnx_build::string;

pub fn pair(net: &mut Net) -> Drawn {
    net.at_least(18);
    let op = net.one(&["BitwiseAnd", "BitwiseOr", "BitwiseXor"]);
    let dtype = net.integer();
    let [a, b] = net.two_shapes().map(|shape| net.whole_range(&shape, dtype));
    let [a, b] = net.two(a, b);
    Ok(vec![net.add(op, &[&a, &b], vec![])?])
}

pub fn inverse(net: &mut Net) -> Drawn {
    net.at_least(18);
    let (shape, dtype) = (net.shape(3), net.integer());
    let x = net.whole_range(&shape, dtype);
    let x = net.input(x);
    Ok(vec![net.add("BitwiseNot", &[&x], vec![])?])
}

/// Shifts by fewer bits than the type has. The operator's text does not say what larger shifts give.
pub fn shift(net: &mut Net) -> Drawn {
    let (dtype, bits) = net.one(&[(DType::U8, 8), (DType::U16, 16), (DType::U32, 32)]);
    let [a, b] = net.two_shapes();
    let (a, b) = (net.whole_range(&a, dtype), net.integers(&b, dtype, 0, bits - 1));
    let [a, b] = net.two(a, b);
    let direction = net.one(&["LEFT", "RIGHT"]);
    Ok(vec![net.add("BitShift", &[&a, &b], vec![string("direction", direction)])?])
}
