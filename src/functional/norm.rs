//! Normalisation.

use super::{run_graph, run_named};
use crate::device::DeviceTensor;
use crate::error::Result;
use crate::graph::ValueId;

/// An optional scale and shift.
type Affine<'a> = Option<[&'a DeviceTensor; 2]>;

fn inputs<'a>(x: &'a DeviceTensor, more: &[Affine<'a>]) -> Vec<&'a DeviceTensor> {
    std::iter::once(x).chain(more.iter().flatten().flatten().copied()).collect()
}

fn pair(ids: &[ValueId], at: usize, present: bool) -> Option<[ValueId; 2]> {
    present.then(|| [ids[at], ids[at + 1]])
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html> with `training=False`:
/// `[n, c, ..]` by the running `[mean, variance]`; `affine` is `[weight, bias]`.
///
/// # Errors
/// The shapes do not fit each other.
pub fn batch_norm<'a>(
    x: &'a DeviceTensor,
    running: [&'a DeviceTensor; 2],
    affine: Affine<'a>,
    eps: f32,
) -> Result<DeviceTensor> {
    let name = format!("batch_norm{eps}{}", affine.is_some());
    run_named(&name, &inputs(x, &[Some(running), affine]), |g, ids| {
        g.batch_norm(ids[0], pair(ids, 3, affine.is_some()), [ids[1], ids[2]], eps)
    })
}

/// The same with `training=True`: normalised by the batch; and the new running mean and variance, if there are old ones.
///
/// # Errors
/// The shapes do not fit each other, or there is one value a channel.
pub fn batch_norm_training<'a>(
    x: &'a DeviceTensor,
    running: Affine<'a>,
    affine: Affine<'a>,
    eps: f32,
    momentum: f32,
) -> Result<(DeviceTensor, Option<[DeviceTensor; 2]>)> {
    let (tracks, scales) = (running.is_some(), affine.is_some());
    let name = format!("batch_norm_training{eps}|{momentum}{tracks}{scales}");
    let mut out = run_graph(&name, &inputs(x, &[running, affine]), |g, ids| {
        let affine = pair(ids, 1 + 2 * usize::from(tracks), scales);
        Ok(g.batch_norm_training(ids[0], affine, pair(ids, 1, tracks), eps, momentum)?.to_vec())
    })?;
    let (var, mean) = (out.remove(2), out.remove(1));
    Ok((out.remove(0), tracks.then_some([mean, var])))
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html>
///
/// # Errors
/// The input's last axes do not have this shape.
pub fn layer_norm<'a>(
    x: &'a DeviceTensor,
    normalized_shape: &[usize],
    affine: Affine<'a>,
    eps: f32,
) -> Result<DeviceTensor> {
    run_named(&format!("layer_norm{normalized_shape:?}{eps}"), &inputs(x, &[affine]), |g, ids| {
        g.layer_norm(ids[0], normalized_shape, pair(ids, 1, affine.is_some()), eps)
    })
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.group_norm.html>
///
/// # Errors
/// The channels do not split into the groups.
pub fn group_norm<'a>(x: &'a DeviceTensor, num_groups: usize, affine: Affine<'a>, eps: f32) -> Result<DeviceTensor> {
    run_named(&format!("group_norm{num_groups}|{eps}"), &inputs(x, &[affine]), |g, ids| {
        g.group_norm(ids[0], num_groups, pair(ids, 1, affine.is_some()), eps)
    })
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.instance_norm.html>
///
/// # Errors
/// The input has no channel axis.
pub fn instance_norm<'a>(x: &'a DeviceTensor, affine: Affine<'a>, eps: f32) -> Result<DeviceTensor> {
    run_named(&format!("instance_norm{eps}"), &inputs(x, &[affine]), |g, ids| {
        g.instance_norm(ids[0], pair(ids, 1, affine.is_some()), eps)
    })
}
