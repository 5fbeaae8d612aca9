//! Functions of one, two and three elements.

use crate::attr::{Activation, BinaryKind, HARD_SIGMOID, RELU6, SELU, Trigonometric};
use crate::conformance::draw::{Drawn, Draws, Fill, INTEGERS, Values};
use crate::ops::binary::Binary;
use crate::ops::cast::Cast;
use crate::ops::prelu::Prelu;
use crate::ops::select::Where;
use crate::ops::sine::Sine;
use crate::ops::trigonometry::Trigonometry;
use crate::ops::unary::Unary;
use crate::shape::{DType, Desc};

pub fn unary(r: &mut Draws) -> Drawn {
    use Activation::*;
    let (a, b) = (r.number(), r.number());
    let of_parameters = [
        Clamp { min: a.min(b), max: a.max(b) },
        Clamp { min: -a, max: b },
        LeakyRelu { slope: a },
        Elu { alpha: a },
        Celu { alpha: a },
        Swish { beta: a },
        Affine { alpha: a, beta: b },
        ScaledTanh { alpha: a, beta: b },
        Softplus { beta: a, threshold: b },
        Threshold { threshold: a - 1.0, value: b },
        ThresholdedRelu { alpha: a },
        FakeQuantize { scale: 0.25 * a.abs().max(0.01), low: -128.0, high: 127.0 },
        FakeQuantize { scale: 0.5, low: -3.0, high: 12.0 },
    ];
    let plain = [
        Identity,
        Relu,
        RELU6,
        SELU,
        HARD_SIGMOID,
        Gelu,
        GeluTanh,
        Sigmoid,
        Tanh,
        HardSwish,
        Mish,
        Softsign,
        Exp,
        Log,
        Sqrt,
        Reciprocal,
        Abs,
        Neg,
        Floor,
        Ceil,
        Round,
        Sign,
        Erf,
    ];
    let function = if r.rng.int(0, 2) == 0 { r.one(&of_parameters) } else { r.one(&plain) };
    let desc = if r.rng.int(0, 3) == 0 { r.any_desc(7) } else { Desc::f32(r.shape(5)) };
    let drawn = Drawn::new(Unary(function), vec![desc]);
    if matches!(function, Log | Sqrt | Reciprocal) { drawn.filled([Fill::Positive]) } else { drawn }
}

pub fn binary(r: &mut Draws) -> Drawn {
    use BinaryKind::*;
    let kinds = [
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
        ShiftLeft,
        ShiftRight,
        Prelu,
    ];
    let kind = r.one(&kinds);
    let (a, b) = r.broadcast();
    let dtype = match kind {
        And | Or | Xor if r.flag() => DType::Bool,
        kind if kind.is_of_bits() => r.one(&INTEGERS),
        _ => r.dtype(),
    };
    let drawn = Drawn::new(Binary(kind), vec![Desc::new(a, dtype), Desc::new(b, dtype)]);
    match kind {
        Pow if r.values != Values::Edges => drawn.filled([Fill::Positive, Fill::Any]),
        Div => drawn.filled([Fill::Any, Fill::Positive]),
        And | Or | Xor => drawn.filled([Fill::Bits, Fill::Bits]),
        // A device has 32 bits of an i64.
        ShiftLeft if dtype == DType::I64 => drawn.filled([Fill::Any, Fill::UpTo(28)]),
        ShiftLeft | ShiftRight => drawn.filled([Fill::Bits, r.one(&[Fill::UpTo(40), Fill::Any])]),
        // A quotient that overflows has no remainder.
        Mod | Fmod if r.values == Values::Edges => drawn.filled([Fill::Any, Fill::Positive]),
        _ => drawn,
    }
}

pub fn prelu(r: &mut Draws) -> Drawn {
    let shape = r.shape(4);
    let slope = vec![if r.flag() { 1 } else { shape.get(1).copied().unwrap_or(1) }];
    r.of(Prelu, &[&shape, &slope]).filled([Fill::Any, Fill::Finite])
}

pub fn select(r: &mut Draws) -> Drawn {
    let (a, b) = r.broadcast();
    let mask = if r.flag() { a.clone() } else { b.clone() };
    let dtype = r.dtype();
    Drawn::new(Where, vec![Desc::new(mask, DType::Bool), Desc::new(a, dtype), Desc::new(b, dtype)])
}

pub fn cast(r: &mut Draws) -> Drawn {
    let to = r.any_dtype();
    let desc = vec![r.any_desc(7)];
    Drawn::new(Cast { to }, desc)
}

pub fn sine(r: &mut Draws) -> Drawn {
    let cosine = r.flag();
    r.of_image(Sine { cosine })
}

pub fn trigonometry(r: &mut Draws) -> Drawn {
    use Trigonometric::*;
    let f = r.one(&[Tan, Asin, Acos, Atan, Sinh, Cosh, Asinh, Acosh, Atanh]);
    r.of_image(Trigonometry(f))
}
