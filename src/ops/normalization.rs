//! What batch, layer, group and instance norm share: statistics of slices, and `(x - mean) scale weight + bias`.
//!
//! Statistics take two launches. The first gives the sum and the squared distances of every part of every slice, each
//! relative to the slice's first value; the second merges the parts. How a slice is parted depends on the shape alone.

use super::{Alternative, Site};
use crate::gpu::kernel::{Arg, INDEX, Kernel, Launch, MOMENTS, folded, kernel, params};
use crate::reference::moments::Slices;
use crate::shape::{Desc, Layout};

static MOMENTS1: Kernel = kernel!("moments", INDEX, MOMENTS);
static MOMENTS4: Kernel = kernel!("moments_channels_last", INDEX, MOMENTS);
static MERGE: Kernel = kernel!("moments_merge", INDEX, MOMENTS);
static NORMALIZE1: Kernel = kernel!("normalize", INDEX);
static NORMALIZE4: Kernel = kernel!("normalize_channels_last", INDEX);

pub(super) const KERNELS: &[&Kernel] = &[&MOMENTS1, &MOMENTS4, &MERGE, &NORMALIZE1, &NORMALIZE4];

/// Parts of one slice: with more, the merge would have more than 16 for each invocation (`reference::moments`).
const MOST_PARTS: usize = 1024;

/// What the statistics' second number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spread {
    /// The biased variance.
    Variance,
    /// 1 / sqrt(variance + eps)
    Inverse,
    /// 1 / (sqrt(variance) + eps)
    InverseOutside,
}

/// One normalisation of a tensor `[n, c, spatial..]`, or of any tensor whose slices are given.
pub(super) struct Normalization {
    pub slices: Slices,
    /// Weight and bias: element `i` has entry `i / step % entries`.
    pub entries: usize,
    pub step: usize,
    pub eps: f32,
    pub layout: Layout,
    /// In the channels-last layout a slice is this many neighbouring channels ...
    pub members: usize,
    /// ... of every image, or of one.
    pub per_image: bool,
}

/// How channels-last pixels are parted.
struct Pixels {
    images: usize,
    pixels: usize,
    c: usize,
    blocks: usize,
    chunk: usize,
    parts: usize,
}

impl Normalization {
    /// Bytes of the temporaries of [`Normalization::statistics`]: sums and squared distances of parts, means, spreads.
    pub fn scratch(&self, x: &Desc) -> Vec<usize> {
        let slices = self.slices.slices;
        let partials = match self.layout {
            Layout::RowMajor => slices * self.rows().1,
            Layout::ChannelsLast => slices * self.members * self.pixels(x).parts,
        };
        vec![partials * 4, partials * 4, slices * 4, slices * 4]
    }

    /// Values of a part of a row-major slice, and parts of a slice.
    fn rows(&self) -> (usize, usize) {
        let count = self.slices.count();
        let chunk = count.div_ceil(MOST_PARTS).next_multiple_of(256).max(4096);
        (chunk, count.div_ceil(chunk))
    }

    fn pixels(&self, x: &Desc) -> Pixels {
        let c = x.shape[1];
        let area: usize = x.shape[2..].iter().product();
        let (images, pixels) = if self.per_image { (x.shape[0], area) } else { (1, x.shape[0] * area) };
        let blocks = c.div_ceil(4).next_power_of_two().min(16);
        let strip = 4 * 64 / blocks;
        let chunk = pixels.div_ceil(MOST_PARTS / self.members).next_multiple_of(strip).max(16 * strip);
        Pixels { images, pixels, c, blocks, chunk, parts: pixels.div_ceil(chunk) }
    }

    /// Whether the statistics have a channels-last kernel: the tensor has channels, few enough of them a slice.
    pub fn allows_channels_last(&self, x: &Desc) -> bool {
        x.rank() >= 2 && self.members <= MOST_PARTS
    }

