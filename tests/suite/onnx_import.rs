//! The importer on models built here: constant folding, required inputs, and errors for broken files.

use convgpu::internals::model::proto::{
    AttributeProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, data_type,
};
use convgpu::internals::session::{Bind, CompileOptions, Given, Session};
use convgpu::{DType, Desc, Device, Error, ErrorKind, Model, Tensor};
use prost::Message;

use crate::onnx_build::{
    branch, error, floats, graph, int, integers, ints, model, node, read, run, string, text, value,
};

fn bind(model: &Model, shape: [usize; 4]) -> Result<convgpu::Graph, Error> {
    model.bind(&[Given { name: "x", desc: Desc::f32(shape), value: None }])
}

/// x: [1, 1, 1, 3] to a width of 5. Output o lies at (o + 0.5) 3/5: 0.3 0.9 1.5 2.1 2.7.
#[test]
fn nearest_pixels_as_older_tensorflow_has_them() {
    for (mode, expected) in [("floor", [0.0, 0.0, 1.0, 2.0, 2.0]), ("ceil", [1.0, 1.0, 2.0, 2.0, 2.0])] {
        let attributes = vec![
            string("coordinate_transformation_mode", "tf_half_pixel_for_nn"),
            string("mode", "nearest"),
            string("nearest_mode", mode),
        ];
        let resize = node("Resize", &["x", "", "", "sizes"], &["y"], attributes);
        let mut graph = graph(vec![resize], vec![integers("sizes", &[4], &[1, 1, 1, 5])]);
        graph.input = vec![value("x", data_type::FLOAT, &[1, 1, 1, 3])];
        let mut proto = model(graph);
        proto.opset_import[0].version = Some(12);
        let session = Model::from_bytes(&proto.encode_to_vec()).unwrap().compile(&Device::cpu()).unwrap();
        let x = Tensor::new([1, 1, 1, 3], vec![0.0, 1.0, 2.0]).unwrap();
        assert_eq!(session.run(&[("x", &x)]).unwrap().first().as_f32().unwrap(), expected);
    }
}

#[test]
fn an_unpooling_takes_steps() {
    let unpool = node("MaxUnpool", &["x", "places"], &["y"], vec![ints("kernel_shape", &[2]), ints("strides", &[0])]);
    let mut graph = graph(vec![unpool], vec![integers("places", &[1, 1, 2], &[0, 1])]);
    graph.input = vec![value("x", data_type::FLOAT, &[1, 1, 2])];
    let x = Tensor::zeros([1, 1, 2]);
    let e = read(&model(graph)).and_then(|network| run(&network, &[("x", &x)])).unwrap_err().to_string();
    assert!(e.contains("kernel 2 and stride 0 of an unpooling must be at least 1"), "{e}");
}

/// As in ONNX Runtime. No size makes elements of none.
#[test]
fn an_axis_without_elements_is_resized_to_one() {
    let resized = |sizes: [i64; 4]| {
        let resize = node("Resize", &["x", "", "", "sizes"], &["y"], vec![]);
        let mut graph = graph(vec![resize], vec![integers("sizes", &[4], &sizes)]);
        graph.input = vec![value("x", data_type::FLOAT, &[0, 2, 3, 4])];
        let x = Tensor::zeros([0, 2, 3, 4]);
        run(&read(&model(graph))?, &[("x", &x)]).map(|outputs| outputs[0].1.shape().to_vec())
    };
    assert_eq!(resized([0, 2, 6, 6]).unwrap(), [0, 2, 6, 6]);
    let e = resized([1, 2, 6, 6]).unwrap_err().to_string();
    assert!(e.contains("sizes [1, 2, 6, 6] of f32[0, 2, 3, 4]: an axis without elements stays one"), "{e}");
}

/// ONNX Runtime's answer: negative pads come first, and what they leave wraps around.
#[test]
fn a_cropped_tensor_wraps_around_itself() {
    let pad = node("Pad", &["x", "pads"], &["y"], vec![string("mode", "wrap")]);
    let mut graph = graph(vec![pad], vec![integers("pads", &[2], &[-1, 2])]);
    graph.input = vec![value("x", data_type::FLOAT, &[4])];
    let mut proto = model(graph);
    proto.opset_import[0].version = Some(19);
    let outputs = run(&read(&proto).unwrap(), &[("x", &Tensor::from([1.0f32, 2.0, 3.0, 4.0]))]).unwrap();
    assert_eq!(outputs[0].1.as_f32().unwrap(), [2.0, 3.0, 4.0, 2.0, 3.0]);
}

