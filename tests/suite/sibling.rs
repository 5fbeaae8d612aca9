//! What `verify` says of a wrong node whose kernels use workgroup memory.

use convgpu::internals::ops::softmax::Softmax;
use convgpu::internals::verify::fail_at;
use convgpu::verify::{Report, VerifyOptions, verify};
use convgpu::{Desc, Graph, functional::Activation};

use crate::support::{Rng, device};

/// The report of a softmax over long rows, and a function of each element after it, of which this one is corrupted.
fn report(wrong: &str) -> Report {
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([2, 5000])).unwrap();
    let y = graph.apply("rows", Softmax { axis: 1, log: false }, &[x]).unwrap();
    let y = graph.activation(y, Activation::Tanh).unwrap();
    graph.output("y", y);
    let last = graph.nodes().last().unwrap().name.clone();
    let wrong = if wrong == "rows" { wrong.to_owned() } else { last };
    let options = fail_at(VerifyOptions::new(), wrong);
    verify(device(), &graph, &[("x", &Rng(6).tensor(&[2, 5000]))], &options).unwrap()
}

#[test]
fn a_wrong_node_is_computed_without_workgroup_memory_as_well() {
    let rows = report("rows");
    let node = rows.first_wrong().unwrap();
    let sibling = node.sibling.as_ref().unwrap();
    assert_eq!((node.kernels.as_str(), sibling.kernels.as_str(), sibling.ok), ("softmax_tree", "softmax", true));
    let text = rows.to_string();
    assert!(text.contains("without workgroup memory, softmax is right: use it by --avoid-workgroup-memory"), "{text}");
    assert!(rows.nodes.iter().filter(|n| n.ok()).all(|n| n.sibling.is_none()));

    let elements = report("elements");
    assert!(elements.first_wrong().unwrap().sibling.is_none(), "{elements}");
}
