//! Random numbers. Each engine draws others, so the models compute what holds of all: a number is within its limits, and is known
//! where only one is possible.

use convgpu::{DType, Tensor};

use crate::net::{Drawn, Net, code};
use crate::onnx_build::{float, int, ints};

/// What a number exceeds its limits by: 0.
pub fn numbers(net: &mut Net) -> Drawn {
    net.at_least(13);
    let (normal, like) = (net.flag(), net.flag());
    // ONNX Runtime ends the program where all numbers of a normal distribution are the same.
    let single = !normal && net.flag();
    let middle = net.rng.int(0, 16) as f32 / 4.0 - 2.0;
    let spread = if single { 0.0 } else { net.rng.int(1, 8) as f32 / 4.0 };
    let (mut attributes, limit) = match normal {
        // Ten deviations are more than the numbers of a run will reach.
        true => (vec![float("mean", middle), float("scale", spread)], 10.0 * spread),
        false => (vec![float("low", middle - spread), float("high", middle + spread)], spread),
    };
    if net.flag() {
        attributes.push(float("seed", net.rng.int(0, 99) as f32));
    }
    let dtype = if net.rng.int(0, 3) == 0 { DType::F64 } else { DType::F32 };
    if dtype == DType::F64 || net.flag() {
        attributes.push(int("dtype", code(dtype).into()));
    }
    let rank = net.rng.int(0, 4);
    let shape = net.shape(rank);
    let op = if normal { "RandomNormal" } else { "RandomUniform" };
    let y = match like {
        true => {
            let x = net.floats(&shape);
            let x = net.input(x);
            net.add(&format!("{op}Like"), &[&x], attributes)?
        }
        false => {
            attributes.push(ints("shape", &shape.iter().map(|&n| n as i64).collect::<Vec<_>>()));
            net.add(op, &[], attributes)?
        }
    };
    net.hide(&y);
    let [low, high] = [middle - limit, middle + limit].map(|v| net.constant(&Tensor::scalar(v).to_dtype(dtype)));
    let within = net.add("Clip", &[&y, &low, &high], vec![])?;
    net.hide(&within);
    Ok(vec![net.add("Sub", &[&y, &within], vec![])?])
}

/// Of probabilities 0 and 1.
pub fn bernoulli(net: &mut Net) -> Drawn {
    net.at_least(15);
    let shape = net.shape(3);
    let x = net.integers(&shape, DType::F32, 0, 1);
    let x = net.input(x);
    let mut attributes = vec![];
    if net.flag() {
        let dtype = net.one(&[DType::F32, DType::F64, DType::I32, DType::I64, DType::Bool]);
        attributes.push(int("dtype", code(dtype).into()));
    }
    if net.flag() {
        attributes.push(float("seed", 3.0));
    }
    Ok(vec![net.add("Bernoulli", &[&x], attributes)?])
}

/// One class of each row is possible, the others have e to the -1000 of its probability.
pub fn multinomial(net: &mut Net) -> Drawn {
    let [rows, classes, samples] = [net.rng.int(1, 4), net.rng.int(1, 5), net.rng.int(1, 4)];
    let mut x = vec![-1000.0f32; rows * classes];
    for row in x.chunks_mut(classes) {
        row[net.rng.int(0, classes - 1)] = 0.0;
    }
    let x = net.input(Tensor::new([rows, classes], x).unwrap());
    let dtype = net.one(&[DType::I32, DType::I64]);
    let attributes = vec![int("dtype", code(dtype).into()), int("sample_size", samples as i64)];
    Ok(vec![net.add("Multinomial", &[&x], attributes)?])
}
