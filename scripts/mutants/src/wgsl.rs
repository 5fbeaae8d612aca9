//! The mutants of a shader. They are found by its tokens, not by its grammar: what is no valid WGSL is left out later.

use crate::mutant::{Mutant, Place};
use crate::swaps;
use crate::tokens::{Kind, Token, tokens};

/// All mutants of a shader.
pub fn mutants(file: &str, source: &str) -> Vec<Mutant> {
    let tokens = tokens(source);
    let text = Text { source, tokens: &tokens };
    let declared = text.declarations();
    let mut edits = vec![];
    for k in (0..tokens.len()).filter(|&k| !declared[k]) {
        match tokens[k].kind {
            Kind::Mark => text.mark_edits(k, &mut edits),
            Kind::Number => text.number_edits(k, &mut edits),
            Kind::Name => {
                text.name_edits(k, &mut edits);
                text.call_edits(k, &mut edits);
            }
        }
        text.statement_edits(k, &mut edits);
    }
    let mutant = |edit: Edit| Mutant::new(file, source, edit.operator, Place::Shader, edit.range, edit.text);
    edits.into_iter().map(mutant).collect()
}

/// The text that stands at a range instead.
struct Edit {
    operator: &'static str,
    range: [usize; 2],
    text: String,
}

struct Text<'a> {
    source: &'a str,
    tokens: &'a [Token],
}

/// Functions that change their first argument a little: without them it stays as it is.
const FINISHING: &[&str] = &[
    "abs",
    "activate",
    "activate4",
    "ceil",
    "clamp",
    "finish",
    "finish4",
    "finish_row",
    "floor",
    "fract",
    "kept",
    "narrow",
    "round",
    "sqrt",
    "trunc",
];

/// Functions that are taken for one another.
const LIKE: &[[&str; 2]] = &[["min", "max"], ["floor", "ceil"], ["any", "all"]];

/// Marks that are taken for one another, with the name of the change.
const MARKS: &[(&str, &str, &str)] = &[
    ("+", "-", "sign"),
    ("-", "+", "sign"),
    ("*", "/", "product"),
    ("/", "*", "product"),
    ("%", "/", "product"),
    ("+=", "-=", "sign"),
    ("-=", "+=", "sign"),
    ("*=", "/=", "product"),
    ("/=", "*=", "product"),
    ("<", "<=", "border"),
    ("<=", "<", "border"),
    (">", ">=", "border"),
    (">=", ">", "border"),
    ("==", "!=", "equality"),
    ("!=", "==", "equality"),
    ("&&", "||", "logic"),
    ("||", "&&", "logic"),
    ("<<", ">>", "bits"),
    (">>", "<<", "bits"),
    ("&", "|", "bits"),
    ("|", "&", "bits"),
    ("^", "&", "bits"),
];

