//! Iteration over strided tensors, shared by the broadcasting and copying operators. Not an operator itself.

use super::{Site, Variant};
use crate::error::{Error, Result};
use crate::gpu::kernel::{Kernel, kernel};
use crate::gpu::launch::{Launch, Params, folded, params};
use crate::gpu::pieces::{FLAT, STRIDED, TEAM};
use crate::shape::{broadcast_strides, merge_axes};

static COPY: Kernel = kernel!("strided_copy", STRIDED, FLAT);
static TRANSPOSE: Kernel = kernel!("transpose", TEAM);

pub(super) const KERNELS: &[&Kernel] = &[&COPY, &TRANSPOSE];

/// The fields of the extents and of the strides of three tensors, outermost first.
const DIMS: [&str; 8] = ["d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"];
const STRIDES: [[&str; 8]; 3] = [
    ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"],
    ["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"],
    ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"],
];

/// Side of a tile of `shaders/transpose.wgsl`.
const TILE: usize = 32;

/// An index space, and for several tensors the strides, in elements, along its axes.
#[derive(Debug, PartialEq)]
pub(super) struct Walk {
    pub dims: Vec<usize>,
    /// For every tensor one stride per axis: 0 where it is broadcast, negative where it runs backwards.
    pub strides: Vec<Vec<isize>>,
}

impl Walk {
    /// The same walk with the fewest axes: those of extent 1 dropped, adjacent axes merged where every tensor allows.
    pub fn new(dims: &[usize], strides: &[Vec<isize>]) -> Walk {
        let (dims, strides) = merge_axes(dims, strides);
        Walk { dims, strides }
    }

    /// A walk over the broadcast shape `to` of tensors of these shapes.
    pub fn broadcast(to: &[usize], shapes: &[&[usize]]) -> Walk {
        let signed = |s: &&[usize]| broadcast_strides(s, to).into_iter().map(|v| v as isize).collect();
        Walk::new(to, &shapes.iter().map(signed).collect::<Vec<_>>())
    }

    /// The number of axes for a kernel, at least 1.
    pub fn rank(&self) -> usize {
        self.dims.len().max(1)
    }

    /// The params of `shaders/shared/strided.wgsl` for `count` outputs.
    ///
    /// # Errors
    /// There are more than 8 axes.
    pub fn params(&self, count: usize, offset: i32) -> Result<Params> {
        self.fields(params!(count, offset), DIMS, &STRIDES)
    }

    /// Appends the extents and, tensor by tensor, the strides as fields with the given names, outermost first; missing
    /// axes have extent 1 and come first, missing tensors have strides of 0.
    ///
    /// # Errors
    /// There are more axes than names.
    pub fn fields<const R: usize>(
        &self,
        mut params: Params,
        dims: [&'static str; R],
        strides: &[[&'static str; R]],
    ) -> Result<Params> {
        let Some(lead) = R.checked_sub(self.dims.len()) else {
            return Err(Error::unsupported(format!(
                "strided access over {} axes (at most {R} are supported)",
                self.dims.len()
            )));
        };
        for (k, name) in dims.into_iter().enumerate() {
            params = params.with(name, if k < lead { 1 } else { self.dims[k - lead] });
        }
        for (tensor, names) in strides.iter().enumerate() {
            let own = self.strides.get(tensor);
            for (k, name) in names.iter().enumerate() {
                params = params.with(name, own.filter(|_| k >= lead).map_or(0, |own| own[k - lead] as i32));
            }
        }
        Ok(params)
    }

    /// `[batch, rows, columns]` if the walk is a batch of matrix transpositions: columns are `rows` apart.
    fn as_transpose(&self) -> Option<[usize; 3]> {
        let (batch, dims, s) = match (&self.dims[..], &self.strides[0][..]) {
            ([r, c], s) => (1, [*r, *c], s),
            ([b, r, c], [sb, s @ ..]) if *sb == (r * c) as isize => (*b, [*r, *c], s),
            _ => return None,
        };
        let [rows, columns] = dims;
        (s == [1, rows as isize]).then_some([batch, rows, columns])
    }
}

/// The row-major copy of a strided view of the input: output index k comes from element `offset + sum k_j strides_j`.
///
/// # Errors
/// More than 8 axes remain after merging.
pub(super) fn copy(site: &Site<'_>, dims: &[usize], strides: Vec<isize>, offset: usize) -> Result<Vec<Variant>> {
    // Without elements, the extents and strides may have any value.
    let (dims, strides, offset) = if dims.contains(&0) { (&[0][..], vec![0], 0) } else { (dims, strides, offset) };
    let walk = Walk::new(dims, &[strides]);
    let count: usize = dims.iter().product();
    let launch = Launch::flat(&COPY, count, walk.params(count, offset as i32)?).set("RANK", walk.rank() as u32);
    let mut launches = vec![launch];
    if let (Some([batch, rows, columns]), 0) = (walk.as_transpose(), offset) {
        let groups = columns.div_ceil(TILE) * rows.div_ceil(TILE) * batch;
        let launch = Launch::grid(&TRANSPOSE, folded(groups), params!(n: batch, rows, columns));
        if launch.check().is_ok() && count > 0 {
            // Of a tile over a thin matrix most invocations have nothing to do. On hardware half of them are enough, since both sides
            // coalesce.
            let thin = if site.caps.software { TILE } else { TILE / 2 };
            let rank = usize::from(rows.min(columns) < thin);
            launches.insert(rank, launch);
        }
    }
    Ok(launches.into_iter().map(|launch| Variant::single(site, launch)).collect())
}
