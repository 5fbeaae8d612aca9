//! Models that run with other extents than their files declare: batches of a file for one image, images of another size.

use std::path::{Path, PathBuf};

use convgpu::internals::model::proto::{GraphProto, ModelProto, NodeProto, TensorProto, data_type};
use convgpu::{DType, Desc, Device, Error, ErrorKind, Model, Tensor};

use crate::onnx_build::{floats, int, integers, ints, model, node, read, value};
use crate::support::{Rng, device};

/// What came of opening the batch of every input.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// There is no batch, or the model does not run on random numbers.
    Nothing,
    Refused,
    /// The batch gives what its parts give one at a time.
    Right,
    Wrong(String),
}

/// Numbers of a type; 0, 1 or 2 where they are integers.
pub fn random(rng: &mut Rng, desc: &Desc) -> Tensor {
    let small: Vec<i64> = (0..desc.numel()).map(|_| rng.int(0, 2) as i64).collect();
    match desc.dtype.is_float() {
        true => rng.tensor(&desc.shape).to_dtype(desc.dtype),
        false => Tensor::new(desc.shape.clone(), small).unwrap().to_dtype(desc.dtype),
    }
}

fn of(shape: Vec<usize>, values: Vec<f64>, dtype: DType) -> Tensor {
    let tensor = match dtype.is_float() {
        true => Tensor::new(shape, values.into_iter().map(|v| v as f32).collect::<Vec<_>>()),
        false => Tensor::new(shape, values.into_iter().map(|v| v as i64).collect::<Vec<_>>()),
    };
    tensor.unwrap().to_dtype(dtype)
}

/// Elements `from..to` along an axis.
fn part(t: &Tensor, axis: usize, from: usize, to: usize) -> Tensor {
    let (outer, inner): (usize, usize) = (t.shape()[..axis].iter().product(), t.shape()[axis + 1..].iter().product());
    let extent = t.shape()[axis];
    let values = t.to_f64s();
    let rows = (0..outer).flat_map(|o| values[(o * extent + from) * inner..(o * extent + to) * inner].to_vec());
    let mut shape = t.shape().to_vec();
    shape[axis] = to - from;
    of(shape, rows.collect(), t.dtype())
}

/// Tensors one after another along axis 0.
fn joined(parts: &[Tensor]) -> Tensor {
    if let [one] = parts {
        return one.clone();
    }
    let mut shape = parts[0].shape().to_vec();
    shape[0] *= parts.len();
    let values: Vec<f64> = parts.iter().flat_map(Tensor::to_f64s).collect();
    of(shape, values, parts[0].dtype())
}

