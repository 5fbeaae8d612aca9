//! Functions of single elements, of every type that the operator allows.

use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, Val, code};
use crate::onnx_build::{float, int, string};

const INTEGERS: [DType; 7] = [DType::U8, DType::I8, DType::U16, DType::I16, DType::U32, DType::I32, DType::I64];
const SIGNED: [DType; 4] = [DType::I8, DType::I16, DType::I32, DType::I64];

impl Net {
    /// A type, mostly one of the two that every engine has.
    pub fn integer(&mut self) -> DType {
        if self.flag() { self.one(&[DType::I32, DType::I64]) } else { self.one(&INTEGERS) }
    }

    fn any_type(&mut self) -> DType {
        match self.rng.int(0, 3) {
            0 | 1 => DType::F32,
            2 => self.integer(),
            _ => self.one(&[DType::Bool, DType::I64, DType::F64]),
        }
    }

    /// Two shapes that broadcast: extents of 1 in either, missing axes in either.
    pub fn two_shapes(&mut self) -> [Vec<usize>; 2] {
        let rank = self.rng.int(0, 5);
        let whole = self.shape(rank);
        let part = |net: &mut Net| {
            let from = if net.flag() { 0 } else { net.rng.int(0, rank) };
            whole[from..].iter().map(|&n| if net.rng.int(0, 3) == 0 { 1 } else { n }).collect()
        };
        [part(self), part(self)]
    }

    pub fn two(&mut self, a: Tensor, b: Tensor) -> [Val; 2] {
        match self.rng.int(0, 3) {
            0 => [self.constant(&a), self.input(b)],
            1 => [self.input(a), self.constant(&b)],
            _ => [self.input(a), self.input(b)],
        }
    }
}

/// Functions of any float without attributes.
pub fn smooth(net: &mut Net) -> Drawn {
    const ALL: [&str; 11] =
        ["Abs", "Neg", "Relu", "Sigmoid", "Softplus", "Softsign", "Tanh", "Erf", "Exp", "HardSwish", "Mish"];
    let op = net.one(&ALL);
    net.at_least(match op {
        "Mish" => 18,
        "HardSwish" => 14,
        _ => 0,
    });
    of_any_float(net, op)
}

/// Functions of angles, and their inverses.
pub fn angles(net: &mut Net) -> Drawn {
    let op = net.one(&["Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Atanh"]);
    of_any_float(net, op)
}

fn of_any_float(net: &mut Net, op: &str) -> Drawn {
    let rank = net.rng.int(0, 5);
    let shape = net.shape(rank);
    let x = net.floats(&shape);
    let x = net.input(x);
    Ok(vec![net.add(op, &[&x], vec![])?])
}

/// Functions that are defined for positive numbers only, or grow near 0.
pub fn of_positive(net: &mut Net) -> Drawn {
    let shape = net.shape(3);
    let x = net.positive(&shape);
    let x = net.input(x);
    let op = net.one(&["Sqrt", "Log", "Reciprocal", "Acosh"]);
    Ok(vec![net.add(op, &[&x], vec![])?])
}

/// Functions with parameters.
pub fn with_attributes(net: &mut Net) -> Drawn {
    let rank = net.rng.int(1, 4);
    let shape = net.shape(rank);
    let x = net.floats(&shape);
    let x = net.input(x);
    let v = net.rng.int(1, 9) as f32 / 10.0;
    let w = net.rng.int(1, 9) as f32 / 10.0;
    let given = net.flag();
    let (op, mut attributes) = match net.rng.int(0, 9) {
        0 => ("LeakyRelu", vec![float("alpha", v)]),
        1 => ("Elu", vec![float("alpha", v)]),
        2 => ("Selu", vec![float("alpha", v), float("gamma", w)]),
        3 => ("Celu", vec![float("alpha", v)]),
        4 => ("HardSigmoid", vec![float("alpha", v), float("beta", w)]),
        // Thresholds lie between the values of the input.
        5 => ("ThresholdedRelu", vec![float("alpha", v + 0.07)]),
        6 => ("Shrink", vec![float("bias", v), float("lambd", w + 0.07)]),
        7 => ("Gelu", vec![string("approximate", "tanh")]),
        8 => ("Swish", vec![float("alpha", 2.0 * v)]),
        _ => ("Gelu", vec![]),
    };
    if !given && !matches!(op, "ThresholdedRelu" | "Shrink") {
        attributes.clear();
    }
    net.at_least(match op {
        "Swish" => 24,
        "Gelu" => 20,
        "Celu" => 12,
        _ => 0,
    });
    Ok(vec![net.add(op, &[&x], attributes)?])
}

/// Functions with steps, of values that are exact.
pub fn steps(net: &mut Net) -> Drawn {
    let shape = net.shape(3);
    let x = net.floats(&shape);
    let x = net.input(x);
    let op = net.one(&["Floor", "Ceil", "Round", "Sign"]);
    Ok(vec![net.add(op, &[&x], vec![])?])
}

