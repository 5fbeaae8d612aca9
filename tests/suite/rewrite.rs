//! Every rewrite: the result for its pattern, that the computed values stay the same, and what prevents it from firing.

use std::collections::BTreeSet;

use crate::support::{Rng, device};
use convgpu::functional::{Conv2dOptions, ConvTranspose2dOptions};
use convgpu::internals::attr::{Activation, BinaryKind, PadMode, ReduceKind};
use convgpu::internals::attr::{HARD_SIGMOID, RELU6};
use convgpu::internals::graph::rewrite::{Firing, rewrite, rewrite_by, rules, split_large_weights};
use convgpu::internals::graph::{Graph, ValueId};
use convgpu::internals::ops::batch_norm::BatchNorm;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::pad::Pad;
use convgpu::internals::ops::reduce::Reduce;
use convgpu::internals::session::Compiled;
use convgpu::internals::verify::{compare, values};
use convgpu::verify::{VerifyOptions, verify};
use convgpu::{CompileOptions, Desc, Device, Tensor};
use pollster::block_on;

/// A graph under construction with one input `x` of shape [2, 5, 7, 6] and seeded constants.
struct Net {
    g: Graph,
    x: ValueId,
    rng: Rng,
}

impl Net {
    fn new() -> Net {
        let mut g = Graph::new();
        let x = g.input("x", convgpu::Desc::f32([2, 5, 7, 6])).unwrap();
        Net { g, x, rng: Rng(11) }
    }
    fn constant(&mut self, shape: &[usize]) -> ValueId {
        let t = self.rng.tensor(shape);
        self.g.constant("c", t).unwrap()
    }
    fn positive(&mut self, shape: &[usize]) -> ValueId {
        let t = self.rng.tensor(shape);
        let t = Tensor::new(shape, t.as_f32().unwrap().iter().map(|v| v.abs() + 0.1).collect::<Vec<_>>()).unwrap();
        self.g.constant("c", t).unwrap()
    }
    fn number(&mut self, v: f32) -> ValueId {
        self.g.constant("n", Tensor::scalar(v)).unwrap()
    }
    fn conv(&mut self, x: ValueId, oc: usize, padding: usize) -> ValueId {
        let ic = self.g.shape(x)[1];
        let (w, b) = (self.constant(&[oc, ic, 3, 3]), self.constant(&[oc]));
        self.g.conv2d(x, w, Some(b), Conv2dOptions::new().padding(padding)).unwrap()
    }
    fn norm(&mut self, x: ValueId) -> ValueId {
        let c = self.g.shape(x)[1];
        let inputs = [x, self.constant(&[c]), self.constant(&[c]), self.constant(&[c]), self.positive(&[c])];
        self.g.layer(BatchNorm { eps: 1e-3 }, &inputs).unwrap()
    }
    fn act(&mut self, x: ValueId, f: Activation) -> ValueId {
        self.g.activation(x, f).unwrap()
    }
    fn bin(&mut self, a: ValueId, b: ValueId, kind: BinaryKind) -> ValueId {
        self.g.binary(a, b, kind).unwrap()
    }

    /// Rewrites, runs the original on the reference and the result on both devices, and compares. Returns the operators
    /// that remain, and the log.
    fn finish(mut self, y: ValueId) -> (Vec<String>, Vec<Firing>) {
        self.g.output("y", y);
        let mut after = self.g.clone();
        let log = rewrite(&mut after);
        let x = self.rng.tensor(&[2, 5, 7, 6]);
        let plain = CompileOptions::new().fusion(false);
        let run = |device: &Device, g: &Graph| {
            let c = Compiled::new(device, g.clone(), &plain).unwrap();
            c.run(&[("x", &x)]).unwrap().first().clone()
        };
        let expected = run(&Device::cpu(), &self.g);
        let largest = expected.to_f64s().into_iter().fold(0.0, |a: f64, v| a.max(v.abs())) as f32;
        for device in [&Device::cpu(), device()] {
            let c = compare(&run(device, &after), &expected, &vec![largest * 1e-5; expected.numel()]);
            assert!(c.ok(), "{device}: {c}\n{after}");
        }
        // A value that is left holds what the value of its name held.
        let values = |g: &Graph| block_on(values(&Device::cpu(), g, &[("x", &x)], &plain)).unwrap();
        let before = values(&self.g);
        for value in values(&after) {
            if let Some(expected) = before.iter().find(|other| other.name == value.name).map(|v| &v.tensor) {
                let largest = expected.to_f64s().into_iter().fold(0.0, |a: f64, v| a.max(v.abs())) as f32;
                let c = compare(&value.tensor, expected, &vec![largest * 1e-5; expected.numel()]);
                assert!(c.ok(), "{}: {c}\n{after}", value.name);
            }
        }
        let names = after.nodes().iter().map(|n| format!("{}{}", n.op.name(), n.epilogue)).collect();
        (names, log)
    }
}

