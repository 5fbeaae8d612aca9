//! Results from inside a model: `Model::output_at` and `Model::outputs_at`.

use std::path::Path;

use convgpu::internals::model::proto::data_type;
use convgpu::{DType, Device, ErrorKind, Model, Tensor};

use crate::onnx_build::{branch, floats, function, graph, line, model, node, of, operator_set, read, run, text, value};
use crate::support::{Rng, device};

fn lenet() -> Model {
    Model::load(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/lenet5_mnist.onnx")).unwrap()
}

fn names(model: &Model) -> Vec<&str> {
    model.outputs().iter().map(|v| v.name.as_str()).collect()
}

/// x -> relu -> a -> neg ("second") -> y
fn chain() -> convgpu::internals::model::proto::ModelProto {
    let named = |name: &str, n| convgpu::internals::model::proto::NodeProto { name: text(name), ..n };
    let nodes = vec![
        named("first", node("Relu", &["x"], &["a"], vec![])),
        named("second", node("Mul", &["a", "w"], &["b"], vec![])),
        node("Neg", &["b"], &["y"], vec![]),
    ];
    model(line(nodes, vec![floats("w", &[4], &[2.0; 4])]))
}

#[test]
fn results_inside_have_the_names_that_were_asked_for() {
    let x = Tensor::from([-2.0f32, -0.5, 1.0, 3.0]);
    let inside = read(&chain()).unwrap().output_at("first").unwrap().output_at("b").unwrap();
    assert_eq!(names(&inside), ["y", "first", "b"]);
    assert_eq!(inside.outputs()[1].to_string(), "first: f32[4]");
    let outputs = run(&inside, &[("x", &x)]).unwrap();
    let of = |k: usize| outputs[k].1.as_f32().unwrap().to_vec();
    assert_eq!(of(0), [0.0, 0.0, -2.0, -6.0]);
    assert_eq!(of(1), [0.0, 0.0, 1.0, 3.0]);
    assert_eq!(of(2), [0.0, 0.0, 2.0, 6.0]);
    // By the value, the node, the node's operator and position, the input, and a weight.
    let all = ["a", "first", "Neg_2", "x", "w"];
    let outputs = run(&read(&chain()).unwrap().outputs_at(&all).unwrap(), &[("x", &x)]).unwrap();
    let values: Vec<Vec<f32>> = outputs.iter().map(|(_, t)| t.as_f32().unwrap().to_vec()).collect();
    assert_eq!(outputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), all);
    assert_eq!(values[0], values[1]);
    assert_eq!(
        (&values[2][..], &values[3][..], &values[4][..]),
        (&[0.0, 0.0, -2.0, -6.0][..], x.as_f32().unwrap(), &[2.0; 4][..])
    );
}

#[test]
fn only_what_the_outputs_need_stays() {
    let first = read(&chain()).unwrap().outputs_at(&["first"]).unwrap();
    assert_eq!((names(&first), first.num_parameters()), (vec!["first"], 0));
    assert_eq!(first.operators().keys().copied().collect::<Vec<_>>(), ["Identity", "Relu"]);
    let whole = read(&chain()).unwrap();
    let same = whole.clone().outputs_at(&["y"]).unwrap().output_at("y").unwrap();
    assert_eq!((names(&same), same.num_parameters()), (vec!["y"], 4));
    assert_eq!(same.outputs(), whole.outputs(), "an output of the file is described as in the file");
}

#[test]
fn features_of_a_real_network() {
    let features = lenet().outputs_at(&["conv2", "probs"]).unwrap().open_axis("input", 0).unwrap();
    assert_eq!(features.outputs()[0].to_string(), "conv2: f32[?, 16, 10, 10]");
    let x = Rng(2).tensor(&[3, 1, 28, 28]);
    let given = [("input", &x)];
    let [reference, gpu] =
        [&Device::cpu(), device()].map(|d| features.clone().compile(d).unwrap().run(&given).unwrap());
    crate::close::check(&gpu["conv2"], &reference["conv2"]).unwrap();
    assert_eq!(gpu["conv2"].shape(), [3, 16, 10, 10]);
    assert_ne!(reference["conv2"], Tensor::zeros([3, 16, 10, 10]));
    let whole = lenet().open_axis("input", 0).unwrap().compile(device()).unwrap().run(&given).unwrap();
    crate::close::check(&gpu["probs"], &whole["probs"]).unwrap();
}

