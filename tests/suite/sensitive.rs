//! Networks that multiply small errors: what their nodes are allowed takes an output beyond the tolerance, which is no fault of
//! the plan, and said to be none.

use convgpu::internals::attr::Activation;
use convgpu::internals::ops::layer_norm::LayerNorm;
use convgpu::verify::{Report, VerifyOptions, verify};
use convgpu::{Desc, Graph, Tensor};

use crate::support::{Rng, device};
use crate::unknown_bounds::Twice;

fn verified(graph: &Graph, x: &Tensor) -> Report {
    verify(device(), graph, &[("x", x)], &VerifyOptions::new()).unwrap()
}

/// The norm of values that differ in their last bits.
#[test]
fn a_norm_of_nearly_equal_values() {
    let near = |v: &f32| 1e4 + 1e-3 * v;
    let x = Rng(1).tensor(&[4, 300]).to_vec::<f32>().unwrap().iter().map(near).collect::<Vec<f32>>();
    let mut graph = Graph::new();
    let id = graph.input("x", Desc::f32([4, 300])).unwrap();
    let y = graph.apply("norm", LayerNorm { axes: 1, eps: 1e-12, stats: false }, &[id]).unwrap();
    graph.output("y", y);
    let report = verified(&graph, &Tensor::new([4, 300], x).unwrap());
    let output = &report.outputs[0];
    assert!(!report.ok() && output.sensitive && report.first_wrong().is_none() && report.sensitive() == 1, "{report}");
    let last = "1 node and 1 output checked: 1 output beyond the tolerance by what the bounds of the nodes allow";
    assert_eq!(report.to_string().lines().last().unwrap(), last);
}

/// What a bound allows is no fault of the plan; without a bound, or beyond it, nothing says so.
#[test]
fn only_bounds_excuse_an_output() {
    let report = |bound| {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([3])).unwrap();
        let y = graph.apply("own", Twice { factor: 2.1, bound }, &[x]).unwrap();
        graph.output("y", y);
        verified(&graph, &Tensor::from([1.0f32, 2.0, 3.0]))
    };
    let allowed = report(Some(1.0));
    assert!(allowed.first_wrong().is_none() && allowed.outputs[0].sensitive, "{allowed}");
    for bound in [Some(0.05), None] {
        let report = report(bound);
        assert!(!report.ok() && !report.outputs[0].sensitive, "{report}");
    }
}

/// Behind steps an output that bounds excuse is right; one that they do not excuse is wrong as ever.
#[test]
fn whole_steps_are_right_where_every_node_is() {
    let report = |bound| {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([3])).unwrap();
        let twice = graph.apply("own", Twice { factor: 2.1, bound }, &[x]).unwrap();
        let steps = Activation::FakeQuantize { scale: 0.1, low: -128.0, high: 127.0 };
        let y = graph.activation(twice, steps).unwrap();
        graph.output("y", y);
        verified(&graph, &Tensor::from([1.0f32, 2.0, 3.0]))
    };
    let allowed = report(Some(1.0));
    let output = &allowed.outputs[0];
    assert!(allowed.ok() && output.stepped && !output.sensitive && !output.comparison.ok(), "{allowed}");
    assert!(allowed.to_string().contains("by whole steps"), "{allowed}");
    for bound in [Some(0.05), None] {
        let report = report(bound);
        assert!(!report.ok() && !report.outputs[0].stepped, "{report}");
    }
}
