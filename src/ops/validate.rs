//! Validates what a program's own operator declares, before it is used: every mistake is an error.
//!
//! For operators of this crate tests check the same; they are not validated at run time.

use super::{Op, Site, Variant};
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::launch::{Arg, Launch};
use crate::shape::{Desc, Layout};
use crate::tensor::Tensor;

/// The storage buffers per shader that WebGPU guarantees.
const MOST_BINDINGS: usize = 8;

fn wrong(op: &dyn Op, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Argument, format!("the operator {} is wrong: {what}", op.name()))
}

/// Refuses results of the reference that do not match the shape rule.
pub(super) fn reference(op: &dyn Op, outputs: &[Tensor], expected: &[Desc]) -> Result<()> {
    if outputs.iter().map(Tensor::desc).eq(expected.iter().cloned()) {
        return Ok(());
    }
    let list = |descs: &mut dyn Iterator<Item = Desc>| descs.map(|d| d.to_string()).collect::<Vec<_>>().join(", ");
    let (given, wanted) = (list(&mut outputs.iter().map(Tensor::desc)), list(&mut expected.iter().cloned()));
    Err(wrong(op, format!("its reference gives [{given}], its shape rule says [{wanted}]")))
}

/// Refuses bounds whose number differs from that of the elements.
pub(super) fn bounds(op: &dyn Op, bounds: &[Vec<f32>], outputs: &[Tensor]) -> Result<()> {
    let (given, wanted): (Vec<_>, Vec<_>) =
        (bounds.iter().map(Vec::len).collect(), outputs.iter().map(Tensor::numel).collect());
    if given == wanted {
        return match bounds.iter().flatten().find(|b| b.is_nan() || **b < 0.0) {
            Some(b) => Err(wrong(op, format!("it gives the bound {b}: bounds are 0 or more"))),
            None => Ok(()),
        };
    }
    Err(wrong(op, format!("it gives bounds for {given:?} elements, but its outputs have {wanted:?}")))
}

/// Refuses variants that do not fit the node.
pub(super) fn variants(op: &dyn Op, site: &Site<'_>, variants: &[Variant]) -> Result<()> {
    variants.iter().try_for_each(|v| variant(op, site, v))
}

fn variant(op: &dyn Op, site: &Site<'_>, v: &Variant) -> Result<()> {
    layouts(op, "inputs", &v.inputs, site.inputs)?;
    layouts(op, "outputs", &v.outputs, site.outputs)?;
    let most = site.caps.max_binding_bytes;
    if let Some(bytes) = v.scratch.iter().chain(&v.prepared).find(|&&bytes| bytes as u64 > most) {
        return Err(wrong(op, format!("a temporary takes {bytes} bytes, the device binds at most {most}")));
    }
    for launch in v.prepare.iter().chain(&v.run) {
        bindings(op, site, v, launch)?;
    }
    // What `prepare` reads may be constant; then it runs once, before any temporary is there.
    for launch in &v.prepare {
        let kept = |arg: &&Arg| !matches!(arg, Arg::Scratch(_) | Arg::Output(_));
        if let Some(arg) = launch.reads.iter().chain(&launch.writes).find(|arg| !kept(arg)) {
            let text = format!("kernel {} of `prepare` binds {arg:?}", launch.kernel.name);
            return Err(wrong(
                op,
                format!("{text}: it reads inputs, tables and prepared buffers, and writes prepared buffers"),
            ));
        }
    }
    if let Some((launch, arg)) =
        v.run.iter().find_map(|l| Some((l, l.writes.iter().find(|a| matches!(a, Arg::Prepared(_)))?)))
    {
        return Err(wrong(op, format!("kernel {} of `run` writes {arg:?}: only `prepare` does", launch.kernel.name)));
    }
    let writes = |arg: Arg, launches: &[Launch]| launches.iter().any(|l| l.writes.contains(&arg));
    if let Some(k) = (0..v.outputs.len()).find(|&k| !writes(Arg::Output(k), &v.run)) {
        return Err(wrong(op, format!("no launch writes output {k}")));
    }
    if let Some(k) = (0..v.prepared.len()).find(|&k| !writes(Arg::Prepared(k), &v.prepare)) {
        return Err(wrong(op, format!("no launch of `prepare` writes prepared buffer {k}")));
    }
    Ok(())
}

