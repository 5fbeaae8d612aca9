//! What checks say of wrong results: statuses, objects for programs, names of what is wrong.

use serde_json::json;

use super::support::*;

/// The classifier with a value `block/small` between its nodes.
fn blocks() -> String {
    let mut proto = classifier();
    for node in &mut proto.graph.as_mut().unwrap().node {
        let names = node.input.iter_mut().chain(&mut node.output);
        names.filter(|n| *n == "small").for_each(|n| *n = "block/small".to_owned());
    }
    written("blocks", &proto)
}

#[test]
fn ok_is_the_exit_status() {
    let dir = folder("verdicts");
    let image = digit("verdicts");
    let zeros = npy(&format!("{dir}/zeros/logits.npy"), &[1, 10, 1, 1], &[0.0; 10]).replace("/logits.npy", "");
    let unknown = npy(&format!("{dir}/unknown/nobody.npy"), &[1], &[0.0]).replace("/nobody.npy", "");
    let right = format!("{dir}/right");
    assert!(convgpu(&["run", model(), "--device", "cpu", "--input", &image, "--output-dir", &right]).status.success());
    let doubled = single("doubled", "Add", 2, &[1, 4]);
    let nan = npy(&format!("{dir}/nan.npy"), &[1, 4], &[f32::NAN; 4]);
    // The small terms are lost in f32.
    let sum = single("cancelled", "ReduceSum", 1, &[1, 4096]);
    let mut terms = vec![0.1; 4096];
    (terms[0], terms[4095]) = (1e12, -1e12);
    let terms = npy(&format!("{dir}/terms.npy"), &[1, 4096], &terms);
    let verify = ["verify", model(), "--input", &image];
    let devices = ["--seconds", "0", "--device", "0", "--device", "cpu"];
    let calls: [(&[&str], &[&str], i32); 12] = [
        (&verify, &[], 0),
        (&verify, &["--expect", &right], 0),
        (&verify, &["--fail-at", "the logits"], 1),
        (&verify, &["--expect", &zeros], 1),
        (&verify, &["--expect", &unknown], 1),
        (&["verify", &doubled, "--input", &nan], &[], 1),
        (&["verify", &doubled, "--input", &nan], &["--allow-nonfinite"], 0),
        (&["verify", &sum, "--input", &terms], &[], 1),
        (&["compare", &sum, "--input", &terms], &devices, 1),
        (&["compare", model(), "--input", &image], &devices, 0),
        (&["demo"], &["--device", "cpu"], 0),
        (&["bench", "--ops", "--only", "relu", "--seconds", "0"], &[], 0),
    ];
    for (call, options, status) in calls {
        let args = [call, options, &["--json"]].concat();
        let output = convgpu(&args);
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(status), "{args:?}: {object}");
        assert_eq!(object["ok"], json!(status == 0), "{args:?}: {object}");
        if options.contains(&"--expect") {
            assert_eq!(object["expect"]["ok"], json!(status == 0), "{args:?}: {object}");
        }
    }
}

#[test]
fn expected_values_are_found_by_name_and_the_rest_is_listed() {
    let (net, dir, image) = (blocks(), folder("expected"), digit("expected"));
    npy(&format!("{dir}/block/small.npy"), &[1, 4, 14, 14], &[0.0; 784]);
    npy(&format!("{dir}/edges.npy"), &[1, 4, 28, 28], &[0.0; 3136]);
    npy(&format!("{dir}/nobody.npy"), &[1], &[0.0]);
    let args = ["verify", &net, "--input", &image, "--expect", &dir];
    let expect = &json(&args)["expect"];
    assert_eq!((&expect["fused_away"], &expect["not_computed"]), (&json!(["edges"]), &json!(["nobody"])), "{expect}");
    let first = &expect["values"][0];
    assert_eq!((&expect["first_different"], &first["node"]), (&json!("block/small"), &json!("the small")), "{expect}");
    let output = convgpu(&args);
    let text = stdout(&output);
    for line in ["1 of 3 expected values compared", "1 fused away: edges", ": nobody", "--no-fuse checks"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // One line that is read at once: the value, its node, and one element.
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("the value block/small of the node the small (max_pool2d) differs"), "{stderr}");
    assert_eq!(stderr.matches("(bound").count(), 1, "{stderr}");
    let unfused = json(&[&args[..], &["--no-fuse"]].concat());
    assert_eq!(unfused["expect"]["first_different"], "edges", "{unfused}");
    assert!(!stdout(&convgpu(&[&args[..], &["--no-fuse"]].concat())).contains("--no-fuse checks"));
    // / as _
    std::fs::rename(format!("{dir}/block/small.npy"), format!("{dir}/block_small.npy")).unwrap();
    assert_eq!(json(&args)["expect"]["values"][0]["name"], "block/small");
}

/// The classifier with weights of both signs, whose products cancel.
fn cancelling() -> convgpu::internals::model::proto::ModelProto {
    let mut proto = classifier();
    let weights = &mut proto.graph.as_mut().unwrap().initializer[2].float_data;
    weights.iter_mut().enumerate().for_each(|(k, w)| *w = if k % 2 == 0 { 1.0 } else { -1.0 });
    proto
}

