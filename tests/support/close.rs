//! Comparison with another engine's answers: rtol 1e-3 and atol 1e-4 max|expected|; integers and booleans exactly.

use std::path::{Path, PathBuf};

use convgpu::Tensor;

/// The folder with the large files that are not part of the repository.
pub fn shared() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    std::env::var_os("CONVGPU_SHARED").map_or(beside, PathBuf::from)
}

/// Prints on stderr, outside the capture of the test harness, that something was not run; `scripts/test.sh` collects these lines.
pub fn not_run(what: &str) {
    use std::io::Write;
    std::io::stderr().write_all(format!("not run: {what}\n").as_bytes()).unwrap();
}

/// A file of the shared folder; if it is missing, prints what is not run.
pub fn shared_file(path: &str, what: &str) -> Option<PathBuf> {
    let file = shared().join(path);
    if !file.exists() {
        not_run(&format!("{what} (needs {path} of the shared folder)"));
        return None;
    }
    Some(file)
}

/// An error that shows the worst element, unless all are close.
pub fn check(actual: &Tensor, expected: &Tensor) -> Result<(), String> {
    if actual.desc() != expected.desc() {
        return Err(format!("is {}, expected {}", actual.desc(), expected.desc()));
    }
    let (actual, wanted) = (actual.to_f64s(), expected.to_f64s());
    let largest = wanted.iter().filter(|v| v.is_finite()).fold(1e-6, |m: f64, v| m.max(v.abs()));
    let exact = !expected.dtype().is_float();
    let excess = |(k, (a, e)): (usize, (&f64, &f64))| {
        let bound = if exact || !e.is_finite() { 0.0 } else { 1e-3 * e.abs() + 1e-4 * largest };
        let fine = a == e || (a.is_nan() && e.is_nan()) || (a - e).abs() <= bound;
        (!fine).then(|| ((a - e).abs(), k))
    };
    let wrong: Vec<_> = actual.iter().zip(&wanted).enumerate().filter_map(excess).collect();
    match wrong.iter().max_by(|a, b| a.0.total_cmp(&b.0)) {
        None => Ok(()),
        Some(&(_, k)) => Err(format!(
            "{} of {} elements wrong, worst at {k}: {} for {}",
            wrong.len(),
            wanted.len(),
            actual[k],
            wanted[k]
        )),
    }
}

#[test]
fn the_comparison_sees_one_wrong_element() {
    let expected = Tensor::new([4], vec![1.0f32, -2.0, 0.0, f32::INFINITY]).unwrap();
    assert!(check(&expected, &expected).is_ok());
    for (k, value) in [(0, 1.0013f32), (2, 3e-4), (3, 1e30), (1, f32::NAN)] {
        let mut wrong = expected.as_f32().unwrap().to_vec();
        wrong[k] = value;
        assert!(check(&Tensor::new([4], wrong).unwrap(), &expected).is_err(), "{k}");
    }
    assert!(check(&expected.reshape([2, 2]).unwrap(), &expected).is_err());
}
