//! The command line as a script sees it: stdout, stderr, exit status.

use std::process::{Command, Output, Stdio};

fn convgpu(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
    command.args(args).env_remove("CONVGPU_DEVICE").env_remove("WGPU_ADAPTER_NAME");
    command.output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is text")
}

/// The call fails with this status, nothing on stdout, and one line of ours that has all these parts.
fn fails(args: &[&str], status: i32, parts: &[&str]) {
    let output = convgpu(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
    assert_eq!(stdout(&output), "", "{args:?}");
    // Drivers may write lines of their own.
    let ours: Vec<&str> = stderr.lines().filter(|l| l.starts_with("convgpu: ")).collect();
    assert_eq!(ours.len(), 1, "{args:?}: {stderr}");
    assert!(parts.iter().all(|p| ours[0].contains(p)), "{args:?}: {}", ours[0]);
    assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{stderr}");
}

#[test]
fn the_demo_reads_the_digits_on_the_reference() {
    let output = convgpu(&["demo", "--device", "cpu"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("98.1 % (978 of 997 digits)"), "{text}");
    assert!(text.contains('█') && text.contains("✗ is") && text.contains("CPU reference"), "{text}");
}

#[test]
fn the_demo_checks_the_adapter_against_the_reference() {
    let device = std::env::var("CONVGPU_TEST_DEVICE").unwrap_or("0".to_owned());
    let output = convgpu(&["demo", "--device", &device]);
    let text = stdout(&output);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("98.1 % (978 of 997 digits)"), "{text}");
    assert!(text.contains("largest difference from the reference"), "{text}");
}

#[test]
fn the_demo_reads_a_digit_of_the_users_own() {
    let file = format!("{}/seven.png", env!("CARGO_TARGET_TMPDIR"));
    // A seven as a pen would write it, dark on light: a bar above, a slanted stroke below.
    let image = image::GrayImage::from_fn(90, 120, |x, y| {
        let bar = (20..70).contains(&x) && (20..29).contains(&y);
        let stroke = (20..100).contains(&y) && (x + (y - 20) * 35 / 80).abs_diff(65) < 5;
        image::Luma([if bar || stroke { 30 } else { 240 }])
    });
    image.save(&file).unwrap();
    let output = convgpu(&["demo", &file, "--device", "cpu"]);
    let text = stdout(&output);
    let answers: Vec<&str> = text.lines().filter(|l| l.ends_with('%')).collect();
    assert!(answers.len() == 3 && answers[0].starts_with("7  "), "{text}");
}

#[test]
fn devices_lists_the_reference_and_says_what_auto_takes() {
    let text = stdout(&convgpu(&["devices"]));
    assert!(text.contains("CPU reference") && text.contains("--device auto takes"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&stdout(&convgpu(&["devices", "--json"]))).unwrap();
    let devices = json["devices"].as_array().unwrap();
    assert!(devices.iter().any(|d| d["device"] == json["default"]), "{json}");
    assert_eq!(devices.last().unwrap()["device"], "cpu");
}

#[test]
fn a_wrong_call_or_file_is_one_line_and_status_2() {
    let text = format!("{}/not_an_image.png", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&text, "this is text").unwrap();
    let blank = format!("{}/blank.png", env!("CARGO_TARGET_TMPDIR"));
    image::GrayImage::from_pixel(40, 30, image::Luma([200])).save(&blank).unwrap();
    fails(&[], 2, &["no command", "--help"]);
    fails(&["demos"], 2, &["demos"]);
    fails(&["demo", "--frobnicate"], 2, &["--frobnicate"]);
    fails(&["demo", "--device", "garbage"], 2, &["no adapter matches", "garbage"]);
    fails(&["demo", "--device", "999"], 2, &["no adapter matches", "999"]);
    fails(&["demo", "missing.png", "--device", "cpu"], 2, &["missing.png", "No such file"]);
    fails(&["demo", env!("CARGO_TARGET_TMPDIR"), "--device", "cpu"], 2, &[env!("CARGO_TARGET_TMPDIR")]);
    fails(&["demo", &text, "--device", "cpu"], 2, &["not_an_image.png", "not an image"]);
    fails(&["demo", &blank, "--device", "cpu"], 2, &["blank.png", "one tone"]);
}

#[test]
fn the_device_may_come_from_the_environment() {
    let command = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
        command.args(["demo", "missing.png"]).env("CONVGPU_DEVICE", name).output().unwrap()
    };
    assert!(String::from_utf8_lossy(&command("garbage").stderr).contains("no adapter matches"));
    assert!(String::from_utf8_lossy(&command("cpu").stderr).contains("missing.png"));
}

#[test]
fn help_names_the_source_of_the_digits() {
    let output = convgpu(&["demo", "--help"]);
    let text = stdout(&output);
    assert!(output.status.success());
    assert!(["LeCun", "Cortes", "Burges", "CC BY-SA 3.0", "MIT"].iter().all(|w| text.contains(w)), "{text}");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
    let mut child = command.args(["demo", "--help"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
