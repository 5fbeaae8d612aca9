//! Quantised networks. Integers stand for multiples of a scale, and no rounding decides a step: scales are powers of two, so that
//! a quotient is exact and one in the middle of two steps is known to be there; or the scale of a result is an odd number of
//! steps, so that no quotient comes near the middle.

use convgpu::internals::model::proto::AttributeProto;
use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, Refused, Val, code};
use crate::onnx_build::{int, ints, string};

/// How many steps of its operands a step of a result has.
pub const ODD: [i64; 5] = [1, 3, 7, 31, 127];

/// Types of two operands: ONNX Runtime has no quantised product of i8 and u8.
pub const PAIRS: [(DType, DType); 3] = [(DType::U8, DType::I8), (DType::U8, DType::U8), (DType::I8, DType::I8)];

impl Net {
    /// From 1 to 1/64.
    pub fn power(&mut self) -> f32 {
        1.0 / (1 << self.rng.int(0, 6)) as f32
    }

    pub fn powers(&mut self, shape: &[usize]) -> Tensor {
        let count = shape.iter().product();
        Tensor::new(shape, (0..count).map(|_| self.power()).collect::<Vec<_>>()).unwrap()
    }

    /// All integers of a type.
    pub fn whole_range(&mut self, shape: &[usize], dtype: DType) -> Tensor {
        let (low, high) = match dtype {
            DType::U8 => (0, 255),
            DType::I8 => (-128, 127),
            DType::U16 => (0, 65_535),
            DType::I16 => (-32_768, 32_767),
            _ => (-2_000_000, 2_000_000),
        };
        self.integers(shape, dtype, low, high)
    }

    /// Integers in the middle half of a type of 8 bits: some processors add two products of larger ones in 16 bits.
    pub fn middle(&mut self, shape: &[usize], dtype: DType) -> Tensor {
        let (low, high) = if dtype == DType::U8 { (64, 191) } else { (-64, 63) };
        self.integers(shape, dtype, low, high)
    }

    pub fn byte(&mut self) -> DType {
        self.one(&[DType::U8, DType::I8])
    }

    /// The shape of one number.
    pub fn single(&mut self) -> Vec<usize> {
        if self.flag() { vec![] } else { vec![1] }
    }
}

/// The operator, or ONNX Runtime's own one of the name.
fn of_either(net: &mut Net, op: &str) -> String {
    if net.rng.int(0, 3) == 0 { format!("com.microsoft.{op}") } else { op.to_owned() }
}

/// Which elements share a scale: all, those of a place along an axis, by default the second one, or of a block along it.
fn sharing(net: &mut Net, shape: &[usize]) -> (Vec<usize>, Vec<AttributeProto>) {
    let axis = net.axis(shape.len());
    let at = axis.rem_euclid(shape.len() as i64) as usize;
    match net.rng.int(0, 3) {
        0 if net.opset >= 13 && shape.len() > 1 => (vec![shape[1]], vec![]),
        1 if net.opset >= 13 => (vec![shape[at]], vec![int("axis", axis)]),
        2 if net.opset >= 21 => {
            let block = net.rng.int(1, shape[at]);
            let mut blocks = shape.to_vec();
            blocks[at] = shape[at].div_ceil(block);
            (blocks, vec![int("axis", axis), int("block_size", block as i64)])
        }
        _ => (net.single(), vec![]),
    }
}

/// Extents, now and then equal ones: a scale that fits one axis fits another.
fn extents(net: &mut Net) -> Vec<usize> {
    let rank = net.rng.int(1, 4);
    if net.rng.int(0, 2) == 0 { vec![net.rng.int(2, 4); rank] } else { net.shape(rank) }
}

/// The operator sets in which quantised types and attributes differ, and a type of the set.
fn narrow(net: &mut Net) -> DType {
    net.opset = net.one(&[11, 13, 19, 21, 23]);
    if net.opset >= 21 { net.one(&[DType::U8, DType::I8, DType::U16, DType::I16]) } else { net.byte() }
}

