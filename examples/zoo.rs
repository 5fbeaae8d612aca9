//! Classifies a random image with an architecture of the zoo.
//!
//! `cargo run --release --example zoo -- resnet18 [resnet18.safetensors]`
//!
//! The file holds torchvision's state: `safetensors.torch.save_file(model.state_dict(), "resnet18.safetensors")`.
//! Without a file the weights are seeded random numbers.

use std::error::Error;

use convgpu::nn::{Module, manual_seed, zoo};
use convgpu::{CompileOptions, Desc, Device, Result, Tensor};

const CLASSES: usize = 1000;
const SHAPE: [usize; 4] = [1, 3, 224, 224];

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().map_or("resnet18", String::as_str);
    let Some((_, make)) = zoo::ARCHITECTURES.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = zoo::ARCHITECTURES.iter().map(|(known, _)| *known).collect();
        let known = known.join(", ");
        return Err(format!("there is no {name}; architectures: {known}").into());
    };
    manual_seed(1);
    let mut net = make(CLASSES);
    if let Some(file) = args.get(1) {
        net.load(file)?;
    }
    net.eval();

    let device = Device::new()?;
    let session = net.compile(&device, Desc::f32(SHAPE), CompileOptions::new())?;
    println!("{session}\n{} parameters", net.num_parameters());

    let outputs = session.run(&[("x", &noise()?)])?;
    let logits = outputs.first().to_f64s();
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    classes.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    classes.iter().take(5).for_each(|&class| println!("class {class:>4}  logit {:.4}", logits[class]));
    Ok(())
}

/// A random image, as normalised pixels are: uniform in [-2, 2), from a linear congruential generator.
fn noise() -> Result<Tensor> {
    let mut state = 1u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 22) as f32 - 2.0
    };
    Tensor::new(SHAPE, (0..SHAPE.iter().product()).map(next).collect::<Vec<f32>>())
}
