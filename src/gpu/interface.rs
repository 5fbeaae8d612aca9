//! What the text of a kernel declares, held against what a launch gives it.

use naga::Handle;
use naga::ir::{AddressSpace, Module, ScalarKind, StorageAccess, Type, TypeInner};
use naga::proc::Layouter;

use super::launch::Launch;
use crate::shape::{DType, Precision};

/// What of a launch does not agree with the text of its kernel: params, or bindings, whose buffers have these bytes and hold
/// these types.
///
/// # Errors
/// The first disagreement, in words.
pub fn check(launch: &Launch, bound: &[(usize, Option<DType>)]) -> Result<(), String> {
    let text = launch.kernel.wgsl(&launch.consts, Precision::F32);
    let one_line = |e: String| e.split_whitespace().collect::<Vec<_>>().join(" ");
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| one_line(e.emit_to_string(&text)))?;
    params(&module, launch)?;
    bindings(&module, launch)?;
    buffers(&module, bound)
}

/// The fields of the uniform struct must be those of the launch, in their order.
fn params(module: &Module, launch: &Launch) -> Result<(), String> {
    let uniform = module.global_variables.iter().find(|(_, v)| v.space == AddressSpace::Uniform);
    let declared = match uniform.map(|(_, v)| (&v.binding, &module.types[v.ty].inner)) {
        None => vec![],
        Some((Some(b), TypeInner::Struct { members, span })) if (b.group, b.binding) == (0, 0) => {
            let dense = members.iter().zip(0..).all(|(m, k)| m.offset == 4 * k);
            if !dense || *span as usize > (4 * members.len()).next_multiple_of(16) {
                return Err(
                    "its params do not follow each other without gaps: @align and @size have no place there".to_owned()
                );
            }
            members.iter().map(|m| format!("{}: {}", m.name.as_deref().unwrap_or(""), scalar(module, m.ty))).collect()
        }
        Some(_) => return Err("its uniform buffer is not a struct at binding 0 of group 0".to_owned()),
    };
    let given = launch.params.fields().iter().map(|(name, value)| format!("{name}: {}", value.wgsl_type()));
    let given: Vec<_> = given.collect();
    if declared == given {
        return Ok(());
    }
    Err(format!("its text declares the params {{{}}}, the launch gives {{{}}}", declared.join(", "), given.join(", ")))
}

/// The WGSL name of a scalar of 4 bytes, which is all that params may be.
fn scalar(module: &Module, ty: Handle<Type>) -> &'static str {
    match module.types[ty].inner {
        TypeInner::Scalar(naga::Scalar { kind: ScalarKind::Uint, width: 4 }) => "u32",
        TypeInner::Scalar(naga::Scalar { kind: ScalarKind::Sint, width: 4 }) => "i32",
        TypeInner::Scalar(naga::Scalar { kind: ScalarKind::Float, width: 4 }) => "f32",
        _ => "(not a scalar of 4 bytes)",
    }
}

/// The buffers must be as large as the types that the text binds them to, of which an array without a size counts as one
/// element; and what the text takes for numbers must be of that kind. Bits may be taken for u32.
fn buffers(module: &Module, bound: &[(usize, Option<DType>)]) -> Result<(), String> {
    let mut layouter = Layouter::default();
    layouter.update(module.to_ctx()).map_err(|e| e.to_string())?;
    for (_, v) in module.global_variables.iter().filter(|(_, v)| matches!(v.space, AddressSpace::Storage { .. })) {
        let (Some(binding), needed) = (&v.binding, layouter[v.ty].size as usize) else { continue };
        let Some((held, dtype)) = (binding.binding as usize).checked_sub(1).and_then(|k| bound.get(k)) else {
            continue;
        };
        let name = v.name.as_deref().unwrap_or("");
        if let (Some(kind), Some(dtype)) = (element(module, v.ty), dtype)
            && kind != ScalarKind::Uint
            && kind != kind_of(*dtype)
        {
            let (kind, b) = (word(kind), binding.binding);
            return Err(format!(
                "its text takes binding {b} ({name}) for {kind}, the tensor is of {dtype} ({})",
                word(kind_of(*dtype))
            ));
        }
        if needed > *held {
            return Err(format!(
                "its text declares {needed} bytes at binding {} ({name}), the launch binds {held}",
                binding.binding
            ));
        }
    }
    Ok(())
}

/// What the elements of a type are, if they are all of one kind.
fn element(module: &Module, ty: Handle<Type>) -> Option<ScalarKind> {
    match module.types[ty].inner {
        TypeInner::Scalar(s) | TypeInner::Atomic(s) => Some(s.kind),
        TypeInner::Vector { scalar, .. } | TypeInner::Matrix { scalar, .. } => Some(scalar.kind),
        TypeInner::Array { base, .. } => element(module, base),
        _ => None,
    }
}

/// How a device holds a type.
fn kind_of(dtype: DType) -> ScalarKind {
    match dtype {
        _ if dtype.is_float() => ScalarKind::Float,
        DType::Bool | DType::U8 | DType::U16 | DType::U32 => ScalarKind::Uint,
        _ => ScalarKind::Sint,
    }
}

fn word(kind: ScalarKind) -> &'static str {
    match kind {
        ScalarKind::Float => "f32",
        ScalarKind::Sint => "i32",
        _ => "u32",
    }
}

/// From binding 1 on: those that are read, then those that are written.
fn bindings(module: &Module, launch: &Launch) -> Result<(), String> {
    let storage = |access: StorageAccess| if access.contains(StorageAccess::STORE) { "read_write" } else { "read" };
    let mut declared = vec![];
    for (_, v) in module.global_variables.iter() {
        match (&v.binding, v.space) {
            (Some(b), AddressSpace::Storage { access }) => declared.push((b.group, b.binding, storage(access))),
            (Some(_), AddressSpace::Handle) => return Err("its text declares a texture or a sampler".to_owned()),
            _ => {}
        }
    }
    declared.sort_unstable();
    let reads = launch.reads.iter().map(|_| "read");
    let kinds = reads.chain(launch.writes.iter().map(|_| "read_write"));
    let given: Vec<_> = (1..).zip(kinds).map(|(k, kind)| (0, k, kind)).collect();
    if declared == given {
        return Ok(());
    }
    let list = |of: &[(u32, u32, &str)]| {
        let one = |&(group, k, kind): &(u32, u32, &str)| {
            if group == 0 { format!("{k} {kind}") } else { format!("{k} of group {group} {kind}") }
        };
        of.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    Err(format!("its text declares the storage bindings [{}], the launch binds [{}]", list(&declared), list(&given)))
}
