//! `convgpu conformance`: what it prints and writes, and that it finds what is wrong.

use std::process::Command;

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

/// The words of a call but for the program, as a shell reads them.
fn shell_words(call: &str) -> Vec<String> {
    let call = call.strip_prefix("convgpu ").unwrap();
    let output = Command::new("sh").args(["-c", &format!("printf '%s\\n' {call}")]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
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
    // The call names the adapter, in quotation marks where a shell needs them.
    let again = shell_words(first["again"].as_str().unwrap());
    assert!(again[2].ends_with("@vulkan") || again[2].ends_with("@gl"), "{again:?}");
    assert_eq!(called(&[&again[..], &["--json".to_owned()]].concat()).0, Some(0), "the kernel is right: {again:?}");
    assert!(again.ends_with(&["--replays".to_owned(), "0".to_owned()]), "{again:?}");
    let (status, alone) = called(&[&again[..], &fault[..3].iter().map(|&s| s.to_owned()).collect::<Vec<_>>()].concat());
    assert_eq!((status, &alone["ledgers"][0]["cases"]), (Some(1), &Value::from(1)), "{alone}");
    assert_eq!(alone["ledgers"][0]["failures"][0], *first);
    // On a device that the call names it runs again there, with what else changes the kernels.
    let named = [&fault[..], &["--device", "0", "--avoid-workgroup-memory"]].concat();
    let (_, object) = called(&small(&named));
    let again = object["ledgers"][0]["failures"][0]["again"].as_str().unwrap();
    assert!(again.starts_with("convgpu conformance --device 0 --avoid-workgroup-memory --case "), "{again}");

    let written = |name: &str| std::fs::read(format!("{dir}/{name}")).unwrap_or_else(|e| panic!("{name}: {e}"));
    let case: Value = serde_json::from_slice(&written("case.json")).unwrap();
    assert!(case["case"] == first["case"] && case["commands"].as_array().unwrap().len() > 2, "{case}");
    assert!(case["again"] == first["again"] && case["seed"] == 1, "{case}");
    let dispatch = &case["dispatches"][0];
    assert!(dispatch["kernel"] == "softmax" && dispatch["params"]["n"].as_u64() > Some(0), "{case}");
    for name in ["input_0.npy", "output_0.npy", "expected_0.npy", "bound_0.npy"] {
        assert!(!written(name).is_empty(), "{name}");
    }
    let manifest: Value = serde_json::from_slice(&written("manifest.json")).unwrap();
    assert!(!manifest["pipelines"].as_array().unwrap().is_empty(), "{manifest}");
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("<svg") && page.contains(">wrong<") && !page.contains("http"), "{page}");
    assert!(page.contains(first["again"].as_str().unwrap()) && page.contains(">seed<"), "{page}");
}

/// The elements of a list of the manifest.
fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("{name}: {value}"))
}

fn number(value: &Value, name: &str) -> usize {
    value[name].as_u64().unwrap_or_else(|| panic!("{name}: {value}")) as usize
}

/// Asserts that a part lies in its buffer.
fn lies_inside(part: &Value, buffers: &[Value]) {
    let end = number(part, "offset") + number(part, "bytes");
    assert!(end as u64 <= buffers[number(part, "buffer")].as_u64().unwrap(), "{part}");
}

