//! Shared by the operator tests: the device, random tensors, and a check that runs every variant.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::OnceLock;

use convgpu::custom::Op;
pub use convgpu::internals::conformance::Rng;
use convgpu::internals::conformance::{Golden, Kind, is_exact};
use convgpu::internals::graph::Graph;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::{self, Algorithm};
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::session::{CompileOptions, Compiled, with_plan};
use convgpu::internals::verify::{self, Setup, check_node, compare, isolate};
use convgpu::nn::StateDict;
use convgpu::{Desc, Device, DeviceChoice, Precision, Tensor};

/// What `CONVGPU_TEST_DEVICE` names, or the best adapter.
pub fn choice() -> DeviceChoice {
    std::env::var("CONVGPU_TEST_DEVICE").unwrap_or_default().parse().expect("every text is a device choice")
}

/// The adapter under test: `CONVGPU_TEST_DEVICE`, or the best one. Without an adapter the tests fail; they are not skipped.
pub fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let choice = choice();
        let device = Device::open(choice.clone()).expect("the test device opens");
        assert!(
            !device.is_reference() || choice == DeviceChoice::Cpu,
            "no GPU adapter: install a software one (Debian, Ubuntu: apt-get install mesa-vulkan-drivers), \
             or run scripts/test.sh, which does"
        );
        device
    })
}

/// Every precision of the device under test.
pub fn precisions() -> Vec<Precision> {
    let half = device().adapter().is_some_and(|a| a.caps.f16);
    if half { vec![Precision::F32, Precision::F16] } else { vec![Precision::F32] }
}

/// Every variant of a graph of one node in these precisions, in every layout; for f16 only variants that store 16 bits.
fn setups(graph: &Graph, precisions: &[Precision]) -> Vec<Setup> {
    let of = || verify::setups(device(), &isolate(graph, 0)?, precisions);
    let all = of().unwrap_or_else(|e| panic!("{:?}: {e}", graph.nodes()[0].op));
    all.into_iter().map(|(setup, _)| setup).collect()
}

/// The kernels of every variant of an operator for f32 inputs of these shapes.
#[allow(dead_code)]
pub fn kernels(op: impl Op + 'static, shapes: &[&[usize]]) -> Vec<String> {
    let mut graph = Graph::new();
    let input = |(k, s): (usize, &&[usize])| graph.input(k.to_string(), Desc::f32(s.to_vec())).unwrap();
    let ids: Vec<_> = shapes.iter().enumerate().map(input).collect();
    graph.add("node", op, &ids).unwrap();
    let caps = &device().adapter().expect("the tests have an adapter").caps;
    let setup = |setup: Setup| Plan::new(&graph, caps, &setup.plan(&graph)).unwrap().nodes[0].kernels.clone();
    setups(&graph, &precisions()).into_iter().map(setup).collect()
}

/// Runs a graph of one node with every variant, with constant and with run-time weights, in guarded memory prefilled
/// with NaNs, and compares with the reference: within its bound, or exactly if `exact` (Winograd's algorithm has
/// irrational constants and is only compared within its bound).
pub fn check(op: impl Op + Clone + 'static, inputs: &[Tensor], exact: bool) {
    for constants in [true, false] {
        let mut graph = Graph::new();
        let mut ids = vec![];
        for (k, t) in inputs.iter().enumerate() {
            ids.push(if constants && k > 0 {
                graph.constant(format!("{k}"), t.clone()).unwrap()
            } else {
                graph.input(format!("{k}"), t.desc()).unwrap()
            });
        }
        graph.add("node", op.clone(), &ids).unwrap_or_else(|e| panic!("{op:?}: {e}"));
        for setup in setups(&graph, &precisions()) {
            let checked = pollster::block_on(check_node(device(), &graph, 0, inputs, &setup))
                .unwrap_or_else(|e| panic!("{op:?} {setup:?}: {e}"));
            for (k, c) in checked.comparisons.iter().enumerate() {
                let shapes: Vec<_> = inputs.iter().map(|t| t.shape().to_vec()).collect();
                assert!(c.ok(), "{op:?} of {shapes:?}, {}, output {k}: {c}", checked.kernels);
                let exact = exact && checked.algorithm != Algorithm::Winograd;
                let right = !exact || is_exact(&checked);
                assert!(right, "{op:?} of {shapes:?}, {}: integers must be exact", checked.kernels);
            }
        }
        if inputs.len() == 1 {
            break;
        }
    }
}

