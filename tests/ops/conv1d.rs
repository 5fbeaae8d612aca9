//! A one-dimensional convolution is a two-dimensional one of height 1.

use convgpu::internals::ops::conv2d::Conv2d;

use crate::support::{check_golden, golden};

#[test]
fn pytorch_agrees() {
    let cases = golden("conv1d");
    assert_eq!(cases.len(), 4);
    for case in &cases {
        let padding = case.usize("padding");
        let op = Conv2d {
            stride: [1, case.usize("stride")],
            padding: [0, 0, padding, padding],
            dilation: [1, case.usize("dilation")],
            groups: case.usize("groups"),
        };
        let flat = |role: &str| {
            let t = case.get(role).unwrap();
            let [n, c, l] = t.shape()[..] else { panic!("{role} has 3 axes") };
            t.reshape([n, c, 1, l]).unwrap()
        };
        let inputs = [flat("x"), flat("weight"), case.get("bias").unwrap().clone()];
        check_golden(case, op, &inputs, &[flat("out")]);
    }
}
