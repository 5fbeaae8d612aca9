//! Shared by batch, layer, group and instance norm: statistics of slices, and `(x - mean) scale weight + bias`.
//!
//! Statistics take two launches. The first computes the sum and the squared deviations of every part of every slice,
//! relative to the slice's first value, one invocation per part; the second merges the parts. How a slice is divided
//! into parts depends on the shape alone.

use super::{Algorithm, Site, Variant};
use crate::attr::{Coded, attribute};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Arg, FLAT_WORKGROUP, Launch, folded, nested, params};
use crate::gpu::pieces::{FLAT, MOMENTS, NORMALIZE, TEAM};
use crate::reference::moments::Slices;
use crate::shape::{Desc, Layout};

static MOMENTS1: Kernel = kernel!("moments", MOMENTS, FLAT).by_values();
static MOMENTS4: Kernel = kernel!("moments_channels_last", MOMENTS, FLAT).by_blocks();
static MERGE: Kernel = kernel!("moments_merge", MOMENTS, TEAM).floats().by_values().codes(&[Spread::CODES]);
static NORMALIZE1: Kernel = kernel!("normalize", NORMALIZE, FLAT);
static NORMALIZE_ROWS: Kernel = kernel!("normalize4", NORMALIZE, FLAT).codes(&[Affine::CODES]);
static NORMALIZE4: Kernel = kernel!("normalize_channels_last", NORMALIZE, FLAT).floats();

pub(super) const KERNELS: &[&Kernel] = &[&MOMENTS1, &MOMENTS4, &MERGE, &NORMALIZE1, &NORMALIZE_ROWS, &NORMALIZE4];

/// Values per strip, whose moments are computed in registers: `STRIP` in the text of the kernels.
const STRIP: usize = 4;
/// Strips per part, if the slice is not too long.
const STRIPS: usize = 64;
/// The most parts of one slice, except for one more per lane of each member. It limits the number of parts, and with it
/// the height of the tree, for long slices.
const MOST_PARTS: usize = 4096;
/// The most members of one slice.
const MOST_MEMBERS: usize = 1024;
/// The most parts that one invocation merges, and that each invocation of a small team merges.
const SERIAL_PARTS: usize = 64;
/// Invocations of a small team.
const SMALL_TEAM: usize = 8;
/// Invocations of a large team, which is a workgroup: `WORKGROUP` in the text of `moments_merge`.
const LARGE_TEAM: usize = FLAT_WORKGROUP;

/// The number of invocations that merge this many parts: a power of two.
fn team(parts: usize) -> usize {
    match parts.div_ceil(SERIAL_PARTS) {
        0..=1 => 1,
        2..=SMALL_TEAM => SMALL_TEAM,
        _ => LARGE_TEAM,
    }
}

attribute! {
    /// The second result of the statistics.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Spread, "SPREAD" {
        /// The biased variance.
        Variance,
        /// 1 / sqrt(variance + eps)
        Inverse,
        /// 1 / (sqrt(variance) + eps)
        InverseOutside,
    }
}

attribute! {
    /// Which values of a row share an entry of weight and bias.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Affine, "AFFINE" {
        /// All.
        Row,
        /// Those of a vec4.
        Block,
        /// None: value k has entry k.
        Value,
    }
}

/// One normalisation of a tensor `[n, c, spatial..]`, or of any tensor whose slices are given.
pub(super) struct Normalization {
    pub slices: Slices,
    /// Weight and bias: element `i` has entry `i / step % entries`.
    pub entries: usize,
    pub step: usize,
    pub eps: f32,
    pub layout: Layout,
    /// In the channels-last layout a slice is this many consecutive channels ...
    pub members: usize,
    /// ... of one image, or of all images.
    pub per_image: bool,
    /// Whether one invocation merges the parts of a slice, not a team.
    pub serial: bool,
}

/// How the `count` values of a slice, or of each of its members, are divided into parts: chunks of `chunk` values, the
/// last one with the rest; the strips of a chunk are distributed over `lanes` parts.
struct Parts {
    count: usize,
    /// Members whose parts are merged.
    members: usize,
    lanes: usize,
    chunk: usize,
    chunks: usize,
}

impl Parts {
    fn new(count: usize, members: usize, lanes: usize) -> Parts {
        let round = STRIP * lanes;
        let chunk = (count * members * lanes).div_ceil(MOST_PARTS).next_multiple_of(round).max(STRIPS * round);
        Parts { count, members, lanes, chunk, chunks: count.div_ceil(chunk) }
    }

    /// Strips of the largest part.
    fn strips(&self) -> usize {
        self.chunk.min(self.count).div_ceil(STRIP * self.lanes)
    }

    /// The number of parts of a member.
    fn number(&self) -> usize {
        self.chunks * self.lanes
    }

    /// The number of parts of a slice.
    fn merged(&self) -> usize {
        self.members * self.number()
    }

    /// The height of the tree over the values of a slice: the additions in a strip, the strips of a part, the parts of
    /// an invocation, the levels of its team.
    fn height(&self, team: usize) -> usize {
        STRIP - 1 + self.strips() + self.merged().div_ceil(team) + team.ilog2() as usize
    }
}

