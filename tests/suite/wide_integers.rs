//! Doubles and 64-bit integers on a device that has neither: right, or an error, never another number in silence.

use convgpu::internals::attr::{Activation, BinaryKind, Extreme};
use convgpu::internals::graph::Graph;
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::cast::Cast;
use convgpu::internals::ops::gather::Gather;
use convgpu::internals::ops::matmul::MatMul;
use convgpu::internals::ops::reduce::ArgReduce;
use convgpu::internals::ops::reshape::Reshape;
use convgpu::internals::ops::unary::Unary;
use convgpu::internals::session::{Compiled, latest};
use convgpu::verify::{VerifyOptions, verify};
use convgpu::{CompileOptions, DType, Data, Desc, Device, ErrorKind, Precision, Result, Session, Tensor};

use crate::support::device;

const LARGE: i64 = 1 << 40;

/// A layer that changes nothing and is too much work for the host: values are `[n, 16]`.
fn layer(g: &mut Graph, x: convgpu::ValueId) -> convgpu::ValueId {
    let identity = (0..256).map(|k| f32::from(u8::from(k % 17 == 0))).collect::<Vec<_>>();
    let w = g.constant("identity", Tensor::new([16, 16], identity).unwrap()).unwrap();
    g.linear(x, w, None).unwrap()
}

/// Rows of 16 that begin with these numbers and go on with zeros.
fn rows(first: &[f32]) -> Tensor {
    let rows: Vec<f32> = first.iter().flat_map(|&v| [v].into_iter().chain([0.0; 15])).collect();
    Tensor::new([first.len(), 16], rows).unwrap()
}

/// The graph's only output for one input, on the test device.
fn run(graph: &Graph, x: &Tensor) -> Result<Tensor> {
    let session = Session::new(device(), graph.clone(), CompileOptions::new())?;
    Ok(session.run(&[("x", x)])?.into_first())
}

fn graph(x: Desc, build: impl FnOnce(&mut Graph, convgpu::ValueId) -> convgpu::ValueId) -> Graph {
    let mut graph = Graph::new();
    let input = graph.input("x", x).unwrap();
    let y = build(&mut graph, input);
    graph.output("y", y);
    graph
}

/// A network that runs on the host is the device's all the same, and has no f16.
#[test]
fn what_runs_on_the_host_is_verified_in_every_precision() {
    let g = graph(Desc::new([3], DType::F64), |g, x| g.activation(x, Activation::Exp).unwrap());
    let x = Tensor::from([-1.0f32, 0.0, 40.0]).to_dtype(DType::F64);
    for precision in [Precision::F32, Precision::F16] {
        let options = VerifyOptions::new().compile(CompileOptions::new().precision(precision));
        let report = verify(device(), &g, &[("x", &x)], &options).unwrap();
        assert!(report.ok() && report.device == device().to_string() && report.nodes.len() == 1, "{report}");
    }
}

#[test]
fn integers_beyond_32_bits_stay_on_the_host() {
    let g = graph(Desc::new([3], DType::I64), |g, x| {
        let two = g.constant("two", Tensor::from([2i64])).unwrap();
        g.apply("double", Binary(BinaryKind::Mul), &[x, two]).unwrap()
    });
    let x = Tensor::from([LARGE, -LARGE, 3]);
    assert_eq!(run(&g, &x).unwrap(), Tensor::from([2 * LARGE, -2 * LARGE, 6]));
    assert!(x.to_device(device()).is_err(), "the device has no such integers");
    // Small ones are the same from a tensor of the device.
    let session = Session::new(device(), g, CompileOptions::new()).unwrap();
    let small = Tensor::from([1i64, 2, -3]).to_device(device()).unwrap();
    let outputs = session.run_device(&[("x", &small)]).unwrap();
    assert_eq!(outputs.first().to_host().unwrap(), Tensor::from([2i64, 4, -6]));
}

