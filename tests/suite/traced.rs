//! Compares results of functions and modules with PyTorch's, within the derived bounds of the operators that ran.
//!
//! The compiled graph has the operators and their algorithms. The bounds of a graph of one node are that node's. In a
//! graph of several nodes, the last one also carries the errors of those before: if one of them is not exact, the bound
//! is increased by 2e-6 of the largest output.

use std::collections::HashMap;
use std::fmt::Display;

use convgpu::internals::functional::{Traced, traced};
use convgpu::internals::graph::ends;
use convgpu::internals::ops::Algorithm;
use convgpu::internals::session::evaluate_with_bounds;
use convgpu::verify::compare;
use convgpu::{DType, Device, DeviceTensor, Result, Tensor};

use crate::support::device;

/// The allowance for errors of nodes before the last, relative to the largest output.
const CARRIED: f64 = 2e-6;

/// A value on the reference, its error bound on a device, and whether errors of earlier nodes add to it.
#[derive(Clone)]
struct Known {
    tensor: Tensor,
    bounds: Vec<f32>,
    inexact: bool,
}

impl Known {
    fn exact(tensor: Tensor) -> Known {
        Known { bounds: vec![0.0; tensor.numel()], tensor, inexact: false }
    }
}

/// The bounds of every output of a compiled graph, by name, and whether the reference rounds once: the graph is of one
/// node, whose constants are those of PyTorch (the 1/6 of hardsigmoid is an f32).
fn bounds_of(run: &Traced) -> (HashMap<String, Vec<f32>>, bool) {
    let graph = run.compiled.graph();
    let (inputs, outputs) = ends(graph);
    let mut known = HashMap::new();
    for (id, (name, _)) in inputs.iter().zip(graph.inputs()) {
        let (_, tensor) = run.inputs.iter().find(|(n, _)| n == name).unwrap();
        known.insert(*id, Known::exact(tensor.to_host().unwrap()));
    }
    for (k, node) in graph.nodes().iter().enumerate() {
        let algorithm = run.compiled.plan().map_or(Algorithm::Direct, |p| p.nodes[k].chosen.algorithm());
        let constant = |id| graph.constant_of(id).map(|t| Known::exact(t.clone()));
        let given: Vec<Known> =
            node.inputs.iter().map(|&id| known.get(&id).cloned().or_else(|| constant(id)).unwrap()).collect();
        let tensors: Vec<Tensor> = given.iter().map(|k| k.tensor.clone()).collect();
        let (values, bounds) = evaluate_with_bounds(node, &tensors, algorithm).unwrap();
        let carries = given.iter().any(|k| k.inexact);
        for ((&id, tensor), mut bounds) in node.outputs.iter().zip(values).zip(bounds.unwrap()) {
            if carries && tensor.dtype() == DType::F32 {
                let finite = tensor.to_f64s().into_iter().filter(|v| v.is_finite());
                let carried = (finite.fold(0.0, |a: f64, v| a.max(v.abs())) * CARRIED) as f32;
                bounds.iter_mut().for_each(|b| *b += carried);
            }
            // Another shape of the same elements has the same errors.
            if node.op.name() == "reshape" {
                bounds.clone_from(&given[0].bounds);
            }
            let inexact = bounds.iter().any(|b| *b > 0.0);
            known.insert(id, Known { tensor, bounds, inexact });
        }
    }
    let bounds = graph.outputs().zip(&outputs).map(|((name, _), id)| (name.to_owned(), known[id].bounds.clone()));
    let rounds_once = match graph.nodes() {
        [] => true,
        [node] => node.op.name() != "hardsigmoid",
        _ => false,
    };
    (bounds.collect(), rounds_once)
}

/// The tensor as a golden file stores it: integers and booleans as i32.
fn as_stored(t: &Tensor) -> Tensor {
    if t.dtype() == DType::F32 {
        return t.clone();
    }
    let values: Vec<i32> = t.to_i64s().unwrap().into_iter().map(|v| v.try_into().unwrap()).collect();
    Tensor::new(t.shape(), values).unwrap()
}

/// Calls `f` once and compares its outputs with those expected: on a device within the bounds of what it ran, on the
/// reference to the rounding of f32 if it rounds once. A call that runs nothing (a reshape) is exact. Each expected
/// output has its name in the graph; for functions this is its position. The error describes what is wrong.
pub fn check(f: impl FnOnce() -> Result<Vec<DeviceTensor>>, expected: &[(String, &Tensor)]) -> Result<(), String> {
    let (outputs, runs) = traced(f);
    let outputs = outputs.map_err(|e| e.to_string())?;
    if outputs.len() != expected.len() {
        return Err(format!("{} outputs for {}", outputs.len(), expected.len()));
    }
    let on_reference = outputs.iter().all(|t| t.device().is_reference());
    let bounds = match &runs[..] {
        [] => None,
        [run] => Some(bounds_of(run)),
        _ => return Err(format!("{} graphs", runs.len())),
    };
    for (actual, (name, expected)) in outputs.iter().zip(expected) {
        let actual = as_stored(&actual.to_host().unwrap());
        let bounds = match &bounds {
            None => vec![0.0; expected.numel()],
            Some((_, true)) if on_reference && expected.dtype() == DType::F32 => {
                expected.to_f64s().iter().map(|v| (v.abs() * 1.2e-7 + 1e-37) as f32).collect()
            }
            // What the graph does not compute (a count that stays 0) is as it was.
            Some((bounds, _)) => bounds.get(name).cloned().unwrap_or(vec![0.0; expected.numel()]),
        };
        let c = compare(&actual, expected, &bounds);
        if !c.ok() {
            return Err(format!("output {name}: {c}"));
        }
    }
    Ok(())
}

/// Checks every case on the reference and on the test device, and lists all failures.
pub fn check_all<C: Display>(cases: &[C], check: impl Fn(&C, &Device) -> Result<(), String>) {
    let mut wrong = vec![];
    for case in cases {
        for device in [&Device::cpu(), device()] {
            if let Err(e) = check(case, device) {
                wrong.push(format!("case {case} on {device}: {e}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tensors with their positions, which are the names of a function's outputs.
pub fn in_order<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Vec<(String, &'a Tensor)> {
    tensors.into_iter().enumerate().map(|(k, t)| (k.to_string(), t)).collect()
}

/// The check detects a wrong result, and a wrong shape or number of outputs.
#[test]
fn the_check_sees_a_wrong_answer() {
    use convgpu::functional::{add, sigmoid};
    for device in [Device::cpu(), device().clone()] {
        let x = Tensor::new([2], vec![0.5f32, 1.0]).unwrap().to_device(&device).unwrap();
        let y = sigmoid(&x).unwrap().to_host().unwrap();
        let wrong = Tensor::new([2], vec![y.as_f32().unwrap()[0], y.as_f32().unwrap()[1] * (1.0 + 1e-5)]).unwrap();
        let shape = y.reshape([2, 1]).unwrap();
        let check = |expected: &[&Tensor]| check(|| Ok(vec![sigmoid(&x)?]), &in_order(expected.iter().copied()));
        check(&[&y]).unwrap();
        for wrong in [&[&wrong][..], &[&shape], &[&y, &y]] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
        // A sum is rounded once: half an ulp at most.
        let sum = Tensor::new([2], vec![1.0f32, 2.0 + 4e-7]).unwrap();
        assert!(super::traced::check(|| Ok(vec![add(&x, &x)?]), &in_order([&sum])).is_err());
    }
}
