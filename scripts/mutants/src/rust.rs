//! The mutants of a file of Rust: expressions and statements in the bodies of functions. Those that do not compile are left out
//! later.

use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Block, Expr, FieldValue, Lit, Macro, Member, Signature, Stmt, Token, UnOp};

use crate::mutant::{Mutant, Place};
use crate::swaps;
use crate::tokens::tokens;

/// All mutants of a file.
///
/// # Errors
/// The file is no Rust.
pub fn mutants(file: &str, source: &str) -> Result<Vec<Mutant>, String> {
    let parsed = syn::parse_file(source).map_err(|e| format!("{file}: {e}"))?;
    let mut finder = Finder { file, source, function: 0..0, out: vec![] };
    finder.visit_file(&parsed);
    Ok(finder.out)
}

struct Finder<'a> {
    file: &'a str,
    source: &'a str,
    /// The bytes of the function that is visited.
    function: std::ops::Range<usize>,
    out: Vec<Mutant>,
}

/// Methods that are taken for one another.
const LIKE: &[[&str; 2]] = &[
    ["min", "max"],
    ["floor", "ceil"],
    ["any", "all"],
    ["first", "last"],
    ["is_some", "is_none"],
    ["take", "skip"],
    ["is_some_and", "is_none_or"],
];

/// Methods that change a value a little, or the order of a sequence: without them it stays as it is.
const FINISHING: &[&str] = &["abs", "ceil", "clamp", "floor", "max", "min", "rev", "round", "sqrt", "trunc"];

/// The operator that is taken for this one, with the name of the change.
fn other_operator(op: &BinOp) -> Option<(&'static str, &'static str)> {
    Some(match op {
        BinOp::Add(_) => ("sign", "-"),
        BinOp::Sub(_) => ("sign", "+"),
        BinOp::AddAssign(_) => ("sign", "-="),
        BinOp::SubAssign(_) => ("sign", "+="),
        BinOp::Mul(_) => ("product", "/"),
        BinOp::Div(_) => ("product", "*"),
        BinOp::Rem(_) => ("product", "/"),
        BinOp::MulAssign(_) => ("product", "/="),
        BinOp::DivAssign(_) => ("product", "*="),
        BinOp::Lt(_) => ("border", "<="),
        BinOp::Le(_) => ("border", "<"),
        BinOp::Gt(_) => ("border", ">="),
        BinOp::Ge(_) => ("border", ">"),
        BinOp::Eq(_) => ("equality", "!="),
        BinOp::Ne(_) => ("equality", "=="),
        BinOp::And(_) => ("logic", "||"),
        BinOp::Or(_) => ("logic", "&&"),
        BinOp::Shl(_) => ("bits", ">>"),
        BinOp::Shr(_) => ("bits", "<<"),
        BinOp::BitAnd(_) => ("bits", "|"),
        BinOp::BitOr(_) => ("bits", "&"),
        _ => return None,
    })
}

