//! Bad files: the program prints one readable line on stderr and exits with status 2, without a backtrace, soon, in
//! little memory.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use convgpu::internals::model::proto::*;
use prost::Message;

/// Address space of the program, in KiB, and how long it may take.
const MEMORY: &str = "2097152";
const TIME: Duration = Duration::from_secs(20);

/// Runs the program on the reference.
fn convgpu(args: &[&str]) -> Output {
    let limited = format!("ulimit -v {MEMORY} 2>/dev/null; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_convgpu")]).args(args);
    command.args(["--device", "cpu"]).env("RUST_BACKTRACE", "1").stdin(Stdio::null());
    command.output().expect("the program starts")
}

/// The call fails with status 2 and one line that contains these parts.
fn refused(args: &[&str], parts: &[&str]) {
    let start = Instant::now();
    let output = convgpu(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    // Other lines may be notes.
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("convgpu: ")).collect();
    assert!(errors.len() == 1 && stderr.lines().count() < 3 && stderr.len() < 4000, "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    assert!(parts.iter().all(|p| errors[0].contains(p)), "{args:?} must say {parts:?}: {stderr}");
    assert!(start.elapsed() < TIME, "{args:?} takes {:?}", start.elapsed());
}

/// The file of this name with these bytes.
fn file(name: &str, bytes: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bad_files");
    std::fs::create_dir_all(&folder).unwrap();
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn value(name: &str, dims: &[i64]) -> ValueInfoProto {
    let dim = |&n: &i64| DimensionProto { dim_value: Some(n), ..Default::default() };
    let shape = Some(TensorShapeProto { dim: dims.iter().map(dim).collect() });
    let tensor_type = Some(TensorTypeProto { elem_type: Some(data_type::FLOAT), shape });
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type }) }
}

fn node(name: &str, op: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: Some(name.to_owned()),
        op_type: Some(op.to_owned()),
        input: inputs.iter().map(|&i| i.to_owned()).collect(),
        output: vec![output.to_owned()],
        ..Default::default()
    }
}

fn model(node: Vec<NodeProto>, initializer: Vec<TensorProto>, dims: &[i64]) -> Vec<u8> {
    let (input, output) = (vec![value("x", dims)], vec![value("y", &[])]);
    let graph = GraphProto { node, initializer, input, output, ..Default::default() };
    let opset = OperatorSetIdProto { version: Some(13), ..Default::default() };
    let model = ModelProto { ir_version: Some(7), graph: Some(graph), opset_import: vec![opset], ..Default::default() };
    model.encode_to_vec()
}

/// `y = relu(x)` of a 2x3 matrix.
fn relu() -> Vec<u8> {
    model(vec![node("only", "Relu", &["x"], "y")], vec![], &[2, 3])
}

/// An `.npy` file of version 1 with this header and as many floats.
fn npy(header: &str, floats: usize) -> Vec<u8> {
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(vec![0; 4 * floats]);
    out
}

