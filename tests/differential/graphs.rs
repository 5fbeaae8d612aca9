//! Random graphs made of the patterns that rewrites look for, and of near misses: other constants, other axes, integers,
//! several readers, results inside that are outputs.

use convgpu::functional::{Conv2dOptions, ConvTranspose2dOptions};
use convgpu::internals::attr::{
    Activation,
    BinaryKind::{self, Add, Div, Mul},
    PadMode, ReduceKind,
};
use convgpu::internals::attr::{HARD_SIGMOID, RELU6};
use convgpu::internals::ops::batch_norm::BatchNorm;
use convgpu::internals::ops::pad::Pad;
use convgpu::internals::ops::reduce::Reduce;
use convgpu::{DType, Desc, Error, Graph, Tensor, ValueId};

use crate::support::Rng;

/// A graph and the values of its inputs.
pub struct Drawn {
    pub graph: Graph,
    pub inputs: Vec<(String, Tensor)>,
}

type Step = Result<ValueId, Error>;

/// The graph under construction.
struct Net {
    g: Graph,
    rng: Rng,
    inputs: Vec<(String, Tensor)>,
    /// What later nodes may read.
    live: Vec<ValueId>,
}

/// The graph of a seed.
pub fn draw(seed: u64) -> Drawn {
    let mut net = Net { g: Graph::new(), rng: Rng(seed), inputs: vec![], live: vec![] };
    let mut shape = [net.int(1, 2), net.int(1, 6), net.int(4, 7), net.int(4, 7)];
    // Equal extents: a constant that fits one axis fits another.
    if net.int(0, 3) == 0 {
        shape = [net.int(3, 4); 4];
    }
    net.input(&shape);
    net.input(&shape);
    for _ in 0..net.int(2, 9) {
        let x = net.pick();
        let step = STEPS[net.int(0, STEPS.len() - 1)];
        // A step that does not fit the shape is left out.
        if let Ok(y) = step(&mut net, x) {
            net.live.push(y);
        }
    }
    net.finish()
}

const STEPS: &[fn(&mut Net, ValueId) -> Step] = &[
    conv,
    conv,
    conv,
    conv_bias,
    conv_sum,
    conv_activation,
    conv_activation,
    conv_prelu,
    conv_norm,
    conv_norm,
    norm_conv,
    transposed_norm,
    pad_conv,
    pad_conv,
    activation,
    sum,
    swish,
    quantise,
    hard_swish,
    gelu,
    gelu,
    pool,
    pool,
    pixel_shuffle,
    reshapes,
    permutes,
    linear,
    folded,
    identity,
    integers,
];

impl Net {
    fn int(&mut self, low: usize, high: usize) -> usize {
        self.rng.int(low, high)
    }