/// NaNs, infinities and zeros of both signs.
pub fn extremes(net: &mut Net) -> Drawn {
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1.0, -1.0, 3.0e38];
    let drawn: Vec<f32> = (0..12).map(|_| net.one(&values)).collect();
    let x = net.input(Tensor::new([3, 4], drawn).unwrap());
    let op = net.one(&["IsNaN", "IsInf", "Relu", "Abs", "Neg", "Sign", "Clip", "Max"]);
    match op {
        "Clip" => {
            let (low, high) = (net.number_alone(-0.5), net.number_alone(0.5));
            Ok(vec![net.add(op, &[&x, &low, &high], vec![])?])
        }
        "Max" => {
            let y = net.number(0.25);
            Ok(vec![net.add(op, &[&x, &y], vec![])?])
        }
        "IsInf" => {
            let (below, above) = (i64::from(net.flag()), i64::from(net.flag()));
            Ok(vec![net.add(op, &[&x], vec![int("detect_negative", below), int("detect_positive", above)])?])
        }
        _ => Ok(vec![net.add(op, &[&x], vec![])?]),
    }
}

pub fn of_integers(net: &mut Net) -> Drawn {
    let op = net.one(&["Abs", "Neg", "Sign", "Relu", "Not"]);
    let dtype = match op {
        "Not" => DType::Bool,
        "Neg" | "Relu" => net.one(&SIGNED),
        _ => net.integer(),
    };
    let shape = net.shape(3);
    let x = net.values(&shape, dtype);
    let x = net.input(x);
    net.at_least(14);
    Ok(vec![net.add(op, &[&x], vec![])?])
}

/// Sums, products, quotients of any type and of shapes that broadcast.
pub fn arithmetic(net: &mut Net) -> Drawn {
    net.at_least(14);
    let dtype = match net.any_type() {
        DType::Bool => DType::F32,
        dtype => dtype,
    };
    let [a, b] = net.two_shapes();
    let op = net.one(&["Add", "Sub", "Mul", "Div"]);
    let (a, b) = (
        net.values(&a, dtype),
        match op {
            "Div" if dtype.is_float() => net.positive(&b).to_dtype(dtype),
            "Div" => net.integers(&b, dtype, 1, 5),
            _ => net.values(&b, dtype),
        },
    );
    let [a, b] = net.two(a, b);
    Ok(vec![net.add(op, &[&a, &b], vec![])?])
}

/// Integers of 8 to 32 bits wrap around.
pub fn overflow(net: &mut Net) -> Drawn {
    net.at_least(14);
    let (dtype, low, high) = net.one(&[
        (DType::U8, 0, 255),
        (DType::I8, -128, 127),
        (DType::U16, 0, 65_535),
        (DType::I16, -32_768, 32_767),
        (DType::I32, -2_147_483_648, 2_147_483_647),
        (DType::U32, 0, 4_294_967_295),
    ]);
    let shape = net.shape(2);
    let (a, b) = (net.integers(&shape, dtype, low, high), net.integers(&shape, dtype, low, high));
    let [a, b] = net.two(a, b);
    let op = net.one(&["Add", "Sub", "Mul", "Max", "Min", "Less"]);
    Ok(vec![net.add(op, &[&a, &b], vec![])?])
}

pub fn power(net: &mut Net) -> Drawn {
    net.at_least(13);
    let [a, b] = net.two_shapes();
    let base = if net.flag() { DType::F32 } else { net.one(&[DType::I32, DType::I64]) };
    let exponent = net.one(&[DType::F32, DType::I32, DType::I64]);
    let a = if base == DType::F32 { net.positive(&a) } else { net.integers(&a, base, 0, 5) };
    let b = net.integers(&b, exponent, 0, 4);
    let [a, b] = net.two(a, b);
    Ok(vec![net.add("Pow", &[&a, &b], vec![])?])
}

pub fn modulo(net: &mut Net) -> Drawn {
    let [a, b] = net.two_shapes();
    let dtype = if net.flag() { DType::F32 } else { net.integer() };
    let divisor = match dtype {
        DType::F32 => net.positive(&b),
        DType::U8 | DType::U16 | DType::U32 => net.integers(&b, dtype, 1, 5),
        _ if net.flag() => net.integers(&b, dtype, -5, -1),
        _ => net.integers(&b, dtype, 1, 5),
    };
    let fmod = i64::from(dtype == DType::F32 || net.flag());
    let a = net.values(&a, dtype);
    let [a, b] = net.two(a, divisor);
    Ok(vec![net.add("Mod", &[&a, &b], vec![int("fmod", fmod)])?])
}