fn declined(log: &[Firing]) -> Vec<&str> {
    log.iter().filter_map(|f| f.declined).collect()
}

#[test]
fn batch_norm_before_and_after() {
    let mut n = Net::new();
    let y = n.conv(n.x, 9, 1);
    let y = n.norm(y);
    let y = n.act(y, Activation::Relu);
    assert_eq!(n.finish(y).0, ["conv2d + relu"]);

    let mut n = Net::new();
    let y = n.norm(n.x);
    let y = n.conv(y, 4, 0);
    assert_eq!(n.finish(y).0, ["conv2d"]);

    let mut n = Net::new();
    let y = n.norm(n.x);
    let y = n.conv(y, 4, 1);
    let (ops, log) = n.finish(y);
    assert_eq!(ops, ["batch_norm", "conv2d"]);
    assert!(declined(&log).contains(&"the convolution pads"));
}

#[test]
fn batch_norm_into_grouped_and_transposed() {
    let mut n = Net::new();
    let w = n.constant(&[15, 1, 3, 2]);
    let y = n.g.conv2d(n.x, w, None, Conv2dOptions::new().groups(5)).unwrap();
    let y = n.norm(y);
    assert_eq!(n.finish(y).0, ["conv2d"]);

    let mut n = Net::new();
    let y = n.norm(n.x);
    let w = n.constant(&[15, 1, 3, 2]);
    let y = n.g.conv2d(y, w, None, Conv2dOptions::new().groups(5)).unwrap();
    assert_eq!(n.finish(y).0, ["conv2d"]);

    let mut n = Net::new();
    let w = n.constant(&[5, 3, 3, 2]);
    let o = ConvTranspose2dOptions::new().stride(2).groups(5);
    let y = n.g.conv_transpose2d(n.x, w, None, o).unwrap();
    let y = n.norm(y);
    let y = n.act(y, Activation::Tanh);
    assert_eq!(n.finish(y).0, ["conv_transpose2d + tanh"]);
}

#[test]
fn residual_and_activation() {
    let mut n = Net::new();
    let a = n.conv(n.x, 5, 1);
    let y = n.bin(a, n.x, BinaryKind::Add);
    let y = n.act(y, Activation::Relu);
    assert_eq!(n.finish(y).0, ["conv2d + residual + relu"]);

    // Two convolutions: the later one takes the sum.
    let mut n = Net::new();
    let a = n.conv(n.x, 6, 1);
    let b = n.conv(n.x, 6, 1);
    let y = n.bin(a, b, BinaryKind::Add);
    assert_eq!(n.finish(y).0, ["conv2d", "conv2d + residual"]);

    // The convolution's result has another reader: it must stay as it is.
    let mut n = Net::new();
    let a = n.conv(n.x, 5, 1);
    let b = n.act(a, Activation::Sigmoid);
    let c = n.act(a, Activation::Exp);
    let y = n.bin(b, c, BinaryKind::Sub);
    let (ops, log) = n.finish(y);
    assert_eq!(ops, ["conv2d", "sigmoid", "exp", "sub"]);
    assert!(declined(&log).contains(&"the result before it has other readers"));

    // One activation only.
    let mut n = Net::new();
    let y = n.conv(n.x, 5, 1);
    let y = n.act(y, Activation::Relu);
    let y = n.act(y, Activation::Exp);
    assert_eq!(n.finish(y).0, ["conv2d + relu", "exp"]);
}

