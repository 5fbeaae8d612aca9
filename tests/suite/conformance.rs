//! Both levels of the bounds, and the cases that the library has inside.

use convgpu::conformance::{ConformanceOptions, Ledger, conformance};
use convgpu::custom::Op;
use convgpu::internals::attr::ReduceKind;
use convgpu::internals::conformance::{Draws, FAMILIES, Limits, Rng, Values, fail_at};
use convgpu::internals::device::destroy;
use convgpu::internals::ops::Algorithm;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::internals::ops::reduce::Reduce;
use convgpu::internals::session::evaluate_with_bounds;
use convgpu::internals::verify::{Checked, Setup, Trial};
use convgpu::{Device, Graph, Tensor};

use crate::support::{choice, device};

/// What is made of outputs that are this share of the bound above the right ones.
fn off_by(share: f64, op: impl Op + 'static, inputs: &[Tensor]) -> Checked {
    let mut graph = Graph::new();
    let ids: Vec<_> = inputs.iter().enumerate().map(|(k, t)| graph.input(k.to_string(), t.desc()).unwrap()).collect();
    let y = graph.apply("node", op, &ids).unwrap();
    graph.output("0", y);
    let trial = pollster::block_on(Trial::new(&Device::cpu(), &graph, inputs, &Setup::default())).unwrap();
    let checked = trial.judge(pollster::block_on(trial.run()).unwrap(), None).unwrap();
    let (y, bounds) = (&checked.outputs[0], &checked.expected.bounds.as_ref().unwrap()[0]);
    let moved = y.as_f32().unwrap().iter().zip(bounds).map(|(y, b)| (f64::from(*y) + share * f64::from(*b)) as f32);
    trial.judge(vec![Tensor::new(y.shape(), moved.collect::<Vec<_>>()).unwrap()], None).unwrap()
}

/// Sums of 1 000 products, and of as many numbers in a tree, in which a number goes through too few sums to tell.
#[test]
fn a_result_may_be_within_its_bound_and_not_what_rounding_looks_like() {
    let mut rng = Rng(1);
    let conv = |rng: &mut Rng| vec![rng.tensor(&[1, 111, 6, 5]), rng.tensor(&[4, 111, 3, 3])];
    let judged = |share: f64, rng: &mut Rng| {
        let checked = off_by(share, Conv2d::default(), &conv(rng));
        (checked.comparisons[0].ok(), checked.is_unlikely())
    };
    assert_eq!(judged(0.1, &mut rng), (true, false));
    assert_eq!(judged(0.6, &mut rng), (true, true));
    assert_eq!(judged(1.5, &mut rng), (false, false));
    // As many terms as the inner dimension has, wherever it stands.
    let product = |m, n, rng: &mut Rng| {
        let inputs = [rng.tensor(&[m, 1000]), rng.tensor(&[1000, n])];
        off_by(0.6, MatMul, &inputs).is_unlikely()
    };
    assert!(product(2, 3, &mut rng) && product(3, 2, &mut rng));
    let sum = Reduce { axes: vec![0], keep_dims: false, kind: ReduceKind::Sum };
    assert!(!off_by(0.9, sum, &[rng.tensor(&[2_000])]).is_unlikely());
}

fn run(options: ConformanceOptions) -> Ledger {
    conformance(device(), &options.quick().replays(0)).unwrap()
}

/// Every operator with some cases: on the test device nothing is wrong, and each operator has a row.
#[test]
fn every_operator_has_cases() {
    let ledger = run(ConformanceOptions::new().cases(12));
    assert!(ledger.ok(), "{:?}", ledger.failures);
    for family in FAMILIES {
        let there = ledger.rows.iter().any(|row| family.is_named(&row.op) && row.kernels != "reference");
        assert!(
            there,
            "{} has no case that ran: {:?}",
            family.name,
            ledger.rows.iter().map(|r| &r.op).collect::<Vec<_>>()
        );
    }
    let unlikely: Vec<_> = ledger.rows.iter().filter(|row| row.unlikely > 0).collect();
    assert!(unlikely.is_empty() && ledger.doubtful().next().is_none(), "{unlikely:?}");
    // What a device may refuse: more axes than kernels take, and i64 beyond its 32 bits.
    let is_known =
        |reason: &str| ["strided access over", "may exceed the 32 bits"].iter().any(|kind| reason.contains(kind));
    assert!(ledger.refused.keys().all(|reason| is_known(reason)), "{:?}", ledger.refused);
    assert!(ledger.refused.values().sum::<usize>() * 100 < ledger.cases, "{:?}", ledger.refused);
}

