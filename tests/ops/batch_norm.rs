use convgpu::Tensor;
use convgpu::custom::Op;
use convgpu::internals::ops::batch_norm::{BatchNorm, BatchNormTraining};

use crate::support::{Case, Rng, check, check_golden};

/// x and its parameters; running variances are positive.
fn inputs(rng: &mut Rng, shape: &[usize]) -> Vec<Tensor> {
    let c = shape[1];
    let var = (0..c).map(|_| 1.5 + rng.float()).collect::<Vec<_>>();
    let vectors = [0; 3].map(|_| rng.tensor(&[c]));
    [vec![rng.tensor(shape)], vectors.to_vec(), vec![Tensor::new([c], var).unwrap()]].concat()
}

const SHAPES: [&[usize]; 9] = [
    &[3, 9, 12, 29],
    &[5, 3],
    &[2, 6, 7],
    &[3, 5, 4, 7],
    &[2, 70, 3, 5],
    &[2, 3, 2, 3, 4],
    &[1, 2, 1, 2],
    &[3, 4, 41, 37],
    &[2, 130, 9, 8],
];

#[test]
fn random_cases_within_bounds() {
    for (k, shape) in SHAPES.iter().enumerate() {
        let rng = &mut Rng(k as u64);
        let inputs = inputs(rng, shape);
        check(BatchNorm { eps: 1e-5 }, &inputs, false);
        check(BatchNormTraining { eps: 1e-5, momentum: 0.1, unbiased: true }, &inputs, false);
        check(BatchNormTraining { eps: 1e-3, momentum: 0.25, unbiased: false }, &inputs, false);
    }
}

/// Mean 1000, standard deviation 1, 100 000 values per channel: sums of squares would lose seven of the variance's
/// eight digits. The first value may be far from the others: the device's sums are relative to it.
#[test]
fn a_large_mean_costs_no_accuracy() {
    for first in [1000.0, 0.0] {
        let rng = &mut Rng(7);
        let mut inputs = inputs(rng, &[3, 2, 183, 182]);
        let mut x: Vec<f32> = (0..inputs[0].numel()).map(|_| 1000.0 + 1.7 * rng.float()).collect();
        x[0] = first;
        inputs[0] = Tensor::new(inputs[0].shape(), x).unwrap();
        check(BatchNormTraining { eps: 1e-5, momentum: 1.0, unbiased: true }, &inputs, false);
    }
}

#[test]
fn the_bound_refuses_sums_of_squares() {
    let rng = &mut Rng(8);
    let mut inputs = inputs(rng, &[3, 1, 183, 182]);
    let x: Vec<f32> = (0..inputs[0].numel()).map(|_| 1000.0 + 1.7 * rng.float()).collect();
    let n = x.len() as f32;
    let (sum, squares) = tree(&x);
    let naive = squares / n - (sum / n) * (sum / n);
    inputs[0] = Tensor::new(inputs[0].shape(), x).unwrap();
    let op = BatchNormTraining { eps: 1e-5, momentum: 1.0, unbiased: false };
    let expected = op.reference(&inputs).unwrap();
    let bounds = op.bounds(&inputs, &expected).unwrap().unwrap();
    let error = (naive - expected[2].as_f32().unwrap()[0]).abs();
    assert!(error > 10.0 * bounds[2][0], "naive variance {naive}: error {error}, bound {}", bounds[2][0]);
}

/// Sum and sum of squares in a tree: the best case of the naive algorithm.
fn tree(x: &[f32]) -> (f32, f32) {
    match x {
        [one] => (*one, one * one),
        _ => {
            let (a, b) = x.split_at(x.len() / 2);
            let (a, b) = (tree(a), tree(b));
            (a.0 + b.0, a.1 + b.1)
        }
    }
}

#[test]
fn a_constant_channel_and_empty_tensors() {
    let rng = &mut Rng(9);
    let mut given = inputs(rng, &[2, 3, 5, 4]);
    given[0] = Tensor::full([2, 3, 5, 4], 3.3);
    check(BatchNormTraining { eps: 1e-5, momentum: 0.5, unbiased: true }, &given, false);
    for shape in [[0, 3, 2, 4], [2, 0, 3, 1], [2, 3, 0, 4]] {
        check(BatchNorm { eps: 1e-5 }, &inputs(rng, &shape), true);
    }
    check(BatchNormTraining { eps: 1e-5, momentum: 0.5, unbiased: true }, &inputs(rng, &[2, 0, 3, 4]), true);
}

#[test]
fn too_few_values_are_refused() {
    let refused = |unbiased, shape: &[usize]| {
        let descs: Vec<_> = inputs(&mut Rng(1), shape).iter().map(Tensor::desc).collect();
        BatchNormTraining { eps: 1e-5, momentum: 0.1, unbiased }.outputs(&descs).is_err()
    };
    assert!(refused(true, &[1, 3]) && refused(true, &[0, 3, 4]) && refused(false, &[2, 3, 0]));
    assert!(!refused(false, &[1, 3]));
}

/// Missing weights are ones and zeros, missing statistics those before the first batch.
fn golden_inputs(case: &Case) -> Vec<Tensor> {
    let x = case.tensor("x");
    let or = |role, value| case.get(role).cloned().unwrap_or(Tensor::full([x.shape()[1]], value));
    vec![x.clone(), or("weight", 1.0), or("bias", 0.0), or("running_mean", 0.0), or("running_var", 1.0)]
}

/// `batch_norm` of a case without `training` is that of evaluation.
pub fn pytorch(case: &Case) {
    let eps = case.f32("eps");
    let mut inputs = golden_inputs(case);
    let stored = case.op == "batch_norm"
        // Without stored statistics PyTorch uses the batch's in evaluation, too.
        && (case.params.get("training").is_none() || !case.bool("training") && case.bool("track_running_stats"));
    if stored {
        return check_golden(case, BatchNorm { eps }, &inputs, &case.out());
    }
    let mut op = BatchNormTraining { eps, momentum: 1.0, unbiased: true };
    let steps = case.params.get("steps").map_or(1, |steps| steps.as_u64().unwrap());
    for step in 1..=steps {
        op.momentum = case.f32_or_null("momentum").unwrap_or(1.0 / step as f32);
        if step < steps {
            let outputs = op.reference(&inputs).unwrap();
            inputs[3..].clone_from_slice(&outputs[1..]);
        }
    }
    let mut expected = case.out().to_vec();
    expected.extend(["new_running_mean", "new_running_var"].iter().filter_map(|role| case.get(role).cloned()));
    check_golden(case, op, &inputs, &expected);
}

/// As PyTorch's, a momentum may be negative: the bounds of the running statistics are not.
#[test]
fn a_negative_momentum_has_bounds() {
    let op = BatchNormTraining { eps: 1e-5, momentum: -0.5, unbiased: true };
    let mut rng = Rng(7);
    let x = rng.tensor(&[4, 3, 5, 5]);
    let zeros = Tensor::zeros([3]);
    let ones = Tensor::full([3], 1.0f32);
    let inputs = [x, ones.clone(), zeros.clone(), zeros.clone(), zeros];
    let outputs = op.reference(&inputs).unwrap();
    let bounds = op.bounds(&inputs, &outputs).unwrap().unwrap();
    assert!(bounds.iter().flatten().all(|bound| *bound > 0.0), "{bounds:?}");
    check(op, &inputs, false);
}