fn layouts(op: &dyn Op, which: &str, layouts: &[Layout], descs: &[Desc]) -> Result<()> {
    if layouts.len() != descs.len() {
        return Err(wrong(
            op,
            format!("a variant has layouts for {} {which}, there are {}", layouts.len(), descs.len()),
        ));
    }
    let flat = |(layout, desc): (&Layout, &Desc)| *layout == Layout::ChannelsLast && desc.rank() < 2;
    match layouts.iter().zip(descs).position(flat) {
        Some(k) => Err(wrong(op, format!("{which} {k}, {}, is channels-last but has no channel axis", descs[k]))),
        None => Ok(()),
    }
}

fn bindings(op: &dyn Op, site: &Site<'_>, v: &Variant, launch: &Launch) -> Result<()> {
    let kernel = launch.kernel.name;
    let exists = |arg: &Arg| match *arg {
        Arg::Input(k) => k < site.inputs.len(),
        Arg::Output(k) => k < site.outputs.len(),
        Arg::Scratch(k) => k < v.scratch.len(),
        Arg::Prepared(k) => k < v.prepared.len(),
        Arg::Table(k) => k < launch.tables.len(),
    };
    if let Some(arg) = launch.reads.iter().chain(&launch.writes).find(|arg| !exists(arg)) {
        return Err(wrong(op, format!("kernel {kernel} binds {arg:?}, which is not there")));
    }
    if let Some(arg) = launch.writes.iter().find(|arg| matches!(arg, Arg::Input(_) | Arg::Table(_))) {
        return Err(wrong(op, format!("kernel {kernel} writes {arg:?}: inputs and tables are read-only")));
    }
    if let Some(arg) = launch.reads.iter().find(|arg| launch.writes.contains(arg)) {
        return Err(wrong(op, format!("kernel {kernel} reads and writes {arg:?} in one launch")));
    }
    if let Some(k) = (1..launch.writes.len()).find(|&k| launch.writes[..k].contains(&launch.writes[k])) {
        return Err(wrong(op, format!("kernel {kernel} writes {:?} through two bindings", launch.writes[k])));
    }
    if launch.workgroups.contains(&0) && site.outputs.iter().all(|d| !d.is_empty()) {
        return Err(wrong(op, format!("kernel {kernel} has the grid {:?}: it runs nothing", launch.workgroups)));
    }
    let count = launch.reads.len() + launch.writes.len();
    if count > MOST_BINDINGS {
        return Err(wrong(op, format!("kernel {kernel} binds {count} buffers, WebGPU guarantees {MOST_BINDINGS}")));
    }
    // Browsers compare the text with the bindings themselves.
    #[cfg(not(target_arch = "wasm32"))]
    {
        let bytes = |arg: &Arg| match *arg {
            Arg::Input(k) => site.inputs[k].bytes_in(v.inputs[k], v.precision),
            Arg::Output(k) => site.outputs[k].bytes_in(v.outputs[k], v.precision),
            Arg::Scratch(k) => v.scratch[k].next_multiple_of(16).max(16),
            Arg::Prepared(k) => v.prepared[k].next_multiple_of(16).max(64),
            Arg::Table(k) => launch.tables[k].len() * 4,
        };
        let dtype = |arg: &Arg| match *arg {
            Arg::Input(k) => Some(site.inputs[k].dtype),
            Arg::Output(k) => Some(site.outputs[k].dtype),
            _ => None,
        };
        let bound: Vec<(usize, Option<crate::shape::DType>)> =
            launch.reads.iter().chain(&launch.writes).map(|arg| (bytes(arg), dtype(arg))).collect();
        crate::gpu::interface::check(launch, &bound).map_err(|e| wrong(op, format!("kernel {kernel}: {e}")))?;
    }
    Ok(())
}
