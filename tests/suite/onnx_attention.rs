//! What Attention and RotaryEmbedding refuse, and masks of one key. The suite's cases say what they give.

use convgpu::Tensor;
use convgpu::internals::model::proto::{AttributeProto, ModelProto, TensorProto};

use crate::close;
use crate::onnx_build::{floats, graph, int, integers, model, node, operator_set, read, run, run_error};

/// Attention of x, two heads of five steps, to itself, with more inputs.
fn attention(more: &[&str], given: Vec<TensorProto>, attributes: Vec<AttributeProto>) -> ModelProto {
    model(graph(vec![node("Attention", &[&["x", "x", "x"], more].concat(), &["y"], attributes)], given))
}

fn rotary(shapes: [&[i64]; 2], attributes: Vec<AttributeProto>) -> ModelProto {
    let given = |name, shape: &[i64]| floats(name, shape, &vec![1.0; shape.iter().product::<i64>() as usize]);
    let tables = vec![given("cos", shapes[0]), given("sin", shapes[1])];
    model(graph(vec![node("RotaryEmbedding", &["x", "cos", "sin"], &["y"], attributes)], tables))
}

#[test]
fn attention_says_what_does_not_fit() {
    let fails = |model: &ModelProto, what: &str| {
        let e = run_error(model);
        assert!(e.contains(what), "{e}");
    };
    let mask = |shape: &[i64]| floats("m", shape, &vec![0.0; shape.iter().product::<i64>() as usize]);
    fails(&attention(&["m"], vec![mask(&[5, 7])], vec![]), "Attention with a mask f32[5, 7] of scores [1, 2, 5, 5]");
    let more = mask(&[3, 1, 1, 5, 5]);
    fails(&attention(&["m"], vec![more], vec![]), "Attention with a mask f32[3, 1, 1, 5, 5] of scores [1, 2, 5, 5]");
    let whole = integers("m", &[5, 5], &[1; 25]);
    fails(
        &attention(&["m"], vec![whole], vec![]),
        "a mask i64[5, 5] of scores [1, 2, 5, 5]: it takes floats or booleans",
    );
    fails(&attention(&["m"], vec![mask(&[])], vec![]), "Attention with a mask f32[]");
    fails(&attention(&[], vec![], vec![int("left_window_size", -2)]), "Attention with left_window_size = -2");
    fails(&attention(&[], vec![], vec![int("qk_matmul_output_mode", 4)]), "qk_matmul_output_mode = 4");
    let past = floats("m", &[1, 2, 1, 3], &[0.0; 6]);
    fails(&attention(&["", "m"], vec![past], vec![]), "Attention takes past_key and past_value together");
    let past = floats("m", &[2, 1, 3], &[0.0; 6]);
    fails(&attention(&["", "m", "m"], vec![past], vec![]), "Attention with a past of f32[2, 1, 3]: it takes four axes");
    let lengths = integers("m", &[2], &[1, 2]);
    fails(&attention(&["", "", "", "m"], vec![lengths], vec![]), "they do not fit");
    let rows = node("Reshape", &["x", "rows"], &["r"], vec![]);
    let flat = |heads: i64| {
        let own = node("Attention", &["r", "r", "r"], &["y"], vec![int("q_num_heads", heads), int("kv_num_heads", 1)]);
        model(graph(vec![rows.clone(), own], vec![integers("rows", &[3], &[1, 5, 6])]))
    };
    fails(&flat(4), "[1, 5, 6] in 4 heads: they must divide the last axis");
    fails(&flat(0), "[1, 5, 6] in 0 heads: they must divide the last axis");
    fails(&flat(2), "attention of q [1, 2, 5, 3], k [1, 1, 5, 6], v [1, 1, 5, 6]: they do not fit");
}

/// From version 24 on such a mask leaves out the other keys, as in ONNX Runtime and ONNX's reference evaluator. Before, it
/// broadcasts.
#[test]
fn a_mask_of_one_key_is_a_short_one() {
    let x = Tensor::new([1, 2, 3, 3], (0..18).map(|k| (k * k % 7) as f32 / 4.0).collect::<Vec<_>>()).unwrap();
    let y = |version: i64, masked: bool| {
        let (names, given) = if masked { (vec!["m"], vec![floats("m", &[1, 1], &[0.5])]) } else { (vec![], vec![]) };
        let model = ModelProto { opset_import: vec![operator_set(version)], ..attention(&names, given, vec![]) };
        run(&read(&model).unwrap(), &[("x", &x)]).unwrap()[0].1.clone()
    };
    let first: Vec<f32> = x.as_f32().unwrap().chunks(9).flat_map(|head| head[..3].repeat(3)).collect();
    for version in [24, 25] {
        close::check(&y(version, true), &Tensor::new([1, 2, 3, 3], first.clone()).unwrap()).unwrap();
    }
    close::check(&y(23, true), &y(23, false)).unwrap();
}

#[test]
fn rotary_embeddings_say_what_does_not_fit() {
    let e = run_error(&rotary([&[1, 5, 1], &[1, 4, 1]], vec![int("rotary_embedding_dim", 2)]));
    assert!(e.contains("RotaryEmbedding with angles f32[1, 4, 1]: they must give [1, 5, 1]"), "{e}");
    for turned in [0, 4] {
        let e = run_error(&rotary([&[1, 5, 1], &[1, 5, 1]], vec![int("rotary_embedding_dim", turned)]));
        assert!(e.contains("RotaryEmbedding of"), "{e}");
    }
}