/// A golden case, computed by PyTorch in float64 and rounded once: a case of the file of a family.
#[allow(dead_code)] // some accessors are used for a single operator
pub struct Case {
    pub id: String,
    pub op: String,
    pub params: serde_json::Value,
    tensors: Vec<(String, Tensor)>,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    /// The roles that a test has read.
    read: RefCell<BTreeSet<String>>,
    /// The number of comparisons of a kernel with this case.
    compared: Cell<usize>,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.id, self.op, self.params)
    }
}

#[allow(dead_code)]
impl Case {
    fn new(golden: Golden) -> Case {
        let Golden { id, op, params, tensors, inputs, outputs } = golden;
        let (params, read, compared) = (params.json().clone(), RefCell::default(), Cell::default());
        Case { op, params, id, tensors, inputs, outputs, read, compared }
    }
    /// The tensor of this role; `None` if the case has none (no bias, say).
    pub fn get(&self, role: &str) -> Option<&Tensor> {
        self.read.borrow_mut().insert(role.to_owned());
        self.tensors.iter().find(|(name, _)| name == role).map(|(_, t)| t)
    }
    /// The tensor of a role that every case of the operator has.
    pub fn tensor(&self, role: &str) -> &Tensor {
        self.get(role).unwrap_or_else(|| panic!("case {} {} has no {role}", self.id, self.op))
    }
    /// Its integers as i64: PyTorch's indices.
    pub fn indices(&self, role: &str) -> Tensor {
        let t = self.tensor(role);
        Tensor::new(t.shape(), t.to_i64s().unwrap()).unwrap()
    }
    /// Its numbers as booleans: all but 0 are true.
    pub fn truths(&self, role: &str) -> Tensor {
        let t = self.tensor(role);
        Tensor::new(t.shape(), t.to_f64s().into_iter().map(|v| v != 0.0).collect::<Vec<_>>()).unwrap()
    }
    /// The state dict of a layer.
    pub fn state(&self) -> StateDict {
        let named = |role: &String| Some((role.strip_prefix("state.")?.to_owned(), self.get(role)?.clone()));
        self.inputs.iter().filter_map(named).collect()
    }
    /// The tensors of the case's inputs, in order.
    pub fn input_tensors(&self) -> Vec<Tensor> {
        self.inputs.iter().map(|role| self.tensor(role).clone()).collect()
    }
    /// The inputs of a norm that takes x alone, or with both scale and shift: ones and zeros are for a missing one.
    pub fn with_affine(&self) -> Vec<Tensor> {
        let (weight, bias) = (self.get("weight"), self.get("bias"));
        let x = self.tensor("x").clone();
        let Some(shape) = weight.or(bias).map(|t| t.shape().to_vec()) else { return vec![x] };
        let or = |t: Option<&Tensor>, value: f32| t.cloned().unwrap_or(Tensor::full(shape.clone(), value));
        vec![x, or(weight, 1.0), or(bias, 0.0)]
    }
    /// The one output of most cases.
    pub fn out(&self) -> [Tensor; 1] {
        [self.tensor("out").clone()]
    }
    /// The first of these names that a parameter has: the families differ.
    pub fn named<'a>(&self, names: &[&'a str]) -> &'a str {
        names
            .iter()
            .find(|name| self.params.get(name).is_some())
            .unwrap_or_else(|| panic!("{names:?} in {}", self.params))
    }
    /// A numeric parameter. An infinite one is a string in the file.
    pub fn f32(&self, name: &str) -> f32 {
        self.f32_or_null(name).unwrap_or_else(|| panic!("{name} in {}", self.params))
    }
    pub fn f32_or_null(&self, name: &str) -> Option<f32> {
        let value = &self.params[name];
        value.as_str().map_or_else(|| value.as_f64(), |text| text.parse().ok()).map(|v| v as f32)
    }
    pub fn usize(&self, name: &str) -> usize {
        self.params[name].as_u64().unwrap_or_else(|| panic!("{name} in {}", self.params)) as usize
    }
    pub fn i64(&self, name: &str) -> i64 {
        self.params[name].as_i64().unwrap_or_else(|| panic!("{name} in {}", self.params))
    }
    /// A parameter that is an axis of a tensor of this rank, maybe counted from the end.
    pub fn axis(&self, name: &str, rank: usize) -> usize {
        axis(self.i64(name), rank)
    }
    /// A parameter that is a list of axes; `None` for all of them.
    pub fn axes(&self, name: &str, rank: usize) -> Vec<usize> {
        match &self.params[name] {
            serde_json::Value::Null => (0..rank).collect(),
            _ => self.signed_list(name).into_iter().map(|v| axis(v, rank)).collect(),
        }
    }
    /// A parameter that is a list of integers.
    pub fn signed_list(&self, name: &str) -> Vec<i64> {
        let list = self.params[name].as_array().unwrap_or_else(|| panic!("{name} in {}", self.params));
        list.iter().map(|v| v.as_i64().unwrap()).collect()
    }
    pub fn list(&self, name: &str) -> Vec<usize> {
        self.signed_list(name).into_iter().map(|v| v.try_into().unwrap()).collect()
    }
    pub fn pair(&self, name: &str) -> [usize; 2] {
        self.list(name).try_into().unwrap()
    }
    pub fn bool(&self, name: &str) -> bool {
        self.params[name].as_bool().unwrap_or_else(|| panic!("{name} in {}", self.params))
    }
    pub fn str(&self, name: &str) -> &str {
        self.params[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.params))
    }
    /// The case with another tensor in a role.
    pub fn with(&self, role: &str, tensor: Tensor) -> Case {
        let (op, params) = (self.op.clone(), self.params.clone());
        let mut tensors = self.tensors.clone();
        tensors.iter_mut().find(|(name, _)| name == role).expect("the case has the role").1 = tensor;
        let (id, inputs, outputs) = (self.id.clone(), self.inputs.clone(), self.outputs.clone());
        Case { op, params, id, tensors, inputs, outputs, read: RefCell::default(), compared: Cell::default() }
    }
    /// The parts of the case that no test has used.
    pub fn neglected(&self) -> Vec<String> {
        let all = self.inputs.iter().chain(&self.outputs);
        let unread = all.filter(|role| !self.read.borrow().contains(*role)).map(|role| format!("{role} was not read"));
        let compared = (self.compared.get() == 0).then(|| "no kernel was compared with it".to_owned());
        unread.chain(compared).collect()
    }
}

