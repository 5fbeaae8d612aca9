//! Forms that files of many exporters have: what nothing needs, names without a meaning, inputs with a value of their own,
//! outputs by name alone. The values are ONNX Runtime's.

use std::path::{Path, PathBuf};

use convgpu::internals::model::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, StringStringEntryProto, TensorProto,
    TypeProto, ValueInfoProto, data_type,
};
use convgpu::internals::session::{Bind, Given};
use convgpu::internals::verify;
use convgpu::{CompileOptions, DType, Desc, Dim, Model, Tensor};
use prost::Message;

use crate::onnx_build::{
    branch, error, float, floats, function, graph, int, integers, ints, line, model, node, of, operator_set, read, run,
    run_error, string, tensor, text, untyped, value, y_of,
};

fn x() -> Tensor {
    Tensor::from([-2.0f32, -0.5, 1.0, 3.0])
}

/// Elements of a type that is not supported.
fn strange(name: &str, data_type: i32) -> TensorProto {
    TensorProto {
        data_type: Some(data_type),
        raw_data: Some(vec![0; 3].into()),
        float_data: vec![],
        ..floats(name, &[3], &[])
    }
}

#[test]
fn what_no_output_needs_does_not_matter() {
    let dead = || {
        vec![
            of("com.example", node("Magic", &["x", "words", "tiny"], &["a"], vec![])),
            node("Loop", &["a"], &["b"], vec![int("strange", 1)]),
            node("Add", &["b", "no such value"], &["c"], vec![]),
        ]
    };
    let nodes = [dead(), vec![node("Relu", &["x"], &["y"], vec![])]].concat();
    let unread = || vec![strange("words", data_type::STRING), strange("tiny", 17), strange("tinier", 22)];
    let mut proto = model(line(nodes, unread()));
    let part = proto.graph.as_mut().unwrap();
    part.sparse_initializer = vec![SparseTensorProto { values: Some(floats("sparse", &[1], &[1.0])) }];
    part.input.extend([
        value("label", data_type::STRING, &[1]),
        untyped("nothing"),
        value("used", data_type::FLOAT, &[1]),
    ]);
    let loaded = read(&proto).unwrap();
    let inputs: Vec<_> = loaded.inputs().iter().map(|v| v.name.as_str()).collect();
    assert_eq!((inputs, loaded.num_parameters()), (vec!["x", "used"], 0));
    let used = Tensor::from([1.0f32]);
    let outputs = run(&loaded, &[("x", &x()), ("used", &used)]).unwrap();
    assert_eq!(outputs[0].1.as_f32().unwrap(), [0.0, 0.0, 1.0, 3.0]);
    // In a branch.
    let then = [dead(), vec![node("Neg", &["x"], &["r"], vec![])]].concat();
    let mut then = branch("then_branch", then, "r");
    then.g.as_mut().unwrap().initializer = unread();
    let other = branch("else_branch", vec![], "x");
    let choice = vec![node("If", &["yes"], &["y"], vec![then, other])];
    let yes = TensorProto {
        data_type: Some(data_type::BOOL),
        int32_data: vec![1],
        float_data: vec![],
        ..floats("yes", &[], &[])
    };
    assert_eq!(y_of(&model(line(choice, vec![yes]))), [2.0, 0.5, -1.0, -3.0]);
    // Where an output needs one of them it is named.
    for (name, part) in
        [("words", "initialiser words"), ("sparse", "the initialiser sparse is sparse"), ("label", "label")]
    {
        let mut proto = proto.clone();
        proto.graph.as_mut().unwrap().node.push(node("Add", &["x", name], &["y2"], vec![]));
        proto.graph.as_mut().unwrap().output.push(untyped("y2"));
        assert!(error(&proto).contains(part), "{}", error(&proto));
    }
}

#[test]
fn names_that_mean_any_extent_are_not_compared() {
    let of = |name: &str| {
        let mut proto = model(graph(vec![node("Relu", &["x"], &["y"], vec![])], vec![]));
        let input = &mut proto.graph.as_mut().unwrap().input[0];
        let shape = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape.as_mut().unwrap();
        shape.dim.iter_mut().for_each(|d| (d.dim_value, d.dim_param) = (None, text(name)));
        read(&proto).unwrap()
    };
    let x = Tensor::zeros([1, 2, 3, 4]);
    for name in ["None", "?", "unk__6", "-1", "", "unknown"] {
        assert_eq!(of(name).inputs()[0].dims, Some(vec![Dim::Unknown; 4]), "{name}");
        assert_eq!(run(&of(name), &[("x", &x)]).unwrap()[0].1, x);
    }
    for name in ["batch", "N", "unknowns"] {
        assert!(run(&of(name), &[("x", &x)]).unwrap_err().to_string().contains(&format!("{name} = 1")));
    }
}

