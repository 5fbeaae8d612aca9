//! What a kernel declares and needs, as the manifest of `--dump-shaders` has it.

use convgpu::internals::gpu::recording::Access;
use naga::common::wgsl::TypeContext;
use naga::{
    AddressSpace, BuiltIn, Expression, Function, GlobalVariable, Module, ResourceBinding, ScalarKind, TypeInner,
};
use serde_json::{Value, json};

use crate::failure::one_line;

/// The text of a kernel, parsed. A specialised module lacks the bindings that it does not use.
pub struct Declared(Module);

impl Declared {
    pub fn of(text: &str) -> Result<Declared, String> {
        naga::front::wgsl::parse_str(text).map(Declared).map_err(|e| one_line(&e.emit_to_string(text)))
    }

    /// The uniform structs, a field of four bytes after the other.
    pub fn params(&self) -> Vec<Value> {
        let mut uniforms: Vec<_> = self.bound().filter(|(_, v)| v.space == AddressSpace::Uniform).collect();
        uniforms.sort_by_key(|(binding, _)| *binding);
        uniforms.into_iter().map(|(binding, v)| json!({ "group": binding.group, "fields": self.fields(v) })).collect()
    }

    fn fields(&self, uniform: &GlobalVariable) -> Vec<Value> {
        let TypeInner::Struct { members, .. } = &self.0.types[uniform.ty].inner else { return vec![] };
        let field = |m: &naga::StructMember| json!({ "name": m.name, "type": self.type_name(m.ty) });
        members.iter().map(field).collect()
    }

    /// The bindings of a layout: what the text declares there, and whether the specialised module uses it.
    pub fn bindings(&self, layout: &[(ResourceBinding, Access)], specialised: &Module) -> Vec<Value> {
        let one = |&(binding, access): &(ResourceBinding, Access)| {
            let declared = self.bound().find(|(b, _)| *b == binding).map(|(_, v)| v);
            let used = specialised.global_variables.iter().any(|(_, v)| v.binding == Some(binding));
            json!({
                "group": binding.group,
                "binding": binding.binding,
                "name": declared.and_then(|v| v.name.as_deref()),
                "type": declared.map(|v| self.type_name(v.ty)),
                "access": access_name(access),
                "used": used,
            })
        };
        layout.iter().map(one).collect()
    }

    fn bound(&self) -> impl Iterator<Item = (ResourceBinding, &GlobalVariable)> {
        self.0.global_variables.iter().filter_map(|(_, v)| Some((v.binding?, v)))
    }

    fn type_name(&self, ty: naga::Handle<naga::Type>) -> String {
        self.0.to_ctx().type_to_string(ty)
    }
}

/// How a kernel uses a binding, in a word.
pub fn access_name(access: Access) -> &'static str {
    match access {
        Access::Uniform => "uniform",
        Access::Read => "read",
        Access::ReadWrite => "read_write",
    }
}

/// Bytes of the variables in workgroup memory.
pub fn workgroup_bytes(module: &Module) -> u32 {
    let variables = module.global_variables.iter().map(|(_, v)| v).filter(|v| v.space == AddressSpace::WorkGroup);
    variables.map(|v| module.types[v.ty].inner.size(module.to_ctx())).sum()
}

/// The optional features of a device that a module uses.
pub fn needs(module: &Module) -> Vec<&'static str> {
    let half = module
        .types
        .iter()
        .any(|(_, ty)| ty.inner.scalar().is_some_and(|scalar| scalar.kind == ScalarKind::Float && scalar.width == 2));
    let entry = &module.entry_points[0].function;
    let functions = module.functions.iter().map(|(_, f)| f).chain([entry]);
    let subgroups = functions.into_iter().any(uses_subgroups);
    [("f16", half), ("subgroups", subgroups)].into_iter().filter_map(|(name, used)| used.then_some(name)).collect()
}

fn uses_subgroups(function: &Function) -> bool {
    let is_builtin = |binding: &Option<naga::Binding>| {
        use BuiltIn::{NumSubgroups, SubgroupId, SubgroupInvocationId, SubgroupSize};
        let Some(naga::Binding::BuiltIn(builtin)) = binding else { return false };
        matches!(builtin, NumSubgroups | SubgroupId | SubgroupInvocationId | SubgroupSize)
    };
    function.arguments.iter().any(|argument| is_builtin(&argument.binding))
        || function.expressions.iter().any(|(_, expression)| {
            matches!(expression, Expression::SubgroupBallotResult | Expression::SubgroupOperationResult { .. })
        })
}
