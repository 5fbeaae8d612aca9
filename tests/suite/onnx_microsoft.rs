//! Operators of `com.microsoft`, on small inputs with ONNX Runtime's answers.

use convgpu::Tensor;
use convgpu::internals::model::proto::{AttributeProto, GraphProto, NodeProto, data_type};

use crate::onnx_build::{
    error, float, float_list, graph, int, ints, line, model, node, of, read, run, string, untyped, value,
};

/// Multiples of 1/4 from -5/4 to 5/4 in an order of their own.
fn values(k: usize, shape: &[usize]) -> Tensor {
    let count = shape.iter().product();
    let data: Vec<f32> = (0..count).map(|i| (((i * 7 + 3 * k) % 11) as f32 - 5.0) / 4.0).collect();
    Tensor::new(shape, data).unwrap()
}

/// What a node of inputs of these shapes gives.
fn give(node: NodeProto, shapes: &[&[usize]]) -> Vec<Tensor> {
    let names: Vec<String> = (0..shapes.len()).map(|k| format!("i{k}")).collect();
    let dims = |s: &[usize]| s.iter().map(|&n| n as i64).collect::<Vec<_>>();
    let input = names.iter().zip(shapes).map(|(name, s)| value(name, data_type::FLOAT, &dims(s))).collect();
    let output = node.output.iter().filter(|name| !name.is_empty()).map(|name| untyped(name)).collect();
    let node = NodeProto { input: names.clone(), ..node };
    let proto = model(GraphProto { node: vec![node], input, output, ..Default::default() });
    let tensors: Vec<Tensor> = shapes.iter().enumerate().map(|(k, s)| values(k, s)).collect();
    let inputs: Vec<_> = names.iter().map(String::as_str).zip(&tensors).collect();
    run(&read(&proto).unwrap(), &inputs).unwrap().into_iter().map(|(_, t)| t).collect()
}

fn near(found: &Tensor, expected: &[f32], what: &str) {
    let found = found.as_f32().unwrap();
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 2e-6 * b.abs().max(1.0);
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(close),
        "{what}: {found:?}, not {expected:?}"
    );
}

fn check(op: &str, attributes: Vec<AttributeProto>, shapes: &[&[usize]], expected: &[f32]) {
    let found = give(of("com.microsoft", node(op, &[], &["y"], attributes)), shapes);
    near(&found[0], expected, op);
}

#[test]
fn gelu_in_its_forms() {
    let (x, bias): (&[usize], &[usize]) = (&[1, 3], &[3]);
    check("Gelu", vec![], &[x], &[-0.132_062_2, 0.345_731_2, -0.154_268_8]);
    check("BiasGelu", vec![], &[x, bias], &[-0.070_103_51, 1.679_896, -0.100_323_4]);
    check("FastGelu", vec![], &[x], &[-0.132_285_8, 0.345_714, -0.154_286]);
    check("FastGelu", vec![], &[x, bias], &[-0.070_204_64, 1.679_795, -0.100_324_7]);
    check("QuickGelu", vec![], &[x], &[-0.133_065_7, 0.350_388_4, -0.149_611_6]);
    check("QuickGelu", vec![float("alpha", 1.0)], &[x], &[-0.278_375_2, 0.311_229_6, -0.188_770_4]);
}