impl Finder<'_> {
    fn text(&self, node: &impl Spanned) -> &str {
        &self.source[node.span().byte_range()]
    }

    fn push(&mut self, operator: &str, place: Place, node: &impl Spanned, text: String) {
        let range = node.span().byte_range();
        self.out.push(Mutant::new(self.file, self.source, operator, place, [range.start, range.end], text));
    }

    /// The expression with one piece of it replaced.
    fn replace(&mut self, operator: &str, whole: &Expr, piece: &impl Spanned, by: &str) {
        let (all, piece) = (whole.span().byte_range(), piece.span().byte_range());
        let text = format!("{}{by}{}", &self.source[all.start..piece.start], &self.source[piece.end..all.end]);
        self.push(operator, Place::Expression, whole, text);
    }

    /// The names that may stand for this one, and that are somewhere in these bytes.
    fn swaps(&self, name: &str, within: std::ops::Range<usize>) -> Vec<String> {
        let source = &self.source[within];
        let known: Vec<&str> = tokens(source).into_iter().map(|t| &source[t.start..t.end]).collect();
        swaps::of(name).into_iter().filter(|other| known.contains(&&**other)).collect()
    }

    fn expression(&mut self, e: &Expr) {
        match e {
            Expr::Binary(b) => self.binary(e, b),
            Expr::Lit(l) => self.literal(e, &l.lit),
            Expr::Unary(u) => {
                let operator = match u.op {
                    UnOp::Not(_) => "not",
                    UnOp::Neg(_) => "sign",
                    _ => return,
                };
                self.push(operator, Place::Expression, e, self.text(&u.expr).to_owned());
            }
            Expr::MethodCall(call) => self.method(e, call),
            Expr::Path(path) => {
                if let Some(name) = path.path.get_ident() {
                    for other in self.swaps(&name.to_string(), self.function.clone()) {
                        self.push("axis", Place::Expression, e, other);
                    }
                }
            }
            Expr::Field(field) => {
                if let Member::Named(name) = &field.member {
                    for other in self.swaps(&name.to_string(), 0..self.source.len()) {
                        self.replace("axis", e, name, &other);
                    }
                }
            }
            Expr::Array(array) => {
                let texts: Vec<_> = array.elems.iter().map(|e| self.text(e).to_owned()).collect();
                if let [a, b, ..] = &texts[..]
                    && a != b
                {
                    let rest: String = texts[2..].iter().map(|t| format!(", {t}")).collect();
                    self.push("argument", Place::Expression, e, format!("[{b}, {a}{rest}]"));
                }
            }
            _ => {}
        }
    }

    fn binary(&mut self, e: &Expr, b: &syn::ExprBinary) {
        let Some((operator, other)) = other_operator(&b.op).filter(|_| !has_let(e)) else { return };
        if operator == "logic" {
            let text = format!("({}) {other} ({})", self.text(&b.left), self.text(&b.right));
            return self.push(operator, Place::Expression, e, text);
        }
        self.replace(operator, e, &b.op, other);
    }

    fn literal(&mut self, e: &Expr, literal: &Lit) {
        match literal {
            Lit::Bool(b) => self.push("bool", Place::Expression, e, (!b.value).to_string()),
            Lit::Int(n) => {
                let Ok(value) = n.base10_parse::<u64>() else { return };
                for other in [value.checked_add(1), value.checked_sub(1)].into_iter().flatten() {
                    self.push("off by one", Place::Expression, e, format!("{other}{}", n.suffix()));
                }
            }
            _ => {}
        }
    }

    fn method(&mut self, e: &Expr, call: &syn::ExprMethodCall) {
        let name = call.method.to_string();
        for [a, b] in LIKE {
            if let Some(other) = (name == *a).then_some(b).or((name == *b).then_some(a)) {
                self.replace("extremum", e, &call.method, other);
            }
        }
        let receiver = self.text(&call.receiver).to_owned();
        if name == "div_ceil" {
            let text = format!("{receiver} / ({})", self.text(&call.args));
            self.push("product", Place::Expression, e, text);
        } else if FINISHING.contains(&&*name) {
            self.push("call", Place::Expression, e, receiver);
        }
    }

    /// A condition that no other change turns round.
    fn condition(&mut self, e: &Expr) {
        if !has_let(e) && !matches!(e, Expr::Binary(_) | Expr::Unary(_) | Expr::Lit(_)) {
            self.push("not", Place::Expression, e, format!("!({})", self.text(e)));
        }
        self.visit_expr(e);
    }

    /// An expression that may stand for a place: a copy of it would be another place.
    fn place(&mut self, e: &Expr) {
        match e {
            Expr::Path(_) | Expr::Field(_) | Expr::Index(_) => visit::visit_expr(self, e),
            _ => self.visit_expr(e),
        }
    }

    /// The body of a function that is no constant.
    fn function(&mut self, signature: &Signature, block: &Block) {
        if signature.constness.is_none() && signature.ident != "fmt" {
            let outer = std::mem::replace(
                &mut self.function,
                signature.span().byte_range().start..block.span().byte_range().end,
            );
            self.visit_block(block);
            self.function = outer;
        }
    }
}

/// Whether an `if let` is part of the condition: it cannot stand in brackets.
fn has_let(e: &Expr) -> bool {
    match e {
        Expr::Let(_) => true,
        Expr::Binary(b) => has_let(&b.left) || has_let(&b.right),
        _ => false,
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|a| match &a.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        syn::Meta::NameValue(_) => false,
    })
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig, &item.block);
        }
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig, &item.block);
        }
    }
    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
    }
    // Constants, types and patterns hold no expression that runs.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_item_enum(&mut self, _: &'ast syn::ItemEnum) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_path(&mut self, _: &'ast syn::Path) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_expr(&mut self, e: &'ast Expr) {
        self.expression(e);
        visit::visit_expr(self, e);
    }
    fn visit_expr_repeat(&mut self, e: &'ast syn::ExprRepeat) {
        self.visit_expr(&e.expr);
    }
    fn visit_expr_assign(&mut self, e: &'ast syn::ExprAssign) {
        self.place(&e.left);
        self.visit_expr(&e.right);
    }
    fn visit_expr_binary(&mut self, e: &'ast syn::ExprBinary) {
        if assigns(&e.op) {
            self.place(&e.left);
        } else {
            self.visit_expr(&e.left);
        }
        self.visit_expr(&e.right);
    }
    fn visit_expr_reference(&mut self, e: &'ast syn::ExprReference) {
        self.place(&e.expr);
    }
    fn visit_expr_field(&mut self, e: &'ast syn::ExprField) {
        self.place(&e.base);
    }
    fn visit_expr_index(&mut self, e: &'ast syn::ExprIndex) {
        self.place(&e.expr);
        self.visit_expr(&e.index);
    }
    fn visit_expr_method_call(&mut self, e: &'ast syn::ExprMethodCall) {
        self.place(&e.receiver);
        e.args.iter().for_each(|argument| self.visit_expr(argument));
    }
    fn visit_expr_match(&mut self, e: &'ast syn::ExprMatch) {
        self.place(&e.expr);
        e.arms.iter().for_each(|arm| self.visit_arm(arm));
    }
    fn visit_expr_let(&mut self, e: &'ast syn::ExprLet) {
        self.place(&e.expr);
    }
    fn visit_expr_if(&mut self, e: &'ast syn::ExprIf) {
        self.condition(&e.cond);
        self.visit_block(&e.then_branch);
        e.else_branch.iter().for_each(|(_, other)| self.visit_expr(other));
    }
    fn visit_expr_call(&mut self, e: &'ast syn::ExprCall) {
        if !matches!(*e.func, Expr::Path(_)) {
            self.place(&e.func);
        }
        e.args.iter().for_each(|argument| self.visit_expr(argument));
    }
    fn visit_field_value(&mut self, field: &'ast FieldValue) {
        if field.colon_token.is_some() {
            return self.visit_expr(&field.expr);
        }
        let name = self.text(&field.expr).to_owned();
        for other in self.swaps(&name, self.function.clone()) {
            self.push("axis", Place::Field, &field.expr, format!("{name}: {other}"));
        }
    }
    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        match statement {
            Stmt::Expr(Expr::If(e), _) if e.else_branch.is_none() => {
                self.push("branch", Place::Statement, statement, String::new());
            }
            Stmt::Expr(e, Some(_)) if is_effect(e) => {
                self.push("statement", Place::Statement, statement, String::new());
            }
            _ => {}
        }
        visit::visit_stmt(self, statement);
    }
    fn visit_macro(&mut self, call: &'ast Macro) {
        let name = call.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
        match &*name {
            "vec" => {
                let list = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(call.tokens.clone());
                list.iter().flatten().for_each(|e| Finder::visit_expr(self, e));
            }
            "params" => {
                let list = Punctuated::<FieldValue, Token![,]>::parse_terminated.parse2(call.tokens.clone());
                list.iter().flatten().for_each(|field| Finder::visit_field_value(self, field));
            }
            _ => {}
        }
    }
}

