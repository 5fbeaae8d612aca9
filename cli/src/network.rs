//! A network from a file, bound to its inputs.

use std::path::Path;

use convgpu::internals::session::{Bind, Given};
use convgpu::{DType, Dim, Graph, Model, Outputs, Tensor, ValueInfo};

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::input::{self, Declared, InputArgs};
use crate::progress::Bar;

/// A network with every shape known, and the tensors of its inputs.
pub struct Bound {
    pub graph: Graph,
    /// Inputs that the file's own values stand for.
    pub defaults: Vec<ValueInfo>,
    outputs: Vec<ValueInfo>,
    inputs: Vec<(String, Tensor)>,
}

impl Bound {
    /// The inputs as a session takes them.
    pub fn inputs(&self) -> Vec<(&str, &Tensor)> {
        self.inputs.iter().map(|(name, t)| (name.as_str(), t)).collect()
    }

    /// Results of the graph, computed in f32, rounded to the floats of 16 bits that the file declares.
    pub fn rounded(&self, results: Outputs) -> Vec<(String, Tensor)> {
        let half = |name: &str| {
            let declared = self.outputs.iter().find(|info| info.name == name).and_then(|info| info.dtype);
            declared.filter(|dtype| matches!(dtype, DType::F16 | DType::BF16))
        };
        let one = |(name, t): (String, Tensor)| match half(&name) {
            Some(dtype) => (name, t.to_dtype(dtype).to_dtype(DType::F32)),
            None => (name, t),
        };
        results.into_iter().map(one).collect()
    }
}

/// What happens to an input without a file.
#[derive(Clone, Copy, PartialEq)]
pub enum Missing {
    /// It is an error.
    Refuse,
    /// It gets reproducible numbers in 0..1, if the network fixes the shape except for the batch.
    Invent,
}

/// Loads a network and binds it to its inputs.
pub fn bind(model: &Path, inputs: &InputArgs, missing: Missing) -> Outcome<Bound> {
    let bar = Bar::loading(model);
    let model = Model::load(model)?;
    drop(bar);
    let optional = model.optional_inputs().iter().map(|info| Declared { optional: true, ..declared(info) });
    let wanted: Vec<Declared> = model.inputs().iter().map(declared).chain(optional).collect();
    let mut tensors = input::read(inputs, &wanted)?;
    if missing == Missing::Invent {
        let given: Vec<String> = tensors.iter().map(|(name, _)| name.clone()).collect();
        for input in wanted.iter().filter(|i| !i.optional && !given.contains(&i.name)) {
            console::note(&format!("{}: no --input, using random numbers in 0..1", input.name));
            tensors.push((input.name.clone(), invent(input)?));
        }
    }
    let shaping = model.shape_inputs();
    let value = |name, t: &Tensor| shaping.contains(name).then(|| t.clone());
    let given: Vec<_> = tensors.iter().map(|(name, t)| Given { name, desc: t.desc(), value: value(name, t) }).collect();
    let graph = model.bind(&given)?;
    let used = |(name, _): &(String, Tensor)| !shaping.contains(name);
    let kept = |info: &&ValueInfo| !tensors.iter().any(|(name, _)| *name == info.name);
    let defaults = model.optional_inputs().iter().filter(kept).cloned().collect();
    Ok(Bound { graph, defaults, outputs: model.outputs().to_vec(), inputs: tensors.into_iter().filter(used).collect() })
}

/// The most elements of a generated input: 1 GiB.
const MOST_INVENTED: usize = 1 << 28;

/// A reproducible tensor for an input of known shape; an open batch is 1.
fn invent(input: &Declared) -> Outcome<Tensor> {
    let open = || Failure::call(format!("the input {} needs --input: its shape or type is open", input.name));
    if !input.dtype.is_float() {
        return Err(open());
    }
    let dims = input.dims.as_ref().ok_or_else(open)?;
    let extent = |(axis, d): (usize, &Option<usize>)| d.or((axis == 0 && dims.len() > 1).then_some(1));
    let shape = dims.iter().enumerate().map(extent).collect::<Option<Vec<usize>>>().ok_or_else(open)?;
    // The high bits of a Weyl sequence through a multiplicative hash (Knuth, TAOCP 6.4).
    let value = |i: usize| ((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1u64 << 24) as f32;
    let count = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b)).filter(|&n| n <= MOST_INVENTED);
    let count = count.ok_or_else(|| Failure::call(format!("the input {} is too large: {shape:?}", input.name)))?;
    Ok(Tensor::new(shape, (0..count).map(value).collect::<Vec<_>>())?.to_dtype(input.dtype))
}

/// The declaration of an input, as `--input` needs it.
fn declared(info: &ValueInfo) -> Declared {
    let dims = info.dims.as_ref().map(|dims| dims.iter().map(Dim::fixed).collect());
    // Only outputs may be without a type.
    Declared { name: info.name.clone(), dtype: info.dtype.unwrap_or(DType::F32), dims, optional: false }
}
