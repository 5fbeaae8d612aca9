//! Images as sums of windows, as `torch.nn.functional.fold`.

use crate::attr::Window;
use crate::parallel;

/// For every pixel of planes of this size the sum of what `weigh` makes of the taps that lie on it, in f64, and how many they
/// are. x is `[planes, kh, kw, places[0], places[1]]`.
pub fn fold(
    x: &[f32],
    planes: usize,
    window: &Window,
    [h, w]: [usize; 2],
    places: [usize; 2],
    weigh: fn(f64) -> f64,
) -> Vec<(f64, usize)> {
    let ([kh, kw], [oh, ow]) = (window.kernel, places);
    // The place of the window of which pixel i is tap k.
    let place = |axis: usize, i: usize, k: usize| {
        let start = (i + window.padding[axis][0]).checked_sub(k * window.dilation[axis])?;
        let o = start / window.stride[axis];
        (start.is_multiple_of(window.stride[axis]) && o < places[axis]).then_some(o)
    };
    parallel::collect(planes * h * w, |i| {
        let (plane, iy, ix) = (i / w / h, i / w % h, i % w);
        let rows = (0..kh).filter_map(|ky| Some((ky, place(0, iy, ky)?)));
        let taps = rows.flat_map(|(ky, oy)| {
            let columns = (0..kw).filter_map(move |kx| Some((kx, place(1, ix, kx)?)));
            columns.map(move |(kx, ox)| (((plane * kh + ky) * kw + kx) * oh + oy) * ow + ox)
        });
        taps.fold((0.0, 0), |(sum, count), at| (sum + weigh(x[at].into()), count + 1))
    })
}
