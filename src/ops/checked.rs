//! What an operator gives, as the rest of the crate asks for it: what a program's own operator declares is validated, and
//! what neither the device nor the host can do is an error.

use super::epilogue::Epilogue;
use super::op::{Bounds, Op};
use super::site::Site;
use super::validate;
use super::variant::{Algorithm, Variant};
use crate::error::{Error, Result};
use crate::gpu::caps::Caps;
use crate::gpu::launch::Launch;
use crate::gpu::refused::Form;
use crate::memory;
use crate::shape::{Desc, Layout, Precision};
use crate::tensor::Tensor;

/// The variants of an operator: those of [`Op::launches`] whose loops are not too long for the device, which use no workgroup
/// memory if it has none, and have no kernel that its driver failed to compile; with f16, each after its form in f16.
///
/// # Errors
/// Those of [`Op::launches`]; no variant is left.
pub(crate) fn alternatives(op: &dyn Op, site: &Site<'_>) -> Result<Vec<Variant>> {
    let variants = op.launches(site)?;
    if !op.is_built_in() {
        validate::variants(op, site, &variants)?;
    }
    let variants = short_enough(op, site, without_workgroup_memory(op, site, variants)?)?;
    let variants = match site.precision {
        Precision::F32 => variants,
        Precision::F16 => {
            variants.into_iter().flat_map(|variant| variant.in_half(site).into_iter().chain([variant])).collect()
        }
    };
    not_refused(op, site, variants)
}

/// The variants without a kernel that the driver failed to compile.
fn not_refused(op: &dyn Op, site: &Site<'_>, variants: Vec<Variant>) -> Result<Vec<Variant>> {
    let refused = |v: &Variant| v.launches().map(Form::of_launch).find(|form| site.caps.refused.has(form));
    let mut of: Vec<String> = vec![];
    let mut kept = vec![];
    for variant in variants {
        match refused(&variant).map(|form| form.to_string()) {
            None => kept.push(variant),
            Some(form) if of.contains(&form) => {}
            Some(form) => of.push(form),
        }
    }
    match kept.is_empty() && !of.is_empty() {
        true => {
            let text =
                format!("{}: the device's driver failed to compile every kernel for it: {}", op.name(), of.join(", "));
            Err(Error::unsupported(text))
        }
        false => Ok(kept),
    }
}

/// The variants without workgroup memory, where the device is said to have none.
fn without_workgroup_memory(op: &dyn Op, site: &Site<'_>, variants: Vec<Variant>) -> Result<Vec<Variant>> {
    if site.caps.max_workgroup_bytes > 0 {
        return Ok(variants);
    }
    let kernels = variants.iter().map(Variant::kernels).collect::<Vec<_>>().join(", ");
    let kept: Vec<_> = variants.into_iter().filter(|variant| !variant.has_workgroup_memory()).collect();
    match kept.is_empty() {
        true => Err(Error::unsupported(format!("{} has no kernel without workgroup memory ({kernels})", op.name()))),
        false => Ok(kept),
    }
}

/// The variants whose loops do not take more iterations than the device allows.
fn short_enough(op: &dyn Op, site: &Site<'_>, variants: Vec<Variant>) -> Result<Vec<Variant>> {
    let iterations = |variant: &Variant| variant.longest().map_or(0, Launch::all_iterations);
    let (kept, left_out): (Vec<_>, Vec<_>) =
        variants.into_iter().partition(|variant| site.caps.has_iterations(iterations(variant)));
    match left_out.iter().min_by_key(|variant| iterations(variant)).and_then(Variant::longest) {
        Some(launch) if kept.is_empty() => {
            let inputs: Vec<_> = site.inputs.iter().map(Desc::to_string).collect();
            Err(Error::unsupported(format!(
                "{} of {}: the loops of kernel {} may take {} iterations, the device stops them after {}",
                op.name(),
                inputs.join(", "),
                launch.kernel.name,
                launch.all_iterations(),
                site.caps.max_iterations.unwrap_or_default()
            )))
        }
        _ => Ok(kept),
    }
}