impl Normalization {
    /// Bytes of the temporaries of [`Normalization::statistics`]: sums and squared deviations of parts, means, spreads.
    pub fn scratch(&self, x: &Desc) -> Vec<usize> {
        let slices = self.slices.slices;
        let partials = match self.layout {
            Layout::RowMajor => slices * self.parts(x).number(),
            Layout::ChannelsLast => self.images(x) * self.parts(x).number() * x.shape[1].next_multiple_of(4),
        };
        vec![partials * 4, partials * 4, slices * 4, slices * 4]
    }

    /// The number of images with separate statistics.
    fn images(&self, x: &Desc) -> usize {
        if self.per_image { x.shape[0] } else { 1 }
    }

    /// Lanes share a chunk so that neighbouring invocations access neighbouring memory: 8 vec4s, of values or of channels.
    fn parts(&self, x: &Desc) -> Parts {
        match self.layout {
            Layout::RowMajor => Parts::new(self.slices.count(), 1, 8),
            Layout::ChannelsLast => {
                let pixels = x.shape[0] * x.shape[2..].iter().product::<usize>() / self.images(x).max(1);
                let lanes = 8 / x.shape[1].div_ceil(4).next_power_of_two().min(8);
                Parts::new(pixels, self.members, lanes)
            }
        }
    }

    /// The most merges that a value goes through on its way into the statistics.
    pub fn height(&self, x: &Desc) -> usize {
        self.parts(x).height(self.team(x))
    }

    /// The invocations that merge the parts of a slice.
    fn team(&self, x: &Desc) -> usize {
        if self.serial { 1 } else { team(self.parts(x).merged()) }
    }

    /// The same by an algorithm.
    pub fn by(self, algorithm: Algorithm) -> Normalization {
        Normalization { serial: algorithm == Algorithm::Serial, ..self }
    }

    /// Whether the statistics have a channels-last kernel: the tensor has channels, and a slice has few enough of them.
    pub fn allows_channels_last(&self, x: &Desc) -> bool {
        x.rank() >= 2 && self.members <= MOST_MEMBERS
    }

    /// The launches that compute means and spreads of input 0; temporaries 0 and 1 hold the parts.
    pub fn statistics(&self, x: &Desc, spread: Spread, to: [Arg; 2]) -> Vec<Launch> {
        let partials = [Arg::Scratch(0), Arg::Scratch(1)];
        let Slices { slices, inner, .. } = self.slices;
        let all = self.parts(x);
        let Parts { count, lanes, chunk, chunks, members } = all;
        let (first, groups, pitch, step) = match self.layout {
            Layout::RowMajor => {
                let params = params!(slices, inner, count, lanes, chunk, chunks, zero: 0u32);
                let first = Launch::flat(&MOMENTS1, slices * all.number(), params);
                (first.set("WHOLE", u8::from(inner.is_multiple_of(STRIP))), 1, 1, inner)
            }
            Layout::ChannelsLast => {
                let (c, images) = (x.shape[1], self.images(x));
                let params = params!(images, pixels: count, c, members, lanes, chunk, chunks, zero: 0u32);
                let pitch = c.next_multiple_of(4);
                let first = Launch::flat(&MOMENTS4, images * all.number() * pitch / 4, params);
                (first, c / members, pitch, count * pitch)
            }
        };
        let team = self.team(x);
        let params = params!(slices, groups, members, pitch, lanes, chunks, count, chunk, step, eps: self.eps);
        let merge = Launch::grid(&MERGE, folded(slices.div_ceil(LARGE_TEAM / team)), params);
        let merge = merge.iterations(nested(&[all.merged().div_ceil(team)]));
        let merge = merge.set("SPREAD", spread.code()).set("TEAM", team as u32);
        vec![
            first.iterations(nested(&[all.strips()])).reads([Arg::Input(0)]).writes(partials),
            merge.reads([partials[0], partials[1], Arg::Input(0)]).writes(to),
        ]
    }

