//! Quantised networks: what they become, and what is refused. Their answers are ONNX Runtime's: `tests/onnx/quantised`.

use convgpu::internals::attr::Activation;
use convgpu::internals::graph::rewrite::rewrite;
use convgpu::internals::model::proto::{NodeProto, TensorProto, data_type};
use convgpu::internals::session::{Bind, Given};
use convgpu::{Desc, Device, Tensor};

use crate::onnx_build::{float, floats, graph, integers, ints, line, model, node, read, string, value};

/// Integers of one byte.
fn bytes(name: &str, kind: i32, dims: &[i64], data: &[u8]) -> TensorProto {
    let empty = floats(name, dims, &[]);
    TensorProto { data_type: Some(kind), raw_data: Some(data.to_vec().into()), ..empty }
}

fn quantise(x: &str, y: &str) -> [NodeProto; 2] {
    let q = format!("{y} q");
    [
        node("QuantizeLinear", &[x, "scale", "zero"], &[&q], vec![]),
        node("DequantizeLinear", &[&q, "scale", "zero"], &[y], vec![]),
    ]
}

/// Rounding to steps is part of the convolution, with the ReLU between them as its limit; the integers are never computed.
#[test]
fn steps_are_part_of_the_kernel() {
    let conv = node("Conv", &["a", "w"], &["c"], vec![ints("pads", &[1, 1, 1, 1])]);
    let relu = node("Relu", &["c"], &["r"], vec![]);
    let nodes = [&quantise("x", "a")[..], &[conv, relu], &quantise("r", "y")].concat();
    let constants = vec![
        floats("scale", &[], &[0.25]),
        bytes("zero", data_type::INT8, &[], &[10]),
        floats("w", &[4, 2, 3, 3], &[0.125; 72]),
    ];
    let model = read(&model(graph(nodes, constants))).unwrap();
    let mut graph = model.bind(&[Given { name: "x", desc: Desc::f32([1, 2, 5, 3]), value: None }]).unwrap();
    rewrite(&mut graph);
    let [steps, conv] = graph.nodes() else { panic!("{:?}", graph.nodes()) };
    assert_eq!((steps.op.name(), conv.op.name()), ("fake_quantize", "conv2d"));
    let limited = Activation::FakeQuantize { scale: 0.25, low: 0.0, high: 117.0 };
    assert_eq!(conv.epilogue.activation, limited);
}

/// A scale of steps is above 0; there are no steps of 32 bits, and no floats of 8.
#[test]
fn what_is_no_quantisation_is_refused() {
    let with = |scale: f32, zero: TensorProto| {
        let proto = model(line(quantise("x", "y").to_vec(), vec![floats("scale", &[], &[scale]), zero]));
        match read(&proto) {
            Ok(model) => {
                model.bind(&[Given { name: "x", desc: Desc::f32([4]), value: None }]).expect_err("refused").to_string()
            }
            Err(e) => e.to_string(),
        }
    };
    let zero = || bytes("zero", data_type::INT8, &[], &[10]);
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let e = with(scale, zero());
        assert!(e.contains("QuantizeLinear with the scale") && e.contains("it must be above 0"), "{e}");
    }
    let e = with(0.5, bytes("zero", data_type::INT32, &[], &[1, 0, 0, 0]));
    assert!(e.contains("QuantizeLinear to i32"), "{e}");
    let e = with(0.5, bytes("zero", data_type::FLOAT8E4M3FN, &[], &[0]));
    assert!(e.contains("float8e4m3fn"), "{e}");
    let e = with(0.5, bytes("zero", data_type::INT8, &[2], &[0, 0]));
    assert!(e.contains("the zero point i8[2]"), "{e}");
}

/// What a Resize fills in beyond the borders is no value, but an integer: such a node does not take the values.
#[test]
fn what_is_filled_in_is_an_integer() {
    let attributes = vec![
        string("mode", "nearest"),
        string("coordinate_transformation_mode", "tf_crop_and_resize"),
        float("extrapolation_value", 5.0),
    ];
    let nodes = vec![
        node("QuantizeLinear", &["x", "scale", "zero"], &["q"], vec![]),
        node("Resize", &["q", "roi", "", "sizes"], &["r"], attributes),
        node("DequantizeLinear", &["r", "scale", "zero"], &["y"], vec![]),
    ];
    let constants = vec![
        floats("scale", &[], &[0.5]),
        bytes("zero", data_type::INT8, &[], &[10]),
        floats("roi", &[8], &[0.0, 0.0, -0.5, -0.5, 1.0, 1.0, 1.5, 1.5]),
        integers("sizes", &[4], &[1, 2, 4, 4]),
    ];
    let model = read(&model(graph(nodes, constants))).unwrap();
    let e = model.bind(&[Given { name: "x", desc: Desc::f32([1, 2, 5, 3]), value: None }]).unwrap_err().to_string();
    assert!(e.contains("Resize of i8"), "{e}");
}

/// Sums of integers are exact where the device would take Winograd's algorithm, whose constants are fractions.
#[test]
fn integers_are_convolved_exactly() {
    let mut state = 1u32;
    let mut draw = |count: usize| -> Vec<u8> {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..count).map(next).collect()
    };
    let weight = bytes("w", data_type::INT8, &[64, 64, 3, 3], &draw(64 * 64 * 9));
    let x = Tensor::new([1, 64, 32, 32], draw(64 * 32 * 32)).unwrap();
    let nodes = vec![node("ConvInteger", &["x", "w"], &["y"], vec![ints("pads", &[1, 1, 1, 1])])];
    let mut proto = model(graph(nodes, vec![weight]));
    let part = proto.graph.as_mut().unwrap();
    part.input = vec![value("x", data_type::UINT8, &[1, 64, 32, 32])];
    part.output = vec![value("y", data_type::INT32, &[1, 64, 32, 32])];
    let model = read(&proto).unwrap();
    let [right, ours] = [&Device::cpu(), crate::support::device()]
        .map(|d| model.clone().compile(d).unwrap().run(&[("x", &x)]).unwrap());
    assert_eq!(right.first(), ours.first());
}
