//! Whether a model means the same with other extents than its file declares.
//!
//! Values in a file may fix extents where nothing shows it: `Reshape` to `[1, -1]` merges the images of a batch, `x[0]` takes
//! the first one, `ScatterND` writes into the first one. Most of this fails at the next node, some gives a wrong answer. So a
//! model with replaced descriptions ([`Model::with_input`], [`Model::open_axis`]) is lowered for the extents of the file,
//! too, and compared node by node:
//!
//! 1. Every value has as many axes as with the file's extents.
//! 2. `Reshape` and `Flatten` keep axes apart: what they merge or split with the file's extents they merge or split now, and an
//!    axis that they keep or split stays in the same place ([`keeps_apart`]).
//!
//! If a batch changes from m to n, as well:
//!
//! 3. What a node computes from a value with the batch has the batch: one axis has n/m times the extent, the others are the same.
//! 4. No node mixes elements along that axis or moves them ([`super::steps`]), or writes into some of them only, and a reshape has as
//!    many elements before that axis in its result as in its input. So images stay in order.
//! 5. An output changes along an axis that had m and now has n.
//! 6. All this holds for another size of the batch, too, which no other extent has: sizes that only happen to be equal do not
//!    fit then.
//!
//! A batch is axis 0 of an input, if the file declares it as 1 or the input has four axes or more. Along other axes a network may
//! mix and cut as it likes: there, only the first two rules hold.

use std::collections::{HashMap, HashSet};

use super::lower;
use super::steps::{Step, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::model::network::Model;
use crate::session::Given;
use crate::shape::Dim;

/// The graph of a model for these inputs, which fit their descriptions.
///
/// # Errors
/// Those of lowering; the descriptions were replaced, and with these extents the model does not mean the same as with the file's.
pub(in crate::model) fn lower(model: &Model, inputs: &[Given<'_>]) -> Result<Graph> {
    let file = as_declared(model, inputs, |_| true);
    let (graph, steps) = lower::lower(model, inputs).map_err(|e| match e.kind() {
        ErrorKind::Shape => e.followed_by(&differences(&file, inputs)),
        _ => e,
    })?;
    if same(&file, inputs) {
        return Ok(graph);
    }
    let lowered = |inputs: &[Given<'_>]| {
        let text = "with the extents that the file declares";
        lower::lower(model, inputs).map(|(_, steps)| steps).map_err(|e| e.within(text))
    };
    let one = as_declared(model, inputs, |batch| batch);
    let before = lowered(&one)?;
    if !same(&file, &one) {
        keep_axes(&lowered(&file)?, &before)?;
    }
    if same(&one, inputs) {
        return Ok(graph);
    }
    keep_axes(&before, &steps)?;
    keep_batch(model, &before, &steps, &factors(&one, inputs))?;
    by_no_chance(model, &one, inputs, &before)?;
    Ok(graph)
}

/// What is given other than the file declares, for the end of an error.
fn differences(file: &[Given<'_>], inputs: &[Given<'_>]) -> String {
    let pairs = file.iter().zip(inputs).filter(|(file, given)| file.desc != given.desc);
    pairs.map(|(file, given)| format!("; {:?} is {}, in the file {}", given.name, given.desc, file.desc)).collect()
}

fn same(a: &[Given<'_>], b: &[Given<'_>]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.desc == b.desc)
}

/// Whether an axis of an input is that of a batch.
pub(in crate::model) fn is_batch(dims: &[Dim], axis: usize) -> bool {
    axis == 0 && (dims.first() == Some(&Dim::Fixed(1)) || dims.len() >= 4)
}

/// The inputs with the extents of the file where it fixes them: those of batches, and if `wanted` is true of them the others.
fn as_declared<'a>(model: &Model, inputs: &[Given<'a>], wanted: impl Fn(bool) -> bool) -> Vec<Given<'a>> {
    let mut out = inputs.to_vec();
    for given in &mut out {
        let declared = model.declared.inputs.iter().find(|v| v.name == given.name);
        let Some(dims) = declared.and_then(|v| v.dims.as_ref()) else { continue };
        for (axis, (extent, dim)) in given.desc.shape.iter_mut().zip(dims).enumerate() {
            if wanted(is_batch(dims, axis)) {
                *extent = dim.fixed().unwrap_or(*extent);
            }
        }
    }
    out
}

