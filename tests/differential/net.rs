//! An ONNX model under construction: nodes, constants, inputs with their values, and what the next node may read.
//!
//! Shapes of results are those that the importer finds. A wrong one is seen later, since outputs are compared with theirs.

use convgpu::internals::model::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, data_type,
};
use convgpu::internals::session::{Bind, Given};
use convgpu::{DType, Data, Desc, Error, Model, Tensor};
use prost::Message;

use crate::onnx_build::{model, node, of, operator_set, tensor as tensor_attribute, untyped, value};
use crate::support::Rng;

/// The operator sets that models are written for.
const OPERATOR_SETS: [i64; 5] = [11, 13, 17, 18, 20];

/// The domain of ONNX Runtime's own operators.
const MICROSOFT: &str = "com.microsoft";

/// A value of the model.
#[derive(Clone)]
pub struct Val {
    pub name: String,
    pub desc: Desc,
}

impl Val {
    pub fn shape(&self) -> &[usize] {
        &self.desc.shape
    }
    pub fn dtype(&self) -> DType {
        self.desc.dtype
    }
}

/// The importer refuses the last node.
#[derive(Debug)]
pub struct Refused;

/// What a kind of model gives: its outputs.
pub type Drawn = Result<Vec<Val>, Refused>;

/// The model under construction, and the random numbers that decide it.
pub struct Net {
    pub rng: Rng,
    pub opset: i64,
    graph: GraphProto,
    inputs: Vec<(String, Tensor)>,
    names: usize,
}

/// A model with inputs, ready to run.
#[derive(Clone)]
pub struct Case {
    pub seed: u64,
    pub kind: &'static str,
    pub proto: ModelProto,
    pub inputs: Vec<(String, Tensor)>,
}

impl Net {
    pub fn new(seed: u64) -> Net {
        let mut rng = Rng(seed);
        let opset = OPERATOR_SETS[rng.int(0, OPERATOR_SETS.len() - 1)];
        Net { rng, opset, graph: GraphProto::default(), inputs: vec![], names: 0 }
    }

    /// Draws a model of a kind.
    pub fn draw(seed: u64, kind: &'static str, draw: fn(&mut Net) -> Drawn) -> Case {
        let mut net = Net::new(seed);
        let names = match draw(&mut net) {
            Ok(outputs) => outputs.into_iter().map(|v| v.name).collect(),
            // The refused node stays, with its results as outputs: another engine may know what they are.
            Err(Refused) => net.graph.node.last().expect("a node is refused").output.clone(),
        };
        for name in names.into_iter().filter(|name: &String| !name.is_empty()) {
            if net.graph.output.iter().all(|v| v.name() != name) {
                net.graph.output.push(untyped(&name));
            }
        }
        Case { seed, kind, proto: net.proto(net.graph.clone()), inputs: net.inputs }
    }

