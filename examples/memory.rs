//! What a network takes: bytes of the host by an allocator that counts, bytes of the device by wgpu's report.
//!
//! `cargo run --release --example memory [-- MODEL.onnx [SIDE ..]]` runs the network on images of these sides and prints a
//! row after every step. The peak of the host includes a trial allocation before a network is compiled, which touches no
//! memory.

use convgpu::{Device, Dim, Model, Result, Session, Tensor, ValueInfo, wgpu};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next();
    let path = path.unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/realesr_animevideov3_x4.onnx").into());
    let mut sides = arguments.map(|side| side.parse()).collect::<std::result::Result<Vec<usize>, _>>()?;
    if sides.is_empty() {
        sides = vec![16, 20, 24, 28, 32, 36, 40, 44, 48];
    }
    let (gpu, queue) = pollster::block_on(open())?;
    let device = Device::from_wgpu(gpu.clone(), queue);
    println!("{device}\n{path}, {:.1} MB", mb(std::fs::metadata(&path)?.len() as usize));

    println!("{:<36} {:>9} {:>9} {:>9} {:>9}", "MB after", "host", "its peak", "device", "reserved");
    let begin = HEAP.current_usage();
    let row = |step: &str| {
        let report = gpu.generate_allocator_report();
        let (used, reserved) = report.map_or((0, 0), |r| (r.total_allocated_bytes, r.total_reserved_bytes));
        let host = [HEAP.current_usage(), HEAP.peak_usage()].map(|bytes| mb(bytes.saturating_sub(begin)));
        let (used, reserved) = (mb(used as usize), mb(reserved as usize));
        println!("{step:<36} {:>9.1} {:>9.1} {used:>9.1} {reserved:>9.1}", host[0], host[1]);
        HEAP.reset_peak_usage();
    };
    row("opening the device");
    let model = Model::load(&path)?;
    row("loading the model");
    // Height and width of images may be any.
    let images: Vec<String> = model
        .inputs()
        .iter()
        .filter(|v| v.dims.as_ref().is_some_and(|d| d.len() == 4))
        .map(|v| v.name.clone())
        .collect();
    let open = |model: Model, name: &String| model.open_axis(name, 2)?.open_axis(name, 3);
    let model = images.iter().try_fold(model, open)?;
    let session = model.compile(&device)?;
    row("making a session of it");
    for &side in &sides {
        let shape = run(&session, side)?;
        row(&format!("a run of {shape:?}"));
    }
    println!("{session}");
    Ok(())
}

/// A run of images of this side; the shape of the first input.
fn run(session: &Session, side: usize) -> Result<Vec<usize>> {
    let image = |input: &ValueInfo| {
        let dims: Vec<&Dim> = input.dims.iter().flatten().collect();
        let extent = |(k, dim): (usize, &&Dim)| match dim {
            Dim::Fixed(n) => *n,
            _ => [1, side][usize::from(k + 2 >= dims.len())],
        };
        (input.name.clone(), Tensor::full(dims.iter().enumerate().map(extent).collect::<Vec<_>>(), 0.5f32))
    };
    let inputs: Vec<(String, Tensor)> = session.inputs().iter().map(image).collect();
    let inputs: Vec<(&str, &Tensor)> = inputs.iter().map(|(name, t)| (name.as_str(), t)).collect();
    session.run(&inputs)?;
    Ok(inputs[0].1.shape().to_vec())
}

/// A device of the program's own, since wgpu reports its allocations only to its owner.
async fn open() -> std::result::Result<(wgpu::Device, wgpu::Queue), Box<dyn std::error::Error>> {
    let adapter = wgpu::Instance::default().request_adapter(&Default::default()).await?;
    let (required_features, required_limits) = Device::wanted(&adapter);
    let wanted = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    Ok(adapter.request_device(&wanted).await?)
}

fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