#[test]
fn the_tolerance_of_f16_includes_what_it_changes() {
    if json(&["devices"])["devices"][0]["f16"] != true {
        return;
    }
    let image = digit("f16");
    let devices = ["--seconds", "0", "--precision", "f16", "--device", "0", "--device", "cpu"];
    let args = [&["compare", model(), "--input", &image][..], &devices].concat();
    let object = json(&args);
    let answer = &object["devices"][0]["outputs"][0];
    assert!(object["ok"] == true && answer["rounding"].as_f64().unwrap() > 0.0, "{object}");
    assert!(stdout(&convgpu(&args)).contains("every node in f16 is right"));
    // The sum of large terms is small: rounding them to f16 changes it by more than the tolerance of f32.
    let dir = folder("f16");
    let net = written("f16_sum", &cancelling());
    let x = npy(&format!("{dir}/x.npy"), &[1, 1, 28, 28], &(0..784).map(|i| 0.3 + i as f32 * 1e-3).collect::<Vec<_>>());
    let out = format!("{dir}/out");
    assert!(convgpu(&["run", &net, "--device", "cpu", "--input", &x, "--output-dir", &out]).status.success());
    let object = json(&["verify", &net, "--input", &x, "--precision", "f16", "--expect", &out]);
    let value = &object["expect"]["values"][0];
    assert!(object["ok"] == true && value["rounding"].as_f64().unwrap() > 0.0, "{object}");
}

#[test]
fn a_node_with_a_finite_element_is_checkable() {
    let (net, none, dir) = (single("mixed", "Add", 2, &[1, 4]), single("void", "Add", 2, &[0, 4]), folder("mixed"));
    let given = |values: &[f32]| npy(&format!("{dir}/x.npy"), &[values.len() / 4, 4], values);
    let verify = |net: &str, values: &[f32]| {
        let output = convgpu(&["verify", net, "--input", &given(values), "--json"]);
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let fields = [&object["ok"], &object["checkable"], &object["nodes"][0]["checkable"]].map(Clone::clone);
        (output.status.code().unwrap(), json!(fields), String::from_utf8(output.stderr).unwrap())
    };
    let (status, fields, _) = verify(&net, &[f32::NAN, f32::NAN, f32::INFINITY, 1.0]);
    assert_eq!((status, fields), (0, json!([true, true, true])));
    let (status, fields, line) = verify(&net, &[f32::NAN; 4]);
    assert_eq!((status, fields), (1, json!([false, false, false])));
    assert!(line.contains("not checkable: 1 of 1 nodes have no finite element"), "{line}");
    let (status, fields, _) = verify(&none, &[]);
    assert_eq!((status, fields), (0, json!([true, null, null])));
}

/// One node whose result is NaN in one element, on every device.
#[test]
fn what_is_not_finite_is_counted_and_never_hidden() {
    let (net, dir) = (single("partly", "Add", 2, &[1, 4]), folder("partly"));
    let x = npy(&format!("{dir}/x.npy"), &[1, 4], &[f32::NAN, 1.0, f32::INFINITY, f32::NAN]);
    let compare = ["compare", &net, "--input", &x, "--seconds", "0", "--device", "cpu", "--device", "cpu"];
    let answer = &json(&compare)["devices"][0]["outputs"][0];
    assert_eq!((&answer["nan"], &answer["infinite"], &answer["ok"]), (&json!(2), &json!(1), &json!(true)));
    assert!(stdout(&convgpu(&compare)).contains("equal within the tolerance, 2 NaN, 1 infinite"));
}

#[test]
fn the_report_of_verify_names_the_device_and_concludes() {
    let text = stdout(&convgpu(&["verify", model(), "--input", &digit("report")]));
    assert!(text.starts_with("device  ") && text.ends_with("3 nodes and 1 output checked: all within their bounds\n"));
    assert!(
        text.contains("output \"logits\": error ") && text.contains(" % of the tolerance (1e-3 |x| + 1e-4 max|x|)  ok")
    );
    let text = stdout(&convgpu(&["verify", model(), "--input", &digit("report"), "--fail-at", "the logits"]));
    assert!(text.contains(", expected ") && text.contains("checked: 1 node and 0 outputs WRONG"), "{text}");

    let text = stdout(&convgpu(&["verify", model(), "--input", &digit("report"), "--replays", "3", "--strict"]));
    assert!(text.ends_with("all within their bounds; the same bits in 3 replays\n"), "{text}");

    let dir = folder("sibling");
    let (sum, terms) =
        (single("summed", "ReduceSum", 1, &[1, 4096]), npy(&format!("{dir}/x.npy"), &[1, 4096], &[0.5; 4096]));
    let output = convgpu(&["verify", &sum, "--input", &terms, "--fail-at", "the light"]);
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let part = "without workgroup memory, reduce is right: use it by --avoid-workgroup-memory";
    assert!(text.contains(part) && error.contains(part), "{text}{error}");
}
