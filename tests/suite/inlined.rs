//! The module of a kernel with its calls written out: what a value is made of, through functions and variables.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use naga::{
    AddressSpace, BinaryOperator, Block, Expression, Function, Handle, LocalVariable, MathFunction, Module, Span,
    Statement, Type, TypeInner,
};

/// Visits all statements of a block, also inner ones.
pub fn statements<'a>(block: &'a Block, visit: &mut dyn FnMut(&'a Statement, Span)) {
    for (statement, span) in block.span_iter() {
        visit(statement, *span);
        match statement {
            Statement::Block(block) => statements(block, visit),
            Statement::If { accept, reject, .. } => {
                [accept, reject].into_iter().for_each(|block| statements(block, visit))
            }
            Statement::Switch { cases, .. } => cases.iter().for_each(|case| statements(&case.body, visit)),
            Statement::Loop { body, continuing, .. } => {
                [body, continuing].into_iter().for_each(|block| statements(block, visit));
            }
            _ => (),
        }
    }
}

/// The expressions that are computed at a statement.
fn emitted(statement: &Statement) -> impl Iterator<Item = Handle<Expression>> {
    if let Statement::Emit(range) = statement { Some(range.clone()) } else { None }.into_iter().flatten()
}

/// A frame per place of a call; the first is that of `main`.
pub struct Program<'a> {
    pub module: &'a Module,
    pub frames: Vec<Frame<'a>>,
    /// What is stored to a variable of a frame, or to parts of it, anywhere.
    stored: BTreeMap<(usize, Handle<LocalVariable>), Vec<Part>>,
    counters: BTreeMap<(usize, Handle<LocalVariable>), Counter>,
}

/// A variable that a loop counts: `for (var i = first; i < limit; i += step)`.
pub struct Counter {
    pub first: Vec<Value>,
    pub limit: Value,
    pub step: Value,
    /// What is computed in the loop's body, where it is below the limit.
    inside: BTreeSet<Handle<Expression>>,
}

pub struct Frame<'a> {
    pub function: &'a Function,
    pub arguments: Vec<Value>,
    /// The frames of its calls, by their results.
    results: BTreeMap<Handle<Expression>, usize>,
    returned: Vec<Handle<Expression>>,
}

/// An expression of a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value {
    pub frame: usize,
    pub expression: Handle<Expression>,
}

impl<'a> Program<'a> {
    pub fn of(module: &'a Module) -> Program<'a> {
        let mut program = Program { module, frames: vec![], stored: BTreeMap::new(), counters: BTreeMap::new() };
        program.add_frame(&module.entry_points[0].function, vec![]);
        for frame in 0..program.frames.len() {
            let function = program.frames[frame].function;
            let value = |expression| Value { frame, expression };
            let mut stored = vec![];
            statements(&function.body, &mut |statement, _| {
                if let Statement::Store { pointer, value: to } = statement {
                    stored.push((program.root(value(*pointer)), value(*to), program.path(value(*pointer))));
                }
            });
            for (variable, local) in function.local_variables.iter() {
                stored.extend(local.init.map(|init| (Root::Own(frame, variable), value(init), vec![])));
            }
            for (root, value, path) in stored {
                if let Root::Own(frame, variable) = root {
                    program.stored.entry((frame, variable)).or_default().push(Part { value, path });
                }
            }
            statements(&function.body, &mut |statement, _| {
                if let Some((variable, counter)) = program.counted(frame, statement) {
                    program.counters.insert((frame, variable), counter);
                }
            });
        }
        program
    }

    /// The variable that a loop counts, if the statement is one that leaves at once where `variable < limit` does not hold, and
    /// stores `variable + step` behind its body only.
    fn counted(&self, frame: usize, statement: &Statement) -> Option<(Handle<LocalVariable>, Counter)> {
        let Statement::Loop { body, continuing, break_if: None } = statement else { return None };
        let value = |expression| Value { frame, expression };
        let leave = body.iter().position(|s| matches!(s, Statement::If { .. }))?;
        let Statement::If { condition, accept, reject } = &body[leave] else { return None };
        let leaves = accept.is_empty() && matches!(reject[..], [Statement::Break]);
        let Expression::Binary { op: BinaryOperator::Less, left, right } = *self.expression(value(*condition)) else {
            return None;
        };
        let variable = self.variable(value(left)).filter(|_| leaves)?;
        let mut steps = vec![];
        statements(continuing, &mut |statement, _| {
            if let Statement::Store { value: to, .. } = statement {
                steps.push(value(*to));
            }
        });
        let (steps, first): (Vec<_>, Vec<_>) =
            self.stored(frame, variable)?.into_iter().partition(|stored| steps.contains(stored));
        let [step] = steps[..] else { return None };
        let Expression::Binary { op: BinaryOperator::Add, left, right: step } = *self.expression(step) else {
            return None;
        };
        if self.variable(value(left)) != Some(variable) {
            return None;
        }
        let mut inside = BTreeSet::new();
        for block in [body, continuing] {
            statements(block, &mut |statement, _| inside.extend(emitted(statement)));
        }
        body[..leave].iter().flat_map(emitted).for_each(|before| _ = inside.remove(&before));
        Some((variable, Counter { first, limit: value(right), step: value(step), inside }))
    }

    /// The variable of its frame that a value is loaded from.
    fn variable(&self, value: Value) -> Option<Handle<LocalVariable>> {
        let Expression::Load { pointer } = *self.expression(value) else { return None };
        let Expression::LocalVariable(variable) = *self.expression(Value { expression: pointer, ..value }) else {
            return None;
        };
        Some(variable)
    }

    /// The counter that a value is loaded from, and whether it is below the limit there.
    pub fn counter(&self, value: Value) -> Option<(&Counter, bool)> {
        let counter = self.counters.get(&(value.frame, self.variable(value)?))?;
        Some((counter, counter.inside.contains(&value.expression)))
    }

    /// Adds the frame of a call, and those of its calls; WGSL has no recursion.
    fn add_frame(&mut self, function: &'a Function, arguments: Vec<Value>) -> usize {
        let frame = self.frames.len();
        self.frames.push(Frame { function, arguments, results: BTreeMap::new(), returned: vec![] });
        let mut calls = vec![];
        let mut returned = vec![];
        statements(&function.body, &mut |statement, _| match statement {
            Statement::Call { function, arguments, result } => calls.push((*function, arguments, *result)),
            Statement::Return { value } => returned.extend(*value),
            _ => (),
        });
        self.frames[frame].returned = returned;
        for (function, arguments, result) in calls {
            let arguments = arguments.iter().map(|&expression| Value { frame, expression }).collect();
            let called = self.add_frame(&self.module.functions[function], arguments);
            if let Some(result) = result {
                self.frames[frame].results.insert(result, called);
            }
        }
        frame
    }

    pub fn expression(&self, value: Value) -> &'a Expression {
        &self.frames[value.frame].function.expressions[value.expression]
    }