/// Opens axis 0 of the inputs that `wanted` selects, and compares a batch of `count` parts with one part at a time.
fn opened(model: &Model, device: &Device, count: usize, wanted: impl Fn(usize) -> bool) -> Verdict {
    let fixed: Option<Vec<(String, Desc)>> =
        model.inputs().iter().map(|v| Some((v.name.clone(), v.fixed()?))).collect();
    let Some(inputs) = fixed else { return Verdict::Nothing };
    // Its places are those in the whole batch, not in a part.
    if model.operators().contains_key("MaxUnpool") {
        return Verdict::Nothing;
    }
    let has_batch = |k: usize, d: &Desc| wanted(k) && (d.shape.first() == Some(&1) || d.rank() >= 4);
    let batched: Vec<bool> = inputs.iter().enumerate().map(|(k, (_, d))| has_batch(k, d)).collect();
    if !batched.contains(&true) {
        return Verdict::Nothing;
    }
    let mut rng = Rng(3);
    let parts: Vec<Vec<Tensor>> = inputs
        .iter()
        .zip(&batched)
        .map(|((_, desc), batched)| (0..if *batched { count } else { 1 }).map(|_| random(&mut rng, desc)).collect())
        .collect();
    let given = |at: usize| -> Vec<(&str, &Tensor)> {
        inputs.iter().zip(&parts).map(|((name, _), p)| (name.as_str(), &p[at % p.len()])).collect()
    };
    let single = |at: usize| model.clone().compile(device)?.run(&given(at));
    let Ok(singles) = (0..count).map(single).collect::<Result<Vec<_>, Error>>() else { return Verdict::Nothing };
    let open = |model: Model, ((name, _), batched): (&(String, Desc), &bool)| match batched {
        true => model.open_axis(name, 0),
        false => Ok(model),
    };
    let Ok(open) = inputs.iter().zip(&batched).try_fold(model.clone(), open) else { return Verdict::Refused };
    let outputs = open.outputs().to_vec();
    let whole: Vec<Tensor> = parts.iter().map(|p| joined(p)).collect();
    let whole: Vec<_> = inputs.iter().zip(&whole).map(|((name, _), t)| (name.as_str(), t)).collect();
    let result = match open.compile(device).and_then(|session| session.run(&whole)) {
        Ok(result) => result,
        Err(e) => {
            // What a run refuses has a node; what it says in the middle of the network has the shapes, too.
            let names = e.node().is_some() || e.kind() != ErrorKind::Shape;
            return if names { Verdict::Refused } else { Verdict::Wrong(e.to_string()) };
        }
    };
    for ((name, y), info) in result.iter().zip(&outputs) {
        let fits = |dims: &Vec<convgpu::Dim>| {
            dims.len() == y.shape().len() && dims.iter().zip(y.shape()).all(|(d, n)| d.fixed().is_none_or(|d| d == *n))
        };
        if !info.dims.as_ref().is_none_or(fits) {
            return Verdict::Wrong(format!("{info} is {}", y.desc()));
        }
        for (at, single) in singles.iter().enumerate() {
            let single = &single[name];
            let axis = (0..y.shape().len()).find(|&k| single.shape().get(k) != Some(&y.shape()[k]));
            let extent = |axis: usize| single.shape().get(axis).copied().unwrap_or(0);
            let mine = axis.map_or(y.clone(), |k| part(y, k, at * extent(k), (at + 1) * extent(k)));
            if let Err(e) = crate::close::check(&mine, single) {
                return Verdict::Wrong(format!("{name}, part {at}: {e}"));
            }
        }
    }
    Verdict::Right
}

/// Every `model.onnx` below a folder.
fn models(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            models(&path, found);
        } else if path.extension().is_some_and(|e| e == "onnx") {
            found.push(path);
        }
    }
}

/// Every model of the repository that has a batch: opened, it gives what it gives for one part at a time, or an error.
#[test]
fn a_batch_is_its_parts_or_an_error() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files = vec![];
    models(&tests.join("onnx"), &mut files);
    let (mut right, mut refused, mut wrong) = (0, 0, vec![]);
    for file in &files {
        let Ok(model) = Model::load(file) else { continue };
        let alone = (0..model.inputs().len()).map(Some);
        for which in [None].into_iter().chain(alone) {
            match opened(&model, &Device::cpu(), 3, |k| which.is_none_or(|w| w == k)) {
                Verdict::Nothing => {}
                Verdict::Refused => refused += 1,
                Verdict::Right => right += 1,
                Verdict::Wrong(e) => wrong.push(format!("{} {which:?}: {e}", file.display())),
            }
        }
    }
    println!("{} files, {right} right, {refused} refused", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(right > 50 && refused > 20, "{right} right, {refused} refused");
}

fn load(file: &str) -> Model {
    Model::load(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file)).unwrap()
}

fn infos(model: &Model) -> Vec<String> {
    model.outputs().iter().map(ToString::to_string).collect()
}

#[test]
fn networks_for_one_image_run_batches_on_both_devices() {
    let files = [
        "models/lenet5_mnist.onnx",
        "onnx/exported/narrow_types/model.onnx",
        "onnx/exported/weights_standardised/model.onnx",
    ];
    for file in files {
        for device in [&Device::cpu(), device()] {
            assert_eq!(opened(&load(file), device, 3, |_| true), Verdict::Right, "{file} on {device}");
        }
    }
}

