//! `inspect --dump-shaders`: the files that a report of a driver's bug needs.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::support::*;

const LENET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/models/lenet5_mnist.onnx");

/// What a call wrote: the folder, its manifest, and what the program printed.
fn dumped(name: &str, model: &str, options: &[&str]) -> (String, Value, String) {
    let dir = folder(name);
    let output = convgpu(&[&["inspect", model, "--dump-shaders", &dir], options].concat());
    assert!(output.status.success(), "{output:?}");
    let manifest = serde_json::from_slice(&std::fs::read(format!("{dir}/manifest.json")).unwrap()).unwrap();
    (dir, manifest, stdout(&output))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().unwrap()
}

/// The entry of a pipeline's file.
fn file<'a>(pipeline: &'a Value, kind: &str) -> &'a Value {
    list(pipeline, "files").iter().find(|f| f["kind"] == kind).unwrap()
}

/// The bytes of a pipeline's file, of which the manifest tells the size.
fn bytes(dir: &str, pipeline: &Value, kind: &str) -> Vec<u8> {
    let file = file(pipeline, kind);
    let bytes = std::fs::read(format!("{dir}/{}", file["name"].as_str().unwrap())).unwrap();
    assert_eq!(file["bytes"], bytes.len(), "{file}");
    bytes
}

/// Kernels of the dispatches that a plan prints.
fn recorded(model: &str) -> BTreeSet<String> {
    let text = stdout(&convgpu(&["inspect", model, "--stage", "record"]));
    let kernel = |line: &str| Some(line[..line.find(" #")?].split_whitespace().rev().nth(1)?.to_owned());
    text.lines().filter(|l| l.trim_start().starts_with("dispatch ")).filter_map(kernel).collect()
}

