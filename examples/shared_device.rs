//! Runs a network on a wgpu device that the program already has.

use convgpu::functional::Activation;
use convgpu::{CompileOptions, Desc, Device, Graph, Session, Tensor, wgpu};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The program's own device, for example for rendering.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    // With what makes kernels faster; a union with what the program needs itself.
    let (required_features, required_limits) = Device::wanted(&adapter);
    let descriptor = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;

    let shared = Device::from_wgpu(device.clone(), queue.clone());
    println!("{shared}");
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([2, 3]))?;
    let y = graph.activation(x, Activation::Relu)?;
    graph.output("y", y);
    let session = Session::new(&shared, graph, CompileOptions::new())?;
    let outputs = session.run(&[("x", &Tensor::from([[1.0f32, -2.0, 3.0], [-4.0, 5.0, -6.0]]))])?;
    println!("{}", outputs["y"]);
    assert_eq!(outputs["y"], Tensor::from([[1.0f32, 0.0, 3.0], [0.0, 5.0, 0.0]]));

    // The program can still use the device.
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("the program's"),
        size: 16,
        usage: wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    queue.write_buffer(&buffer, 0, &[0; 16]);
    queue.submit([]);
    Ok(())
}