/// The check above finds a batch whose images are exchanged.
#[test]
fn a_batch_in_another_order_is_wrong() {
    let shuffle = node("Gather", &["x", "order"], &["y"], vec![int("axis", 0)]);
    let proto = net(vec![shuffle], vec![integers("order", &[2], &[1, 0])], &[2, 1, 1, 3]);
    let model = read(&proto).unwrap();
    let x = Tensor::new([2, 1, 1, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0f32]).unwrap();
    let y = model.compile(&Device::cpu()).unwrap().run(&[("x", &x)]).unwrap().into_first();
    assert!(crate::close::check(&part(&y, 0, 0, 1), &part(&x, 0, 0, 1)).is_err());
    assert!(crate::close::check(&part(&y, 0, 0, 1), &part(&x, 0, 1, 2)).is_ok());
}

#[test]
fn images_of_another_size() {
    let shape = [1, 3, 10, 14];
    let model = load("models/realesr_animevideov3_x4.onnx").with_input("input", Desc::f32(shape)).unwrap();
    assert_eq!(infos(&model), ["output: f32[1, 3, 40, 56]"]);
    let x = Rng(4).tensor(&shape);
    let [reference, gpu] = [&Device::cpu(), device()].map(|device| {
        let session = model.clone().compile(device).unwrap();
        let open =
            load("models/realesr_animevideov3_x4.onnx").open_axis("input", 2).unwrap().open_axis("input", -1).unwrap();
        assert_eq!(infos(&open), ["output: f32[?, ?, ?, ?]"]);
        let y = session.run(&[("input", &x)]).unwrap().into_first();
        assert_eq!(open.compile(device).unwrap().run(&[("input", &x)]).unwrap().first(), &y);
        y
    });
    crate::close::check(&gpu, &reference).unwrap();
}

/// x: f32[dims] -> y through these nodes.
fn net(nodes: Vec<NodeProto>, initializer: Vec<TensorProto>, dims: &[i64]) -> ModelProto {
    model(GraphProto {
        node: nodes,
        initializer,
        input: vec![value("x", data_type::FLOAT, dims)],
        output: vec![crate::onnx_build::untyped("y")],
        ..Default::default()
    })
}

fn reshape(to: &[i64]) -> (NodeProto, TensorProto) {
    (node("Reshape", &["x", "shape"], &["y"], vec![]), integers("shape", &[to.len() as i64], to))
}

/// What a run on `extent` says once axis 0 is open. With the extent of the file the network runs.
fn refusal(proto: &ModelProto, axis: i64, extent: usize) -> Error {
    let file = read(proto).unwrap();
    let mut desc = file.inputs()[0].fixed().unwrap();
    let session = file.open_axis("x", axis).unwrap().compile(&Device::cpu()).unwrap();
    session.run(&[("x", &Rng(1).tensor(&desc.shape))]).expect("the extents of the file are right");
    desc.shape[axis as usize] = extent;
    let e = session.run(&[("x", &Rng(1).tensor(&desc.shape))]).expect_err("another extent is refused");
    assert_eq!(e.kind(), ErrorKind::Shape, "{e}");
    e
}

#[test]
fn a_reshape_that_merges_the_batch_is_refused() {
    let last = |to: &[i64], dims: &[i64]| {
        let (node, shape) = reshape(to);
        refusal(&net(vec![node], vec![shape], dims), 0, 4)
    };
    let e = last(&[1, -1], &[1, 2, 3, 1]);
    assert_eq!(e.node(), Some("Reshape_0"));
    let text = "Reshape_0: values of the file make it merge or split other axes: Reshape(f32[4, 2, 3, 1], i64[2]) -> f32[1, 24], and \
                with the extents that the file declares Reshape(f32[1, 2, 3, 1], i64[2]) -> f32[1, 6]";
    assert_eq!(e.to_string(), text);
    let e = last(&[-1], &[1, 6]).to_string();
    assert!(e.contains("Reshape_0: the output y has the batch merged with other elements in axis 0"), "{e}");
    let e = last(&[1, 6], &[1, 2, 3]).to_string();
    assert!(e.contains("Reshape_0: [4, 2, 3] cannot be reshaped to [1, 6]"), "{e}");
}

