//! Compares real networks with trained weights with ONNX Runtime: those of `tests/models/networks.json` that are in
//! `tests/models`, or in `../shared/models` (or below the folder that `CONVGPU_SHARED` names).

use std::fs;
use std::path::{Path, PathBuf};

use convgpu::internals::session::latest;
use convgpu::{CompileOptions, Model, Session, Tensor};
use serde_json::Value;

/// A tensor of floats from an `.npy` file.
pub fn npy(path: &Path) -> Tensor {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = npyz::NpyFile::new(&bytes[..]).unwrap();
    let shape: Vec<usize> = file.shape().iter().map(|&n| n as usize).collect();
    Tensor::new(shape, file.into_vec::<f32>().unwrap()).unwrap()
}

/// The file of this name in `tests/models`, or in a folder of the shared ones.
fn find(shared: &str, file: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let folders = [own.clone(), own.join(shared), crate::close::shared().join("models").join(shared)];
    folders.into_iter().map(|f| f.join(file)).find(|f| f.exists())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// Runs a network of `tests/models/networks.json` on every golden input, and compares each output with ONNX Runtime's.
fn run(name: &str) {
    let list: Value = serde_json::from_str(include_str!("../models/networks.json")).unwrap();
    let network = list["networks"].as_array().unwrap().iter().find(|n| n["name"] == name).unwrap();
    let Some(file) = find("models", text(network, "file")) else {
        let origin = &network["origin"];
        let (project, path) = (text(origin, "project"), text(origin, "path"));
        let sha = &text(network, "sha256")[..16];
        crate::close::not_run(&format!("{name} ({}, sha256 {sha}.., from {project} {path})", text(network, "file")));
        return;
    };
    let session = Model::load(file).unwrap().compile(crate::support::device()).unwrap();
    for case in network["golden"].as_array().unwrap() {
        let tensors = |key: &str| -> Vec<(String, Tensor)> {
            let of = |t: &Value| {
                let file = find("golden", text(t, "file")).unwrap_or_else(|| panic!("{t} is missing"));
                (text(t, "name").to_owned(), npy(&file))
            };
            case[key].as_array().unwrap().iter().map(of).collect()
        };
        let inputs = tensors("inputs");
        let given: Vec<_> = inputs.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let found = session.run(&given).unwrap_or_else(|e| panic!("{name}: {e}"));
        for (output, expected) in tensors("outputs") {
            let actual = found.get(&output).unwrap_or_else(|| panic!("{name} has no output {output}"));
            crate::close::check(actual, &expected).unwrap_or_else(|e| panic!("{name} {output}: {e}"));
        }
    }
    let compiled = latest(&session).unwrap();
    let dispatches = compiled.plan().map_or(0, |p| p.dispatches());
    println!("{name}: right ({} nodes, {dispatches} dispatches)", compiled.graph().nodes().len());
}

macro_rules! networks {
    ($($test:ident $name:literal)*) => {
        const NAMES: &[&str] = &[$($name),*];
        $(#[test]
        fn $test() {
            run($name);
        })*
    };
}

networks! {
    lenet5 "lenet5_mnist"
    mnist8 "mnist8_cntk"
    resnet20 "resnet20_cifar10"
    squeezenet "squeezenet1.1"
    super_resolution "super_resolution_3x"
    style_transfer "style_candy"
    realesr "realesr_animevideov3_x4"
    ultraface "ultraface_rfb320"
    portrait_segmentation "prisma_portrait_seg"
    text_detection "ppocr_det_en_v3"
}

#[test]
fn every_network_of_the_list_has_a_test() {
    let list: Value = serde_json::from_str(include_str!("../models/networks.json")).unwrap();
    let listed: Vec<_> = list["networks"].as_array().unwrap().iter().map(|n| text(n, "name").to_owned()).collect();
    assert_eq!(listed, NAMES);
}

#[test]
fn a_model_shows_what_it_is() {
    let model = Model::load(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/lenet5_mnist.onnx")).unwrap();
    let text = model.to_string();
    println!("{text}");
    for part in [
        "inputs      input: f32[1, 1, 28, 28]\n",
        "outputs     probs: f32[1, 10]\n",
        "operators   AveragePool 2, Conv 2,",
        "parameters  61706",
        &format!("ONNX, operator set {}, by {}", model.opset(), model.producer()),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!model.producer().is_empty());
    assert_eq!(model.outputs()[0].fixed().unwrap().shape, [1, 10]);
}

/// The share of CIFAR-10 test images that resnet20 classifies correctly, as published with its weights.
#[test]
fn resnet20_accuracy() {
    let Some(root) = crate::close::shared_file("models", "the accuracy of resnet20") else { return };
    let records = fs::read(root.join("data/cifar10-test-first500.bin")).unwrap();
    let model = Model::load(root.join("models/resnet20_cifar10.onnx")).unwrap();
    let session = Session::new(crate::support::device(), model, CompileOptions::new()).unwrap();
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let mut right = 0;
    for record in records.chunks_exact(3073) {
        let pixel = |(i, &v): (usize, &u8)| (f32::from(v) / 255.0 - mean[i / 1024]) / std[i / 1024];
        let image: Vec<f32> = record[1..].iter().enumerate().map(pixel).collect();
        let image = Tensor::new([1, 3, 32, 32], image).unwrap();
        let logits = session.run(&[("input", &image)]).unwrap().first().to_f64s();
        let best = (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        right += usize::from(best == usize::from(record[0]));
    }
    println!("resnet20: {right} of {} images right", records.len() / 3073);
    assert_eq!((right, records.len() / 3073), (455, 500), "91.0 %");
}

/// The best box in the photograph of the astronaut is the face.
#[test]
fn ultraface_finds_the_face() {
    let Some(root) = crate::close::shared_file("models", "the face that ultraface finds") else { return };
    let golden = |rest: &str| npy(&root.join(format!("golden/ultraface_rfb320.astronaut.{rest}.npy")));
    let model = Model::load(root.join("models/ultraface_rfb320.onnx")).unwrap();
    let session = Session::new(crate::support::device(), model, CompileOptions::new()).unwrap();
    let outputs = session.run(&[("input", &golden("in"))]).unwrap();
    let scores = outputs["scores"].as_f32().unwrap();
    let best = (0..scores.len() / 2).max_by(|&a, &b| scores[2 * a + 1].total_cmp(&scores[2 * b + 1])).unwrap();
    let b = &outputs["boxes"].as_f32().unwrap()[4 * best..][..4];
    // The photograph has 512 x 512 pixels.
    let pixels: Vec<i32> = b.iter().map(|v| (v * 512.0).round() as i32).collect();
    println!("ultraface: score {:.3}, box {pixels:?}", scores[2 * best + 1]);
    for (at, expected) in pixels.iter().zip([180, 62, 268, 174]) {
        assert!((at - expected).abs() <= 6, "{pixels:?}");
    }
}

/// Height and width are open: a second size makes a second plan, and both are kept.
#[test]
fn text_detection_at_two_sizes() {
    let Some(root) = crate::close::shared_file("models", "text detection at two sizes") else { return };
    let load = || Model::load(root.join("models/ppocr_det_en_v3.onnx")).unwrap();
    let gpu = Session::new(crate::support::device(), load(), CompileOptions::new()).unwrap();
    let cpu = Session::new(&convgpu::Device::cpu(), load(), CompileOptions::new()).unwrap();
    for [h, w] in [[64, 96], [96, 32], [64, 96]] {
        let x = crate::support::Rng(5).tensor(&[1, 3, h, w]);
        let (a, b) = (gpu.run(&[("x", &x)]).unwrap(), cpu.run(&[("x", &x)]).unwrap());
        assert_eq!(a.first().shape(), [h, w]);
        crate::close::check(a.first(), b.first()).unwrap();
    }
}