#[test]
fn products_of_matrices_beyond_32_bits_stay_on_the_host() {
    let g = graph(Desc::new([2, 3], DType::I64), |g, x| {
        let columns = g.constant("columns", Tensor::from([[1i64 << 20, 1], [-1, 2], [3, LARGE]])).unwrap();
        g.matmul(x, columns).unwrap()
    });
    let y = run(&g, &Tensor::from([[1i64 << 20, 5, 0], [0, 0, 3]])).unwrap();
    assert_eq!(y, Tensor::from([[LARGE - 5, (1 << 20) + 10], [9, 3 * LARGE]]));
    // In the middle of a network they are an error of the run, and right below 2^31.
    let g = graph(Desc::f32([2, 16]), |g, x| {
        let x = layer(g, x);
        let index = g.apply("index", Cast { to: DType::I64 }, &[x]).unwrap();
        let ones = g.constant("ones", Tensor::full([16, 16], 1.0).to_dtype(DType::I64)).unwrap();
        let squares = g.apply("squares", Binary(BinaryKind::Mul), &[index, index]).unwrap();
        let sums = g.apply("sums", MatMul, &[squares, ones]).unwrap();
        let float = g.apply("float", Cast { to: DType::F32 }, &[sums]).unwrap();
        layer(g, float)
    });
    let y = run(&g, &rows(&[3.0, 2000.0])).unwrap();
    assert_eq!(y.as_f32().unwrap(), [[9.0f32; 16], [4e6; 16]].concat());
    let e = run(&g, &rows(&[3.0, 40_000.0])).unwrap_err();
    assert_eq!((e.kind(), e.node()), (ErrorKind::Unsupported, Some("sums")), "{e}");
}

#[test]
fn what_comes_before_and_after_the_device_runs_on_the_host() {
    // x + 2^40 - 2^40 as an index into a table, a layer, and the index of the largest times 2^40.
    let g = graph(Desc::new([2], DType::I64), |g, x| {
        let large = g.constant("large", Tensor::from([LARGE])).unwrap();
        let up = g.apply("up", Binary(BinaryKind::Add), &[x, large]).unwrap();
        let index = g.apply("down", Binary(BinaryKind::Sub), &[up, large]).unwrap();
        let table = Tensor::new([4, 16], (0..64).map(|k| ((k * 7) % 64) as f32).collect::<Vec<_>>()).unwrap();
        let table = g.constant("table", table).unwrap();
        let y = g.apply("rows", Gather { axis: 0 }, &[table, index]).unwrap();
        let y = layer(g, y);
        let most = ArgReduce { axis: 1, keep_dims: false, select_last: false, kind: Extreme::Max };
        let at = g.apply("most", most, &[y]).unwrap();
        g.apply("scaled", Binary(BinaryKind::Mul), &[at, large]).unwrap()
    });
    // Element c of row r is 7 (16 r + c) mod 64.
    let largest = |r: i64| (0..16).max_by_key(|c| 7 * (16 * r + c) % 64).unwrap();
    assert_eq!(run(&g, &Tensor::from([1i64, 3])).unwrap(), Tensor::from([largest(1) * LARGE, largest(3) * LARGE]));
    let session = Session::new(device(), g, CompileOptions::new()).unwrap();
    session.run(&[("x", &Tensor::from([0i64, 0]))]).unwrap();
    let compiled = latest(&session).unwrap();
    let on_device: Vec<_> = compiled.graph().nodes().iter().map(|n| n.name.as_str()).collect();
    assert!(
        on_device.contains(&"rows") && !on_device.contains(&"down") && !on_device.contains(&"scaled"),
        "{on_device:?}"
    );
}

/// In the middle of a network nothing runs on the host: what does not fit is an error of the run.
#[test]
fn what_does_not_fit_in_the_middle_is_an_error() {
    let g = graph(Desc::f32([2, 16]), |g, x| {
        let x = layer(g, x);
        let index = g.apply("index", Cast { to: DType::I64 }, &[x]).unwrap();
        let wide = g.apply("wide", Binary(BinaryKind::Mul), &[index, index]).unwrap();
        let float = g.apply("float", Cast { to: DType::F32 }, &[wide]).unwrap();
        layer(g, float)
    });
    assert_eq!(run(&g, &rows(&[-3.5, 40_000.0])).unwrap(), rows(&[9.0, 1.6e9]));
    for (x, node) in [(50_000.0f32, "wide"), (3e9, "index")] {
        let e = run(&g, &rows(&[1.0, x])).unwrap_err();
        assert_eq!((e.kind(), e.node()), (ErrorKind::Unsupported, Some(node)), "{e}");
        assert!(e.to_string().contains("32 bits"), "{e}");
        let kept = Compiled::new(device(), g.clone(), &CompileOptions::new()).unwrap();
        let x = rows(&[1.0, x]).to_device(device()).unwrap();
        assert_eq!(kept.run_device(&[("x", &x)]).unwrap_err().node(), Some(node));
    }
}

