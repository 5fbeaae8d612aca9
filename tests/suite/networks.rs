//! Real networks with trained weights against ONNX Runtime's answers: LeNet-5, which lies in `tests/models`, and those
//! of `../shared/models` (or the folder that `CONVGPU_SHARED` names) where it is there.

use std::fs;
use std::path::Path;

use convgpu::internals::session::latest;
use convgpu::{CompileOptions, Model, Session, Tensor};

/// A tensor of floats from an `.npy` file.
pub fn npy(path: &Path) -> Tensor {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = npyz::NpyFile::new(&bytes[..]).unwrap();
    let shape: Vec<usize> = file.shape().iter().map(|&n| n as usize).collect();
    Tensor::new(shape, file.into_vec::<f32>().unwrap()).unwrap()
}

/// Runs `models/<name>.onnx` on `golden/<name>.<case>.in.npy` and compares each output with its golden file.
fn run(root: &Path, models: &str, name: &str, case: &str, outputs: &[&str]) {
    let model = Model::load(root.join(models).join(format!("{name}.onnx"))).unwrap();
    let golden = |rest: &str| npy(&root.join("golden").join(format!("{name}.{case}.{rest}.npy")));
    let input = model.inputs()[0].name.clone();
    let session = model.compile(crate::support::device()).unwrap();
    let found = session.run(&[(&input, &golden("in"))]).unwrap_or_else(|e| panic!("{name}: {e}"));
    for (k, (label, actual)) in found.iter().enumerate() {
        let expected = match outputs {
            [] => golden("out"),
            _ => golden(&format!("out.{}", outputs[k])),
        };
        crate::close::check(actual, &expected).unwrap_or_else(|e| panic!("{name}.{case} {label}: {e}"));
    }
    let compiled = latest(&session).unwrap();
    let dispatches = compiled.plan().map_or(0, |p| p.dispatches());
    println!("{name}.{case}: right ({} nodes, {dispatches} dispatches)", compiled.graph().nodes().len());
}

fn shared(name: &str, case: &str, outputs: &[&str]) {
    let root = crate::close::shared().join("models");
    if root.exists() {
        run(&root, "models", name, case, outputs);
    } else {
        println!("{} is not there: {name} is not run", root.display());
    }
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

#[test]
fn lenet5() {
    run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models"), ".", "lenet5_mnist", "digit7", &[]);
}

#[test]
fn mnist8() {
    shared("mnist8_cntk", "digit7", &[]);
}

#[test]
fn resnet20() {
    shared("resnet20_cifar10", "img0", &[]);
}

#[test]
fn squeezenet() {
    shared("squeezenet1.1", "pelican", &[]);
    shared("squeezenet1.1", "chelsea", &[]);
}

#[test]
fn super_resolution() {
    shared("super_resolution_3x", "astronaut", &[]);
}

#[test]
fn style_transfer() {
    shared("style_candy", "chelsea", &[]);
}

#[test]
fn realesr() {
    shared("realesr_animevideov3_x4", "chelsea", &[]);
}

#[test]
fn ultraface() {
    shared("ultraface_rfb320", "astronaut", &["scores", "boxes"]);
}

#[test]
fn portrait_segmentation() {
    shared("prisma_portrait_seg", "astronaut", &[]);
}

#[test]
fn text_detection() {
    shared("ppocr_det_en_v3", "page", &[]);
}

/// The share of CIFAR-10 test images that resnet20 names right, as published with its weights.
#[test]
fn resnet20_accuracy() {
    let root = crate::close::shared().join("models");
    if !root.exists() {
        println!("{} is not there: the accuracy of resnet20 is not measured", root.display());
        return;
    }
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

/// The best box on the astronaut is the face.
#[test]
fn ultraface_finds_the_face() {
    let root = crate::close::shared().join("models");
    if !root.exists() {
        println!("{} is not there: no face is looked for", root.display());
        return;
    }
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
    let root = crate::close::shared().join("models");
    if !root.exists() {
        println!("{} is not there: text detection is not run at two sizes", root.display());
        return;
    }
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
