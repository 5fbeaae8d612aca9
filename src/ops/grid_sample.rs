//! `grid_sample`: an image sampled at the points of a grid.

use super::{Bounds, Op, Site, Variant, built_in, expect_f32};
use crate::attr::{Coded, GridSampleMode, GridSamplePadding};
use crate::bound;
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, Launch, params};
use crate::gpu::pieces::{CHANNELS, FLAT, NAN};
use crate::memory;
use crate::reference::grid_sample::{Axis, Sampled, centres, grid_sample, loses};
use crate::shape::{Desc, Layout, MAX_ELEMENTS, numel};
use crate::tensor::Tensor;

static SAMPLE: Kernel =
    kernel!("grid_sample", CHANNELS, NAN, FLAT).by_values().codes(&[GridSampleMode::CODES, GridSamplePadding::CODES]);
static SAMPLE_C4: Kernel = kernel!("grid_sample_c4", "grid_sample", CHANNELS, NAN, FLAT)
    .by_blocks()
    .codes(&[GridSampleMode::CODES, GridSamplePadding::CODES]);

pub(super) const KERNELS: &[&Kernel] = &[&SAMPLE, &SAMPLE_C4];

/// The most blocks of channels per invocation, which share the taps.
const BLOCKS: usize = 4;

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html>
///
/// Inputs: x `[n, c, ih, iw]` and a grid `[n, oh, ow, 2]` of coordinates (x, y), or x `[n, c, id, ih, iw]` and a grid
/// `[n, od, oh, ow, 3]` of (x, y, z). Output `[n, c, oh, ow]` or `[n, c, od, oh, ow]`. -1 and 1 are the borders of the image.
///
/// A coordinate that is not finite is what it is in PyTorch on a CPU: of images without depth NaN, bilinear between zeros and
/// bicubic; else outside of zeros, at an end of a border, or pixel 0. In volumes a NaN at a border, and what is not finite in a
/// mirrored image, is pixel 0 as well, where PyTorch takes the last one on a CPU and the first on a GPU.
#[derive(Clone, Debug, PartialEq)]
pub struct GridSample {
    /// How values between pixels are computed.
    pub mode: GridSampleMode,
    /// What lies beyond the image.
    pub padding_mode: GridSamplePadding,
    /// Whether -1 and 1 are the centres of the border pixels, instead of their edges.
    pub align_corners: bool,
}

impl GridSample {
    fn axes(&self, x: &[usize]) -> Vec<Axis> {
        let &GridSample { mode, padding_mode: padding, align_corners } = self;
        x[2..].iter().map(|&extent| Axis { extent, mode, padding, align_corners }).collect()
    }

