//! Winograd's algorithm F(4x4, 3x3).

/// The most roundings of a term on one side of `G`, of `B^T` and of `A^T`, constants included, as the kernels compute
/// them (`conv2d_winograd_weight`, `_input`, `_output`); a test of `ops::conv2d` counts them in the texts.
pub const ROUNDINGS: [usize; 3] = [4, 4, 5];

/// The most roundings of a term: in both multiplications of the transforms of filter, tile and sum, in the product, in
/// the sum over channels in any order, and in the addition of the bias.
pub fn depth(roundings: [usize; 3], channels: usize) -> usize {
    2 * roundings.iter().sum::<usize>() + channels + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attr::Window;
    use crate::bound::gamma;
    use crate::reference::conv2d::{Convolution, conv2d};
    use crate::reference::winograd::{Transform, winograd};

    #[test]
    fn it_is_the_convolution_and_its_bound_sees_a_wrong_constant() {
        let ([n, ic, ih, iw], oc, [oh, ow]) = ([2, 3, 7, 9], 5, [8, 10]);
        let numbers = |k: usize| (0..k).map(|i| ((i * 37 + 11) % 17) as f32 - 8.0).collect::<Vec<_>>();
        let (x, w) = (numbers(n * ic * ih * iw), numbers(oc * ic * 9));
        let window = Window { kernel: [3, 3], stride: [1, 1], padding: [[2, 1], [1, 2]], dilation: [1, 1] };
        let convolution =
            Convolution { x: (&x, [n, ic, ih, iw]), w: (&w, oc), bias: None, window, groups: 1, size: [oh, ow] };
        let expected: Vec<_> = conv2d(&convolution, |sum| sum as f32).into_iter().map(f64::from).collect();
        let image = (&x[..], [n, ic, ih, iw]);
        let of = |t: &Transform| winograd(t, image, (&w, oc), [2, 1], [oh, ow]);
        assert!(of(&Transform::new()).iter().zip(&expected).all(|(a, e)| (a - e).abs() < 1e-10));

        // The bound detects an error of 0.1 % in any constant of any matrix.
        let (x, w): (Vec<_>, Vec<_>) = (x.iter().map(|v| v.abs()).collect(), w.iter().map(|v| v.abs()).collect());
        let abs = winograd(&Transform::new().abs(), (&x, [n, ic, ih, iw]), (&w, oc), [2, 1], [oh, ow]);
        let seen = |t: &Transform| {
            let beyond = |((a, e), s): ((&f64, &f64), &f64)| (a - e).abs() > gamma(depth(ROUNDINGS, ic)) * s;
            of(t).iter().zip(&expected).zip(&abs).any(beyond)
        };
        assert!(!seen(&Transform::new()));
        let entries = |t: &mut Transform, change: usize| {
            let all = t.bt.iter_mut().flatten().chain(t.g.iter_mut().flatten()).chain(t.at.iter_mut().flatten());
            all.filter(|v| **v != 0.0).nth(change).map(|v| *v *= 1.001).is_some()
        };
        let mut changes = 0;
        let mut wrong = Transform::new();
        while entries(&mut wrong, changes) {
            assert!(seen(&wrong), "change {changes}");
            wrong = Transform::new();
            changes += 1;
        }
        assert_eq!(changes, 22 + 14 + 18);
    }
}
