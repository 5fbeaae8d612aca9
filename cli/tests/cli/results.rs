//! Where results go, and what is left of a call that is refused.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::support::*;

/// `y = relu(x)` of a picture.
fn picture() -> String {
    single("picture", "Relu", 1, &[1, 1, 28, 28])
}

#[test]
fn several_pictures_of_an_output_are_reported() {
    let (net, image, dir) = (picture(), digit("several"), folder("several"));
    let files = [format!("{dir}/a.png"), format!("{dir}/b.gif")];
    let named = format!("logits={}", files[1]);
    let args =
        ["run", &net, "--device", "cpu", "--input", &image, "--output-image", &files[0], "--output-image", &named];
    let output = &json(&args)["outputs"][0];
    assert_eq!((&output["image"], &output["images"]), (&json!(files[0]), &json!(files)), "{output}");
    assert!(stdout(&convgpu(&args)).ends_with(&format!(" -> {} -> {}\n", files[0], files[1])));
}

#[test]
fn a_refused_run_leaves_no_folder() {
    let (net, image, dir) = (picture(), digit("refused"), folder("refused"));
    let inner = format!("{dir}/a/b");
    let call = ["run", &net, "--device", "cpu", "--input", &image, "--output-dir", &inner, "--output-image"];
    fails(&[&call[..], &["mask=o.png"]].concat(), 2, &["there is no output mask; outputs: logits f32[1, 1, 28, 28]"]);
    fails(&[&call[..], &["logits="]].concat(), 2, &["the name of a file is empty"]);
    fails(&["verify", &net, "--input", &image, "--dump", &inner, "--device", "none"], 2, &["none"]);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
    assert!(!Path::new("mask=o.png").exists());
}

#[test]
fn an_input_without_a_name_or_without_bytes_is_said() {
    let call = ["run", model(), "--device", "cpu", "--input"];
    fails(&[&call[..], &[""]].concat(), 2, &["the name of a file is empty"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
    let output = command.args(call).arg("-").stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "convgpu: -: is empty\n");
}

#[cfg(target_os = "linux")]
#[test]
fn names_of_files_need_not_be_text() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let (net, dir) = (picture(), folder("bytes"));
    let file = |name: &[u8]| Path::new(&dir).join(OsStr::from_bytes(name));
    let (x, y) = (file(b"\xff.png"), file(b"\xfe.png"));
    std::fs::copy(digit("bytes"), &x).unwrap();
    let assigned = |name: &str, file: &Path| {
        let mut text = OsString::from(format!("{name}="));
        text.push(file);
        text
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
    command.args(["run", &net, "--device", "cpu", "--input"]).arg(assigned("input", &x)).arg("--output-image");
    let output = command.arg(assigned("logits", &y)).output().unwrap();
    assert!(output.status.success() && y.exists(), "{output:?}");
    let mut wrong = Command::new(env!("CARGO_BIN_EXE_convgpu"));
    let output = wrong.arg("run").arg(&x).output().unwrap();
    assert!(output.status.code() == Some(2) && output.stderr.starts_with(b"convgpu: "), "{output:?}");
}

/// What cannot be in memory is not read: here a file with a hole.
#[test]
fn a_file_larger_than_the_memory_is_one_line() {
    let file = format!("{}/hole.npy", folder("hole"));
    let x = npy(&file, &[1, 1, 28, 28], &[0.5; 784]);
    std::fs::OpenOptions::new().write(true).open(&x).unwrap().set_len(1 << 42).unwrap();
    fails(&["run", model(), "--input", &x, "--device", "cpu"], 1, &["hole.npy", "of memory"]);
}

/// A network that was exported for one image runs a batch, with the results of its images alone.
#[test]
fn an_axis_can_be_opened() {
    let dir = folder("opened");
    let image = |k: usize| (0..784).map(|i| ((i * 7 + k * 131) % 256) as f32 / 255.0).collect::<Vec<f32>>();
    let one = |k: usize| npy(&format!("{dir}/{k}.npy"), &[1, 1, 28, 28], &image(k));
    let both = npy(&format!("{dir}/both.npy"), &[2, 1, 28, 28], &[image(0), image(1)].concat());
    let run = |file: &str, more: &[&str]| {
        let args = [&["run", model(), "--device", "cpu", "--input", file], more].concat();
        convgpu(&args)
    };
    let refused = String::from_utf8(run(&both, &[]).stderr).unwrap();
    assert!(
        refused.contains("takes f32[1, 1, 28, 28], not f32[2, 1, 28, 28]") && refused.contains("--open"),
        "{refused}"
    );
    let out = |file: &str, more: &[&str]| {
        let path = format!("{file}.out");
        let args = [&["--output-dir", path.as_str()], more].concat();
        let output = run(file, &args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(format!("{path}/logits.npy")).unwrap()
    };
    let (a, b, all) = (out(&one(0), &[]), out(&one(1), &[]), out(&both, &["--open", "input"]));
    let values = |bytes: &[u8]| bytes[bytes.len() - 40..].to_vec();
    assert_eq!(all[all.len() - 80..], [values(&a), values(&b)].concat());
    for (axis, text) in [("other", "there is no input"), ("input:9", "axis 9"), ("input:", "there is no input")] {
        let output = run(&both, &["--open", axis]);
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(&format!("--open {axis}")) && stderr.contains(text), "{stderr}");
    }
}

/// The result of a node inside a network is an output like the others.
#[test]
fn a_node_inside_can_be_an_output() {
    let args = ["run", model(), "--device", "cpu", "--input", &digit("inside"), "--at", "edges"];
    let names: Vec<_> = json(&args)["outputs"].as_array().unwrap().iter().map(|o| o["name"].clone()).collect();
    assert_eq!(names, ["logits", "edges"]);
    let wrong = convgpu(&["run", model(), "--device", "cpu", "--input", &digit("inside"), "--at", "none"]);
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("--at none: there is no"));
    let hint = convgpu(&["run", model(), "--device", "cpu", "--input", &digit("inside"), "--output", "edges"]);
    assert!(String::from_utf8(hint.stderr).unwrap().contains("--at NODE"));
}
