//! Model-local functions: their bodies in place of their calls. The values are ONNX Runtime's.

use convgpu::Model;
use convgpu::internals::model::proto::{FunctionProto, ModelProto, NodeProto};
use prost::Message;

use crate::onnx_build::{
    branch, error, float, float_list, floats, function, int, ints, line, model, node, of, operator_set, refers, tensor,
    text, untyped, y_of,
};

fn call(name: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    of("local", node(name, inputs, outputs, vec![]))
}

fn with(functions: Vec<FunctionProto>, nodes: Vec<NodeProto>) -> ModelProto {
    ModelProto { functions, ..model(line(nodes, vec![floats("one", &[], &[1.0])])) }
}

/// `b = LeakyRelu(a)` with the slope that the call names `s`.
fn leaky() -> FunctionProto {
    let body = node("LeakyRelu", &["a"], &["b"], vec![refers("alpha", "s", 1)]);
    FunctionProto { attribute: vec!["s".into()], ..function("Leaky", &["a"], &["b"], vec![body]) }
}

#[test]
fn attributes_are_the_calls_the_functions_or_the_operators() {
    let of_call = |slope| NodeProto { attribute: vec![float("s", slope)], ..call("Leaky", &["x"], &["y"]) };
    assert_eq!(y_of(&with(vec![leaky()], vec![of_call(0.5)])), [-1.0, -0.25, 1.0, 3.0]);
    // LeakyRelu's own is 0.01.
    let found = y_of(&with(vec![leaky()], vec![call("Leaky", &["x"], &["y"])]));
    assert!((found[0] + 0.02).abs() < 1e-6, "{found:?}");
    let with_default = || FunctionProto { attribute: vec![], attribute_proto: vec![float("s", 0.25)], ..leaky() };
    assert_eq!(y_of(&with(vec![with_default()], vec![call("Leaky", &["x"], &["y"])])), [-0.5, -0.125, 1.0, 3.0]);
    assert_eq!(y_of(&with(vec![with_default()], vec![of_call(0.5)])), [-1.0, -0.25, 1.0, 3.0]);
    // What the function does not know is not looked at.
    let more = NodeProto { attribute: vec![float("s", 0.5), int("unknown", 3)], ..call("Leaky", &["x"], &["y"]) };
    assert_eq!(y_of(&with(vec![leaky()], vec![more])), [-1.0, -0.25, 1.0, 3.0]);
}

#[test]
fn attributes_of_every_type_are_handed_on() {
    let body = vec![
        node("Constant", &[], &["k"], vec![refers("value", "tensor", 4)]),
        node("Constant", &[], &["l"], vec![refers("value_floats", "list", 6)]),
        node("Mul", &["a", "k"], &["m"], vec![]),
        node("Add", &["m", "l"], &["b"], vec![]),
    ];
    let given = vec![tensor("tensor", floats("", &[1], &[2.0])), float_list("list", &[1.0, 2.0, 3.0, 4.0])];
    let calls = vec![NodeProto { attribute: given, ..call("Affine", &["x"], &["y"]) }];
    assert_eq!(y_of(&with(vec![function("Affine", &["a"], &["b"], body)], calls)), [-3.0, 1.0, 5.0, 10.0]);
}

/// The bodies use the caller's names for other values, and the calls have one name.
#[test]
fn names_of_a_body_are_its_own() {
    let inner = function(
        "Inner",
        &["x", "t"],
        &["y"],
        vec![
            node("LeakyRelu", &["x"], &["t2"], vec![refers("alpha", "s", 1)]),
            node("Add", &["t2", "t"], &["y"], vec![]),
        ],
    );
    let mut nested = call("Inner", &["y", "y"], &["x"]);
    nested.attribute = vec![refers("s", "k", 1)];
    let outer = function("Outer", &["y"], &["t"], vec![nested, node("Neg", &["x"], &["t"], vec![])]);
    let of = |k: f32, from: &str, to: &str| NodeProto {
        attribute: vec![float("k", k)],
        name: text("same"),
        ..call("Outer", &[from], &[to])
    };
    // The value that the first body's would be named, if it were not taken.
    let taken = node("Neg", &["x"], &["same/x"], vec![]);
    let nodes = vec![taken, of(0.5, "same/x", "t"), of(0.25, "t", "t2"), node("Identity", &["t2"], &["y"], vec![])];
    assert_eq!(y_of(&with(vec![outer, inner], nodes)), [5.0, 1.25, -3.0, -9.0]);
}