#[test]
fn unknown_names_are_errors() {
    let e = lenet().output_at("conv4").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Argument);
    let e = e.to_string();
    assert!(
        e.starts_with("there is no node or value conv4; nodes with similar names: conv1, conv2, ")
            && e.ends_with(" (of 13)"),
        "{e}"
    );
    let text = |names: &[&str]| lenet().outputs_at(names).unwrap_err().to_string();
    assert_eq!(text(&[]), "no output is named: a network has at least one");
    assert_eq!(text(&["probs", "probs"]), "two outputs are named probs");
    assert!(text(&["probs", ""]).starts_with("there is no node or value ; "));
}

/// The nodes of a function are there under the name of the call; those of a branch are not.
#[test]
fn functions_are_reached_and_branches_are_not() {
    let body = vec![node("Relu", &["v"], &["r"], vec![]), node("Neg", &["r"], &["w"], vec![])];
    let mut local = function("negated_relu", &["v"], &["w"], body);
    local.opset_import = vec![operator_set(17)];
    let mut proto = model(line(vec![of("local", node("negated_relu", &["x"], &["y"], vec![]))], vec![]));
    proto
        .opset_import
        .push(convgpu::internals::model::proto::OperatorSetIdProto { domain: text("local"), version: Some(1) });
    proto.functions = vec![local];
    let inside = read(&proto).unwrap().output_at("negated_relu_0/Relu_0").unwrap();
    let outputs = run(&inside, &[("x", &Tensor::from([-2.0f32, -0.5, 1.0, 3.0]))]).unwrap();
    assert_eq!(outputs[1].1.as_f32().unwrap(), [0.0, 0.0, 1.0, 3.0]);

    let both = |op: &str| vec![node(op, &["x"], &["inner"], vec![])];
    let choice = node(
        "If",
        &["c"],
        &["y"],
        vec![branch("then_branch", both("Relu"), "inner"), branch("else_branch", both("Neg"), "inner")],
    );
    let mut graph = graph(vec![choice], vec![]);
    graph.input = vec![value("x", data_type::FLOAT, &[4]), value("c", data_type::BOOL, &[])];
    let model = read(&model(graph)).unwrap();
    let e = model.clone().output_at("inner").unwrap_err().to_string();
    assert_eq!(e, "If_0: inner is in a branch of the node: only results of the whole node can be outputs");
    assert_eq!(names(&model.output_at("If_0").unwrap()), ["y", "If_0"]);
}

/// A value that the file declares as f16 is given as f16.
#[test]
fn halves_stay_halves() {
    let half = |name: &str| value(name, data_type::FLOAT16, &[4]);
    let nodes = vec![node("Relu", &["x"], &["a"], vec![]), node("Neg", &["a"], &["y"], vec![])];
    let mut graph = line(nodes, vec![]);
    (graph.input, graph.output, graph.value_info) = (vec![half("x")], vec![half("y")], vec![half("a")]);
    let inside = read(&model(graph)).unwrap().outputs_at(&["Relu_0", "a"]).unwrap();
    assert_eq!(inside.outputs().iter().map(|v| v.dtype).collect::<Vec<_>>(), [Some(DType::F16); 2]);
    let outputs = run(&inside, &[("x", &Tensor::from([-2.0f32, -0.5, 1.0, 3.0]))]).unwrap();
    assert!(outputs.iter().all(|(_, t)| t.dtype() == DType::F16), "{outputs:?}");
}
