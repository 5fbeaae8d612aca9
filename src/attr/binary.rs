//! Functions of two numbers.

use super::attribute;

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BinaryKind {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a b
    Mul,
    /// a / b; integers truncate toward 0, and a / 0 is 0
    Div,
    /// The larger; NaN if either is
    Maximum,
    /// The smaller; NaN if either is
    Minimum,
    /// a to the power b; of integers, a negative power truncates toward 0
    Pow,
    /// Remainder with the sign of b (ONNX `Mod`); of integers 0 where b is 0, of floats NaN
    Mod,
    /// Remainder with the sign of a (ONNX `Mod`, `fmod = 1`); of integers 0 where b is 0, of floats NaN
    Fmod,
    /// a = b
    Equal,
    /// a < b
    Less,
    /// a > b
    Greater,
    /// a <= b
    LessOrEqual,
    /// a >= b
    GreaterOrEqual,
    /// Both
    And,
    /// At least one
    Or,
    /// Exactly one
    Xor,
    /// a, or b a where a is not above 0: a parametric relu
    Prelu,
}

attribute!(
    enum BinaryKind, "OP" {
        Add,
        Sub,
        Mul,
        Div,
        Maximum,
        Minimum,
        Pow,
        Mod,
        Fmod,
        Equal,
        Less,
        Greater,
        LessOrEqual,
        GreaterOrEqual,
        And,
        Or,
        Xor,
        Prelu,
    }
);

use BinaryKind::*;

impl BinaryKind {
    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Add => "add",
            Sub => "sub",
            Mul => "mul",
            Div => "div",
            Maximum => "maximum",
            Minimum => "minimum",
            Pow => "pow",
            Mod => "mod",
            Fmod => "fmod",
            Equal => "equal",
            Less => "less",
            Greater => "greater",
            LessOrEqual => "less_or_equal",
            GreaterOrEqual => "greater_or_equal",
            And => "and",
            Or => "or",
            Xor => "xor",
            Prelu => "prelu",
        }
    }
    /// Whether it is a comparison of a and b.
    pub fn is_comparison(self) -> bool {
        matches!(self, Equal | Less | Greater | LessOrEqual | GreaterOrEqual)
    }

    /// Whether it is a function of booleans.
    pub fn is_logical(self) -> bool {
        matches!(self, And | Or | Xor)
    }
}