#[test]
fn inputs_and_outputs_may_be_missing() {
    let clip = || {
        let body = vec![node("Clip", &["a", "low", "high"], &["b"], vec![]), node("Neg", &["a"], &["c"], vec![])];
        function("Limit", &["a", "low", "high"], &["b", "c"], body)
    };
    let y = |inputs: &[&str], outputs: &[&str]| y_of(&with(vec![clip()], vec![call("Limit", inputs, outputs)]));
    assert_eq!(y(&["x", "", "one"], &["y"]), [-2.0, -0.5, 1.0, 1.0]);
    assert_eq!(y(&["x", "one"], &["y"]), [1.0, 1.0, 1.0, 3.0]);
    assert_eq!(y(&["x"], &["", "y"]), [2.0, 0.5, -1.0, -3.0]);
    let e = error(&with(vec![clip()], vec![call("Limit", &["x", "x", "x", "x"], &["y"])]));
    assert!(e.contains("Limit_0: the function Limit of local has 3 inputs, the call has 4"), "{e}");
    // An output that is an input.
    let same = function("Same", &["a"], &["a"], vec![]);
    assert_eq!(y_of(&with(vec![same], vec![call("Same", &["x"], &["y"])])), [-2.0, -0.5, 1.0, 3.0]);
}

#[test]
fn an_overload_is_a_function_of_its_own() {
    let of = |overload: &str, op: &str| FunctionProto {
        overload: text(overload),
        ..function("F", &["a"], &["b"], vec![node(op, &["a"], &["b"], vec![])])
    };
    let calls =
        |overload: &str, from: &str, to: &str| NodeProto { overload: text(overload), ..call("F", &[from], &[to]) };
    let functions = || vec![of("n", "Neg"), of("a", "Abs")];
    assert_eq!(y_of(&with(functions(), vec![calls("n", "x", "t"), calls("a", "t", "y")])), [2.0, 0.5, 1.0, 3.0]);
    assert!(error(&with(functions(), vec![calls("", "x", "y")])).contains("operator F of local"));
    assert!(error(&with(vec![of("n", "Neg"), of("n", "Abs")], vec![])).contains("two functions are named F of local"));
}

#[test]
fn branches_and_functions_lie_in_each_other() {
    // In the function an If, whose branch has the call's attribute and reads an input of the function.
    let then = branch("then_branch", vec![node("LeakyRelu", &["a"], &["r"], vec![refers("alpha", "s", 1)])], "r");
    let other = branch("else_branch", vec![node("Neg", &["a"], &["r"], vec![])], "r");
    let chooses = function("Choose", &["a", "c"], &["b"], vec![node("If", &["c"], &["b"], vec![then, other])]);
    let greater = |low: &str, high: &str| node("Greater", &[high, low], &["is"], vec![]);
    let calls = NodeProto { attribute: vec![float("s", 0.5)], ..call("Choose", &["x", "is"], &["y"]) };
    let zero = node("Constant", &[], &["zero"], vec![float("value_float", 0.0)]);
    let y = |low, high| y_of(&with(vec![chooses.clone()], vec![zero.clone(), greater(low, high), calls.clone()]));
    assert_eq!(y("zero", "one"), [-1.0, -0.25, 1.0, 3.0]);
    assert_eq!(y("one", "zero"), [2.0, 0.5, -1.0, -3.0]);
    // In the branch a call.
    let calls = NodeProto { attribute: vec![float("s", 0.5)], ..call("Leaky", &["x"], &["r"]) };
    let then = branch("then_branch", vec![calls], "r");
    let other = branch("else_branch", vec![node("Neg", &["x"], &["r"], vec![])], "r");
    let nodes = vec![zero.clone(), greater("zero", "one"), node("If", &["is"], &["y"], vec![then, other])];
    assert_eq!(y_of(&with(vec![leaky()], nodes)), [-1.0, -0.25, 1.0, 3.0]);
}

