//! Sums by teams of invocations. The launch, the kernel's text and the error bound use the same description.

/// How a team sums n values. Every lane adds every `lanes`-th item to its own sum, in order; an item is a value, or
/// consecutive values summed in pairs. Then the lanes' sums are summed in pairs. Maxima are computed in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    /// Invocations of the team, a power of two: `WORKGROUP` or `LANES` in the text of its kernels (a test compares them).
    pub lanes: usize,
    /// Consecutive values per item, a power of two.
    pub width: usize,
}

impl Tree {
    /// The most additions to a lane's sum.
    pub const fn rounds(&self, n: usize) -> usize {
        n.div_ceil(self.lanes * self.width)
    }

    /// The most additions that one of n terms goes through: the rounds, and the levels of both trees of pairs.
    pub const fn depth(&self, n: usize) -> usize {
        self.rounds(n) + self.width.ilog2() as usize + self.lanes.ilog2() as usize
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::Tree;
    use crate::gpu::caps::Caps;
    use crate::gpu::kernel::Kernel;
    use crate::ops::{Epilogue, Op, Site, Variant};
    use crate::shape::{Desc, Layout, Precision};

    /// The variants on a device with WebGPU's default limits, for row-major inputs of these shapes.
    pub fn variants(op: &dyn Op, shapes: &[&[usize]]) -> Vec<Variant> {
        let inputs: Vec<_> = shapes.iter().map(|s| Desc::f32(s.to_vec())).collect();
        let site = Site {
            inputs: &inputs,
            outputs: &op.outputs(&inputs).unwrap(),
            layouts: &vec![Layout::RowMajor; inputs.len()],
            constant: &vec![false; inputs.len()],
            epilogue: &Epilogue::NONE,
            precision: Precision::F32,
            caps: &Caps::webgpu_default(),
        };
        op.launches(&site).unwrap()
    }

    /// The value of `const name = ..u;` in the text of a kernel.
    pub fn constant(kernel: &Kernel, name: &str) -> usize {
        let text = kernel.wgsl(&[], Precision::F32);
        let head = format!("const {name} = ");
        let at = text.find(&head).unwrap_or_else(|| panic!("{}: no `{head}`", kernel.name())) + head.len();
        let value: String = text[at..].chars().take_while(char::is_ascii_digit).collect();
        value.parse().unwrap_or_else(|_| panic!("{}: {name} is not a number", kernel.name()))
    }

    #[test]
    fn depth_is_that_of_the_longest_way() {
        let tree = Tree { lanes: 8, width: 4 };
        // 96 values are three vec4s for each of the lanes.
        assert_eq!((tree.rounds(96), tree.depth(96)), (3, 3 + 2 + 3));
        assert_eq!((tree.rounds(97), tree.depth(97)), (4, 4 + 2 + 3));
        assert_eq!(Tree { lanes: 256, width: 1 }.depth(1000), 4 + 8);
    }
}