/// Whether a statement of this expression does something, and gives no value that counts.
fn is_effect(e: &Expr) -> bool {
    match e {
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_) => true,
        Expr::Try(e) => is_effect(&e.expr),
        Expr::Binary(b) => assigns(&b.op),
        _ => false,
    }
}

fn assigns(op: &BinOp) -> bool {
    use BinOp::{AddAssign, BitAndAssign, BitOrAssign, DivAssign, MulAssign, RemAssign, SubAssign};
    matches!(
        op,
        AddAssign(_) | SubAssign(_) | MulAssign(_) | DivAssign(_) | RemAssign(_) | BitAndAssign(_) | BitOrAssign(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the line that is all of a function.
    fn of(line: &str, operator: &str) -> Vec<String> {
        let source = format!("fn f(oh: usize, ow: usize) -> usize {{\n{line}\nreturn 0; }}");
        let all = mutants("f.rs", &source).unwrap();
        all.into_iter().filter(|m| m.operator == operator && m.line == 2).map(|m| m.after).collect()
    }

    #[test]
    fn operators_and_literals() {
        assert_eq!(of("let a = b + c * d;", "sign"), ["let a = b - c * d;"]);
        assert_eq!(of("a += b;", "sign"), ["a -= b;"]);
        assert_eq!(of("let a = b && c == d;", "logic"), ["let a = (b) || (c == d);"]);
        assert_eq!(of("let a = b[1];", "off by one"), ["let a = b[2];", "let a = b[0];"]);
        assert_eq!(of("let a = b.div_ceil(c);", "product"), ["let a = b / (c);"]);
        assert_eq!(of("let a = b.min(c);", "extremum"), ["let a = b.max(c);"]);
        assert_eq!(of("let a = [b, c, d];", "argument"), ["let a = [c, b, d];"]);
    }

    #[test]
    fn names_of_axes() {
        assert_eq!(of("let a = oh;", "axis"), ["let a = ow;"]);
        assert_eq!(
            of("let a = params!(n, oh, w: ow);", "axis"),
            ["let a = params!(n, oh: ow, w: ow);", "let a = params!(n, oh, w: oh);"]
        );
        assert!(of("oh = 1; let a = &oh;", "axis").is_empty(), "places stay");
    }

    #[test]
    fn conditions_and_statements() {
        assert_eq!(of("if !a { f(); }", "not"), ["if a { f(); }"]);
        assert_eq!(of("if a { f(); }", "not"), ["if !(a) { f(); }"]);
        assert_eq!(of("if a { f(); }", "branch"), [""]);
        assert_eq!(of("if a { f(); }", "statement"), ["if a { }"]);
        assert!(of("if let Some(a) = b && c { f(); }", "logic").is_empty());
    }

    #[test]
    fn what_no_call_reaches_stays() {
        let source = "const A: usize = 1 + 1; const fn f() -> usize { 1 } #[cfg(test)] mod tests { fn f() { g(1); } }
            impl Display for X { fn fmt(&self) { g(1); } } fn h(a: [u8; 2]) { match a { [1, 2] => {} } }";
        assert_eq!(mutants("f.rs", source).unwrap(), []);
    }
}