/// How the batches change: from and to.
fn factors(before: &[Given<'_>], after: &[Given<'_>]) -> HashSet<(usize, usize)> {
    let pairs = before.iter().zip(after).filter_map(|(a, b)| Some((*a.desc.shape.first()?, *b.desc.shape.first()?)));
    pairs.filter(|(a, b)| a != b).collect()
}

/// Steps before and after a change, in pairs. A branch of an If that only one of them takes has none.
fn pairs<'s>(before: &'s [Step], after: &'s [Step]) -> impl Iterator<Item = (&'s Step, &'s Step)> {
    let known: HashMap<(&str, &str), &Step> = before.iter().map(|s| (key(s), s)).collect();
    after.iter().filter_map(move |s| Some((*known.get(&key(s))?, s)))
}

fn key(step: &Step) -> (&str, &str) {
    (&step.node, step.outputs.first().map_or("", |v| &v.name))
}

/// Rules 1 and 2.
fn keep_axes(before: &[Step], after: &[Step]) -> Result<()> {
    for (old, new) in pairs(before, after) {
        for (a, b) in old.outputs.iter().zip(&new.outputs) {
            if a.desc.rank() != b.desc.rank() {
                return Err(changed(new, old, &format!("{} changes its number of axes", b.name)));
            }
        }
        let shapes = |s: &'_ Step| Some((s.inputs.first()?.desc.shape.clone(), s.outputs.first()?.desc.shape.clone()));
        if reshapes(new)
            && let (Some(a), Some(b)) = (shapes(old), shapes(new))
            && !keeps_apart([&a.0, &a.1], [&b.0, &b.1])
        {
            return Err(changed(new, old, "values of the file make it merge or split other axes"));
        }
    }
    Ok(())
}

/// The error of a node that does not do what it does with the extents of the file.
fn changed(new: &Step, old: &Step, what: &str) -> Error {
    let list = |values: &[Value]| values.iter().map(|v| v.desc.to_string()).collect::<Vec<_>>().join(", ");
    let form = |s: &Step| format!("{}({}) -> {}", s.op, list(&s.inputs), list(&s.outputs));
    let text = format!("{what}: {}, and with the extents that the file declares {}", form(new), form(old));
    Error::shape(text).at(new.node.clone())
}

/// Whether a reshape treats new extents as old ones; each is a shape before and after it.
///
/// An axis that had counterparts, which are axes of the result in a row with as many elements after as many elements, still has
/// them. And wherever the axes before some point had as many elements as those of the result before some point, they still have.
fn keeps_apart([from, to]: [&[usize]; 2], [new_from, new_to]: [&[usize]; 2]) -> bool {
    if from.len() != new_from.len() || to.len() != new_to.len() {
        return false;
    }
    let (sums, to_sums) = (products(from), products(to));
    let (new_sums, new_to_sums) = (products(new_from), products(new_to));
    let stays = |a: usize| {
        let starts = (0..to.len()).filter(|&i| to_sums[i] == sums[a]);
        let rows = starts.flat_map(|i| (i + 1..=to.len()).map(move |j| (i, j)));
        let mut twins = rows.filter(|&(_, j)| to_sums[j] == sums[a + 1]).peekable();
        twins.peek().is_none() || twins.any(|(i, j)| new_to[i..j].iter().product::<usize>() == new_from[a])
    };
    let meets = |i: usize| {
        let mut points = (0..=to.len()).filter(|&j| to_sums[j] == sums[i]).peekable();
        let others = (0..=from.len()).filter(|&k| sums[k] == sums[i]);
        let now: HashSet<usize> = others.map(|k| new_sums[k]).collect();
        points.peek().is_none() || points.any(|j| now.contains(&new_to_sums[j]))
    };
    (0..from.len()).all(|a| from[a] == new_from[a] || stays(a)) && (0..=from.len()).all(meets)
}

/// The product of the extents before each axis, and of all.
fn products(shape: &[usize]) -> Vec<usize> {
    let mut out = vec![1usize];
    out.extend(shape.iter().scan(1usize, |product, &n| {
        *product = product.saturating_mul(n);
        Some(*product)
    }));
    out
}

