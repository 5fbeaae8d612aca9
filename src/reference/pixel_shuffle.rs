//! Channels to pixels and back, as `torch.nn.functional.pixel_shuffle` and ONNX's `DepthToSpace`.

use super::elements::strided;
use crate::attr::attribute;
use crate::tensor::Tensor;

attribute! {
    /// The order of a pixel's parts among the channels.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Order {
        /// Channel c's part (dy, dx) is channel `(c r + dy) r + dx`: PyTorch, ONNX's `CRD`.
        ChannelFirst,
        /// Channel c's part (dy, dx) is channel `(dy r + dx) C + c`: ONNX's `DCR` and `SpaceToDepth`.
        DepthFirst,
    }
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

/// The wide tensor `[n, c, h r, w r]` of a deep one, `[n, c r r, h, w]`.
pub fn shuffle(deep: &Tensor, [n, c, h, w]: [usize; 4], r: usize, order: Order) -> Tensor {
    let [step_c, step_part] = order.steps(r * r, c).map(|step| step * h * w);
    let steps = [c * r * r * h * w, step_c, w, r * step_part, 1, step_part].map(|step| step as isize);
    copied(deep, [n, c, h, r, w, r], steps, [n, c, h * r, w * r])
}

/// The deep tensor of a wide one.
pub fn unshuffle(wide: &Tensor, [n, c, h, w]: [usize; 4], r: usize, order: Order) -> Tensor {
    let whole = h * r * w * r;
    let (channel, row, column) = ((c, whole), (r, w * r), (r, 1));
    let parts = match order {
        Order::ChannelFirst => [channel, row, column],
        Order::DepthFirst => [row, column, channel],
    };
    let [a, b, d] = parts.map(|(extent, _)| extent);
    let [sa, sb, sd] = parts.map(|(_, step)| step as isize);
    let steps = [(c * whole) as isize, sa, sb, sd, (r * w * r) as isize, r as isize];
    copied(wide, [n, a, b, d, h, w], steps, [n, c * r * r, h, w])
}

fn copied(x: &Tensor, dims: [usize; 6], steps: [isize; 6], shape: [usize; 4]) -> Tensor {
    strided(x, &dims, &steps, 0).reshape(shape).expect("as many elements")
}