/// 2^31 is the first integer that does not fit.
#[test]
fn the_border_of_32_bits_is_known() {
    let g = graph(Desc::f32([2, 16]), |g, x| {
        let x = layer(g, x);
        let index = g.apply("index", Cast { to: DType::I64 }, &[x]).unwrap();
        let wide = g.apply("wide", Binary(BinaryKind::Add), &[index, index]).unwrap();
        let float = g.apply("float", Cast { to: DType::F32 }, &[wide]).unwrap();
        layer(g, float)
    });
    let half = 2f32.powi(30);
    assert_eq!(run(&g, &rows(&[-3.0, half - 64.0])).unwrap(), rows(&[-6.0, 2.0 * (half - 64.0)]));
    let e = run(&g, &rows(&[-3.0, half])).unwrap_err();
    assert_eq!((e.kind(), e.node()), (ErrorKind::Unsupported, Some("wide")), "{e}");
}

/// The same where the types alone bound the result: twice 2^30 times a Bool is at most 2^31.
#[test]
fn the_border_of_32_bits_is_known_before_the_run() {
    let g = graph(Desc::f32([2, 16]), |g, x| {
        let x = layer(g, x);
        let is = g.apply("is", Cast { to: DType::Bool }, &[x]).unwrap();
        let one = g.apply("one", Cast { to: DType::I64 }, &[is]).unwrap();
        let large = g.constant("large", Tensor::from([1i64 << 30])).unwrap();
        let wide = g.apply("wide", Binary(BinaryKind::Mul), &[one, large]).unwrap();
        let twice = g.apply("twice", Binary(BinaryKind::Add), &[wide, wide]).unwrap();
        let float = g.apply("float", Cast { to: DType::F32 }, &[twice]).unwrap();
        layer(g, float)
    });
    assert_eq!(run(&g, &rows(&[0.0, 0.0])).unwrap(), rows(&[0.0, 0.0]));
    let e = run(&g, &rows(&[0.0, 1.0])).unwrap_err();
    assert_eq!((e.kind(), e.node()), (ErrorKind::Unsupported, Some("twice")), "{e}");
}

/// A NaN, which becomes 0, does not hide what is beyond 32 bits.
#[test]
fn a_nan_hides_nothing() {
    let g = graph(Desc::f32([2, 16]), |g, x| {
        let x = layer(g, x);
        let index = g.apply("index", Cast { to: DType::I64 }, &[x]).unwrap();
        let float = g.apply("float", Cast { to: DType::F32 }, &[index]).unwrap();
        layer(g, float)
    });
    assert_eq!(run(&g, &rows(&[f32::NAN, 5.0])).unwrap(), rows(&[0.0, 5.0]));
    for x in [3e9, f32::INFINITY, f32::NEG_INFINITY] {
        let e = run(&g, &rows(&[f32::NAN, x])).unwrap_err();
        assert_eq!((e.kind(), e.node()), (ErrorKind::Unsupported, Some("index")), "{x}: {e}");
    }
}

/// Nothing is measured where shapes and types say that the results fit.
#[test]
fn no_dispatch_where_the_range_is_known() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([4, 300])).unwrap();
    let most = ArgReduce { axis: 1, keep_dims: false, select_last: false, kind: Extreme::Max };
    let at = g.apply("most", most, &[x]).unwrap();
    let offset = g.constant("offset", Tensor::from([1000i64])).unwrap();
    let y = g.apply("shifted", Binary(BinaryKind::Add), &[at, offset]).unwrap();
    g.output("y", y);
    let compiled = Compiled::new(device(), g, &CompileOptions::new()).unwrap();
    assert_eq!(compiled.plan().unwrap().dispatches(), 2);
}

