//! Pooling of regions of images.

use crate::attr::PoolKind;
use crate::conformance::draw::{Drawn, Draws, Fill};
use crate::ops::Op;
use crate::ops::roi_align::RoiAlign;
use crate::ops::roi_pool::RoiPool;
use crate::shape::{DType, Desc};

/// Powers of two, and factors with which products round.
const SCALES: [f32; 5] = [1.0, 0.25, 0.0625, 0.3, 1.7];

pub fn align(r: &mut Draws) -> Drawn {
    let spatial_scale = r.one(&SCALES);
    let op = RoiAlign {
        output: r.pair(),
        spatial_scale,
        sampling_ratio: r.one(&[0, 0, 1, 2, 3]),
        aligned: r.flag(),
        kind: r.one(&[PoolKind::Avg, PoolKind::Avg, PoolKind::Max]),
    };
    regions(r, op, spatial_scale)
}

pub fn pool(r: &mut Draws) -> Drawn {
    let spatial_scale = r.one(&SCALES);
    let op = RoiPool { output: r.pair(), spatial_scale };
    regions(r, op, spatial_scale)
}

fn regions(r: &mut Draws, op: impl Op + 'static, spatial_scale: f32) -> Drawn {
    let (image, count) = (r.image(), r.count());
    let mut drawn = r.of(op, &[&image, &[count, 4]]);
    drawn.inputs.push(Desc::new([count], r.one(&[DType::I64, DType::I32])));
    let largest = image[2].max(image[3]) as f32 / spatial_scale;
    drawn.filled([Fill::Any, Fill::Boxes(largest), Fill::UpTo(image[0].saturating_sub(1))])
}
