//! Small ONNX models, part by part.

use convgpu::internals::model::proto::{
    AttributeProto, DimensionProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, data_type,
};
use convgpu::{Error, Model, Tensor};
use prost::Message;

pub fn text(s: &str) -> Option<String> {
    Some(s.to_owned())
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| s.to_string()).collect()
}

pub fn node(op: &str, inputs: &[&str], outputs: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto { input: names(inputs), output: names(outputs), op_type: text(op), attribute, ..Default::default() }
}

/// The node in another domain.
pub fn of(domain: &str, node: NodeProto) -> NodeProto {
    NodeProto { domain: text(domain), ..node }
}

pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: text(name), i: Some(i), r#type: Some(2), ..Default::default() }
}

pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: text(name), f: Some(f), r#type: Some(1), ..Default::default() }
}

pub fn string(name: &str, s: &str) -> AttributeProto {
    let s = Some(s.as_bytes().to_vec().into());
    AttributeProto { name: text(name), s, r#type: Some(3), ..Default::default() }
}

pub fn tensor(name: &str, t: TensorProto) -> AttributeProto {
    AttributeProto { name: text(name), t: Some(t), r#type: Some(4), ..Default::default() }
}

pub fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: text(name), ints: ints.to_vec(), r#type: Some(7), ..Default::default() }
}

pub fn float_list(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { name: text(name), floats: floats.to_vec(), r#type: Some(6), ..Default::default() }
}

/// In a function: the attribute `name` of this type is the call's attribute `from`.
pub fn refers(name: &str, from: &str, r#type: i32) -> AttributeProto {
    AttributeProto { name: text(name), ref_attr_name: text(from), r#type: Some(r#type), ..Default::default() }
}

/// A branch of an If: nodes and the value they give.
pub fn branch(name: &str, nodes: Vec<NodeProto>, output: &str) -> AttributeProto {
    let output = vec![value(output, data_type::FLOAT, &[])];
    let graph = GraphProto { node: nodes, output, ..Default::default() };
    AttributeProto { name: text(name), g: Some(Box::new(graph)), r#type: Some(5), ..Default::default() }
}

/// A function of the domain `local`.
pub fn function(name: &str, inputs: &[&str], outputs: &[&str], node: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: text(name),
        domain: text("local"),
        input: names(inputs),
        output: names(outputs),
        node,
        ..Default::default()
    }
}

/// -1 is an open extent named `n`.
pub fn value(name: &str, elem_type: i32, dims: &[i64]) -> ValueInfoProto {
    let dim = |&d: &i64| match d {
        -1 => DimensionProto { dim_value: None, dim_param: text("n") },
        d => DimensionProto { dim_value: Some(d), dim_param: None },
    };
    let shape = Some(TensorShapeProto { dim: dims.iter().map(dim).collect() });
    let tensor_type = Some(TensorTypeProto { elem_type: Some(elem_type), shape });
    ValueInfoProto { name: text(name), r#type: Some(TypeProto { tensor_type }) }
}

/// A value of which the file says no more than the name.
pub fn untyped(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: text(name), r#type: None }
}

pub fn floats(name: &str, dims: &[i64], data: &[f32]) -> TensorProto {
    let data_type = Some(data_type::FLOAT);
    TensorProto { name: text(name), dims: dims.to_vec(), data_type, float_data: data.to_vec(), ..Default::default() }
}

pub fn integers(name: &str, dims: &[i64], data: &[i64]) -> TensorProto {
    let data_type = Some(data_type::INT64);
    TensorProto { name: text(name), dims: dims.to_vec(), data_type, int64_data: data.to_vec(), ..Default::default() }
}

pub fn operator_set(version: i64) -> OperatorSetIdProto {
    OperatorSetIdProto { domain: None, version: Some(version) }
}

pub fn model(graph: GraphProto) -> ModelProto {
    let opset_import = vec![operator_set(17)];
    ModelProto { ir_version: Some(8), graph: Some(graph), opset_import, ..Default::default() }
}

/// x: f32[1, 2, n, 3] -> y through these nodes.
pub fn graph(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> GraphProto {
    GraphProto {
        node: nodes,
        initializer,
        input: vec![value("x", data_type::FLOAT, &[1, 2, -1, 3])],
        output: vec![value("y", data_type::FLOAT, &[])],
        ..Default::default()
    }
}

/// x: f32[4] -> y through these nodes.
pub fn line(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>) -> GraphProto {
    GraphProto { input: vec![value("x", data_type::FLOAT, &[4])], ..graph(nodes, initializer) }
}

pub fn read(proto: &ModelProto) -> Result<Model, Error> {
    Model::from_bytes(&proto.encode_to_vec())
}

pub fn error(proto: &ModelProto) -> String {
    let e = read(proto).expect_err("the model is broken").to_string();
    assert!(!e.contains('\n'), "{e}");
    e
}

/// What the reference and the device make of a model; both must agree.
pub fn run(model: &Model, inputs: &[(&str, &Tensor)]) -> Result<Vec<(String, Tensor)>, Error> {
    let on = |device: &convgpu::Device| {
        let outputs = model.clone().compile(device)?.run(inputs)?;
        Ok::<_, Error>(outputs.iter().map(|(name, t)| (name.to_owned(), t.clone())).collect::<Vec<_>>())
    };
    let reference = on(&convgpu::Device::cpu())?;
    for ((name, a), (_, b)) in on(crate::support::device())?.iter().zip(&reference) {
        crate::close::check(a, b).unwrap_or_else(|e| panic!("{name} on the device: {e}"));
    }
    Ok(reference)
}

/// The value `y` that a model gives for x = [-2, -0.5, 1, 3].
pub fn y_of(proto: &ModelProto) -> Vec<f32> {
    let x = Tensor::from([-2.0f32, -0.5, 1.0, 3.0]);
    let outputs = run(&read(proto).unwrap(), &[("x", &x)]).unwrap();
    outputs.iter().find(|(name, _)| name == "y").unwrap().1.as_f32().unwrap().to_vec()
}

/// What is wrong with a model once its input x is `f32[1, 2, 5, 3]`.
pub fn run_error(proto: &ModelProto) -> String {
    let x = Tensor::zeros([1, 2, 5, 3]);
    let session = read(proto).unwrap().compile(&convgpu::Device::cpu()).unwrap();
    session.run(&[("x", &x)]).unwrap_err().to_string()
}