#[test]
fn every_activation_fuses() {
    use Activation::*;
    let all =
        [Relu, RELU6, LeakyRelu { slope: 0.1 }, Sigmoid, Swish { beta: 1.0 }, HardSwish, HARD_SIGMOID, Tanh, Gelu];
    for f in all {
        let mut n = Net::new();
        let y = n.conv(n.x, 6, 1);
        let y = n.act(y, f);
        assert_eq!(n.finish(y).0, [format!("conv2d + {}", f.name())]);
    }
}

#[test]
fn prelu_and_bias() {
    for slopes in [vec![6, 1, 1], vec![1], vec![6]] {
        let mut n = Net::new();
        let y = n.conv(n.x, 6, 1);
        let slope = n.constant(&slopes);
        let y = n.g.prelu(y, slope).unwrap();
        assert_eq!(n.finish(y).0, ["conv2d + prelu"]);
    }
    let mut n = Net::new();
    let w = n.constant(&[6, 5, 1, 3]);
    let y = n.g.conv2d(n.x, w, None, Conv2dOptions::new()).unwrap();
    let b = n.constant(&[1, 6, 1, 1]);
    let y = n.bin(y, b, BinaryKind::Add);
    assert_eq!(n.finish(y).0, ["conv2d"]);

    // A sum along the width is not a bias, though the widths agree.
    let mut n = Net::new();
    let w = n.constant(&[4, 5, 1, 3]);
    let y = n.g.conv2d(n.x, w, None, Conv2dOptions::new()).unwrap();
    let b = n.constant(&[4]);
    let y = n.bin(y, b, BinaryKind::Add);
    assert_eq!(n.finish(y).0, ["conv2d", "add"]);
}

#[test]
fn linear_with_bias_and_activation() {
    let mut n = Net::new();
    let x = n.g.reshape(n.x, [2, 5, 42]).unwrap();
    let w = n.constant(&[9, 42]);
    let y = n.g.linear(x, w, None).unwrap();
    let b = n.constant(&[9]);
    let y = n.bin(b, y, BinaryKind::Add);
    let y = n.act(y, Activation::Relu);
    assert_eq!(n.finish(y).0, ["reshape", "conv2d + relu", "reshape"]);
}

#[test]
fn pads_join_the_convolution() {
    let pad = |n: &mut Net, mode| {
        let op = Pad { pads: vec![[0, 0], [0, 0], [1, 2], [0, 3]], mode };
        n.g.layer(op, &[n.x]).unwrap()
    };
    let mut n = Net::new();
    let y = pad(&mut n, PadMode::Constant(0.0));
    let y = n.conv(y, 4, 1);
    assert_eq!(n.finish(y).0, ["conv2d"]);
    for mode in [PadMode::Reflect, PadMode::Constant(1.0)] {
        let mut n = Net::new();
        let y = pad(&mut n, mode);
        let y = n.conv(y, 4, 1);
        assert_eq!(n.finish(y).0, ["pad", "conv2d"]);
    }
}

#[test]
fn views_and_transposes_collapse() {
    let mut n = Net::new();
    let y = n.g.reshape(n.x, [10, 42]).unwrap();
    let y = n.g.reshape(y, [2, 5, 42]).unwrap();
    let y = n.g.permute(y, &[2, 0, 1]).unwrap();
    let y = n.g.permute(y, &[1, 2, 0]).unwrap();
    let y = n.act(y, Activation::Exp);
    assert_eq!(n.finish(y).0, ["reshape", "exp"]);
}

