//! Rules that the texts of all kernels keep, because some compiler or GPU fails where they do not. WGSL has none of them.

use std::collections::BTreeSet;

use naga::{
    AddressSpace, BinaryOperator, Expression, Function, Handle, Module, ScalarKind, Span, Statement, TypeInner,
};

use crate::inlined::{Program, Value, statements};

/// What of a kernel breaks a rule, with its line.
pub fn breaches(module: &Module, text: &str) -> Vec<String> {
    let rules = [workgroups(module), stores(module), selected_loads(module), remainders(module)];
    let at = |(span, what): (Span, String)| match span.is_defined() {
        true => format!("line {}: {what}", span.location(text).line_number),
        false => what,
    };
    rules.into_iter().flatten().map(at).collect::<BTreeSet<_>>().into_iter().collect()
}

type Breach = (Span, String);

/// Workgroups have one dimension: a phone's GPU gave wrong results for 8x8 invocations and right ones for 64x1 of one kernel.
fn workgroups(module: &Module) -> Vec<Breach> {
    let sizes = module.entry_points.iter().map(|entry| entry.workgroup_size);
    let wrong = sizes.filter(|size| size[1..] != [1, 1]);
    wrong.map(|size| (Span::UNDEFINED, format!("a workgroup of {size:?}: it must have one dimension"))).collect()
}

/// No store goes to a component of a function's own variable that is known at run time only: FXC refuses it in loops that it
/// cannot unroll (X3511), and others move the variable from registers to memory.
fn stores(module: &Module) -> Vec<Breach> {
    let mut out = vec![];
    for function in functions(module) {
        statements(&function.body, &mut |statement, span| {
            let Statement::Store { pointer, .. } = statement else { return };
            let (mut at, mut dynamic) = (*pointer, false);
            loop {
                at = match function.expressions[at] {
                    Expression::Access { base, .. } => {
                        dynamic = true;
                        base
                    }
                    Expression::AccessIndex { base, .. } => base,
                    _ => break,
                };
            }
            let own = match function.expressions[at] {
                Expression::LocalVariable(_) => true,
                Expression::FunctionArgument(k) => {
                    let ty = &module.types[function.arguments[k as usize].ty].inner;
                    matches!(ty, TypeInner::Pointer { space: AddressSpace::Function, .. })
                }
                _ => false,
            };
            if own && dynamic {
                out.push((span, "a store to a component that is known at run time only".to_owned()));
            }
        });
    }
    out
}

/// Functions that select what is made of loads with bounded indices, and why they are.
const BOUNDED: [(&str, &str); 2] = [
    (
        "moments_of",
        "the mean is of the first value, which is always there; `strip` takes the last one for those beyond it",
    ),
    ("join", "the first of two vec4s has an element that is wanted; the index of the second has a min"),
];

/// What `select` may discard is loaded nevertheless, and a phone's GPU faults where its index is outside the binding. So the
/// index is bounded itself, by a `select`, `min` or `clamp`. Exempt are selects by what was loaded and those by params alone,
/// which guard no index, and those of components, of a vector that is loaded whole.
fn selected_loads(module: &Module) -> Vec<Breach> {
    let program = Program::of(module);
    let mut out = vec![];
    for (frame, called) in program.frames.iter().enumerate() {
        for (_, expression) in called.function.expressions.iter() {
            let &Expression::Select { condition, accept, reject } = expression else { continue };
            let value = |expression| Value { frame, expression };
            let name = called.function.name.as_deref().unwrap_or("main");
            if is_vector(module, called.function, condition) || BOUNDED.iter().any(|(bounded, _)| *bounded == name) {
                continue;
            }
            let decides = program.reached(value(condition));
            if decides.iter().any(|v| program.index(*v).is_some()) || !decides.iter().any(|v| program.is_built_in(*v)) {
                continue;
            }
            let moved = [accept, reject].map(|arm| program.reached(value(arm)));
            let indices = moved.into_iter().flatten().filter_map(|v| program.index(v));
            for index in indices.filter(|index| !program.is_bounded(*index)) {
                let line = program.frames[index.frame].function.expressions.get_span(index.expression);
                out.push((line, format!("an index that is not bounded, of what select in {name} may discard")));
            }
        }
    }
    out
}

/// No remainder of signed integers: GLSL leaves it open where one is negative, and Mesa's GL driver gives one that is not WGSL's.
fn remainders(module: &Module) -> Vec<Breach> {
    let mut out = vec![];
    for function in functions(module) {
        for (at, expression) in function.expressions.iter() {
            let signed = |of| type_of(module, function, of, |ty| ty.scalar_kind() == Some(ScalarKind::Sint));
            if matches!(*expression, Expression::Binary { op: BinaryOperator::Modulo, left, .. } if signed(left)) {
                out.push((function.expressions.get_span(at), "a remainder of signed integers".to_owned()));
            }
        }
    }
    out
}