/// The shapes of the outputs are right, but the softmax would be over all images.
#[test]
fn a_batch_that_is_merged_and_split_again_is_refused() {
    let nodes = vec![
        node("Reshape", &["x", "merged"], &["a"], vec![]),
        node("Softmax", &["a"], &["b"], vec![int("axis", 1)]),
        node("Reshape", &["b", "split"], &["y"], vec![]),
    ];
    let shapes = vec![integers("merged", &[3], &[1, -1, 2]), integers("split", &[3], &[-1, 5, 2])];
    let e = refusal(&net(nodes, shapes, &[1, 5, 2]), 0, 3);
    assert_eq!(e.node(), Some("Reshape_0"), "{e}");
}

#[test]
fn nodes_that_take_or_mix_or_write_a_part_of_the_batch_are_refused() {
    let one = |op: &str, inputs: &[&str], attributes, values| {
        refusal(&net(vec![node(op, inputs, &["y"], attributes)], values, &[1, 3]), 0, 4).to_string()
    };
    let zero = || integers("i", &[], &[0]);
    let pair = |name: &str, v: i64| integers(name, &[1], &[v]);
    let gone = "has no axis for the batch";
    let none = [
        one("Gather", &["x", "i"], vec![int("axis", 0)], vec![zero()]),
        one("Slice", &["x", "a", "b", "c"], vec![], vec![pair("a", 0), pair("b", 1), pair("c", 0)]),
        one("ReduceMean", &["x"], vec![ints("axes", &[0])], vec![]),
        one("ReduceMax", &["x"], vec![], vec![]),
        one("TopK", &["x", "k"], vec![int("axis", 0)], vec![pair("k", 1)]),
    ];
    assert!(none[0].contains("changes its number of axes") || none[0].contains(gone), "{}", none[0]);
    none[1..].iter().for_each(|e| assert!(e.contains(gone), "{e}"));
    let mixed = [
        one("Softmax", &["x"], vec![int("axis", 0)], vec![]),
        one("CumSum", &["x", "i"], vec![], vec![zero()]),
        one("LpNormalization", &["x"], vec![int("axis", 0)], vec![]),
        one("LayerNormalization", &["x", "w"], vec![int("axis", 0)], vec![floats("w", &[1, 3], &[1.0; 3])]),
    ];
    mixed[..3]
        .iter()
        .for_each(|e| assert!(e.contains("mixes or moves the batch, which is axis 0 of its input"), "{e}"));
    let written = [
        one("ScatterND", &["x", "i", "u"], vec![], vec![integers("i", &[1, 1], &[0]), floats("u", &[1, 3], &[0.0; 3])]),
        one(
            "ScatterElements",
            &["x", "i", "u"],
            vec![int("axis", 1)],
            vec![integers("i", &[1, 1], &[0]), floats("u", &[1, 1], &[7.0])],
        ),
    ];
    written.iter().for_each(|e| assert!(e.contains("writes into a part of the batch"), "{e}"));
}

