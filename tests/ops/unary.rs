use convgpu::Tensor;
use convgpu::internals::ops::unary::{Activation, Unary};

use crate::support::{Rng, check};

#[test]
fn relu_of_odd_sizes() {
    for n in [1, 3, 64, 257, 2001] {
        check(Unary(Activation::Relu), &[Rng(n).tensor(&[n as usize, 3])], true);
    }
    check(Unary(Activation::Relu), &[Tensor::zeros([0, 3])], true);
}