/// f32 has neither the constant nor the result.
#[test]
fn integers_are_padded_with_the_constant_itself() {
    let pad = |constant| {
        let nodes = vec![node("Pad", &["x", "pads", "constant"], &["y"], vec![])];
        let mut graph = graph(nodes, vec![integers("pads", &[2], &[1, 0]), integers("constant", &[1], &[constant])]);
        graph.input = vec![value("x", data_type::INT64, &[2])];
        let x = Tensor::from([3i64, 4]);
        let outputs = read(&model(graph)).and_then(|model| run(&model, &[("x", &x)]));
        outputs.map(|outputs| outputs[0].1.to_vec::<i64>().unwrap())
    };
    for constant in [16_777_217, 2_147_483_647, -123_456_789] {
        assert_eq!(pad(constant).unwrap(), [constant, 3, 4]);
    }
    let e = pad((1 << 53) + 1).unwrap_err().to_string();
    assert!(e.contains("Pad_0") && e.contains("9007199254740993"), "{e}");
}

/// ONNX has none, and f32 has not all of them.
#[test]
fn wide_integers_are_not_pooled() {
    for (kind, dtype) in
        [(data_type::INT32, DType::I32), (data_type::UINT32, DType::U32), (data_type::INT64, DType::I64)]
    {
        let nodes = vec![node("MaxPool", &["x"], &["y"], vec![ints("kernel_shape", &[2, 2])])];
        let mut graph = graph(nodes, vec![]);
        graph.input = vec![value("x", kind, &[1, 1, 3, 3])];
        let given = [Given { name: "x", desc: Desc::new([1, 1, 3, 3], dtype), value: None }];
        let e = read(&model(graph)).unwrap().bind(&given).unwrap_err().to_string();
        assert!(e.contains("MaxPool_0") && e.contains("floats, and integers of 8 and 16 bits"), "{e}");
    }
}

/// Below 0 an unsigned number is large, and as i64 stays so: a device's 32 bits do not suffice.
#[test]
fn unsigned_numbers_that_wrap_are_large_as_i64() {
    let as_type = |to: i32, x: &str, y: &str| node("Cast", &[x], &[y], vec![int("to", to.into())]);
    let nodes = vec![
        as_type(data_type::UINT32, "x", "u"),
        as_type(data_type::INT64, "u", "y"),
        node("Sub", &["u", "one"], &["less"], vec![]),
        as_type(data_type::INT64, "less", "z"),
    ];
    let one = TensorProto {
        data_type: Some(data_type::UINT32),
        int64_data: vec![],
        uint64_data: vec![1],
        ..integers("one", &[1], &[])
    };
    let mut graph = graph(nodes, vec![one]);
    graph.input = vec![value("x", data_type::INT32, &[3])];
    graph.output = vec![value("y", data_type::INT64, &[3]), value("z", data_type::INT64, &[3])];
    let outputs = run(&read(&model(graph)).unwrap(), &[("x", &Tensor::from([-1i32, 0, 7]))]).unwrap();
    let most = i64::from(u32::MAX);
    assert_eq!((&outputs[0].1, &outputs[1].1), (&Tensor::from([most, 0, 7]), &Tensor::from([most - 1, most, 6])));
}

/// A power that is a whole number is exact, though a device may compute 5^4 as 624.99994.
#[test]
fn powers_of_integers_with_float_exponents() {
    let mut graph = graph(vec![node("Pow", &["x", "e"], &["y"], vec![])], vec![]);
    graph.input = vec![value("x", data_type::INT32, &[6]), value("e", data_type::FLOAT, &[6])];
    graph.output = vec![value("y", data_type::INT32, &[6])];
    let (x, e) = (Tensor::from([5i32, 7, 3, 9, 2, -3]), Tensor::from([4.0f32, 5.0, 0.0, 0.5, 0.5, 3.0]));
    let outputs = run(&read(&model(graph)).unwrap(), &[("x", &x), ("e", &e)]).unwrap();
    assert_eq!(outputs[0].1, Tensor::from([625, 16_807, 1, 3, 1, -27]));
}