/// The axis along which a value has the batch: the one whose extent changed by one of these factors.
enum Batch {
    None,
    Along(usize),
    Unclear,
}

fn batch(old: &Value, new: &Value, factors: &HashSet<(usize, usize)>) -> Batch {
    let (a, b) = (&old.desc.shape, &new.desc.shape);
    let differing: Vec<usize> = (0..a.len().min(b.len())).filter(|&k| a[k] != b[k]).collect();
    match differing[..] {
        [] => Batch::None,
        [k] if factors.iter().any(|(m, n)| a[k].checked_mul(*n) == b[k].checked_mul(*m)) => Batch::Along(k),
        _ => Batch::Unclear,
    }
}

/// Rules 3 to 5.
fn keep_batch(model: &Model, before: &[Step], after: &[Step], factors: &HashSet<(usize, usize)>) -> Result<()> {
    for (old, new) in pairs(before, after) {
        let read: Vec<Batch> = old.inputs.iter().zip(&new.inputs).map(|(a, b)| batch(a, b, factors)).collect();
        let mut computed = old.outputs.iter().zip(&new.outputs).filter(|(_, b)| b.computed);
        let lost = computed.find_map(|(a, b)| {
            let made = batch(a, b, factors);
            lost(old, new, &read, a, &made).or_else(|| merged(model, a, b, &made, factors))
        });
        if let Some(what) = lost.or_else(|| mixes(old, new, &read)) {
            return Err(changed(new, old, &what));
        }
    }
    Ok(())
}

/// What is wrong if a result of a node that reads the batch does not have it, or has it in another order.
fn lost(old: &Step, new: &Step, read: &[Batch], result: &Value, made: &Batch) -> Option<String> {
    let reads = || read.iter().zip(&new.inputs).any(|(b, v)| v.computed && matches!(b, Batch::Along(_)));
    let ordered = |k: usize| match (read.first(), old.inputs.first()) {
        (Some(Batch::Along(from)), Some(x)) => before_axis(x, *from) == before_axis(result, k),
        _ => false,
    };
    match *made {
        Batch::Unclear => Some("the batch is not along one axis of the result".to_owned()),
        Batch::None if reads() => Some("the result has no axis for the batch".to_owned()),
        Batch::Along(k) if reshapes(new) && !ordered(k) => {
            Some("the images of the batch are not in order in the result".to_owned())
        }
        _ => None,
    }
}

fn reshapes(step: &Step) -> bool {
    ["Reshape", "Flatten"].contains(&step.op.as_str())
}

/// The number of elements before axis `k` of a value, which is the number of places where a batch along it begins.
fn before_axis(value: &Value, k: usize) -> Option<usize> {
    products(&value.desc.shape).get(k).copied()
}

/// What is wrong with an output of the network that has the batch merged with other elements.
fn merged(model: &Model, a: &Value, b: &Value, made: &Batch, factors: &HashSet<(usize, usize)>) -> Option<String> {
    let Batch::Along(k) = *made else { return None };
    let is_output = model.outputs.iter().any(|v| v.name == b.name);
    let apart = factors.contains(&(a.desc.shape[k], b.desc.shape[k]));
    (is_output && !apart).then(|| format!("the output {} has the batch merged with other elements in axis {k}", b.name))
}

/// What is wrong if a node mixes, moves or overwrites images of the batch that it reads.
fn mixes(old: &Step, new: &Step, read: &[Batch]) -> Option<String> {
    let Some(Batch::Along(k)) = read.first() else { return None };
    if old.mixed.contains(k) || new.mixed.contains(k) {
        return Some(format!("the node mixes or moves the batch, which is axis {k} of its input"));
    }
    writes_into_part(new, read, *k).then(|| format!("the node writes into a part of the batch, axis {k} of its input"))
}

/// Whether a node writes where indices say that do not have the batch, which is axis `k` of what it writes into.
fn writes_into_part(step: &Step, read: &[Batch], k: usize) -> bool {
    let indices = || step.inputs.get(1).map_or(&[][..], |v| &v.desc.shape);
    let have_batch = matches!(read.get(1), Some(Batch::Along(_)));
    match step.op.as_str() {
        "ScatterND" => !have_batch && indices().last().is_some_and(|&depth| k < depth),
        "Scatter" | "ScatterElements" => !matches!(read.get(1), Some(Batch::Along(axis)) if *axis == k),
        _ => false,
    }
}

