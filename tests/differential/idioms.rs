//! What exporters write as several nodes, and near misses of it.

use convgpu::Tensor;

use crate::net::{Drawn, Net, Refused, Val, scaled};
use crate::onnx_build::{float, int, ints};

type Step = Result<Val, Refused>;

impl Net {
    /// Adds nodes of one input each.
    fn unary(&mut self, op: &str, x: &Val) -> Step {
        self.add(op, &[x], vec![])
    }

    /// A node of two inputs, in either order where that is the same.
    fn pair(&mut self, op: &str, a: &Val, b: &Val) -> Step {
        let swap = matches!(op, "Add" | "Mul") && self.flag();
        self.add(op, &if swap { [b, a] } else { [a, b] }, vec![])
    }

    /// A node of a value and a number.
    fn with(&mut self, op: &str, x: &Val, number: f32) -> Step {
        let n = self.number(number);
        self.pair(op, x, &n)
    }

    /// The number of a pattern, or now and then another one.
    fn near(&mut self, number: f32) -> f32 {
        if self.rng.int(0, 7) == 0 { number * 1.25 } else { number }
    }

    /// `ReduceMean` over axes, as attribute or input.
    fn mean(&mut self, x: &Val, axes: &[i64], keep: bool) -> Step {
        let mut attributes = vec![int("keepdims", keep.into())];
        if self.opset < 18 {
            attributes.push(ints("axes", axes));
            return self.add("ReduceMean", &[x], attributes);
        }
        let axes = self.ints(axes);
        self.add("ReduceMean", &[x, &axes], attributes)
    }

    fn reshaped(&mut self, x: &Val, shape: &[i64]) -> Step {
        let shape = self.ints(shape);
        self.add("Reshape", &[x, &shape], vec![])
    }

    fn permuted(&mut self, x: &Val, order: &[i64]) -> Step {
        self.add("Transpose", &[x], vec![ints("perm", order)])
    }

    /// A convolution with constant weights of small numbers, so that results keep the size of their inputs.
    fn conv(&mut self, x: &Val, oc: usize, kernel: usize, stride: i64, groups: usize) -> Step {
        let ic = x.shape()[1];
        let count = ic / groups * kernel * kernel;
        let weight = self.floats(&[oc, ic / groups, kernel, kernel]);
        let weight = scaled(&weight, 1.0 / (count as f32).sqrt());
        let mut inputs = vec![x.clone(), self.constant(&weight)];
        if self.flag() {
            let bias = self.floats(&[oc]);
            inputs.push(self.constant(&bias));
        }
        let pad = kernel as i64 / 2;
        let attributes = vec![
            ints("kernel_shape", &[kernel as i64; 2]),
            ints("dilations", &[1, 1]),
            ints("pads", &[pad; 4]),
            ints("strides", &[stride; 2]),
            int("group", groups as i64),
        ];
        self.add("Conv", &inputs.iter().collect::<Vec<_>>(), attributes)
    }

    fn normed(&mut self, x: &Val) -> Step {
        let c = [x.shape()[1]];
        let parts = [self.floats(&c), self.floats(&c), self.floats(&c), self.positive(&c)];
        let parts = parts.map(|t| self.constant(&t));
        let [a, b, c, d] = &parts;
        self.add("BatchNormalization", &[x, a, b, c, d], vec![float("epsilon", 0.001)])
    }

    fn activated(&mut self, x: &Val) -> Step {
        match self.rng.int(0, 6) {
            0 => self.unary("Relu", x),
            1 => {
                let (low, high) = (self.number_alone(0.0), self.number_alone(6.0));
                self.add("Clip", &[x, &low, &high], vec![])
            }
            2 => self.add("LeakyRelu", &[x], vec![float("alpha", 0.1)]),
            3 => swish_of(self, x),
            4 => hard_swish_of(self, x),
            5 => gelu_of(self, x),
            _ => {
                let slope = self.floats(&[x.shape()[x.shape().len() - 3], 1, 1]);
                let slope = self.constant(&slope);
                self.add("PRelu", &[x, &slope], vec![])
            }
        }
    }

