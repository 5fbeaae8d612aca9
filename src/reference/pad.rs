//! Padding and cropping, as `torch.nn.functional.pad`.

/// The values that are added around a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PadMode {
    /// This value, cast to the tensor's type.
    Constant(f32),
    /// The tensor mirrored without its border.
    Reflect,
    /// The border repeated.
    Replicate,
    /// The opposite side.
    Circular,
}

impl PadMode {
    /// The element of an axis of `extent` at position `i` of the padded axis, where the axis itself begins at 0; `None`
    /// is the constant.
    pub fn source(self, i: i64, extent: usize) -> Option<usize> {
        let e = extent as i64;
        let at = match self {
            PadMode::Constant(_) => return (0..e).contains(&i).then_some(i as usize),
            PadMode::Reflect if i < 0 => -i,
            PadMode::Reflect if i >= e => 2 * (e - 1) - i,
            PadMode::Reflect => i,
            PadMode::Replicate => i.clamp(0, e - 1),
            PadMode::Circular => i.rem_euclid(e),
        };
        Some(at as usize)
    }
}

/// For every element of the padded tensor, row-major, its index in the tensor, or `None` for the constant.
/// `pads` are (before, after) of every axis; negative ones crop.
pub fn sources(shape: &[usize], pads: &[[i64; 2]], mode: PadMode) -> Vec<Option<usize>> {
    let mut out = vec![Some(0)];
    for (&extent, &[before, after]) in shape.iter().zip(pads) {
        let axis: Vec<_> = (-before..extent as i64 + after).map(|i| mode.source(i, extent)).collect();
        let along = |o: &Option<usize>| axis.iter().map(|a| Some((*o)? * extent + (*a)?)).collect::<Vec<_>>();
        out = out.iter().flat_map(along).collect();
    }
    out
}