/// The outputs of an operator on the reference. If every output is empty nothing is computed, because the loops of a
/// reference may be long even then.
pub fn evaluate(op: &dyn Op, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let descs: Vec<Desc> = inputs.iter().map(Tensor::desc).collect();
    let outputs = op.outputs(&descs)?;
    match outputs.iter().all(Desc::is_empty) {
        true => Ok(outputs.iter().map(Tensor::empty).collect()),
        false => {
            afford(op, &descs, &outputs)?;
            let computed = op.reference(inputs)?;
            if !op.is_built_in() {
                validate::reference(op, &computed, &outputs)?;
            }
            Ok(computed)
        }
    }
}

/// The bounds of the outputs of [`evaluate`], for an algorithm. Operators of this crate know theirs.
pub fn bounds(op: &dyn Op, algorithm: Algorithm, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
    match outputs.iter().all(|t| t.numel() == 0) {
        true => Ok(Some(vec![vec![]; outputs.len()])),
        false => {
            let descs = |tensors: &[Tensor]| tensors.iter().map(Tensor::desc).collect::<Vec<_>>();
            afford(op, &descs(inputs), &descs(outputs))?;
            let bounds = op.bounds_by(algorithm, inputs, outputs)?;
            if let Some(bounds) = &bounds
                && !op.is_built_in()
            {
                validate::bounds(op, bounds, outputs)?;
            }
            Ok(bounds)
        }
    }
}

/// The most inputs and outputs that an error lists.
const SHOWN: usize = 4;

/// An error unless the host can hold the outputs, and the sums in f64 of an operator that does not only move elements.
fn afford(op: &dyn Op, inputs: &[Desc], outputs: &[Desc]) -> Result<()> {
    let sums = if op.flops(inputs, outputs) > 0 { size_of::<f64>() } else { 0 };
    let bytes = outputs.iter().map(|d| d.numel().saturating_mul(d.dtype.width() + sums) as u64);
    memory::afford(bytes.fold(0, u64::saturating_add), || {
        let list = |descs: &[Desc]| {
            let more = if descs.len() > SHOWN { ", .." } else { "" };
            descs.iter().take(SHOWN).map(Desc::to_string).collect::<Vec<_>>().join(", ") + more
        };
        format!("{}({}) -> {}", op.name(), list(inputs), list(outputs))
    })
}