    fn flag(&mut self) -> bool {
        self.int(0, 1) == 1
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.int(0, of.len() - 1)]
    }

    /// A value, mostly one of the last.
    fn pick(&mut self) -> ValueId {
        let last = self.live.len() - 1;
        let k = if self.int(0, 3) == 0 { self.int(0, last) } else { last };
        self.live[k]
    }

    fn input(&mut self, shape: &[usize]) {
        let (name, tensor) = (format!("x{}", self.inputs.len()), self.rng.tensor(shape));
        self.live.push(self.g.input(name.clone(), tensor.desc()).unwrap());
        self.inputs.push((name, tensor));
    }

    fn constant(&mut self, shape: &[usize]) -> ValueId {
        let t = self.rng.tensor(shape);
        self.g.constant("c", t).unwrap()
    }

    fn positive(&mut self, shape: &[usize]) -> ValueId {
        let n = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|_| self.rng.float().abs() + 0.25).collect();
        self.g.constant("c", Tensor::new(shape, values).unwrap()).unwrap()
    }

    /// Weights that keep the size of what they are multiplied with.
    fn weight(&mut self, shape: &[usize], terms: usize) -> ValueId {
        let n = shape.iter().product();
        let by = 1.5 / (terms as f32).sqrt();
        let t = Tensor::new(shape, (0..n).map(|_| self.rng.float() * by).collect::<Vec<_>>()).unwrap();
        // Now and then it is only known at run time.
        if self.int(0, 15) > 0 {
            return self.g.constant("w", t).unwrap();
        }
        let name = format!("w{}", self.inputs.len());
        let id = self.g.input(name.clone(), t.desc()).unwrap();
        self.inputs.push((name, t));
        id
    }

    /// A number: without axes, with one, or with more than the image has.
    fn number(&mut self, v: f32) -> ValueId {
        let shape = self.one(&[&[][..], &[], &[], &[1], &[1, 1, 1, 1], &[1, 1, 1, 1, 1]]);
        self.g.constant("n", Tensor::new(shape, vec![v]).unwrap()).unwrap()
    }

    /// The number of a pattern, or now and then another.
    fn near(&mut self, v: f32) -> f32 {
        if self.int(0, 9) == 0 { v * 1.25 } else { v }
    }

    /// What a pattern reads twice: the same value, or now and then another.
    fn same(&mut self, x: ValueId) -> ValueId {
        if self.int(0, 9) == 0 { self.live[self.live.len() / 2] } else { x }
    }

    /// What is inside a pattern: now and then later nodes read it, too.
    fn inside(&mut self, step: Step) -> Step {
        if let (Ok(id), 0) = (&step, self.int(0, 9)) {
            self.live.push(*id);
        }
        step
    }

    fn binary(&mut self, a: ValueId, b: ValueId, kind: BinaryKind) -> Step {
        let swap = matches!(kind, Add | Mul) && self.flag();
        let (a, b) = if swap { (b, a) } else { (a, b) };
        let step = self.g.binary(a, b, kind);
        self.inside(step)
    }

    fn with(&mut self, x: ValueId, v: f32, kind: BinaryKind) -> Step {
        let n = self.number(v);
        self.binary(x, n, kind)
    }

    fn function(&mut self, x: ValueId, f: Activation) -> Step {
        let step = self.g.activation(x, f);
        self.inside(step)
    }

    fn image(&self, x: ValueId) -> Result<[usize; 4], Error> {
        let wrong = || self.g.clone().input("", Desc::f32([usize::MAX])).expect_err("too large");
        <[usize; 4]>::try_from(self.g.shape(x).to_vec()).map_err(|_| wrong())
    }

    /// The last values, those that nothing reads, and some inside are outputs.
    fn finish(mut self) -> Drawn {
        let read: Vec<ValueId> = self.g.nodes().iter().flat_map(|n| n.inputs.clone()).collect();
        for (k, id) in self.live.clone().into_iter().enumerate() {
            if k + 1 == self.live.len() || !read.contains(&id) || self.int(0, 6) == 0 {
                self.g.output(format!("y{k}"), id);
            }
        }
        Drawn { graph: self.g, inputs: self.inputs }
    }
}

fn conv(net: &mut Net, x: ValueId) -> Step {
    let [_, c, _, w] = net.image(x)?;
    let free = net.int(1, 6);
    let (oc, kernel) = (net.one(&[free, free, w]), net.one(&[1, 1, 3]));
    let same = net.flag();
    let (oc, groups) = if net.int(0, 3) == 0 { (c, c) } else { (if same { c } else { oc }, 1) };
    let weight = net.weight(&[oc, c / groups, kernel, kernel], c / groups * kernel * kernel);
    let bias = net.flag().then(|| net.weight(&[oc], 1));
    let options = Conv2dOptions::new().padding(kernel / 2).groups(groups);
    let step = net.g.conv2d(x, weight, bias, options);
    net.inside(step)
}

/// Constants that are a bias, and constants that broadcast along other axes or to more axes.
fn conv_bias(net: &mut Net, x: ValueId) -> Step {
    let y = conv(net, x)?;
    let [n, c, h, w] = net.image(y)?;
    let shapes: [&[usize]; 10] = [
        &[c, 1, 1],
        &[c, 1, 1],
        &[1, c, 1, 1],
        &[1],
        &[],
        &[w],
        &[1, 1, h, 1],
        &[1, 1, c, 1, 1],
        &[2, 1, c, 1, 1],
        &[n, c, h, w],
    ];
    let shape = net.one(&shapes);
    let bias = net.constant(shape);
    net.binary(y, bias, Add)
}

