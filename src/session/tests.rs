//! A session's plans and its inputs.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::attr::Activation;
use crate::device::DeviceTensor;
use crate::error::ErrorKind;
use crate::ops::unary::Unary;
use crate::shape::{DType, Dim};

/// `y = max(x, 0)` of any length; the values of `times` are read on the host but decide nothing.
#[derive(Default)]
struct Open {
    shaping: bool,
    /// How often it was bound.
    bound: Arc<AtomicUsize>,
}

impl Network for Open {}

impl Bind for Open {
    fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph> {
        check_given(&self.declared_inputs(), &[], inputs)?;
        self.bound.fetch_add(1, Ordering::Relaxed);
        let mut g = Graph::new();
        let mut y = g.input("x", inputs[0].desc.clone())?;
        for _ in 0..inputs.get(1).and_then(|g| g.value.clone()).map_or(1, |t| t.numel()) {
            y = g.layer(Unary(Activation::Relu), &[y])?;
        }
        g.output("y", y);
        Ok(g)
    }
    fn shape_inputs(&self) -> Vec<String> {
        if self.shaping { vec!["times".to_owned()] } else { vec![] }
    }
    fn declared_inputs(&self) -> Vec<ValueInfo> {
        let length = |name: &str| Some(vec![Dim::Named(name.to_owned())]);
        let times = ValueInfo::new("times", DType::I64, length("k"));
        let x = ValueInfo::new("x", DType::F32, length("n"));
        if self.shaping { vec![x, times] } else { vec![x] }
    }
    fn declared_outputs(&self) -> Vec<ValueInfo> {
        vec![ValueInfo::new("y", DType::F32, None)]
    }
}

fn session(options: CompileOptions) -> Session {
    Session::new(&Device::cpu(), Open::default(), options).unwrap()
}

fn keys(session: &Session) -> Vec<String> {
    session.0.plans.list().into_iter().map(|(key, _)| key).collect()
}

fn run(session: &Session, n: usize) {
    assert_eq!(session.run(&[("x", &Tensor::full([n], -1.0))]).unwrap()["y"], Tensor::zeros([n]));
}

#[test]
fn a_session_keeps_as_many_plans_as_it_is_told() {
    let session = session(CompileOptions::new().max_plans(2));
    assert!(latest(&session).is_none());
    (1..=3).for_each(|n| run(&session, n));
    assert_eq!(keys(&session), ["x: f32[2]", "x: f32[3]"]);
    // The least recently used is dropped.
    [2, 4].into_iter().for_each(|n| run(&session, n));
    assert_eq!(keys(&session), ["x: f32[2]", "x: f32[4]"]);
    let kept = latest(&session).unwrap();
    run(&session, 4);
    assert!(Arc::ptr_eq(&kept, &latest(&session).unwrap()), "not compiled again");
    run(&session, 5);
    run(&session, 4);
    assert!(Arc::ptr_eq(&kept, &latest(&session).unwrap()));
}

/// Under the rule of the least recently used, each would be dropped just before it is wanted.
#[test]
fn one_size_more_than_there_is_room_for_is_not_compiled_in_every_round() {
    let network = Open::default();
    let bound = network.bound.clone();
    let session = Session::new(&Device::cpu(), network, CompileOptions::new()).unwrap();
    let rounds = |rounds: usize, sizes: usize| {
        let before = bound.load(Ordering::Relaxed);
        (0..rounds).for_each(|_| (1..=sizes).for_each(|n| run(&session, n)));
        bound.load(Ordering::Relaxed) - before
    };
    assert_eq!((rounds(1, 8), rounds(3, 8)), (8, 0));
    let made = rounds(20, 9);
    assert!((21..=60).contains(&made), "{made} plans in 20 rounds of 9");
    // Once it fits again, nothing is made any more.
    rounds(3, 8);
    assert_eq!(rounds(3, 8), 0);
}

