//! What a graph refuses when a node is added, and a session when it runs.

use convgpu::functional::{BinaryKind, LpPool2dOptions};
use convgpu::{CompileOptions, DType, Desc, Device, ErrorKind, Graph, Session, Tensor};

use crate::support::{choice, device};

/// Also where a method looks at a value before it makes a node of it.
#[test]
fn values_of_another_graph_are_refused() {
    let mut other = Graph::new();
    // Behind all values of the other graph, and of another shape.
    let mut foreign = other.input("x", Desc::f32([1, 2, 5, 5])).unwrap();
    for _ in 0..9 {
        foreign = other.softmax(foreign, 1).unwrap();
    }
    let mut g = Graph::new();
    let own = g.input("x", Desc::f32([1, 2, 6, 6])).unwrap();
    let answers = [
        g.logical(own, foreign, BinaryKind::And),
        g.logical(foreign, own, BinaryKind::Or),
        g.mean(foreign, &[2], false),
        g.cat(&[own, foreign], 1),
        g.cat(&[foreign], 1),
        g.lp_pool2d(foreign, 2.5, 2, LpPool2dOptions::new()),
        g.lp_pool2d(foreign, 2.5, 2, LpPool2dOptions::new().ceil_mode(true)),
        g.lp_pool2d(foreign, 2.0, 2, LpPool2dOptions::new()),
        g.binary(own, foreign, BinaryKind::Add),
        g.linear(own, foreign, None),
    ];
    for answer in answers {
        let e = answer.unwrap_err();
        assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("another graph"), "{e}");
    }
    assert!(g.lp_pool2d(own, 2.5, 2, LpPool2dOptions::new()).is_ok());
}

/// A slope of two axes is broadcast; one of a single axis has a number per channel.
#[test]
fn slopes_of_one_and_of_more_axes() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([2, 5, 7, 6])).unwrap();
    let mut fits = |shape: &[usize]| {
        let slope = g.input(format!("{shape:?}"), Desc::f32(shape.to_vec())).unwrap();
        g.prelu(x, slope).is_ok()
    };
    assert!(fits(&[]) && fits(&[1]) && fits(&[5]) && fits(&[7, 6]) && fits(&[5, 1, 1]));
    assert!(!fits(&[6]) && !fits(&[5, 6]));
}

/// Entries of an axis: the error names the axis and what was asked for.
#[test]
fn entries_beyond_an_axis_are_named() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([2, 5])).unwrap();
    assert!(g.narrow(x, 1, 2, 3).is_ok() && g.narrow(x, 1, 5, 0).is_ok());
    for (start, length) in [(3, 3), (6, 0), (-6, 1), (0, 6)] {
        let e = g.narrow(x, 1, start, length).unwrap_err();
        assert!(e.to_string().contains("exceed axis 1 of [2, 5]"), "{start} {length}: {e}");
    }
}

/// A session whose work is all the host's takes no tensor of another device either.
#[test]
fn work_of_the_host_refuses_tensors_of_other_devices() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::new([3], DType::I64)).unwrap();
    let y = g.binary(x, x, BinaryKind::Add).unwrap();
    g.output("y", y);
    let session = Session::new(device(), g, CompileOptions::new()).unwrap();
    let x = Tensor::from([1i64, 2, 3]);
    let own = x.to_device(device()).unwrap();
    assert_eq!(session.run_device(&[("x", &own)]).unwrap().first().to_host().unwrap(), Tensor::from([2i64, 4, 6]));
    let other = x.to_device(&Device::open(choice()).unwrap()).unwrap();
    let e = session.run_device(&[("x", &other)]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Argument, "{e}");
}
