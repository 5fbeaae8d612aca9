//! A texture of the program goes into a network, an image of the network into a texture, on one thread which never blocks: a task
//! polls the program's device, and everything else awaits.
//!
//! `cargo run --features image --example textures`; the feature gives `convgpu::image`, which reads the picture.

use std::path::Path;
use std::time::Duration;

use convgpu::{Device, DeviceTensor, ImageOptions, Model, Tensor, image, wgpu};

/// The sides of the network's images.
const SIDE: u32 = 28;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(program())
}

async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await?;
    let (required_features, required_limits) = Device::wanted(&adapter);
    let descriptor = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    let (own, queue) = adapter.request_device(&descriptor).await?;
    let device = Device::from_wgpu(own.clone(), queue.clone());
    println!("{device}");

    // On a program's device no thread of the library waits: futures wake when the program polls.
    let polled = own.clone();
    tokio::task::LocalSet::new()
        .run_until(async move {
            let poller = tokio::task::spawn_local(async move {
                while polled.poll(wgpu::PollType::Poll).is_ok() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
            let answer = classify(&own, &queue, &device, root).await;
            poller.abort();
            answer
        })
        .await
}

async fn classify(
    own: &wgpu::Device,
    queue: &wgpu::Queue,
    device: &Device,
    root: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    // The program's picture, here from a file, at a size of its own.
    let picture = image::open(root.join("examples/digits/3.png"))?;
    let picture = picture.resize_exact(64, 64, image::imageops::Triangle).to_rgba8();
    let frame = texture(own, 64);
    let whole = wgpu::Extent3d { width: 64, height: 64, depth_or_array_layers: 1 };
    let rows = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * 64), rows_per_image: None };
    queue.write_texture(frame.as_image_copy(), &picture, rows, whole);

    // LeNet-5, and what its first layer gives. The plan says what a run takes before anything is allocated.
    let model = Model::load(root.join("tests/models/lenet5_mnist.onnx"))?.output_at("conv1")?;
    let session = model.compile_async(device).await?;
    println!("{session}");
    let plan = session.plan_for(&[("input", convgpu::Desc::f32([1, 1, SIDE as usize, SIDE as usize]))])?;
    println!("{} bytes of weights, {} of activations", plan.weight_bytes(), plan.activation_bytes());

    // Resized to the network's size and reduced to one channel, on the device.
    let options = ImageOptions::new().size(SIDE as usize).channels(1);
    let digit = DeviceTensor::from_texture_async(device, &frame, &options).await?;
    let outputs = session.run_device_async(&[("input", &digit)]).await?;
    let probabilities = outputs["probs"].to_host_async().await?;
    let features = outputs["conv1"].to_host_async().await?;
    let best = largest(&probabilities)?;
    println!("the digit is {best}; features {}", features.desc());
    assert_eq!((best, features.shape()), (3, &[1, 6, 28, 28][..]));

    // What the network saw, as a texture that the program may show, and back: pixels of 8 bits.
    let seen = texture(own, SIDE);
    digit.to_texture_async(&seen, &ImageOptions::new()).await?;
    let again = DeviceTensor::from_texture_async(device, &seen, &ImageOptions::new().channels(1)).await?;
    let (before, after) = (digit.to_host_async().await?, again.to_host_async().await?);
    let pairs = before.as_slice::<f32>()?.iter().zip(after.as_slice::<f32>()?);
    let largest_change = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("largest change of a pixel by way of 8 bits: {:.2} / 255", 255.0 * largest_change);
    assert!(largest_change < 0.51 / 255.0);
    Ok(())
}

/// A square texture that can be read and written.
fn texture(device: &wgpu::Device, side: u32) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: side, height: side, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

/// The index of the largest of some numbers.
fn largest(values: &Tensor) -> convgpu::Result<usize> {
    let values = values.as_slice::<f32>()?;
    Ok((0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0))
}