impl Text<'_> {
    fn at(&self, k: usize) -> &str {
        self.tokens.get(k).map_or("", |t| &self.source[t.start..t.end])
    }

    fn range(&self, k: usize) -> [usize; 2] {
        [self.tokens[k].start, self.tokens[k].end]
    }

    /// Which tokens belong to declarations of params, bindings, overrides and sizes of workgroups, which the host prescribes.
    fn declarations(&self) -> Vec<bool> {
        let mut declared = vec![false; self.tokens.len()];
        let mut depth = 0;
        for k in 0..self.tokens.len() {
            let end = match self.at(k) {
                "struct" => self.first(k, "}"),
                "override" | "alias" => self.first(k, ";"),
                "var" if depth == 0 => self.first(k, ";"),
                "@" if self.at(k + 2) == "(" => self.closing(k + 2),
                "@" => Some(k + 1),
                _ => None,
            };
            match self.at(k) {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if let Some(end) = end {
                declared[k..=end].fill(true);
            }
        }
        declared
    }

    /// The first such token from the k-th on.
    fn first(&self, k: usize, mark: &str) -> Option<usize> {
        (k..self.tokens.len()).find(|&j| self.at(j) == mark)
    }

    /// The bracket that closes the k-th token.
    fn closing(&self, k: usize) -> Option<usize> {
        let mut depth = 0;
        for j in k..self.tokens.len() {
            match self.at(j) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(j);
            }
        }
        None
    }

    /// Whether an operand ends before the k-th token.
    fn is_binary(&self, k: usize) -> bool {
        let Some(before) = k.checked_sub(1) else { return false };
        self.at(before) != "return" && (self.tokens[before].kind != Kind::Mark || [")", "]"].contains(&self.at(before)))
    }

    fn is_spaced(&self, k: usize) -> bool {
        self.source[..self.tokens[k].start].ends_with(char::is_whitespace)
    }

    fn mark_edits(&self, k: usize, out: &mut Vec<Edit>) {
        let mark = self.at(k);
        let mut push = |operator, text: &str| out.push(Edit { operator, range: self.range(k), text: text.to_owned() });
        // A `<` without a space belongs to a type.
        let is_type = ["<", ">"].contains(&mark) && !self.is_spaced(k);
        if self.is_binary(k) && !is_type {
            MARKS.iter().filter(|(from, ..)| *from == mark).for_each(|(_, to, operator)| push(operator, to));
        } else if mark == "-" {
            push("sign", "");
        } else if mark == "!" {
            push("not", "");
        }
    }

    fn number_edits(&self, k: usize, out: &mut Vec<Edit>) {
        let number = self.at(k);
        let digits = number.trim_end_matches(['u', 'i']);
        let Ok(value) = digits.parse::<i64>() else { return };
        let suffix = &number[digits.len()..];
        for other in [value + 1, value - 1] {
            if other >= 0 {
                out.push(Edit { operator: "off by one", range: self.range(k), text: format!("{other}{suffix}") });
            }
        }
    }

    fn name_edits(&self, k: usize, out: &mut Vec<Edit>) {
        let name = self.at(k);
        let mut push = |operator, text: &str| out.push(Edit { operator, range: self.range(k), text: text.to_owned() });
        match name {
            "true" => push("bool", "false"),
            "false" => push("bool", "true"),
            "x" | "y" | "z" | "w" if self.is_member(k) => {
                let other = match name {
                    "x" => "y",
                    "y" => "x",
                    "z" => "w",
                    _ => "z",
                };
                push("component", other);
            }
            _ if self.is_declared_here(k) => {}
            _ => {
                let known = |other: &String| self.tokens.iter().enumerate().any(|(j, _)| self.at(j) == other);
                swaps::of(name).iter().filter(|other| known(other)).for_each(|other| push("axis", other));
            }
        }
    }

    fn is_member(&self, k: usize) -> bool {
        k > 0 && self.at(k - 1) == "."
    }

    /// Whether the name is that of a variable, a function or an argument where it is declared.
    fn is_declared_here(&self, k: usize) -> bool {
        self.at(k + 1) == ":" || k > 0 && ["let", "var", "const", "fn", "struct"].contains(&self.at(k - 1))
    }

    fn call_edits(&self, k: usize, out: &mut Vec<Edit>) {
        let is_call = self.at(k + 1) == "(" && !(k > 0 && self.at(k - 1) == "fn");
        let Some(end) = self.closing(k + 1).filter(|_| is_call) else { return };
        let name = self.at(k);
        for [a, b] in LIKE {
            if let Some(other) = (name == *a).then_some(b).or((name == *b).then_some(a)) {
                out.push(Edit { operator: "extremum", range: self.range(k), text: (*other).to_owned() });
            }
        }
        let whole = [self.tokens[k].start, self.tokens[end].end];
        let arguments = self.arguments(k + 1, end);
        let mut push = |operator, text: String| out.push(Edit { operator, range: whole, text });
        match &arguments[..] {
            [first, ..] if FINISHING.contains(&name) => push("call", format!("({first})")),
            [no, yes, condition] if name == "select" => push("select", format!("select({yes}, {no}, {condition})")),
            [a, b, c] if name == "fma" => push("compensation", format!("(({a}) * ({b}) + ({c}))")),
            [a, b, _] if name == "apart" => push("compensation", format!("(({a}) - ({b}))")),
            [a, b, ..] if !["min", "max", "dot"].contains(&name) && a != b => {
                let rest = arguments[2..].iter().map(|a| format!(", {a}")).collect::<String>();
                push("argument", format!("{name}({b}, {a}{rest})"));
            }
            _ => {}
        }
    }

    /// The texts between two brackets, apart by commas.
    fn arguments(&self, open: usize, close: usize) -> Vec<&str> {
        let mut out = vec![];
        let mut start = self.tokens[open].end;
        let mut depth = 0;
        for k in open + 1..=close {
            match self.at(k) {
                "," if depth == 0 => {}
                _ if k == close => {}
                "(" | "[" | "{" => {
                    depth += 1;
                    continue;
                }
                ")" | "]" | "}" => {
                    depth -= 1;
                    continue;
                }
                _ => continue,
            }
            out.push(self.source[start..self.tokens[k].start].trim());
            start = self.tokens[k].end;
        }
        out.retain(|argument| !argument.is_empty());
        out
    }

    /// Leaves out a statement that begins with the k-th token.
    fn statement_edits(&self, k: usize, out: &mut Vec<Edit>) {
        let begins = k > 0 && ["{", "}", ";"].contains(&self.at(k - 1));
        if !begins {
            return;
        }
        let name = self.at(k);
        let (operator, end) = match name {
            "workgroupBarrier" | "storageBarrier" => ("barrier", self.first(k, ";")),
            "continue" => ("statement", self.first(k, ";")),
            "if" => ("branch", self.branch_end(k)),
            "let" | "var" | "const" | "for" | "loop" | "while" | "switch" | "return" | "break" | "fn" | "case" => {
                return;
            }
            _ if self.tokens[k].kind == Kind::Name => ("statement", self.first(k, ";")),
            _ => return,
        };
        if let Some(end) = end {
            let range = [self.tokens[k].start, self.tokens[end].end];
            out.push(Edit { operator, range, text: String::new() });
        }
    }

    /// The end of an `if` without `else`.
    fn branch_end(&self, k: usize) -> Option<usize> {
        let end = self.closing(self.first(k, "{")?)?;
        (self.at(end + 1) != "else").then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the line that is all of a function.
    fn of(line: &str, operator: &str) -> Vec<String> {
        let source = format!("fn f(i: u32) -> u32 {{\n{line}\nreturn i; }}");
        let all = mutants("f.wgsl", &source);
        all.into_iter().filter(|m| m.operator == operator && m.line == 2).map(|m| m.after).collect()
    }

    #[test]
    fn marks_and_numbers() {
        assert_eq!(of("let a = -b + 1u;", "sign"), ["let a = b + 1u;", "let a = -b - 1u;"]);
        assert_eq!(of("let a = vec4<u32>(b < c);", "border"), ["let a = vec4<u32>(b <= c);"]);
        assert_eq!(of("let a = b[1u];", "off by one"), ["let a = b[2u];", "let a = b[0u];"]);
        assert_eq!(of("let a = 0u * 1.5;", "off by one"), ["let a = 1u * 1.5;"]);
    }

    #[test]
    fn names() {
        assert_eq!(of("let oy = p.sx + p.sy;", "axis"), ["let oy = p.sy + p.sy;", "let oy = p.sx + p.sx;"]);
        assert_eq!(of("let a = v.z;", "component"), ["let a = v.w;"]);
        assert_eq!(of("let a = true;", "bool"), ["let a = false;"]);
    }

    #[test]
    fn calls() {
        assert_eq!(of("let a = min(b, c);", "extremum"), ["let a = max(b, c);"]);
        assert_eq!(of("let a = clamp(b, c, d(e, g));", "call"), ["let a = (b);"]);
        assert_eq!(of("let a = select(b, c[0], d);", "select"), ["let a = select(c[0], b, d);"]);
        assert_eq!(of("let a = fma(b, c, d);", "compensation"), ["let a = ((b) * (c) + (d));"]);
        assert_eq!(of("let a = load(r, c);", "argument"), ["let a = load(c, r);"]);
    }

    #[test]
    fn statements() {
        assert_eq!(of("workgroupBarrier();", "barrier"), [""]);
        assert_eq!(of("if HAS { v += b; }", "branch"), [""]);
        assert_eq!(of("if HAS { v += b; }", "statement"), ["if HAS { }"]);
        assert!(of("if HAS { v += b; } else { v = c; }", "branch").is_empty());
    }

    #[test]
    fn what_the_host_prescribes_stays() {
        let source = "struct P { n: u32 }\n@group(0) @binding(0) var<uniform> p: P;\noverride A: u32 = 1u;\n\
                      @compute @workgroup_size(64) fn main() {}";
        assert_eq!(mutants("f.wgsl", source), []);
    }
}