/// An input plus 1 is a counter of batches, which never has 2^31: it is not measured. Any other sum is.
#[test]
fn only_a_counter_is_trusted() {
    let plus = |number: i64| {
        let g = graph(Desc::new([1], DType::I64), |g, x| {
            let number = g.constant("number", Tensor::from([number])).unwrap();
            g.apply("sum", Binary(BinaryKind::Add), &[x, number]).unwrap()
        });
        Compiled::new(device(), g, &CompileOptions::new()).unwrap()
    };
    let [counter, sum] = [1, 1 << 30].map(plus);
    assert_eq!((counter.plan().unwrap().dispatches(), sum.plan().unwrap().dispatches()), (1, 3));
    let of = |x: i64| sum.run_device(&[("x", &Tensor::from([x]).to_device(device()).unwrap())]);
    assert_eq!(of((1 << 30) - 1).unwrap().first().unwrap().to_host().unwrap(), Tensor::from([i64::from(i32::MAX)]));
    assert_eq!(of(1 << 30).unwrap_err().node(), Some("sum"));
}

#[test]
fn doubles_are_doubles_on_the_host_and_said_to_be_floats_on_a_device() {
    let doubles = |v: &[f64]| Tensor::new([v.len()], Data::F64(v.to_vec().into())).unwrap();
    // floor(100 x): 0.29 is 28.999999999999996 hundredths as a double.
    let g = graph(Desc::new([2], DType::F64), |g, x| {
        let hundred = g.constant("hundred", doubles(&[100.0])).unwrap();
        let y = g.apply("hundredths", Binary(BinaryKind::Mul), &[x, hundred]).unwrap();
        g.apply("whole", Unary(Activation::Floor), &[y]).unwrap()
    });
    let x = doubles(&[0.29, 0.57]);
    assert_eq!(run(&g, &x).unwrap(), doubles(&[28.0, 56.0]));
    let reference = Session::new(&Device::cpu(), g, CompileOptions::new()).unwrap();
    assert_eq!(reference.run(&[("x", &x)]).unwrap().first(), &doubles(&[28.0, 56.0]));

    let g = graph(Desc::f32([4, 16]), |g, x| {
        let y = layer(g, x);
        let wide = g.apply("wide", Cast { to: DType::F64 }, &[y]).unwrap();
        let twice = g.apply("twice", Binary(BinaryKind::Add), &[wide, wide]).unwrap();
        let narrow = g.apply("narrow", Cast { to: DType::F32 }, &[twice]).unwrap();
        layer(g, narrow)
    });
    let session = Session::new(device(), g, CompileOptions::new()).unwrap();
    assert_eq!(session.run(&[("x", &rows(&[1.5, 0.0, 2.0, -1.0]))]).unwrap().first(), &rows(&[3.0, 0.0, 4.0, -2.0]));
    assert_eq!(latest(&session).unwrap().computes_in_single(), Some("twice"));
}

/// Integers pass through doubles whole, on the device too.
#[test]
fn integers_pass_through_doubles() {
    let g = graph(Desc::f32([4, 16]), |g, x| {
        let y = layer(g, x);
        let whole = g.apply("whole", Cast { to: DType::I32 }, &[y]).unwrap();
        let one = g.constant("one", Tensor::from([[1i32]])).unwrap();
        let odd = g.apply("odd", Binary(BinaryKind::Add), &[whole, one]).unwrap();
        let wide = g.apply("wide", Cast { to: DType::F64 }, &[odd]).unwrap();
        let back = g.apply("back", Cast { to: DType::I32 }, &[wide]).unwrap();
        let even = g.apply("even", Binary(BinaryKind::Sub), &[back, whole]).unwrap();
        let even = g.apply("float", Cast { to: DType::F32 }, &[even]).unwrap();
        layer(g, even)
    });
    let y = run(&g, &rows(&[16_777_216.0, 5.0, 16_777_218.0, -1.0])).unwrap();
    assert_eq!(y, Tensor::full([4, 16], 1.0f32));
}

