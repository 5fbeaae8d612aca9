//! The effect of storing floats in 16 bits (IEEE binary16).

/// The largest relative error of a conversion to a normal f16: WGSL allows either neighbouring value
/// (<https://www.w3.org/TR/WGSL/#floating-point-conversion>), so the error is up to one ulp.
pub const UNIT16: f64 = 1.0 / 1024.0;

/// The smallest normal f16. A device may flush what is smaller to zero when it stores it.
pub const SMALLEST: f64 = 1.0 / 16384.0;

/// The largest f16.
pub const LARGEST: f32 = 65_504.0;

/// The spacing of f16 numbers below [`SMALLEST`].
const SPACING: f64 = SMALLEST / 1024.0;

/// The nearest f16, which a device stores in 16 bits unchanged. Subnormal values are kept, so that a device that
/// flushes weights of that size is detected where they matter. Numbers too large for f16 are not changed, so that a
/// device that makes an infinity of one is detected, too.
pub fn nearest(x: f32) -> f32 {
    let rounded = half::f16::from_f32(x).to_f32();
    if rounded.is_infinite() { x } else { rounded }
}

/// The largest error of a value that is computed in f32 within `bound` of `y` and then stored in 16 bits. Beyond 65 504
/// the stored value is an infinity, which no bound allows.
///
/// The computed v has |v| <= |y| + bound. If it is normal, storing it adds an error of at most 2^-10 |v|. If it may be
/// subnormal, it may be flushed, or rounded up by the spacing there. A value that is exact and an f16 does not change.
pub fn stored(y: f64, bound: f64) -> f64 {
    let exact = bound == 0.0 && f64::from(nearest(y as f32)) == y;
    if exact && (y == 0.0 || y.abs() >= SMALLEST) {
        return 0.0;
    }
    let (least, most) = (y.abs() - bound, y.abs() + bound);
    let normal = UNIT16 * most;
    bound + if least >= SMALLEST { normal } else { normal.max(most.min(SMALLEST) + SPACING) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_stays_and_others_go_to_the_nearest() {
        for bits in 0..=u16::MAX {
            let x = half::f16::from_bits(bits).to_f32();
            assert!(x.is_nan() || nearest(x) == x, "{x}");
        }
        assert_eq!([nearest(2049.0), nearest(2051.0), nearest(2e-8), nearest(1e5)], [2048.0, 2052.0, 0.0, 1e5]);
        assert!(nearest(f32::NAN).is_nan() && nearest(f32::INFINITY) == f32::INFINITY);
    }

    #[test]
    fn the_bound_holds_either_neighbour_and_a_flushed_one() {
        let neighbours = |v: f64| {
            let near = half::f16::from_f64(v);
            let beside = if near.to_f64().abs() > v.abs() { near.to_bits() - 1 } else { near.to_bits() + 1 };
            [near.to_f64(), half::f16::from_bits(beside).to_f64()]
        };
        for (y, bound) in [(1.0, 0.0), (-3.7183, 0.0), (1000.3, 0.25), (7e-5, 2e-5), (-6e-5, 0.0), (1e-9, 1e-9)] {
            for v in [y - bound, y, y + bound] {
                let [near, beside] = neighbours(v);
                let exact = near == v;
                assert!((near - y).abs() <= stored(y, bound), "{v} of {y}");
                assert!(exact || (beside - y).abs() <= stored(y, bound), "{v} of {y}");
                assert!(exact || v.abs() >= SMALLEST || y.abs() <= stored(y, bound), "{v} of {y}");
            }
        }
        assert_eq!(stored(1.0, 0.0), 0.0);
        assert!(stored(1.0 + 1e-4, 0.0) < 1e-3 && stored(1000.0, 0.1) < 1.1);
    }
}