    fn picture(&mut self) -> Val {
        let shape = self.image();
        let x = self.floats(&shape);
        self.input(x)
    }
}

/// x (1 + erf(x / sqrt 2)) / 2 in the orders of exporters.
fn gelu_of(net: &mut Net, x: &Val) -> Step {
    let root = net.near(std::f32::consts::SQRT_2);
    let e = if net.flag() { net.with("Div", x, root)? } else { net.with("Mul", x, 1.0 / root)? };
    let e = net.unary("Erf", &e)?;
    let one = net.near(1.0);
    let e = net.with("Add", &e, one)?;
    let half = net.near(0.5);
    match net.rng.int(0, 2) {
        0 => {
            let y = net.pair("Mul", x, &e)?;
            net.with("Mul", &y, half)
        }
        1 => {
            let y = net.with("Mul", x, half)?;
            net.pair("Mul", &y, &e)
        }
        _ => {
            let y = net.with("Mul", &e, half)?;
            net.pair("Mul", x, &y)
        }
    }
}

fn swish_of(net: &mut Net, x: &Val) -> Step {
    let s = net.unary("Sigmoid", x)?;
    net.pair("Mul", x, &s)
}

/// x clip(x + 3, 0, 6) / 6, or x hardsigmoid(x).
fn hard_swish_of(net: &mut Net, x: &Val) -> Step {
    if net.rng.int(0, 2) == 0 {
        let alpha = net.near(1.0 / 6.0);
        let gate = net.add("HardSigmoid", &[x], vec![float("alpha", alpha), float("beta", 0.5)])?;
        return net.pair("Mul", x, &gate);
    }
    let three = net.near(3.0);
    let gate = net.with("Add", x, three)?;
    let high = net.near(6.0);
    let (low, high) = (net.number_alone(0.0), net.number_alone(high));
    let gate = net.add("Clip", &[&gate, &low, &high], vec![])?;
    let six = net.near(6.0);
    match net.rng.int(0, 2) {
        0 => {
            let y = net.pair("Mul", x, &gate)?;
            net.with("Div", &y, six)
        }
        1 => {
            let gate = net.with("Div", &gate, six)?;
            net.pair("Mul", x, &gate)
        }
        _ => {
            let y = net.with("Mul", x, 1.0 / six)?;
            net.pair("Mul", &y, &gate)
        }
    }
}

pub fn gelu(net: &mut Net) -> Drawn {
    let x = net.picture();
    Ok(vec![gelu_of(net, &x)?])
}

pub fn swish(net: &mut Net) -> Drawn {
    let x = net.picture();
    Ok(vec![swish_of(net, &x)?])
}

pub fn hard_swish(net: &mut Net) -> Drawn {
    let x = net.picture();
    Ok(vec![hard_swish_of(net, &x)?])
}

/// Mean, difference, variance, quotient, scale and shift.
pub fn layer_norm(net: &mut Net) -> Drawn {
    let shape = [2, net.rng.int(2, 5), net.rng.int(4, 9)];
    let x = net.floats(&shape);
    let x = net.input(x);
    let mean = net.mean(&x, &[-1], true)?;
    let d = net.add("Sub", &[&x, &mean], vec![])?;
    let square = if net.flag() { net.pair("Mul", &d, &d)? } else { net.with("Pow", &d, 2.0)? };
    let variance = net.mean(&square, &[-1], true)?;
    let variance = net.with("Add", &variance, 1e-3)?;
    let root = net.unary("Sqrt", &variance)?;
    let y = net.add("Div", &[&d, &root], vec![])?;
    let (scale, shift) = (net.floats(&shape[2..]), net.floats(&shape[2..]));
    let (scale, shift) = (net.constant(&scale), net.constant(&shift));
    let y = net.pair("Mul", &y, &scale)?;
    Ok(vec![net.pair("Add", &y, &shift)?])
}

