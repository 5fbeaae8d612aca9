//! A network compiled for a device: planned once per set of input shapes, run any number of times.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use crate::device::{Device, DeviceTensor};
use crate::error::{Error, Result};
pub use crate::gpu::program::Progress;
use crate::graph::Graph;
use crate::shape::{DType, Desc, ValueInfo, check_inputs, list, takes};
use crate::tensor::Tensor;
use crate::threads::beside;

mod compiled;
mod host;
mod options;
mod outputs;

pub use compiled::{Compiled, evaluate_with_bounds};
pub use options::{CompileOptions, with_plan};
pub use outputs::Outputs;

pub(crate) use host::Ready;

/// The graph and plan that a session used last; `None` before the first run of a network whose shapes are not fixed.
pub fn latest(session: &Session) -> Option<Arc<Compiled>> {
    session.lock().last().map(|kept| kept.ready.compiled.clone())
}

/// An input of a run: its name, its description, and its value if that decides a shape.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    /// The input's name.
    pub name: &'a str,
    /// Shape and type.
    pub desc: Desc,
    /// The elements, for inputs that [`Bind::shape_inputs`] names.
    pub value: Option<Tensor>,
}

/// A network that a [`Session`] can run: a [`Graph`] or a [`Model`](crate::Model). Other types cannot implement it.
pub trait Network: Bind {}

/// The methods of a network that a session uses.
pub trait Bind: Send + Sync {
    /// The graph for these inputs.
    ///
    /// # Errors
    /// An input is missing, unknown or misshaped; a node does not fit; an operator is not supported.
    fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph>;

    /// Inputs whose values decide shapes: read on the host before planning, and part of the key of a plan.
    fn shape_inputs(&self) -> Vec<String> {
        vec![]
    }

    /// Drops the constants if the network has one graph only, which has been made: it is not asked for another.
    fn release(&mut self) {}

    /// The inputs of a run.
    fn declared_inputs(&self) -> Vec<ValueInfo>;

    /// What a run may be given besides: the network has a value for each.
    fn optional_inputs(&self) -> Vec<ValueInfo> {
        vec![]
    }

    /// The outputs of a run.
    fn declared_outputs(&self) -> Vec<ValueInfo>;
}

