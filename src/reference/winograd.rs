//! Winograd's algorithm F(4x4, 3x3): what its kernels compute.

use crate::parallel;
/// Outputs of a tile along an axis.
pub const TILE: usize = 4;
/// Inputs of a tile along an axis; also the number of points.
const POINTS: usize = TILE + 2;

/// The matrices of `Y = A^T [sum over ic of (G g G^T) * (B^T d B)] A` (Lavin and Gray, Fast Algorithms for Convolutional
/// Neural Networks, 2015), `*` element by element.
pub struct Transform {
    pub(crate) bt: [[f64; POINTS]; POINTS],
    pub(crate) g: [[f64; 3]; POINTS],
    pub(crate) at: [[f64; POINTS]; TILE],
}

impl Transform {
    /// Toom-Cook's construction for points p: row p of `G` is (1, p, p^2) / product over q of (p - q), column p of
    /// `A^T` is (1, p, p^2, p^3), row p of `B^T` holds the coefficients of the product over q of (x - q), where q runs
    /// over the other points. For the point at infinity they are (0, 0, 1), (0, 0, 0, 1) and the product over all
    /// points.
    ///
    /// The points 0, +-1/sqrt 2, +-sqrt 2, infinity have about 7 times smaller errors than 0, +-1, +-2, infinity.
    pub fn new() -> Transform {
        let points = [0.0, 0.5f64.sqrt(), -(0.5f64.sqrt()), 2f64.sqrt(), -(2f64.sqrt())];
        let mut t = Transform { bt: [[0.0; POINTS]; POINTS], g: [[0.0; 3]; POINTS], at: [[0.0; POINTS]; TILE] };
        for (i, &p) in points.iter().enumerate() {
            let others = || points.iter().filter(|&&q| q != p);
            let scale: f64 = others().map(|q| p - q).product();
            t.bt[i] = polynomial(others());
            t.g[i] = [1.0 / scale, p / scale, p * p / scale];
            (0..TILE).for_each(|r| t.at[r][i] = p.powi(r as i32));
        }
        t.bt[POINTS - 1] = polynomial(points.iter());
        t.g[POINTS - 1][2] = 1.0;
        t.at[TILE - 1][POINTS - 1] = 1.0;
        t
    }

    /// The absolute values of the matrices.
    pub fn abs(self) -> Transform {
        Transform {
            bt: self.bt.map(|r| r.map(f64::abs)),
            g: self.g.map(|r| r.map(f64::abs)),
            at: self.at.map(|r| r.map(f64::abs)),
        }
    }
}

impl Default for Transform {
    fn default() -> Transform {
        Transform::new()
    }
}

/// The coefficients of the product of (x - root), the constant one first.
fn polynomial<'a>(roots: impl Iterator<Item = &'a f64>) -> [f64; POINTS] {
    let mut out = [0.0; POINTS];
    out[0] = 1.0;
    for root in roots {
        (0..POINTS).rev().for_each(|k| out[k] = if k > 0 { out[k - 1] } else { 0.0 } - root * out[k]);
    }
    out
}

/// `m d m^T`.
fn both_sides<const R: usize, const C: usize>(m: &[[f64; C]; R], d: &[[f64; C]; C]) -> [[f64; R]; R] {
    let mut half = [[0.0; C]; R];
    let mut out = [[0.0; R]; R];
    for i in 0..R {
        (0..C).for_each(|j| half[i][j] = (0..C).map(|k| m[i][k] * d[k][j]).sum());
        (0..R).for_each(|j| out[i][j] = (0..C).map(|k| half[i][k] * m[j][k]).sum());
    }
    out
}

/// The 3x3 convolution of stride 1, by Winograd's algorithm in f64: `x` is `[n, ic, ih, iw]`, `w` is `[oc, ic, 3, 3]`, `pad` the
/// zeros above and left of the image; the result is row-major `[n, oc, oh, ow]`.
pub fn winograd(
    t: &Transform,
    (x, [n, ic, ih, iw]): (&[f32], [usize; 4]),
    (w, oc): (&[f32], usize),
    pad: [usize; 2],
    [oh, ow]: [usize; 2],
) -> Vec<f64> {
    let (th, tw) = (oh.div_ceil(TILE), ow.div_ceil(TILE));
    let mut out = vec![0.0; n * oc * oh * ow];
    if out.is_empty() {
        return out;
    }
    let pixel = |plane: usize, y: usize, x_: usize| -> f64 {
        let inside = |i: usize, pad: usize, extent: usize| i.checked_sub(pad).filter(|&i| i < extent);
        match (inside(y, pad[0], ih), inside(x_, pad[1], iw)) {
            (Some(iy), Some(ix)) => x[(plane * ih + iy) * iw + ix].into(),
            _ => 0.0,
        }
    };
    let window = |plane: usize, ty: usize, tx: usize| {
        std::array::from_fn(|i| std::array::from_fn(|j| pixel(plane, ty * TILE + i, tx * TILE + j)))
    };
    let transformed = |i: usize| both_sides(&t.bt, &window(i / (th * tw), i / tw % th, i % tw));
    let inputs = parallel::collect(n * ic * th * tw, transformed);
    parallel::chunks(&mut out, oh * ow, |plane, out| {
        let filter = |c: usize, i: usize, j: usize| f64::from(w[((plane % oc * ic + c) * 3 + i) * 3 + j]);
        let filters: Vec<_> = (0..ic)
            .map(|c| both_sides(&t.g, &std::array::from_fn(|i| std::array::from_fn(|j| filter(c, i, j)))))
            .collect();
        for tile in 0..th * tw {
            let mut sum = [[0.0; POINTS]; POINTS];
            for (c, u) in filters.iter().enumerate() {
                let v = &inputs[(plane / oc * ic + c) * th * tw + tile];
                (0..POINTS * POINTS)
                    .for_each(|k| sum[k / POINTS][k % POINTS] += u[k / POINTS][k % POINTS] * v[k / POINTS][k % POINTS]);
            }
            let y = both_sides(&t.at, &sum);
            let (top, left) = (tile / tw * TILE, tile % tw * TILE);
            for oy in top..oh.min(top + TILE) {
                for ox in left..ow.min(left + TILE) {
                    out[oy * ow + ox] = y[oy - top][ox - left];
                }
            }
        }
    });
    out
}