#[test]
fn plans_are_described_forgotten_and_limited() {
    let shape = |n: usize| [("x", Desc::f32([n]))];
    let session = session(CompileOptions::new());
    assert_eq!(session.plan_for(&shape(3)).unwrap().peak_bytes(), 0, "the reference plans nothing");
    assert!(keys(&session).is_empty(), "nothing was compiled");
    (1..=3).for_each(|n| run(&session, n));
    assert!(session.forget(&shape(2)).unwrap() && !session.forget(&shape(2)).unwrap());
    assert_eq!(keys(&session), ["x: f32[1]", "x: f32[3]"]);
    session.clear();
    assert!(keys(&session).is_empty());
    run(&session, 3);
    for wrong in [&[][..], &[("z", Desc::f32([3]))], &[("x", Desc::f32([3])), ("x", Desc::f32([3]))]] {
        assert_eq!(session.plan_for(wrong).unwrap_err().kind(), ErrorKind::Argument);
        assert_eq!(session.forget(wrong).unwrap_err().kind(), ErrorKind::Argument);
    }
    let by_value = Open { shaping: true, ..Open::default() };
    let by_value = Session::new(&Device::cpu(), by_value, CompileOptions::new()).unwrap();
    let e = by_value.plan_for(&[("x", Desc::f32([3])), ("times", Desc::new([1], DType::I64))]).unwrap_err();
    assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("the input \"times\" decides shapes"), "{e}");
}

/// Eight values of an input that decides shapes; of more, the first eight.
#[test]
fn a_plan_shows_some_of_the_values_that_it_is_for() {
    for (count, more) in [(8, ""), (9, ", ..")] {
        let network = Open { shaping: true, ..Open::default() };
        let session = Session::new(&Device::cpu(), network, CompileOptions::new()).unwrap();
        let times = Tensor::new([count], vec![7i64; count]).unwrap();
        session.run(&[("x", &Tensor::zeros([3])), ("times", &times)]).unwrap();
        let values = [["7"; 8].join(", "), more.to_owned()].concat();
        assert_eq!(keys(&session), [format!("times: i64[{count}] = [{values}], x: f32[3]")]);
    }
}

/// A network of fixed shapes has one plan; without the weights on the host it cannot be made again.
#[test]
fn the_only_plan_stays_unless_the_host_keeps_the_weights() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([2])).unwrap();
    let w = g.constant("w", Tensor::from([2.0f32, 3.0])).unwrap();
    let y = g.binary(x, w, crate::attr::BinaryKind::Mul).unwrap();
    g.output("y", y);
    for keep in [false, true] {
        let options = CompileOptions::new().keep_weights(keep);
        let session = Session::new(&Device::cpu(), g.clone(), options).unwrap();
        session.clear();
        assert_eq!(keys(&session).is_empty(), keep);
        assert_eq!(session.run(&[("x", &Tensor::from([1.0f32, 1.0]))]).unwrap()["y"], Tensor::from([2.0f32, 3.0]));
        assert_eq!(session.forget(&[("x", Desc::f32([2]))]).unwrap(), keep);
    }
}

#[test]
fn one_plan_at_the_least() {
    let one = session(CompileOptions::new().max_plans(1));
    (1..=2).for_each(|n| run(&one, n));
    assert_eq!(keys(&one), ["x: f32[2]"]);
    let none = CompileOptions::new().max_plans(0);
    let e = Session::new(&Device::cpu(), Open::default(), none).unwrap_err();
    assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("max_plans is 0"), "{e}");
    let many = session(CompileOptions::new());
    (1..=20).for_each(|n| run(&many, n));
    assert_eq!(keys(&many).len(), 8);
}

#[test]
fn threads_that_meet_a_new_shape_at_once_leave_one_plan_of_it() {
    let session = session(CompileOptions::new().max_plans(2));
    let start = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                (1..200).for_each(|k| run(&session, 1 + k / 20 % 3));
            });
        }
    });
    let keys = keys(&session);
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
}

#[test]
fn threads_that_need_a_new_plan_at_once_make_it_once() {
    let network = Open::default();
    let bound = network.bound.clone();
    let session = Session::new(&Device::cpu(), network, CompileOptions::new()).unwrap();
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                (1..=6).for_each(|n| run(&session, n));
            });
        }
    });
    assert_eq!((bound.load(Ordering::Relaxed), keys(&session).len()), (6, 6));
    assert!(session.0.turn(Identity::of(7)).are_free() && session.0.making.lock().unwrap().len() == 1);
}