    /// The launches that compute means and spreads of input 0; temporaries 0 and 1 hold the parts.
    pub fn statistics(&self, x: &Desc, spread: Spread, to: [Arg; 2]) -> Vec<Launch> {
        let partials = [Arg::Scratch(0), Arg::Scratch(1)];
        let Slices { slices, inner, .. } = self.slices;
        let (first, merge) = match self.layout {
            Layout::RowMajor => {
                let (count, (chunk, parts)) = (self.slices.count(), self.rows());
                let first =
                    Launch::grid(&MOMENTS1, folded(slices * parts), params!(slices, inner, count, chunk, parts));
                let merge = params!(
                    slices, members: 1u32, parts, count, chunk,
                    groups: slices, image_step: 0u32, group_step: inner, eps: self.eps
                );
                (first, merge)
            }
            Layout::ChannelsLast => {
                let Pixels { images, pixels, c, blocks, chunk, parts } = self.pixels(x);
                let members = self.members;
                let columns = c.div_ceil(4).div_ceil(blocks);
                let params = params!(images, pixels, c, members, chunk, parts);
                let first = Launch::grid(&MOMENTS4, folded(images * parts * columns), params);
                let merge = params!(
                    slices, members, parts, count: pixels, chunk,
                    groups: c / members, image_step: pixels * c.next_multiple_of(4), group_step: members, eps: self.eps
                );
                (first.set("BLOCKS", blocks as u32), merge)
            }
        };
        let merge = Launch::grid(&MERGE, folded(slices), merge).set("SPREAD", spread as u32);
        vec![
            first.reads([Arg::Input(0)]).writes(partials),
            merge.reads([partials[0], partials[1], Arg::Input(0)]).writes(to),
        ]
    }

    /// The launch that normalises input 0 into output 0 by statistics that lie in `stats`.
    pub fn apply(&self, x: &Desc, stats: [Arg; 2], spread: Spread, weight: Option<Arg>, bias: Option<Arg>) -> Launch {
        let Slices { slices, inner, .. } = self.slices;
        let launch = match self.layout {
            Layout::RowMajor => {
                let params = params!(
                    n: x.numel(), slices, inner, entries: self.entries, step: self.step, eps: self.eps
                );
                Launch::flat(&NORMALIZE1, x.numel(), params)
            }
            Layout::ChannelsLast => {
                let (n, c) = (x.shape[0], x.shape[1]);
                let pixels: usize = x.shape[2..].iter().product();
                let image_slices = if self.per_image { c / self.members } else { 0 };
                let params = params!(n, pixels, c, image_slices, members: self.members, eps: self.eps);
                Launch::flat(&NORMALIZE4, n * pixels.div_ceil(8) * c.div_ceil(4), params)
            }
        };
        let reads = [Arg::Input(0), stats[0], stats[1], weight.unwrap_or(stats[0]), bias.unwrap_or(stats[0])];
        launch
            .set("INVERSE", u8::from(spread != Spread::Variance))
            .set("WEIGHT", u8::from(weight.is_some()))
            .set("BIAS", u8::from(bias.is_some()))
            .reads(reads)
            .writes([Arg::Output(0)])
    }

    /// An alternative of these launches: x and y in this layout, everything else row-major.
    pub fn alternative(&self, site: &Site<'_>, scratch: Vec<usize>, run: Vec<Launch>) -> Alternative {
        let mut way = Alternative { scratch, ..Alternative::row_major(site, run) };
        (way.inputs[0], way.outputs[0]) = (self.layout, self.layout);
        way
    }
}

/// Both layouts, the one that input 0 has first; row-major alone where channels-last is not allowed.
pub(super) fn layouts(site: &Site<'_>, channels_last: bool) -> Vec<Layout> {
    match (channels_last, site.is_channels_last(0)) {
        (false, _) => vec![Layout::RowMajor],
        (true, false) => vec![Layout::RowMajor, Layout::ChannelsLast],
        (true, true) => vec![Layout::ChannelsLast, Layout::RowMajor],
    }
}