fn axis(axis: i64, rank: usize) -> usize {
    if axis < 0 { rank - axis.unsigned_abs() as usize } else { axis as usize }
}

/// A folder of the repository.
fn folder(path: &str) -> String {
    // Cargo sets it when it runs a test, too; comparison/gpu.sh does where the test was built elsewhere.
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").to_owned());
    format!("{root}/{path}")
}

/// The folder of the golden files.
pub fn golden_folder() -> String {
    folder("tests/golden")
}

/// The folder of the families that are part of the library.
pub fn packed_folder() -> String {
    folder("src/conformance/pytorch")
}

/// Every case of a family. `tests/ops/goldens.rs` asserts that none is left out.
pub fn golden(family: &str) -> Vec<Case> {
    let of_file = || {
        let path = format!("{}/{family}.safetensors", golden_folder());
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        Golden::decode(&bytes).unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    let packed = Kind::ALL.into_iter().find(|kind| kind.name() == family);
    let cases = packed.map_or_else(of_file, |kind| kind.cases().unwrap().to_vec());
    cases.into_iter().map(Case::new).collect()
}

/// Checks an operator against PyTorch's results: the reference to the last bit or two (its sums are f64, so only the
/// rounding to f32 may differ), every kernel of the device in every layout within the operator's own bound. `expected`
/// holds the golden outputs, in the order of the operator's; the operator may have more.
pub fn check_golden(case: &Case, op: impl Op + Clone + 'static, inputs: &[Tensor], expected: &[Tensor]) {
    let what = format!("case {} {} {}", case.id, case.op, case.params);
    let reference = op.reference(inputs).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(!expected.is_empty() && expected.len() <= reference.len(), "{what}: {} outputs", reference.len());
    for (r, e) in reference.iter().zip(expected) {
        let ulps = e.to_f64s().iter().map(|v| (v.abs() * 1.2e-7 + 1e-37) as f32).collect::<Vec<_>>();
        let c = compare(r, e, &ulps);
        assert!(c.ok(), "{what}: the reference against PyTorch: {c}");
    }
    let mut graph = Graph::new();
    let ids: Vec<_> = inputs.iter().enumerate().map(|(k, t)| graph.input(k.to_string(), t.desc()).unwrap()).collect();
    graph.add("node", op.clone(), &ids).unwrap_or_else(|e| panic!("{what}: {e}"));
    for setup in setups(&graph, &[Precision::F32]) {
        let checked = pollster::block_on(check_node(device(), &graph, 0, inputs, &setup))
            .unwrap_or_else(|e| panic!("{what} {setup:?}: {e}"));
        let bounds = ops::bounds(&op, checked.algorithm, inputs, &reference).unwrap_or_else(|e| panic!("{what}: {e}"));
        let bounds = bounds.unwrap_or_else(|| panic!("{what}: no bounds"));
        for ((actual, e), b) in checked.outputs.iter().zip(expected).zip(&bounds) {
            let c = compare(actual, e, b);
            assert!(c.ok(), "{what}, {} against PyTorch: {c}", checked.kernels);
        }
        case.compared.set(case.compared.get() + 1);
    }
}

fn positive(rng: &mut Rng, shape: &[usize]) -> Tensor {
    let n = shape.iter().product();
    Tensor::new(shape, (0..n).map(|_| rng.int(1, 8) as f32).collect::<Vec<_>>()).unwrap()
}

/// Runs the operator between two 1x1 convolutions, which keep it channels-last and read its padding lanes, in guarded
/// memory prefilled with NaNs. All values are integers, compared with `==`. The second convolution's weights are
/// positive, so that an infinity in a channel stays infinite and an infinity in a padding lane becomes NaN. Also with one and two
/// channels more: other numbers of padding lanes.
#[allow(dead_code)]
pub fn check_channels_last(op: impl Op + Clone + 'static, [n, c, h, w]: [usize; 4]) {
    (c..c + 3).for_each(|c| check_channels_last_with(op.clone(), [n, c, h, w], &[]));
}

/// The same for an operator with these constants as further inputs.
#[allow(dead_code)]
pub fn check_channels_last_with(op: impl Op + Clone + 'static, shape: [usize; 4], constants: &[Tensor]) {
    let mut rng = Rng(99);
    let mut graph = Graph::new();
    let c = shape[1];
    let x = rng.integers(&shape);
    let input = graph.input("x", x.desc()).unwrap();
    let w = graph.constant("w", rng.integers(&[c, c, 1, 1])).unwrap();
    let before = graph.apply("before", Conv2d::default(), &[input, w]).unwrap();
    let mut inputs = vec![before];
    inputs.extend(constants.iter().map(|t| graph.constant("constant", t.clone()).unwrap()));
    let middle = graph.apply("middle", op.clone(), &inputs).unwrap();
    let c = graph.shape(middle)[1];
    let w = graph.constant("w2", positive(&mut rng, &[3, c, 1, 1])).unwrap();
    let after = graph.apply("after", Conv2d::default(), &[middle, w]).unwrap();
    graph.output("y", after);
    for precision in precisions() {
        check_between(&op, &graph, &x, precision);
    }
}

fn check_between(op: &dyn Op, graph: &Graph, x: &Tensor, precision: Precision) {
    let run = |device: &Device| {
        let precision = if device.is_reference() { Precision::F32 } else { precision };
        let plan = PlanOptions { guarded: true, precision, ..Default::default() };
        let options = with_plan(CompileOptions::new().fusion(false), plan);
        let session = pollster::block_on(Compiled::new_async(device, graph.clone(), &options)).unwrap();
        let kernels = session.plan().map(|p| p.nodes[1].clone());
        (pollster::block_on(session.run_async(&[("x", x)])).unwrap().first().clone(), kernels)
    };
    let ((actual, planned), (expected, _)) = (run(device()), run(&Device::cpu()));
    let planned = planned.unwrap();
    let half = planned.chosen.precision() == Precision::F16 || precision == Precision::F32;
    assert_eq!(
        planned.dispatches,
        if half { 1 } else { 2 },
        "{op:?} must take channels-last without a conversion: {}",
        planned.kernels
    );
    // f16 cannot represent all of these integers: there only infinities and NaNs detect errors.
    let largest = expected.to_f64s().into_iter().filter(|v| v.is_finite()).fold(0.0, f64::max) as f32;
    let bound = if precision == Precision::F16 { largest / 256.0 } else { 0.0 };
    let c = compare(&actual, &expected, &vec![bound; expected.numel()]);
    assert!(c.ok(), "{op:?}, {} {precision}: {c}", planned.kernels);
}