/// The sum with another value of the shape: an input, an earlier result, another convolution, itself.
fn conv_sum(net: &mut Net, x: ValueId) -> Step {
    let y = conv(net, x)?;
    let shape = net.g.shape(y).to_vec();
    let alike: Vec<ValueId> = net.live.iter().copied().filter(|&id| net.g.shape(id) == shape).collect();
    let other = match net.int(0, 3) {
        0 => conv(net, x)?,
        1 => y,
        _ if alike.is_empty() => net.constant(&shape),
        _ => net.one(&alike),
    };
    let y = net.binary(y, other, Add)?;
    if net.flag() { activation(net, y) } else { Ok(y) }
}

fn conv_activation(net: &mut Net, x: ValueId) -> Step {
    let y = conv(net, x)?;
    if net.flag() {
        return activation(net, y);
    }
    // Another view of the result, before the function.
    let shape = net.g.shape(y).to_vec();
    let step = net.g.reshape(y, [shape[0], shape[1], shape[2] * shape[3]]);
    let y = net.inside(step)?;
    activation(net, y)
}

fn conv_prelu(net: &mut Net, x: ValueId) -> Step {
    let y = conv(net, x)?;
    let [_, c, _, w] = net.image(y)?;
    let shapes: [&[usize]; 5] = [&[c], &[1], &[c, 1, 1], &[1, c, 1, 1], &[1, 1, 1, w]];
    let shape = net.one(&shapes);
    let slope = net.weight(shape, 1);
    let step = net.g.prelu(y, slope);
    let y = net.inside(step)?;
    if net.int(0, 2) == 0 { activation(net, y) } else { Ok(y) }
}

fn norm(net: &mut Net, x: ValueId) -> Step {
    let c = [net.g.shape(x)[1]];
    let inputs = [x, net.weight(&c, 1), net.weight(&c, 1), net.weight(&c, 1), net.positive(&c)];
    let step = net.g.apply("norm", BatchNorm { eps: 1e-3 }, &inputs);
    net.inside(step)
}

fn conv_norm(net: &mut Net, x: ValueId) -> Step {
    let y = conv(net, x)?;
    let y = if net.int(0, 5) == 0 { activation(net, y)? } else { y };
    let y = norm(net, y)?;
    if net.flag() { activation(net, y) } else { Ok(y) }
}

fn norm_conv(net: &mut Net, x: ValueId) -> Step {
    net.image(x)?;
    let y = norm(net, x)?;
    conv(net, y)
}

fn transposed_norm(net: &mut Net, x: ValueId) -> Step {
    let [_, c, ..] = net.image(x)?;
    let (oc, groups) = if net.flag() { (c, c) } else { (net.int(1, 5), 1) };
    let weight = net.weight(&[c, oc / groups, 2, 2], c / groups * 2);
    let step = net.g.conv_transpose2d(x, weight, None, ConvTranspose2dOptions::new().groups(groups));
    let y = net.inside(step)?;
    let y = norm(net, y)?;
    if net.flag() { activation(net, y) } else { Ok(y) }
}

/// Zeros or something else, around height and width or around channels, or less of the image.
fn pad_conv(net: &mut Net, x: ValueId) -> Step {
    net.image(x)?;
    let mode = net.one(&[PadMode::Constant(0.0), PadMode::Constant(0.0), PadMode::Constant(0.5), PadMode::Reflect]);
    let pads = net.one(&[[0, 1, 2, 0, 1], [0, 1, 1, 1, 1], [0, 0, 2, 1, 0], [1, 1, 1, 1, 1], [0, -1, 1, 1, 0]]);
    let [channels, top, bottom, left, right] = pads;
    let pads = vec![[0, 0], [0, channels], [top, bottom], [left, right]];
    let step = net.g.apply("pad", Pad { pads, mode }, &[x]);
    let y = net.inside(step)?;
    conv(net, y)
}