#[test]
fn values_that_decide_a_graph_are_part_of_the_key() {
    let session =
        Session::new(&Device::cpu(), Open { shaping: true, ..Open::default() }, CompileOptions::new()).unwrap();
    let x = Tensor::from([-1.0f32, 2.0]);
    for (times, nodes) in [(&[5i64][..], 1), (&[5, 6], 2), (&[6], 1)] {
        let times = Tensor::from(times);
        assert_eq!(session.run(&[("x", &x), ("times", &times)]).unwrap()["y"], Tensor::from([0.0f32, 2.0]));
        assert_eq!(latest(&session).unwrap().graph().nodes().len(), nodes);
    }
    let expected =
        ["times: i64[1] = [5], x: f32[2]", "times: i64[2] = [5, 6], x: f32[2]", "times: i64[1] = [6], x: f32[2]"];
    assert_eq!(keys(&session), expected);
    let (x, times) = (x.to_device(&Device::cpu()).unwrap(), Tensor::from([5i64]).to_device(&Device::cpu()).unwrap());
    let y = session.run_device(&[("x", &x), ("times", &times)]).unwrap();
    assert_eq!(DeviceTensor::try_from(y).unwrap().to_host().unwrap(), Tensor::from([0.0f32, 2.0]));
    assert_eq!(keys(&session).len(), 3);
}

#[test]
fn what_a_session_shows() {
    let session = session(CompileOptions::new());
    assert_eq!(session.inputs()[0].dims, Some(vec![Dim::Named("n".to_owned())]));
    assert_eq!((session.outputs()[0].name.as_str(), session.outputs()[0].fixed()), ("y", None));
    run(&session, 3);
    let text = "session on CPU reference\n\
                inputs   x: f32[n]\n\
                outputs  y: f32[..]\n\
                plans    1 of at most 8, f32\n  x: f32[3]: 1 nodes";
    assert_eq!(session.to_string(), text);
    assert_eq!(format!("{session:?}"), "Session(x: f32[n] -> y: f32[..], on CPU reference, 1 plans)");
    assert_eq!(format!("{:?}", latest(&session).unwrap()), "Compiled(1 nodes, on CPU reference)");
}

#[test]
fn wrong_inputs_are_refused_before_anything_is_compiled() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([2])).unwrap();
    g.output("y", x);
    let session = g.compile(&Device::cpu()).unwrap();
    let (x, long) = (Tensor::zeros([2]), Tensor::zeros([3]));
    let wrong = |inputs: &[(&str, &Tensor)]| session.run(inputs).unwrap_err();
    assert_eq!(wrong(&[("x", &long)]).to_string(), "the input \"x\" takes f32[2], not f32[3]");
    assert_eq!(wrong(&[("x", &long)]).kind(), ErrorKind::Shape);
    for inputs in [&[][..], &[("x", &x), ("z", &x)], &[("x", &x), ("x", &x)], &[("z", &x)]] {
        assert_eq!(wrong(inputs).kind(), ErrorKind::Argument);
    }
    assert_eq!(keys(&session), ["x: f32[2]"], "nothing else was compiled");
}

#[test]
fn a_graph_without_outputs_has_no_session() {
    let mut g = Graph::new();
    g.input("x", Desc::f32([2])).unwrap();
    let e = g.compile(&Device::cpu()).unwrap_err();
    assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("no outputs"), "{e}");
}

#[test]
fn fusion_can_be_left_out() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 1, 2, 2])).unwrap();
    let w = g.constant("w", Tensor::full([1, 1, 1, 1], 2.0)).unwrap();
    let y = g.layer(crate::ops::conv2d::Conv2d::default(), &[x, w]).unwrap();
    let y = g.layer(Unary(Activation::Relu), &[y]).unwrap();
    g.output("y", y);
    let nodes = |options: CompileOptions| {
        let session = Session::new(&Device::cpu(), g.clone(), options).unwrap();
        latest(&session).unwrap().graph().nodes().len()
    };
    assert_eq!((nodes(CompileOptions::new()), nodes(CompileOptions::new().fusion(false))), (1, 2));
}