fn npy_of(shape: &str, floats: usize) -> Vec<u8> {
    npy(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"), floats)
}

#[test]
fn a_good_file_runs() {
    let (net, x) = (file("good.onnx", &relu()), file("good.npy", &npy_of("(2, 3)", 6)));
    let output = convgpu(&["run", &net, "--input", &x]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn results_are_rounded_to_the_halves_that_the_file_declares() {
    let mut proto = ModelProto::decode(&relu()[..]).unwrap();
    let output = &mut proto.graph.as_mut().unwrap().output[0];
    output.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = Some(data_type::FLOAT16);
    let mut x = npy_of("(2, 3)", 0);
    x.extend([0.1f32; 6].iter().flat_map(|v| v.to_le_bytes()));
    let (net, x) = (file("halves.onnx", &proto.encode_to_vec()), file("halves.npy", &x));
    let output = convgpu(&["run", &net, "--input", &x]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("in 0.0999756 .. 0.0999756"), "{text}");
}

#[test]
fn files_that_are_no_models() {
    refused(&["run", &file("empty.onnx", b"")], &["empty.onnx", "empty"]);
    refused(&["run", &file("text.onnx", b"# A recipe\n\nTake two eggs.\n")], &["text.onnx", "not an ONNX model"]);
    refused(&["run", &file("zeros.onnx", &[0; 4096])], &["zeros.onnx", "not an ONNX model"]);
    refused(&["run", env!("CARGO_TARGET_TMPDIR")], &[env!("CARGO_TARGET_TMPDIR"), "not a file"]);
    refused(&["run", "no such file.onnx"], &["no such file.onnx"]);
    #[cfg(unix)]
    refused(&["run", "/dev/zero"], &["/dev/zero", "not a file"]);
}

#[test]
fn files_of_another_kind_are_named() {
    let text = b"{\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}";
    let safetensors = [&(text.len() as u64).to_le_bytes(), &text[..]].concat();
    let kinds: [(&str, &[u8], &str); 6] = [
        ("m.safetensors", &safetensors, "weights in safetensors"),
        ("m.pt", b"PK\x03\x04\x00\x00\x08\x08archive/data.pkl", "a ZIP archive, as PyTorch"),
        ("m.pkl", b"\x80\x04\x95\x0b\x00\x00\x00", "a Python pickle"),
        ("m.h5", b"\x89HDF\r\n\x1a\n\x00\x00", "an HDF5 file"),
        ("m.tflite", b"\x1c\x00\x00\x00TFL3\x14\x00\x20\x00", "a TensorFlow Lite model"),
        ("m.txt", b"# A recipe\n\nTake two eggs.\n", "a text"),
    ];
    for (name, bytes, what) in kinds {
        refused(&["run", &file(name, bytes)], &[name, what, "only ONNX files (.onnx) are read"]);
    }
}

/// Both kinds of message name file and node: of nodes that no code understands, and of those whose shapes are not supported.
#[test]
fn what_is_not_supported_has_its_file_and_its_node() {
    let scan = model(vec![node("cell", "Scan", &["x"], "z"), node("b", "Loop", &["z"], "y")], vec![], &[2, 3]);
    let cube = model(vec![node("cube", "ConvTranspose", &["x", "x"], "y")], vec![], &[1, 1, 2, 2, 4, 4]);
    let x = file("cube.npy", &npy_of("(1, 1, 2, 2, 4, 4)", 64));
    for (name, bytes, first, text) in [
        ("scan.onnx", scan, "cell", "scan.onnx: not supported: cell: operator Scan; b: operator Loop"),
        ("cube.onnx", cube, "cube", "cube.onnx: not supported: cube: 4-D ConvTranspose"),
    ] {
        let output = convgpu(&["run", &file(name, &bytes), "--input", &x, "--json"]);
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let error = &object["error"];
        assert_eq!((&error["kind"], &error["node"]), (&"unsupported".into(), &first.into()), "{error}");
        assert!(error["message"].as_str().unwrap().contains(text), "{error}");
    }
}

#[test]
fn truncated_models() {
    let whole = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/models/lenet5_mnist.onnx")).unwrap();
    for k in 1..12 {
        let cut = whole.len() * k / 12;
        refused(&["run", &file(&format!("cut_{k}.onnx"), &whole[..cut])], &[&format!("cut_{k}.onnx")]);
    }
}

#[test]
fn models_that_cannot_be() {
    let cycle =
        vec![node("a", "Add", &["x", "c"], "b"), node("c", "Relu", &["b"], "c"), node("d", "Relu", &["c"], "y")];
    refused(&["run", &file("cycle.onnx", &model(cycle, vec![], &[2, 3]))], &["cycle"]);
    let own = vec![node("self", "Relu", &["y"], "y")];
    refused(&["run", &file("own.onnx", &model(own, vec![], &[2, 3]))], &["cycle", "self"]);
    let lacking = vec![node("sum", "Add", &["x", "weight"], "y")];
    refused(&["run", &file("lacking.onnx", &model(lacking, vec![], &[2, 3]))], &["sum", "weight"]);
    let unknown = vec![node("a", "FlyToTheMoon", &["x"], "z"), node("b", "Loop", &["z"], "y")];
    let unknown = file("unknown.onnx", &model(unknown, vec![], &[2, 3]));
    refused(&["run", &unknown], &["a: operator FlyToTheMoon", "b: operator Loop"]);
    let nothing = model(vec![node("a", "Relu", &["x"], "z")], vec![], &[2, 3]);
    refused(&["run", &file("nothing.onnx", &nothing)], &["output y"]);
}

#[test]
fn sizes_that_cannot_be() {
    let tensor = |dims: &[i64]| TensorProto {
        name: Some("w".to_owned()),
        dims: dims.to_vec(),
        data_type: Some(data_type::FLOAT),
        raw_data: Some(vec![0; 64].into()),
        ..Default::default()
    };
    let add = || vec![node("sum", "Add", &["x", "w"], "y")];
    for (name, dims) in [
        ("2gb", &[1 << 31][..]),
        ("square", &[1 << 31, 1 << 31, 1 << 31]),
        ("negative", &[-4, -4]),
        ("few", &[4, 5]),
        ("none", &[0, i64::MAX, i64::MAX]),
    ] {
        let path = file(&format!("weight_{name}.onnx"), &model(add(), vec![tensor(dims)], &[2, 3]));
        refused(&["run", &path], &["w"]);
    }
    for dims in [&[1 << 31][..], &[1 << 20, 1 << 20, 1 << 30], &[i64::MAX, 2]] {
        let path = file("large_input.onnx", &model(vec![node("only", "Relu", &["x"], "y")], vec![], dims));
        refused(&["verify", &path], &["x"]);
        refused(&["run", &path, "--input", &file("small.npy", &npy_of("(2, 3)", 6))], &["x"]);
    }
    // A few bytes that request 2 GB, 32 GB and 256 TB.
    let shape = |extent: i64| TensorProto {
        name: Some("shape".to_owned()),
        dims: vec![2],
        data_type: Some(data_type::INT64),
        int64_data: vec![extent, extent],
        ..Default::default()
    };
    let x = file("two_by_three.npy", &npy_of("(2, 3)", 6));
    for extent in [1 << 15, 1 << 23, 1 << 24, i64::MAX] {
        let nodes = vec![
            node("fill", "ConstantOfShape", &["shape"], "filled"),
            node("sum", "ReduceSum", &["filled"], "z"),
            node("add", "Add", &["x", "z"], "y"),
        ];
        let path = file("fill.onnx", &model(nodes, vec![shape(extent)], &[2, 3]));
        if extent > 1 << 15 {
            refused(&["run", &path, "--input", &x], &["fill"]);
        }
    }
}

#[test]
fn more_nodes_than_a_network_has() {
    let chain = |k: usize| {
        let [from, to] = [k, k + 1].map(|k| if k == 0 { "x".to_owned() } else { format!("v{k}") });
        node(&format!("n{k}"), "Relu", &[&from], &to)
    };
    let mut nodes: Vec<NodeProto> = (0..1 << 20).map(chain).collect();
    nodes.push(node("last", "Relu", &["v1048576"], "y"));
    refused(&["run", &file("chain.onnx", &model(nodes, vec![], &[2, 3]))], &["more than 1048576 nodes"]);
}

#[cfg(unix)]
#[test]
fn weights_in_files_that_never_end() {
    let entry = |key: &str, value: &str| StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) };
    let outside = |location: &str| TensorProto {
        name: Some("w".to_owned()),
        dims: vec![2, 3],
        data_type: Some(data_type::FLOAT),
        data_location: Some(EXTERNAL),
        external_data: vec![entry("location", location)],
        ..Default::default()
    };
    let pipe = file("beside", b"").replace("beside", "pipe");
    let _ = std::fs::remove_file(&pipe); // of an earlier run
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for location in ["pipe", "/dev/zero", "../../../../../../../../../../dev/zero", ".", "no such file"] {
        let net = model(vec![node("sum", "Add", &["x", "w"], "y")], vec![outside(location)], &[2, 3]);
        refused(&["run", &file("outside.onnx", &net)], &["w", location]);
    }
    refused(&["run", &pipe], &["nobody writes"]);
}

#[test]
fn messages_within_messages() {
    // Groups, an old wire type that can only be skipped recursively.
    refused(&["run", &file("groups.onnx", &[0x5b; 1 << 20])], &["not an ONNX model"]);
    // A graph in an attribute of a node of a graph, and so on.
    let mut bytes = vec![];
    for _ in 0..3000 {
        for tag in [6, 5, 1] {
            let mut outer = vec![tag << 3 | 2];
            prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
            outer.extend(&bytes);
            bytes = outer;
        }
    }
    let mut outer = vec![7 << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
    outer.extend(&bytes);
    refused(&["run", &file("nested.onnx", &outer)], &["nested.onnx"]);
    // Many empty messages: two bytes each in the file, hundreds in memory.
    let mut many = ModelProto::decode(&relu()[..]).unwrap();
    many.graph.as_mut().unwrap().node = vec![NodeProto::default(); 500_000];
    refused(&["run", &file("many.onnx", &many.encode_to_vec())], &["many.onnx", "nothing defines the output"]);
    // The same where an output needs them all.
    let output = many.graph.as_ref().unwrap().output[0].name.clone().unwrap();
    many.graph.as_mut().unwrap().node = vec![NodeProto { output: vec![output], ..Default::default() }; 500_000];
    refused(&["run", &file("many.onnx", &many.encode_to_vec())], &["many.onnx", "and 499900 more"]);
}

#[test]
fn inputs_that_do_not_fit() {
    let net = file("relu.onnx", &relu());
    let run = |name: &str, bytes: &[u8], parts: &[&str]| refused(&["run", &net, "--input", &file(name, bytes)], parts);
    refused(&["run", &net], &["x"]);
    run("rank.npy", &npy_of("(2, 3, 1)", 6), &["x", "[2, 3]"]);
    run("turned.npy", &npy_of("(3, 2)", 6), &["x", "[3, 2]"]);
    run("short.npy", &npy_of("(2, 3)", 5), &["short.npy"]);
    run("huge.npy", &npy_of("(9223372036854775807, 9223372036854775807)", 6), &["huge.npy"]);
    run("large.npy", &npy_of("(4294967296,)", 6), &["large.npy"]);
    run("zero.npy", &npy_of("(0, 18446744073709551615, 18446744073709551615)", 0), &["zero.npy"]);
    run("magic.npy", b"\x93NUMPY", &["magic.npy"]);
    run("header.npy", &npy("{'descr': ", 0), &["header.npy"]);
    run("long_header.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{'shape': (1,)", &["long_header.npy"]);
    run("object.npy", &npy("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", 6), &["object.npy"]);
    run("words.npy", &npy("{'descr': '<U7', 'fortran_order': False, 'shape': (2, 3), }", 42), &["words.npy"]);
    run("nested.npy", &npy(&"(".repeat(60_000), 0), &["nested.npy"]);
    run("text.npy", b"1 2 3\n4 5 6\n", &["text.npy", "not an image that can be read"]);
    run("text.png", b"not a picture", &["text.png", "not an image that can be read"]);
    run("empty.png", b"", &["empty.png"]);
    refused(&["run", &net, "--input", env!("CARGO_TARGET_TMPDIR")], &[env!("CARGO_TARGET_TMPDIR")]);
    refused(&["run", &net, "--input", "no such.npy"], &["no such.npy"]);
}

#[test]
fn pictures_that_are_broken() {
    let net = file("picture.onnx", &model(vec![node("only", "Relu", &["x"], "y")], vec![], &[1, 3, 8, 8]));
    let run = |name: &str, bytes: &[u8]| refused(&["run", &net, "--input", &file(name, bytes)], &[name]);
    let mut png = vec![];
    let image = image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8 * 6, y as u8 * 8, 128]));
    image.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    run("cut.png", &png[..png.len() / 2]);
    // A header that declares 4 billion by 4 billion pixels.
    let mut bomb = png.clone();
    bomb[16..24].fill(0x7f);
    run("bomb.png", &bomb);
    let mut wide = png.clone();
    wide[16..20].copy_from_slice(&1_000_000u32.to_be_bytes());
    run("wide.png", &wide);
    run("start.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00");
    // A palette of two colours, and one picture of one pixel on a screen of 65535x65535.
    let mut gif = b"GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff".to_vec();
    gif.extend(b"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00\x3b");
    refused(
        &["run", &net, "--input", &file("screen.gif", &gif)],
        &["screen.gif: an image of 65535x65535 is too large"],
    );
    // The same screen is small, and the picture is large.
    gif[6..10].copy_from_slice(&[1, 0, 1, 0]);
    gif[24..28].fill(0xff);
    run("frame.gif", &gif);
    refused(
        &["run", &net, "--input", &file("text.ppm", b"P3 99999999 99999999 255 1 2 3")],
        &["text.ppm: an image of"],
    );
    refused(&["run", &net, "--input", &file("text.jpg", b"text")], &["text.jpg: not an image that can be read"]);
}