/// What 32 bits hold is computed, and what they may not hold is an error: each of these by the numbers themselves, of which the
/// device finds the largest.
#[test]
fn results_of_a_device_fit_or_are_refused() {
    use convgpu::internals::attr::ReduceKind::{Prod, Sum, SumSquare};
    use convgpu::internals::ops::reduce::Reduce;
    let integers = |first: &[f32], last: &dyn Fn(&mut Graph, convgpu::ValueId) -> convgpu::ValueId| {
        let g = graph(Desc::f32([4, 16]), |g, x| {
            let whole = g.apply("whole", Cast { to: DType::I64 }, &[x]).unwrap();
            last(g, whole)
        });
        // Nothing of it on the host.
        let compiled = Compiled::new(device(), g, &CompileOptions::new())?;
        compiled.run(&[("x", &rows(first))]).map(|y| y.into_first().to_vec::<i64>().unwrap())
    };
    let refused = |result: Result<Vec<i64>>| {
        let e = result.unwrap_err();
        assert!(e.kind() == ErrorKind::Unsupported && e.to_string().contains("may exceed the 32 bits"), "{e}");
    };
    let reduce = |kind| {
        move |g: &mut Graph, x| g.apply("reduced", Reduce { axes: vec![0], keep_dims: true, kind }, &[x]).unwrap()
    };
    let first = |result: Result<Vec<i64>>| result.unwrap()[0];
    // Four numbers are added, not all 64.
    assert_eq!(first(integers(&[1e8, 2e8, 3e8, 4e8], &reduce(Sum))), 1_000_000_000);
    refused(integers(&[6e8; 4], &reduce(Sum)));
    assert_eq!(first(integers(&[100.0, -200.0, 50.0, 7.0], &reduce(Prod))), -7_000_000);
    refused(integers(&[300.0; 4], &reduce(Prod)));
    assert_eq!(first(integers(&[2e4, -1e4, 0.0, 0.0], &reduce(SumSquare))), 500_000_000);
    refused(integers(&[3e4; 4], &reduce(SumSquare)));
    let binary = |kind, other: i64| {
        move |g: &mut Graph, x| {
            let other = g.constant("other", Tensor::from([other])).unwrap();
            g.apply("of both", Binary(kind), &[x, other]).unwrap()
        }
    };
    assert_eq!(first(integers(&[1e9; 4], &binary(BinaryKind::Add, 1_000_000_000))), 2_000_000_000);
    refused(integers(&[1.5e9; 4], &binary(BinaryKind::Add, 1_000_000_000)));
    assert_eq!(first(integers(&[-4e4; 4], &binary(BinaryKind::Mul, 50_000))), -2_000_000_000);
    refused(integers(&[-4e4; 4], &binary(BinaryKind::Mul, 60_000)));
    assert_eq!(first(integers(&[1e3; 4], &binary(BinaryKind::Pow, 3))), 1_000_000_000);
    refused(integers(&[1.5e3; 4], &binary(BinaryKind::Pow, 3)));
    // Two inputs: only the constant 1 counts.
    let sum = |b: i64| {
        let mut g = Graph::new();
        let [x, y] = ["x", "y"].map(|name| g.input(name, Desc::new([2], DType::I64)).unwrap());
        let sum = g.apply("sum", Binary(BinaryKind::Add), &[x, y]).unwrap();
        g.output("sum", sum);
        let compiled = Compiled::new(device(), g, &CompileOptions::new()).unwrap();
        let [x, y] = [Tensor::from([1_500_000_000i64, -1]), Tensor::from([b, 1])];
        compiled.run(&[("x", &x), ("y", &y)]).map(|y| y.into_first().to_vec::<i64>().unwrap())
    };
    assert_eq!(sum(500_000_000).unwrap(), [2_000_000_000, 0]);
    refused(sum(1_500_000_000));
}

