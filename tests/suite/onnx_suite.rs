//! The ONNX backend test suite: a subset in `tests/onnx`, and the whole suite if `../shared` has it (or the folder that
//! `CONVGPU_SHARED` names). Counts are printed; exclusions are listed with their reasons.

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use convgpu::internals::model::tensor_from_bytes;
use convgpu::internals::session::{CompileOptions, Session};
use convgpu::{Error, Model, Tensor};

/// Cases that fail, and why that is correct; a `*` matches all names with this prefix. If one passes, the table is wrong.
const EXCLUDED: &[(&str, &str)] = &[
    ("node/test_resize_downsample_scales_cubic_align_corners", WHOLE_LENGTH),
    ("node/test_resize_downsample_scales_linear_align_corners", WHOLE_LENGTH),
    ("node/test_training_dropout", RANDOM),
    ("node/test_training_dropout_default", RANDOM),
    ("node/test_training_dropout_default_mask", RANDOM),
    ("node/test_training_dropout_mask", RANDOM),
];
const WHOLE_LENGTH: &str = "align_corners takes the output's whole length, as the operator's text, ONNX Runtime and PyTorch do; \
    the answer is that of input length x scale";
const RANDOM: &str = "drops random elements: the expected output is that of one generator";

/// Why the case is excluded, if it is.
fn exclusion(name: &str) -> Option<&'static str> {
    let matches = |pattern: &str| pattern.strip_suffix('*').map_or(name == pattern, |start| name.starts_with(start));
    EXCLUDED.iter().find(|(pattern, _)| matches(pattern)).map(|(_, reason)| *reason)
}

/// A model with inputs and the outputs it should give.
struct Case {
    name: String,
    model: PathBuf,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

/// `<stem>_0.pb`, `<stem>_1.pb`, ... of a folder.
fn tensors(folder: &Path, stem: &str) -> Vec<Tensor> {
    let path = |k: usize| folder.join(format!("{stem}_{k}.pb"));
    let bytes = (0..).map(path).take_while(|p| p.exists()).map(|p| fs::read(p).unwrap());
    bytes.map(|b| tensor_from_bytes(&b).unwrap().1).collect()
}

/// The folders in a folder, sorted.
fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
    let mut found: Vec<_> = entries.map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    found.sort();
    found
}

/// Every `<group>/<case>/model.onnx` below a folder, with its test data.
fn cases(root: &Path) -> Vec<Case> {
    let mut out = vec![];
    for folder in folders(root).iter().flat_map(|group| folders(group)) {
        let data = folder.join("test_data_set_0");
        out.push(Case {
            name: folder.strip_prefix(root).unwrap().display().to_string(),
            model: folder.join("model.onnx"),
            inputs: tensors(&data, "input"),
            outputs: tensors(&data, "output"),
        });
    }
    out
}

/// The light networks: large ones with constant weights, whose outputs do not depend on the input.
fn light_networks(root: &Path) -> Vec<Case> {
    let mut models: Vec<_> = fs::read_dir(root.join("light")).unwrap().map(|e| e.unwrap().path()).collect();
    models.retain(|p| p.extension().is_some_and(|e| e == "onnx"));
    models.sort();
    let case = |model: PathBuf| {
        let stem = model.file_stem().unwrap().to_str().unwrap().to_owned();
        let outputs = tensors(&root.join("light"), &format!("{stem}_output"));
        Case { name: format!("light/{stem}"), model, inputs: vec![], outputs }
    };
    models.into_iter().map(case).collect()
}

/// Runs a case on the test device; the error describes what is wrong.
fn run(case: &Case) -> Result<(), String> {
    let text = |e: Error| e.to_string();
    let model = Model::from_bytes(&fs::read(&case.model).unwrap()).map_err(text)?;
    let mut inputs = case.inputs.clone();
    if inputs.is_empty() {
        inputs = model.inputs().iter().map(|v| Tensor::full(v.fixed().unwrap().shape, 0.5)).collect();
    }
    let names: Vec<_> = model.inputs().iter().map(|v| v.name.clone()).collect();
    if names.len() != inputs.len() {
        return Err(format!("{} inputs given for {names:?}", inputs.len()));
    }
    let session = Session::new(crate::support::device(), model, CompileOptions::new()).map_err(text)?;
    let given: Vec<_> = names.iter().map(String::as_str).zip(&inputs).collect();
    let outputs = session.run(&given).map_err(text)?;
    if outputs.len() != case.outputs.len() {
        return Err(format!("{} outputs, expected {}", outputs.len(), case.outputs.len()));
    }
    outputs.iter().zip(&case.outputs).try_for_each(|((name, actual), expected)| {
        crate::close::check(actual, expected).map_err(|e| format!("output {name}: {e}"))
    })
}

/// Writes to stderr directly: the test harness shows the output of `eprintln` for failing tests only.
fn tell(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// Runs all cases and prints the counts.
fn run_all(title: &str, cases: &[Case]) {
    let wanted = std::env::var("CONVGPU_ONNX_CASE").unwrap_or_default();
    let (mut passed, mut excluded, mut wrong) = (0, 0, vec![]);
    for case in cases.iter().filter(|c| c.name.contains(&wanted)) {
        let result = catch_unwind(AssertUnwindSafe(|| run(case))).unwrap_or(Err("panicked".to_owned()));
        match (result, exclusion(&case.name)) {
            (Ok(()), None) => passed += 1,
            (Err(_), Some(_)) => excluded += 1,
            (Err(e), None) => wrong.push(format!("{}: {e}", case.name)),
            (Ok(()), Some(reason)) => wrong.push(format!("{} passes, though excluded: {reason}", case.name)),
        }
    }
    tell(&format!("{title}: {passed} passed, {excluded} excluded, {} wrong\n", wrong.len()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_subset_in_this_repository() {
    let cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx"));
    assert!(cases.len() > 100, "{} cases", cases.len());
    run_all("subset", &cases);
}

#[test]
fn the_whole_suite() {
    let Some(archive) = crate::close::shared_file("onnx/onnx_backend_tests.tar.xz", "the whole ONNX suite") else {
        return;
    };
    let root = std::env::temp_dir().join(format!("convgpu-onnx-{}", std::process::id()));
    fs::create_dir_all(&root).unwrap();
    let tar = Command::new("tar").arg("xJf").arg(&archive).arg("-C").arg(&root).status();
    assert!(tar.is_ok_and(|s| s.success()), "tar cannot unpack {} (is xz installed?)", archive.display());
    let suite = root.join("onnx_backend_tests");
    let mut all = cases(&suite);
    assert_eq!(all.len(), 489);
    all.extend(light_networks(&suite));
    let result = catch_unwind(|| run_all("whole suite", &all));
    fs::remove_dir_all(&root).unwrap();
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}