/// A batch that was merged with 5 channels is split off behind them: the shapes are right, the order is not.
#[test]
fn a_batch_whose_order_changes_is_refused() {
    let nodes =
        vec![node("Reshape", &["x", "merged"], &["a"], vec![]), node("Reshape", &["a", "split"], &["y"], vec![])];
    let shapes = |last: [i64; 2]| vec![integers("merged", &[1], &[-1]), integers("split", &[2], &last)];
    let e = refusal(&net(nodes.clone(), shapes([5, -1]), &[1, 5]), 0, 3).to_string();
    assert!(e.contains("Reshape_1: the images of the batch are not in order in the result"), "{e}");
    let model = read(&net(nodes, shapes([-1, 5]), &[1, 5])).unwrap();
    assert_eq!(opened(&model, device(), 3, |_| true), Verdict::Right);

    let one = |op: &str, inputs: &[&str], attributes, values| {
        let back = node("Reshape", &["a", "split"], &["y"], vec![]);
        let values = [values, vec![integers("split", &[3], &[-1, 2, 3])]].concat();
        refusal(&net(vec![node(op, inputs, &["a"], attributes), back], values, &[1, 3]), 0, 4).to_string()
    };
    let twice = one("Concat", &["x", "x"], vec![int("axis", 0)], vec![]);
    assert!(twice.contains("Concat_0: the node mixes or moves the batch"), "{twice}");
    let twice = one("Tile", &["x", "r"], vec![], vec![integers("r", &[2], &[2, 1])]);
    assert!(twice.contains("Tile_0: the node mixes or moves the batch"), "{twice}");
    let list = [("a", -1), ("b", i64::MIN), ("c", 0), ("d", -1)];
    let values = list.map(|(name, v)| integers(name, &[1], &[v])).into();
    let back = node("Slice", &["x", "a", "b", "c", "d"], &["y"], vec![]);
    let e = refusal(&net(vec![back], values, &[1, 3]), 0, 4).to_string();
    assert!(e.contains("Slice_0: the node mixes or moves the batch"), "{e}");
}

/// One number per image, and three columns: with a batch of three the shapes fit by chance.
#[test]
fn sizes_that_are_equal_by_chance_do_not_fit() {
    let nodes = vec![
        node("ReduceMax", &["x"], &["m"], vec![ints("axes", &[1]), int("keepdims", 0)]),
        node("Div", &["x", "m"], &["y"], vec![]),
    ];
    let proto = net(nodes, vec![], &[1, 3]);
    let e = refusal(&proto, 0, 4).to_string();
    assert!(e.contains("Div_1") && e.contains("do not broadcast"), "{e}");
    let e = refusal(&proto, 0, 3).to_string();
    assert!(e.starts_with("the sizes of the batch and of another axis are equal by chance: Div_1"), "{e}");
}

/// Pixels among the channels: the number of elements fits.
#[test]
fn another_image_size_does_not_move_pixels_into_channels() {
    let (node, shape) = reshape(&[1, -1, 49]);
    let e = refusal(&net(vec![node], vec![shape], &[1, 8, 7, 7]), 2, 14);
    assert_eq!(e.node(), Some("Reshape_0"), "{e}");
    let (node, shape) = reshape(&[1, 8, -1]);
    let model = read(&net(vec![node], vec![shape], &[1, 8, 7, 7])).unwrap().open_axis("x", 2).unwrap();
    let y = model.compile(&Device::cpu()).unwrap().run(&[("x", &Tensor::zeros([1, 8, 14, 7]))]).unwrap();
    assert_eq!(y["y"].shape(), [1, 8, 98]);
}

/// Reshapes and moves that keep the batch are no reason to refuse it.
#[test]
fn a_batch_may_be_merged_with_heads_and_moved() {
    let nodes = vec![
        node("Reshape", &["x", "heads"], &["a"], vec![]),
        node("Transpose", &["a"], &["b"], vec![ints("perm", &[0, 2, 1])]),
        node("Softmax", &["b"], &["c"], vec![int("axis", -1)]),
        node("MatMul", &["c", "a"], &["d"], vec![]),
        node("Reshape", &["d", "apart"], &["e"], vec![]),
        node("Transpose", &["e"], &["f"], vec![ints("perm", &[1, 0, 2, 3])]),
        node("ReduceMean", &["f"], &["g"], vec![ints("axes", &[0])]),
        node("Flatten", &["g"], &["h"], vec![int("axis", 2)]),
        node("Transpose", &["h"], &["y"], vec![ints("perm", &[0, 1])]),
    ];
    let shapes = vec![integers("heads", &[3], &[-1, 5, 3]), integers("apart", &[4], &[-1, 2, 3, 3])];
    let flat = node("Reshape", &["h", "rows"], &["y"], vec![]);
    let nodes = nodes.into_iter().take(8).chain([flat]).collect();
    let shapes = [shapes, vec![integers("rows", &[2], &[-1, 9])]].concat();
    let model = read(&net(nodes, shapes, &[1, 2, 5, 3])).unwrap();
    for device in [&Device::cpu(), device()] {
        assert_eq!(opened(&model, device, 4, |_| true), Verdict::Right);
    }
}

