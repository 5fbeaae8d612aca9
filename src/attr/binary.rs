//! Functions of two numbers.

use super::attribute;

attribute! {
    /// A function of two numbers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum BinaryKind, "OP", named {
        /// a + b
        Add = "add",
        /// a - b
        Sub = "sub",
        /// a b
        Mul = "mul",
        /// a / b; integers truncate toward 0, and a / 0 is 0
        Div = "div",
        /// The larger; NaN if either is
        Maximum = "maximum",
        /// The smaller; NaN if either is
        Minimum = "minimum",
        /// a to the power b; of integers, a negative power truncates toward 0
        Pow = "pow",
        /// Remainder with the sign of b (ONNX `Mod`); of integers 0 where b is 0, of floats NaN
        Mod = "mod",
        /// Remainder with the sign of a (ONNX `Mod`, `fmod = 1`); of integers 0 where b is 0, of floats NaN
        Fmod = "fmod",
        /// a = b
        Equal = "equal",
        /// a < b
        Less = "less",
        /// a > b
        Greater = "greater",
        /// a <= b
        LessOrEqual = "less_or_equal",
        /// a >= b
        GreaterOrEqual = "greater_or_equal",
        /// Both; of integers bit by bit
        And = "and",
        /// At least one; of integers bit by bit
        Or = "or",
        /// Exactly one; of integers bit by bit
        Xor = "xor",
        /// a times 2 to the power b, of integers; 0 where b is negative or not less than the number of a's bits
        ShiftLeft = "shift_left",
        /// a divided by 2 to the power b and rounded down, of integers; where b is negative or not less than the number of a's
        /// bits, what is left of a is its sign: 0, or -1 below 0
        ShiftRight = "shift_right",
        /// a, or b a where a is not above 0: a parametric relu
        Prelu = "prelu",
    }
}

use BinaryKind::*;

impl BinaryKind {
    /// Whether it is a comparison of a and b.
    pub fn is_comparison(self) -> bool {
        matches!(self, Equal | Less | Greater | LessOrEqual | GreaterOrEqual)
    }

    /// Whether it is a function of booleans, and of the bits of integers.
    pub fn is_logical(self) -> bool {
        matches!(self, And | Or | Xor)
    }

    /// Whether it is a function of the bits of integers, and of no floats.
    pub fn is_of_bits(self) -> bool {
        self.is_logical() || matches!(self, ShiftLeft | ShiftRight)
    }
}