/// Group normalisation of exporters before version 18: an instance normalisation between two reshapes.
pub fn group_norm(net: &mut Net) -> Drawn {
    let groups = net.rng.int(1, 3);
    let [c, h, w] = [groups * net.rng.int(1, 3), net.rng.int(3, 6), net.rng.int(3, 6)];
    let x = net.floats(&[2, c, h, w]);
    let x = net.input(x);
    let y = net.reshaped(&x, &[0, groups as i64, -1])?;
    let (one, zero) = (Tensor::new([groups], vec![1.0f32; groups]).unwrap(), Tensor::zeros([groups]));
    let (one, zero) = (net.constant(&one), net.constant(&zero));
    let y = net.add("InstanceNormalization", &[&y, &one, &zero], vec![])?;
    let size = net.unary("Shape", &x)?;
    let y = net.add("Reshape", &[&y, &size], vec![])?;
    let (scale, shift) = (net.floats(&[c, 1, 1]), net.floats(&[c, 1, 1]));
    let (scale, shift) = (net.constant(&scale), net.constant(&shift));
    let y = net.pair("Mul", &y, &scale)?;
    Ok(vec![net.pair("Add", &y, &shift)?])
}

/// Six axes, transposed: pixel shuffle in both orders, and the same with an order that is another function.
pub fn pixel_shuffle(net: &mut Net) -> Drawn {
    let (r, c, h, w) =
        (net.rng.int(2, 3) as i64, net.rng.int(1, 4) as i64, net.rng.int(2, 4) as i64, net.rng.int(2, 4) as i64);
    let x = net.floats(&[2, (c * r * r) as usize, h as usize, w as usize]);
    let x = net.input(x);
    let (shape, order): ([i64; 6], [i64; 6]) = net.one(&[
        ([2, c, r, r, h, w], [0, 1, 4, 2, 5, 3]),
        ([2, r, r, c, h, w], [0, 3, 4, 1, 5, 2]),
        ([2, c, r, r, h, w], [0, 1, 4, 3, 5, 2]),
        ([2, r, r, c, h, w], [0, 3, 4, 2, 5, 1]),
    ]);
    let y = net.reshaped(&x, &shape)?;
    let y = net.permuted(&y, &order)?;
    Ok(vec![net.reshaped(&y, &[2, c, h * r, w * r])?])
}

pub fn channel_shuffle(net: &mut Net) -> Drawn {
    let (groups, each, h, w) = (net.rng.int(2, 3) as i64, net.rng.int(1, 4) as i64, 3, 4);
    let x = net.floats(&[1, (groups * each) as usize, 3, 4]);
    let x = net.input(x);
    let y = net.reshaped(&x, &[1, groups, each, h, w])?;
    let y = net.permuted(&y, &[0, 2, 1, 3, 4])?;
    Ok(vec![net.reshaped(&y, &[1, -1, h, w])?])
}

/// Global pooling as a mean or a maximum over axes in any order.
pub fn reduced_pool(net: &mut Net) -> Drawn {
    let x = net.picture();
    let axes = net.one(&[[2, 3], [3, 2], [-2, -1], [-1, 2], [1, 2]]);
    let keep = net.flag();
    let y = net.mean(&x, &axes, keep)?;
    let y = net.with("Mul", &y, 2.0)?;
    if keep {
        return Ok(vec![y]);
    }
    Ok(vec![net.add("Flatten", &[&y], vec![])?])
}

/// The shape of one tensor decides the shape of another.
pub fn shape_arithmetic(net: &mut Net) -> Drawn {
    let x = net.picture();
    let size = net.unary("Shape", &x)?;
    let zero = net.constant(&Tensor::new([], vec![0i64]).unwrap());
    let n = net.add("Gather", &[&size, &zero], vec![int("axis", 0)])?;
    let n = if net.opset < 13 {
        net.add("Unsqueeze", &[&n], vec![ints("axes", &[0])])?
    } else {
        let axes = net.ints(&[0]);
        net.add("Unsqueeze", &[&n, &axes], vec![])?
    };
    let rest = net.ints(&[-1]);
    let wanted = net.add("Concat", &[&n, &rest], vec![int("axis", 0)])?;
    let y = net.add("Reshape", &[&x, &wanted], vec![])?;
    Ok(vec![net.activated_rows(&y)?])
}

