//! ONNX Runtime's own operators of quantised tensors. As in `quantised`, no rounding decides a step.

use convgpu::internals::model::proto::AttributeProto;
use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, Refused, Val, scaled};
use crate::onnx_build::{float, int, ints};
use crate::quantised::{ODD, PAIRS, Scales};

impl Net {
    /// An input of integers in the whole range of a type, with scale and zero point.
    fn whole(&mut self, shape: &[usize], dtype: DType, scale: f32) -> Vec<Val> {
        let mut inputs = vec![];
        let q = self.whole_range(shape, dtype);
        self.quantised(&mut inputs, q, &Tensor::scalar(scale));
        inputs
    }

    fn odd(&mut self) -> f32 {
        self.one(&ODD) as f32
    }
}

fn node(net: &mut Net, op: &str, inputs: &[Val], attributes: Vec<AttributeProto>) -> Drawn {
    Ok(vec![net.add(&format!("com.microsoft.{op}"), &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// Sums are odd multiples of the smaller of two steps, products of their product.
pub fn pair(net: &mut Net) -> Drawn {
    let dtype = net.byte();
    let [a, b] = net.two_shapes();
    let (first, second) = (net.power(), net.power());
    let mut inputs = net.whole(&a, dtype, first);
    inputs.extend(net.whole(&b, dtype, second));
    let (op, step) = net.one(&[("QLinearAdd", first.min(second)), ("QLinearMul", first * second)]);
    let scale = step * net.odd();
    net.result(&mut inputs, scale, dtype);
    node(net, op, &inputs, vec![])
}

/// Tensors of different scales.
pub fn concat(net: &mut Net) -> Drawn {
    let dtype = net.byte();
    let mut shape = net.shape(3);
    let axis = net.axis(3);
    let (mut parts, mut least) = (vec![], 1.0f32);
    for _ in 0..net.rng.int(1, 3) {
        shape[axis.rem_euclid(3) as usize] = net.rng.int(1, 4);
        let scale = net.power();
        least = least.min(scale);
        parts.extend(net.whole(&shape, dtype, scale));
    }
    let (mut inputs, scale) = (vec![], least * net.odd());
    net.result(&mut inputs, scale, dtype);
    inputs.extend(parts);
    node(net, "QLinearConcat", &inputs, vec![int("axis", axis)])
}

/// Means of odd numbers of elements. The channels may come last.
pub fn pool(net: &mut Net) -> Drawn {
    let (dtype, step) = (net.byte(), net.power());
    let last = net.flag();
    let sides = [net.one(&[3, 5]), net.one(&[5, 7])];
    let channels = net.rng.int(1, 5);
    let shape = if last { [2, sides[0], sides[1], channels] } else { [2, channels, sides[0], sides[1]] };
    let mut inputs = net.whole(&shape, dtype, step);
    let scale = step * net.odd();
    net.result(&mut inputs, scale, dtype);
    let mut attributes = if last || net.flag() { vec![int("channels_last", last.into())] } else { vec![] };
    if net.rng.int(0, 2) == 0 {
        return node(net, "QLinearGlobalAveragePool", &inputs, attributes);
    }
    let kernel = [net.one(&[1, 3]), net.one(&[1, 3])];
    attributes.push(ints("kernel_shape", &kernel));
    attributes.push(ints("strides", &[net.rng.int(1, 2) as i64, 1]));
    if net.flag() {
        let pad = kernel.map(|k| k / 2);
        attributes.push(ints("pads", &[pad[0], pad[1], pad[0], pad[1]]));
        attributes.push(int("count_include_pad", 1));
    }
    node(net, "QLinearAveragePool", &inputs, attributes)
}

/// A function whose results are whole steps or thirds, or irrational and few: of the sigmoid there are 256.
pub fn function(net: &mut Net) -> Drawn {
    let (dtype, step) = (net.byte(), net.power());
    let shape = net.shape(3);
    match net.rng.int(0, 2) {
        0 => {
            let mut inputs = net.whole(&shape, dtype, step);
            let scale = step * 0.25 * net.odd();
            net.result(&mut inputs, scale, dtype);
            node(net, "QLinearLeakyRelu", &inputs, vec![float("alpha", 0.25)])
        }
        1 => {
            let mut inputs = net.whole(&shape, dtype, step);
            net.result(&mut inputs, 1.0 / 16.0, dtype);
            node(net, "QLinearSigmoid", &inputs, vec![])
        }
        _ => softmax(net, dtype, &shape),
    }
}

/// Some elements are so much larger than the others that each has an equal share.
fn softmax(net: &mut Net, dtype: DType, shape: &[usize]) -> Drawn {
    let chosen = net.values(shape, DType::Bool).to_dtype(DType::F32);
    let lowest = if dtype == DType::U8 { 0.0 } else { -128.0 };
    let shifted = scaled(&chosen, 255.0).as_f32().unwrap().iter().map(|v| v + lowest).collect::<Vec<_>>();
    let q = Tensor::new(shape, shifted).unwrap().to_dtype(dtype);
    let mut inputs = vec![];
    net.quantised(&mut inputs, q, &Tensor::scalar(0.25));
    net.result(&mut inputs, 1.0 / 16.0, dtype);
    let version = net.one(&[12, 13]);
    let axis = net.axis(shape.len());
    node(net, "QLinearSoftmax", &inputs, vec![int("axis", axis), int("opset", version)])
}

/// Both transposes, a factor, an addend of the scale of products; floats where the result has no scale.
pub fn gemm(net: &mut Net) -> Drawn {
    let [m, k, n] = [net.rng.int(1, 6), net.rng.int(1, 9), net.rng.int(1, 6)];
    let (ta, tb) = (net.flag(), net.flag());
    let (a_type, b_type) = net.one(&PAIRS);
    let of_columns = if net.flag() { vec![n] } else { net.single() };
    let scales = Scales::draw(net, &of_columns);
    let q = net.whole_range(&if ta { [k, m] } else { [m, k] }, a_type);
    let r = net.middle(&if tb { [n, k] } else { [k, n] }, b_type);
    let mut inputs = vec![];
    net.quantised(&mut inputs, q, &scales.a);
    net.quantised(&mut inputs, r, &scales.b);
    let shape = net.one(&[[1, n], [m, n]]);
    let addend = net.integers(&shape, DType::I32, -999, 999);
    inputs.push(net.perhaps(addend));
    if net.flag() {
        net.result(&mut inputs, scales.of_result, a_type);
    }
    let inputs = Net::given(inputs);
    node(net, "QGemm", &inputs, vec![int("transA", ta.into()), int("transB", tb.into())])
}

/// Steps and values by the operators of the other domain, of which one scale for each place along an axis has an axis.
pub fn steps(net: &mut Net) -> Drawn {
    let (dtype, step) = (net.byte(), net.power());
    let shape = net.shape(3);
    let x = net.floats(&shape);
    let x = net.input(x);
    let zero = net.whole_range(&[], dtype);
    let (scale, zero) = (net.number_alone(step), net.constant(&zero));
    let q = net.add("com.microsoft.QuantizeLinear", &[&x, &scale, &zero], vec![])?;
    Ok(vec![dequantised(net, &q, dtype)?])
}

fn dequantised(net: &mut Net, q: &Val, dtype: DType) -> Result<Val, Refused> {
    let axis = net.axis(3);
    let of = [q.shape()[axis.rem_euclid(3) as usize]];
    let (scale, zero) = (net.powers(&of), net.whole_range(&of, dtype));
    let (scale, zero) = (net.either(scale), net.either(zero));
    net.add("com.microsoft.DequantizeLinear", &[q, &scale, &zero], vec![int("axis", axis)])
}