/// What an operator makes of [-3, 0, 2, 100] as integers of a type, on both devices.
fn of_integers(op: &str, elem_type: i32, dtype: DType) -> Vec<i64> {
    let mut graph = graph(vec![node(op, &["x"], &["y"], vec![])], vec![]);
    graph.input = vec![value("x", elem_type, &[4])];
    graph.output = vec![value("y", elem_type, &[4])];
    let x = Tensor::from([-3i64, 0, 2, 100]).to_dtype(dtype);
    let outputs = run(&read(&model(graph)).unwrap(), &[("x", &x)]).unwrap();
    assert_eq!(outputs[0].1.dtype(), dtype);
    outputs[0].1.to_i64s().unwrap()
}

#[test]
fn functions_of_integers() {
    for (elem_type, dtype) in
        [(data_type::INT8, DType::I8), (data_type::INT32, DType::I32), (data_type::INT64, DType::I64)]
    {
        assert_eq!(of_integers("Abs", elem_type, dtype), [3, 0, 2, 100]);
        assert_eq!(of_integers("Neg", elem_type, dtype), [3, 0, -2, -100]);
        assert_eq!(of_integers("Sign", elem_type, dtype), [-1, 0, 1, 1]);
        assert_eq!(of_integers("Relu", elem_type, dtype), [0, 0, 2, 100]);
    }
    // An unsigned number is not negative, however large: -3 is 253 here.
    assert_eq!(of_integers("Abs", data_type::UINT8, DType::U8), [253, 0, 2, 100]);
    assert_eq!(of_integers("Abs", data_type::UINT32, DType::U32), [u32::MAX as i64 - 2, 0, 2, 100]);
    assert_eq!(of_integers("Sign", data_type::UINT16, DType::U16), [1, 0, 1, 1]);
}

#[test]
fn a_split_into_more_parts_than_outputs() {
    let split = node("Split", &["x"], &["y"], vec![int("num_outputs", 1 << 30)]);
    let model = Model::from_bytes(&model(graph(vec![split], vec![])).encode_to_vec()).unwrap();
    let given = Given { name: "x", desc: Desc::f32([1, 2, 1 << 27, 3]), value: None };
    let e = model.bind(&[given]).unwrap_err();
    assert!(e.to_string().contains("1073741824 parts for 1 outputs"), "{e}");
}

#[test]
fn shape_arithmetic_vanishes() {
    let nodes = vec![
        node("Shape", &["x"], &["s"], vec![]),
        node("Gather", &["s", "two"], &["h"], vec![]),
        node("Mul", &["h", "six"], &["all"], vec![]),
        node("Concat", &["one", "all"], &["to"], vec![int("axis", 0)]),
        node("Relu", &["x"], &["r"], vec![]),
        node("Reshape", &["r", "to"], &["y"], vec![]),
    ];
    let constants = vec![integers("two", &[1], &[2]), integers("six", &[1], &[6]), integers("one", &[1], &[1])];
    let model = read(&model(graph(nodes, constants))).unwrap();
    let graph = bind(&model, [1, 2, 5, 3]).unwrap();
    let ops: Vec<_> = graph.nodes().iter().map(|n| n.op.name()).collect();
    assert_eq!(ops, ["relu", "reshape"]);
    assert_eq!(graph.outputs().next().unwrap().1, &Desc::f32([1, 30]));
}

#[test]
fn nodes_that_only_serve_shapes_are_dropped() {
    let nodes = vec![
        node("Exp", &["x"], &["e"], vec![]),
        node("Shape", &["e"], &["s"], vec![]),
        node("Reshape", &["x", "s"], &["y"], vec![]),
    ];
    let model = read(&model(graph(nodes, vec![]))).unwrap();
    assert!(bind(&model, [1, 2, 5, 3]).unwrap().nodes().is_empty());
}

#[test]
fn nodes_may_come_in_any_order() {
    let nodes = vec![node("Exp", &["r"], &["y"], vec![]), node("Relu", &["x"], &["r"], vec![])];
    let model = read(&model(graph(nodes, vec![]))).unwrap();
    let names: Vec<_> = bind(&model, [1, 2, 5, 3]).unwrap().nodes().iter().map(|n| n.name.clone()).collect();
    assert_eq!(names, ["Relu_1", "Exp_0"]);
}

