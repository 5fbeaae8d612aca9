//! Operators of a program's own for nodes of a model file.

use convgpu::custom::{Arg, Bounds, Kernel, Launch, Op, Params, Site, Variant};
use convgpu::internals::model::proto::{ModelProto, NodeProto, OperatorSetIdProto};
use convgpu::onnx::Registry;
use convgpu::{Desc, Error, ErrorKind, Model, Result, Tensor};
use prost::Message;

use crate::onnx_build::{
    branch, error, float, float_list, floats, function, int, ints, line, model, node, of, refers, run, string, tensor,
    text,
};

/// `a x + b`, b perhaps absent.
#[derive(Debug)]
struct Affine {
    a: f32,
    b: f32,
}

static AFFINE: Kernel = Kernel::new(
    "affine",
    "struct Params { count: u32, a: f32, b: f32 }
    @group(0) @binding(0) var<uniform> p: Params;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < p.count { y[id.x] = p.a * x[id.x] + p.b; }
    }",
);

impl Op for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        match inputs {
            [x] => Ok(vec![x.clone()]),
            _ => Err(Error::new(ErrorKind::Shape, format!("affine takes one input, not {}", inputs.len()))),
        }
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let y: Vec<f32> = inputs[0].as_f32()?.iter().map(|x| self.a * x + self.b).collect();
        Ok(vec![Tensor::new(inputs[0].shape(), y)?])
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![vec![1e-6; outputs[0].numel()]]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let count = site.outputs[0].numel();
        let params = Params::new().with("count", count).with("a", self.a).with("b", self.b);
        let launch = Launch::grid(&AFFINE, [count.div_ceil(64) as u32, 1, 1], params)
            .reads([Arg::Input(0)])
            .writes([Arg::Output(0)]);
        Ok(vec![Variant::row_major(site, vec![launch])])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        2 * inputs[0].numel() as u64
    }
}

fn registry() -> Registry {
    Registry::new()
        .op("com.example", "Affine", |node| Ok(Box::new(Affine { a: node.float("a", 2.0)?, b: node.float("b", 0.0)? })))
}

fn affine(attributes: Vec<convgpu::internals::model::proto::AttributeProto>) -> NodeProto {
    of("com.example", node("Affine", &["x"], &["y"], attributes))
}

fn y(proto: &ModelProto, registry: &Registry) -> Result<Vec<f32>> {
    let model = Model::from_bytes_with(&proto.encode_to_vec(), registry)?;
    let outputs = run(&model, &[("x", &Tensor::from([-2.0f32, -0.5, 1.0, 3.0]))])?;
    Ok(outputs[0].1.as_f32()?.to_vec())
}

#[test]
fn a_node_of_another_domain_becomes_an_operator_of_ones_own() {
    let proto = model(line(vec![affine(vec![float("b", 1.0)])], vec![]));
    assert_eq!(y(&proto, &registry()).unwrap(), [-3.0, 0.0, 3.0, 7.0]);
    assert!(error(&proto).ends_with("operator Affine of com.example (a program may give its own: onnx::Registry)"));
    // From a file, in a branch, and of values that are known when the model is loaded.
    let path = std::env::temp_dir().join(format!("convgpu-registry-{}.onnx", std::process::id()));
    let then = branch("then_branch", vec![of("com.example", node("Affine", &["k"], &["r"], vec![]))], "r");
    let other = branch("else_branch", vec![], "x");
    let nodes = vec![
        node("Greater", &["k", "zero"], &["is"], vec![]),
        node("If", &["is"], &["t"], vec![then, other]),
        node("Mul", &["x", "t"], &["y"], vec![]),
    ];
    let proto = model(line(nodes, vec![floats("k", &[1], &[3.0]), floats("zero", &[1], &[0.0])]));
    std::fs::write(&path, proto.encode_to_vec()).unwrap();
    let loaded = Model::load_with(&path, &registry()).unwrap();
    std::fs::remove_file(&path).unwrap();
    let found = run(&loaded, &[("x", &Tensor::from([-2.0f32, -0.5, 1.0, 3.0]))]).unwrap();
    assert_eq!(found[0].1.as_f32().unwrap(), [-12.0, -3.0, 6.0, 18.0]);
}