    fn proto(&self, graph: GraphProto) -> ModelProto {
        let graph = GraphProto { name: Some("differential".to_owned()), ..graph };
        let mut opset_import = vec![operator_set(self.opset)];
        if graph.node.iter().any(|node| node.domain() == MICROSOFT) {
            opset_import.push(OperatorSetIdProto { domain: Some(MICROSOFT.to_owned()), version: Some(1) });
        }
        ModelProto { opset_import, ..model(graph) }
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// An input with this value.
    pub fn input(&mut self, tensor: Tensor) -> Val {
        let (name, desc) = (self.name("x"), tensor.desc());
        let dims: Vec<i64> = desc.shape.iter().map(|&n| n as i64).collect();
        self.graph.input.push(value(&name, code(desc.dtype), &dims));
        self.inputs.push((name.clone(), tensor));
        Val { name, desc }
    }

    /// An initialiser, or the result of a Constant node.
    pub fn constant(&mut self, tensor: &Tensor) -> Val {
        let name = self.name("c");
        let proto = tensor_proto(&name, tensor);
        if self.rng.int(0, 4) == 0 {
            self.graph.node.push(node("Constant", &[], &[&name], vec![tensor_attribute("value", proto)]));
        } else {
            self.graph.initializer.push(proto);
        }
        Val { name, desc: tensor.desc() }
    }

    /// Integers that decide a shape: mostly constants.
    pub fn ints(&mut self, values: &[i64]) -> Val {
        let tensor = Tensor::new([values.len()], values.to_vec()).unwrap();
        if self.rng.int(0, 7) == 0 { self.input(tensor) } else { self.constant(&tensor) }
    }

    pub fn number(&mut self, v: f32) -> Val {
        // Exporters write numbers with and without an axis.
        let shape = if self.flag() { vec![] } else { vec![1] };
        self.constant(&Tensor::new(shape, vec![v]).unwrap())
    }

    /// A scalar.
    pub fn number_alone(&mut self, v: f32) -> Val {
        self.constant(&Tensor::scalar(v))
    }

    /// An input, or an initialiser, with this value.
    pub fn either(&mut self, tensor: Tensor) -> Val {
        if self.flag() { self.input(tensor) } else { self.constant(&tensor) }
    }

    /// Adds a node of one output. An input without a name is left out. `com.microsoft.` before the operator's name is its domain.
    pub fn add(&mut self, op: &str, inputs: &[&Val], attributes: Vec<AttributeProto>) -> Result<Val, Refused> {
        Ok(self.several(op, inputs, 1, attributes)?.swap_remove(0))
    }

    pub fn several(&mut self, op: &str, inputs: &[&Val], outputs: usize, attributes: Vec<AttributeProto>) -> Drawn {
        self.some(op, inputs, &vec![true; outputs], attributes)
    }

    /// Adds a node of which some outputs are wanted; the others have no name.
    pub fn some(&mut self, op: &str, inputs: &[&Val], wanted: &[bool], attributes: Vec<AttributeProto>) -> Drawn {
        let all: Vec<String> = wanted.iter().map(|&yes| if yes { self.name("v") } else { String::new() }).collect();
        let read: Vec<&str> = inputs.iter().map(|v| v.name.as_str()).collect();
        let given: Vec<&str> = all.iter().map(String::as_str).collect();
        self.graph.node.push(named(op, &read, &given, attributes));
        let names: Vec<String> = all.into_iter().filter(|name| !name.is_empty()).collect();
        let output = names.iter().map(|name| untyped(name)).collect();
        let proto = self.proto(GraphProto { output, ..self.graph.clone() });
        let descs = described(&proto, &self.inputs).map_err(|_| Refused)?;
        // Now and then what is inside is an output, too.
        if self.rng.int(0, 5) == 0 {
            self.graph.output.push(untyped(&names[0]));
        }
        Ok(names.into_iter().zip(descs).map(|(name, desc)| Val { name, desc }).collect())
    }

    /// What the node before has given is no output, though it may have been drawn as one.
    pub fn hide(&mut self, value: &Val) {
        self.graph.output.retain(|output| output.name() != value.name);
    }

    /// No input in this place.
    pub fn none() -> Val {
        Val { name: String::new(), desc: Desc::f32([]) }
    }

    /// An input, an initialiser, or nothing in this place.
    pub fn perhaps(&mut self, tensor: Tensor) -> Val {
        if self.flag() { self.either(tensor) } else { Net::none() }
    }

    /// The inputs without the places behind the last one that is there.
    pub fn given(mut inputs: Vec<Val>) -> Vec<Val> {
        let count = inputs.iter().rposition(|v| !v.name.is_empty()).map_or(0, |last| last + 1);
        inputs.truncate(count);
        inputs
    }

    /// The operator is younger than the drawn operator set.
    pub fn at_least(&mut self, opset: i64) {
        self.opset = self.opset.max(opset);
    }

    pub fn flag(&mut self) -> bool {
        self.rng.int(0, 1) == 1
    }

    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.int(0, of.len() - 1)]
    }

    /// Extents from 1 to 5, mostly different.
    pub fn shape(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).map(|_| self.rng.int(1, 5)).collect()
    }

    /// `[n, c, h, w]` with sides large enough for windows.
    pub fn image(&mut self) -> Vec<usize> {
        vec![self.rng.int(1, 2), self.rng.int(1, 9), self.rng.int(4, 9), self.rng.int(4, 9)]
    }

    /// An axis, counted from the front or from the back.
    pub fn axis(&mut self, rank: usize) -> i64 {
        let axis = self.rng.int(0, rank - 1) as i64;
        if self.flag() { axis - rank as i64 } else { axis }
    }

    /// Multiples of 1/8 in [-2, 2): what is drawn is exact in all types of floats, so that sums of a few are, too.
    pub fn floats(&mut self, shape: &[usize]) -> Tensor {
        let n = shape.iter().product();
        Tensor::new(shape, (0..n).map(|_| self.rng.int(0, 31) as f32 / 8.0 - 2.0).collect::<Vec<_>>()).unwrap()
    }

    /// Numbers in [0.25, 2.25).
    pub fn positive(&mut self, shape: &[usize]) -> Tensor {
        let n = shape.iter().product();
        Tensor::new(shape, (0..n).map(|_| self.rng.int(2, 17) as f32 / 8.0).collect::<Vec<_>>()).unwrap()
    }

    /// Integers in [low, high] of this type.
    pub fn integers(&mut self, shape: &[usize], dtype: DType, low: i64, high: i64) -> Tensor {
        let n = shape.iter().product();
        let values: Vec<i64> = (0..n).map(|_| low + self.rng.int(0, (high - low) as usize) as i64).collect();
        Tensor::new(shape, values).unwrap().to_dtype(dtype)
    }

    /// Values of any type: small integers, booleans, multiples of 1/8.
    pub fn values(&mut self, shape: &[usize], dtype: DType) -> Tensor {
        match dtype {
            dtype if dtype.is_float() => self.floats(shape).to_dtype(dtype),
            DType::Bool => self.integers(shape, DType::I64, 0, 1).to_dtype(DType::Bool),
            DType::U8 | DType::U16 | DType::U32 => self.integers(shape, dtype, 0, 9),
            _ => self.integers(shape, dtype, -6, 6),
        }
    }
}