#[test]
fn an_input_that_decides_a_shape_is_asked_for() {
    let mut g = graph(vec![node("Reshape", &["x", "to"], &["y"], vec![])], vec![]);
    g.input.push(value("to", data_type::INT64, &[2]));
    let model = read(&model(g)).unwrap();
    assert_eq!(model.shape_inputs(), ["to"]);
    let x = Given { name: "x", desc: Desc::f32([1, 2, 5, 3]), value: None };
    let to = Given { name: "to", desc: Desc::new([2], DType::I64), value: None };
    let e = model.bind(&[x, to]).unwrap_err().to_string();
    assert!(e.contains("Reshape needs the value of its input 1, to: i64[2]"), "{e}");
    assert!(e.ends_with("give the value of to"), "{e}");
    let session = Session::new(&Device::cpu(), model, CompileOptions::new()).unwrap();
    for shape in [[6, 5], [3, 10]] {
        let to = Tensor::new([2], shape.map(|n| n as i64).to_vec()).unwrap();
        let found = session.run(&[("x", &Tensor::zeros([1, 2, 5, 3])), ("to", &to)]).unwrap();
        assert_eq!(found["y"].shape(), shape);
    }
}

#[test]
fn a_shape_from_device_data_is_an_error() {
    let nodes = vec![
        node("ReduceMax", &["x"], &["m"], vec![int("keepdims", 0)]),
        node("Cast", &["m"], &["k"], vec![int("to", data_type::INT64.into())]),
        node("Unsqueeze", &["k", "zero"], &["to"], vec![]),
        node("Reshape", &["x", "to"], &["y"], vec![]),
    ];
    let model = read(&model(graph(nodes, vec![integers("zero", &[1], &[0])]))).unwrap();
    assert!(model.shape_inputs().is_empty());
    let e = bind(&model, [1, 2, 5, 3]).unwrap_err();
    assert!(e.to_string().ends_with("but every run computes it on the device"), "{e}");
    assert_eq!(e.node(), Some("Reshape_3"));
}

#[test]
fn everything_unsupported_is_in_one_message() {
    let nodes = vec![
        node("Loop", &["x"], &["a"], vec![]),
        node("Relu", &["a"], &["b"], vec![int("strange", 1)]),
        NodeProto { domain: text("com.example"), ..node("Magic", &["b"], &["y"], vec![]) },
    ];
    let e = error(&model(graph(nodes, vec![])));
    for part in ["Loop_0", "operator Loop", "Relu_1", "attribute strange", "Magic_2", "com.example"] {
        assert!(e.contains(part), "{part}: {e}");
    }
    let pool = |to: &str, rest: &str| node("MaxPool", &["v"], &[to, rest], vec![ints("kernel_shape", &[2, 2, 2])]);
    let nodes = vec![
        node("Unsqueeze", &["x", "zero"], &["v"], vec![]),
        pool("p", "i"),
        pool("q", "j"),
        node("Add", &["p", "q"], &["y"], vec![]),
    ];
    let model = read(&model(graph(nodes, vec![integers("zero", &[1], &[0])]))).unwrap();
    let e = bind(&model, [1, 2, 5, 3]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unsupported);
    let of = |node: &str| format!("{node}: MaxPool of f32[1, 1, 2, 5, 3] with Indices over three axes");
    assert!(e.to_string().contains(&of("MaxPool_1")) && e.to_string().contains(&of("MaxPool_2")), "{e}");
}

/// `y = x + 1` if x has `rows` rows, else `y = -x`: a branch in a branch reads x from outside both.
fn chooses(rows: i64) -> ModelProto {
    let inner = branch("then_branch", vec![node("Add", &["x", "one"], &["v"], vec![])], "v");
    let other = branch("else_branch", vec![node("Loop", &["x"], &["w"], vec![])], "w");
    let nested = branch("then_branch", vec![node("If", &["is"], &["u"], vec![inner, other])], "u");
    let negative = branch("else_branch", vec![node("Neg", &["x"], &["n"], vec![])], "n");
    let nodes = vec![
        node("If", &["is"], &["y"], vec![nested, negative]),
        node("Shape", &["x"], &["s"], vec![]),
        node("Gather", &["s", "two"], &["h"], vec![]),
        node("Equal", &["h", "rows"], &["is"], vec![]),
    ];
    model(graph(nodes, vec![integers("two", &[], &[2]), integers("rows", &[], &[rows]), floats("one", &[], &[1.0])]))
}