/// Functions whose small results are as precise as the others: not GELU, far below 0.
fn activation(net: &mut Net, x: ValueId) -> Step {
    const ALL: [Activation; 10] = [
        Activation::Relu,
        RELU6,
        Activation::LeakyRelu { slope: 0.1 },
        Activation::Sigmoid,
        Activation::Tanh,
        HARD_SIGMOID,
        Activation::Swish { beta: 1.0 },
        Activation::Softsign,
        Activation::Abs,
        Activation::Erf,
    ];
    let f = net.one(&ALL);
    net.function(x, f)
}

fn sum(net: &mut Net, x: ValueId) -> Step {
    let other = net.pick();
    net.binary(x, other, Add)
}

/// After a function that may become its limits. The steps are so small that it does not matter which one is taken.
fn quantise(net: &mut Net, x: ValueId) -> Step {
    let f = net.one(&[Activation::Relu, RELU6, Activation::Clamp { min: -1.5, max: 0.75 }]);
    let x = net.function(x, f)?;
    let high = net.one(&[1 << 20, 3 << 20]) as f32;
    net.function(x, Activation::FakeQuantize { scale: 1.0 / (1 << 20) as f32, low: -high, high })
}

fn swish(net: &mut Net, x: ValueId) -> Step {
    let gate = net.function(x, Activation::Sigmoid)?;
    let other = net.same(x);
    net.binary(other, gate, Mul)
}

fn hard_swish(net: &mut Net, x: ValueId) -> Step {
    let other = net.same(x);
    if net.int(0, 2) == 0 {
        let gate = net.function(x, HARD_SIGMOID)?;
        return net.binary(other, gate, Mul);
    }
    let three = net.near(3.0);
    let gate = net.with(x, three, Add)?;
    let gate = net.function(gate, RELU6)?;
    let six = net.near(6.0);
    match net.int(0, 3) {
        0 => {
            let y = net.binary(other, gate, Mul)?;
            net.with(y, six, Div)
        }
        1 => {
            let y = net.binary(other, gate, Mul)?;
            net.with(y, 1.0 / six, Mul)
        }
        2 => {
            let gate = net.with(gate, six, Div)?;
            net.binary(other, gate, Mul)
        }
        _ => {
            let y = net.with(other, six, Div)?;
            net.binary(y, gate, Mul)
        }
    }
}

/// Of numbers in [-1, 1]: far below 0 the sum 1 + erf has no digits left.
fn gelu(net: &mut Net, x: ValueId) -> Step {
    let x = net.function(x, Activation::Tanh)?;
    let root = net.near(std::f32::consts::SQRT_2);
    let e = if net.flag() { net.with(x, root, Div)? } else { net.with(x, 1.0 / root, Mul)? };
    let e = net.function(e, Activation::Erf)?;
    let one = net.near(1.0);
    let e = net.with(e, one, Add)?;
    let (other, half) = (net.same(x), net.near(0.5));
    match net.int(0, 2) {
        0 => {
            let y = net.binary(other, e, Mul)?;
            net.with(y, half, Mul)
        }
        1 => {
            let y = net.with(other, half, Mul)?;
            net.binary(y, e, Mul)
        }
        _ => {
            let e = net.with(e, half, Mul)?;
            net.binary(other, e, Mul)
        }
    }
}

/// The mean, maximum or sum over height and width or other axes; of integers, too.
fn pool(net: &mut Net, x: ValueId) -> Step {
    let kind = net.one(&[ReduceKind::Mean, ReduceKind::Mean, ReduceKind::Max, ReduceKind::Sum]);
    let axes = net.one(&[&[2, 3][..], &[3, 2], &[2, 3], &[1, 2], &[3]]).to_vec();
    let keep_dims = net.flag();
    let step = net.g.apply("reduce", Reduce { axes, keep_dims, kind }, &[x]);
    net.inside(step)
}