/// `verify` checks what runs on the device, and the results of the whole.
#[test]
fn verification_agrees_where_part_runs_on_the_host() {
    use convgpu::verify::{VerifyOptions, verify};
    let g = graph(Desc::new([2], DType::I64), |g, x| {
        let large = g.constant("large", Tensor::from([LARGE])).unwrap();
        let far = g.apply("far", Binary(BinaryKind::Add), &[x, large]).unwrap();
        g.output("far", far);
        let near = g.apply("near", Binary(BinaryKind::Sub), &[far, large]).unwrap();
        let table = Tensor::new([4, 16], (0..64).map(|k| k as f32).collect::<Vec<_>>()).unwrap();
        let table = g.constant("table", table).unwrap();
        let y = g.apply("rows", Gather { axis: 0 }, &[table, near]).unwrap();
        layer(g, y)
    });
    let x = Tensor::from([1i64, 3]);
    let report = verify(device(), &g, &[("x", &x)], &VerifyOptions::new()).unwrap();
    assert!(report.ok(), "{report}");
    assert!(report.nodes.iter().all(|n| n.name != "far"), "{report}");
    assert_eq!(report.outputs.len(), 2);
}

/// What no node of the device computes does not go through it: a double stays a double, and an integer has 64 bits.
#[test]
fn what_the_device_does_not_compute_passes_it_by() {
    let doubles = Tensor::new([2], Data::F64(vec![1e300, 0.1].into())).unwrap();
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([2, 16])).unwrap();
    let d = g.input("d", Desc::new([2], DType::F64)).unwrap();
    let i = g.input("i", Desc::new([2], DType::I64)).unwrap();
    let known = g.constant("known", doubles.clone()).unwrap();
    let large = g.constant("large", Tensor::from([LARGE])).unwrap();
    let row = g.apply("row", Reshape { shape: vec![1, 2] }, &[i]).unwrap();
    let float = g.apply("float", Cast { to: DType::F32 }, &[i]).unwrap();
    let less = g.apply("less", Binary(BinaryKind::Less), &[i, large]).unwrap();
    let y = layer(&mut g, x);
    for (name, id) in [
        ("y", y),
        ("d", d),
        ("i", i),
        ("known", known),
        ("large", large),
        ("row", row),
        ("float", float),
        ("less", less),
    ] {
        g.output(name, id);
    }
    let integers = Tensor::from([LARGE + 1, -3]);
    let session = Session::new(device(), g, CompileOptions::new()).unwrap();
    let outputs = session.run(&[("x", &rows(&[1.0, 2.0])), ("d", &doubles), ("i", &integers)]).unwrap();
    assert_eq!(outputs["y"], rows(&[1.0, 2.0]));
    assert_eq!((&outputs["d"], &outputs["known"], &outputs["i"]), (&doubles, &doubles, &integers));
    assert_eq!((&outputs["large"], &outputs["less"]), (&Tensor::from([LARGE]), &Tensor::from([false, true])));
    assert_eq!(outputs["row"], integers.reshape([1, 2]).unwrap());
    assert_eq!(outputs["float"], Tensor::from([(LARGE + 1) as f32, -3.0]));
}

/// A device clamps an index that is outside its axis: what a run is given is checked before.
#[test]
fn an_index_outside_its_axis_is_an_error() {
    let g = graph(Desc::new([2], DType::I64), |g, x| {
        let table = g.constant("table", rows(&[5.0, 6.0, 7.0])).unwrap();
        let y = g.apply("rows", Gather { axis: 0 }, &[table, x]).unwrap();
        layer(g, y)
    });
    assert_eq!(run(&g, &Tensor::from([-1i64, 0])).unwrap(), rows(&[7.0, 5.0]));
    for wrong in [3i64, -4, 1 << 33] {
        let e = run(&g, &Tensor::from([0, wrong])).unwrap_err();
        assert!(e.node() == Some("rows") && e.to_string().contains(&wrong.to_string()), "{e}");
    }
}

/// The same where nothing else runs on the host.
#[test]
fn a_double_that_only_passes_is_not_rounded() {
    let known = Tensor::new([1], Data::F64(vec![1e300].into())).unwrap();
    let g = graph(Desc::f32([2, 16]), |g, x| {
        let id = g.constant("known", known.clone()).unwrap();
        g.output("known", id);
        layer(g, x)
    });
    let session = Session::new(device(), g, CompileOptions::new()).unwrap();
    let outputs = session.run(&[("x", &rows(&[1.0, 2.0]))]).unwrap();
    assert_eq!((&outputs["known"], &outputs["y"]), (&known, &rows(&[1.0, 2.0])));
}