#[test]
fn a_known_condition_chooses_a_branch() {
    let model = read(&chooses(5)).unwrap();
    let graph = bind(&model, [1, 2, 5, 3]).unwrap();
    let names: Vec<_> = graph.nodes().iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["If_0/If_0/Add_0"]);
    let session = Session::new(&Device::cpu(), model, CompileOptions::new()).unwrap();
    for (rows, expected) in [(5, 3.0), (4, -2.0)] {
        let found = session.run(&[("x", &Tensor::full([1, 2, rows, 3], 2.0))]).unwrap();
        assert_eq!(found["y"], Tensor::full([1, 2, rows, 3], expected));
    }
}

#[test]
fn branches_that_cannot_be() {
    let nodes = vec![
        node("ReduceMax", &["x"], &["m"], vec![int("keepdims", 0)]),
        node("Greater", &["m", "m"], &["is"], vec![]),
        node("If", &["is"], &["y"], vec![branch("then_branch", vec![], "x"), branch("else_branch", vec![], "x")]),
    ];
    let e = bind(&read(&model(graph(nodes, vec![]))).unwrap(), [1, 2, 5, 3]).unwrap_err();
    assert!(e.to_string().contains("If_2: If needs the value of its input 0, is: bool[]"), "{e}");
    let of = |then: AttributeProto| {
        let mut proto = chooses(5);
        proto.graph.as_mut().unwrap().node[0].attribute[0] = then;
        match read(&proto) {
            Ok(model) => bind(&model, [1, 2, 5, 3]).unwrap_err().to_string(),
            Err(e) => e.to_string(),
        }
    };
    let then = |nodes| branch("then_branch", nodes, "v");
    assert!(of(then(vec![node("Loop", &["x"], &["v"], vec![])])).contains("If_0/Loop_0: operator Loop"));
    assert!(of(then(vec![node("Add", &["x", "nothing"], &["v"], vec![])])).contains("nothing"));
    assert!(of(then(vec![])).contains("the value v, which nothing defines"));
    assert!(of(then(vec![node("Add", &["v", "x"], &["v"], vec![])])).contains("cycle"));
    assert!(of(int("then_branch", 1)).contains("then_branch"));
}

#[test]
fn broken_files_are_one_readable_line() {
    let relu = || vec![node("Relu", &["x"], &["y"], vec![])];
    let good = model(graph(relu(), vec![]));
    let bytes = good.encode_to_vec();
    assert!(Model::from_bytes(&bytes).is_ok());
    for cut in 0..bytes.len() {
        assert!(Model::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    assert!(Model::from_bytes(b"this is a text file").is_err());
    assert!(Model::load(env!("CARGO_MANIFEST_DIR")).unwrap_err().to_string().contains("directory"));

    let cycle = vec![node("Add", &["x", "y"], &["a"], vec![]), node("Relu", &["a"], &["y"], vec![])];
    assert!(error(&model(graph(cycle, vec![]))).contains("cycle"));
    let missing = vec![node("Add", &["x", "weights"], &["y"], vec![])];
    assert!(error(&model(graph(missing, vec![]))).contains("weights"));
    let twice = vec![node("Relu", &["x"], &["y"], vec![]), node("Abs", &["x"], &["y"], vec![])];
    assert!(error(&model(graph(twice, vec![]))).contains("twice"));
    for (tensor, part) in [
        (floats("w", &[1 << 29], &[1.0]), "elements"),
        (floats("w", &[1 << 40, 1 << 40], &[]), "address space"),
        (floats("w", &[-2], &[1.0, 2.0]), "negative"),
        (TensorProto { data_type: Some(data_type::STRING), ..floats("w", &[1], &[]) }, "string"),
        (TensorProto { raw_data: Some(vec![0; 7].into()), ..floats("w", &[2], &[]) }, "8 bytes"),
    ] {
        let e = error(&model(graph(vec![node("Add", &["x", "w"], &["y"], vec![])], vec![tensor])));
        assert!(e.contains(part) && e.contains('w'), "{e}");
    }
    let sets = |version| ModelProto {
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(version) }],
        ..good.clone()
    };
    assert!(error(&sets(0)).contains("operator set 0"));
    assert!(error(&sets(99)).contains("operator set 99"));
    assert!(error(&ModelProto { ir_version: Some(2), ..good.clone() }).contains("IR version 2"));
}

