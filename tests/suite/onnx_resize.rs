//! `Resize` and `Upsample` over a grid of scales, sizes, modes and versions against ONNX Runtime, on the reference and on
//! the test device (`tests/golden/onnx_resize.py` makes the answers).

use convgpu::internals::model::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorTypeProto, TypeProto,
    ValueInfoProto, data_type,
};
use convgpu::{Device, Model, Tensor};
use prost::Message;
use serde_json::Value;

use crate::support::{Case, device, golden};

/// Both engines round weights and sums to f32: relative to the largest pixel. A nearest pixel is a copy.
const ROUNDING: f32 = 2e-6;

fn attribute(name: &str, value: &Value) -> AttributeProto {
    let mut a = AttributeProto { name: Some(name.to_owned()), ..Default::default() };
    match value {
        Value::String(s) => (a.r#type, a.s) = (Some(3), Some(s.clone().into_bytes().into())),
        Value::Array(list) => (a.r#type, a.ints) = (Some(7), list.iter().map(|v| v.as_i64().unwrap()).collect()),
        Value::Number(n) if n.is_i64() => (a.r#type, a.i) = (Some(2), n.as_i64()),
        number => (a.r#type, a.f) = (Some(1), number.as_f64().map(|v| v as f32)),
    }
    a
}

fn list(case: &Case, name: &str) -> Option<TensorProto> {
    let values = case.params[name].as_array().filter(|list| !list.is_empty())?;
    let mut t = TensorProto { name: Some(name.to_owned()), dims: vec![values.len() as i64], ..Default::default() };
    if name == "sizes" {
        (t.data_type, t.int64_data) = (Some(data_type::INT64), values.iter().map(|v| v.as_i64().unwrap()).collect());
    } else {
        let floats = values.iter().map(|v| v.as_f64().unwrap() as f32).collect();
        (t.data_type, t.float_data) = (Some(data_type::FLOAT), floats);
    }
    Some(t)
}

/// A model of this one node.
fn model(case: &Case) -> Model {
    let value = |name: &str| {
        let tensor_type = Some(TensorTypeProto { elem_type: Some(data_type::FLOAT), shape: None });
        ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type }) }
    };
    let opset = case.params["opset"].as_i64();
    let (scales, sizes) = (list(case, "scales"), list(case, "sizes"));
    let rest: &[&str] = match (opset, &sizes) {
        (Some(..=10), _) => &["scales"],
        (_, Some(_)) => &["roi", "", "sizes"],
        (_, None) => &["roi", "scales"],
    };
    let crop = case.params["attributes"]["coordinate_transformation_mode"] == "tf_crop_and_resize";
    let input = ["x"].iter().chain(rest).map(|s| if *s == "roi" && !crop { "" } else { *s }.to_owned()).collect();
    let attributes = case.params["attributes"].as_object().unwrap();
    let node = NodeProto {
        input,
        output: vec!["y".to_owned()],
        op_type: Some(case.op.clone()),
        attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        ..Default::default()
    };
    let graph = GraphProto {
        node: vec![node],
        initializer: [list(case, "roi"), scales, sizes].into_iter().flatten().collect(),
        input: vec![value("x")],
        output: vec![value("y")],
        ..Default::default()
    };
    let opset_import = vec![OperatorSetIdProto { domain: None, version: opset }];
    let proto = ModelProto { ir_version: Some(8), graph: Some(graph), opset_import, ..Default::default() };
    Model::from_bytes(&proto.encode_to_vec()).unwrap()
}

fn wrong(case: &Case, y: &Tensor) -> Option<String> {
    let (x, expected) = (case.tensor("x"), case.tensor("out"));
    if y.shape() != expected.shape() {
        return Some(format!("{} for {}", y.desc(), expected.desc()));
    }
    let largest = x.as_f32().unwrap().iter().fold(0.0f32, |a, v| a.max(v.abs()));
    let nearest = case.params["attributes"]["mode"] == "nearest";
    let tolerance = if nearest { 0.0 } else { ROUNDING * largest.max(7.5) };
    let off = |(a, e): (&f32, &f32)| (a - e).abs() > tolerance;
    let count = y.as_f32().unwrap().iter().zip(expected.as_f32().unwrap()).filter(|pair| off(*pair)).count();
    (count > 0).then(|| format!("{count} of {} elements", y.numel()))
}

#[test]
fn every_scale_against_onnx_runtime() {
    let cases = golden("onnx_resize");
    assert_eq!(cases.len(), 723);
    let mut said = vec![];
    for device in [&Device::cpu(), device()] {
        for case in &cases {
            let session = model(case).compile(device).unwrap();
            let outputs = session.run(&[("x", case.tensor("x"))]).unwrap();
            if let Some(what) = wrong(case, outputs.first()) {
                said.push(format!("case {} {} {} on {device}: {what}", case.id, case.op, case.params));
            }
        }
    }
    assert!(said.is_empty(), "{} wrong\n{}", said.len(), said.join("\n"));
}

/// The check sees the pixel beside the right one.
#[test]
fn a_wrong_pixel_is_seen() {
    let cases = golden("onnx_resize");
    let nearest = cases.iter().find(|c| c.params["attributes"]["mode"] == "nearest").unwrap();
    let expected = nearest.tensor("out");
    assert_eq!(wrong(nearest, expected), None);
    let mut values = expected.to_vec::<f32>().unwrap();
    values[0] += 1e-6;
    assert!(wrong(nearest, &Tensor::new(expected.shape(), values).unwrap()).is_some());
}
