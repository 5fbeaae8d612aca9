//! The notebook on convolutional networks from which this project started, cell by cell.
//!
//! `cargo run --release --example notebook` prints the shapes and statistics that the notebook prints.

use convgpu::functional::{self as f, AvgPool2dOptions, Conv2dOptions, InterpolateOptions, MaxPool2dOptions};
use convgpu::nn::{self, Module, Sequential};
use convgpu::{Device, DeviceTensor, Result, Tensor};

/// `torch.rand`: uniform in [0, 1), from a splitmix64 stream.
struct Rand(u64);

impl Rand {
    fn tensor(&mut self, device: &Device, shape: &[usize]) -> Result<DeviceTensor> {
        let mut next = || {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
        };
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
        Tensor::new(shape, values)?.to_device(device)
    }
}

fn mean(t: &Tensor) -> f64 {
    t.to_f64s().iter().sum::<f64>() / t.numel() as f64
}

fn main() -> Result<()> {
    let device = Device::open(std::env::var("CONVGPU_DEVICE").unwrap_or_default().parse()?)?;
    println!("device: {device}\n");
    let mut rand = Rand(0);

    println!("# Conv2d, the layer");
    let x = rand.tensor(&device, &[1, 1, 28, 28])?;
    for (stride, padding) in [(1, 0), (1, 1), (2, 1)] {
        let conv = nn::Conv2d::new(1, 3, 3).stride(stride).padding(padding);
        let y = conv.forward(&x)?;
        println!("Conv2d(1, 3, 3, stride={stride}, padding={padding}): {:?} -> {:?}", x.shape(), y.shape());
    }

    println!("\n# conv2d, the function");
    let images = rand.tensor(&device, &[1, 3, 28, 28])?;
    let weight = rand.tensor(&device, &[16, 3, 5, 5])?;
    let bias = rand.tensor(&device, &[16])?;
    let features = f::conv2d(&images, &weight, Some(&bias), Conv2dOptions::new().padding(1))?;
    println!("weight {:?}, padding 1: {:?} -> {:?}", weight.shape(), images.shape(), features.shape());

    println!("\n# pooling");
    let max = f::max_pool2d(&features, 2, MaxPool2dOptions::new())?;
    let avg = f::avg_pool2d(&features, 2, AvgPool2dOptions::new())?;
    println!("max_pool2d(2): {:?} -> {:?}", features.shape(), max.shape());
    println!("avg_pool2d(2): {:?} -> {:?}", features.shape(), avg.shape());

    println!("\n# upsampling");
    for factor in [2.0, 3.0] {
        let up = f::interpolate(&features, InterpolateOptions::new().scale_factor(factor))?;
        println!("interpolate(scale_factor={factor}, nearest): {:?} -> {:?}", features.shape(), up.shape());
    }

    println!("\n# batch norm: one training step over uniform numbers");
    let x = rand.tensor(&device, &[100, 16, 784])?;
    let mut norm = nn::BatchNorm1d::new(16);
    let y = norm.forward_train(&x)?.to_host()?;
    let state = norm.state_dict();
    println!("out {:?}, mean {:.1e}", y.shape(), mean(&y));
    for (name, t) in state.iter().skip(2) {
        let values: Vec<String> = t.to_f64s().iter().take(4).map(|v| format!("{v:.4}")).collect();
        println!("{name:<20} {:?} [{}{}]", t.shape(), values.join(", "), if t.numel() > 4 { ", .." } else { "" });
    }
    let mean_of = |name| state.get(name).map_or(f64::NAN, mean);
    println!("mean of running_mean {:.4}, of running_var {:.4}", mean_of("running_mean"), mean_of("running_var"));
    norm.eval();
    let y = norm.forward(&x)?.to_host()?;
    println!("eval: mean of the output {:.4}", mean(&y));

    println!("\n# layer norm and instance norm");
    let x = rand.tensor(&device, &[100, 16, 28, 28])?;
    let y = nn::LayerNorm::new([16, 28, 28]).forward(&x)?.to_host()?;
    println!("LayerNorm([16, 28, 28]): {:?}, mean {:.1e}", y.shape(), mean(&y));
    let y = nn::InstanceNorm2d::new(16).forward(&x)?.to_host()?;
    println!("InstanceNorm2d(16): {:?}, mean {:.1e}", y.shape(), mean(&y));

    println!("\n# the unit: conv + batch norm + pool + relu");
    let images = rand.tensor(&device, &[4, 3, 28, 28])?;
    let mut unit = Sequential::new()
        .with(nn::Conv2d::new(3, 16, 3).padding(1))
        .with(nn::BatchNorm2d::new(16))
        .with(nn::MaxPool2d::new(2))
        .with(nn::ReLU);
    let y = unit.forward_train(&images)?;
    println!("training: {:?} -> {:?}, mean {:.4}", images.shape(), y.shape(), mean(&y.to_host()?));
    unit.eval();
    let y = unit.forward(&images)?;
    println!("eval:     {:?} -> {:?}, mean {:.4}", images.shape(), y.shape(), mean(&y.to_host()?));

    println!("\n# LeNet-5 and the MLP it is compared with");
    let lenet = Sequential::new()
        .with(nn::Conv2d::new(1, 6, 5).padding(2))
        .with(nn::Tanh)
        .with(nn::AvgPool2d::new(2))
        .with(nn::Conv2d::new(6, 16, 5))
        .with(nn::Tanh)
        .with(nn::AvgPool2d::new(2))
        .with(nn::Flatten::new())
        .with(nn::Linear::new(400, 120))
        .with(nn::Tanh)
        .with(nn::Linear::new(120, 84))
        .with(nn::Tanh)
        .with(nn::Linear::new(84, 10));
    let mlp = Sequential::new()
        .with(nn::Linear::new(784, 256))
        .with(nn::ReLU)
        .with(nn::Linear::new(256, 256))
        .with(nn::ReLU)
        .with(nn::Linear::new(256, 256))
        .with(nn::ReLU)
        .with(nn::Linear::new(256, 10));
    let digits = rand.tensor(&device, &[8, 1, 28, 28])?;
    let y = lenet.forward(&digits)?;
    println!("LeNet-5: {} parameters, {:?} -> {:?}", lenet.num_parameters(), digits.shape(), y.shape());
    let y = mlp.forward(&f::flatten(&digits, 1, -1)?)?;
    println!("MLP 784-256-256-256-10: {} parameters, [8, 784] -> {:?}", mlp.num_parameters(), y.shape());
    Ok(())
}
