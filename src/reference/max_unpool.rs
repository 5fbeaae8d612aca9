//! Values put back where a pooling found them.

/// Zeros, but x at its indices in each of the planes of `size` places; the last of several has the place.
pub fn max_unpool(x: &[f32], indices: &[i64], planes: usize, size: usize) -> Vec<f32> {
    let mut out = vec![0.0; planes * size];
    let values = x.len() / planes.max(1);
    for (k, (&v, &index)) in x.iter().zip(indices).enumerate() {
        out[k / values * size + index as usize] = v;
    }
    out
}
