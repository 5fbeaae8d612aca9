//! A folder of images through a network: handwritten digits through LeNet-5, read from an ONNX file.
//!
//! `cargo run --features image --example image_folder [FOLDER]`; the feature gives `Tensor::from_image`.

use std::error::Error;
use std::path::{Path, PathBuf};

use convgpu::{Device, Model, Tensor, image};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::args().nth(1).map_or(root.join("examples/digits"), PathBuf::from);
    let device = Device::new()?;
    let session = Model::load(root.join("tests/models/lenet5_mnist.onnx"))?.compile(&device)?;
    println!("{session}");

    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.sort();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "png")) {
        let probabilities = session.run(&[("input", &digit(file)?)])?.into_first().into_vec::<f32>()?;
        let best = (0..10).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).expect("ten classes");
        println!("{}: {best} ({:.1} %)", file.display(), 100.0 * probabilities[best]);
        // The files of the repository are named after their digits.
        assert_eq!(file.file_stem().and_then(|s| s.to_str()), Some(best.to_string().as_str()));
    }
    Ok(())
}

/// The image as the network takes it: `[1, 1, 28, 28]`, ink 1 on paper 0.
fn digit(file: &Path) -> Result<Tensor, Box<dyn Error>> {
    let grey = Tensor::from_image(&image::open(file)?.resize_exact(28, 28, image::imageops::Triangle));
    let red = grey.into_vec::<f32>()?[..28 * 28].to_vec(); // a grey image has three equal channels
    Ok(Tensor::new([1, 1, 28, 28], red)?)
}
