//! A model as text: the values of inputs and constants, and a line per node.

use std::fmt;

use convgpu::Tensor;
use convgpu::internals::model::proto::{AttributeProto, TensorProto};

use crate::net::{Case, full_name};

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let graph = self.proto.graph.as_ref().expect("a model has a graph");
        let opset = self.proto.opset_import[0].version();
        writeln!(f, "CONVGPU_DIFF_SEED={} {}, operator set {opset}", self.seed, self.kind)?;
        for (name, tensor) in &self.inputs {
            writeln!(f, "  input {name}: {} = {}", tensor.desc(), values(tensor))?;
        }
        for constant in &graph.initializer {
            writeln!(f, "  constant {}", constant_line(constant))?;
        }
        for node in &graph.node {
            let attributes: Vec<String> = node.attribute.iter().map(attribute).collect();
            let (inputs, outputs) = (node.input.join(", "), node.output.join(", "));
            writeln!(
                f,
                "  {outputs} = {}({inputs}) {}",
                full_name(node.domain(), node.op_type()),
                attributes.join(" ")
            )?;
        }
        let outputs: Vec<&str> = graph.output.iter().map(|v| v.name()).collect();
        write!(f, "  outputs {}", outputs.join(", "))
    }
}

/// The first elements.
fn values(tensor: &Tensor) -> String {
    let all = tensor.to_f64s();
    let shown: Vec<String> = all.iter().take(24).map(f64::to_string).collect();
    format!("[{}{}]", shown.join(", "), if all.len() > 24 { ", .." } else { "" })
}

fn constant_line(t: &TensorProto) -> String {
    let bytes = t.raw_data.as_deref().unwrap_or_default();
    let shown: Vec<String> = match t.data_type() {
        1 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).to_string()).collect(),
        7 => bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()).to_string()).collect(),
        _ => bytes.iter().map(|b| format!("{b:02x}")).collect(),
    };
    let more = if shown.len() > 24 { ", .." } else { "" };
    let name = t.name.as_deref().unwrap_or_default();
    format!("{name}: type {} {:?} = [{}{more}]", t.data_type(), t.dims, shown[..shown.len().min(24)].join(", "))
}

fn attribute(a: &AttributeProto) -> String {
    let name = a.name();
    match a.r#type() {
        1 => format!("{name}={}", a.f()),
        2 => format!("{name}={}", a.i()),
        3 => format!("{name}={}", String::from_utf8_lossy(a.s())),
        6 => format!("{name}={:?}", a.floats),
        7 => format!("{name}={:?}", a.ints),
        8 => format!("{name}={:?}", a.strings),
        4 => format!("{name}={}", a.t.as_ref().map(constant_line).unwrap_or_default()),
        other => format!("{name}=(type {other})"),
    }
}
