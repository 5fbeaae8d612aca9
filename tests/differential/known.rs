//! Disagreements that are the other engine's. Each names the narrowest pattern, and what else says so.

use convgpu::Tensor;
use convgpu::internals::model::proto::data_type::{BOOL, INT8, UINT8};
use convgpu::internals::model::proto::{AttributeProto, GraphProto, TensorProto};

use crate::net::{Case, code, full_name};

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
        kinds: &["sums reduce"],
        oracle: ORT,
        reason: "with noop_with_empty_axes x stays as it is, also where a reduction of one element changes it",
        matches: |c| c.attribute("noop_with_empty_axes").any(|a| a.i() == 1),
    },
    Known {
        kinds: &["sums softmax"],
        oracle: ORT,
        reason: "before version 13 one axis counts, not all from there on",
        matches: |c| c.opset() < 13,
    },
    Known {
        kinds: &["sums matmul", "quantised matmul_integer"],
        oracle: ORT,
        reason: "a stack of matrices times a vector keeps an axis of 1",
        matches: |c| c.operands().any(|dims| dims.len() == 1) && c.operands().any(|dims| dims.len() > 2),
    },
    Known {
        kinds: &[
            "window conv",
            "window conv_transpose",
            "window max_pool",
            "window average_pool",
            "quantised conv_integer",
        ],
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
    Known {
        kinds: &["attention attention"],
        oracle: "ONNX Runtime 1.32 and ONNX's reference evaluator",
        reason: "a mask of one key is for all keys, also from version 24 on, which fills it up",
        matches: |c| c.opset() >= 24 && c.desc(3).is_some_and(|(_, dims)| dims.ends_with(&[1])),
    },
    Known {
        kinds: &["recurrent lstm", "recurrent gru"],
        oracle: ORT,
        reason: "sequence_lens is not looked at",
        matches: |c| c.given(4).is_some(),
    },
    Known {
        kinds: &["recurrent dynamic_quantize_lstm"],
        oracle: "the operator's text, of which ONNX Runtime does as rten",
        reason: "x and the state are rounded to 8 bits at every step, not the weights alone",
        matches: |_| true,
    },
    Known {
        kinds: &["quantised conv_integer"],
        oracle: ORT,
        reason: "the zero point of weights is lost where several images share them, or the image is padded; i8 has one, since it is \
                 shifted to u8",
        matches: |c| (c.inputs[0].1.shape()[0] > 1 || c.is_padded()) && (c.given(3).is_some() || c.is_of(1, INT8)),
    },
    Known {
        kinds: &["quantised conv_integer"],
        oracle: ORT,
        reason: "beyond the image is 0, not the zero point, and u8 has one, since it is shifted to i8",
        matches: |c| c.is_padded() && (c.given(2).is_some() || c.is_of(0, UINT8)),
    },
    Known {
        kinds: &["quantised quantize"],
        oracle: ORT,
        reason: "the default axis is the last one, not 1",
        matches: |c| c.attribute("axis").next().is_none(),
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

    /// The operators of the file, those of a branch included, with their domains.
    pub fn operators(&self) -> impl Iterator<Item = String> {
        let inner = self.graph().node.iter().flat_map(|n| &n.attribute).filter_map(|a| a.g.as_deref());
        let nodes = self.graph().node.iter().chain(inner.flat_map(|g| &g.node));
        nodes.map(|n| full_name(n.domain(), n.op_type()))
    }

    fn attribute(&self, name: &str) -> impl Iterator<Item = &AttributeProto> {
        self.graph().node.iter().flat_map(|n| &n.attribute).filter(move |a| a.name() == name)
    }

    /// The name of an input of the last node, if it is given.
    fn given(&self, k: usize) -> Option<&str> {
        let last = self.graph().node.last().expect("a model has a node");
        last.input.get(k).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Type and shape of an input of the last node, which is an input of the model or a constant.
    fn desc(&self, k: usize) -> Option<(i32, Vec<i64>)> {
        let name = self.given(k)?;
        let dims = |t: &Tensor| t.shape().iter().map(|&n| n as i64).collect();
        let of_input = self.inputs.iter().find(|(input, _)| input == name).map(|(_, t)| (code(t.dtype()), dims(t)));
        of_input.or_else(|| self.constants().find(|t| t.name() == name).map(|t| (t.data_type(), t.dims.clone())))
    }

    fn is_of(&self, k: usize, data_type: i32) -> bool {
        self.desc(k).is_some_and(|(of, _)| of == data_type)
    }

    /// Whether a window reaches beyond the image.
    fn is_padded(&self) -> bool {
        let same = self.attribute("auto_pad").any(|a| a.s().starts_with(b"SAME"));
        same || self.attribute("pads").any(|a| a.ints.iter().any(|&pad| pad > 0))
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