#[test]
fn a_huge_constant_is_not_allocated() {
    let nodes = vec![
        node("ConstantOfShape", &["size"], &["c"], vec![]),
        node("ReduceSum", &["c"], &["s"], vec![]),
        node("Add", &["x", "s"], &["y"], vec![]),
    ];
    let model = read(&model(graph(nodes, vec![integers("size", &[3], &[1 << 20, 1 << 20, 1 << 20])]))).unwrap();
    let e = bind(&model, [1, 2, 5, 3]).unwrap_err();
    assert!(e.to_string().contains("2^31"), "{e}");
}

#[test]
fn shapes_that_do_not_fit_name_the_node_and_the_shapes() {
    let w = floats("w", &[4, 3, 1, 1], &[0.0; 12]);
    let model = read(&model(graph(vec![node("Conv", &["x", "w"], &["y"], vec![])], vec![w]))).unwrap();
    let e = bind(&model, [1, 2, 5, 3]).unwrap_err();
    assert_eq!(e.node(), Some("Conv_0"));
    assert!(e.to_string().contains("f32[1, 2, 5, 3]"), "{e}");
    assert!(bind(&model, [1, 7, 5, 3]).unwrap_err().to_string().contains("f32[1, 2, n, 3]"));
}

#[test]
fn every_type_of_initialiser_is_read() {
    let raw = |data_type: i32, bytes: Vec<u8>| TensorProto {
        name: text("w"),
        dims: vec![2],
        data_type: Some(data_type),
        raw_data: Some(bytes.into()),
        ..Default::default()
    };
    let bytes = |words: [u64; 2], width: usize| words.iter().flat_map(|w| w.to_le_bytes()[..width].to_vec()).collect();
    let words =
        |data_type, a: i32, b: i32| TensorProto { int32_data: vec![a, b], raw_data: None, ..raw(data_type, vec![]) };
    for tensor in [
        raw(data_type::FLOAT16, bytes([0x3c00, 0xc000], 2)),
        raw(data_type::BFLOAT16, bytes([0x3f80, 0xc000], 2)),
        raw(data_type::DOUBLE, bytes([1f64.to_bits(), (-2f64).to_bits()], 8)),
        words(data_type::FLOAT16, 0x3c00, 0xc000),
        words(data_type::BFLOAT16, 0x3f80, 0xc000),
        TensorProto { double_data: vec![1.0, -2.0], raw_data: None, ..raw(data_type::DOUBLE, vec![]) },
    ] {
        let (_, found) = convgpu::internals::model::tensor_from_bytes(&tensor.encode_to_vec()).unwrap();
        let dtype = match tensor.data_type {
            Some(data_type::FLOAT16) => DType::F16,
            Some(data_type::BFLOAT16) => DType::BF16,
            _ => DType::F64,
        };
        assert_eq!((found.dtype(), found.to_f64s()), (dtype, vec![1.0, -2.0]), "{tensor:?}");
    }
    for (tensor, dtype) in [
        (raw(data_type::INT8, bytes([1, 0xfe], 1)), DType::I8),
        (raw(data_type::INT16, bytes([1, 0xfffe], 2)), DType::I16),
        (raw(data_type::INT32, bytes([1, 0xffff_fffe], 4)), DType::I32),
        (raw(data_type::INT64, bytes([1, -2i64 as u64], 8)), DType::I64),
        (words(data_type::INT8, 1, -2), DType::I8),
    ] {
        let (_, found) = convgpu::internals::model::tensor_from_bytes(&tensor.encode_to_vec()).unwrap();
        assert_eq!((found.dtype(), found.to_i64s().unwrap()), (dtype, vec![1, -2]));
    }
    let big = raw(data_type::UINT64, bytes([1, u64::MAX], 8));
    assert!(convgpu::internals::model::tensor_from_bytes(&big.encode_to_vec()).is_err());
}

