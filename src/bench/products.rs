//! Products of square matrices: the usual measure of how much of a device's arithmetic rate a kernel reaches.

use super::case::{Case, random};
use crate::error::Result;
use crate::ops::conv2d::Conv2d;
use crate::ops::matmul::MatMul;
use crate::shape::Layout;

/// `[n, n]` by `[n, n]` for n = 512 and 1024: as linear layers, whose weights are packed beforehand, and as products of two
/// matrices known only at run time.
///
/// # Errors
/// None: the sizes fit.
pub fn products() -> Result<Vec<Case>> {
    let mut cases = vec![];
    for n in [512, 1024] {
        let layer = Case::new(
            format!("linear {n}"),
            Conv2d::default(),
            vec![random(&[n, n, 1, 1], 1), random(&[n, n, 1, 1], 2)],
            1,
        )?;
        cases.push(Case { layouts: vec![Layout::ChannelsLast, Layout::RowMajor], ..layer });
        cases.push(Case::new(format!("matmul {n}"), MatMul, vec![random(&[n, n], 1), random(&[n, n], 2)], 2)?);
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_cases_fit_their_operators() {
        let cases = super::products().unwrap();
        assert!(cases.iter().take(2).all(|c| c.flops == 2 * 512 * 512 * 512));
    }
}