/// Two inputs whose batch must be opened together, or replaced together.
#[test]
fn inputs_are_opened_one_after_the_other() {
    let mut proto = net(vec![node("Concat", &["x", "z"], &["y"], vec![int("axis", 1)])], vec![], &[1, 3]);
    let graph = proto.graph.as_mut().unwrap();
    graph.input.push(value("z", data_type::FLOAT, &[1, 2]));
    graph.output = vec![value("y", data_type::FLOAT, &[1, 5])];
    let file = read(&proto).unwrap();
    let one = file.clone().open_axis("x", 0).unwrap();
    assert_eq!(infos(&one), ["y: f32[?, ?]"], "z does not fit a batch yet");
    let both = one.open_axis("z", 0).unwrap();
    assert_eq!(infos(&both), ["y: f32[?, 5]"]);
    let given = [Tensor::zeros([4, 3]), Tensor::zeros([4, 2])];
    let y = both.compile(device()).unwrap().run(&[("x", &given[0]), ("z", &given[1])]).unwrap();
    assert_eq!(y["y"].shape(), [4, 5]);
    let fixed = file.with_input("x", Desc::f32([4, 3])).unwrap().with_input("z", Desc::f32([4, 2])).unwrap();
    assert_eq!(infos(&fixed), ["y: f32[4, 5]"]);
    let back = fixed.with_input("x", Desc::f32([1, 3])).unwrap().with_input("z", Desc::f32([1, 2])).unwrap();
    assert_eq!(infos(&back), ["y: f32[1, 5]"]);
}

/// -1 is an extent named n: it has one size wherever it is.
#[test]
fn a_name_is_replaced_wherever_it_is() {
    let mut proto = net(vec![node("Add", &["x", "z"], &["y"], vec![])], vec![], &[-1, 3]);
    proto.graph.as_mut().unwrap().input.push(value("z", data_type::FLOAT, &[-1, 3]));
    let show = |m: &Model| m.inputs().iter().map(ToString::to_string).collect::<Vec<_>>();
    let file = read(&proto).unwrap();
    let fixed = file.clone().with_input("z", Desc::f32([4, 3])).unwrap();
    assert_eq!(show(&fixed), ["x: f32[4, 3]", "z: f32[4, 3]"]);
    assert_eq!(infos(&fixed), ["y: f32[4, 3]"]);
    let open = fixed.open_axis("x", 0).unwrap();
    assert_eq!(show(&open), ["x: f32[n, 3]", "z: f32[n, 3]"]);
    let twice = net(vec![node("Relu", &["x"], &["y"], vec![])], vec![], &[-1, -1]);
    let e = read(&twice).unwrap().with_input("x", Desc::f32([2, 3])).unwrap_err();
    assert_eq!(e.to_string(), "the input x: f32[n, n] cannot be f32[2, 3]: all extents named n are equal");
}