    /// What `f` makes of the inputs.
    fn sampled<T>(&self, inputs: &[Tensor], f: impl FnOnce(&Sampled<'_>) -> T) -> T {
        let (x, grid) = (&inputs[0], &inputs[1]);
        let (axes, points) = (self.axes(x.shape()), points(grid.shape()));
        f(&Sampled { x: x.f32s(), channels: x.shape()[1], axes: &axes, grid: grid.f32s(), points })
    }

    fn launch(&self, x: &[usize], grid: &[usize], layout: Layout) -> Launch {
        let (n, c, axes, points) = (x[0], x[1], x.len() - 2, points(grid));
        let (id, [ih, iw]) = (if axes == 3 { x[2] } else { 1 }, [x[axes], x[axes + 1]]);
        let (kernel, count) = match layout {
            Layout::RowMajor => (&SAMPLE, c),
            Layout::ChannelsLast => (&SAMPLE_C4, c.div_ceil(4)),
        };
        let blocks = count.clamp(1, BLOCKS);
        let params = params!(n, c, id, ih, iw, points, nan: f32::NAN, zero: 0u32);
        Launch::flat(kernel, n * points * count.div_ceil(blocks), params)
            .set("AXES", axes as u32)
            .set("MODE", self.mode.code())
            .set("BEYOND", self.padding_mode.code())
            .set("ALIGN_CORNERS", u8::from(self.align_corners))
            .set("LOSES", u8::from(loses(&self.axes(x))))
            .set("BLOCKS", blocks as u32)
            .reads([Arg::Input(0), Arg::Input(1)])
            .writes([Arg::Output(0)])
    }
}

/// The points per image of a grid.
fn points(grid: &[usize]) -> usize {
    numel(&grid[1..grid.len() - 1])
}

impl Op for GridSample {
    built_in!("grid_sample": mode, padding_mode, align_corners);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        expect_f32(self, inputs, 2..=2)?;
        let (x, grid) = (&inputs[0].shape, &inputs[1].shape);
        if !matches!(x.len(), 4 | 5) {
            return Err(Error::shape(format!("the input must be [n, c, h, w] or [n, c, d, h, w], not {x:?}")));
        }
        if x[2..].contains(&0) {
            return Err(Error::shape(format!("an image of {:?} pixels has nothing to sample", &x[2..])));
        }
        if x.len() == 5 && self.mode == GridSampleMode::Bicubic {
            return Err(Error::unsupported("a bicubic grid_sample of volumes (bilinear and nearest only)"));
        }
        let axes = x.len() - 2;
        if grid.len() != x.len() || grid[0] != x[0] || grid[axes + 1] != axes {
            let sizes = if axes == 2 { "h, w" } else { "d, h, w" };
            return Err(Error::shape(format!("the grid must be [{}, {sizes}, {axes}], not {grid:?}", x[0])));
        }
        Ok(vec![Desc::f32([&x[..2], &grid[1..=axes]].concat())])
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (x, grid) = (inputs[0].shape(), inputs[1].shape());
        let shape = [&x[..2], &grid[1..grid.len() - 1]].concat();
        Ok(vec![Tensor::of(shape, self.sampled(inputs, grid_sample))])
    }
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![self.sampled(inputs, bound::grid_sample::bounds)]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let (x, grid) = (&site.inputs[0].shape, &site.inputs[1].shape);
        let mut variants = Variant::in_both_layouts(site, |layout| vec![self.launch(x, grid, layout)]);
        variants.iter_mut().for_each(|variant| variant.inputs[1] = Layout::RowMajor);
        Ok(variants)
    }
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        let taps: usize = match self.mode {
            GridSampleMode::Nearest => 0,
            GridSampleMode::Bilinear => 1 << (inputs[0].rank() - 2),
            GridSampleMode::Bicubic => 16,
        };
        2 * (outputs[0].numel() * taps) as u64
    }
}

/// The centres of the pixels of an image or volume of this size `[n, c, ..]`, with a 1 behind each: a matrix
/// `[points, axes + 1]`, whose product with transposed maps `theta` `[n, axes, axes + 1]` is a grid.
///
/// # Errors
/// The size is not that of an image or a volume, or has no pixel, or too many; theta does not fit it.
pub(crate) fn base_grid(theta: &[usize], size: &[usize], align_corners: bool) -> Result<Tensor> {
    let (&[n, _, ref extents @ ..], 4 | 5) = (size, size.len()) else {
        return Err(Error::shape(format!("the size must be [n, c, h, w] or [n, c, d, h, w], not {size:?}")));
    };
    if extents.contains(&0) {
        return Err(Error::shape(format!("an image of {extents:?} pixels has no grid")));
    }
    let axes = extents.len();
    if theta != [n, axes, axes + 1] {
        return Err(Error::shape(format!("theta must be [{n}, {axes}, {}], not {theta:?}", axes + 1)));
    }
    let points = extents.iter().try_fold(axes + 1, |product, &extent| product.checked_mul(extent));
    let Some(points) = points.filter(|&words| words < MAX_ELEMENTS).map(|words| words / (axes + 1)) else {
        return Err(Error::unsupported(format!("a grid of {extents:?} points is too large")));
    };
    memory::afford((points * (axes + 1) * size_of::<f32>()) as u64, || format!("a grid of {extents:?} points"))?;
    Ok(Tensor::of([points, axes + 1], centres(extents, align_corners)))
}
