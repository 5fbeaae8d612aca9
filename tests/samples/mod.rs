//! One small graph for every kernel: what the contract test plans.

use convgpu::graph::{Graph, ValueId};
use convgpu::ops::conv2d::Conv2d;
use convgpu::ops::unary::{Activation, Unary};
use convgpu::{Desc, Op};

fn node(op: impl Op + 'static, shapes: &[&[usize]]) -> (String, Graph) {
    let mut graph = Graph::new();
    let input = |(k, s): (usize, &&[usize])| graph.input(k.to_string(), Desc::f32(s.to_vec())).unwrap();
    let ids: Vec<ValueId> = shapes.iter().enumerate().map(input).collect();
    let name = op.name().to_owned();
    for (k, id) in graph.add(name.clone(), op, &ids).unwrap().into_iter().enumerate() {
        graph.output(k.to_string(), id);
    }
    (name, graph)
}

/// Names and graphs.
pub fn graphs() -> Vec<(String, Graph)> {
    vec![
        node(Conv2d::default(), &[&[2, 5, 7, 6], &[9, 5, 3, 2], &[9]]),
        node(Conv2d { groups: 8, ..Conv2d::default() }, &[&[2, 8, 7, 6], &[8, 1, 3, 2]]),
        node(Conv2d { groups: 2, ..Conv2d::default() }, &[&[2, 8, 7, 6], &[8, 4, 3, 2]]),
        node(Conv2d::default(), &[&[2, 5, 7, 6], &[19, 5, 3, 2]]),
        node(Unary(Activation::Gelu), &[&[3, 5]]),
    ]
}