#[test]
fn a_registry_comes_before_functions_and_operators() {
    let local = function("Affine", &["a"], &["b"], vec![node("Neg", &["a"], &["b"], vec![])]);
    let functions = vec![convgpu::internals::model::proto::FunctionProto { domain: text("com.example"), ..local }];
    let proto = ModelProto { functions, ..model(line(vec![affine(vec![])], vec![])) };
    assert_eq!(y(&proto, &Registry::new()).unwrap(), [2.0, 0.5, -1.0, -3.0]);
    assert_eq!(y(&proto, &registry()).unwrap(), [-4.0, -1.0, 2.0, 6.0]);
    let relu = model(line(vec![node("Relu", &["x"], &["y"], vec![])], vec![]));
    for domain in ["", "ai.onnx"] {
        let registry = Registry::new().op(domain, "Relu", |_| Ok(Box::new(Affine { a: 3.0, b: 0.0 })));
        assert_eq!(y(&relu, &registry).unwrap(), [-6.0, -1.5, 3.0, 9.0]);
    }
    assert_eq!(format!("{:?}", registry()), r#"Registry([("com.example", "Affine")])"#);
}

#[test]
fn a_node_is_seen_whole() {
    let attributes = vec![
        int("i", -3),
        string("s", "text"),
        ints("list", &[1, 2]),
        float_list("floats", &[0.5]),
        tensor("t", floats("", &[1], &[7.0])),
    ];
    let seen = of("com.example", node("Look", &["x", "", "w"], &["y"], attributes));
    let registry = Registry::new().op("com.example", "Look", |node| {
        assert_eq!((node.name(), node.opset(), node.num_inputs(), node.num_outputs()), ("Look_0", 17, 3, 1));
        assert_eq!(node.attributes().collect::<Vec<_>>(), ["i", "s", "list", "floats", "t"]);
        assert_eq!((node.input(0), node.input(1), node.input(9)), (Some(Desc::f32([4])), None, None));
        assert_eq!((node.value(0), node.value(2)), (None, Some(&Tensor::from([2.0f32]))));
        assert_eq!((node.int("i", 0)?, node.int("none", 5)?, node.string("s", "")?), (-3, 5, "text"));
        assert_eq!((node.ints("list")?, node.ints("none")?), (Some(vec![1, 2]), None));
        assert_eq!((node.floats("floats")?, node.tensor("t")?), (Some(vec![0.5]), Some(Tensor::from([7.0f32]))));
        node.float("i", 0.0)?;
        unreachable!("an integer is no float")
    });
    let e = y(&model(line(vec![seen], vec![floats("w", &[1], &[2.0])])), &registry).unwrap_err();
    assert_eq!(e.node(), Some("Look_0"));
    assert!(e.to_string().contains("attribute i of Look is an integer, not a float"), "{e}");
}

#[test]
fn errors_name_the_node() {
    let two = of("com.example", node("Affine", &["x", "x"], &["y"], vec![]));
    let e = y(&model(line(vec![two], vec![])), &registry()).unwrap_err();
    assert_eq!((e.node(), e.kind()), (Some("Affine_0"), ErrorKind::Shape));
    assert!(e.to_string().contains("affine takes one input, not 2") && e.to_string().contains("f32[4]"), "{e}");
    let more = of("com.example", node("Affine", &["x"], &["y", "z"], vec![]));
    let e = y(&model(line(vec![more], vec![])), &registry()).unwrap_err();
    assert!(
        e.to_string().contains("Affine_0: the operator affine is wrong: it gives 1 outputs, the node lists 2"),
        "{e}"
    );
    let refuses = Registry::new()
        .op("com.example", "Affine", |node| Err(Error::new(ErrorKind::Unsupported, format!("no {}", node.name()))));
    let e = y(&model(line(vec![affine(vec![])], vec![])), &refuses).unwrap_err();
    assert!(e.to_string().contains("Affine_0: no Affine_0"), "{e}");
}

#[test]
fn a_model_without_nodes_of_the_default_domain_need_not_name_its_operator_set() {
    let proto = model(line(vec![affine(vec![])], vec![]));
    let sets = vec![OperatorSetIdProto { domain: Some("com.example".into()), version: Some(1) }];
    let proto = ModelProto { opset_import: sets.clone(), ..proto };
    assert_eq!(y(&proto, &registry()).unwrap(), [-4.0, -1.0, 2.0, 6.0]);
    let unknown = Model::from_bytes(&proto.encode_to_vec()).unwrap_err().to_string();
    assert!(unknown.contains("operator Affine of com.example"), "{unknown}");

    let proto = model(line(vec![node("Relu", &["x"], &["y"], vec![])], vec![]));
    for sets in [sets, vec![]] {
        let proto = ModelProto { opset_import: sets, ..proto.clone() };
        let unsaid = Model::from_bytes(&proto.encode_to_vec()).unwrap_err().to_string();
        assert!(unsaid.contains("which operator set"), "{unsaid}");
    }
}

/// What a node says and its operator does not hear is an error.
#[test]
fn attributes_that_nobody_reads_are_errors() {
    let refused = |attribute| y(&model(line(vec![affine(vec![attribute])], vec![])), &registry()).unwrap_err();
    let e = refused(float("aa", 5.0));
    assert!(e.to_string().contains("Affine_0") && e.to_string().contains("aa of Affine"), "{e}");
    let captures = branch("body", vec![node("Relu", &["x"], &["r"], vec![])], "r");
    assert!(refused(captures).to_string().contains("attribute body of Affine is a graph"));
    assert!(refused(refers("a", "alpha", 1)).to_string().contains("a reference outside a function"));
    // Whoever lists them answers for them.
    let all = Registry::new().op("com.example", "Affine", |node| {
        assert_eq!(node.attributes().count(), 1);
        Ok(Box::new(Affine { a: 1.0, b: 0.0 }))
    });
    let proto = model(line(vec![affine(vec![float("aa", 5.0)])], vec![]));
    assert_eq!(y(&proto, &all).unwrap(), [-2.0, -0.5, 1.0, 3.0]);
}

#[test]
fn a_node_that_lists_more_outputs_than_its_operator_gives_is_an_error() {
    let mut node = affine(vec![]);
    node.output.push("more".to_owned());
    let e = y(&model(line(vec![node], vec![])), &registry()).unwrap_err();
    assert!(e.node() == Some("Affine_0") && e.to_string().contains("gives 1 outputs, the node lists 2"), "{e}");
}

#[test]
fn a_constant_of_ones_own_comes_before_that_of_onnx() {
    #[derive(Debug)]
    struct Seven;
    impl Op for Seven {
        fn name(&self) -> &'static str {
            "seven"
        }
        fn outputs(&self, _: &[Desc]) -> Result<Vec<Desc>> {
            Ok(vec![Desc::f32([1])])
        }
        fn reference(&self, _: &[Tensor]) -> Result<Vec<Tensor>> {
            Ok(vec![Tensor::from([7.0f32])])
        }
        fn bounds(&self, _: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
            Ok(Some(vec![vec![0.0]]))
        }
        fn launches(&self, _: &Site<'_>) -> Result<Vec<Variant>> {
            Ok(vec![])
        }
        fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
            0
        }
    }
    let nodes = vec![
        node("Constant", &[], &["k"], vec![tensor("value", floats("", &[1], &[1.0]))]),
        node("Add", &["x", "k"], &["y"], vec![]),
    ];
    let registry = Registry::new().op("", "Constant", |node| {
        node.tensor("value")?;
        Ok(Box::new(Seven))
    });
    assert_eq!(y(&model(line(nodes, vec![])), &registry).unwrap(), [5.0, 6.5, 8.0, 10.0]);
}