#[test]
fn external_weights_lie_beside_the_model_and_nowhere_else() {
    let root = std::env::temp_dir().join(format!("convgpu-external-{}", std::process::id()));
    let folder = root.join("model");
    std::fs::create_dir_all(&folder).unwrap();
    let data: Vec<u8> = [0f32, 2.0, 3.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    std::fs::write(folder.join("weights.bin"), &data).unwrap();
    std::fs::write(root.join("secret.bin"), &data).unwrap();
    let load = |location: &str, offset: &str, dims: i64| {
        let entry = |k: &str, v: &str| StringStringEntryProto { key: text(k), value: text(v) };
        let w = TensorProto {
            external_data: vec![entry("location", location), entry("offset", offset)],
            data_location: Some(1),
            ..floats("w", &[dims], &[])
        };
        let path = folder.join("model.onnx");
        let proto = model(graph(vec![node("Mul", &["x", "w"], &["y"], vec![])], vec![w]));
        std::fs::write(&path, proto.encode_to_vec()).unwrap();
        assert!(location.is_empty() || read(&proto).unwrap_err().to_string().contains("from its path"));
        Model::load(&path)
    };
    assert_eq!(load("weights.bin", "4", 2).unwrap().num_parameters(), 2);
    let secret = root.join("secret.bin").display().to_string();
    for (location, offset, dims) in [
        ("../secret.bin", "0", 2),
        (&secret, "0", 2),
        ("weights.bin", "4", 1 << 40),
        ("weights.bin", "x", 2),
        (".", "0", 2),
        ("", "0", 2),
    ] {
        let e = load(location, offset, dims).unwrap_err().to_string();
        assert!(e.contains("external data"), "{e}");
    }
    std::fs::create_dir_all(folder.join("inner")).unwrap();
    assert!(load("inner", "0", 2).unwrap_err().to_string().contains("is a directory"));
    #[cfg(unix)]
    linked(&root, &data, &mut |location| load(location, "4", 2));
    std::fs::remove_dir_all(&root).unwrap();
}

/// The cache of Hugging Face: model and data are links into one folder. A link to elsewhere stays refused.
#[cfg(unix)]
fn linked(root: &std::path::Path, data: &[u8], load: &mut dyn FnMut(&str) -> Result<Model, Error>) {
    use std::os::unix::fs::symlink;
    load("weights.bin").unwrap();
    let (blobs, snapshot) = (root.join("blobs"), root.join("snapshots/r"));
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::copy(root.join("model/model.onnx"), blobs.join("aaa")).unwrap();
    std::fs::write(blobs.join("bbb"), data).unwrap();
    symlink("../../blobs/aaa", snapshot.join("model.onnx")).unwrap();
    symlink("../../blobs/bbb", snapshot.join("weights.bin")).unwrap();
    assert_eq!(Model::load(snapshot.join("model.onnx")).unwrap().num_parameters(), 2);
    std::fs::remove_file(snapshot.join("weights.bin")).unwrap();
    symlink("../../secret.bin", snapshot.join("weights.bin")).unwrap();
    let e = Model::load(snapshot.join("model.onnx")).unwrap_err().to_string();
    assert!(e.contains("lies outside"), "{e}");
}

/// A file with an f16 input of a fixed shape is planned when it is compiled, and that plan is used, whatever float is given.
/// The weights have left the host then, so there is no other.
#[test]
fn a_network_of_halves_is_planned_once() {
    let half = |name: &str| value(name, data_type::FLOAT16, &[4]);
    let mut graph = graph(vec![node("Mul", &["x", "w"], &["y"], vec![])], vec![floats("w", &[4], &[2.0; 4])]);
    (graph.input, graph.output) = (vec![half("x")], vec![half("y")]);
    let x = Tensor::from([1.0f32, 2.0, 3.0, 4.0]);
    for device in [Device::cpu(), crate::support::device().clone()] {
        let session = read(&model(graph.clone())).unwrap().compile(&device).unwrap();
        for dtype in [DType::F16, DType::F32] {
            let y = session.run(&[("x", &x.to_dtype(dtype))]).unwrap();
            assert_eq!((y["y"].dtype(), y["y"].to_f64s()), (DType::F16, vec![2.0, 4.0, 6.0, 8.0]));
        }
        assert!(session.to_string().contains("plans    1 of"), "{session}");
    }
}