/// An error unless these are the inputs that a network declares, or some of the optional ones besides.
pub(crate) fn check_given(inputs: &[ValueInfo], optional: &[ValueInfo], given: &[Given<'_>]) -> Result<()> {
    check_inputs(inputs, optional, &given.iter().map(|g| (g.name, &g.desc)).collect::<Vec<_>>())
}

impl Network for Graph {}

impl Bind for Graph {
    fn bind(&self, inputs: &[Given<'_>]) -> Result<Graph> {
        check_given(&self.declared_inputs(), &[], inputs)?;
        Ok(self.clone())
    }
    fn release(&mut self) {
        self.values.iter_mut().for_each(|value| value.constant = None);
    }
    fn declared_inputs(&self) -> Vec<ValueInfo> {
        self.inputs().map(|(name, desc)| ValueInfo::of(name, desc)).collect()
    }
    fn declared_outputs(&self) -> Vec<ValueInfo> {
        self.outputs().map(|(name, desc)| ValueInfo::of(name, desc)).collect()
    }
}

impl Graph {
    /// Compiles the network for a device with the default options; [`Session::new_async`] takes others.
    ///
    /// # Errors
    /// As [`Session::new_async`].
    pub async fn compile_async(self, device: &Device) -> Result<Session> {
        Session::new_async(device, self, CompileOptions::new()).await
    }
}

/// A network on a device. Every new set of input shapes is planned and compiled; the last few plans are kept
/// ([`CompileOptions::max_plans`]). Threads may share a session; their runs are executed one after another.
///
/// ```
/// use convgpu::{CompileOptions, Desc, Device, ErrorKind, Graph, Session, Tensor};
///
/// let mut graph = Graph::new();
/// let x = graph.input("x", Desc::f32([1, 4]))?;
/// let y = graph.softmax(x, 1)?;
/// graph.output("probabilities", y);
///
/// let device = Device::cpu(); // Device::new()? is the best GPU
/// let session = Session::new(&device, graph, CompileOptions::new())?;
/// assert_eq!(session.inputs()[0].to_string(), "x: f32[1, 4]");
///
/// let outputs = session.run(&[("x", &Tensor::from([[0.0f32, 0.0, 0.0, 0.0]]))])?;
/// assert_eq!(outputs["probabilities"], Tensor::from([[0.25f32; 4]]));
///
/// let e = session.run(&[("x", &Tensor::from([0.0f32; 4]))]).unwrap_err();
/// assert_eq!(e.kind(), ErrorKind::Shape);
/// # Ok::<(), convgpu::Error>(())
/// ```
pub struct Session {
    device: Device,
    options: CompileOptions,
    network: Arc<dyn Bind>,
    inputs: Vec<ValueInfo>,
    optional: Vec<ValueInfo>,
    outputs: Vec<ValueInfo>,
    /// Names of inputs whose values decide shapes.
    shaping: Vec<String>,
    /// The most recently used last.
    kept: Mutex<Vec<Kept>>,
    /// A lock per plan that is being made.
    making: Mutex<HashMap<String, Weak<Turn>>>,
}

/// Held by the call that makes a plan; others that need the plan wait for it.
type Turn = futures_intrusive::sync::Mutex<()>;

struct Kept {
    key: String,
    ready: Arc<Ready>,
}

impl Session {
    /// Compiles a network: now if all its shapes are fixed, else at the first run.
    ///
    /// # Errors
    /// An operator has no kernel for its case; the device lacks memory or the requested f16, or it is lost; the network
    /// has no outputs, or two inputs or outputs of one name; [`CompileOptions::max_plans`] is 0.
    pub async fn new_async(
        device: &Device,
        network: impl Network + 'static,
        options: CompileOptions,
    ) -> Result<Session> {
        if options.max_plans == 0 {
            return Err(Error::argument("max_plans is 0: a session keeps at least the plan that it runs"));
        }
        let mut session = Session {
            device: device.clone(),
            options: CompileOptions { weights: false, ..options },
            inputs: network.declared_inputs(),
            optional: network.optional_inputs(),
            outputs: network.declared_outputs(),
            shaping: network.shape_inputs(),
            network: Arc::new(network),
            kept: Mutex::default(),
            making: Mutex::default(),
        };
        // As a run gives them: in the type that the network computes in.
        let given = |name, desc: Desc| Given { name, desc: Desc::new(desc.shape, desc.dtype.computed()), value: None };
        let fixed = session.inputs.iter().map(|v| v.fixed().map(|desc| given(v.name.as_str(), desc)));
        if !session.inputs.iter().any(|v| session.shapes(&v.name))
            && let Some(given) = fixed.collect::<Option<Vec<_>>>()
        {
            let graph = session.bind(&given).await?;
            if let Some(network) = Arc::get_mut(&mut session.network) {
                network.release();
            }
            session.compile(key_for(&given), graph).await?;
        }
        Ok(session)
    }

    /// The inputs of a run: names, types, and extents as far as the network fixes them.
    pub fn inputs(&self) -> &[ValueInfo] {
        &self.inputs
    }

    /// What a run may be given besides: the network has a value for each, which holds unless a run gives another.
    pub fn optional_inputs(&self) -> &[ValueInfo] {
        &self.optional
    }

    /// The outputs of a run, in order: names, types, and extents as far as the network fixes them.
    pub fn outputs(&self) -> &[ValueInfo] {
        &self.outputs
    }

    /// The device it was made for.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The network compiled for these inputs; compiles it first if needed.
    async fn ready(&self, given: &[Given<'_>]) -> Result<Arc<Ready>> {
        let key = key_for(given);
        if let Some(found) = self.recall(&key) {
            return Ok(found);
        }
        let turn = self.turn(&key);
        let _turn = turn.lock().await;
        if let Some(found) = self.recall(&key) {
            return Ok(found);
        }
        let graph = self.bind(given).await?;
        self.compile(key, graph).await
    }

    /// The network's graph for these inputs.
    async fn bind(&self, given: &[Given<'_>]) -> Result<Graph> {
        let network = self.network.clone();
        let given: Vec<_> = given.iter().map(|g| (g.name.to_owned(), g.desc.clone(), g.value.clone())).collect();
        let work = async move {
            let given =
                given.iter().map(|(name, desc, value)| Given { name, desc: desc.clone(), value: value.clone() });
            network.bind(&given.collect::<Vec<_>>())
        };
        beside(work).await?
    }

    /// The lock of the plan with this key.
    fn turn(&self, key: &str) -> Arc<Turn> {
        let mut making = self.making.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(turn) = making.get(key).and_then(Weak::upgrade) {
            return turn;
        }
        making.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Turn::new((), true));
        making.insert(key.to_owned(), Arc::downgrade(&turn));
        turn
    }

    async fn compile(&self, key: String, graph: Graph) -> Result<Arc<Ready>> {
        let (device, options) = (self.device.clone(), self.options.clone());
        let made = Arc::new(beside(async move { Ready::new_async(&device, graph, &options).await }).await??);
        let mut kept = self.lock();
        let over = (kept.len() + 1).saturating_sub(self.options.max_plans);
        let gone: Vec<Kept> = kept.drain(..over).collect();
        kept.push(Kept { key, ready: made.clone() });
        drop(kept);
        drop(gone);
        Ok(made)
    }

    /// The plan with this key, moved to the end of the list.
    fn recall(&self, key: &str) -> Option<Arc<Ready>> {
        let mut kept = self.lock();
        let at = kept.iter().position(|k| k.key == key)?;
        let entry = kept.remove(at);
        let found = entry.ready.clone();
        kept.push(entry);
        Some(found)
    }

    fn shapes(&self, name: &str) -> bool {
        self.shaping.iter().any(|s| s == name)
    }

    /// The type in which the network computes with an input that is given as this type.
    fn computed(&self, name: &str, given: DType) -> DType {
        let declared = self.inputs.iter().chain(&self.optional).find(|v| v.name == name).and_then(|v| v.dtype);
        declared.filter(|&d| takes(d, given)).map_or(given, DType::computed)
    }

    fn as_computed(&self, name: &str, t: &Tensor) -> Tensor {
        t.to_dtype(self.computed(name, t.dtype()))
    }

    /// The type of an output that the network computes in this type.
    fn declared(&self, name: &str, computed: DType) -> DType {
        let declared = self.outputs.iter().find(|v| v.name == name).and_then(|v| v.dtype);
        declared.filter(|d| d.computed() == computed).unwrap_or(computed)
    }

    /// Runs the network on host tensors, each named as the network names its input; the results have the names of its
    /// outputs. A new set of shapes is compiled first.
    ///
    /// The thread that awaits is free meanwhile: compiling, and a run of the reference, take a thread of their own, and a thread
    /// of the device wakes the future. (A device from [`Device::from_wgpu`] has none: the program polls its wgpu device.) A
    /// future may be dropped at any point; what has been submitted is computed, the rest is not.
    ///
    /// # Errors
    /// An input is missing, unknown, misshaped or given twice; the device lacks memory or is lost; where the network is
    /// compiled, as [`Session::new_async`].
    pub async fn run_async(&self, inputs: &[(&str, &Tensor)]) -> Result<Outputs> {
        let inputs: Vec<_> = inputs.iter().map(|&(name, t)| (name, self.as_computed(name, t))).collect();
        let value = |name: &str, t: &Tensor| self.shapes(name).then(|| t.clone());
        let given = inputs.iter().map(|(name, t)| Given { name, desc: t.desc(), value: value(name, t) });
        let ready = self.ready(&given.collect::<Vec<_>>()).await?;
        let used = inputs.iter().filter(|(name, _)| !self.shapes(name)).map(|(name, t)| (*name, t));
        let results = match self.device.is_reference() {
            true => {
                let used: Vec<_> = used.map(|(name, t)| (name.to_owned(), t.clone())).collect();
                let run = async move {
                    ready.run_async(&used.iter().map(|(name, t)| (name.as_str(), t)).collect::<Vec<_>>()).await
                };
                beside(run).await??
            }
            false => ready.run_async(&used.collect::<Vec<_>>()).await?,
        };
        let typed = |(name, t): (String, Tensor)| {
            let dtype = self.declared(&name, t.dtype());
            (name, t.to_dtype(dtype))
        };
        Ok(Outputs(results.into_iter().map(typed).collect()))
    }

    /// Runs the network on tensors of its device and leaves the results there. Inputs that decide shapes are read back.
    ///
    /// # Errors
    /// As [`Session::run_async`]; an input is on another device.
    pub async fn run_device_async(&self, inputs: &[(&str, &DeviceTensor)]) -> Result<Outputs<DeviceTensor>> {
        let mut given = vec![];
        let mut used = vec![];
        for &(name, t) in inputs {
            let value = if self.shapes(name) { Some(t.to_host_async().await?) } else { None };
            let t = t.as_float(self.computed(name, t.dtype()));
            given.push(Given { name, desc: t.desc().clone(), value });
            if !self.shapes(name) {
                used.push((name, t));
            }
        }
        let ready = self.ready(&given).await?;
        let used: Vec<_> = used.iter().map(|(name, t)| (*name, t)).collect();
        let results = ready.run_device_async(&used).await?.into_iter();
        let typed = |(name, t): (String, DeviceTensor)| {
            let dtype = self.declared(&name, t.dtype());
            (name, t.as_float(dtype))
        };
        Ok(Outputs(results.map(typed).collect()))
    }
}

/// The device, the inputs and outputs of the network, and the plans that are kept.
impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "session on {}", self.device)?;
        writeln!(f, "inputs   {}", list(&self.inputs))?;
        writeln!(f, "outputs  {}", list(&self.outputs))?;
        let kept = self.lock();
        write!(f, "plans    {} of at most {}, {}", kept.len(), self.options.max_plans, self.options.plan.precision)?;
        kept.iter().rev().try_for_each(|k| write!(f, "\n  {}: {}", k.key, k.ready.compiled.summary()))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inputs, outputs) = (list(&self.inputs), list(&self.outputs));
        write!(f, "Session({inputs} -> {outputs}, on {}, {} plans)", self.device, self.lock().len())
    }
}