#[test]
fn a_wrong_element_is_found() {
    let ledger = run(fail_at(ConformanceOptions::new().op("matmul").cases(4), "matmul_register"));
    let wrong = ledger.rows.iter().filter(|row| row.wrong > 0);
    assert!(!ledger.ok() && wrong.clone().count() > 0);
    assert!(wrong.into_iter().all(|row| row.kernels.contains("matmul_register")), "{:?}", ledger.failures);
}

/// What is lost with the device runs again on a new one: one failure says so, and nothing else is missing.
#[test]
fn a_lost_device_costs_no_case() {
    let options = || ConformanceOptions::new().op("softmax").cases(8).replays(0);
    let complete = conformance(device(), &options()).unwrap();
    let own = Device::open(choice()).unwrap();
    let lost = own.clone();
    let losing = options().progress(move |done, _, _| {
        if done == 5 {
            destroy(&lost);
        }
    });
    let ledger = conformance(&own, &losing).unwrap();
    assert_eq!((ledger.cases, ledger.checks()), (complete.cases, complete.checks()));
    assert!(
        complete.ok() && ledger.failures.len() == 1 && ledger.failures[0].wrong.contains("destroyed"),
        "{:?}",
        ledger.failures
    );
}

/// As many random cases as `CONVGPU_CASES` of the operator that `CONVGPU_OP` names: scripts/mutants.sh runs them with mutants.
#[test]
#[ignore = "it does what two variables say"]
fn random_cases_of_an_operator() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let (op, cases): (_, usize) = (variable("CONVGPU_OP"), variable("CONVGPU_CASES").parse().unwrap());
    let family = FAMILIES.iter().find(|family| family.name == op).unwrap();
    let options = ConformanceOptions::new().op(op).cases(cases.div_ceil(family.weight)).seed(2).replays(0);
    let ledger = conformance(device(), &options).unwrap();
    assert!(ledger.ok() && ledger.cases >= cases, "{} cases; {:?}", ledger.cases, ledger.failures.first());
}

/// Zeros: what may be flushed on the way widens a bound, and never narrows it.
#[test]
fn bounds_of_zeros_are_not_negative() {
    for family in FAMILIES {
        for seed in 1..=12 {
            let mut draws = Draws { rng: Rng(seed).into(), wild: false, values: Values::Numbers };
            let drawn = (family.draw)(&mut draws);
            let limits = Limits { elements: 1 << 12, flops: 1 << 18 };
            let Some((graph, inputs)) = drawn.graph().filter(|g| limits.hold(g)).and_then(|_| drawn.valued(&mut draws))
            else {
                continue;
            };
            let zeros: Vec<_> = inputs.iter().map(|t| Tensor::zeros(t.shape()).to_dtype(t.dtype())).collect();
            let node = &graph.nodes()[0];
            // Some have no answer to zeros.
            let Ok((outputs, Some(bounds))) = evaluate_with_bounds(node, &zeros, Algorithm::Direct) else { continue };
            for (k, (output, bounds)) in outputs.iter().zip(&bounds).enumerate() {
                let is_wrong = |(y, b): (f64, &f32)| b.is_nan() && !y.is_nan() || *b < 0.0;
                let wrong = output.to_f64s().into_iter().zip(bounds).position(is_wrong);
                assert!(wrong.is_none(), "{:?}: output {k}, {wrong:?}: {bounds:?}", node.op);
            }
        }
    }
}

/// Products of thousands of doubles stay in the range of the floats that a device has: this one of 2 838 was 1e281.
#[test]
fn products_of_doubles_stay_in_range() {
    let options = ConformanceOptions::new().seed(2).case("reduce/reference/5016".parse().unwrap()).replays(0);
    let ledger = conformance(device(), &options).unwrap();
    assert!(ledger.ok() && ledger.cases == 1, "{:?}", ledger.failures);
}
