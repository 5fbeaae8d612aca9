//! A one-dimensional convolution is a two-dimensional one of height 1.

use convgpu::internals::ops::conv2d::Conv2d;

use crate::conv2d::{padded, sides};
use crate::support::{Case, check_golden};

pub fn pytorch(case: &Case) {
    let flat = |role: &str| {
        let t = case.tensor(role);
        let [n, c, l] = t.shape()[..] else { panic!("{role} has 3 axes") };
        t.reshape([n, c, 1, l]).unwrap()
    };
    let (weight, dilation) = (flat("weight"), case.usize("dilation"));
    let sides = sides(&case.params["padding"], dilation, weight.shape()[3]);
    let (x, padding) = padded(case, flat("x"), [[0, 0], sides]);
    let op =
        Conv2d { stride: [1, case.usize("stride")], padding, dilation: [1, dilation], groups: case.usize("groups") };
    let inputs: Vec<_> = [x, weight].into_iter().chain(case.get("bias").cloned()).collect();
    check_golden(case, op, &inputs, &[flat("out")]);
}