fn pixel_shuffle(net: &mut Net, x: ValueId) -> Step {
    let [n, _, h, w] = net.image(x)?;
    let (c, r) = (net.int(1, 3), 2);
    let weight_of = net.g.shape(x)[1];
    let weight = net.weight(&[c * r * r, weight_of, 1, 1], weight_of);
    let y = net.g.conv2d(x, weight, None, Conv2dOptions::new())?;
    let y = if net.int(0, 3) == 0 { net.g.cast(y, DType::I32)? } else { y };
    let (shape, order): ([usize; 6], [i64; 6]) = net.one(&[
        ([n, c, r, r, h, w], [0, 1, 4, 2, 5, 3]),
        ([n, r, r, c, h, w], [0, 3, 4, 1, 5, 2]),
        ([n, c, r, r, h, w], [0, 1, 4, 3, 5, 2]),
        ([n, c, r, r, w, h], [0, 1, 4, 2, 5, 3]),
    ]);
    let step = net.g.reshape(y, shape);
    let y = net.inside(step)?;
    let step = net.g.permute(y, &order);
    let y = net.inside(step)?;
    net.g.reshape(y, [n, c, h * r, w * r])
}

fn reshapes(net: &mut Net, x: ValueId) -> Step {
    let [n, c, h, w] = net.image(x)?;
    let step = net.g.reshape(x, [n * c, h * w]);
    let y = net.inside(step)?;
    let y = if net.int(0, 2) == 0 { net.function(y, Activation::Relu)? } else { y };
    let shape = net.one(&[[n, c, h, w], [n, c, w, h], [n, h, c, w]]);
    net.g.reshape(y, shape)
}

fn permutes(net: &mut Net, x: ValueId) -> Step {
    net.image(x)?;
    let orders = [[0i64, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2], [3, 0, 1, 2], [0, 1, 2, 3]];
    let order = net.one(&orders);
    let step = net.g.permute(x, &order);
    let y = net.inside(step)?;
    let order = net.one(&orders);
    net.g.permute(y, &order)
}

/// A linear layer of rows, its bias as a sum, a function.
fn linear(net: &mut Net, x: ValueId) -> Step {
    let [n, c, h, w] = net.image(x)?;
    let rows = net.g.reshape(x, [n, c, h * w])?;
    let out = net.int(1, 5);
    let weight = net.weight(&[out, h * w], h * w);
    let step = net.g.linear(rows, weight, None);
    let y = net.inside(step)?;
    let shapes: [&[usize]; 5] = [&[out], &[out], &[1, out], &[c, 1], &[1, 1, 1, out]];
    let shape = net.one(&shapes);
    let bias = net.constant(shape);
    let y = net.binary(y, bias, Add)?;
    if net.flag() { activation(net, y) } else { Ok(y) }
}

/// A function of constants.
fn folded(net: &mut Net, x: ValueId) -> Step {
    let [_, c, ..] = net.image(x)?;
    let (a, b) = (net.constant(&[c, 1, 1]), net.constant(&[1, 1, 1]));
    let y = net.binary(a, b, Mul)?;
    let y = net.function(y, Activation::Sigmoid)?;
    net.binary(x, y, Mul)
}

fn identity(net: &mut Net, x: ValueId) -> Step {
    match net.int(0, 3) {
        0 => net.function(x, Activation::Identity),
        1 => {
            let dtype = net.g.desc(x).dtype;
            net.g.cast(x, dtype)
        }
        2 => {
            let shape = net.g.shape(x).to_vec();
            net.g.reshape(x, shape)
        }
        _ => {
            let order: Vec<i64> = (0..net.g.shape(x).len() as i64).collect();
            net.g.permute(x, &order)
        }
    }
}

/// Integers of any width: what follows reads them where a pattern expects floats.
fn integers(net: &mut Net, x: ValueId) -> Step {
    let dtype = net.one(&[DType::I32, DType::I64, DType::I8, DType::U8, DType::I16]);
    let y = if dtype == DType::U8 { net.function(x, Activation::Abs)? } else { x };
    let y = net.g.cast(y, dtype)?;
    let kind = net.one(&[Add, Mul]);
    let y = net.binary(y, y, kind)?;
    Ok(y)
}
