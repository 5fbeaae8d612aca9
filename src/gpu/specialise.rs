//! Specialises a kernel for one set of overrides: inserts their values, resolves the branches that depend on them, and
//! removes unreachable code. Drivers do the same, but only after they have read and inlined every function of every
//! branch.

use naga::back::pipeline_constants::process_overrides;
use naga::compact::{KeepUnused, compact};
use naga::ir::{
    Block, Constant, Expression, Function, Literal, Module, ShaderStage, Statement, SwitchCase, SwitchValue,
};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{Arena, Handle, Span};

use crate::error::{Error, ErrorKind, Result};

/// The module of a kernel's `text` with the values of its overrides.
///
/// # Errors
/// The text is not valid WGSL, or has no such override.
pub fn specialise(text: &str, overrides: &[(&str, f64)]) -> Result<Module> {
    let refused = |e: String| Error::new(ErrorKind::Device, e.split_whitespace().collect::<Vec<_>>().join(" "));
    let module = naga::front::wgsl::parse_str(text).map_err(|e| refused(e.emit_to_string(text)))?;
    // All capabilities: wgpu refuses unsupported ones when it creates the shader.
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(&module)
        .map_err(|e| refused(e.emit_to_string(text)))?;
    let values = overrides.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
    let entry = Some((ShaderStage::Compute, "main"));
    let resolved = process_overrides(&module, &info, entry, &values).map_err(|e| refused(e.to_string()))?;
    let mut module = resolved.0.into_owned();
    let known = Known { constants: &module.constants, globals: &module.global_expressions };
    for (_, function) in module.functions.iter_mut() {
        known.prune_function(function);
    }
    for entry in &mut module.entry_points {
        known.prune_function(&mut entry.function);
    }
    compact(&mut module, KeepUnused::No);
    Ok(module)
}

/// The module's constants, which decide branches.
struct Known<'a> {
    constants: &'a Arena<Constant>,
    globals: &'a Arena<Expression>,
}

