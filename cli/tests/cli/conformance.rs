//! `convgpu conformance`: what it prints and writes, and that it finds what is wrong.

use serde_json::Value;

use crate::support::{convgpu, fails, folder, json, stdout};

const SMALL: [&str; 6] = ["conformance", "--quick", "--op", "softmax", "--cases", "30"];

fn small(more: &[&str]) -> Vec<String> {
    SMALL.iter().chain(more).map(|s| (*s).to_owned()).collect()
}

fn called(args: &[String]) -> (Option<i32>, Value) {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = convgpu(&args);
    let object = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"));
    (output.status.code(), object)
}

#[test]
fn every_kernel_of_an_operator_is_in_the_ledger() {
    let (status, object) = called(&small(&["--json"]));
    assert_eq!((status, &object["ok"]), (Some(0), &Value::Bool(true)), "{object}");
    let ledger = &object["ledgers"][0];
    let rows = ledger["rows"].as_array().unwrap();
    assert!(
        rows.len() > 2
            && rows.iter().all(|row| row["op"].as_str().unwrap().ends_with("softmax") && row["verdict"] == "ok"),
        "{ledger}"
    );
    for oracle in ["reference", "pytorch"] {
        assert!(rows.iter().any(|row| row["cases"][oracle].as_u64() > Some(0)), "{oracle}: {ledger}");
    }
    // The reference itself is compared with PyTorch, and never runs again.
    let replays = |row: &Value| row["replays"].as_u64().unwrap();
    assert!(rows.iter().all(|row| (replays(row) >= 100) != (row["kernels"] == "reference")), "{ledger}");
}

#[test]
fn a_wrong_kernel_is_found_named_and_written() {
    let (dir, page) = (folder("conformance"), format!("{}/page.html", folder("conformance_page")));
    let fault = ["--fail-at", "softmax", "--json", "--replays", "0"];
    let (status, object) = called(&small(&[&fault[..], &["--repro", &dir, "--report", &page]].concat()));
    assert_eq!((status, &object["ok"]), (Some(1), &Value::Bool(false)), "{object}");
    let first = &object["ledgers"][0]["failures"][0];
    assert!(first["wrong"].as_str().unwrap().contains("elements wrong; at ["), "{first}");
    let again: Vec<String> = first["again"].as_str().unwrap().split(' ').skip(1).map(str::to_owned).collect();
    assert_eq!(called(&[&again[..], &["--json".to_owned()]].concat()).0, Some(0), "the kernel is right: {again:?}");
    let (status, alone) = called(&[&again[..], &fault.map(str::to_owned)].concat());
    assert_eq!((status, &alone["ledgers"][0]["cases"]), (Some(1), &Value::from(1)), "{alone}");
    assert_eq!(alone["ledgers"][0]["failures"][0], *first);

    let written = |name: &str| std::fs::read(format!("{dir}/{name}")).unwrap_or_else(|e| panic!("{name}: {e}"));
    let case: Value = serde_json::from_slice(&written("case.json")).unwrap();
    assert!(case["case"] == first["case"] && case["commands"].as_array().unwrap().len() > 2, "{case}");
    for name in ["input_0.npy", "output_0.npy", "expected_0.npy", "bound_0.npy"] {
        assert!(!written(name).is_empty(), "{name}");
    }
    let manifest: Value = serde_json::from_slice(&written("manifest.json")).unwrap();
    assert!(!manifest["pipelines"].as_array().unwrap().is_empty(), "{manifest}");
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("<svg") && page.contains(">wrong<") && !page.contains("http"), "{page}");
}

#[test]
fn the_call_is_checked() {
    fails(&["conformance", "--op", "convolute"], 2, &["there is no operator convolute", "conv2d"]);
    fails(&["conformance", "--case", "convolute/integers/1"], 2, &["there is no operator convolute"]);
    fails(&["conformance", "--case", "functional/pytorch/99999"], 2, &["there is no case functional/pytorch/99999"]);
    fails(&["conformance", "--case", "softmax/integers/1"], 2, &["there is no case softmax/integers/1"]);
    fails(&["conformance", "--case", "conv2d/17"], 2, &["conv2d/17 names no case", "conv2d/integers/17"]);
    let output = convgpu(&["conformance", "--case", "conv2d/integers/1", "--kernel", "no such"]);
    assert!(
        output.status.code() == Some(1) && String::from_utf8_lossy(&output.stderr).contains("no case ran"),
        "{output:?}"
    );
    let text = stdout(&convgpu(&["conformance", "--case", "conv2d/integers/1"]));
    assert!(text.contains("conv2d") && text.contains("1 cases, ") && text.contains(" 0 wrong"), "{text}");
}

/// A case is the same in every run with its seed, and another with another.
#[test]
fn cases_follow_from_the_seed() {
    let what = |seed: &str| {
        let object = json(&["conformance", "--case", "reduce/reference/5", "--replays", "0", "--seed", seed]);
        object["ledgers"][0]["rows"][0]["worst_case"]["what"].as_str().unwrap().to_owned()
    };
    assert!(what("7") == what("7") && what("7") != what("8"));
}

#[test]
fn planted_faults_are_shown() {
    let output = convgpu(&["conformance", "--faults", "--op", "pad", "--cases", "1"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("pad       conformance") && text.contains("pad       verify"), "{text}");
    assert!(text.contains("1/1") && text.lines().last().unwrap().ends_with("0 were not"), "{text}");
    fails(&["conformance", "--faults", "--device", "cpu"], 1, &["there is no adapter"]);
}
