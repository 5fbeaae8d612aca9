//! The tokens of WGSL.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Name,
    Number,
    Mark,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Marks of more than one character, longest first.
const MARKS: &[&str] =
    &["<<=", ">>=", "->", "==", "!=", "<=", ">=", "&&", "||", "<<", ">>", "+=", "-=", "*=", "/=", "%=", "++", "--"];

/// The tokens of a text without its comments.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut out = vec![];
    let mut at = 0;
    while let Some(c) = source[at..].chars().next() {
        let rest = &source[at..];
        let (kind, length) = match c {
            _ if c.is_whitespace() => (None, c.len_utf8()),
            _ if rest.starts_with("//") => (None, rest.find('\n').unwrap_or(rest.len())),
            '0'..='9' => (Some(Kind::Number), number(rest)),
            _ if is_of_name(c) => (Some(Kind::Name), rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())),
            _ => (Some(Kind::Mark), MARKS.iter().find(|m| rest.starts_with(**m)).map_or(c.len_utf8(), |m| m.len())),
        };
        out.extend(kind.map(|kind| Token { kind, start: at, end: at + length }));
        at += length;
    }
    out
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the number that the text begins with.
fn number(text: &str) -> usize {
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let is_sign = "+-".contains(c) && "eE".contains(before) && !text.starts_with("0x");
        if !(c.is_alphanumeric() || c == '.' || is_sign) {
            return at;
        }
        before = c;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fall_into_tokens() {
        let texts = |source: &'static str| -> Vec<&str> {
            tokens(source).into_iter().map(|t| &source[t.start..t.end]).collect()
        };
        assert_eq!(texts("a<=b1 // c\n+= 2u"), ["a", "<=", "b1", "+=", "2u"]);
        assert_eq!(texts("1.5e-3-0x1e-2.0"), ["1.5e-3", "-", "0x1e", "-", "2.0"]);
    }
}