/// Whether a condition is a vector, and no scalar for all components.
fn is_vector(module: &Module, function: &Function, condition: Handle<Expression>) -> bool {
    let is_splat = matches!(function.expressions[condition], Expression::Splat { .. });
    !is_splat && type_of(module, function, condition, |ty| matches!(ty, TypeInner::Vector { .. }))
}

/// What `is` says of the type of an expression.
fn type_of(module: &Module, function: &Function, of: Handle<Expression>, is: impl Fn(&TypeInner) -> bool) -> bool {
    let mut types = naga::front::Typifier::new();
    let context = naga::proc::ResolveContext::with_locals(module, &function.local_variables, &function.arguments);
    types.grow(of, &function.expressions, &context).expect("the module is valid");
    is(types.get(of, &module.types))
}

fn functions(module: &Module) -> impl Iterator<Item = &Function> {
    module.functions.iter().map(|(_, f)| f).chain(module.entry_points.iter().map(|entry| &entry.function))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The breaches of a kernel with this body, in a workgroup of this size.
    fn of(size: &str, body: &str) -> Vec<String> {
        found(&format!(
            "@group(0) @binding(0) var<uniform> n: u32;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
fn load(i: u32) -> vec4<f32> {{ return x[i]; }}
fn kept(v: vec4<f32>, ok: bool) -> vec4<f32> {{ return select(vec4<f32>(), v, ok); }}
struct Pair {{ a: vec4<f32>, ok: bool }}
@compute @workgroup_size({size})
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ let i = id.x; {body} }}"
        ))
    }

    fn found(text: &str) -> Vec<String> {
        breaches(&naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text))), text)
    }

    #[test]
    fn workgroups_of_one_dimension() {
        assert_eq!(of("64", ""), [] as [&str; 0]);
        assert_eq!(of("8, 8", ""), ["a workgroup of [8, 8, 1]: it must have one dimension"]);
        assert_eq!(of("1, 1, 64", "").len(), 1);
    }

    #[test]
    fn components_known_at_run_time() {
        let line = ["line 7: a store to a component that is known at run time only"];
        assert_eq!(of("64", "var v = vec4<f32>(); for (var k = 0u; k < n; k++) { v[k] = 1.0; } x[i] = v;"), line);
        assert_eq!(of("64", "var a: array<vec4<f32>, 4>; a[i].x = 1.0; x[i] = a[0];"), line);
        let by_pointer = "fn put(v: ptr<function, vec4<f32>>, k: u32) { (*v)[k] = 1.0; }
            @compute @workgroup_size(64) fn main() { var v = vec4<f32>(); put(&v, 2u); }";
        assert_eq!(found(by_pointer).len(), 1);
        assert_eq!(of("64", "var v = vec4<f32>(); v[2] = 1.0; v.y = v[i]; x[i] = v; x[i][n] = 1.0;").len(), 0);
    }

    #[test]
    fn remainders_of_signed_integers() {
        let line = ["line 7: a remainder of signed integers"];
        assert_eq!(of("64", "x[i].x = f32((i32(i) - 7) % 5);"), line);
        assert_eq!(of("64", "x[i].x = f32((vec2<i32>(-7) % vec2<i32>(i32(i), 3)).y);"), line);
        assert_eq!(of("64", "x[i].x = f32(i % 5u) + (f32(i) - 7.0) % 5.0;"), [] as [&str; 0]);
    }

    #[test]
    fn indices_under_select() {
        let wrong = |body: &str| {
            let found = of("64", body);
            assert!(matches!(&found[..], [one] if one.contains("an index that is not bounded")), "{body}: {found:?}");
        };
        let right = |body: &str| assert_eq!(of("64", body), [] as [&str; 0], "{body}");
        wrong("x[i] = select(vec4<f32>(), x[i + 1u], i < n);");
        right("x[i] = select(vec4<f32>(), x[select(0u, i + 1u, i < n)], i < n);");
        right("x[i] = select(vec4<f32>(), x[min(i + 1u, n)], i < n);");
        // Through calls, variables, parts.
        wrong("x[i] = kept(load(i), i < n);");
        right("x[i] = kept(load(min(i, n)), i < n);");
        wrong("var p: Pair; p.ok = i < n; p.a = load(i); x[i] = kept(p.a, p.ok);");
        right("let at = select(0u, i, i < n); var p: Pair; p.ok = i < n; p.a = load(at); x[i] = kept(p.a, p.ok);");
        wrong("var v = vec4<f32>(); if n > 1u { v = load(i); } x[i] = select(v.yxzw, v + 1.0, i < n);");
        // What was loaded decides; a param; a vector of conditions.
        right("let v = x[i]; x[i] = select(v, -v, v.x > 0.0);");
        right("x[i] = select(x[i], vec4<f32>(), n > 4u);");
        right("x[i] = select(vec4<f32>(), x[i], vec4<u32>(i) < vec4<u32>(n));");
    }
}