/// The key of the plan for these inputs.
fn key_for(given: &[Given<'_>]) -> String {
    let mut parts: Vec<_> = given.iter().map(|g| format!("{}: {}{}", g.name, g.desc, key_of(&g.value))).collect();
    parts.sort();
    parts.join(", ")
}

/// A value as part of a key: its exact elements.
fn key_of(value: &Option<Tensor>) -> String {
    let Some(tensor) = value else { return String::new() };
    tensor.to_i64s().map_or_else(|_| format!(" = {:?}", tensor.to_f64s()), |values| format!(" = {values:?}"))
}

#[cfg(not(target_arch = "wasm32"))]
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<(Session, Compiled, DeviceTensor)>();
};

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::ErrorKind;
    use crate::ops::unary::{Activation, Unary};
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
        session.lock().iter().map(|k| k.key.clone()).collect()
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
        run(&session, 3);
        run(&session, 4);
        assert!(Arc::ptr_eq(&kept, &latest(&session).unwrap()));
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
        assert!(session.turn("x: f32[7]").try_lock().is_some() && session.making.lock().unwrap().len() == 1);
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
        let (x, times) =
            (x.to_device(&Device::cpu()).unwrap(), Tensor::from([5i64]).to_device(&Device::cpu()).unwrap());
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
        assert_eq!(wrong(&[("x", &long)]).to_string(), "the input x: f32[2] is given f32[3]");
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
}
