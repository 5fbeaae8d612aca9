//! What a call asked for in vain: notes on stderr beside the results.

use super::support::*;

/// What a call gives; tunings are in this folder.
fn cached(args: &[&str], cache: &str) -> std::process::Output {
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_convgpu"));
    program.args(args).env_remove("CONVGPU_DEVICE").env("XDG_CACHE_HOME", cache).output().unwrap()
}

/// What a successful call says on stderr.
fn notes(args: &[&str], cache: &str) -> String {
    let output = cached(args, cache);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {stderr}");
    stderr
}

#[test]
fn options_without_effect_are_said() {
    let dir = folder("notes");
    let x = npy(&format!("{dir}/x.npy"), &[1, 1, 28, 28], &[0.5; 784]);
    let bytes = array(&format!("{dir}/bytes.npy"), "|u1", &[1, 1, 28, 28], &[7; 784]);
    let image = digit("notes");
    let calls: [(&[&str], &str); 12] = [
        (&["bench", model(), "--batch", "4", "--seconds", "0"], "--batch: every input"),
        (&["verify", model(), "--batch", "4"], "--batch: every input"),
        (&["inspect", model(), "--input", &x, "--batch", "4"], "--batch: every input"),
        (&["verify", model(), "--input", &x, "--seed", "3"], "--seed: every input has a file"),
        (&["verify", model(), "--input", &x, "--range", "0..9"], "--range: every input has a file"),
        (&["verify", model(), "--batch", "4", "--input", &x], "--batch: every input"),
        (&["run", model(), "--input", &image, "--bgr"], "--bgr: the input has one channel"),
        (&["run", model(), "--input", &image, "--fit", "crop", "--fill", "3"], "--fill: only --fit pad"),
        (&["inspect", model(), "--seed", "3"], "--seed and --range: this command computes nothing"),
        (&["run", model(), "--input", &image, "--top", "11"], "--top: logits has only 10 classes"),
        (&["ops"], "--device: this command uses no device"),
        (&["run", model(), "--input", &bytes], "input: u8 elements are taken as f32"),
    ];
    for (call, note) in calls {
        let said = notes(&[call, &["--device", "cpu"]].concat(), &dir);
        assert_eq!(said.lines().filter(|l| l.contains(note)).count(), 1, "{call:?}: {said}");
    }
    let said = notes(&["verify", model(), "--device", "cpu"], &dir);
    assert!(notes(&["ops"], &dir).is_empty());
    assert!(!said.contains("--batch") && !said.contains("--seed"), "{said}");
}

#[test]
fn options_of_another_mode_are_refused() {
    let shader = ["inspect", "--shader", "softmax"];
    let calls: [(&[&str], &str); 16] = [
        (&["bench", model(), "--only", "relu"], "--only"),
        (&["bench", model(), "--chosen"], "--chosen"),
        (&["bench", model(), "--layers", "x.json"], "--layers"),
        (&["bench", model(), "--iterations", "5"], "--profile"),
        (&["bench", model(), "--warmup", "5"], "--profile"),
        (&["bench", model(), "--profile", "--iterations", "0"], "from 1 on"),
        (&["bench", "--ops", "--iterations", "5"], "--iterations"),
        (&["bench", "--ops", "--input", "x.npy"], "--input"),
        (&["bench", "--ops", "--batch", "4"], "--batch"),
        (&["verify", model(), "--batch", "0"], "--batch"),
        (&["run", model(), "--input", "x.npy", "--top", "0"], "--top"),
        (&["run", model(), "--input", &digit("saved"), "--save-input", "q.png"], "expected FILE.npy or a folder"),
        (&["bench", "--ops", "--mean", "1"], "--mean"),
        (&[shader[0], shader[1], shader[2], "--nodes"], "--nodes"),
        (&[shader[0], shader[1], shader[2], "--batch", "4"], "--batch"),
        (&[shader[0], shader[1], shader[2], "--bgr"], "--bgr"),
    ];
    for (call, part) in calls {
        fails(call, 2, &[part]);
    }
}

#[test]
fn a_tuning_of_other_networks_is_said() {
    let dir = folder("tunings");
    let relu = single("untuned", "Relu", 1, &[1, 4]);
    let x = npy(&format!("{dir}/x.npy"), &[1, 1, 28, 28], &[0.5; 784]);
    let y = npy(&format!("{dir}/y.npy"), &[1, 4], &[0.5; 4]);
    let tuned = |net: &str, input: &str| notes(&["run", net, "--tuned", "--input", input], &dir);
    assert!(tuned(model(), &x).contains("--tuned: no tuning is stored for this adapter"));
    notes(&["tune", model(), "--seconds", "0"], &dir);
    let files = std::fs::read_dir(format!("{dir}/convgpu")).unwrap().map(|entry| entry.unwrap().path());
    let stored = files.into_iter().find(|f| f.extension().is_some_and(|e| e == "json")).unwrap();
    let text = std::fs::read(&stored).unwrap();
    std::fs::write(&stored, &text[..text.len() / 2]).unwrap();
    assert!(tuned(model(), &x).contains(".json is damaged; run convgpu tune MODEL first"));
    let again = notes(&["tune", model(), "--seconds", "0"], &dir);
    assert!(again.contains(".json is damaged, and is replaced"), "{again}");
    #[cfg(unix)]
    {
        std::fs::remove_file(&stored).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&stored).status().unwrap().success());
        for call in [&["tune", model(), "--seconds", "0"][..], &["run", model(), "--tuned", "--input", &x]] {
            let output = cached(call, &dir);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.code() == Some(2) && stderr.contains("is a device, not a file"), "{stderr}");
        }
        std::fs::remove_file(&stored).unwrap();
    }
    notes(&["tune", model(), "--seconds", "0"], &dir);
    assert!(!tuned(model(), &x).contains("--tuned:"));
    assert!(tuned(&relu, &y).contains("--tuned: the tuning of this adapter has nothing for this network"));
}
