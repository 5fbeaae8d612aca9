use convgpu::Tensor;
use convgpu::custom::Op;
use convgpu::internals::ops::pixel_shuffle::{Order, PixelShuffle, PixelUnshuffle};

use crate::support::{Case, Rng, check, check_golden};

#[test]
fn shuffles_are_exact() {
    let mut rng = Rng(1);
    for order in [Order::ChannelFirst, Order::DepthFirst] {
        for factor in [1, 2, 3] {
            let deep = rng.tensor(&[2, 5 * factor * factor, 3, 7]);
            check(PixelShuffle { factor, order }, &[deep], true);
            let wide = rng.tensor(&[2, 5, 3 * factor, 7 * factor]);
            check(PixelUnshuffle { factor, order }, &[wide], true);
        }
    }
    let integers = Tensor::new([1, 4, 1, 3], (0..12).collect::<Vec<i64>>()).unwrap();
    check(PixelShuffle { factor: 2, order: Order::DepthFirst }, &[integers], true);
    check(PixelShuffle { factor: 2, order: Order::DepthFirst }, &[Tensor::zeros([0, 8, 3, 2])], true);
    check(PixelUnshuffle { factor: 2, order: Order::DepthFirst }, &[Tensor::zeros([1, 0, 4, 2])], true);
}

/// Eight channels of one pixel, as ONNX's DepthToSpace places them.
#[test]
fn orders_by_hand() {
    let x = Tensor::new([1, 8, 1, 1], (0..8).map(|v| v as f32).collect::<Vec<_>>()).unwrap();
    let of = |order| {
        PixelShuffle { factor: 2, order }.reference(std::slice::from_ref(&x)).unwrap()[0].as_f32().unwrap().to_vec()
    };
    assert_eq!(of(Order::ChannelFirst), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert_eq!(of(Order::DepthFirst), [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let order = Order::ChannelFirst;
    let x = |shape: &[usize]| [Tensor::zeros(shape).desc()];
    assert!(PixelShuffle { factor: 0, order }.outputs(&x(&[1, 4, 2, 3])).is_err());
    assert!(PixelShuffle { factor: 2, order }.outputs(&x(&[1, 6, 2, 3])).is_err());
    assert!(PixelShuffle { factor: usize::MAX, order }.outputs(&x(&[1, 0, 2, 3])).is_err());
    assert!(PixelShuffle { factor: 2, order }.outputs(&x(&[4, 2, 3])).is_err());
    assert!(PixelUnshuffle { factor: 0, order }.outputs(&x(&[1, 4, 2, 4])).is_err());
    assert!(PixelUnshuffle { factor: 2, order }.outputs(&x(&[1, 4, 2, 3])).is_err());
}

pub fn pytorch(case: &Case) {
    let factor = case.usize(case.named(&["factor", "upscale_factor", "downscale_factor"]));
    let (order, x, out) = (Order::ChannelFirst, case.input_tensors(), case.out());
    match case.op.as_str() {
        "pixel_shuffle" => check_golden(case, PixelShuffle { factor, order }, &x, &out),
        _ => check_golden(case, PixelUnshuffle { factor, order }, &x, &out),
    }
}