    /// The variable that a pointer points into.
    pub fn root(&self, pointer: Value) -> Root {
        match *self.expression(pointer) {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => {
                self.root(Value { expression: base, ..pointer })
            }
            Expression::FunctionArgument(k) => self.root(self.frames[pointer.frame].arguments[k as usize]),
            Expression::LocalVariable(variable) => Root::Own(pointer.frame, variable),
            Expression::GlobalVariable(variable) => Root::Shared(self.module.global_variables[variable].space),
            ref other => panic!("{other:?} as a pointer"),
        }
    }

    /// The index into a storage buffer, if the value is a load from one.
    pub fn index(&self, value: Value) -> Option<Value> {
        let &Expression::Load { pointer } = self.expression(value) else { return None };
        let mut at = Value { expression: pointer, ..value };
        if !matches!(self.root(at), Root::Shared(AddressSpace::Storage { .. })) {
            return None;
        }
        let mut index = None;
        loop {
            at = match *self.expression(at) {
                Expression::Access { base, index: i } => {
                    index = Some(Value { expression: i, ..at });
                    Value { expression: base, ..at }
                }
                Expression::AccessIndex { base, .. } => Value { expression: base, ..at },
                Expression::FunctionArgument(k) => self.frames[at.frame].arguments[k as usize],
                _ => return index,
            };
        }
    }

    /// What a call may return.
    pub fn returned(&self, result: Value) -> Vec<Value> {
        let frame = self.frames[result.frame].results[&result.expression];
        self.frames[frame].returned.iter().map(|&expression| Value { frame, expression }).collect()
    }

    /// All that a variable of a frame may hold; `None` if parts of it are stored one by one, or nothing is.
    pub fn stored(&self, frame: usize, variable: Handle<LocalVariable>) -> Option<Vec<Value>> {
        let all = self.stored.get(&(frame, variable)).filter(|all| all.iter().all(|part| part.path.is_empty()))?;
        Some(all.iter().map(|part| part.value).collect())
    }

    /// The members and components from the variable to what a pointer points at, up to the first that is known at run time only.
    fn path(&self, pointer: Value) -> Vec<u32> {
        match *self.expression(pointer) {
            Expression::AccessIndex { base, index } => {
                let base = Value { expression: base, ..pointer };
                let path = self.path(base);
                if self.is_dynamic(base) { path } else { [path, vec![index]].concat() }
            }
            Expression::Access { base, .. } => self.path(Value { expression: base, ..pointer }),
            Expression::FunctionArgument(k) => self.path(self.frames[pointer.frame].arguments[k as usize]),
            _ => vec![],
        }
    }

    fn is_dynamic(&self, pointer: Value) -> bool {
        match *self.expression(pointer) {
            Expression::AccessIndex { base, .. } => self.is_dynamic(Value { expression: base, ..pointer }),
            Expression::Access { .. } => true,
            Expression::FunctionArgument(k) => self.is_dynamic(self.frames[pointer.frame].arguments[k as usize]),
            _ => false,
        }
    }