/// What `scripts/tint.mjs` relies on: every file is there, and every place that the manifest names lies inside of it.
#[test]
fn exported_cases_are_whole() {
    let dir = folder("conformance_export");
    let call =
        ["conformance", "--quick", "--op", "conv2d", "--cases", "2", "--device", "cpu", "--export", &dir, "--json"];
    let (status, object) = called(&call.map(str::to_owned));
    assert_eq!((status, &object["ok"]), (Some(0), &Value::Bool(true)), "{object}");
    let file = |name: &Value| {
        let name = name.as_str().unwrap();
        std::fs::read(format!("{dir}/{name}")).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    let manifest: Value = serde_json::from_slice(&file(&"manifest.json".into())).unwrap();
    let pipelines = list(&manifest, "pipelines");
    for pipeline in pipelines {
        let text = String::from_utf8(file(&pipeline["file"])).unwrap();
        assert!(text.contains("fn main(") && !text.contains("enable "), "{pipeline}");
    }
    assert!(pipelines.iter().any(|p| number(p, "workgroup_bytes") > 0), "hardware has workgroup memory: {pipelines:?}");
    let checks = list(&manifest, "list");
    assert!(checks.len() == number(&object, "checks") && checks.len() > 20, "{object}");
    for check in checks {
        let (data, buffers) = (file(&check["file"]), list(check, "buffers"));
        for to in list(check, "writes") {
            lies_inside(to, buffers);
            assert!(number(to, "at") + number(to, "bytes") <= data.len(), "{to}");
        }
        for dispatch in list(check, "dispatches") {
            let (bindings, resources) =
                (list(&pipelines[number(dispatch, "pipeline")], "bindings"), list(dispatch, "resources"));
            assert_eq!(bindings.len(), resources.len(), "{dispatch}");
            for (binding, resource) in bindings.iter().zip(resources) {
                match binding["access"] == "uniform" {
                    true => assert!(number(resource, "at") + number(resource, "bytes") <= data.len(), "{resource}"),
                    false => lies_inside(resource, buffers),
                }
            }
        }
        assert!(!list(check, "guards").is_empty() && !list(check, "dispatches").is_empty(), "{check}");
        list(check, "guards").iter().for_each(|guard| lies_inside(guard, buffers));
        for output in list(check, "outputs") {
            lies_inside(output, buffers);
            let elements: usize = list(output, "shape").iter().map(|n| n.as_u64().unwrap() as usize).product();
            let right = &data[number(output, "right")..][..8 * elements];
            let finite = right.chunks_exact(8).all(|e| f64::from_le_bytes(e.try_into().unwrap()).is_finite());
            assert!(finite || check["oracle"] != "integers", "{check}");
            assert!(number(output, "bounds") + 4 * elements <= data.len(), "{output}");
        }
    }
}

/// What browsers do not run is counted: what an export has and what it skips is what a run has.
#[test]
fn an_export_counts_what_it_skips() {
    let case = ["conformance", "--case", "conv2d/reference/1", "--replays", "0", "--json"];
    let (_, run) = called(&case.map(str::to_owned));
    let rows = run["ledgers"][0]["rows"].as_array().unwrap();
    let ran = rows.iter().filter(|row| row["kernels"] != "reference").count();
    let dir = folder("conformance_export_skips");
    let (status, object) =
        called(&["conformance", "--case", "conv2d/reference/1", "--export", &dir, "--json"].map(str::to_owned));
    let skipped: u64 = object["skipped"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!((status, number(&object, "checks") + skipped as usize), (Some(0), ran), "{object}");
    fails(&[&case[..2], &["conv2d/reference/1", "--export", &dir]].concat(), 2, &["is not empty", "--export"]);
    let empty = folder("conformance_export_nothing");
    let none =
        ["conformance", "--case", "conv2d/reference/1", "--kernel", "no such", "--device", "cpu", "--export", &empty];
    fails(&none, 1, &["nothing was exported: no case"]);
    fails(&["conformance", "--export", &dir, "--device", "all"], 2, &["takes one --device"]);
    fails(&["conformance", "--export", &dir, "--repro", &dir], 2, &["--repro"]);
}

#[test]
fn the_call_is_checked() {
    fails(&["conformance", "--op", "convolute"], 2, &["there is no operator \"convolute\"", "conv2d"]);
    fails(&["conformance", "--case", "convolute/integers/1"], 2, &["there is no operator \"convolute\""]);
    fails(&["conformance", "--case", "functional/pytorch/99999"], 2, &["there is no case functional/pytorch/99999"]);
    fails(&["conformance", "--case", "softmax/integers/1"], 2, &["there is no case softmax/integers/1"]);
    fails(&["conformance", "--case", "conv2d/17"], 2, &["\"conv2d/17\" names no case", "conv2d/integers/17"]);
    fails(&["conformance", "--kernel", "no such"], 2, &["no kernel has \"no such\" in its name"]);
    for cases in ["18446744073709551615", "4000001"] {
        fails(&["conformance", "--op", "conv2d", "--cases", cases], 2, &["cases at once"]);
        fails(&["conformance", "--op", "conv2d", "--faults", "--cases", cases], 2, &["cases at once"]);
    }
    fails(&["conformance", "--faults", "--export", "folder"], 2, &["--export"]);
    let none = convgpu(&["conformance", "--faults", "--op", "softmax", "--cases", "0"]);
    assert!(
        none.status.code() == Some(1) && String::from_utf8_lossy(&none.stderr).contains("no fault was planted"),
        "{none:?}"
    );
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

/// The second level: within the bound, and not what rounding looks like.
#[test]
fn unlikely_results_fail_where_that_is_wanted() {
    // Sums of hundreds of products, of which an element is moved by 0.6 of its bound.
    let call = ["conformance", "--case", "matmul/reference/6", "--replays", "0", "--drift-at", "matmul", "--json"];
    let called = |args: &[&str]| called(&args.iter().map(|&s| s.to_owned()).collect::<Vec<_>>());
    let (status, object) = called(&call);
    let ledger = &object["ledgers"][0];
    assert!(status == Some(0) && object["ok"] == true && ledger["rows"][0]["unlikely"] == 1, "{object}");
    assert!(ledger["doubtful"][0]["op"] == "matmul" && ledger["doubtful"][0]["unlikely"] == 1.0, "{object}");
    let (status, object) = called(&[&call[..], &["--strict"]].concat());
    assert!(status == Some(1) && object["ok"] == false, "{object}");
    let text = convgpu(&call[..7]);
    let text = String::from_utf8_lossy(&text.stdout);
    assert!(text.contains("matmul: 100.0 % of the checks are unlikely"), "{text}");
    let (status, object) = called(&[&call[..5], &["--strict", "--json"]].concat());
    assert!(status == Some(0) && object["ledgers"][0]["doubtful"] == serde_json::json!([]), "{object}");
}

/// Adapters side by side, of which one has none of the kernels.
#[test]
fn adapters_are_shown_side_by_side() {
    let call = ["conformance", "--device", "0", "--device", "cpu", "--op", "softmax", "--cases", "2", "--replays", "0"];
    let both = convgpu(&call);
    let text = String::from_utf8_lossy(&both.stdout).into_owned();
    let (_, table) = text.split_once("side by side").unwrap();
    let cells = |kernels: &str| {
        let line = table.lines().find(|line| line.split_whitespace().take(2).eq(["softmax", kernels]));
        line.unwrap_or_else(|| panic!("no {kernels}: {text}")).split_whitespace().count() - 2
    };
    assert!(both.status.success() && cells("softmax") == 1 && cells("reference") == 2, "{text}");
    assert!(table.contains("adapter 2: CPU reference"), "{text}");
    let one = convgpu(&[&call[..], &["--kernel", "softmax_tree"]].concat());
    let errors = String::from_utf8_lossy(&one.stderr).into_owned();
    assert!(one.status.success() && errors.contains("no case ran on CPU reference"), "{one:?}");
    let none = convgpu(&["conformance", "--device", "cpu", "--op", "softmax", "--kernel", "softmax_tree"]);
    assert_eq!(none.status.code(), Some(1), "{none:?}");
}

/// What an export does not find is what a run does not find.
#[test]
fn an_export_of_nothing_fails_as_a_run() {
    let dir = folder("conformance_nothing");
    let call = ["conformance", "--export", &dir];
    fails(&[&call[..], &["--case", "softmax/reference/3", "--op", "conv2d"]].concat(), 2, &["runs no conv2d"]);
    let call = [&call[..], &["--op", "conv2d", "--cases", "1", "--kernel", "softmax_tree"]].concat();
    fails(&call, 1, &["nothing was exported: no case"]);
}

/// `--avoid-workgroup-memory` and its variable leave kernels without it.
#[test]
fn workgroup_memory_can_be_avoided() {
    let kernels = |more: &[&str], variable: Option<&str>| -> Vec<String> {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_convgpu"));
        command.args(["conformance", "--op", "softmax", "--cases", "8", "--replays", "0", "--json"]).args(more);
        command.env_remove("CONVGPU_DEVICE").env_remove("CONVGPU_AVOID_WORKGROUP_MEMORY");
        command.envs(variable.map(|value| ("CONVGPU_AVOID_WORKGROUP_MEMORY", value)));
        let output = command.output().unwrap();
        let object: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        assert_eq!(object["ok"], true, "{object}");
        list(&object["ledgers"][0], "rows").iter().map(|row| row["kernels"].as_str().unwrap().to_owned()).collect()
    };
    let has_trees = |kernels: Vec<String>| kernels.iter().any(|names| names.contains("softmax_tree"));
    for (more, variable, avoided) in [
        (&[][..], None, false),
        (&["--avoid-workgroup-memory"], None, true),
        (&[], Some("1"), true),
        (&[], Some("No"), false),
        (&[], Some(""), false),
    ] {
        assert_eq!(has_trees(kernels(more, variable)), !avoided, "{more:?} {variable:?}");
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_convgpu"));
    let output = command.arg("ops").env("CONVGPU_AVOID_WORKGROUP_MEMORY", "maybe").output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && message.contains("CONVGPU_AVOID_WORKGROUP_MEMORY may be"), "{message}");
}

/// No index is out of range: the translator's bounds checks change no bit. (A planted index out of range does: guarded.rs.)
#[test]
fn checked_shaders_give_the_same_bits() {
    let bits = |checked: &str| -> Vec<[String; 3]> {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_convgpu"));
        command.args(["conformance", "--quick", "--cases", "6", "--replays", "0", "--json"]);
        let output = command.env("CONVGPU_CHECKED", checked).output().unwrap();
        let object: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        assert_eq!(object["ok"], true, "{object}");
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let row = |row: &Value| ["op", "kernels", "bits"].map(|name| text(row, name));
        list(&object["ledgers"][0], "rows").iter().map(row).collect()
    };
    let (unchecked, checked) = (bits("0"), bits("1"));
    assert!(unchecked.len() > 100 && unchecked.len() == checked.len(), "{} {}", unchecked.len(), checked.len());
    let other: Vec<_> = unchecked.iter().zip(&checked).filter(|(a, b)| a != b).collect();
    assert!(other.is_empty(), "{other:?}");
}

/// A case counts once, however many replays differ.
#[test]
fn a_case_is_wrong_once() {
    let call = ["conformance", "--case", "matmul/reference/6", "--drift-at", "matmul", "--json"];
    let (status, object) = called(&call.map(str::to_owned));
    let ledger = &object["ledgers"][0];
    assert_eq!(status, Some(1), "{object}");
    let rows = ledger["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["wrong"] == 1), "{ledger}");
    assert_eq!(ledger["failures"].as_array().unwrap().len(), rows.len(), "{ledger}");
}

/// What cannot be written hides no result, and a wrong place is found before the run.
#[test]
fn files_that_cannot_be_written_hide_nothing() {
    let dir = folder("conformance_places");
    std::fs::write(format!("{dir}/old"), "old").unwrap();
    let case = ["conformance", "--case", "softmax/reference/3", "--replays", "0"];
    fails(&[&case[..], &["--repro", &dir]].concat(), 2, &["is not empty"]);
    fails(&[&case[..], &["--report", "-"]].concat(), 2, &["stdout has the ledger"]);
    fails(&[&case[..], &["--op", "conv2d"]].concat(), 2, &["softmax/reference/3 runs no conv2d"]);
    fails(&[&case[..], &["--fail-at", "nobody"]].concat(), 2, &["no kernel nobody ran"]);
    if cfg!(target_os = "linux") {
        let full = convgpu(&[&case[..], &["--fail-at", "softmax", "--report", "/dev/full"]].concat());
        let (text, message) = (String::from_utf8_lossy(&full.stdout), String::from_utf8_lossy(&full.stderr));
        assert!(full.status.code() == Some(1) && text.contains("elements wrong"), "{text}{message}");
        assert!(message.contains("elements wrong") && message.contains("/dev/full: No space left"), "{message}");
    }
    let strict = ["conformance", "--case", "matmul/reference/6", "--replays", "0", "--drift-at", "matmul", "--strict"];
    let message = String::from_utf8_lossy(&convgpu(&strict).stderr).into_owned();
    assert!(message.contains("the first: matmul/reference/6: "), "{message}");
    assert!(message.contains("@vulkan' --case matmul/reference/6 --seed 1 --replays 0 --strict"), "{message}");
}