#[test]
fn exported_forms_are_recognised() {
    use BinaryKind::*;
    let mut n = Net::new();
    let s = n.act(n.x, Activation::Sigmoid);
    let y = n.bin(s, n.x, Mul);
    assert_eq!(n.finish(y).0, ["silu"]);

    for last in [true, false] {
        let mut n = Net::new();
        let (three, six) = (n.number(3.0), n.number(6.0));
        let gate = n.bin(n.x, three, Add);
        let gate = n.act(gate, RELU6);
        let y = if last {
            let y = n.bin(n.x, gate, Mul);
            n.bin(y, six, Div)
        } else {
            let gate = n.bin(gate, six, Div);
            n.bin(gate, n.x, Mul)
        };
        assert_eq!(n.finish(y).0, ["hardswish"]);
    }

    for order in 0..3 {
        let mut n = Net::new();
        let (root, one, half) = (n.number(std::f32::consts::SQRT_2), n.number(1.0), n.number(0.5));
        let e = n.bin(n.x, root, Div);
        let e = n.act(e, Activation::Erf);
        let e = n.bin(e, one, Add);
        let y = match order {
            0 => {
                let y = n.bin(n.x, e, Mul);
                n.bin(y, half, Mul)
            }
            1 => {
                let y = n.bin(n.x, half, Mul);
                n.bin(y, e, Mul)
            }
            _ => {
                let y = n.bin(half, e, Mul);
                n.bin(n.x, y, Mul)
            }
        };
        assert_eq!(n.finish(y).0, ["gelu"]);
    }

    for keep_dims in [true, false] {
        let mut n = Net::new();
        let y = n.g.layer(Reduce { axes: vec![3, 2], keep_dims, kind: ReduceKind::Mean }, &[n.x]).unwrap();
        let ops = n.finish(y).0;
        assert_eq!(ops[0], "adaptive_avg_pool2d");
        assert!(!ops.iter().any(|o| o.contains("reduce")));
    }

    for (shape, order) in [([2, 3, 2, 2, 7, 6], [0, 1, 4, 2, 5, 3]), ([2, 2, 2, 3, 7, 6], [0, 3, 4, 1, 5, 2])] {
        let mut n = Net::new();
        let y = n.conv(n.x, 12, 1);
        let y = n.g.reshape(y, shape).unwrap();
        let y = n.g.permute(y, &order).unwrap();
        let y = n.g.reshape(y, [2, 3, 14, 12]).unwrap();
        assert_eq!(n.finish(y).0, ["conv2d", "pixel_shuffle"]);
    }
}

/// Many nodes that share their weights: all are rewritten.
#[test]
fn long_chains_are_rewritten_whole() {
    let mut n = Net::new();
    let w = n.constant(&[5, 5, 1, 1]);
    let norm = [n.constant(&[5]), n.constant(&[5]), n.constant(&[5]), n.positive(&[5])];
    let mut y = n.x;
    for _ in 0..5000 {
        y = n.g.conv2d(y, w, None, Conv2dOptions::new()).unwrap();
        y = n.g.layer(BatchNorm { eps: 1e-3 }, &[&[y], &norm[..]].concat()).unwrap();
        y = n.act(y, Activation::Relu);
        y = n.g.reshape(y, [10, 42]).unwrap();
        y = n.g.reshape(y, [2, 5, 7, 6]).unwrap();
    }
    n.g.output("y", y);
    let log = rewrite(&mut n.g);
    assert_eq!(log.iter().filter(|f| f.declined.is_none()).count(), 4 * 5000);
    assert!(n.g.nodes().len() == 5000 && n.g.nodes().iter().all(|n| n.epilogue.activation == Activation::Relu));
}

/// Near misses of the patterns above: a wrong constant, another operand.
#[test]
fn near_misses_stay() {
    use BinaryKind::*;
    let mut n = Net::new();
    let other = n.act(n.x, Activation::Abs);
    let s = n.act(other, Activation::Sigmoid);
    let y = n.bin(s, n.x, Mul);
    assert_eq!(n.finish(y).0, ["abs", "sigmoid", "mul"]);

    let mut n = Net::new();
    let (three, six) = (n.number(2.5), n.number(6.0));
    let gate = n.bin(n.x, three, Add);
    let gate = n.act(gate, RELU6);
    let y = n.bin(n.x, gate, Mul);
    let y = n.bin(y, six, Div);
    assert_eq!(n.finish(y).0, ["add", "clamp", "mul", "div"]);

    // Half and twice of hardswish.
    for divisor in [12.0, 3.0] {
        let mut n = Net::new();
        let (three, divisor) = (n.number(3.0), n.number(divisor));
        let gate = n.bin(n.x, three, Add);
        let gate = n.act(gate, RELU6);
        let y = n.bin(n.x, gate, Mul);
        let y = n.bin(y, divisor, Div);
        assert_eq!(n.finish(y).0, ["add", "clamp", "mul", "div"]);
    }

    // The means of other axes, and of more of them.
    for axes in [vec![1, 2], vec![3], vec![1, 2, 3]] {
        let mut n = Net::new();
        let y = n.g.layer(Reduce { axes, keep_dims: true, kind: ReduceKind::Mean }, &[n.x]).unwrap();
        assert_eq!(n.finish(y).0, ["reduce_mean"]);
    }

    // A transposition between reshapes that shuffles no pixels: the first image is of another rank, and the channels stay.
    let mut n = Net::new();
    let y = n.g.reshape(n.x, [2, 5, 42]).unwrap();
    let y = n.g.permute(y, &[0, 2, 1]).unwrap();
    let y = n.g.reshape(y, [2, 7, 6, 5]).unwrap();
    let ops = n.finish(y).0;
    assert!(!ops.iter().any(|op| op.contains("shuffle")), "{ops:?}");
}

