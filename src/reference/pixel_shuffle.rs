//! Channels to pixels and back, as `torch.nn.functional.pixel_shuffle` and ONNX's `DepthToSpace`.

/// The order of a pixel's parts among the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Channel c's part (dy, dx) is channel `(c r + dy) r + dx`: PyTorch, ONNX's `CRD`.
    ChannelFirst,
    /// Channel c's part (dy, dx) is channel `(dy r + dx) C + c`: ONNX's `DCR` and `SpaceToDepth`.
    DepthFirst,
}

impl Order {
    /// Strides among the deep channels: from channel to channel, and from part to part, with `parts` (r^2) parts of
    /// `channels` (C) channels.
    pub fn steps(self, parts: usize, channels: usize) -> [usize; 2] {
        match self {
            Order::ChannelFirst => [parts, 1],
            Order::DepthFirst => [1, channels],
        }
    }
}

/// For every element of the wide tensor `[n, c, h r, w r]`, row-major, its index in the deep one `[n, c r r, h, w]`.
pub fn deep_indices([n, c, h, w]: [usize; 4], r: usize, order: Order) -> Vec<usize> {
    let [step_c, step_part] = order.steps(r * r, c);
    let mut out = Vec::with_capacity(n * c * h * w * r * r);
    for n in 0..n {
        for channel in 0..c {
            for y in 0..h * r {
                for x in 0..w * r {
                    let part = y % r * r + x % r;
                    let deep = channel * step_c + part * step_part;
                    out.push(((n * c * r * r + deep) * h + y / r) * w + x / r);
                }
            }
        }
    }
    out
}