#[test]
fn every_pipeline_of_a_network_is_written() {
    for (name, model) in [("dump_classifier", model()), ("dump_lenet", LENET)] {
        let (dir, manifest, printed) = dumped(name, model, &[]);
        let pipelines = list(&manifest, "pipelines");
        let kernels: BTreeSet<_> = pipelines.iter().map(|p| p["kernel"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kernels, recorded(model), "{manifest:#}");
        let last = format!("{} pipelines of {} kernels in {dir}", pipelines.len(), kernels.len());
        assert_eq!(printed.lines().last(), Some(&*last));
        for pipeline in pipelines {
            assert!(bytes(&dir, pipeline, "spv").starts_with(&[0x03, 0x02, 0x23, 0x07]), "SPIR-V's magic number");
            let text = |kind| String::from_utf8(bytes(&dir, pipeline, kind)).unwrap();
            assert!(text("metal").contains("kernel void") && text("hlsl").contains("numthreads"), "{pipeline}");
            let specialised = naga::front::wgsl::parse_str(&text("wgsl")).unwrap_or_else(|e| panic!("{pipeline}: {e}"));
            assert!(specialised.overrides.is_empty(), "{pipeline}");
            let browser = text("browser.wgsl");
            let open = naga::front::wgsl::parse_str(&browser).unwrap_or_else(|e| panic!("{pipeline}: {e}"));
            let declared: BTreeSet<_> = open.overrides.iter().filter_map(|(_, o)| o.name.as_deref()).collect();
            for (name, value) in pipeline["overrides"].as_object().unwrap() {
                assert!(declared.contains(&**name) && browser.contains(&format!(" {name}={value}").replace(".0", "")));
            }
            assert!(!list(pipeline, "uses").is_empty() && pipeline["checked"] == false, "{pipeline}");
            let main = &specialised.entry_points[0];
            assert_eq!(pipeline["workgroup_size"], serde_json::json!(main.workgroup_size), "{pipeline}");
        }
    }
}

/// Whether a program can be called.
fn exists(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn the_spirv_is_valid() {
    if !exists("spirv-val") {
        return println!("not run: the SPIR-V of --dump-shaders is not validated (spirv-val: package spirv-tools)");
    }
    let (dir, manifest, _) = dumped("dump_valid", LENET, &[]);
    for pipeline in list(&manifest, "pipelines") {
        let path = format!("{dir}/{}", file(pipeline, "spv")["name"].as_str().unwrap());
        let output = Command::new("spirv-val").args(["--target-env", "vulkan1.3", &path]).output().unwrap();
        assert!(output.status.success(), "{path}: {output:?}");
    }
    // The check sees what is wrong.
    let broken = format!("{dir}/broken.spv");
    std::fs::write(&broken, b"\x03\x02\x23\x07").unwrap();
    assert!(!Command::new("spirv-val").arg(&broken).output().unwrap().status.success());
}

/// GLSL ES has no f16, and wgpu no subgroups there.
#[test]
fn what_a_language_lacks_has_a_reason_in_place_of_a_file() {
    let (dir, manifest, _) = dumped("dump_reasons", LENET, &[]);
    let (without, with): (Vec<_>, Vec<_>) =
        list(&manifest, "pipelines").iter().partition(|p| list(p, "needs").is_empty());
    for pipeline in with {
        let (name, glsl) = (pipeline["name"].as_str().unwrap(), file(pipeline, "glsl"));
        assert!(glsl["name"].is_null() && glsl["reason"].as_str().unwrap().contains("subgroups"), "{pipeline}");
        assert!(!std::path::Path::new(&format!("{dir}/{name}.glsl")).exists());
        assert_eq!(pipeline["needs"], serde_json::json!(["subgroups"]));
    }
    assert!(!without.is_empty());
    for pipeline in without {
        assert!(String::from_utf8(bytes(&dir, pipeline, "glsl")).unwrap().starts_with("#version 310 es"));
    }
    let subgroups = |p: &Value| p["kernel"].as_str().unwrap().contains("subgroup") == (p["needs"][0] == "subgroups");
    assert!(list(&manifest, "pipelines").iter().all(subgroups), "{manifest:#}");
    if manifest["caps"]["f16"] != true {
        return println!("not run: kernels in f16 are not translated to GLSL (the adapter has no f16)");
    }
    let (_, manifest, _) = dumped("dump_half", LENET, &["--precision", "f16"]);
    let half: Vec<_> = list(&manifest, "pipelines").iter().filter(|p| p["needs"][0] == "f16").collect();
    let refused = |p: &&Value| file(p, "glsl")["reason"].is_string() && file(p, "spv")["name"].is_string();
    assert!(!half.is_empty() && half.iter().all(refused), "{manifest:#}");
}

/// With `CONVGPU_CHECKED=1` the files are those of shaders with the translator's checks.
#[test]
fn checked_shaders_are_other_files() {
    let (dir, plain, _) = dumped("dump_plain", LENET, &[]);
    let checked = folder("dump_checked");
    let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
    command.args(["inspect", LENET, "--dump-shaders", &checked]).env_remove("CONVGPU_DEVICE");
    assert!(command.env("CONVGPU_CHECKED", "1").output().unwrap().status.success());
    let manifest: Value = serde_json::from_slice(&std::fs::read(format!("{checked}/manifest.json")).unwrap()).unwrap();
    for (with, without) in list(&manifest, "pipelines").iter().zip(list(&plain, "pipelines")) {
        assert!(with["checked"] == true && with["name"] != without["name"], "{with}");
        assert_eq!(bytes(&checked, with, "browser.wgsl"), bytes(&dir, without, "browser.wgsl"));
        assert!(bytes(&checked, with, "spv").len() > bytes(&dir, without, "spv").len(), "{with}");
    }
}

#[test]
fn a_wrong_place_or_device_is_one_line_and_leaves_nothing() {
    let dir = folder("dump_wrong");
    let text = format!("{dir}/file");
    std::fs::write(&text, "text").unwrap();
    let call = |to: &str, more: &[&str], parts: &[&str]| {
        fails(&[&["inspect", model(), "--dump-shaders", to], more].concat(), 2, parts);
    };
    call(&text, &[], &["dump_wrong/file"]);
    call(&format!("{text}/inside"), &[], &["dump_wrong/file/inside"]);
    #[cfg(target_os = "linux")]
    call("/proc/shaders", &[], &["/proc/shaders"]);
    let new = format!("{dir}/new");
    call(&new, &["--device", "cpu"], &["--dump-shaders", "reference"]);
    call(&new, &["--stage", "pack"], &["--dump-shaders", "--stage"]);
    fails(&["inspect", "--shader", "unary", "--dump-shaders", &new], 2, &["--dump-shaders", "--shader"]);
    fails(&["inspect", "missing.onnx", "--dump-shaders", &new], 2, &["missing.onnx"]);
    assert!(!std::path::Path::new(&new).exists());
}
