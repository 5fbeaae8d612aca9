//! Every rewrite alone, and all of them, keep what a graph computes.

use std::collections::BTreeMap;

use convgpu::internals::graph::rewrite::{rewrite, rewrite_by, rules};
use convgpu::internals::session::Compiled;
use convgpu::{CompileOptions, Device, Graph, Tensor};

use crate::graphs::{self, Drawn};
use crate::judge;
use crate::seeds::{all_fixed, alone, seeds};
use crate::support::device;

/// Seeds that run in any case.
const FIXED: u64 = 200;

/// How often each rule fires alone in the fixed seeds, at least.
const FIRINGS: usize = 10;

fn run(device: &Device, graph: &Graph, drawn: &Drawn) -> Result<Vec<(String, Tensor)>, String> {
    let plain = CompileOptions::new().fusion(false);
    let run = || {
        let inputs: Vec<_> = drawn.inputs.iter().map(|(name, t)| (name.as_str(), t)).collect();
        let outputs = Compiled::new(device, graph.clone(), &plain)?.run(&inputs)?;
        Ok::<_, convgpu::Error>(outputs.iter().map(|(name, t)| (name.to_owned(), t.clone())).collect())
    };
    run().map_err(|e| e.to_string())
}

/// What is wrong with a rewritten graph on a device.
fn check(device: &Device, after: &Graph, drawn: &Drawn, expected: &[(String, Tensor)]) -> Result<(), String> {
    judge::compare(&run(device, after, drawn)?, expected)
}

/// Checks a graph after one rule alone, for every rule that fires, and after all; counts the firings.
fn one(seed: u64, firings: &mut BTreeMap<&'static str, usize>, findings: &mut Vec<String>) {
    let drawn = graphs::draw(seed);
    let expected = run(&Device::cpu(), &drawn.graph, &drawn).unwrap_or_else(|e| panic!("{e}\n{}", drawn.graph));
    let mut report = |what: &str, on: &str, after: &Graph, result: Result<(), String>| {
        if let Err(e) = result {
            findings.push(format!("CONVGPU_DIFF_SEED={seed} {what} on {on}: {e}\n{}after\n{after}", drawn.graph));
        }
    };
    report("no rule", "the device", &drawn.graph, check(device(), &drawn.graph, &drawn, &expected));
    let mut fired = vec![];
    for rule in rules() {
        let mut after = drawn.graph.clone();
        let count = rewrite_by(&mut after, rule).iter().filter(|f| f.declined.is_none()).count();
        *firings.entry(rule).or_default() += count;
        if count > 0 {
            report(rule, "the reference", &after, check(&Device::cpu(), &after, &drawn, &expected));
            fired.push((rule, after));
        }
    }
    let mut after = drawn.graph.clone();
    rewrite(&mut after);
    report("all rules", "the reference", &after, check(&Device::cpu(), &after, &drawn, &expected));
    report("all rules", "the device", &after, check(device(), &after, &drawn, &expected));
    // The device takes longer: one of the rules, which the seed decides.
    if let Some((rule, after)) = fired.get(seed as usize % fired.len().max(1)) {
        report(rule, "the device", after, check(device(), after, &drawn, &expected));
    }
}

#[test]
fn rewrites_keep_the_results() {
    let (mut firings, mut findings, mut graphs) = (BTreeMap::new(), vec![], 0);
    let mut rare: Vec<&str> = vec![];
    for seed in seeds(FIXED, &[], 0.3) {
        if alone() {
            println!("{}", graphs::draw(seed).graph);
        }
        one(seed, &mut firings, &mut findings);
        graphs += 1;
        if seed == FIXED && all_fixed(FIXED) {
            rare = rules().filter(|rule| firings[rule] < FIRINGS).collect();
        }
    }
    println!("{graphs} graphs; firings alone: {firings:?}");
    findings.iter().for_each(|f| println!("disagreement: {f}"));
    assert!(findings.is_empty(), "{} disagreements, see above", findings.len());
    assert!(rare.is_empty(), "{rare:?} fire less than {FIRINGS} times in the fixed seeds");
}

/// A rule that changed a result would be reported: here a function is another one afterwards.
#[test]
fn a_wrong_rewrite_is_reported() {
    use convgpu::internals::attr::Activation;
    let with = |f: Activation| {
        let mut g = Graph::new();
        let x = g.input("x", convgpu::Desc::f32([2, 3])).unwrap();
        let y = g.activation(x, f).unwrap();
        g.output("y", y);
        g
    };
    let inputs = vec![("x".to_owned(), Tensor::from([[-1.0f32, 0.0, 1.0], [2.0, -3.0, 0.5]]))];
    let drawn = Drawn { graph: with(Activation::LeakyRelu { slope: 0.1 }), inputs };
    let expected = run(&Device::cpu(), &drawn.graph, &drawn).unwrap();
    for device in [&Device::cpu(), device()] {
        check(device, &drawn.graph, &drawn, &expected).unwrap();
        let e = check(device, &with(Activation::LeakyRelu { slope: 0.11 }), &drawn, &expected).unwrap_err();
        assert!(e.contains("elements wrong"), "{e}");
    }
}