/// A node of an operator, with its domain before its name if it has one.
pub fn named(op: &str, inputs: &[&str], outputs: &[&str], attributes: Vec<AttributeProto>) -> NodeProto {
    match op.rsplit_once('.') {
        Some((domain, name)) => of(domain, node(name, inputs, outputs, attributes)),
        None => node(op, inputs, outputs, attributes),
    }
}

/// The name of an operator, with its domain before it if it has one.
pub fn full_name(domain: &str, name: &str) -> String {
    if domain.is_empty() { name.to_owned() } else { format!("{domain}.{name}") }
}

/// Floats, each times a number.
pub fn scaled(t: &Tensor, by: f32) -> Tensor {
    Tensor::new(t.shape(), t.as_f32().unwrap().iter().map(|v| v * by).collect::<Vec<_>>()).unwrap()
}

/// The outputs of a model as the importer describes them.
fn described(proto: &ModelProto, inputs: &[(String, Tensor)]) -> Result<Vec<Desc>, Error> {
    let model = Model::from_bytes(&proto.encode_to_vec())?;
    let shaping = model.shape_inputs();
    let given = |(name, t): &(String, Tensor)| Given {
        name: model.inputs().iter().find(|v| v.name == *name).map(|v| v.name.as_str()).unwrap_or(""),
        desc: t.desc(),
        value: shaping.contains(name).then(|| t.clone()),
    };
    let given: Vec<Given> = inputs.iter().map(given).filter(|g| !g.name.is_empty()).collect();
    let graph = model.bind(&given)?;
    Ok(graph.outputs().map(|(_, desc)| desc.clone()).collect())
}

/// `TensorProto.DataType` of a type.
pub fn code(dtype: DType) -> i32 {
    match dtype {
        DType::F32 => data_type::FLOAT,
        DType::F64 => data_type::DOUBLE,
        DType::F16 => data_type::FLOAT16,
        DType::BF16 => data_type::BFLOAT16,
        DType::I8 => data_type::INT8,
        DType::U8 => data_type::UINT8,
        DType::I16 => data_type::INT16,
        DType::U16 => data_type::UINT16,
        DType::I32 => data_type::INT32,
        DType::U32 => data_type::UINT32,
        DType::I64 => data_type::INT64,
        DType::Bool => data_type::BOOL,
        other => unreachable!("{other}"),
    }
}

/// The tensor as it lies in files.
pub fn tensor_proto(name: &str, tensor: &Tensor) -> TensorProto {
    macro_rules! bytes {
        ($values:expr) => {
            $values.iter().flat_map(|v| v.to_le_bytes()).collect()
        };
    }
    let raw: Vec<u8> = match tensor.data() {
        Data::F32(v) => bytes!(v),
        Data::F64(v) => bytes!(v),
        Data::F16(v) => bytes!(v),
        Data::BF16(v) => bytes!(v),
        Data::I8(v) => bytes!(v),
        Data::U8(v) => bytes!(v),
        Data::I16(v) => bytes!(v),
        Data::U16(v) => bytes!(v),
        Data::I32(v) => bytes!(v),
        Data::U32(v) => bytes!(v),
        Data::I64(v) => bytes!(v),
        Data::Bool(v) => v.iter().map(|&b| u8::from(b)).collect(),
        _ => unreachable!("{}", tensor.desc()),
    };
    TensorProto {
        name: Some(name.to_owned()),
        dims: tensor.shape().iter().map(|&n| n as i64).collect(),
        data_type: Some(code(tensor.dtype())),
        raw_data: Some(raw.into()),
        ..Default::default()
    }
}