/// Integers for values; a quotient in the middle of two steps becomes the even one.
pub fn quantize(net: &mut Net) -> Drawn {
    let dtype = narrow(net);
    let shape = extents(net);
    let (of, mut attributes) = sharing(net, &shape);
    let (x, scale) = (net.floats(&shape), net.powers(&of));
    let mut inputs = vec![net.input(x), net.either(scale)];
    if net.rng.int(0, 3) > 0 {
        let zero = net.whole_range(&of, dtype);
        inputs.push(net.either(zero));
    } else if net.opset >= 21 {
        attributes.push(int("output_dtype", code(dtype).into()));
    }
    Ok(vec![net.add("QuantizeLinear", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// Values for integers; those of 32 bits have no zero point.
pub fn dequantize(net: &mut Net) -> Drawn {
    let narrow = narrow(net);
    let dtype = if net.rng.int(0, 3) == 0 { DType::I32 } else { narrow };
    let shape = extents(net);
    let (of, attributes) = sharing(net, &shape);
    let (q, scale) = (net.whole_range(&shape, dtype), net.positive(&of));
    let mut inputs = vec![net.input(q), net.either(scale)];
    if dtype != DType::I32 && net.rng.int(0, 3) > 0 {
        let zero = net.whole_range(&of, dtype);
        inputs.push(net.either(zero));
    }
    Ok(vec![net.add("DequantizeLinear", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// The range, with 0 in it, is 255 powers of two, so that zero point and steps are exact. The values are quarters of a step.
pub fn dynamic(net: &mut Net) -> Drawn {
    let shape = [net.rng.int(2, 5), net.rng.int(1, 5), net.rng.int(1, 5)];
    let below = net.one(&[0, 1, 100, 254, 255]);
    let above = 255 - below;
    // Where all values have one sign, 0 is the other end of the range.
    let quarters = net.integers(&shape, DType::I64, -4 * below, 4 * above).to_i64s().unwrap();
    let mut quarters: Vec<i64> = quarters.iter().map(|&q| if below == 0 { q.max(9) } else { q }).collect();
    let last = quarters.len() - 1;
    (quarters[0], quarters[last]) = (if below == 0 { 9 } else { -4 * below }, 4 * above);
    let step = net.power();
    let x = Tensor::new(shape, quarters.iter().map(|&q| q as f32 / 4.0 * step).collect::<Vec<_>>()).unwrap();
    let x = net.input(x);
    let all = net.several("DynamicQuantizeLinear", &[&x], 3, vec![])?;
    if net.flag() {
        return Ok(all);
    }
    let y = net.add("DequantizeLinear", &[&all[0], &all[1], &all[2]], vec![])?;
    Ok(vec![y, all[0].clone()])
}

/// Vectors, matrices and stacks; a zero point per row of the first factor, per column of the second.
pub fn matmul_integer(net: &mut Net) -> Drawn {
    let [a, b] = net.factors();
    let (a_type, b_type) = (net.byte(), net.byte());
    let (q, r) = (net.whole_range(&a, a_type), net.middle(&b, b_type));
    let mut inputs = vec![net.input(q), net.either(r)];
    let rows = (a.len() > 1 && net.rng.int(0, 3) == 0).then(|| a[a.len() - 2]);
    let columns = (b.len() > 1 && net.flag()).then(|| b[b.len() - 1]);
    for (dtype, count) in [(a_type, rows), (b_type, columns)] {
        let of = count.map_or_else(|| net.single(), |n| vec![n]);
        let zero = net.whole_range(&of, dtype);
        inputs.push(net.perhaps(zero));
    }
    let inputs = Net::given(inputs);
    Ok(vec![net.add("MatMulInteger", &inputs.iter().collect::<Vec<_>>(), vec![])?])
}

/// Every form of window. What lies beyond the image is the zero point.
pub fn conv_integer(net: &mut Net) -> Drawn {
    let Layer { x, weight, attributes, .. } = Layer::draw(net);
    let (x_type, w_type) = (net.byte(), net.byte());
    // ONNX Runtime has one zero point of all channels.
    let zeros = [vec![], if net.rng.int(0, 3) == 0 { vec![weight[0]] } else { vec![] }];
    let (q, r) = (net.middle(&x, x_type), net.middle(&weight, w_type));
    let mut inputs = vec![net.input(q), net.either(r)];
    for (of, dtype) in zeros.into_iter().zip([x_type, w_type]) {
        let zero = net.whole_range(&of, dtype);
        inputs.push(net.perhaps(zero));
    }
    let inputs = Net::given(inputs);
    Ok(vec![net.add("ConvInteger", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// A convolution: the shapes of image and weight, the groups and windows.
struct Layer {
    x: Vec<usize>,
    weight: Vec<usize>,
    attributes: Vec<AttributeProto>,
}

impl Layer {
    fn draw(net: &mut Net) -> Layer {
        let extents = net.extents();
        let (groups, ic, oc) = net.channels();
        let mut window = net.window(&extents, true);
        let kernel: Vec<usize> = window.kernel.iter().map(|&k| k as usize).collect();
        if groups > 1 {
            window.attributes.push(int("group", groups as i64));
        }
        if net.flag() {
            window.attributes.push(ints("kernel_shape", &window.kernel));
        }
        let x = [&[net.rng.int(1, 2), ic], &extents[..]].concat();
        Layer { x, weight: [&[oc, ic / groups], &kernel[..]].concat(), attributes: window.attributes }
    }
}

/// Scales, and the scale of a result that is an odd number of the least steps of products.
pub struct Scales {
    pub a: Tensor,
    pub b: Tensor,
    pub of_result: f32,
}

impl Scales {
    /// One for the first operand; for the second one, or one per column or channel.
    pub fn draw(net: &mut Net, of_second: &[usize]) -> Scales {
        let of = net.single();
        let (a, b) = (net.powers(&of), net.powers(of_second));
        let least = |t: &Tensor| t.to_f64s().into_iter().fold(1.0, f64::min) as f32;
        let of_result = least(&a) * least(&b) * net.one(&ODD) as f32;
        Scales { a, b, of_result }
    }
}

impl Net {
    /// Adds a tensor, its scale and its zero point to the inputs of a node.
    pub fn quantised(&mut self, inputs: &mut Vec<Val>, q: Tensor, scale: &Tensor) {
        let zero = self.whole_range(scale.shape(), q.dtype());
        let q = if inputs.is_empty() { self.input(q) } else { self.either(q) };
        inputs.extend([q, self.either(scale.clone()), self.either(zero)]);
    }

    /// Adds scale and zero point of a result.
    pub fn result(&mut self, inputs: &mut Vec<Val>, scale: f32, dtype: DType) {
        let zero = self.whole_range(&[], dtype);
        inputs.extend([self.either(Tensor::scalar(scale)), self.either(zero)]);
    }
}

pub fn qlinear_matmul(net: &mut Net) -> Drawn {
    let [a, b] = net.factors();
    let (a_type, b_type) = net.one(&PAIRS);
    let columns = if b.len() > 1 && net.flag() { vec![b[b.len() - 1]] } else { net.single() };
    let scales = Scales::draw(net, &columns);
    let (q, r) = (net.whole_range(&a, a_type), net.middle(&b, b_type));
    let mut inputs = vec![];
    net.quantised(&mut inputs, q, &scales.a);
    net.quantised(&mut inputs, r, &scales.b);
    // No algorithm of a product of matrices rounds integers: middles of two steps may occur.
    let coarser = net.one(&[1.0, 1.0, 64.0]);
    let power = scales.a.to_f64s()[0] as f32;
    let of_result = if coarser > 1.0 { power * coarser } else { scales.of_result };
    net.result(&mut inputs, of_result, a_type);
    Ok(vec![net.add("QLinearMatMul", &inputs.iter().collect::<Vec<_>>(), vec![])?])
}

pub fn qlinear_conv(net: &mut Net) -> Drawn {
    let Layer { x, weight, attributes } = Layer::draw(net);
    let (x_type, w_type) = net.one(&PAIRS);
    let channels = if net.flag() { vec![weight[0]] } else { net.single() };
    let scales = Scales::draw(net, &channels);
    let (q, r) = (net.middle(&x, x_type), net.middle(&weight, w_type));
    let mut inputs = vec![];
    net.quantised(&mut inputs, q, &scales.a);
    net.quantised(&mut inputs, r, &scales.b);
    // One zero point for all channels: ONNX Runtime has no other.
    let zero = Tensor::full(channels.clone(), net.rng.int(0, 9) as f32).to_dtype(w_type);
    inputs[5] = net.either(zero);
    net.result(&mut inputs, scales.of_result, x_type);
    if net.flag() {
        let bias = net.integers(&[weight[0]], DType::I32, -999, 999);
        inputs.push(net.either(bias));
    }
    let op = of_either(net, "QLinearConv");
    Ok(vec![net.add(&op, &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// The scale and zero point between two nodes.
struct Between {
    scale: Val,
    zero: Val,
}

impl Between {
    fn draw(net: &mut Net, scale: f32, dtype: DType) -> Between {
        let zero = net.middle(&[], dtype);
        Between { scale: net.number_alone(scale), zero: net.constant(&zero) }
    }

    fn node(&self, net: &mut Net, op: &str, x: &Val) -> Result<Val, Refused> {
        net.add(op, &[x, &self.scale, &self.zero], vec![])
    }
}

/// As exporters write a quantised layer: its image and weights are dequantised, its result is quantised; and integers are moved.
pub fn chain(net: &mut Net) -> Drawn {
    net.opset = net.one(&[13, 17, 21]);
    let dtype = net.byte();
    let power = net.power();
    let before = Between::draw(net, power, dtype);
    let shape = net.image();
    let x = net.floats(&shape);
    let x = net.input(x);
    let q = before.node(net, "QuantizeLinear", &x)?;
    let q = moved(net, &q)?;
    let v = before.node(net, "DequantizeLinear", &q)?;
    let (y, step) = convolved(net, &v, power)?;
    let y = if net.flag() { net.add("Relu", &[&y], vec![])? } else { y };
    let scale = step * net.one(&ODD) as f32;
    let after = Between::draw(net, scale, dtype);
    let q = after.node(net, "QuantizeLinear", &y)?;
    let q = moved(net, &q)?;
    let v = after.node(net, "DequantizeLinear", &q)?;
    Ok(if net.flag() { vec![v] } else { vec![v, q] })
}

/// A convolution of multiples of `step` with dequantised weights, and of what its results are multiples.
fn convolved(net: &mut Net, v: &Val, step: f32) -> Result<(Val, f32), Refused> {
    let [_, ic, h, w] = v.shape()[..] else { unreachable!("an image") };
    let (oc, kernel) = (net.rng.int(1, 5), net.rng.int(1, h.min(w).min(3)));
    let q = net.middle(&[oc, ic, kernel, kernel], DType::I8);
    let per_channel = net.flag();
    let scale = if per_channel { net.powers(&[oc]) } else { net.powers(&[]) };
    let least = scale.to_f64s().into_iter().fold(1.0, f64::min) as f32 * step;
    let zero = Tensor::zeros(scale.shape()).to_dtype(DType::I8);
    let parts = [&q, &scale, &zero].map(|t| net.constant(t));
    let attributes = if per_channel { vec![int("axis", 0)] } else { vec![] };
    let weight = net.add("DequantizeLinear", &parts.iter().collect::<Vec<_>>(), attributes)?;
    let mut inputs = vec![v.clone(), weight];
    if net.flag() {
        let bias = net.integers(&[oc], DType::F32, -99, 99);
        inputs.push(net.constant(&crate::net::scaled(&bias, least)));
    }
    let mut attributes = steps_of_one();
    if net.flag() {
        attributes.push(string("auto_pad", "SAME_UPPER"));
    }
    Ok((net.add("Conv", &inputs.iter().collect::<Vec<_>>(), attributes)?, least))
}

/// As exporters write it, though it is the default.
fn steps_of_one() -> Vec<AttributeProto> {
    vec![ints("strides", &[1, 1]), ints("dilations", &[1, 1])]
}

/// Integers of an image that are moved, or not.
fn moved(net: &mut Net, q: &Val) -> Result<Val, Refused> {
    match net.rng.int(0, 6) {
        0 => net.add("MaxPool", &[q], [vec![ints("kernel_shape", &[2, 1])], steps_of_one()].concat()),
        1 => net.add("Transpose", &[q], vec![ints("perm", &[0, 1, 3, 2])]),
        2 => net.add("Concat", &[q, q], vec![int("axis", 1)]),
        3 => {
            let [starts, ends, axes, steps] = [[0], [99], [3], [2]].map(|v| net.ints(&v));
            net.add("Slice", &[q, &starts, &ends, &axes, &steps], vec![])
        }
        4 => {
            let scales = net.constant(&Tensor::from([1.0f32, 1.0, 2.0, 1.0]));
            let attributes =
                vec![string("coordinate_transformation_mode", "asymmetric"), string("nearest_mode", "floor")];
            net.add("Resize", &[q, &Net::none(), &scales], attributes)
        }
        _ => Ok(q.clone()),
    }
}