impl Net {
    /// A linear layer in one of its forms, and a function.
    fn activated_rows(&mut self, x: &Val) -> Step {
        let (k, n) = (x.shape()[1], self.rng.int(1, 6));
        let weight = self.floats(&[k, n]);
        // By a power of two, so that sums are exact, also where they cancel.
        let scale = (-(k as f32).log2() / 2.0).round().exp2();
        let weight = self.constant(&scaled(&weight, scale));
        let bias = self.floats(&[n]);
        let bias = self.constant(&bias);
        let y = match self.flag() {
            true => self.add("Gemm", &[x, &weight, &bias], vec![])?,
            false => {
                let y = self.add("MatMul", &[x, &weight], vec![])?;
                self.pair("Add", &y, &bias)?
            }
        };
        let f = self.one(&["Relu", "Tanh", "Sigmoid"]);
        self.unary(f, &y)
    }
}

/// Every second pixel of four images, joined.
pub fn focus(net: &mut Net) -> Drawn {
    let x = net.floats(&[1, 3, 8, 6]);
    let x = net.input(x);
    let mut parts = vec![];
    for [top, left] in [[0, 0], [1, 0], [0, 1], [1, 1]] {
        let [starts, ends, axes, steps] = [[top, left], [i64::MAX; 2], [2, 3], [2, 2]].map(|v| net.ints(&v));
        parts.push(net.add("Slice", &[&x, &starts, &ends, &axes, &steps], vec![])?);
    }
    let y = net.add("Concat", &parts.iter().collect::<Vec<_>>(), vec![int("axis", 1)])?;
    let y = net.conv(&y, 5, 3, 1, 1)?;
    Ok(vec![net.activated(&y)?])
}

pub fn attention(net: &mut Net) -> Drawn {
    let (heads, d, n) = (2i64, 3i64, net.rng.int(2, 5));
    let x = net.floats(&[2, n, 6]);
    let x = net.input(x);
    let mut parts = vec![];
    for _ in 0..3 {
        let weight = net.floats(&[6, 6]);
        let weight = net.constant(&scaled(&weight, 0.4));
        let y = net.add("MatMul", &[&x, &weight], vec![])?;
        let y = net.reshaped(&y, &[0, 0, heads, d])?;
        parts.push(net.permuted(&y, &[0, 2, 1, 3])?);
    }
    let key = net.permuted(&parts[1], &[0, 1, 3, 2])?;
    let s = net.add("MatMul", &[&parts[0], &key], vec![])?;
    let s = net.with("Div", &s, (d as f32).sqrt())?;
    let s = net.add("Softmax", &[&s], vec![int("axis", 3)])?;
    let y = net.add("MatMul", &[&s, &parts[2]], vec![])?;
    let y = net.permuted(&y, &[0, 2, 1, 3])?;
    Ok(vec![net.reshaped(&y, &[0, 0, -1])?])
}

/// Blocks of convolutions: norms, functions, sums, gates, bottlenecks, one after another.
pub fn blocks(net: &mut Net) -> Drawn {
    net.at_least(13);
    let mut x = net.picture();
    for _ in 0..net.rng.int(1, 3) {
        // A sum may have added an axis.
        if x.shape().len() != 4 {
            break;
        }
        x = match net.rng.int(0, 7) {
            0 => residual(net, &x)?,
            1 => gate(net, &x)?,
            2 => depthwise(net, &x)?,
            3 => up_and_join(net, &x)?,
            4 => padded(net, &x)?,
            5 => norm_first(net, &x)?,
            6 => biased(net, &x)?,
            _ => conv_block(net, &x)?,
        };
    }
    Ok(vec![x])
}

fn conv_block(net: &mut Net, x: &Val) -> Step {
    let (oc, kernel, stride) = (net.rng.int(1, 9), net.one(&[1, 3]), net.one(&[1, 1, 2]));
    let mut y = net.conv(x, oc, kernel, stride, 1)?;
    if net.flag() {
        y = net.normed(&y)?;
    }
    net.activated(&y)
}