#[test]
fn a_convolution_with_what_follows_it() {
    let padded = || vec![string("activation", "Relu"), ints("pads", &[0, 1, 0, 1])];
    let inputs: [&[usize]; 4] = [&[1, 2, 2, 2], &[1, 2, 2, 2], &[1], &[1, 1, 1, 3]];
    check("FusedConv", padded(), &inputs[..3], &[0.0, 0.0, 0.0]);
    check("FusedConv", padded(), &inputs, &[0.8125, 0.0, 0.0]);
    let of = |name: &str, params: &[f32], expected: &[f32]| {
        let params = (!params.is_empty()).then(|| float_list("activation_params", params));
        let attributes = [string("activation", name)].into_iter().chain(params).collect();
        check("FusedConv", attributes, &[&[1, 2, 2, 2], &[2, 2, 2, 1]], expected);
    };
    of("LeakyRelu", &[0.25], &[-0.171_875, 1.125, -0.1875, 1.25]);
    of("Clip", &[-0.5, 1.0], &[-0.5, 1.0, -0.5, 1.0]);
    of("HardSigmoid", &[0.25, 0.5], &[0.328_125, 0.781_25, 0.3125, 0.8125]);
    of("Tanh", &[], &[-0.596_373_6, 0.809_301, -0.635_149, 0.848_283_6]);
    of("Sigmoid", &[], &[0.334_589_4, 0.754_915, 0.320_821_3, 0.777_299_9]);
}

#[test]
fn a_matrix_product_with_what_follows_it() {
    let shapes: [&[usize]; 3] = [&[2, 2], &[2, 2], &[2]];
    let leaky =
        vec![string("activation", "LeakyRelu"), float("activation_alpha", 0.25), int("transB", 1), float("alpha", 0.5)];
    check("FusedGemm", leaky, &shapes, &[0.875, -0.273_437_5, 1.156_25, -0.320_312_5]);
    let elu = vec![string("activation", "Elu"), float("activation_alpha", 0.5)];
    check("FusedGemm", elu, &shapes, &[1.0, -0.465_974_6, 0.8125, -0.450_493_3]);
    let hard =
        vec![string("activation", "HardSigmoid"), float("activation_alpha", 0.25), float("activation_beta", 0.5)];
    check("FusedGemm", hard, &shapes, &[0.75, 0.0, 0.703_125, 0.0]);
}

#[test]
fn a_product_of_transposed_batches() {
    let of = |names: &[&str], shapes: &[&[usize]], expected: &[f32]| {
        check("FusedMatMul", names.iter().map(|name| int(name, 1)).collect(), shapes, expected);
    };
    let half = vec![float("alpha", 0.5), int("transA", 1)];
    check("FusedMatMul", half, &[&[3, 2], &[3, 2]], &[0.375, -0.593_75, -0.343_75, -0.156_25]);
    of(&["transB"], &[&[1, 2, 3], &[1, 2, 3]], &[1.125, 1.4375, -0.5, -0.6875]);
    let products = [0.625, -0.3125, 0.25, -0.125, 0.625, -0.375, 1.5625, -0.9375];
    of(&["transBatchA", "transB", "transBatchB"], &[&[2, 2, 1], &[2, 2, 1]], &products);
    // The first axis moves behind all of the batch.
    of(&["transBatchA"], &[&[2, 1, 3, 2], &[1, 3, 2, 1]], &[1.25, -0.5, -1.0625, -0.8125, 0.25, -0.25]);
}

#[test]
fn norms_of_sums() {
    let (x, row): (&[usize], &[usize]) = (&[1, 2, 3], &[3]);
    let epsilon = || vec![float("epsilon", 0.25)];
    let expected = [0.725_589_3, -0.905_555_1, -1.109_764, 1.043_193, -0.712_691_4, -2.123_029];
    check("SkipLayerNormalization", epsilon(), &[x, x, row, row], &expected);
    let expected = [-0.290_619_1, -0.959_043, -0.116_247_6, 0.050_507_63, -0.833_375_8, -1.313_198];
    check("SkipLayerNormalization", vec![], &[x, x, row], &expected);
    let both = |op: &str| of("com.microsoft", node(op, &[], &["y", "", "", "sum"], epsilon()));
    let found = give(both("SkipLayerNormalization"), &[x, x, row, row, row]);
    let expected = [0.716_930_7, -0.934_128_6, -1.113_228, 0.881_321_8, -0.979_094_8, -1.830_747];
    near(&found[0], &expected, "with a bias");
    near(&found[1], &[-2.75, 2.5, -0.5, -0.5, 2.0, -1.0], "the sum");
    let found = give(both("SkipSimplifiedLayerNormalization"), &[x, x, row, row]);
    let expected = [-0.133_278_5, -0.932_949_5, -0.888_523_3, 0.235_218_8, -0.588_046_9, -1.097_688];
    near(&found[0], &expected, "without a mean");
    near(&found[1], &[-0.75, 1.75, -1.25, 1.5, 1.25, -1.75], "its sum");
    // Of the default domain, as ONNX Runtime writes it.
    let simplified = node("SimplifiedLayerNormalization", &[], &["y"], epsilon());
    let expected = [0.645_497_2, 0.645_497_2, -0.129_099_44, -0.631_613_9, 0.315_806_98, -0.189_484_18];
    near(&give(simplified, &[&[2, 3], &[3]])[0], &expected, "simplified");
}