#[test]
fn large_weights_are_split() {
    for kernel in [[1, 1], [1, 3], [2, 1]] {
        let mut g = Graph::new();
        let mut rng = Rng(7);
        let x = g.input("x", convgpu::Desc::f32([3, 10, 2, 3])).unwrap();
        let w = g.constant("w", rng.integers(&[21, 10, kernel[0], kernel[1]])).unwrap();
        let b = g.constant("b", rng.integers(&[21])).unwrap();
        let y = g.apply("fc", Conv2d::default(), &[x, w, b]).unwrap();
        let y = g.activation(y, Activation::Relu).unwrap();
        g.output("y", y);
        rewrite(&mut g);
        let mut parts = g.clone();
        // 12 input channels of 4 bytes times 8 output channels.
        let limit = 12 * 4 * 8 * kernel[0] * kernel[1];
        let fired = split_large_weights(&mut parts, limit as u64).unwrap();
        assert_eq!(fired.len(), 1);
        let names: Vec<_> = parts.nodes().iter().map(|n| format!("{}{}", n.op.name(), n.epilogue)).collect();
        assert_eq!(names, ["conv2d + relu", "conv2d + relu", "conv2d + relu", "concat"]);
        let x = rng.integers(&[3, 10, 2, 3]);
        for device in [&Device::cpu(), device()] {
            let run = |g: &Graph| {
                let c = Compiled::new(device, g.clone(), &CompileOptions::default()).unwrap();
                c.run(&[("x", &x)]).unwrap().first().clone()
            };
            assert_eq!(run(&parts), run(&g));
        }
    }
}

/// A rule alone fires where it can, and no other does.
#[test]
fn one_rule_alone() {
    let of = |rule: &str| {
        let mut n = Net::new();
        let y = n.conv(n.x, 9, 1);
        let y = n.norm(y);
        let y = n.act(y, Activation::Relu);
        n.g.output("y", y);
        let fired: Vec<_> = rewrite_by(&mut n.g, rule).into_iter().filter(|f| f.declined.is_none()).collect();
        let names: Vec<_> = n.g.nodes().iter().map(|n| format!("{}{}", n.op.name(), n.epilogue)).collect();
        (fired.len(), names.join(", "))
    };
    let results: BTreeSet<_> = rules().map(of).filter(|(fired, _)| *fired > 0).collect();
    assert_eq!(results, BTreeSet::from([(1, "conv2d, relu".to_owned())]));
    assert_eq!(of("no rule"), (0, "conv2d, batch_norm, relu".to_owned()));
}

/// The limit of a convolution's padding also holds for a fused pad.
#[test]
fn a_pad_beyond_the_limit_is_not_fused() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 1, 1, 1])).unwrap();
    let pad = Pad { pads: vec![[0, 0], [0, 0], [0, 0], [70_000, 0]], mode: PadMode::Constant(0.0) };
    let y = g.apply("pad", pad, &[x]).unwrap();
    let w = g.constant("w", Tensor::full([1, 1, 1, 1], 2.0f32)).unwrap();
    let y = g.apply("conv", Conv2d::default(), &[y, w]).unwrap();
    g.output("y", y);
    let x = Tensor::full([1, 1, 1, 1], 3.0f32);
    let options = VerifyOptions::new();
    let report = verify(device(), &g, &[("x", &x)], &options).unwrap();
    assert!(report.ok() && report.nodes.len() == 2, "{report}");
}