pub fn comparison(net: &mut Net) -> Drawn {
    net.at_least(13);
    let op = net.one(&["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"]);
    let dtype = match net.any_type() {
        DType::Bool if op != "Equal" => DType::I64,
        dtype => dtype,
    };
    let [a, b] = net.two_shapes();
    let (a, b) = (net.values(&a, dtype), net.values(&b, dtype));
    let [a, b] = net.two(a, b);
    Ok(vec![net.add(op, &[&a, &b], vec![])?])
}

pub fn logic(net: &mut Net) -> Drawn {
    let [a, b] = net.two_shapes();
    let (a, b) = (net.values(&a, DType::Bool), net.values(&b, DType::Bool));
    let [a, b] = net.two(a, b);
    let op = net.one(&["And", "Or", "Xor"]);
    Ok(vec![net.add(op, &[&a, &b], vec![])?])
}

/// Operators of any number of inputs.
pub fn variadic(net: &mut Net) -> Drawn {
    net.at_least(13);
    let op = net.one(&["Max", "Min", "Sum", "Mean"]);
    let dtype = if op.starts_with('M') && op != "Mean" && net.flag() { net.integer() } else { DType::F32 };
    let [a, b] = net.two_shapes();
    let mut inputs = vec![];
    for k in 0..net.rng.int(1, 4) {
        let tensor = net.values(if k % 2 == 0 { &a } else { &b }, dtype);
        inputs.push(if k == 0 { net.input(tensor) } else { net.either(tensor) });
    }
    Ok(vec![net.add(op, &inputs.iter().collect::<Vec<_>>(), vec![])?])
}

pub fn choice(net: &mut Net) -> Drawn {
    let [a, b] = net.two_shapes();
    let dtype = net.any_type();
    let of = if net.flag() { &a } else { &b };
    let mask = net.values(of, DType::Bool);
    let (a, b) = (net.values(&a, dtype), net.values(&b, dtype));
    let mask = net.input(mask);
    let [a, b] = net.two(a, b);
    Ok(vec![net.add("Where", &[&mask, &a, &b], vec![])?])
}

pub fn clip(net: &mut Net) -> Drawn {
    net.at_least(13);
    let shape = net.shape(3);
    let dtype = if net.flag() { DType::F32 } else { net.integer() };
    let x = net.values(&shape, dtype);
    let x = net.input(x);
    let limit = |net: &mut Net, v: i64| match net.rng.int(0, 3) {
        0 => Net::none(),
        _ => {
            let tensor = Tensor::new([], vec![v]).unwrap().to_dtype(dtype);
            net.either(tensor)
        }
    };
    let (low, high) = (limit(net, 1), limit(net, 2));
    if high.name.is_empty() && low.name.is_empty() {
        return Ok(vec![net.add("Clip", &[&x], vec![])?]);
    }
    let inputs = [&x, &low, &high];
    let given = if high.name.is_empty() { 2 } else { 3 };
    Ok(vec![net.add("Clip", &inputs[..given], vec![])?])
}

pub fn prelu(net: &mut Net) -> Drawn {
    let rank = net.rng.int(2, 4);
    let shape = net.shape(rank);
    let from = net.rng.int(0, rank - 1);
    let slope: Vec<usize> = shape[from..].iter().map(|&n| if net.flag() { 1 } else { n }).collect();
    let (x, slope) = (net.floats(&shape), net.floats(&slope));
    let (x, slope) = (net.input(x), net.either(slope));
    Ok(vec![net.add("PRelu", &[&x, &slope], vec![])?])
}

/// One conversion after another. Values fit every type, or a narrower integer keeps the low bits of a wider one.
pub fn casts(net: &mut Net) -> Drawn {
    const TYPES: [DType; 10] = [
        DType::F32,
        DType::F64,
        DType::I8,
        DType::U8,
        DType::I16,
        DType::U16,
        DType::I32,
        DType::U32,
        DType::I64,
        DType::Bool,
    ];
    let from = net.one(&TYPES);
    let shape = net.shape(2);
    let tensor = match from {
        DType::I32 | DType::I64 => net.integers(&shape, from, -70_000, 70_000),
        // Negative floats as unsigned integers are not defined.
        DType::F32 | DType::F64 => net.positive(&shape).to_dtype(from),
        DType::Bool => net.values(&shape, from),
        _ => net.integers(&shape, from, 0, 100),
    };
    let mut x = net.input(tensor);
    for _ in 0..net.rng.int(1, 4) {
        let wide = matches!(x.dtype(), DType::F32 | DType::F64);
        let was_negative = matches!(from, DType::I32 | DType::I64);
        let to = if wide && was_negative { net.one(&[DType::I32, DType::I64, DType::Bool]) } else { net.one(&TYPES) };
        x = if net.rng.int(0, 3) == 0 {
            net.at_least(15);
            let like = net.constant(&Tensor::scalar(1.0f32).to_dtype(to));
            net.add("CastLike", &[&x, &like], vec![])?
        } else {
            net.add("Cast", &[&x], vec![int("to", code(to).into())])?
        };
    }
    Ok(vec![x])
}