/// Like Conv with its image and its weights transposed.
#[test]
fn a_channels_last_convolution() {
    let permuted = |from: &str, to: &str, perm: &[i64]| node("Transpose", &[from], &[to], vec![ints("perm", perm)]);
    let attributes = || vec![ints("pads", &[1, 0, 0, 1]), ints("strides", &[1, 2])];
    let nodes = vec![
        of("com.microsoft", node("NhwcConv", &["x", "w", "b"], &["y"], attributes())),
        permuted("x", "xt", &[0, 3, 1, 2]),
        permuted("w", "wt", &[0, 3, 1, 2]),
        node("Conv", &["xt", "wt", "b"], &["c"], attributes()),
        permuted("c", "z", &[0, 2, 3, 1]),
    ];
    let shapes: [(&str, &[usize]); 3] = [("x", &[1, 3, 5, 2]), ("w", &[4, 2, 3, 2]), ("b", &[4])];
    let dims = |s: &[usize]| s.iter().map(|&n| n as i64).collect::<Vec<_>>();
    let input = shapes.iter().map(|(name, s)| value(name, data_type::FLOAT, &dims(s))).collect();
    let proto = model(GraphProto { input, output: vec![untyped("y"), untyped("z")], ..graph(nodes, vec![]) });
    let tensors: Vec<Tensor> = shapes.iter().enumerate().map(|(k, (_, s))| values(k, s)).collect();
    let inputs: Vec<_> = shapes.iter().map(|(name, _)| *name).zip(&tensors).collect();
    let outputs = run(&read(&proto).unwrap(), &inputs).unwrap();
    assert_eq!(outputs[0].1.shape(), [1, 3, 2, 4]);
    assert_eq!(outputs[0].1, outputs[1].1);
}

#[test]
fn what_is_not_read_of_other_domains() {
    let with = |domain: &str, op: &str| error(&model(line(vec![of(domain, node(op, &["x"], &["y"], vec![]))], vec![])));
    let e = with("com.microsoft.nchwc", "Conv");
    assert!(e.starts_with("Conv_0: operator Conv of com.microsoft.nchwc"), "{e}");
    assert!(e.ends_with("save the optimised model at level ORT_ENABLE_EXTENDED or below"), "{e}");
    assert!(with("com.microsoft", "QAttention").ends_with("QAttention_0: operator QAttention of com.microsoft"));
    assert!(with("ai.onnx.ml", "Scaler").ends_with("Scaler_0: operator Scaler of ai.onnx.ml"));
    // The default domain has no operators of others, nor they its.
    assert!(with("", "FusedConv").ends_with("FusedConv_0: operator FusedConv"));
    assert!(with("com.microsoft", "Relu").ends_with("Relu_0: operator Relu of com.microsoft"));
    let unknown = of("com.microsoft", node("FusedConv", &["x", "x"], &["y"], vec![string("activation", "Erf")]));
    let e = crate::onnx_build::run_error(&model(graph(vec![unknown], vec![])));
    assert!(e.contains("FusedConv with activation Erf of []"), "{e}");
}
