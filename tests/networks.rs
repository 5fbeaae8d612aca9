//! Real networks with trained weights against ONNX Runtime's answers: LeNet-5, which lies in `tests/models`, and those
//! of `../shared/models` (or the folder that `CONVGPU_SHARED` names) where it is there.
#![cfg(feature = "cli")] // npyz

use std::fs;
use std::path::Path;

use convgpu::session::{CompileOptions, Session};
use convgpu::{Model, Tensor};

#[path = "support/close.rs"]
mod close;
#[allow(dead_code)]
#[path = "ops/support.rs"]
mod support;

fn npy(path: &Path) -> Tensor {
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
    let session = Session::new(support::device(), model, &CompileOptions::default()).unwrap();
    let found = session.run(&[(&input, &golden("in"))]).unwrap_or_else(|e| panic!("{name}: {e}")).0;
    for (k, (label, actual)) in found.iter().enumerate() {
        let expected = match outputs {
            [] => golden("out"),
            _ => golden(&format!("out.{}", outputs[k])),
        };
        close::check(actual, &expected).unwrap_or_else(|e| panic!("{name}.{case} {label}: {e}"));
    }
    let compiled = session.latest().unwrap();
    let dispatches = compiled.plan().map_or(0, |p| p.dispatches());
    println!("{name}.{case}: right ({} nodes, {dispatches} dispatches)", compiled.graph().nodes().len());
}

fn shared(name: &str, case: &str, outputs: &[&str]) {
    let root = close::shared().join("models");
    if root.exists() {
        run(&root, "models", name, case, outputs);
    } else {
        println!("{} is not there: {name} is not run", root.display());
    }
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