    /// The launch that normalises input 0 into output 0 with the statistics in `stats`.
    pub fn apply(&self, x: &Desc, stats: [Arg; 2], spread: Spread, weight: Option<Arg>, bias: Option<Arg>) -> Launch {
        let launch = match self.layout {
            Layout::RowMajor => self.rows(x),
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

    /// The row-major launch without its bindings: four values at a time if they share statistics and have one entry of
    /// weight and bias, or consecutive ones.
    fn rows(&self, x: &Desc) -> Launch {
        let Slices { outer, slices, inner } = self.slices;
        let Normalization { entries, step, eps, .. } = *self;
        let affine = match () {
            () if inner == 0 || !inner.is_multiple_of(4) => None,
            () if entries == 1 || step.is_multiple_of(inner) => Some(Affine::Row),
            () if step.is_multiple_of(4) => Some(Affine::Block),
            () if step == 1 && entries == inner => Some(Affine::Value),
            () => None,
        };
        let Some(affine) = affine else {
            return Launch::flat(&NORMALIZE1, x.numel(), params!(n: x.numel(), slices, inner, entries, step, eps));
        };
        let (rows, tiles) = (outer * slices, (inner / 4).div_ceil(8));
        let params = params!(rows, slices, inner, entries, step, tiles, eps);
        Launch::flat(&NORMALIZE_ROWS, rows * tiles, params).set("AFFINE", affine.code())
    }

    /// A variant of these launches: x and y in this layout, everything else row-major.
    pub fn alternative(&self, site: &Site<'_>, scratch: Vec<usize>, run: Vec<Launch>) -> Variant {
        let mut variant = Variant { scratch, ..Variant::row_major(site, run) };
        (variant.inputs[0], variant.outputs[0]) = (self.layout, self.layout);
        variant
    }
}

/// The variants of normalisations that merge parts, best first; last those without workgroup memory, where others use it.
pub(super) fn merging(
    x: &Desc,
    norms: impl Iterator<Item = Normalization>,
    variant: impl Fn(&Normalization) -> Variant,
) -> Vec<Variant> {
    let (mut out, mut serials) = (vec![], vec![]);
    for norm in norms {
        out.push(variant(&norm));
        if norm.team(x) > 1 {
            let algorithm = Algorithm::Serial;
            serials.push(Variant { algorithm, ..variant(&norm.by(algorithm)) });
        }
    }
    out.extend(serials);
    out
}

/// Both layouts, the present one of input 0 first; only row-major if channels-last is not allowed.
pub(super) fn layouts(site: &Site<'_>, channels_last: bool) -> Vec<Layout> {
    match (channels_last, site.is_channels_last(0)) {
        (false, _) => vec![Layout::RowMajor],
        (true, false) => vec![Layout::RowMajor, Layout::ChannelsLast],
        (true, true) => vec![Layout::ChannelsLast, Layout::RowMajor],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::launch::Scalar;
    use crate::ops::tree::tests::constant;

    fn norm(x: &Desc, groups: usize, layout: Layout) -> Normalization {
        let (n, c, inner) = (x.shape[0], x.shape[1], x.shape[2..].iter().product::<usize>());
        let slices = Slices { outer: 1, slices: n * groups, inner: c / groups * inner };
        Normalization {
            slices,
            entries: c,
            step: inner,
            eps: 1e-5,
            layout,
            members: c / groups,
            per_image: true,
            serial: false,
        }
    }

    /// The most merges that a value goes through, counted as the kernels' loops run with the params of the launches.
    fn walked(launches: &[Launch]) -> usize {
        let [first, merge] = launches else { panic!("{launches:?}") };
        let param = |launch: &Launch, name: &str| match launch.params.fields().iter().find(|(field, _)| *field == name)
        {
            Some((_, Scalar::U32(v))) => *v as usize,
            other => panic!("{name}: {other:?}"),
        };
        let [count, lanes, chunk, chunks, members] =
            ["count", "lanes", "chunk", "chunks", "members"].map(|name| param(merge, name));
        assert_eq!([param(first, "lanes"), param(first, "chunk"), param(first, "chunks")], [lanes, chunk, chunks]);
        let strips = (0..chunk.min(count)).step_by(STRIP * lanes).count();
        let team = merge.overrides.iter().find(|(name, _)| *name == "TEAM").unwrap().1 as usize;
        let own = (0..members * chunks * lanes).step_by(team).count();
        let levels = (0..).take_while(|level| team >> level > 1).count();
        STRIP - 1 + strips + own + levels
    }

    #[test]
    fn text_and_host_have_one_tree() {
        for kernel in [&MOMENTS1, &MOMENTS4, &MERGE] {
            assert_eq!(constant(kernel, "STRIP"), STRIP, "{}", kernel.name());
        }
        assert_eq!(constant(&MERGE, "WORKGROUP"), LARGE_TEAM);
    }

    #[test]
    fn the_height_is_that_of_what_is_launched() {
        let shapes: [(usize, [usize; 4]); 7] = [
            (1, [1, 3, 64, 64]),
            (3, [2, 6, 50, 41]),
            (2, [1, 2048, 3, 5]),
            (5, [3, 5, 1, 9]),
            (1, [1, 1024, 40, 41]),
            (4, [2, 32, 500, 400]),
            (1, [1, 8, 4000, 3000]),
        ];
        for (groups, shape) in shapes {
            let x = Desc::f32(shape);
            for layout in [Layout::RowMajor, Layout::ChannelsLast] {
                let norm = norm(&x, groups, layout);
                let walked = walked(&norm.statistics(&x, Spread::Variance, [Arg::Output(0), Arg::Output(1)]));
                assert_eq!(walked, norm.height(&x), "{x} {layout:?}");
            }
        }
    }

    /// The launch, the work per invocation and the height follow from the lanes.
    #[test]
    fn other_parts_have_another_height() {
        let [few, many] = [2, 8].map(|lanes| Parts::new(100, 1, lanes));
        let height = |parts: &Parts| parts.height(team(parts.merged()));
        assert!(few.merged() < many.merged() && height(&few) != height(&many));
        assert_eq!([1, 64, 65, 512, 513].map(team), [1, 1, 8, 8, 64]);
    }
}
