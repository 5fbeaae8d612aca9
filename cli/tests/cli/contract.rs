//! The command line as a script sees it: stdout, stderr, exit status.

use std::process::{Command, Stdio};

use super::support::*;

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
    // A seven as with a pen, dark on light: a bar at the top, a slanted stroke below.
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
fn every_adapter_here_can_be_trusted() {
    let output = convgpu(&["devices", "--check", "--seconds", "600", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(output.status.success() && json["ok"] == true, "{json:#}");
    let adapters: Vec<_> = json["devices"].as_array().unwrap().iter().filter(|d| d["device"] != "cpu").collect();
    assert!(!adapters.is_empty());
    for adapter in adapters {
        let answers = adapter["check"]["answers"].as_array().unwrap();
        let questions: Vec<_> = answers.iter().map(|a| a["question"].as_str().unwrap()).collect();
        assert_eq!(questions, ["opens", "computes", "kernels", "times", "f16", "subgroups", "binding", "numbers"]);
        assert!(answers[2]["says"].as_str().unwrap().contains("conv2d"), "{adapter:#}");
        assert!(adapter["check"]["failure"].is_null(), "{adapter:#}");
    }
    let text = stdout(&convgpu(&["devices", "--check", "--seconds", "600", "--device", "0"]));
    assert!(text.matches("can be trusted").count() == 1 && text.contains("binding"), "{text}");
}

#[test]
fn an_adapter_that_does_not_answer_fails_the_check() {
    let output = convgpu(&["devices", "--check", "--seconds", "0", "--device", "0", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(output.status.code(), Some(1), "{json:#}");
    let check = &json["devices"][0]["check"];
    assert_eq!((&json["ok"], &check["ok"]), (&false.into(), &false.into()), "{json:#}");
    assert_eq!(check["failure"], "opens: no answer within 0 seconds", "{json:#}");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("opens: no answer within 0 seconds"), "{stderr}");
    fails(&["devices", "--seconds", "1"], 2, &["--check"]);
}

#[test]
fn a_wrong_call_or_file_is_one_line_and_status_2() {
    let text = format!("{}/not_an_image.png", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&text, "this is text").unwrap();
    let blank = format!("{}/blank.png", env!("CARGO_TARGET_TMPDIR"));
    image::GrayImage::from_pixel(40, 30, image::Luma([200])).save(&blank).unwrap();
    fails(&[], 2, &["no command", "--help"]);
    fails(&["demos"], 2, &["demos"]);
    fails(&["demo", "--frobnicate"], 2, &["--frobnicate", "see convgpu demo --help"]);
    fails(&["run", "--imput", "x"], 2, &["'--imput'", "a similar argument exists: '--input'; see convgpu run --help"]);
    fails(&["verfy"], 2, &["'verfy'", "a similar subcommand exists: 'verify'; see convgpu --help"]);
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
        command.args(["inspect", model()]).env("CONVGPU_DEVICE", name).output().unwrap()
    };
    assert!(String::from_utf8_lossy(&command("garbage").stderr).contains("no adapter matches"));
    assert!(command("cpu").status.success());
}

#[test]
fn f16_is_refused_where_there_is_none() {
    fails(&["inspect", model(), "--precision", "f8"], 2, &["--precision", "f8", "f32 or f16"]);
    fails(&["inspect", model(), "--precision", "f16", "--device", "cpu"], 2, &["f16", "reference"]);
    fails(&["inspect", "--shader", "softmax", "--precision", "f16"], 2, &["softmax", "f16"]);
    let shader = stdout(&convgpu(&["inspect", "--shader", "conv2d_gemm", "--precision", "f16"]));
    assert!(shader.starts_with("enable f16;") && shader.contains("alias Stored = f16;"), "{shader}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
    let output =
        command.args(["inspect", model(), "--precision", "f16"]).env("CONVGPU_LIMITS", "default").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr.contains("precision f16"), "{stderr}");
}

#[test]
fn help_says_what_statuses_mean_and_where_tunings_are() {
    let help = |args: &[&str]| stdout(&convgpu(args)).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help(&["--help"]).contains("1 the check or the run failed; 2 the call or a file is wrong"));
    assert!(help(&["tune", "--help"]).contains("tuning-ADAPTER.json, in $XDG_CACHE_HOME"));
    for command in ["run", "verify", "bench", "inspect", "compare", "tune"] {
        assert!(help(&[command, "--help"]).contains("The network: an ONNX file; - is stdin"), "{command}");
    }
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

#[test]
fn run_answers_with_labels_and_writes_every_output() {
    let (image, dir) = (digit("run"), format!("{}/run", env!("CARGO_TARGET_TMPDIR")));
    let labels = format!("{dir}.txt");
    std::fs::write(&labels, (0..10).map(|d| format!("digit {d}\n")).collect::<String>()).unwrap();
    let args = ["run", model(), "--device", "cpu", "--input", &image, "--labels", &labels, "--output-dir", &dir];
    let text = stdout(&convgpu(&[&args[..], &["--top", "2"]].concat()));
    assert!(text.lines().nth(1).unwrap().ends_with("digit 7") && text.lines().count() == 3, "{text}");
    let json = stdout(&convgpu(&[&args[..], &["--json"]].concat()));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let output = &json["outputs"][0];
    assert_eq!((&output["top"][0]["index"], output["top"].as_array().unwrap().len()), (&7.into(), 5), "{json}");
    assert_eq!((&output["dtype"], &output["shape"]), (&"f32".into(), &serde_json::json!([1, 10, 1, 1])), "{json}");
    let written = std::fs::read(output["file"].as_str().unwrap()).unwrap();
    assert!(written.starts_with(b"\x93NUMPY") && written.len() == 128 + 40, "{}", written.len());
}

/// Another engine gets what the network got: the same bits, in the type of the input.
#[test]
fn inputs_are_saved_as_the_network_got_them() {
    let (image, dir) = (digit("saved"), folder("saved"));
    let file = format!("{dir}/x.npy");
    let run = |input: &str, options: &[&str]| {
        let args = ["run", model(), "--device", "cpu", "--input", input, "--output-dir", &dir];
        let output = convgpu(&[&args[..], options].concat());
        assert!(output.status.success(), "{output:?}");
        std::fs::read(format!("{dir}/logits.npy")).unwrap()
    };
    let logits = run(&image, &["--mean", "0.5", "--save-input", &file]);
    assert_eq!(run(&file, &["--save-input", &format!("{dir}/inputs")]), logits);
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(format!("{dir}/inputs/input.npy")).unwrap());
    let call = ["run", model(), "--device", "cpu", "--input", &file, "--save-input"];
    fails(&[&call[..], &[&format!("{dir}/no/x.npy")]].concat(), 2, &["No such file"]);
    let both = format!("{dir}/logits.npy");
    fails(&[&call[..], &[&both, "--output-dir", &dir]].concat(), 2, &["logits.npy: logits and the input input"]);
}

/// `ulimit -f`: the signal would end the program without a word, and leave its temporary file.
#[cfg(unix)]
#[test]
fn a_file_beyond_the_limit_of_the_process_is_one_line_and_status_1() {
    let (net, dir) = (single("wide", "Relu", 1, &[1, 9000]), folder("limited"));
    let x = npy(&format!("{dir}/x.npy"), &[1, 9000], &[0.5; 9000]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 4; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_convgpu")]);
    shell.args(["run", &net, "--device", "cpu", "--input", &x, "--output-dir", &format!("{dir}/out")]);
    let output = shell.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr.starts_with("convgpu: ") && stderr.contains("logits.npy: File too large"), "{stderr}");
    assert!(!std::path::Path::new(&format!("{dir}/out")).exists());
    // Nor does it hide that a node is wrong.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 4; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_convgpu")]);
    shell.args(["verify", &net, "--input", &x, "--fail-at", "the light", "--dump", &format!("{dir}/dump")]);
    let output = shell.output().unwrap();
    let (text, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.code() == Some(1) && text.contains("WRONG"), "{text}{message}");
    assert!(message.contains("is wrong") && message.contains("File too large"), "{message}");
}

#[test]
fn verify_passes_and_names_the_first_wrong_node() {
    let image = digit("verify");
    let args = ["verify", model(), "--input", &image, "--json"];
    let output = convgpu(&args);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(output.status.success() && json["ok"] == true && json["first_wrong"].is_null(), "{json}");
    let nodes = json["nodes"].as_array().unwrap();
    assert!(nodes.len() == 3, "{json}");

    let culprit = nodes[1]["name"].as_str().unwrap();
    let output = convgpu(&[&args[..], &["--fail-at", culprit]].concat());
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((&json["ok"], &json["first_wrong"]["name"]), (&false.into(), &culprit.into()), "{json}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(&format!("convgpu: {culprit} (")) && stderr.contains("bound"), "{stderr}");
}

#[test]
fn inspect_prints_every_stage_of_planning() {
    let parts = [
        ("choose", "variant  1 of"),
        ("lower", "prepare, "),
        ("elide", "steps were left out"),
        ("lifetime", "steps 0 to"),
        ("pack", "no plan takes less than"),
        ("record", "dispatch "),
    ];
    for (stage, part) in parts {
        let found = stdout(&convgpu(&["inspect", model(), "--stage", stage]));
        assert!(found.contains(part), "{stage}: {found}");
    }
    fails(&["inspect", model(), "--stage", "lower", "--device", "cpu"], 2, &["--stage", "reference"]);
    fails(&["inspect", model(), "--stage", "cook"], 2, &["--stage", "choose"]);
}

#[test]
fn inspect_and_bench_say_what_a_network_is() {
    let found = json(&["inspect", model()]);
    assert_eq!(
        (&found["parameters"], &found["inputs"][0]["shape"]),
        (&7880.into(), &serde_json::json!([1, 1, 28, 28]))
    );
    assert!(found["plan"]["dispatches"].as_u64().unwrap() >= 3, "{found}");
    assert!(found["rewrites"].is_array() && found["declined"].is_array(), "{found}");
    let found = json(&["bench", model(), "--seconds", "0"]);
    let keys = ["device", "cold_ms", "median_ms", "p95_ms", "gflops", "dispatches", "pipelines", "bytes"];
    assert!(keys.iter().all(|k| !found[*k].is_null()), "{found}");
    let found = json(&["bench", "--ops", "--only", "relu", "--seconds", "0"]);
    assert!(found["ok"] == true && found["cases"][0]["ways"][0]["gbytes"].as_f64().unwrap() > 0.0, "{found}");
    for kernel in convgpu::internals::ops::kernels() {
        let text = stdout(&convgpu(&["inspect", "--shader", kernel.name()]));
        assert_eq!(text.trim_end(), kernel.wgsl(&[], convgpu::Precision::F32).trim_end(), "the text is whole");
    }
    let text = stdout(&convgpu(&["inspect", "--shader", "unary"]));
    assert!(text.contains("fn main") && text.contains("fn activate"), "{text}");
}

#[test]
fn a_wrong_network_or_input_is_one_line_and_status_2() {
    let dir = env!("CARGO_TARGET_TMPDIR");
    let text = format!("{dir}/text.onnx");
    std::fs::write(&text, "this is text").unwrap();
    let image = digit("wrong");
    let cpu = ["--device", "cpu"];
    let fails = |args: &[&str], parts: &[&str]| fails(&[args, &cpu[..]].concat(), 2, parts);
    fails(&["run", "missing.onnx"], &["missing.onnx", "No such file"]);
    fails(&["run", dir], &[dir]);
    fails(&["run", &text], &["text.onnx"]);
    fails(&["run", model()], &["input", "missing"]);
    fails(&["run", model(), "--input", "missing.npy"], &["missing.npy"]);
    fails(&["run", model(), "--input", &format!("nobody={image}")], &["no input nobody", "inputs: input"]);
    fails(
        &["run", model(), "--input", &image, "--input", &image],
        &["more files than inputs, of which the network has 1"],
    );
    fails(&["run", model(), "--input", &text], &["text.onnx", "not an image that can be read", "WebP"]);
    fails(&["run", model(), "--input", &image, "--resize", "0"], &["--resize"]);
    fails(&["run", model(), "--input", &image, "--crop", "20"], &["20x20", "28x28"]);
    fails(&["run", model(), "--input", &image, "--labels", "missing.txt"], &["missing.txt"]);
    fails(&["verify", model(), "--fail-at", "nobody"], &["no node nobody"]);
    fails(
        &["verify", model(), "--fail-at", "the edges", "--from", "the logits"],
        &["the edges comes before the first node"],
    );
    fails(&["inspect"], &["--shader"]);
    fails(&["inspect", "--shader", "nope"], &["no kernel nope", "unary"]);
    fails(&["bench"], &["--ops"]);
    fails(&["bench", "--ops"], &["reference"]);
    fails(&["bench", "--ops", "--layers", &text], &["text.onnx", "not a file of layers"]);
    fails(&["tune", model()], &["reference"]);
}

#[test]
fn ops_prints_the_table_as_text_and_as_markdown() {
    let (text, markdown) = (stdout(&convgpu(&["ops"])), stdout(&convgpu(&["ops", "--markdown"])));
    assert!(text.contains("conv2d") && markdown.starts_with("| operator | PyTorch | ONNX |"), "{text}{markdown}");
}

#[test]
fn a_variable_that_matches_nothing_is_named() {
    for (variable, value) in [("WGPU_BACKEND", "vulcan"), ("WGPU_ADAPTER_NAME", "no such adapter")] {
        for args in [&["devices"][..], &["inspect", model()], &["inspect", model(), "--device", "0"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
            let output = command.args(args).env_remove("CONVGPU_DEVICE").env(variable, value).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{stderr}");
            assert!(stderr.contains(&format!("{variable}={value}")), "{stderr}");
        }
    }
}

#[test]
fn variables_of_the_environment_are_checked() {
    let call = |args: &[&str], variable, text| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convgpu"));
        command.args(args).env_remove("CONVGPU_DEVICE").env(variable, text).output().unwrap()
    };
    for (variable, wrong, right) in [("CONVGPU_CHECKED", "yes", "1"), ("CONVGPU_LIMITS", "webgpu", "default")] {
        let refused = call(&["devices"], variable, wrong);
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && text.contains(&format!("{variable} is {wrong:?}")), "{refused:?}");
        assert!(call(&["devices"], variable, right).status.success());
    }
    // A check of the devices takes the one that the environment names, as every other command.
    let checked = call(&["devices", "--check", "--json"], "CONVGPU_DEVICE", "0");
    let listed: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let reports = listed["devices"].as_array().unwrap().iter().filter(|device| device["check"].is_object()).count();
    assert!(checked.status.success() && reports == 1, "{listed}");
    assert_eq!(call(&["devices", "--check"], "CONVGPU_DEVICE", "no such adapter").status.code(), Some(2));
    fails(&["devices", "--check", "--device", "no such adapter"], 2, &["no adapter matches", "no such adapter"]);
}

#[test]
fn two_devices_are_compared() {
    let image = digit("compare");
    let args = ["compare", model(), "--input", &image, "--seconds", "0", "--device", "0", "--device", "cpu"];
    let output = convgpu(&[&args[..], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let devices = json["devices"].as_array().unwrap();
    assert!(output.status.success() && devices.len() == 2 && devices[1]["device"] == "CPU reference", "{json}");
    assert!(devices[0]["first_different"].is_null() && devices[1].get("outputs").is_none(), "{json}");
    let answer = &devices[0]["outputs"][0];
    assert!(answer["ok"] == true && answer["difference"].as_f64().unwrap() < 1e-3, "{json}");
    assert!(stdout(&convgpu(&args)).contains("no value differs"));
    fails(&["compare", model(), "--device", "cpu"], 2, &["--device twice or more"]);
    let nan = npy(&format!("{}/nan.npy", folder("compare_nan")), &[1, 1, 28, 28], &[f32::NAN; 784]);
    let args = ["compare", model(), "--input", &nan, "--seconds", "0", "--device", "0", "--device", "cpu"];
    let nothing = convgpu(&args);
    let message = String::from_utf8_lossy(&nothing.stderr).into_owned();
    assert!(nothing.status.code() == Some(1) && message.contains("no output has a finite element"), "{message}");
    fails(&["run", model(), "--device", "cpu", "--device", "0"], 2, &["takes one --device"]);
    fails(&["run", model(), "--device", "all"], 2, &["takes one --device"]);
}

/// Every adapter that `devices` lists, and the reference, with which they are compared.
#[test]
fn all_devices_are_compared() {
    let listed = json(&["devices"]);
    let output = convgpu(&["compare", model(), "--seconds", "0", "--device", "all", "--json"]);
    let compared: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let (listed, compared) = (listed["devices"].as_array().unwrap(), compared["devices"].as_array().unwrap());
    // A driver may list an adapter that does not open.
    let left_out = String::from_utf8_lossy(&output.stderr).matches("left out: adapter").count();
    assert_eq!(compared.len() + left_out, listed.len());
    let (last, others) = compared.split_last().unwrap();
    assert_eq!(last["device"], "CPU reference");
    assert!(others.iter().all(|d| d["outputs"][0]["ok"] == true), "{compared:?}");
}

#[test]
fn a_profile_names_nodes_and_operators() {
    let trace = format!("{}/trace.json", env!("CARGO_TARGET_TMPDIR"));
    let args = ["bench", model(), "--seconds", "0", "--profile", "--iterations", "2", "--trace", &trace];
    let json: serde_json::Value = serde_json::from_str(&stdout(&convgpu(&[&args[..], &["--json"]].concat()))).unwrap();
    let profile = &json["profile"];
    let operators: Vec<_> = profile["operators"].as_array().unwrap().iter().map(|o| &o["name"]).collect();
    assert!(operators.iter().any(|o| *o == "conv2d") && profile["iterations"] == 2, "{json}");
    assert!(profile["nodes"].as_array().unwrap().iter().all(|n| n["ms"].as_f64().unwrap() > 0.0), "{json}");
    let text: serde_json::Value = serde_json::from_slice(&std::fs::read(&trace).unwrap()).unwrap();
    assert_eq!(text["traceEvents"].as_array().unwrap().len(), profile["dispatches"].as_array().unwrap().len());
    // On stdout it is alone.
    let alone = ["bench", model(), "--seconds", "0", "--trace", "-"];
    let output = convgpu(&alone);
    let text: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let tables = String::from_utf8_lossy(&output.stderr);
    assert!(text["traceEvents"].is_array() && tables.contains("cold ms") && tables.contains("conv2d"), "{tables}");
    let both = convgpu(&[&alone[..], &["--json"]].concat());
    let object: serde_json::Value = serde_json::from_slice(&both.stdout).unwrap();
    assert!(both.status.code() == Some(2) && object["error"]["kind"] == "argument", "{object}");
    let text = stdout(&convgpu(&args));
    let heading =
        |first: &str| text.lines().find(|l| l.starts_with(first)).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(heading("node ")[..4], ["node", "operator", "kernels", "ms"], "{text}");
    assert_eq!(heading("operator ")[..4], ["operator", "nodes", "ms", "share"], "{text}");
    assert!(text.contains("\nclassifier.onnx ") && !text.contains("/classifier.onnx"), "{text}");
}

/// What a node gave is compared with the values of another engine, here its own on the reference.
#[test]
fn evidence_and_expectations_are_files() {
    let (image, dir) = (digit("evidence"), format!("{}/evidence", env!("CARGO_TARGET_TMPDIR")));
    let written = convgpu(&["run", model(), "--input", &image, "--device", "cpu", "--output-dir", &dir]);
    assert!(written.status.success(), "{written:?}");
    let args = ["verify", model(), "--input", &image, "--expect", &dir];
    let output = convgpu(&args);
    assert!(output.status.success() && stdout(&output).contains("1 of 1 expected values compared"), "{output:?}");
    // Of an earlier call, about a node with more inputs.
    let dump = folder("evidence-dump");
    std::fs::write(format!("{dump}/input_7.npy"), "another").unwrap();
    (0..7).for_each(|k| std::fs::write(format!("{dump}/input_{k}.npy"), "another").unwrap());
    let wrong =
        convgpu(&[&args[..], &["--fail-at", "the logits", "--dump", &dump, "--from", "the logits", "--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&stdout(&wrong)).unwrap();
    assert_eq!((wrong.status.code(), json["nodes"].as_array().unwrap().len()), (Some(1), 1), "{json}");
    let files: Vec<_> = json["dump"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    assert!(
        ["input_0.npy", "output_0.npy", "expected_0.npy", "bound_0.npy"]
            .iter()
            .all(|f| files.iter().any(|p| p.ends_with(f))),
        "{json}"
    );
    assert!(files.iter().all(|f| std::fs::read(f).unwrap().starts_with(b"\x93NUMPY")));
    assert_eq!(std::fs::read_dir(&dump).unwrap().count(), files.len(), "{json}");
    assert_eq!(json["expect"]["first_different"], "logits");
}

/// With --json a failure is an object on stdout, beside the line on stderr.
#[test]
fn failures_are_objects_for_programs() {
    for (args, kind) in [
        (&["run", "missing.onnx", "--json"][..], "file"),
        (&["run", model(), "--json", "--device", "cpu"], "argument"),
        (&["inspect", "--json", "--frobnicate"], "argument"),
    ] {
        let output = convgpu(args);
        let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(output.status.code() == Some(2) && json["error"]["message"].is_string(), "{json}");
        assert_eq!(json["error"]["kind"], kind, "{json}");
    }
}

/// The paths of all fields of an object, as docs/json.md writes them.
fn paths(value: &serde_json::Value, at: &str, out: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                paths(value, &if at.is_empty() { name.clone() } else { format!("{at}.{name}") }, out);
            }
        }
        serde_json::Value::Array(elements) if elements.first().is_some_and(|e| e.is_object()) => {
            elements.iter().for_each(|e| paths(e, &format!("{at}[]"), out));
        }
        _ => drop(out.insert(at.to_owned())),
    }
}

/// What docs/json.md says of a command is what an object has.
fn is_documented(command: &str, object: &serde_json::Value) {
    const PAGE: &str = include_str!("../../../docs/json.md");
    let mut found = std::collections::BTreeSet::new();
    paths(object, "", &mut found);
    let rows = PAGE.lines().filter_map(|l| l.strip_prefix(&format!("| {command} | ")));
    let fields: Vec<&str> = rows.flat_map(|r| r.split(" | ").next().unwrap().split('`').skip(1).step_by(2)).collect();
    assert!(!fields.is_empty(), "{command}");
    let named = |path: &String| {
        fields
            .iter()
            .any(|f| f.trim_end_matches('?') == path || path.starts_with(&format!("{}.", f.trim_end_matches('?'))))
    };
    let unknown: Vec<_> = found.iter().filter(|path| !named(path)).collect();
    assert!(unknown.is_empty(), "docs/json.md lacks of {command}: {unknown:?}");
    let there = |f: &str| found.iter().any(|path| path == f || path.starts_with(&format!("{f}.")));
    let gone: Vec<_> = fields.iter().filter(|f| !f.ends_with('?') && !there(f)).collect();
    assert!(gone.is_empty(), "{command} does not print {gone:?}");
}

#[test]
fn every_field_of_every_object_is_documented() {
    let image = digit("json");
    let cache = format!("{}/cache", env!("CARGO_TARGET_TMPDIR"));
    let expected =
        npy(&format!("{}/json_expected/small.npy", env!("CARGO_TARGET_TMPDIR")), &[1, 4, 14, 14], &[0.0; 784]);
    let expected = expected.trim_end_matches("/small.npy");
    let (shaders, wrong, export) = (folder("json_shaders"), folder("json_wrong"), folder("json_export"));
    let calls: [(&str, &[&str]); 19] = [
        ("run", &["run", model(), "--input", &image, "--top", "2"]),
        ("verify", &["verify", model(), "--input", &image, "--replays", "2"]),
        ("verify", &["verify", model(), "--input", &image, "--expect", expected]),
        ("inspect", &["inspect", model(), "--nodes"]),
        ("inspect", &["inspect", model(), "--dump-shaders", &shaders]),
        ("inspect --shader", &["inspect", "--shader", "unary"]),
        ("bench", &["bench", model(), "--seconds", "0", "--profile"]),
        ("bench --ops", &["bench", "--ops", "--only", "relu", "--seconds", "0"]),
        ("compare", &["compare", model(), "--seconds", "0", "--device", "0", "--device", "cpu"]),
        ("conformance", &["conformance", "--case", "conv2d/integers/3"]),
        ("conformance", &["conformance", "--case", "conv2d/integers/3", "--fail-at", "conv2d", "--repro", &wrong]),
        ("conformance --faults", &["conformance", "--faults", "--op", "pad", "--cases", "1"]),
        (
            "conformance --export",
            &["conformance", "--case", "conv2d/integers/3", "--device", "cpu", "--export", &export],
        ),
        ("devices", &["devices"]),
        ("devices", &["devices", "--check", "--seconds", "600"]),
        ("ops", &["ops"]),
        ("demo", &["demo", "--device", "cpu"]),
        ("demo FILE", &["demo", &image, "--device", "cpu"]),
        ("tune", &["tune", model(), "--seconds", "0"]),
    ];
    for (command, args) in calls {
        let mut program = Command::new(env!("CARGO_BIN_EXE_convgpu"));
        let output =
            program.args(args).arg("--json").env_remove("CONVGPU_DEVICE").env("XDG_CACHE_HOME", &cache).output();
        let output = output.unwrap();
        let object = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"));
        is_documented(command, &object);
    }
    let case = std::fs::read(format!("{wrong}/case.json")).unwrap();
    is_documented("case.json", &serde_json::from_slice(&case).unwrap());
    let manifest = std::fs::read(format!("{shaders}/manifest.json")).unwrap();
    is_documented("manifest.json", &serde_json::from_slice(&manifest).unwrap());
    let manifest = std::fs::read(format!("{export}/manifest.json")).unwrap();
    is_documented("exported manifest.json", &serde_json::from_slice(&manifest).unwrap());
}
