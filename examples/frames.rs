//! A frame in one submission: a shader of the program paints an image, a network styles it, another pass of the program shows it.
//! The images do not leave the device. Three hundred frames, as in a video, take the memory of one.

use std::time::Instant;

use convgpu::functional::{Activation, Conv2dOptions};
use convgpu::{CompileOptions, Desc, Device, DeviceTensor, Graph, Session, Tensor, wgpu};

const SIDE: usize = 96;
const FRAMES: u32 = 300;

/// Red, green and blue of a moving pattern, one plane after another, as a network takes an image.
const PAINT: &str = "
    @group(0) @binding(0) var<uniform> frame: u32;
    @group(0) @binding(1) var<storage, read_write> image: array<f32>;
    @compute @workgroup_size(8, 8)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x >= 96u || id.y >= 96u { return; }
        for (var c = 0u; c < 3u; c++) {
            image[(c * 96u + id.y) * 96u + id.x] = f32((id.x * (c + 1u) + id.y + frame) % 64u) / 64.0;
        }
    }";

/// Four bytes per pixel, as a texture for the screen holds them.
const SHOW: &str = "
    @group(0) @binding(0) var<storage, read> image: array<f32>;
    @group(0) @binding(1) var<storage, read_write> pixels: array<u32>;
    @compute @workgroup_size(8, 8)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x >= 96u || id.y >= 96u { return; }
        var pixel = 0xff000000u;
        for (var c = 0u; c < 3u; c++) {
            let value = clamp(image[(c * 96u + id.y) * 96u + id.x], 0.0, 1.0);
            pixel |= u32(value * 255.0 + 0.5) << (8u * c);
        }
        pixels[id.y * 96u + id.x] = pixel;
    }";

/// Draws edges in the colours of the image.
fn network(device: &Device) -> convgpu::Result<Session> {
    let mut graph = Graph::new();
    let image = graph.input("image", Desc::f32([1, 3, SIDE, SIDE]))?;
    let kernel = |c: usize, o: usize| (0..9).map(move |k| if c == o { if k == 4 { 4.0 } else { -0.5 } } else { 0.0 });
    let weight: Vec<f32> = (0..3).flat_map(|o| (0..3).flat_map(move |c| kernel(c, o))).collect();
    let weight = graph.constant("edges", Tensor::new([3, 3, 3, 3], weight)?)?;
    let edges = graph.conv2d(image, weight, None, Conv2dOptions::new().padding(1))?;
    let styled = graph.activation(edges, Activation::Sigmoid)?;
    graph.output("styled", styled);
    Session::new(device, graph, CompileOptions::new())
}

/// A compute pass of the program over the image.
struct Pass {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
}

impl Pass {
    fn new(device: &wgpu::Device, source: &str, buffers: [&wgpu::Buffer; 2]) -> Pass {
        let source = wgpu::ShaderSource::Wgsl(source.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let entries =
            [0, 1].map(|k| wgpu::BindGroupEntry { binding: k, resource: buffers[k as usize].as_entire_binding() });
        let layout = pipeline.get_bind_group_layout(0);
        let group =
            device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries });
        Pass { pipeline, group }
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(SIDE.div_ceil(8) as u32, SIDE.div_ceil(8) as u32, 1);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    let (required_features, required_limits) = Device::wanted(&adapter);
    let descriptor = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    let (wgpu_device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
    let device = Device::from_wgpu(wgpu_device.clone(), queue.clone());
    println!("{device}");

    let buffer = |size: usize, usage| {
        let usage = usage | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        wgpu_device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: size as u64,
            usage,
            mapped_at_creation: false,
        })
    };
    let storage = wgpu::BufferUsages::STORAGE;
    let (number, pixels) = (buffer(4, wgpu::BufferUsages::UNIFORM), buffer(4 * SIDE * SIDE, storage));
    let (painted, styled) = (buffer(12 * SIDE * SIDE, storage), buffer(12 * SIDE * SIDE, storage));
    let image =
        |buffer: &wgpu::Buffer| DeviceTensor::from_buffer(&device, buffer.clone(), 0, Desc::f32([1, 3, SIDE, SIDE]));
    let (input, output) = (image(&painted)?, image(&styled)?);
    let session = network(&device)?;
    let (paint, show) =
        (Pass::new(&wgpu_device, PAINT, [&number, &painted]), Pass::new(&wgpu_device, SHOW, [&styled, &pixels]));

    let frame = |k: u32| -> convgpu::Result<()> {
        queue.write_buffer(&number, 0, &k.to_le_bytes());
        let mut encoder = wgpu_device.create_command_encoder(&Default::default());
        paint.encode(&mut encoder);
        session.record_into(&mut encoder, &[("image", &input)], &[("styled", &output)])?;
        show.encode(&mut encoder);
        queue.submit([encoder.finish()]);
        device.wait()
    };

    // The same bits as by way of the host.
    frame(7)?;
    let shown = DeviceTensor::from_buffer(&device, pixels.clone(), 0, Desc::new([SIDE, SIDE], convgpu::DType::U32))?;
    let by_host = session.run(&[("image", &input.to_host()?)])?.into_first();
    assert_eq!(output.to_host()?, by_host);
    let plane = |c: usize, k: usize| {
        (by_host.as_f32().map(|v| v[c * SIDE * SIDE + k].clamp(0.0, 1.0) * 255.0 + 0.5)) as convgpu::Result<f32>
    };
    for (k, pixel) in shown.to_host()?.to_i64s()?.into_iter().enumerate() {
        let bytes = [plane(0, k)? as u8, plane(1, k)? as u8, plane(2, k)? as u8, 255];
        assert_eq!(pixel, i64::from(u32::from_le_bytes(bytes)), "pixel {k}");
    }

    let bytes = || wgpu_device.generate_allocator_report().map_or(0, |report| report.total_allocated_bytes);
    let (before, begin) = (bytes(), Instant::now());
    (0..FRAMES).try_for_each(frame)?;
    let ms = 1e3 * begin.elapsed().as_secs_f64() / f64::from(FRAMES);
    assert!(bytes() <= before, "{} bytes after {FRAMES} frames, {before} before", bytes());
    println!("{FRAMES} frames of {SIDE} by {SIDE}: {ms:.2} ms each, {before} bytes on the device before and after");
    Ok(())
}
