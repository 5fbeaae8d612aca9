//! Random models on every engine.

use std::path::Path;

use std::collections::BTreeSet;

use convgpu::Tensor;
use convgpu::internals::ops::catalog::CATALOG;

use crate::files;
use crate::judge::{Answers, Counts};
use crate::kinds::{self, KINDS};
use crate::known::RTEN;
use crate::seeds::{all_fixed, alone, seeds};
use crate::support::device;
use crate::uncompared::UNCOMPARED;

/// Seeds that run in any case: eight of each kind.
const FIXED: u64 = 8 * KINDS.len() as u64;

/// Seeds of rare cases, which run in any case, too.
const RARE: &[u64] = &[532, 536, 561, 577, 598, 643, 742, 940, 1025, 1930, 9132];

#[test]
fn engines_agree() {
    let folder = std::env::var_os("CONVGPU_DIFF_FOLDER");
    let mut counts = Counts::default();
    for seed in seeds(FIXED, RARE, 0.7) {
        let case = kinds::case(seed);
        if alone() {
            println!("{case}");
        }
        let answers = Answers::of(&case, device());
        counts.judge(&case, &answers);
        if let Some(folder) = &folder {
            files::write(Path::new(folder), &case, &answers.reference);
        }
    }
    counts.print();
    assert!(counts.findings.is_empty(), "{} disagreements, see above", counts.findings.len());
    if !all_fixed(FIXED) {
        return;
    }
    assert_eq!(counts.unused(RTEN), [""; 0], "known disagreements that never occur: remove them");
    let refused: Vec<_> = counts.kinds.iter().filter(|(_, [all, run])| run * 2 < *all).collect();
    assert!(refused.is_empty(), "convgpu refuses most of {refused:?}");
    assert!(counts.with_rten * 2 > counts.models, "too few models are compared with rten");
    assert_eq!(counts.count_refused("the device"), 0, "the device refuses what the reference runs");
}

/// Each operator of the table of operators is in a model that rten runs as well, but for those of `UNCOMPARED`.
#[test]
fn every_operator_is_compared() {
    let all = CATALOG.iter().flat_map(|entry| entry.onnx.split(", ")).filter(|name| !name.is_empty());
    let mut open: BTreeSet<String> = all.map(str::to_owned).collect();
    let mut counts = Counts::default();
    for seed in 1..60 * KINDS.len() as u64 {
        let case = kinds::case(seed);
        if case.operators().any(|op| open.contains(&op) && !UNCOMPARED.contains(&op.as_str())) {
            counts.judge(&case, &Answers::of(&case, device()));
            open.retain(|op| !counts.compared.contains(op));
        }
    }
    assert!(counts.findings.is_empty(), "{:?}", counts.findings);
    assert_eq!(open.iter().map(String::as_str).collect::<Vec<_>>(), UNCOMPARED);
}

/// A wrong element, a missing output, another shape and another type are each reported, whichever engine gives them.
#[test]
fn a_wrong_answer_is_reported() {
    let case = kinds::case(KINDS.len() as u64);
    let right = Answers::of(&case, device());
    let mut counts = Counts::default();
    counts.judge(&case, &right);
    assert!(counts.findings.is_empty() && counts.with_rten == 1, "{:?}", counts.findings);

    let spoilt = |t: &Tensor| {
        let mut values = t.as_f32().unwrap().to_vec();
        values[0] += 0.01;
        Tensor::new(t.shape(), values).unwrap()
    };
    let flat = |t: &Tensor| t.reshape([1, t.numel()]).unwrap();
    let double = |t: &Tensor| t.to_dtype(convgpu::DType::F64);
    let changes: [&dyn Fn(&Tensor) -> Tensor; 3] = [&spoilt, &flat, &double];
    for change in changes {
        for engine in ["the device", "rten"] {
            let mut wrong =
                Answers { reference: right.reference.clone(), device: right.device.clone(), rten: right.rten.clone() };
            let answer = if engine == "rten" { &mut wrong.rten } else { &mut wrong.device };
            let tensor = &mut answer.as_mut().unwrap()[0].1;
            *tensor = change(tensor);
            let mut counts = Counts::default();
            counts.judge(&case, &wrong);
            assert!(counts.findings.len() == 1 && counts.findings[0].starts_with(engine), "{:?}", counts.findings);
        }
    }
    let wrong = Answers { device: Ok(vec![]), ..right };
    counts.judge(&case, &wrong);
    assert_eq!(counts.findings.len(), 1);
}