/// The only launch of an operator with one input, and its output.
pub(crate) fn only_launch(op: &dyn Op, input: Desc, caps: &Caps) -> Result<(Launch, Desc)> {
    let inputs = [input];
    let outputs = op.outputs(&inputs)?;
    let site = Site {
        inputs: &inputs,
        outputs: &outputs,
        layouts: &[Layout::RowMajor],
        constant: &[false],
        caps,
        epilogue: &Epilogue::NONE,
        precision: Precision::F32,
    };
    let launch = alternatives(op, &site)?.remove(0).run.remove(0);
    Ok((launch, outputs[0].clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::ops::conv2d::Conv2d;
    use crate::ops::matmul::MatMul;
    use crate::ops::softmax::Softmax;
    use crate::ops::top_k::TopK;

    /// The kernels of the variants on a device with this limit of iterations, at this precision.
    fn kernels(op: &dyn Op, shapes: &[&[usize]], limit: Option<u64>, precision: Precision) -> Result<Vec<String>> {
        let inputs: Vec<_> = shapes.iter().map(|s| Desc::f32(s.to_vec())).collect();
        let caps = Caps { max_iterations: limit, ..Caps::webgpu_default() };
        let site = Site {
            inputs: &inputs,
            outputs: &op.outputs(&inputs)?,
            layouts: &vec![Layout::RowMajor; inputs.len()],
            constant: &vec![false; inputs.len()],
            epilogue: &Epilogue::NONE,
            precision,
            caps: &caps,
        };
        Ok(alternatives(op, &site)?.iter().map(Variant::kernels).collect())
    }

    #[test]
    fn ways_whose_loops_are_too_long_for_the_device_are_left_out() {
        let shapes: [&[usize]; 2] = [&[1, 65_536], &[65_536, 1]];
        let all = kernels(&MatMul, &shapes, None, Precision::F32).unwrap();
        assert_eq!(all.last().unwrap(), "matmul");
        let some = kernels(&MatMul, &shapes, Some(65_535), Precision::F32).unwrap();
        assert_eq!(some, all[..all.len() - 1]);
        let shapes: [&[usize]; 2] = [&[1, 300_000, 1, 1], &[8, 300_000, 1, 1]];
        let gemm = |limit| {
            let variants = kernels(&Conv2d::default(), &shapes, limit, Precision::F16).unwrap();
            ["conv2d_gemm", "conv2d_gemm in f16"].map(|name| variants.iter().any(|w| w == name))
        };
        assert_eq!((gemm(None), gemm(Some(65_535))), ([true; 2], [false; 2]));
    }

    #[test]
    fn what_the_driver_fails_to_compile_is_left_out() {
        let inputs = [Desc::f32([1, 8, 9, 9]), Desc::f32([8, 8, 3, 3])];
        let conv = Conv2d::default();
        let of = |caps: &Caps| {
            let site = Site {
                inputs: &inputs,
                outputs: &conv.outputs(&inputs).unwrap(),
                layouts: &[Layout::RowMajor; 2],
                constant: &[false, true],
                epilogue: &Epilogue::NONE,
                precision: Precision::F32,
                caps,
            };
            alternatives(&conv, &site)
        };
        let signatures = |variants: &[Variant]| variants.iter().map(Variant::signature).collect::<Vec<_>>();
        let mut caps = Caps::webgpu_default();
        let all = of(&caps).unwrap();
        let first = &all[0].run[0];
        caps.refused = caps.refused.and(Form::of_launch(first));
        let some = of(&caps).unwrap();
        let is_kept = |v: &&Variant| v.launches().all(|l| Form::of_launch(l) != Form::of_launch(first));
        let kept: Vec<_> = all.iter().filter(is_kept).cloned().collect();
        assert!(kept.len() < all.len() && !kept.is_empty());
        assert_eq!(signatures(&some), signatures(&kept));
        let every = all.iter().flat_map(|v| &v.run).map(Form::of_launch);
        caps.refused = every.fold(caps.refused, |refused, form| refused.and(form));
        let e = of(&caps).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Unsupported);
        let text = e.to_string();
        assert!(text.starts_with("conv2d: the device's driver failed to compile every kernel for it: "), "{text}");
        assert!(text.contains(first.kernel.name), "{text}");
    }

    #[test]
    fn without_workgroup_memory_an_error_names_the_kernels_which_need_it() {
        let inputs = [Desc::f32([1, 5, 9, 900])];
        let op = Softmax { axis: 3, log: false };
        let site = Site {
            inputs: &inputs,
            outputs: &inputs,
            layouts: &[Layout::RowMajor],
            constant: &[false],
            epilogue: &Epilogue::NONE,
            precision: Precision::F32,
            caps: &Caps::webgpu_default(),
        };
        let all = op.launches(&site).unwrap();
        let site = Site { caps: &Caps { max_workgroup_bytes: 0, ..Caps::webgpu_default() }, ..site };
        let (with, without): (Vec<_>, Vec<_>) = all.iter().cloned().partition(Variant::has_workgroup_memory);
        let kept = without_workgroup_memory(&op, &site, all.clone()).unwrap();
        let names = |variants: &[Variant]| variants.iter().map(Variant::kernels).collect::<Vec<_>>();
        assert_eq!(names(&kept), names(&without));
        assert!(!with.is_empty() && !kept.is_empty(), "{:?}", names(&all));
        let e = without_workgroup_memory(&op, &site, with.clone()).unwrap_err();
        let text = format!("softmax has no kernel without workgroup memory ({})", names(&with).join(", "));
        assert_eq!((e.kind(), e.to_string()), (ErrorKind::Unsupported, text));
    }

    #[test]
    fn where_every_loop_is_too_long_the_error_says_whose_and_how_long() {
        let top = TopK { axis: 0, k: 1, smallest: false };
        assert_eq!(kernels(&top, &[&[65_000]], None, Precision::F32).unwrap(), ["top_k"]);
        let error = kernels(&top, &[&[65_000]], Some(65_535), Precision::F32).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text = "top_k of f32[65000]: the loops of kernel top_k may take 66025 iterations, the device stops them after 65535";
        assert_eq!(error.to_string(), text);
    }
}
