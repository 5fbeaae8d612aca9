//! Loads weights with torchvision's names into a network of `nn::zoo`, and gets the result of a layer inside it.
//!
//! Python writes such a file with
//! `safetensors.torch.save_file(torchvision.models.resnet18(weights="DEFAULT").state_dict(),
//! "resnet18.safetensors")`. `cargo run --example torchvision_weights [FILE]`; without a file it first writes one with
//! random weights.

use std::path::PathBuf;

use convgpu::nn::{Module, StateDict, manual_seed, zoo};
use convgpu::{CompileOptions, Desc, Device, Result, Session, Tensor};

fn main() -> Result<()> {
    let file = std::env::args().nth(1).map_or_else(own_file, |f| Ok(PathBuf::from(f)))?;
    let mut net = zoo::resnet18(1000);
    net.load(&file)?;
    net.eval();
    let weight = StateDict::read(&file)?;
    let weight = weight.get("layer1.0.conv1.weight").expect("torchvision's name");
    assert_eq!(weight.shape(), [64, 64, 3, 3]);

    // The features before the classifier, and its output.
    let graph = net.graph_with_outputs(Desc::f32([1, 3, 96, 64]), &["layer3", "layer4.1.conv2", "out"])?;
    let session = Session::new(&Device::new()?, graph, CompileOptions::new())?;
    let outputs = session.run(&[("x", &Tensor::full([1, 3, 96, 64], 0.5f32))])?;
    for (name, tensor) in &outputs {
        println!("{name}: {}", tensor.desc());
    }
    assert_eq!(outputs["layer3"].shape(), [1, 256, 6, 4]);
    assert_eq!(outputs["out"].shape(), [1, 1000]);
    // The output of a ReLU is not negative.
    assert!(outputs["layer3"].as_slice::<f32>()?.iter().all(|v| *v >= 0.0));
    Ok(())
}

/// A file as torchvision would write it, with random weights.
fn own_file() -> Result<PathBuf> {
    manual_seed(7);
    let file = std::env::temp_dir().join(format!("convgpu-resnet18-{}.safetensors", std::process::id()));
    zoo::resnet18(1000).save(&file)?;
    Ok(file)
}
