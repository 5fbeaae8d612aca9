//! Attention as one operator, and the turning of pairs by angles.

use convgpu::internals::model::proto::AttributeProto;
use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, Val};
use crate::onnx_build::{float, int};

/// The extents of an attention.
struct Heads {
    batch: usize,
    /// Heads of the queries, and of keys and values.
    of_queries: usize,
    of_keys: usize,
    queries: usize,
    keys: usize,
    past: usize,
    /// Elements of a query or key, and of a value.
    size: usize,
    value_size: usize,
    /// All heads in one axis.
    flat: bool,
}

impl Heads {
    fn draw(net: &mut Net) -> Heads {
        let of_keys = net.rng.int(1, 2);
        Heads {
            batch: net.rng.int(1, 2),
            of_queries: of_keys * net.rng.int(1, 2),
            of_keys,
            queries: net.rng.int(1, 4),
            keys: net.rng.int(1, 5),
            past: if net.rng.int(0, 3) == 0 { net.rng.int(1, 3) } else { 0 },
            size: net.rng.int(1, 5),
            value_size: net.rng.int(1, 5),
            flat: net.flag(),
        }
    }

    /// A tensor with this number of heads and steps.
    fn operand(&self, net: &mut Net, heads: usize, steps: usize, size: usize) -> Tensor {
        let shape = [self.batch, heads, steps, size];
        if self.flat { net.floats(&[self.batch, steps, heads * size]) } else { net.floats(&shape) }
    }

    /// Nothing, numbers that are added, or what is allowed; for all queries, heads and images, or each.
    fn mask(&self, net: &mut Net) -> Val {
        let mut total = self.past + self.keys;
        if net.opset >= 24 && total > 1 && net.flag() {
            // The keys behind the mask are not allowed.
            total = net.rng.int(1, total - 1);
        }
        let of = |net: &mut Net, extent: usize| if net.flag() { extent } else { 1 };
        let whole = [of(net, self.batch), of(net, self.of_queries), self.queries, total];
        let shape = &whole[net.rng.int(0, 2)..];
        match net.rng.int(0, 2) {
            0 => Net::none(),
            1 => {
                let numbers = net.floats(shape);
                net.either(numbers)
            }
            _ => {
                let allowed = net.values(shape, DType::Bool);
                net.either(allowed)
            }
        }
    }
}

pub fn attention(net: &mut Net) -> Drawn {
    net.opset = net.one(&[23, 24, 25]);
    let heads = Heads::draw(net);
    let q = heads.operand(net, heads.of_queries, heads.queries, heads.size);
    let k = heads.operand(net, heads.of_keys, heads.keys, heads.size);
    let v = heads.operand(net, heads.of_keys, heads.keys, heads.value_size);
    let mut inputs = vec![net.input(q), net.either(k), net.either(v), heads.mask(net)];
    let mut outputs = net.one(&[1, 1, 3, 4]);
    if heads.past > 0 {
        for size in [heads.size, heads.value_size] {
            let past = net.floats(&[heads.batch, heads.of_keys, heads.past, size]);
            inputs.push(net.either(past));
        }
        // What becomes of the past is used where there is one.
        outputs = outputs.max(3);
    } else if net.opset >= 24 && net.rng.int(0, 3) == 0 {
        let lengths = net.integers(&[heads.batch], DType::I64, 1, heads.keys as i64);
        inputs.extend([Net::none(), Net::none(), net.either(lengths)]);
        outputs = 1;
    }
    let attributes = attributes(net, &heads, outputs == 4);
    let inputs = Net::given(inputs);
    net.several("Attention", &inputs.iter().collect::<Vec<_>>(), outputs, attributes)
}

fn attributes(net: &mut Net, heads: &Heads, shown: bool) -> Vec<AttributeProto> {
    let mut attributes = vec![];
    if heads.flat || net.opset < 25 && net.rng.int(0, 3) == 0 {
        attributes.push(int("q_num_heads", heads.of_queries as i64));
        attributes.push(int("kv_num_heads", heads.of_keys as i64));
    }
    if net.rng.int(0, 2) == 0 {
        attributes.push(int("is_causal", 1));
    }
    for side in ["left_window_size", "right_window_size"] {
        if net.opset >= 25 && net.rng.int(0, 2) == 0 {
            attributes.push(int(side, net.rng.int(0, 3) as i64));
        }
    }
    if net.rng.int(0, 2) == 0 {
        attributes.push(float("scale", net.one(&[0.25, 1.0])));
    }
    if net.rng.int(0, 3) == 0 {
        attributes.push(float("softcap", net.one(&[0.5, 2.0])));
    }
    if shown {
        attributes.push(int("qk_matmul_output_mode", net.rng.int(0, 3) as i64));
    }
    attributes
}

/// Angles are given by position or per image and step; the last elements may stay as they are.
pub fn rotary_embedding(net: &mut Net) -> Drawn {
    net.opset = 23;
    let [batch, heads, steps] = [net.rng.int(1, 2), net.rng.int(1, 3), net.rng.int(1, 4)];
    let size = 2 * net.rng.int(1, 4);
    let turned = if net.flag() { size } else { 2 * net.rng.int(1, size / 2) };
    let mut attributes = vec![];
    if turned < size || net.rng.int(0, 3) == 0 {
        attributes.push(int("rotary_embedding_dim", turned as i64));
    }
    let flat = net.flag();
    if flat || net.rng.int(0, 3) == 0 {
        attributes.push(int("num_heads", heads as i64));
    }
    if net.flag() {
        attributes.push(int("interleaved", 1));
    }
    let x = net.floats(&if flat { vec![batch, steps, heads * size] } else { vec![batch, heads, steps, size] });
    let mut inputs = vec![net.input(x)];
    let by_position = net.flag();
    let positions = net.rng.int(steps, 6);
    for _ in 0..2 {
        let angles =
            net.floats(&if by_position { vec![positions, turned / 2] } else { vec![batch, steps, turned / 2] });
        inputs.push(net.either(angles));
    }
    if by_position {
        let at = net.integers(&[batch, steps], DType::I64, 0, positions as i64 - 1);
        inputs.push(net.either(at));
    }
    Ok(vec![net.add("RotaryEmbedding", &inputs.iter().collect::<Vec<_>>(), attributes)?])
}
