//! The program as a script calls it, and files for it.

use std::process::{Command, Output};
use std::sync::LazyLock;

use convgpu::internals::model::proto::*;
use prost::Message;

pub fn convgpu(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
    command.args(args).env_remove("CONVGPU_DEVICE").env_remove("WGPU_ADAPTER_NAME");
    command.output().expect("the program starts")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is text")
}

/// The call fails with this status, an empty stdout, and one line of convgpu on stderr that contains all these parts.
pub fn fails(args: &[&str], status: i32, parts: &[&str]) {
    let output = convgpu(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
    assert_eq!(stdout(&output), "", "{args:?}");
    // Drivers may write lines of their own.
    let ours: Vec<&str> = stderr.lines().filter(|l| l.starts_with("convgpu: ")).collect();
    assert_eq!(ours.len(), 1, "{args:?}: {stderr}");
    assert!(parts.iter().all(|p| ours[0].contains(p)), "{args:?}: {}", ours[0]);
    assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{stderr}");
}

/// The file of a small network: Conv 3x3, Relu, MaxPool, then Conv 14x14 as a classifier that prefers class 7.
pub fn model() -> &'static str {
    static FILE: LazyLock<String> = LazyLock::new(|| {
        let file = format!("{}/classifier.onnx", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(&file, classifier().encode_to_vec()).unwrap();
        file
    });
    &FILE
}

pub fn classifier() -> ModelProto {
    let value = |name: &str, dims: &[i64]| {
        let dim = |&n: &i64| DimensionProto { dim_value: Some(n), ..Default::default() };
        let shape = Some(TensorShapeProto { dim: dims.iter().map(dim).collect() });
        let tensor_type = Some(TensorTypeProto { elem_type: Some(data_type::FLOAT), shape });
        ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type }) }
    };
    let weight = |name: &str, dims: &[i64], of: fn(usize) -> f32| TensorProto {
        name: Some(name.to_owned()),
        dims: dims.to_vec(),
        data_type: Some(data_type::FLOAT),
        float_data: (0..dims.iter().product::<i64>() as usize).map(of).collect(),
        ..Default::default()
    };
    let ints = |name: &str, ints: &[i64]| AttributeProto {
        name: Some(name.to_owned()),
        ints: ints.to_vec(),
        r#type: Some(attribute_type::INTS),
        ..Default::default()
    };
    let node = |op: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>| NodeProto {
        name: Some(format!("the {output}")),
        op_type: Some(op.to_owned()),
        input: inputs.iter().map(|&i| i.to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute,
        ..Default::default()
    };
    let graph = GraphProto {
        name: Some("classifier".to_owned()),
        node: vec![
            node("Conv", &["input", "w1", "b1"], "edges", vec![ints("pads", &[1, 1, 1, 1])]),
            node("Relu", &["edges"], "light", vec![]),
            node("MaxPool", &["light"], "small", vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])]),
            node("Conv", &["small", "w2"], "logits", vec![]),
        ],
        initializer: vec![
            weight("w1", &[4, 1, 3, 3], |i| (i % 5) as f32 / 8.0),
            weight("b1", &[4], |i| i as f32 / 16.0),
            weight("w2", &[10, 4, 14, 14], |i| if i / 784 == 7 { 0.2 } else { (i % 13) as f32 / 128.0 }),
        ],
        input: vec![value("input", &[1, 1, 28, 28])],
        output: vec![value("logits", &[1, 10, 1, 1])],
        ..Default::default()
    };
    let opset = OperatorSetIdProto { version: Some(13), ..Default::default() };
    ModelProto { ir_version: Some(7), graph: Some(graph), opset_import: vec![opset], ..Default::default() }
}

/// An image file of 28x28 pixels.
pub fn digit(name: &str) -> String {
    let file = format!("{}/{name}.png", env!("CARGO_TARGET_TMPDIR"));
    let image = image::GrayImage::from_fn(28, 28, |x, y| {
        let bar = (8..20).contains(&x) && (5..8).contains(&y);
        let stroke = (5..24).contains(&y) && (x + (y - 5) / 2).abs_diff(19) < 2;
        image::Luma([if bar || stroke { 255 } else { 0 }])
    });
    image.save(&file).unwrap();
    file
}

/// A folder of this name for the files of a test, empty.
pub fn folder(name: &str) -> String {
    let folder = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    let _ = std::fs::remove_dir_all(&folder); // of an earlier run
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes an .npy file of floats, in a folder that is made; gives its path.
pub fn npy(file: &str, shape: &[usize], values: &[f32]) -> String {
    array(file, "<f4", shape, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>())
}

/// The same for elements of any type.
pub fn array(file: &str, descr: &str, shape: &[usize], bytes: &[u8]) -> String {
    let extents: String = shape.iter().map(|n| format!("{n},")).collect();
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    std::fs::create_dir_all(std::path::Path::new(file).parent().unwrap()).unwrap();
    std::fs::write(file, [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), bytes].concat()).unwrap();
    file.to_owned()
}

/// What the program prints with --json.
pub fn json(args: &[&str]) -> serde_json::Value {
    let output = convgpu(&[args, &["--json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"))
}

/// `y = op(x)`, or of x and x.
pub fn single(name: &str, op: &str, inputs: usize, dims: &[i64]) -> String {
    let mut proto = classifier();
    let graph = proto.graph.as_mut().unwrap();
    let mut node = graph.node.remove(1);
    (node.op_type, node.input) = (Some(op.to_owned()), vec!["input".to_owned(); inputs]);
    node.output = vec!["logits".to_owned()];
    graph.node = vec![node];
    graph.initializer.clear();
    graph.output[0].r#type = None;
    let shape = graph.input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape.as_mut().unwrap();
    shape.dim.truncate(dims.len());
    shape.dim.iter_mut().zip(dims).for_each(|(d, n)| d.dim_value = Some(*n));
    written(name, &proto)
}

/// Writes a model; gives its path.
pub fn written(name: &str, proto: &ModelProto) -> String {
    let file = format!("{}/{name}.onnx", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, proto.encode_to_vec()).unwrap();
    file
}