#[test]
fn descriptions_that_do_not_fit_are_refused() {
    let file = || load("models/lenet5_mnist.onnx");
    let text = |e: Result<Model, Error>| e.unwrap_err().to_string();
    assert_eq!(text(file().open_axis("image", 0)), "there is no input image; inputs: input");
    assert_eq!(text(file().with_input("image", Desc::f32([1]))), "there is no input image; inputs: input");
    let e = text(file().open_axis("input", 4));
    assert_eq!(e, "the input input: f32[1, 1, 28, 28]: axis 4 is outside a tensor of rank 4");
    assert!(text(file().with_input("input", Desc::f32([28, 28]))).ends_with("the number of axes differs"));
    let e = text(file().with_input("input", Desc::new([1, 1, 28, 28], DType::U8)));
    assert!(e.ends_with("cannot be u8[1, 1, 28, 28]: the network computes in another way with that type"), "{e}");
    let half = file().with_input("input", Desc::new([2, 1, 28, 28], DType::F16)).unwrap();
    assert_eq!(half.inputs()[0].to_string(), "input: f16[2, 1, 28, 28]");
    // Another image size does not fit the linear layer; the error has its shapes.
    let e = file().with_input("input", Desc::f32([1, 1, 32, 28])).unwrap().compile(&Device::cpu()).unwrap_err();
    assert!(e.node().is_some() && e.kind() == ErrorKind::Shape, "{e}");
    assert!(e.to_string().ends_with("; \"input\" is f32[1, 1, 32, 28], in the file f32[1, 1, 28, 28]"), "{e}");
}

/// The values of `sizes` decide the shape of y.
#[test]
fn inputs_whose_values_decide_shapes_are_left_alone() {
    let mut proto = net(vec![node("Reshape", &["x", "sizes"], &["y"], vec![])], vec![], &[1, 6]);
    proto.graph.as_mut().unwrap().input.push(value("sizes", data_type::INT64, &[2]));
    let file = || read(&proto).unwrap();
    let text = "the values of the input \"sizes\" decide shapes: its description cannot be replaced";
    assert_eq!(file().open_axis("sizes", 0).unwrap_err().to_string(), text);
    assert_eq!(file().with_input("sizes", Desc::new([3], DType::I64)).unwrap_err().to_string(), text);
    let session = file().open_axis("x", 0).unwrap().compile(&Device::cpu()).unwrap();
    let run = |to: [i64; 2]| session.run(&[("x", &Tensor::zeros([2, 6])), ("sizes", &Tensor::from(to))]);
    // With one image these sizes do not fit, so nothing says that a batch means the same.
    let e = run([2, 6]).unwrap_err().to_string();
    assert!(e.starts_with("with the extents that the file declares: Reshape_0: [1, 6] cannot be reshaped"), "{e}");
    assert_eq!(run([-1, 6]).unwrap()["y"].shape(), [2, 6]);
    assert!(run([1, -1]).unwrap_err().to_string().contains("merge or split other axes"));
}

/// The file has a value for z, which does not fit the replaced description.
#[test]
fn an_optional_input_of_another_shape_must_be_given() {
    let mut proto = net(vec![node("Add", &["x", "z"], &["y"], vec![])], vec![floats("z", &[1, 3], &[1.0; 3])], &[1, 3]);
    proto.graph.as_mut().unwrap().input.push(value("z", data_type::FLOAT, &[1, 3]));
    let file = || read(&proto).unwrap();
    assert_eq!((file().inputs().len(), file().optional_inputs().len()), (1, 1));
    let open = file().open_axis("z", 0).unwrap().open_axis("x", 0).unwrap();
    assert_eq!(open.optional_inputs()[0].to_string(), "z: f32[?, 3]");
    let session = open.compile(&Device::cpu()).unwrap();
    let two = Tensor::zeros([2, 3]);
    assert_eq!(session.run(&[("x", &two)]).unwrap()["y"], Tensor::full([2, 3], 1.0));
    assert_eq!(session.run(&[("x", &two), ("z", &two)]).unwrap()["y"], two);
    let replaced = file().with_input("z", Desc::f32([2, 3])).unwrap();
    assert_eq!((replaced.inputs().len(), replaced.optional_inputs().len()), (2, 0));
    assert_eq!(file().with_input("z", Desc::f32([1, 3])).unwrap().optional_inputs().len(), 1);
}
