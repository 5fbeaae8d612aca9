//! Indices that a run computes, or is given: inside their axis, or an error on every device, never another element in silence.

use convgpu::internals::attr::{Activation, BinaryKind, Cell, Direction, Extreme, PoolKind};
use convgpu::internals::graph::Graph;
use convgpu::internals::model::proto::data_type;
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::gather::Gather;
use convgpu::internals::ops::max_unpool::MaxUnpool;
use convgpu::internals::ops::recurrent::Recurrent;
use convgpu::internals::ops::reduce::ArgReduce;
use convgpu::internals::ops::roi_align::RoiAlign;
use convgpu::internals::ops::roi_pool::RoiPool;
use convgpu::internals::session::Compiled;
use convgpu::{CompileOptions, DType, Desc, Device, ErrorKind, Model, Tensor};

use crate::onnx_build::{int, integers, line, model, node, read, run, value};
use crate::support::device;

/// x: f32[2, 3, 4] of 0 to 23.
fn x() -> Tensor {
    Tensor::new([2, 3, 4], (0..24u8).map(f32::from).collect::<Vec<_>>()).unwrap()
}

/// An operator that takes x and indices i64 of this shape, which are an input, or the sum of an input and 0.
fn gather(op: &str, axis: Option<i64>, shape: &[i64], computed: bool) -> Model {
    let attributes = axis.map(|axis| int("axis", axis)).into_iter().collect();
    let mut nodes = vec![node(op, &["x", if computed { "j" } else { "i" }], &["y"], attributes)];
    if computed {
        nodes.insert(0, node("Add", &["i", "zero"], &["j"], vec![]));
    }
    let mut proto = model(line(nodes, vec![integers("zero", &[1], &[0])]));
    proto.graph.as_mut().unwrap().input =
        vec![value("x", data_type::FLOAT, &[2, 3, 4]), value("i", data_type::INT64, shape)];
    read(&proto).unwrap()
}

/// Indices on each side of every end.
#[test]
fn indices_outside_an_axis_are_errors() {
    for computed in [false, true] {
        let check = |op: &str, axis: Option<i64>, shape: &[usize], inside: &[(&[i64], f32)], outside: &[&[i64]]| {
            let dims: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
            let made = gather(op, axis, &dims, computed);
            let indices = |list: &[i64]| Tensor::new(shape, list.to_vec()).unwrap();
            for (list, first) in inside {
                let outputs = run(&made, &[("x", &x()), ("i", &indices(list))]).unwrap();
                assert_eq!(outputs[0].1.as_f32().unwrap()[0], *first, "{op} of {list:?}");
            }
            for list in outside {
                for device in [&Device::cpu(), device()] {
                    let session = made.clone().compile(device).unwrap();
                    let e = session.run(&[("x", &x()), ("i", &indices(list))]).expect_err(&format!("{op} of {list:?}"));
                    assert!(e.to_string().contains("is outside an axis of "), "{op} of {list:?} on {device}: {e}");
                    assert_eq!(e.kind(), ErrorKind::Argument, "{e}");
                }
            }
        };
        check("Gather", Some(1), &[1], &[(&[2], 8.0), (&[-3], 0.0)], &[&[3], &[-4]]);
        let elements: &[&[i64]] = &[&[4], &[5], &[-5], &[23], &[24], &[-24], &[-25]];
        check("GatherElements", Some(2), &[1, 1, 1], &[(&[3], 3.0), (&[-4], 0.0)], elements);
        let tuples: &[&[i64]] = &[&[0, 3], &[0, 4], &[-3, 0], &[1, -4], &[2, 0]];
        check("GatherND", None, &[1, 2], &[(&[1, 2], 20.0), (&[-1, -3], 12.0)], tuples);
    }
}

/// Places of an unpooling: given, and computed.
#[test]
fn a_place_outside_a_plane_is_an_error() {
    for (device, computed) in [&Device::cpu(), device()].into_iter().flat_map(|d| [(d, false), (d, true)]) {
        let mut g = Graph::new();
        let x = g.constant("x", Tensor::from([5.0f32])).unwrap();
        let given = g.input("place", Desc::new([1], DType::I64)).unwrap();
        let zero = g.constant("zero", Tensor::from([0i64])).unwrap();
        let place = if computed { g.apply("sum", Binary(BinaryKind::Add), &[given, zero]).unwrap() } else { given };
        let y = g.apply("unpool", MaxUnpool { shape: vec![3], planes: 1 }, &[x, place]).unwrap();
        g.output("y", y);
        let session = g.compile(device).unwrap();
        let run = |place: i64| session.run(&[("place", &Tensor::from([place]))]);
        assert_eq!(run(2).unwrap().into_first().as_f32().unwrap(), [0.0, 0.0, 5.0]);
        for place in [-1, 3] {
            let e = run(place).unwrap_err();
            let text = format!("index {place} is outside a plane of 3");
            assert!(e.kind() == ErrorKind::Argument && e.to_string().contains(&text), "{device}: {e}");
        }
    }
}