    /// Whether the value tells one invocation from another.
    pub fn is_built_in(&self, value: Value) -> bool {
        value.frame == 0 && matches!(self.expression(value), Expression::FunctionArgument(_))
    }

    /// Whether an index is bounded where it stands: a `select`, `min` or `clamp` is in it, or in the arguments of its function that
    /// it is made of. What other functions or variables give may be bounded for another reason.
    pub fn is_bounded(&self, index: Value) -> bool {
        use MathFunction::{Clamp, Min};
        let at = |expression| Value { expression, ..index };
        match *self.expression(index) {
            Expression::Select { .. } | Expression::Math { fun: Min | Clamp, .. } => true,
            Expression::Binary { left, right, .. } => self.is_bounded(at(left)) || self.is_bounded(at(right)),
            Expression::AccessIndex { base, .. } => self.is_bounded(at(base)),
            Expression::FunctionArgument(k) => {
                self.frames[index.frame].arguments.get(k as usize).is_some_and(|argument| self.is_bounded(*argument))
            }
            _ => false,
        }
    }

    /// The value and all that it is made of, up to loads from memory that is not a function's own.
    pub fn reached(&self, from: Value) -> HashSet<Value> {
        let mut seen = HashSet::new();
        let mut left = vec![Part { value: from, path: vec![] }];
        while let Some(part) = left.pop() {
            if !seen.contains(&part) {
                left.extend(self.parts(&part));
                seen.insert(part);
            }
        }
        seen.into_iter().map(|part| part.value).collect()
    }

    /// What a part of a value is made of.
    fn parts(&self, part: &Part) -> Vec<Part> {
        let (value, path) = (part.value, &part.path[..]);
        let one = |expression, path: &[u32]| Part { value: Value { expression, ..value }, path: path.to_vec() };
        let same = |expression| vec![one(expression, path)];
        let whole = |list: &[Handle<Expression>]| list.iter().map(|expression| one(*expression, &[])).collect();
        let of = |values: &[Value]| values.iter().map(|&value| Part { value, path: path.to_vec() }).collect();
        match *self.expression(value) {
            Expression::Compose { ty, ref components } => match path.split_first() {
                Some((first, rest)) if self.is_split(ty, components) => vec![one(components[*first as usize], rest)],
                _ => whole(components),
            },
            Expression::AccessIndex { base, index } => vec![one(base, &[&[index], path].concat())],
            Expression::Access { base, index } => whole(&[base, index]),
            Expression::Splat { value, .. } => whole(&[value]),
            Expression::Swizzle { vector, .. } => whole(&[vector]),
            Expression::As { expr, .. } => same(expr),
            Expression::Select { condition, accept, reject } => {
                [whole(&[condition]), same(accept), same(reject)].concat()
            }
            Expression::Unary { expr, .. } => whole(&[expr]),
            Expression::Binary { left, right, .. } => whole(&[left, right]),
            Expression::Relational { argument, .. } => whole(&[argument]),
            Expression::Math { arg, arg1, arg2, arg3, .. } => {
                whole(&[Some(arg), arg1, arg2, arg3].into_iter().flatten().collect::<Vec<_>>())
            }
            Expression::FunctionArgument(k) => {
                of(self.frames[value.frame].arguments.get(k as usize).map_or(&[], std::slice::from_ref))
            }
            Expression::CallResult(_) => of(&self.returned(value)),
            Expression::Load { pointer } => {
                let pointer = Value { expression: pointer, ..value };
                let Root::Own(frame, variable) = self.root(pointer) else { return vec![] };
                let wanted =
                    [self.path(pointer), if self.is_dynamic(pointer) { vec![] } else { path.to_vec() }].concat();
                let stored = self.stored.get(&(frame, variable)).into_iter().flatten();
                stored.filter_map(|stored| stored.of(&wanted)).collect()
            }
            _ => vec![],
        }
    }

    /// Whether every member or component of a value is given on its own.
    fn is_split(&self, ty: Handle<Type>, components: &[Handle<Expression>]) -> bool {
        match self.module.types[ty].inner {
            TypeInner::Vector { size, .. } => components.len() == size as usize,
            _ => true,
        }
    }
}

/// A member of a value, a component of it, or all of it; or where such a value is stored.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Part {
    value: Value,
    path: Vec<u32>,
}

impl Part {
    /// What of this stored value is at a place of its variable, or part of it.
    fn of(&self, wanted: &[u32]) -> Option<Part> {
        let common = self.path.len().min(wanted.len());
        (self.path[..common] == wanted[..common]).then(|| Part { value: self.value, path: wanted[common..].to_vec() })
    }
}

/// What a pointer points into: a variable of a frame, or memory that functions share.
pub enum Root {
    Own(usize, Handle<LocalVariable>),
    Shared(AddressSpace),
}