/// Rule 6: the same with another size, the least prime that is no extent of any value.
fn by_no_chance(model: &Model, before: &[Given<'_>], after: &[Given<'_>], old: &[Step]) -> Result<()> {
    let values = || old.iter().flat_map(|s| s.inputs.iter().chain(&s.outputs));
    let mut taken: HashSet<usize> = values().flat_map(|v| v.desc.shape.iter().copied()).collect();
    let mut sizes: HashMap<(usize, usize), usize> = HashMap::new();
    let mut other = after.to_vec();
    for (given, old) in other.iter_mut().zip(before).filter(|(a, b)| a.desc != b.desc) {
        let change = (old.desc.shape[0], given.desc.shape[0]);
        let size = *sizes.entry(change).or_insert_with(|| {
            let free = |n: &usize| is_prime(*n) && !taken.contains(n) && !taken.contains(&(n * change.0));
            let prime = (3..).find(free).expect("there is no end of primes");
            taken.insert(prime);
            change.0 * prime
        });
        given.desc.shape[0] = size;
    }
    let sizes = factors(before, &other);
    let check = || {
        let (_, steps) = lower::lower(model, &other)?;
        keep_axes(old, &steps)?;
        keep_batch(model, old, &steps, &sizes)
    };
    match check() {
        // A batch that is too large to be planned proves nothing either way.
        Err(e) if e.kind() == ErrorKind::Shape => {
            Err(e.within("the sizes of the batch and of another axis are equal by chance"))
        }
        _ => Ok(()),
    }
}

fn is_prime(n: usize) -> bool {
    n > 1 && (2..n).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reshape_keeps_axes_apart_or_not() {
        let keeps = |a: [&[usize]; 2], b: [&[usize]; 2]| keeps_apart(a, b);
        // Classifiers: [n, c h w], and [1, -1], which would merge the batch.
        assert!(keeps([&[1, 512, 1, 1], &[1, 512]], [&[4, 512, 1, 1], &[4, 512]]));
        assert!(!keeps([&[1, 512, 1, 1], &[1, 512]], [&[4, 512, 1, 1], &[1, 2048]]));
        assert!(!keeps([&[1, 49, 8], &[1, 49, 8]], [&[4, 49, 8], &[1, 196, 8]]));
        // Rows of a linear layer; batch and heads as one axis, and back.
        assert!(keeps([&[1, 49, 8], &[49, 8]], [&[4, 49, 8], &[196, 8]]));
        assert!(keeps([&[1, 8, 49, 3], &[8, 49, 3]], [&[4, 8, 49, 3], &[32, 49, 3]]));
        assert!(keeps([&[8, 49, 3], &[1, 8, 49, 3]], [&[32, 49, 3], &[4, 8, 49, 3]]));
        assert!(keeps([&[8, 49, 3], &[1, 8, 49, 3]], [&[32, 49, 3], &[1, 32, 49, 3]]));
        // Axes of 1 beside the batch.
        assert!(keeps([&[1, 1, 1, 10], &[1, 10]], [&[1, 5, 1, 10], &[5, 10]]));
        assert!(keeps([&[1, 1, 28, 28], &[1, 784]], [&[4, 1, 28, 28], &[4, 784]]));
        assert!(!keeps([&[1, 1, 28, 28], &[1, 784]], [&[4, 1, 28, 28], &[1, 3136]]));
        // Images of another size: pixels in a row are, pixels among the channels are not the same.
        assert!(keeps([&[1, 8, 7, 7], &[1, 8, 49]], [&[1, 8, 14, 7], &[1, 8, 98]]));
        assert!(!keeps([&[1, 8, 7, 7], &[1, 8, 49]], [&[1, 8, 14, 7], &[1, 16, 49]]));
        assert!(keeps([&[1, 8, 5, 1], &[1, 8, 5]], [&[1, 8, 5, 2], &[1, 8, 10]]));
        assert!(!keeps([&[1, 8], &[8]], [&[1, 8], &[8, 1]]));
    }

    #[test]
    fn primes() {
        assert_eq!((0..20).filter(|&n| is_prime(n)).collect::<Vec<_>>(), [2, 3, 5, 7, 11, 13, 17, 19]);
    }
}
