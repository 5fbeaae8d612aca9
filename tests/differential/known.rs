//! Disagreements that are the other engine's. Each names the narrowest pattern, and what else says so.

use convgpu::internals::model::proto::data_type::BOOL;
use convgpu::internals::model::proto::{AttributeProto, GraphProto, TensorProto};

use crate::net::Case;

/// Models on which rten gives another answer than convgpu.
pub struct Known {
    /// The kinds of the models, as in `kinds`.
    pub kinds: &'static [&'static str],
    /// Who agrees with convgpu.
    pub oracle: &'static str,
    /// What rten does.
    pub reason: &'static str,
    /// Whether a model of the kinds is one of them.
    pub matches: fn(&Case) -> bool,
}

const ORT: &str = "ONNX Runtime 1.32";

pub const RTEN: &[Known] = &[
    Known {
        kinds: &["elementwise steps", "elementwise extremes"],
        oracle: ORT,
        reason: "Sign of 0 is 1 with its sign, and of NaN too",
        matches: |c| c.has("Sign") && c.reads(|v| v == 0.0 || v.is_nan()),
    },
    Known {
        kinds: &["elementwise extremes"],
        oracle: ORT,
        reason: "Relu of NaN is 0",
        matches: |c| c.has("Relu") && c.reads(f64::is_nan),
    },
    Known {
        kinds: &["elementwise extremes"],
        oracle: ORT,
        reason: "Clip of NaN is the lower limit",
        matches: |c| c.has("Clip") && c.reads(f64::is_nan),
    },
    Known {
        kinds: &["elementwise casts"],
        oracle: ORT,
        reason: "a conversion to bool keeps the number",
        matches: |c| {
            c.attribute("to").any(|a| a.i() == i64::from(BOOL))
                || c.has("CastLike") && c.constants().any(|t| t.data_type() == BOOL)
        },
    },
    Known {
        kinds: &["elementwise arithmetic", "elementwise power"],
        oracle: ORT,
        reason: "the axes of an operand of one element are not counted",
        matches: |c| c.operands().any(|dims| !dims.is_empty() && dims.iter().all(|&n| n == 1)),
    },
    Known {
        kinds: &["sums positions"],
        oracle: ORT,
        reason: "of equal values not the first one counts",
        matches: |c| repeats(&c.inputs[0].1.to_f64s()),
    },
    Known {
        kinds: &["sums softmax"],
        oracle: ORT,
        reason: "before version 13 one axis counts, not all from there on",
        matches: |c| c.opset() < 13,
    },
    Known {
        kinds: &["sums matmul"],
        oracle: ORT,
        reason: "a stack of matrices times a vector keeps an axis of 1",
        matches: |c| c.operands().any(|dims| dims.len() == 1) && c.operands().any(|dims| dims.len() > 2),
    },
    Known {
        kinds: &["window conv", "window conv_transpose", "window max_pool", "window average_pool"],
        oracle: ORT,
        reason: "SAME_LOWER pads as SAME_UPPER",
        matches: |c| c.attribute("auto_pad").any(|a| a.s() == b"SAME_LOWER"),
    },
    Known {
        kinds: &["window max_pool", "window average_pool"],
        oracle: "the operator's text and ONNX's reference evaluator, against ONNX Runtime",
        reason: "with auto_pad = VALID the size is rounded up",
        matches: |c| c.attribute("auto_pad").any(|a| a.s() == b"VALID") && c.attribute("ceil_mode").any(|a| a.i() == 1),
    },
    Known {
        kinds: &["resize resize"],
        oracle: ORT,
        reason: "cubic is computed as linear",
        matches: |c| c.attribute("mode").any(|a| a.s() == b"cubic"),
    },
];

fn repeats(values: &[f64]) -> bool {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.windows(2).any(|w| w[0] == w[1])
}

impl Case {
    fn graph(&self) -> &GraphProto {
        self.proto.graph.as_ref().expect("a model has a graph")
    }

    fn has(&self, op: &str) -> bool {
        self.graph().node.iter().any(|n| n.op_type() == op)
    }

    /// The operators of the file.
    pub fn operators(&self) -> impl Iterator<Item = String> {
        self.graph().node.iter().map(|n| n.op_type().to_owned())
    }

    fn attribute(&self, name: &str) -> impl Iterator<Item = &AttributeProto> {
        self.graph().node.iter().flat_map(|n| &n.attribute).filter(move |a| a.name() == name)
    }

    /// The shapes of inputs and constants.
    fn operands(&self) -> impl Iterator<Item = Vec<i64>> {
        let inputs = self.inputs.iter().map(|(_, t)| t.shape().iter().map(|&n| n as i64).collect());
        inputs.chain(self.constants().map(|t| t.dims.clone()))
    }

    fn constants(&self) -> impl Iterator<Item = &TensorProto> {
        let values = self.attribute("value").filter_map(|a| a.t.as_ref());
        self.graph().initializer.iter().chain(values)
    }

    /// Whether an input has such an element.
    fn reads(&self, is: impl Fn(f64) -> bool) -> bool {
        self.inputs.iter().any(|(_, t)| t.to_f64s().into_iter().any(&is))
    }

    fn opset(&self) -> i64 {
        self.proto.opset_import[0].version()
    }
}

pub fn find(case: &Case) -> Option<&'static Known> {
    RTEN.iter().find(|k| k.kinds.contains(&case.kind) && (k.matches)(case))
}