impl Known<'_> {
    fn prune_function(&self, function: &mut Function) {
        // A named expression would be kept even if it is unused.
        function.named_expressions.clear();
        let body = std::mem::take(&mut function.body);
        function.body = self.prune(body, &function.expressions);
    }

    /// The block without dead branches and without statements after a jump.
    fn prune(&self, block: Block, expressions: &Arena<Expression>) -> Block {
        let mut kept = Block::new();
        for (statement, span) in block.span_into_iter() {
            kept.append(&mut self.prune_statement(statement, span, expressions));
            if kept.last().is_some_and(Statement::is_terminator) {
                break;
            }
        }
        kept
    }

    fn prune_statement(&self, statement: Statement, span: Span, expressions: &Arena<Expression>) -> Block {
        let prune = |block| self.prune(block, expressions);
        let statement = match statement {
            Statement::Block(block) => return prune(block),
            Statement::If { condition, accept, reject } => match self.value(condition, expressions) {
                Some(Literal::Bool(taken)) => return prune(if taken { accept } else { reject }),
                _ => Statement::If { condition, accept: prune(accept), reject: prune(reject) },
            },
            Statement::Switch { selector, cases } => {
                let known = self.value(selector, expressions).and_then(|value| taken(&cases, value));
                if let Some(body) = known {
                    return prune(body);
                }
                let cases = cases.into_iter().map(|case| SwitchCase { body: prune(case.body), ..case }).collect();
                Statement::Switch { selector, cases }
            }
            Statement::Loop { body, continuing, break_if } => {
                let mut body = prune(body);
                if is_once(&body) {
                    body.cull(body.len() - 1..);
                    return body;
                }
                Statement::Loop { body, continuing: prune(continuing), break_if }
            }
            other => other,
        };
        let mut one = Block::new();
        one.push(statement, span);
        one
    }

    fn value(&self, expression: Handle<Expression>, expressions: &Arena<Expression>) -> Option<Literal> {
        match expressions[expression] {
            Expression::Literal(literal) => Some(literal),
            Expression::Constant(constant) => match self.globals[self.constants[constant].init] {
                Expression::Literal(literal) => Some(literal),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The block that a switch over a known value executes. `None` if it is not a single block: a case that falls through,
/// or that breaks before its end.
fn taken(cases: &[SwitchCase], value: Literal) -> Option<Block> {
    let value = match value {
        Literal::U32(v) => SwitchValue::U32(v),
        Literal::I32(v) => SwitchValue::I32(v),
        _ => return None,
    };
    let case =
        cases.iter().find(|c| c.value == value).or_else(|| cases.iter().find(|c| c.value == SwitchValue::Default));
    let case = case.filter(|c| !c.fall_through)?;
    let mut body = case.body.clone();
    if matches!(body.last(), Some(Statement::Break)) {
        body.cull(body.len() - 1..);
    }
    (!breaks(&body)).then_some(body)
}

/// Whether the body of a loop ends in a `break` and has no other way on.
fn is_once(body: &Block) -> bool {
    fn jumps(statement: &Statement) -> bool {
        let any = |block: &Block| block.iter().any(jumps);
        match statement {
            Statement::Break | Statement::Continue => true,
            Statement::Block(block) => any(block),
            Statement::If { accept, reject, .. } => any(accept) || any(reject),
            Statement::Switch { cases, .. } => cases.iter().any(|case| any(&case.body)),
            _ => false,
        }
    }
    matches!(body.last(), Some(Statement::Break)) && !body.iter().take(body.len() - 1).any(jumps)
}

/// Whether a block has a `break` out of the switch that it lies in.
fn breaks(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Break => true,
        Statement::Block(block) => breaks(block),
        Statement::If { accept, reject, .. } => breaks(accept) || breaks(reject),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
        override KIND: u32 = 7u;
        override TWICE: bool = false;
        @group(0) @binding(0) var<uniform> p: vec4<f32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        fn first() -> f32 { return p.x; }
        fn second() -> f32 { return p.y; }
        fn other() -> f32 { return p.z; }
        fn chosen() -> f32 {
            switch KIND {
                case 1u: { return first(); }
                case 2u: { if p.w > 0.0 { break; } return second(); }
                case 3u, 4u: { return second() + 1.0; }
                default: { return other(); }
            }
            return 0.0;
        }
        @compute @workgroup_size(1)
        fn main() {
            for (var i = 0u; i < 4u; i++) {
                if TWICE { y[i] = chosen(); }
                if KIND > 1u { continue; }
                y[i + 4u] = chosen();
            }
        }";

    /// The remaining functions, and the number of stores in `main`.
    fn left(overrides: &[(&str, f64)]) -> (Vec<String>, usize) {
        fn stores(block: &Block) -> usize {
            let inside = |s: &Statement| match s {
                Statement::Store { .. } => 1,
                Statement::Block(b) => stores(b),
                Statement::If { accept, reject, .. } => stores(accept) + stores(reject),
                Statement::Loop { body, continuing, .. } => stores(body) + stores(continuing),
                _ => 0,
            };
            block.iter().map(inside).sum()
        }
        let module = specialise(TEXT, overrides).unwrap();
        assert!(module.overrides.is_empty());
        Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).unwrap();
        let names = module.functions.iter().filter_map(|(_, f)| f.name.clone()).collect();
        (names, stores(&module.entry_points[0].function.body))
    }

    #[test]
    fn what_no_branch_reaches_is_left_out() {
        let names = |overrides: &[(&str, f64)]| left(overrides).0;
        assert_eq!(names(&[("KIND", 1.0)]), ["first", "chosen"]);
        assert_eq!(names(&[("KIND", 4.0), ("TWICE", 1.0)]), ["second", "chosen"]);
        assert_eq!(names(&[("TWICE", 1.0)]), ["other", "chosen"], "no case is taken by the value 7");
        // A case that leaves the switch early stays in it.
        assert_eq!(names(&[("KIND", 2.0), ("TWICE", 1.0)]), ["first", "second", "other", "chosen"]);
        assert!(names(&[]).is_empty(), "nothing is stored");
        // The counter of the loop is a store as well.
        let nothing = left(&[]).1;
        assert_eq!(left(&[("TWICE", 1.0)]).1, nothing + 1);
        assert_eq!(left(&[("KIND", 1.0)]).1, nothing + 1);
    }

    #[test]
    fn a_loop_that_ends_in_its_first_iteration_is_none() {
        let loops = |text: &str| {
            let body = |rest: &str| {
                format!(
                    "override ONE: bool = true; @group(0) @binding(0) var<storage, read_write> y: array<u32>;
                    @compute @workgroup_size(1) fn main() {{ for (var i = 0u; i < y[0]; i++) {{ {rest} }} }}"
                )
            };
            let module = specialise(&body(text), &[]).unwrap();
            Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).unwrap();
            fn count(block: &Block) -> usize {
                let inside = |s: &Statement| match s {
                    Statement::Loop { body, .. } => 1 + count(body),
                    Statement::Block(b) => count(b),
                    Statement::If { accept, reject, .. } => count(accept) + count(reject),
                    _ => 0,
                };
                block.iter().map(inside).sum()
            }
            count(&module.entry_points[0].function.body)
        };
        // The condition of `for` is a break of its own.
        assert_eq!(loops("y[1] = 1u; if ONE { break; }"), 1);
        assert_eq!(loops("loop { y[1] = 1u; if ONE { break; } }"), 1);
        assert_eq!(loops("loop { y[1] = 1u; if !ONE { break; } if y[2] > 0u { break; } }"), 2);
        assert_eq!(loops("loop { if y[2] > 0u { continue; } if ONE { break; } }"), 2);
        assert_eq!(loops("loop { for (var k = 0u; k < y[3]; k++) { y[k] = k; } if ONE { break; } }"), 2);
    }

    #[test]
    fn what_is_wrong_is_one_line() {
        let message = |text, overrides: &[(&str, f64)]| specialise(text, overrides).unwrap_err().to_string();
        assert!(message("fn main( {}", &[]).contains("expected"));
        assert!(message(TEXT, &[("MISSING", 1.0)]).contains("MISSING"));
        let wrong_type = "@compute @workgroup_size(1) fn main() { let x: u32 = 1.0f; }";
        assert!(!message(wrong_type, &[]).contains('\n'));
    }
}
