//! Checks a layer on a device against the CPU reference, within the derived error bound of each output element.

use convgpu::nn::{Conv2d, Module, manual_seed};
use convgpu::verify::{VerifyOptions, compare, verify};
use convgpu::{CompileOptions, Desc, Device, Result, Session, Tensor};

fn main() -> Result<()> {
    manual_seed(3);
    let conv = Conv2d::new(3, 8, (3, 5)).stride(2).padding((1, 2));
    let graph = conv.graph(Desc::f32([2, 3, 19, 23]))?;
    let pixels: Vec<f32> = (0..2 * 3 * 19 * 23).map(|i| (i as f32 * 0.37).sin()).collect();
    let x = Tensor::new([2, 3, 19, 23], pixels)?;

    let device = Device::new()?;
    let report = verify(&device, &graph, &[("x", &x)], &VerifyOptions::new())?;
    println!("{}\n{report}", report.device);
    assert!(report.ok());
    let node = &report.nodes[0];
    println!("{}: the largest error is {:.2} of its bound", node.name, node.worst());

    // A check must be able to fail: an error of a thousandth in one element is detected.
    let session = Session::new(&device, graph, CompileOptions::new())?;
    let y = session.run(&[("x", &x)])?.into_first();
    let bounds = vec![1e-5; y.numel()];
    assert!(compare(&y, &y, &bounds).ok());
    let mut wrong = y.to_vec::<f32>()?;
    wrong[7] += 1e-3;
    let comparison = compare(&Tensor::new(y.shape(), wrong)?, &y, &bounds);
    println!("{comparison}");
    assert_eq!((comparison.wrong, &comparison.first[0].index[..]), (1, &[0, 0, 0, 7][..]));
    Ok(())
}
