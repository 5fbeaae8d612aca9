//! The engines that answer: convgpu on a device, and rten on the CPU.

use std::panic::{AssertUnwindSafe, catch_unwind};

use convgpu::{DType, Data, Device, Model, Tensor};
use prost::Message;
use rten::Value;
use rten_tensor::prelude::*;

use crate::net::Case;

/// The outputs by name, or why there are none.
pub type Answer = Result<Vec<(String, Tensor)>, String>;

pub fn convgpu(case: &Case, device: &Device) -> Answer {
    let run = || {
        let model = Model::from_bytes(&case.proto.encode_to_vec())?;
        let inputs: Vec<(&str, &Tensor)> = read(case, &model).collect();
        let outputs = model.compile(device)?.run(&inputs)?;
        Ok::<_, convgpu::Error>(outputs.iter().map(|(name, t)| (name.to_owned(), t.clone())).collect())
    };
    run().map_err(|e| e.to_string())
}

/// The inputs of a case that some node reads.
fn read<'c>(case: &'c Case, model: &Model) -> impl Iterator<Item = (&'c str, &'c Tensor)> {
    let names: Vec<String> = model.inputs().iter().map(|v| v.name.clone()).collect();
    case.inputs.iter().filter(move |(name, _)| names.contains(name)).map(|(name, t)| (name.as_str(), t))
}

/// A panic of rten is a refusal.
pub fn rten(case: &Case) -> Answer {
    let run = || {
        let model = rten::Model::load(case.proto.encode_to_vec()).map_err(|e| e.to_string())?;
        let mut inputs = vec![];
        for (name, tensor) in &case.inputs {
            let id = model.node_id(name).map_err(|e| e.to_string())?;
            inputs.push((id, to_rten(tensor)?.into()));
        }
        let ids = model.output_ids().to_vec();
        let values = model.run(inputs, &ids, None).map_err(|e| e.to_string())?;
        let name = |id| model.node_info(id).and_then(|n| n.name().map(str::to_owned)).unwrap_or_default();
        ids.iter().zip(values).map(|(&id, v)| Ok((name(id), from_rten(v)?))).collect()
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("it panics".to_owned()))
}

/// rten has floats of 32 bits, and integers of 8 and 32 bits, in which it holds booleans and i64, too.
fn to_rten(tensor: &Tensor) -> Result<Value, String> {
    let shape = tensor.shape();
    let all = tensor.to_f64s();
    match tensor.dtype() {
        dtype if dtype.is_float() => Ok(value(shape, all.iter().map(|&v| v as f32).collect::<Vec<_>>())),
        DType::I8 => Ok(value(shape, all.iter().map(|&v| v as i8).collect::<Vec<_>>())),
        DType::U8 => Ok(value(shape, all.iter().map(|&v| v as u8).collect::<Vec<_>>())),
        DType::I32 | DType::I64 | DType::Bool => Ok(value(shape, all.iter().map(|&v| v as i32).collect::<Vec<_>>())),
        other => Err(format!("elements of {other}")),
    }
}

fn value<T>(shape: &[usize], data: Vec<T>) -> Value
where
    Value: From<rten_tensor::Tensor<T>>,
{
    rten_tensor::Tensor::from_data(shape, data).into()
}

fn from_rten(value: Value) -> Result<Tensor, String> {
    let shape: Vec<usize> = value.shape().to_vec();
    let data: Data = match value {
        Value::FloatTensor(t) => t.to_vec().into(),
        Value::Int32Tensor(t) => t.to_vec().into(),
        Value::Int8Tensor(t) => t.to_vec().into(),
        Value::UInt8Tensor(t) => t.to_vec().into(),
        _ => return Err("a sequence".to_owned()),
    };
    Tensor::new(shape, data).map_err(|e| e.to_string())
}

/// The answer of rten, which has fewer types and forgets the names of folded outputs, in the types and names of `like`.
/// Floats stay floats, and integers integers.
pub fn in_types_of(answer: Vec<(String, Tensor)>, like: &[(String, Tensor)]) -> Vec<(String, Tensor)> {
    let one = |((name, t), (wanted, l)): ((String, Tensor), &(String, Tensor))| {
        let alike = t.dtype().is_float() == l.dtype().is_float();
        let name = if name.is_empty() { wanted.clone() } else { name };
        (name, if alike { t.to_dtype(l.dtype()) } else { t })
    };
    answer.into_iter().zip(like).map(one).collect()
}