/// conv, norm, function, conv, norm, sum, function; the sum may be of an input of another size.
fn residual(net: &mut Net, x: &Val) -> Step {
    let c = x.shape()[1];
    let y = net.conv(x, c, 3, 1, 1)?;
    let y = net.normed(&y)?;
    let y = net.activated(&y)?;
    let y = net.conv(&y, c, 3, 1, 1)?;
    let y = if net.flag() { net.normed(&y)? } else { y };
    let other = if net.rng.int(0, 3) == 0 { net.conv(x, c, 1, 1, 1)? } else { x.clone() };
    let y = net.pair("Add", &y, &other)?;
    net.activated(&y)
}

/// Squeeze and excitation.
fn gate(net: &mut Net, x: &Val) -> Step {
    let c = x.shape()[1];
    let g = if net.flag() { net.unary("GlobalAveragePool", x)? } else { net.mean(x, &[2, 3], true)? };
    let hidden = net.rng.int(1, 4);
    let g = net.conv(&g, hidden, 1, 1, 1)?;
    let g = net.unary("Relu", &g)?;
    let g = net.conv(&g, c, 1, 1, 1)?;
    let f = net.one(&["Sigmoid", "HardSigmoid"]);
    let g = net.unary(f, &g)?;
    net.pair("Mul", x, &g)
}

fn depthwise(net: &mut Net, x: &Val) -> Step {
    let (c, times) = (x.shape()[1], net.rng.int(1, 2));
    let y = net.conv(x, c * times, 3, 1, c)?;
    let y = net.normed(&y)?;
    let y = net.activated(&y)?;
    let oc = net.rng.int(1, 9);
    net.conv(&y, oc, 1, 1, 1)
}

/// Down by a pool, up by a resize or a transposed convolution, joined with what it came from.
fn up_and_join(net: &mut Net, x: &Val) -> Step {
    let [_, c, h, w] = x.shape()[..] else { unreachable!("an image") };
    if h % 2 + w % 2 > 0 {
        return conv_block(net, x);
    }
    let y = net.add("MaxPool", &[x], vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])])?;
    let y = if net.flag() {
        let scales = net.constant(&Tensor::from([1.0f32, 1.0, 2.0, 2.0]));
        net.add("Resize", &[&y, &Net::none(), &scales], vec![])?
    } else {
        let weight = net.floats(&[c, c, 2, 2]);
        let weight = net.constant(&scaled(&weight, 0.5));
        let y = net.add("ConvTranspose", &[&y, &weight], vec![ints("strides", &[2, 2]), ints("dilations", &[1, 1])])?;
        net.normed(&y)?
    };
    net.add("Concat", &[x, &y], vec![int("axis", 1)])
}

/// A pad of zeros, or of something else, before a convolution.
fn padded(net: &mut Net, x: &Val) -> Step {
    let crop = i64::from(net.rng.int(0, 3) == 0);
    let pads = net.ints(&[0, 0, 1, 2 - crop, 0, 0, 1 - 2 * crop, 0]);
    let mut inputs = vec![x.clone(), pads];
    if net.flag() {
        let value = net.one(&[0.0, 0.0, 0.0, 1.0]);
        inputs.push(net.number_alone(value));
    }
    let y = net.add("Pad", &inputs.iter().collect::<Vec<_>>(), vec![])?;
    conv_block(net, &y)
}

fn norm_first(net: &mut Net, x: &Val) -> Step {
    let y = net.normed(x)?;
    let kernel = net.one(&[1, 1, 3]);
    let oc = net.rng.int(1, 6);
    net.conv(&y, oc, kernel, 1, 1)
}

/// A bias as a sum: per channel, per column, of more axes than the image.
fn biased(net: &mut Net, x: &Val) -> Step {
    let y = net.conv(x, 4, 1, 1, 1)?;
    let w = y.shape()[3];
    let shapes: [&[usize]; 6] = [&[1, 4, 1, 1], &[4, 1, 1], &[w], &[1], &[], &[1, 1, 4, 1, 1]];
    let shape = net.one(&shapes);
    let bias = net.floats(shape);
    let bias = net.constant(&bias);
    let y = net.pair("Add", &y, &bias)?;
    net.activated(&y)
}
