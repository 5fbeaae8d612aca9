//! Random models on every engine.

use std::collections::BTreeSet;
use std::path::Path;

use convgpu::Tensor;
use convgpu::internals::model::operators;

use crate::files;
use crate::in_rten;
use crate::judge::{Answers, Counts};
use crate::kinds::{self, KINDS};
use crate::known::RTEN;
use crate::net::full_name;
use crate::seeds::{all_fixed, alone, seeds};
use crate::support::device;

/// Seeds that run in any case: eight of each kind.
const FIXED: u64 = 8 * KINDS.len() as u64;

/// Seeds of rare cases, which run in any case, too.
const RARE: &[u64] = &[1155, 1279, 1610, 2632, 3002, 3183, 4227, 5255, 7010, 86402];

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

/// Each operator of files is in a model that gives the same on the reference and on the device, and on rten if that has the
/// operator.
#[test]
fn every_operator_is_compared() {
    assert!(in_rten::has("", "Conv") && !in_rten::has("", "Convolve"));
    let mut open = BTreeSet::new();
    for (domain, name) in operators() {
        let op = full_name(domain, name);
        if in_rten::has(domain, name) {
            open.insert(("rten", op.clone()));
        }
        open.insert(("the device", op));
    }
    let mut counts = Counts::default();
    for seed in 1..200 * KINDS.len() as u64 {
        let case = kinds::case(seed);
        if case.operators().any(|op| open.iter().any(|(_, wanted)| *wanted == op)) {
            counts.judge(&case, &Answers::of(&case, device()));
            open = open.difference(&counts.agreed).cloned().collect();
        }
    }
    assert!(counts.findings.is_empty(), "{:?}", counts.findings);
    assert!(open.is_empty(), "never compared: {open:?}");
}

/// A wrong element, a missing output, another shape and another type are each reported, whichever engine gives them.
#[test]
fn a_wrong_answer_is_reported() {
    let of_functions = KINDS.iter().position(|(name, _)| *name == "idioms swish").unwrap();
    let case = kinds::case(of_functions as u64);
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
