//! ONNX Runtime's own operators of floats: what its optimiser writes.

use convgpu::internals::model::proto::AttributeProto;

use crate::net::{Drawn, Net, Val};
use crate::onnx_build::{float, float_list, int, ints, string};

/// Functions of a fused node without steps, and their numbers.
const FUNCTIONS: [(&str, &[f32]); 10] = [
    ("Clip", &[-0.75, 1.5]),
    ("Relu", &[]),
    ("Sigmoid", &[]),
    ("Tanh", &[]),
    ("LeakyRelu", &[0.125]),
    ("HardSigmoid", &[0.25, 0.5]),
    ("Softplus", &[]),
    ("Softsign", &[]),
    ("Elu", &[0.5]),
    ("Selu", &[1.5, 1.125]),
];
/// Those that ONNX Runtime has for a convolution are the first; a product has all but Clip.
const OF_CONV: usize = 6;

/// Functions of the sum with a bias, or without one.
pub fn gelu(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let shape = net.shape(rank);
    let x = net.floats(&shape);
    let x = net.input(x);
    let bias = net.floats(&shape[rank - 1..]);
    let (op, inputs, attributes) = match net.rng.int(0, 3) {
        0 => ("com.microsoft.Gelu", vec![x], vec![]),
        1 => ("com.microsoft.QuickGelu", vec![x], if net.flag() { vec![float("alpha", 1.25)] } else { vec![] }),
        2 => ("com.microsoft.BiasGelu", vec![x, net.either(bias)], vec![]),
        _ => ("com.microsoft.FastGelu", vec![x, net.perhaps(bias)], vec![]),
    };
    let inputs = Net::given(inputs);
    Ok(vec![net.add(op, &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// A convolution, a sum and a function.
pub fn fused_conv(net: &mut Net) -> Drawn {
    let (groups, ic, oc) = net.channels();
    let (kernel, side) = (net.rng.int(1, 3), net.rng.int(3, 7));
    let x = net.floats(&[2, ic, side, side + 1]);
    let weight = net.floats(&[oc, ic / groups, kernel, kernel]);
    let (bias, other) = (net.floats(&[oc]), net.floats(&[2, oc, side + 1 - kernel, side + 2 - kernel]));
    let inputs = Net::given(vec![net.input(x), net.either(weight), net.perhaps(bias), net.perhaps(other)]);
    let (name, params) = net.one(&FUNCTIONS[..OF_CONV]);
    let mut attributes = vec![string("activation", name), int("group", groups as i64)];
    if !params.is_empty() {
        attributes.push(float_list("activation_params", params));
    }
    Ok(vec![net.add("com.microsoft.FusedConv", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// The channels come last, and weights are `[m, kh, kw, c]`.
pub fn nhwc_conv(net: &mut Net) -> Drawn {
    let (ic, oc, kernel) = (net.rng.int(1, 5), net.rng.int(1, 5), net.rng.int(1, 3));
    let (x, weight) = (net.floats(&[1, 6, 5, ic]), net.floats(&[oc, kernel, kernel, ic]));
    let bias = net.floats(&[oc]);
    let inputs = Net::given(vec![net.input(x), net.constant(&weight), net.perhaps(bias)]);
    let stride = net.rng.int(1, 2) as i64;
    let attributes = vec![ints("strides", &[stride, stride]), ints("pads", &[1, 0, 1, 0])];
    Ok(vec![net.add("com.microsoft.NhwcConv", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}

/// Products of matrices, with the function, or with axes exchanged.
pub fn fused_matmul(net: &mut Net) -> Drawn {
    let [m, k, n] = [net.rng.int(1, 6), net.rng.int(1, 9), net.rng.int(1, 6)];
    let (ta, tb) = (net.flag(), net.flag());
    let turned = |shape: [usize; 2], turn: bool| if turn { vec![shape[1], shape[0]] } else { shape.to_vec() };
    let (mut a, mut b) = (turned([m, k], ta), turned([k, n], tb));
    let mut attributes = vec![int("transA", ta.into()), int("transB", tb.into())];
    if net.flag() {
        attributes.push(float("alpha", net.rng.int(1, 8) as f32 / 4.0));
    }
    if net.rng.int(0, 2) == 0 {
        return fused_gemm(net, [a, b], [m, n], attributes);
    }
    let older = net.rng.int(0, 3) == 0;
    if net.flag() {
        for (shape, name) in [(&mut a, "transBatchA"), (&mut b, "transBatchB")] {
            // The batch stands between the two axes of a matrix.
            let between = !older && net.flag();
            shape.insert(usize::from(between), 3);
            if between {
                attributes.push(int(name, 1));
            }
        }
    }
    let (a, b) = (net.floats(&a), net.floats(&b));
    let (a, b) = (net.input(a), net.either(b));
    let op = if older { "com.microsoft.TransposeMatMul" } else { "com.microsoft.FusedMatMul" };
    Ok(vec![net.add(op, &[&a, &b], attributes)?])
}

fn fused_gemm(
    net: &mut Net,
    [a, b]: [Vec<usize>; 2],
    [m, n]: [usize; 2],
    mut attributes: Vec<AttributeProto>,
) -> Drawn {
    let shape = net.one(&[[1, n], [m, n], [m, 1]]);
    let parts = [net.floats(&a), net.floats(&b), net.floats(&shape)];
    let [a, b, c] = parts.map(|t| net.either(t));
    let (name, params) = net.one(&FUNCTIONS[1..]);
    attributes.push(string("activation", name));
    // The second number of Selu has a name of its own.
    let names = ["activation_alpha", if name == "Selu" { "activation_gamma" } else { "activation_beta" }];
    attributes.extend(names.into_iter().zip(params).map(|(name, &value)| float(name, value)));
    Ok(vec![net.add("com.microsoft.FusedGemm", &[&a, &b, &c], attributes)?])
}

/// Normalisations over the last axes, of a sum or of one tensor; the sum may be a result as well.
pub fn norm(net: &mut Net) -> Drawn {
    let shape = [net.rng.int(1, 2), net.rng.int(1, 4), net.rng.int(2, 6)];
    let last = [shape[2]];
    let parts = [net.floats(&shape), net.floats(&shape), net.floats(&last), net.floats(&last), net.floats(&last)];
    let [x, skip, scale, shift, bias] = parts;
    let x = net.input(x);
    let mut attributes = vec![float("epsilon", 0.01)];
    if net.flag() {
        // ONNX Runtime has the first one alone.
        let others = ["com.microsoft.SimplifiedLayerNormalization", "com.microsoft.LayerNormalization"];
        let op = if net.rng.int(0, 3) > 0 { "SimplifiedLayerNormalization" } else { net.one(&others) };
        attributes.push(int("axis", -1));
        let mut inputs = vec![x, net.either(scale)];
        if op.ends_with("t.LayerNormalization") {
            inputs.push(net.either(shift));
        }
        return Ok(vec![net.add(op, &inputs.iter().collect::<Vec<_>>(), attributes)?]);
    }
    let simplified = net.flag();
    let mut inputs = vec![x, net.either(skip), net.either(scale)];
    if !simplified {
        inputs.push(net.perhaps(shift));
    }
    inputs.push(net.perhaps(bias));
    let op = if simplified {
        "com.microsoft.SkipSimplifiedLayerNormalization"
    } else {
        "com.microsoft.SkipLayerNormalization"
    };
    let inputs = Net::given(inputs);
    with_sum(net, op, &inputs.iter().collect::<Vec<_>>(), attributes)
}

/// The first result, and the fourth one, which is the sum, or not.
fn with_sum(net: &mut Net, op: &str, inputs: &[&Val], attributes: Vec<AttributeProto>) -> Drawn {
    if net.flag() {
        return Ok(vec![net.add(op, inputs, attributes)?]);
    }
    net.some(op, inputs, &[true, false, false, true], attributes)
}