#[test]
fn an_output_may_be_a_name_alone() {
    let nodes = vec![
        node("Relu", &["x"], &["y"], vec![]),
        node("Less", &["x", "y"], &["less"], vec![]),
        node("Shape", &["x"], &["size"], vec![]),
    ];
    let mut proto = model(line(nodes, vec![]));
    let empty = ValueInfoProto { r#type: Some(TypeProto { tensor_type: None }), ..untyped("size") };
    proto.graph.as_mut().unwrap().output = vec![value("y", data_type::FLOAT, &[4]), untyped("less"), empty];
    let model = read(&proto).unwrap();
    let types: Vec<_> = model.outputs().iter().map(|v| v.dtype).collect();
    assert_eq!(types, [Some(DType::F32), None, None]);
    assert!(model.to_string().contains("outputs     y: f32[4], less: ?[..], size: ?[..]\n"), "{model}");
    let outputs = run(&model, &[("x", &x())]).unwrap();
    assert_eq!(outputs[1].1, Tensor::from([true, true, false, false]));
    assert_eq!(outputs[2].1, Tensor::from([4i64]));
    // The file may describe it among the values inside.
    proto.graph.as_mut().unwrap().value_info = vec![value("less", data_type::BOOL, &[4])];
    assert!(read(&proto).unwrap().to_string().contains("less: bool[4], size: ?[..]\n"));
    // An input must be declared.
    proto.graph.as_mut().unwrap().input = vec![untyped("x")];
    assert!(error(&proto).contains("the input x is not declared as a tensor"), "{}", error(&proto));
}

/// `y = x + b`, b an initialiser that is an input, too.
fn with_default(ir: i64) -> ModelProto {
    let mut graph = line(vec![node("Add", &["x", "b"], &["y"], vec![])], vec![floats("b", &[1], &[10.0])]);
    graph.input.push(value("b", data_type::FLOAT, &[1]));
    ModelProto { ir_version: Some(ir), ..model(graph) }
}

#[test]
fn an_initialiser_that_is_an_input_holds_unless_one_is_given() {
    let loaded = read(&with_default(8)).unwrap();
    assert_eq!((loaded.inputs().len(), loaded.optional_inputs()[0].to_string()), (1, "b: f32[1]".to_owned()));
    assert!(loaded.to_string().contains("inputs      x: f32[4]\noptional    b: f32[1]\n"), "{loaded}");
    assert_eq!(run(&loaded, &[("x", &x())]).unwrap()[0].1, Tensor::from([8.0f32, 9.5, 11.0, 13.0]));
    let b = Tensor::from([1.0f32]);
    assert_eq!(run(&loaded, &[("x", &x()), ("b", &b)]).unwrap()[0].1, Tensor::from([-1.0f32, 0.5, 2.0, 4.0]));
    // One session serves both.
    let session = loaded.compile(&convgpu::Device::cpu()).unwrap();
    assert_eq!(session.optional_inputs()[0].name, "b");
    for _ in 0..2 {
        assert_eq!(session.run(&[("x", &x())]).unwrap()["y"].as_f32().unwrap()[0], 8.0);
        assert_eq!(session.run(&[("b", &b), ("x", &x())]).unwrap()["y"].as_f32().unwrap()[0], -1.0);
    }
    let wrong = |inputs: &[(&str, &Tensor)]| session.run(inputs).unwrap_err().to_string();
    assert!(wrong(&[("b", &b)]).contains("x: f32[4] is missing"));
    assert!(wrong(&[("x", &x()), ("b", &x())]).contains("\"b\" takes f32[1], not f32[4]"));
    assert!(wrong(&[("x", &x()), ("b", &b), ("b", &b)]).contains("given twice"));
    // Before version 4 of the format it is a constant.
    let old = read(&with_default(3)).unwrap();
    assert!(old.optional_inputs().is_empty());
    assert!(run(&old, &[("x", &x()), ("b", &b)]).unwrap_err().to_string().contains("there is no input b"));
    assert_eq!(run(&old, &[("x", &x())]).unwrap()[0].1.as_f32().unwrap()[0], 8.0);
}

#[test]
fn a_default_may_decide_a_shape() {
    let mut graph = line(vec![node("Reshape", &["x", "to"], &["y"], vec![])], vec![integers("to", &[2], &[2, 2])]);
    graph.input.push(value("to", data_type::INT64, &[2]));
    let model = read(&model(graph)).unwrap();
    assert_eq!(model.shape_inputs(), ["to"]);
    assert_eq!(run(&model, &[("x", &x())]).unwrap()[0].1.shape(), [2, 2]);
    let to = Tensor::from([1i64, 4]);
    assert_eq!(run(&model, &[("x", &x()), ("to", &to)]).unwrap()[0].1.shape(), [1, 4]);
}

/// Old exporters write every weight so: a line names some.
#[test]
fn many_defaults_are_counted() {
    let names: Vec<String> = (0..9).map(|k| format!("w{k}")).collect();
    let sum =
        node("Sum", &[&["x"], &names.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat(), &["y"], vec![]);
    let mut graph = line(vec![sum], names.iter().map(|name| floats(name, &[1], &[1.0])).collect());
    graph.input.extend(names.iter().map(|name| value(name, data_type::FLOAT, &[1])));
    let text = read(&model(graph)).unwrap().to_string();
    assert!(text.contains("optional    w0: f32[1], w1: f32[1], w2: f32[1], w3: f32[1], and 5 more\n"), "{text}");
}

/// Multiples of 1/4 from -5/4 to 5/4 in an order of their own.
fn values(k: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| (((i * 7 + 3 * k) % 11) as f32 - 5.0) / 4.0).collect()
}

/// BatchNormalization of version 8 with `spatial = 0`.
fn of_elements(shape: &[i64], stats: &[i64]) -> ModelProto {
    let count = stats.iter().product::<i64>() as usize;
    let positive = |k| values(k, count).iter().map(|v| v.abs() + 1.0).collect();
    let parts: [Vec<f32>; 4] = [positive(1), values(2, count), values(3, count), positive(4)];
    let held = ["s", "b", "m", "v"].into_iter().zip(&parts).map(|(name, data)| floats(name, stats, data)).collect();
    let norm = node("BatchNormalization", &["x", "s", "b", "m", "v"], &["y"], vec![int("spatial", 0)]);
    let mut graph = line(vec![norm], held);
    graph.input = vec![value("x", data_type::FLOAT, shape)];
    ModelProto { opset_import: vec![operator_set(8)], ..model(graph) }
}

#[test]
fn statistics_of_every_element() {
    let y = |shape: &[i64], stats: &[i64]| {
        let extents: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
        let x = Tensor::new(extents.clone(), values(0, extents.iter().product())).unwrap();
        run(&read(&of_elements(shape, stats)).unwrap(), &[("x", &x)]).map(|outputs| outputs[0].1.clone())
    };
    let near = |found: Tensor, shape: &[usize], expected: &[f32]| {
        assert_eq!(found.shape(), shape);
        crate::close::check(&found, &Tensor::new(shape, expected.to_vec()).unwrap()).unwrap();
    };
    let rows = [-2.136_479, 0.100_417_6, 1.559_015, 0.515_164_4, -0.324_791_2, 1.279_507];
    near(y(&[2, 3], &[3]).unwrap(), &[2, 3], &rows);
    let images = [-2.136_479, 0.100_417_6, 1.559_015, 0.583_332_1, -0.545_493_1, -2.025_626, 3.236_059, -0.874_998_1];
    near(y(&[2, 2, 1, 2], &[2, 1, 2]).unwrap(), &[2, 2, 1, 2], &images);
    let e = y(&[2, 2, 1, 2], &[2]).unwrap_err();
    assert_eq!(e.node(), Some("BatchNormalization_0"));
    assert!(e.to_string().contains("f32[2, 2, 1, 2] with spatial = 0 takes [2, 1, 2], not f32[2]"), "{e}");
}

#[test]
fn indices_of_what_is_known() {
    let of = |held: TensorProto| {
        let mut proto = model(line(vec![node("NonZero", &["c"], &["y"], vec![])], vec![held]));
        proto.graph.as_mut().unwrap().output = vec![untyped("y")];
        run(&read(&proto).unwrap(), &[("x", &x())]).unwrap()[0].1.clone()
    };
    assert_eq!(of(integers("c", &[2, 2], &[1, 0, 0, 2])), Tensor::new([2, 2], vec![0i64, 1, 0, 1]).unwrap());
    assert_eq!(of(floats("c", &[3], &[0.0, -0.5, f32::NAN])), Tensor::new([1, 2], vec![1i64, 2]).unwrap());
    assert_eq!(of(floats("c", &[], &[2.0])), Tensor::new([1, 1], vec![0i64]).unwrap());
    assert_eq!(of(floats("c", &[], &[0.0])).shape(), [1, 0]);
    assert_eq!(of(floats("c", &[2, 0, 3], &[])).shape(), [3, 0]);
    // Of the shape of an input, as torch.arange was exported once.
    let nodes = vec![
        node("Shape", &["x"], &["s"], vec![]),
        node("ConstantOfShape", &["s"], &["ones"], vec![tensor("value", integers("", &[1], &[1]))]),
        node("NonZero", &["ones"], &["k"], vec![]),
        node("Cast", &["k"], &["f"], vec![int("to", data_type::FLOAT.into())]),
        node("Add", &["x", "f"], &["y"], vec![]),
    ];
    assert_eq!(y_of(&model(line(nodes, vec![]))), [-2.0, 0.5, 3.0, 6.0]);
    let e = run_error(&model(graph(vec![node("NonZero", &["x"], &["y"], vec![])], vec![])));
    assert!(e.contains("NonZero_0: NonZero needs the value of its input 0, x: f32[1, 2, 5, 3]"), "{e}");
}

#[test]
fn what_a_known_condition_keeps() {
    let condition = |bits: &[i32]| TensorProto {
        data_type: Some(data_type::BOOL),
        int32_data: bits.to_vec(),
        float_data: vec![],
        ..floats("c", &[bits.len() as i64], &[])
    };
    let y = |bits: &[i32], axis: Option<i64>| {
        let attributes = axis.map(|axis| int("axis", axis)).into_iter().collect();
        let nodes =
            vec![node("Reshape", &["x", "square"], &["m"], vec![]), node("Compress", &["m", "c"], &["y"], attributes)];
        y_of(&model(line(nodes, vec![condition(bits), integers("square", &[2], &[2, 2])])))
    };
    assert_eq!(y(&[0, 1], Some(0)), [1.0, 3.0]);
    assert_eq!(y(&[1], Some(-1)), [-2.0, 1.0]);
    assert_eq!(y(&[1, 0, 1], Some(1)), [-2.0, 1.0]);
    assert_eq!(y(&[0, 1, 0, 1, 1], None), [-0.5, 3.0]);
    assert_eq!(y(&[0, 0], Some(0)), [0.0; 0]);
}

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("convgpu-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
    fn load(&self, proto: &ModelProto) -> Result<Model, convgpu::Error> {
        let path = self.0.join("model.onnx");
        std::fs::write(&path, proto.encode_to_vec()).unwrap();
        Model::load(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two floats in a file of that name.
fn external(name: &str, entries: &[(&str, &str)]) -> TensorProto {
    let entry = |&(key, value): &(&str, &str)| StringStringEntryProto { key: text(key), value: text(value) };
    TensorProto {
        external_data: entries.iter().map(entry).collect(),
        data_location: Some(1),
        ..floats(name, &[4], &[])
    }
}

/// `y = x w` with w where a file may have it.
fn weights(w: TensorProto) -> Vec<ModelProto> {
    let product = |to: &str| node("Mul", &["x", "w"], &[to], vec![]);
    let constant = || node("Constant", &[], &["w"], vec![tensor("value", w.clone())]);
    let yes = || TensorProto { data_type: Some(data_type::BOOL), int32_data: vec![1], ..integers("yes", &[], &[]) };
    let choice = |nodes: Vec<NodeProto>, held: Vec<TensorProto>| {
        let mut then: AttributeProto = branch("then_branch", nodes, "r");
        then.g.as_mut().unwrap().initializer = held;
        let other = branch("else_branch", vec![], "x");
        model(line(vec![node("If", &["yes"], &["y"], vec![then, other])], vec![yes()]))
    };
    let body = function("Scale", &["x"], &["y"], vec![constant(), product("y")]);
    let call = of("local", node("Scale", &["x"], &["y"], vec![]));
    vec![
        model(line(vec![product("y")], vec![w.clone()])),
        model(line(vec![constant(), product("y")], vec![])),
        choice(vec![product("r")], vec![w.clone()]),
        choice(vec![constant(), product("r")], vec![]),
        ModelProto { functions: vec![body], ..model(line(vec![call], vec![])) },
    ]
}

#[test]
fn external_data_of_every_tensor() {
    let folder = Folder::new("external-forms");
    let data: Vec<u8> = [9.0f32, 1.0, 2.0, 3.0, 4.0, 9.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(folder.0.join("w.bin"), &data).unwrap();
    let forms: [&[(&str, &str)]; 3] = [
        &[("location", "w.bin"), ("offset", "4"), ("length", "16")],
        &[("location", "./w.bin"), ("offset", "4")],
        &[("length", "0"), ("offset", "4"), ("location", "w.bin")],
    ];
    for entries in forms {
        for proto in weights(external("w", entries)) {
            let model = folder.load(&proto).unwrap();
            let found = run(&model, &[("x", &x())]).unwrap();
            assert_eq!(found[0].1.as_f32().unwrap(), [-2.0, -1.0, 3.0, 12.0]);
        }
    }
    // What a model needs is in memory once it is loaded.
    let models: Vec<_> = weights(external("w", forms[0])).iter().map(|proto| folder.load(proto).unwrap()).collect();
    std::fs::remove_file(folder.0.join("w.bin")).unwrap();
    models.iter().for_each(|model| drop(run(model, &[("x", &x())]).unwrap()));
    let broken: [(&[(&str, &str)], &str); 3] = [
        (&[("location", "w.bin")], "external data w.bin: "),
        (&[("offset", "4")], "without a location"),
        (&[("location", "../w.bin")], "external data ../w.bin"),
    ];
    for (entries, part) in broken {
        for proto in weights(external("w", entries)) {
            let e = folder.load(&proto).unwrap_err().to_string();
            assert!(e.contains(part) && !e.contains("from its path"), "{e}");
            assert!(entries[0].0 == "offset" || error(&proto).contains("load the model from its path"));
        }
    }
    assert!(Path::new(&folder.0).exists());
}

#[test]
fn an_attribute_of_the_wrong_type_is_named() {
    let wrong = node("Concat", &["x", "x"], &["y"], vec![crate::onnx_build::float("axis", 0.0)]);
    let e = run_error(&model(graph(vec![wrong], vec![])));
    assert!(e.contains("Concat_0: attribute axis of Concat is a float, not an integer"), "{e}");
}

/// The value that a branch needs is asked for by the name that the model's input has.
#[test]
fn an_input_that_decides_a_shape_in_a_branch_is_read() {
    let then = branch("then_branch", vec![node("Reshape", &["x", "to"], &["r"], vec![])], "r");
    let other = branch("else_branch", vec![], "x");
    let yes = TensorProto { data_type: Some(data_type::BOOL), int32_data: vec![1], ..integers("yes", &[], &[]) };
    let mut part: GraphProto = line(vec![node("If", &["yes"], &["y"], vec![then, other])], vec![yes]);
    part.input.push(value("to", data_type::INT64, &[2]));
    let model = read(&model(part)).unwrap();
    assert_eq!(model.shape_inputs(), ["to"]);
    let to = Tensor::from([2i64, 2]);
    assert_eq!(run(&model, &[("x", &x()), ("to", &to)]).unwrap()[0].1.shape(), [2, 2]);
    let given = |name: &'static str, desc: Desc| Given { name, desc, value: None };
    let e = model.bind(&[given("x", Desc::f32([4])), given("to", Desc::new([2], DType::I64))]).unwrap_err();
    assert!(e.to_string().contains("If_0/Reshape_0: Reshape needs the value of its input 1, to: i64[2]"), "{e}");
    assert!(e.to_string().ends_with("give the value of to"), "{e}");
}

/// Values are those of NumPy's matmul.
#[test]
fn integers_are_multiplied_as_matrices() {
    let product = |op: &str, a: &[i64], b: &[i64], attribute: Vec<AttributeProto>| {
        let nodes = vec![node(op, &["a", "b"], &["i"], attribute), node("Cast", &["i"], &["y"], vec![int("to", 1)])];
        let values = |shape: &[i64]| (0..shape.iter().product::<i64>()).map(|k| k % 5 - 1).collect::<Vec<_>>();
        let mut proto = model(line(nodes, vec![integers("b", b, &values(b))]));
        let part = proto.graph.as_mut().unwrap();
        part.input = vec![value("a", data_type::INT32, a)];
        part.initializer[0].data_type = Some(data_type::INT32);
        part.initializer[0].int32_data =
            std::mem::take(&mut part.initializer[0].int64_data).iter().map(|v| *v as i32).collect();
        let x = Tensor::new(
            a.iter().map(|n| *n as usize).collect::<Vec<_>>(),
            values(a).iter().map(|v| *v as i32).collect::<Vec<_>>(),
        )
        .unwrap();
        let outputs = run(&read(&proto).unwrap(), &[("a", &x)]).unwrap();
        (outputs[0].1.shape().to_vec(), outputs[0].1.as_f32().unwrap().to_vec())
    };
    let of = |a: &[i64], b: &[i64]| product("MatMul", a, b, vec![]);
    assert_eq!(of(&[2, 3], &[3, 2]), (vec![2, 2], vec![4.0, -1.0, -2.0, 7.0]));
    assert_eq!(of(&[3], &[3, 2]), (vec![2], vec![4.0, -1.0]));
    assert_eq!(of(&[2, 3], &[3]), (vec![2], vec![2.0, -3.0]));
    assert_eq!(of(&[2, 1, 2], &[2, 1]), (vec![2, 1, 1], vec![1.0, -1.0]));
    let transposed = product("Gemm", &[3, 2], &[2, 3], vec![int("transA", 1), int("transB", 1)]);
    assert_eq!(transposed, (vec![2, 2], vec![4.0, -2.0, -1.0, 7.0]));
}

/// A u64 is held as an i64, which has one bit less: what needs that bit is refused, never answered with another number.
#[test]
fn bits_of_u64_that_no_i64_has_are_refused() {
    let of = |op: &str, dtype: i32, attributes: Vec<AttributeProto>, inputs: &[&str]| {
        let constant = TensorProto { data_type: Some(dtype), ..integers("by", &[1], &[0]) };
        let constant = match dtype {
            data_type::UINT64 => TensorProto { int64_data: vec![], uint64_data: vec![40], ..constant },
            _ => TensorProto { int64_data: vec![40], ..constant },
        };
        let mut proto = model(line(vec![node(op, inputs, &["y"], attributes)], vec![constant]));
        let part = proto.graph.as_mut().unwrap();
        part.input = vec![value("x", dtype, &[2])];
        part.output = vec![value("y", dtype, &[2])];
        proto
    };
    let shift = |to: &str| of("BitShift", data_type::UINT64, vec![string("direction", to)], &["x", "by"]);
    let x = Tensor::from([1i64 << 20, 3]);
    let y = |proto: &ModelProto, x: &Tensor| run(&read(proto).unwrap(), &[("x", x)]).map(|mut out| out.remove(0).1);
    assert_eq!(y(&shift("LEFT"), &x).unwrap(), Tensor::from([1i64 << 60, 3 << 40]));
    assert_eq!(y(&shift("RIGHT"), &x).unwrap(), Tensor::from([0i64, 0]));
    let e = y(&shift("LEFT"), &Tensor::from([1i64 << 23, 3])).unwrap_err().to_string();
    assert!(e.contains("8388608 shifted to the left by 40 exceeds the 64 bits of an i64"), "{e}");
    let e = y(&shift("UP"), &x).unwrap_err().to_string();
    assert!(e.contains("BitShift with direction = \"UP\""), "{e}");
    let not = |dtype| of("BitwiseNot", dtype, vec![], &["x"]);
    assert_eq!(y(&not(data_type::INT64), &x).unwrap(), Tensor::from([-(1i64 << 20) - 1, -4]));
    let e = y(&not(data_type::UINT64), &x).unwrap_err().to_string();
    assert!(e.contains("BitwiseNot of i64[2] in a file with u64, which is held as i64"), "{e}");
    let e = y(&of("BitwiseAnd", data_type::BOOL, vec![], &["x", "x"]), &Tensor::from([true, false])).unwrap_err();
    assert!(e.to_string().contains("BitwiseAnd of bool[2]: it takes integers"), "{e}");
    let e = y(&of("Or", data_type::INT32, vec![], &["x", "x"]), &Tensor::from([1i32, 2])).unwrap_err();
    assert!(e.to_string().contains("Or of i32[2]"), "{e}");
}

/// A node may have the name of its output: what is inside it has another one.
#[test]
fn only_one_value_has_the_name_of_an_output() {
    let gemm = NodeProto { name: text("y"), ..node("Gemm", &["x", "b"], &["y"], vec![]) };
    let mut proto = model(line(vec![gemm], vec![floats("b", &[2, 3], &[1.5; 6])]));
    proto.graph.as_mut().unwrap().input = vec![value("x", data_type::FLOAT, &[1, 2])];
    let graph = read(&proto).unwrap().bind(&[Given { name: "x", desc: Desc::f32([1, 2]), value: None }]).unwrap();
    let x = Tensor::new([1, 2], vec![1.0f32, 2.0]).unwrap();
    let (cpu, plain, inputs) = (convgpu::Device::cpu(), CompileOptions::new().fusion(false), [("x", &x)]);
    let values = pollster::block_on(verify::values(&cpu, &graph, &inputs, &plain)).unwrap();
    let named: Vec<_> = values.iter().filter(|v| v.name == "y").map(|v| v.tensor.shape().to_vec()).collect();
    assert!(values.len() > 1 && named == [[1, 3]], "{named:?}");
}

/// As in BLAS, and as ONNX Runtime does it: C is not read.
#[test]
fn a_gemm_whose_beta_is_0_has_no_addend() {
    for b in [2, 3] {
        let nodes = vec![node("Gemm", &["x", "b", "c"], &["y"], vec![float("beta", 0.0), float("alpha", 2.0)])];
        let constants =
            vec![floats("b", &[2, b], &vec![1.5; 2 * b as usize]), floats("c", &[b], &[f32::NAN; 3][..b as usize])];
        let mut proto = model(line(nodes, constants));
        proto.graph.as_mut().unwrap().input = vec![value("x", data_type::FLOAT, &[1, 2])];
        let x = Tensor::new([1, 2], vec![1.0f32, 2.0]).unwrap();
        let outputs = run(&read(&proto).unwrap(), &[("x", &x)]).unwrap();
        assert_eq!(outputs[0].1.as_f32().unwrap(), &vec![9.0; b as usize][..]);
    }
}

/// As ONNX Runtime: interpolated in f32, then truncated.
#[test]
fn integers_are_interpolated() {
    let nodes = vec![
        node("Resize", &["x", "", "scales"], &["i"], vec![string("mode", "linear")]),
        node("Cast", &["i"], &["y"], vec![int("to", 1)]),
    ];
    let mut proto = model(line(nodes, vec![floats("scales", &[4], &[1.0, 1.0, 1.0, 2.0])]));
    proto.graph.as_mut().unwrap().input = vec![value("x", data_type::INT8, &[1, 1, 1, 3])];
    let x = Tensor::new([1, 1, 1, 3], vec![-7i8, 4, 100]).unwrap();
    let outputs = run(&read(&proto).unwrap(), &[("x", &x)]).unwrap();
    assert_eq!(outputs[0].1.as_f32().unwrap(), [-7.0, -4.0, 1.0, 28.0, 76.0, 100.0]);
}

/// What a node leaves out has an empty name, which is no output of a model.
#[test]
fn an_output_without_a_name_is_an_error() {
    let largest = node("TopK", &["x", "k"], &["", "y"], vec![]);
    let mut proto = model(line(vec![largest], vec![integers("k", &[1], &[2])]));
    let outputs = &mut proto.graph.as_mut().unwrap().output;
    outputs.push(outputs[0].clone());
    outputs[0].name = text("");
    assert!(error(&proto).contains("nothing defines the output"), "{}", error(&proto));
}

/// The names of version 16, and those of version 20.
#[test]
fn modes_of_a_grid_have_two_names() {
    let sampled = |mode: &str, grid: &[f32]| {
        let nodes = vec![
            node("Reshape", &["x", "shape"], &["image"], vec![]),
            node("GridSample", &["image", "grid"], &["s"], vec![string("mode", mode)]),
            node("Flatten", &["s"], &["y"], vec![int("axis", 0)]),
        ];
        let grid = floats("grid", &[1, 1, 1, grid.len() as i64], grid);
        model(line(nodes, vec![integers("shape", &[4], &[1, 1, 1, 4]), grid]))
    };
    // Half-way between the second and the third pixel.
    for (mode, wanted) in
        [("bilinear", 0.25), ("linear", 0.25), ("bicubic", 0.203125), ("cubic", 0.203125), ("nearest", 1.0)]
    {
        assert_eq!(y_of(&sampled(mode, &[0.0, 0.0])), [wanted], "{mode}");
    }
    let fails = |mode, grid: &[f32]| {
        let session = read(&sampled(mode, grid)).unwrap().compile(&convgpu::Device::cpu());
        session.and_then(|s| s.run(&[("x", &x())])).unwrap_err().to_string()
    };
    assert!(fails("area", &[0.0, 0.0]).contains("GridSample with mode = area"));
    assert!(fails("nearest", &[0.0; 3]).contains("the grid must be [1, h, w, 2], not [1, 1, 1, 3]"));
}

/// A map that flips the columns; the size is known, and of as many images as there are maps.
#[test]
fn grids_of_affine_maps() {
    let grid = |size: &[i64]| {
        let nodes = vec![
            node("Concat", &["x", "row"], &["all"], vec![int("axis", 0)]),
            node("Reshape", &["all", "shape"], &["theta"], vec![]),
            node("AffineGrid", &["theta", "size"], &["g"], vec![int("align_corners", 1)]),
            node("Flatten", &["g"], &["y"], vec![int("axis", 0)]),
        ];
        let known = vec![
            floats("row", &[2], &[2.0, 0.5]),
            integers("shape", &[3], &[1, 2, 3]),
            integers("size", &[size.len() as i64], size),
        ];
        model(line(nodes, known))
    };
    // x = -2 cx - cy / 2 + 1, y = 3 cx + 2 cy + 1/2.
    assert_eq!(y_of(&grid(&[1, 5, 1, 2])), [3.0, -2.5, -1.0, 3.5]);
    let fails = |size: &[i64]| {
        let session = read(&grid(size)).unwrap().compile(&convgpu::Device::cpu());
        session.and_then(|s| s.run(&[("x", &x())])).unwrap_err().to_string()
    };
    assert!(fails(&[2, 5, 1, 2]).contains("theta must be [2, 2, 3], not [1, 2, 3]"));
    assert!(fails(&[1, 5, 2]).contains("the size must be [n, c, h, w] or [n, c, d, h, w], not [1, 5, 2]"));
    assert!(fails(&[1, 5, -1, 2]).contains("negative"));
}

/// A result of halves is rounded to halves, also where the output is declared by its name alone.
#[test]
fn an_output_of_halves_without_a_type_is_of_halves() {
    let nodes = vec![node("Add", &["x", "x"], &["s"], vec![]), node("Relu", &["s"], &["y"], vec![])];
    let mut proto = model(line(nodes, vec![]));
    let part = proto.graph.as_mut().unwrap();
    part.input = vec![value("x", data_type::FLOAT16, &[2])];
    part.output = vec![untyped("y")];
    let loaded = read(&proto).unwrap();
    assert_eq!(loaded.outputs()[0].dtype, Some(DType::F16));
    let x = Tensor::from([60_000.0f32, 1.0]).to_dtype(DType::F16);
    let outputs = run(&loaded, &[("x", &x)]).unwrap();
    assert_eq!((outputs[0].1.dtype(), outputs[0].1.to_f64s()), (DType::F16, vec![f64::INFINITY, 2.0]));
}

/// The first versions of the operators, as files of 2017 have them.
#[test]
fn the_first_operator_sets() {
    let nodes = vec![
        node("Reshape", &["x"], &["a"], vec![ints("shape", &[1, 1, 2, 2]), ints("consumed_inputs", &[0])]),
        node("Pad", &["a"], &["b"], vec![ints("paddings", &[0, 0, 1, 0, 0, 0, 0, 0]), float("value", 5.0)]),
        node(
            "Upsample",
            &["b"],
            &["c"],
            vec![float("height_scale", 1.0), float("width_scale", 2.0), string("mode", "nearest")],
        ),
        node("Concat", &["c", "c"], &["d"], vec![]),
        node("Cast", &["d"], &["e"], vec![string("to", "INT32")]),
        node("Cast", &["e"], &["y"], vec![string("to", "FLOAT")]),
    ];
    let mut proto = model(line(nodes, vec![]));
    proto.opset_import = vec![operator_set(1)];
    let one = [5.0, 5.0, 5.0, 5.0, -2.0, -2.0, 0.0, 0.0, 1.0, 1.0, 3.0, 3.0];
    assert_eq!(y_of(&proto), [one, one].concat());
}
