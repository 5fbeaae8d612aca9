//! Sums by teams of invocations. One description serves the launch, the kernel's text and the error bound.

/// How a team adds up n values. Every lane adds to its own sum, one after the other, what lies `lanes` apart: single values,
/// or neighbours that it has added up in pairs. Then the lanes' sums are added up in pairs. Maxima take the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    /// Invocations of the team, a power of two: `LANES` in the text of its kernels, which a test holds.
    pub lanes: usize,
    /// Neighbours that a lane takes together, a power of two.
    pub width: usize,
}

impl Tree {
    /// How often a lane adds to its sum, at most.
    pub const fn rounds(&self, n: usize) -> usize {
        n.div_ceil(self.lanes * self.width)
    }

    /// The most additions that a term of n goes through: those of the rounds, and the levels of both trees of pairs.
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

    /// What a device of the least that WebGPU promises launches for inputs of these shapes, row-major.
    pub fn ways(op: &dyn Op, shapes: &[&[usize]]) -> Vec<Variant> {
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