/// Regions of images that are not there: given, and computed.
#[test]
fn an_image_of_a_region_that_is_not_there_is_an_error() {
    let align = RoiAlign { output: [1, 1], spatial_scale: 1.0, sampling_ratio: 1, aligned: true, kind: PoolKind::Avg };
    let pool = RoiPool { output: [1, 1], spatial_scale: 1.0 };
    let run = |device: &Device, aligned: bool, image: i32, computed: bool| {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([2, 1, 3, 3])).unwrap();
        let boxes = g.constant("boxes", Tensor::from([[0.0f32, 0.0, 2.0, 2.0]])).unwrap();
        let given = g.input("image", Desc::new([1], DType::I32)).unwrap();
        let zero = g.constant("zero", Tensor::from([0i32])).unwrap();
        let sum = |g: &mut Graph| g.apply("sum", Binary(BinaryKind::Add), &[given, zero]).unwrap();
        let inputs = [x, boxes, if computed { sum(&mut g) } else { given }];
        let y = match aligned {
            true => g.apply("regions", align.clone(), &inputs),
            false => g.apply("regions", pool.clone(), &inputs),
        };
        g.output("y", y.unwrap());
        g.compile(device).unwrap().run(&[("x", &Tensor::full([2, 1, 3, 3], 3.0)), ("image", &Tensor::from([image]))])
    };
    for device in [&Device::cpu(), device()] {
        for (aligned, computed) in [(false, false), (false, true), (true, false), (true, true)] {
            for image in [0, 1] {
                assert_eq!(run(device, aligned, image, computed).unwrap().into_first().as_f32().unwrap(), [3.0]);
            }
            for image in [-1, 2, i32::MAX] {
                let e = run(device, aligned, image, computed).unwrap_err();
                assert_eq!(e.kind(), ErrorKind::Argument, "{e}");
                assert!(e.to_string().contains(&format!("a region of image {image} among 2")), "{device}: {e}");
            }
        }
    }
}

/// What the network itself bounds is not measured: the place of the largest of 4 numbers in an axis of 4, and not in one of 3.
#[test]
fn no_dispatch_where_the_axis_is_long_enough() {
    let dispatches = |extent: usize| {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([2, 4])).unwrap();
        let most = ArgReduce { axis: 1, keep_dims: false, select_last: false, kind: Extreme::Max };
        let places = g.apply("most", most, &[x]).unwrap();
        let table = g.constant("table", Tensor::full([extent], 1.0)).unwrap();
        let y = g.apply("chosen", Gather { axis: 0 }, &[table, places]).unwrap();
        g.output("y", y);
        Compiled::new(device(), g, &CompileOptions::new()).unwrap().plan().unwrap().dispatches()
    };
    assert_eq!([4, 3].map(dispatches), [2, 4]);
}

/// Indices that exist on the device alone: the place of the largest of 4 numbers, plus 1, in an axis of 3.
#[test]
fn an_index_that_a_device_computes_is_measured() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 4])).unwrap();
    let most = ArgReduce { axis: 1, keep_dims: false, select_last: false, kind: Extreme::Max };
    let places = g.apply("most", most, &[x]).unwrap();
    let one = g.constant("one", Tensor::from([1i64])).unwrap();
    let next = g.apply("next", Binary(BinaryKind::Add), &[places, one]).unwrap();
    let table = g.constant("table", Tensor::from([10.0f32, 11.0, 12.0])).unwrap();
    let y = g.apply("chosen", Gather { axis: 0 }, &[table, next]).unwrap();
    g.output("y", y);
    let session = g.compile(device()).unwrap();
    let of = |largest: usize| {
        let mut numbers = vec![0.0f32; 4];
        numbers[largest] = 1.0;
        session.run(&[("x", &Tensor::new([1, 4], numbers).unwrap())])
    };
    assert_eq!(of(1).unwrap().into_first().as_f32().unwrap(), [12.0]);
    for largest in [2, 3] {
        let e = of(largest).unwrap_err();
        let text = format!("chosen: index {} is outside an axis of 3", largest + 1);
        assert!(e.kind() == ErrorKind::Argument && e.to_string() == text, "{e}");
    }
}

/// Lengths of sequences of 3 steps: given, computed, and constant.
#[test]
fn a_length_beyond_the_steps_is_an_error() {
    let run = |lengths: [i32; 2], form: usize| {
        let mut g = Graph::new();
        let x = g.input("x", Desc::f32([3, 2, 1])).unwrap();
        let weight = g.constant("weight", Tensor::zeros([1, 1, 1])).unwrap();
        let h = g.constant("h", Tensor::zeros([1, 2, 1])).unwrap();
        let (list, zero) = (Tensor::from(lengths), Tensor::from([0i32]));
        let id = match form {
            0 => g.constant("lengths", list.clone()).unwrap(),
            _ => g.input("lengths", list.desc()).unwrap(),
        };
        let zero = g.constant("zero", zero).unwrap();
        let id = if form == 2 { g.apply("sum", Binary(BinaryKind::Add), &[id, zero]).unwrap() } else { id };
        let cell = Cell::Rnn { f: Activation::Relu };
        let op = Recurrent { cell, direction: Direction::Forward, clip: None, batch_first: false };
        let y = g.apply("rnn", op, &[x, weight, h, id]).unwrap();
        g.output("y", y);
        let x = Tensor::full([3, 2, 1], 1.0);
        let all = [("x", &x), ("lengths", &list)];
        g.compile(device())?.run(if form == 0 { &all[..1] } else { &all })
    };
    for form in 0..3 {
        let y = run([1, 3], form).unwrap().into_first();
        assert_eq!(y.as_f32().unwrap(), [1.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
        for length in [-1, 4] {
            let e = run([2, length], form).unwrap_err();
            let text = format!("rnn: a sequence of length {length} among 3 steps");
            assert!(e.kind() == ErrorKind::Argument && e.to_string() == text, "{e}");
        }
    }
}