/// Softmax of version 11 along axis 0 is over all elements, that of version 13 over each column.
#[test]
fn a_function_has_an_operator_set_of_its_own() {
    let squares = |version| {
        let softmax = FunctionProto {
            opset_import: vec![operator_set(version)],
            ..function("S", &["a"], &["b"], vec![node("Softmax", &["a"], &["b"], vec![int("axis", 0)])])
        };
        let shape = node("Constant", &[], &["shape"], vec![ints("value_ints", &[2, 2])]);
        let to = node("Reshape", &["x", "shape"], &["m"], vec![]);
        with(vec![softmax], vec![shape, to, call("S", &["m"], &["y"])])
    };
    for (version, sum) in [(11, 1.0), (13, 2.0)] {
        let found = y_of(&squares(version)).iter().sum::<f32>();
        assert!((found - sum).abs() < 1e-5, "{version}: {found}");
    }
    assert!(error(&squares(99)).contains("S_2: S of local: operator set 99"), "{}", error(&squares(99)));
}

#[test]
fn functions_that_never_end_are_one_error() {
    let to = |name: &str, callee: &str| function(name, &["a"], &["b"], vec![call(callee, &["a"], &["b"])]);
    let e = error(&with(vec![to("A", "B"), to("B", "C"), to("C", "B")], vec![call("A", &["x"], &["y"])]));
    assert!(e.contains("calls itself (B of local -> C of local)"), "{e}");
    // In a branch.
    let then = branch("then_branch", vec![call("R", &["a"], &["r"])], "r");
    let other = branch("else_branch", vec![], "a");
    let recursive = function("R", &["a"], &["b"], vec![node("If", &["c"], &["b"], vec![then, other])]);
    assert!(
        error(&with(vec![recursive], vec![call("R", &["x"], &["y"])])).contains("the function R of local calls itself")
    );
    // A long chain of calls, and a short file of very many.
    let chain = (0..100).map(|k| to(&format!("F{k}"), &format!("F{}", k + 1))).collect();
    assert!(error(&with(chain, vec![call("F0", &["x"], &["y"])])).contains("more than 64 deep"));
    let twice = |k: usize| {
        let next = format!("F{}", k + 1);
        function(&format!("F{k}"), &["a"], &["b"], vec![call(&next, &["a"], &["t"]), call(&next, &["t"], &["b"])])
    };
    let mut doubling: Vec<_> = (0..40).map(twice).collect();
    doubling.push(function("F40", &["a"], &["a"], vec![]));
    assert!(error(&with(doubling, vec![call("F0", &["x"], &["y"])])).contains("more than 1048576 nodes"));
}

/// ONNX Runtime computes an operator that it has itself, whatever function has the same name.
#[test]
fn an_operator_that_is_understood_needs_no_function() {
    let negative =
        FunctionProto { domain: None, ..function("Relu", &["a"], &["b"], vec![node("Neg", &["a"], &["b"], vec![])]) };
    assert_eq!(y_of(&with(vec![negative], vec![node("Relu", &["x"], &["y"], vec![])])), [0.0, 0.0, 1.0, 3.0]);
}

#[test]
fn broken_bodies_name_the_call() {
    let body = function("F", &["a"], &["b"], vec![node("Add", &["a", "nothing"], &["b"], vec![])]);
    let e = error(&with(vec![body], vec![call("F", &["x"], &["y"])]));
    assert!(e.contains("F_0/Add_0: reads the value F_0/nothing, which nothing defines"), "{e}");
    let body = function("F", &["a"], &["b"], vec![node("Loop", &["a"], &["b"], vec![])]);
    let e = error(&with(vec![body], vec![call("F", &["x"], &["y"])]));
    assert!(e.contains("F_0/Loop_0: operator Loop"), "{e}");
    // Cut anywhere, the file is an error or a model, and no panic.
    let mut proto = with(vec![leaky()], vec![call("Leaky", &["x"], &["y"])]);
    proto.graph.as_mut().unwrap().output.push(untyped("x"));
    let bytes = proto.encode_to_vec();
    (0..bytes.len()).for_each(|cut| drop(Model::from_bytes(&bytes[..cut])));
}
