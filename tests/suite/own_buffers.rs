//! Buffers and encoders of the program: inputs and outputs without copies through the host, and runs among passes of its own.

use convgpu::functional::{BinaryKind, Conv2dOptions};
use convgpu::{CompileOptions, DType, Desc, Device, DeviceTensor, ErrorKind, Graph, Input, Session, Tensor, wgpu};

use crate::shared::{ends, shared_device, shared_device_of};
use crate::support::{Rng, device};

/// 3 channels, 5 by 7: neither the bytes of an input nor those of an output are a multiple of 16.
const SHAPE: [usize; 4] = [1, 3, 5, 7];
const BYTES: u64 = 3 * 5 * 7 * 4;

const USAGES: wgpu::BufferUsages = wgpu::BufferUsages::COPY_SRC.union(wgpu::BufferUsages::COPY_DST);

fn session(device: &Device, options: CompileOptions) -> Session {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32(SHAPE)).unwrap();
    let w = g.constant("w", Rng(3).tensor(&[3, 3, 3, 3])).unwrap();
    let y = (0..3).fold(x, |y, _| g.conv2d(y, w, None, Conv2dOptions::new().padding(1)).unwrap());
    g.output("y", y);
    Session::new(device, g, options).unwrap()
}

fn image(seed: u64) -> Tensor {
    Rng(seed).tensor(&SHAPE)
}

fn run(session: &Session, x: &Tensor) -> Tensor {
    session.run(&[("x", x)]).unwrap().into_first()
}

/// A program with a wgpu device that it shares.
struct Program {
    wgpu: wgpu::Device,
    queue: wgpu::Queue,
    device: Device,
}

impl Program {
    fn new() -> Program {
        let (wgpu, queue, device) = shared_device();
        Program { wgpu, queue, device }
    }

    /// Two with devices of one instance.
    fn two() -> [Program; 2] {
        let instance = crate::shared::instance();
        [(), ()].map(|()| {
            let (wgpu, queue, device) = shared_device_of(&instance);
            Program { wgpu, queue, device }
        })
    }

    fn buffer(&self, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.wgpu.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    }

    /// A buffer with 17 words around the tensor that lies at byte 20.
    fn around(&self, tensor: &Tensor) -> (wgpu::Buffer, DeviceTensor) {
        let buffer = self.buffer(BYTES + 68, USAGES);
        let mut words = vec![7.0f32; (BYTES + 68) as usize / 4];
        words[5..5 + tensor.numel()].copy_from_slice(tensor.as_f32().unwrap());
        self.queue.write_buffer(&buffer, 0, &words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>());
        let there = DeviceTensor::from_buffer(&self.device, buffer.clone(), 20, tensor.desc()).unwrap();
        (buffer, there)
    }

    /// All words of a buffer.
    fn words(&self, buffer: &wgpu::Buffer) -> Vec<f32> {
        let all = Desc::f32([buffer.size() as usize / 4]);
        let all = DeviceTensor::from_buffer(&self.device, buffer.clone(), 0, all).unwrap();
        all.to_host().unwrap().into_vec().unwrap()
    }

    fn encoder(&self) -> wgpu::CommandEncoder {
        self.wgpu.create_command_encoder(&Default::default())
    }

    fn submit(&self, encoder: wgpu::CommandEncoder) {
        self.queue.submit([encoder.finish()]);
    }
}

#[test]
fn a_network_reads_and_writes_buffers_of_the_program() {
    let p = Program::new();
    for options in [CompileOptions::new(), CompileOptions::new().submit_limit(std::time::Duration::ZERO)] {
        let session = session(&p.device, options);
        let (from, x) = p.around(&image(1));
        let (to, y) = p.around(&Tensor::zeros(SHAPE));
        assert_eq!(x.to_host().unwrap(), image(1));
        assert_eq!(session.run_device(&[("x", &x)]).unwrap()["y"].to_host().unwrap(), run(&session, &image(1)));
        session.run_into(&[("x", &x)], &[("y", &y)]).unwrap();
        assert_eq!(y.to_host().unwrap(), run(&session, &image(1)));
        // Nothing around the tensors is written.
        for buffer in [&from, &to] {
            let words = p.words(buffer);
            let n = (BYTES / 4) as usize;
            assert!(words[..5].iter().chain(&words[5 + n..]).all(|w| *w == 7.0), "{words:?}");
        }
        // What the program writes is read, also by a network that has run with the tensor: it is no constant.
        p.queue.write_buffer(
            &from,
            20,
            &image(2).to_vec::<f32>().unwrap().iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>(),
        );
        session.run_into(&[("x", Input::from(&x))], &[("y", &y)]).unwrap();
        assert_eq!(y.to_host().unwrap(), run(&session, &image(2)));
        session.run_into(&[("x", &image(3))], &[("y", &y)]).unwrap();
        assert_eq!(y.to_host().unwrap(), run(&session, &image(3)), "an input of the host");
    }
}

/// A weight that a function is given twice is taken for a parameter, but not if the program has its buffer.
#[test]
fn buffers_that_a_program_has_are_no_constants() {
    let p = Program::new();
    let conv = |w: &DeviceTensor| {
        let x = image(4).to_device(&p.device).unwrap();
        convgpu::functional::conv2d(&x, w, None, Conv2dOptions::new()).unwrap().to_host().unwrap()
    };
    let w = Rng(5).tensor(&[2, 3, 3, 3]).to_device(&p.device).unwrap();
    let first = conv(&w);
    assert!((0..3).all(|_| conv(&w) == first), "compiled with the weights meanwhile");
    let (buffer, offset) = w.buffer().unwrap();
    p.queue.write_buffer(&buffer, offset, &[0; 2 * 27 * 4]);
    assert_eq!(conv(&w), Tensor::zeros([1, 2, 3, 5]));
    // The buffer is the program's: no other tensor gets it.
    drop(w);
    let tensors: Vec<_> = (0..8).map(|k| Rng(k).tensor(&[2, 3, 3, 3]).to_device(&p.device).unwrap()).collect();
    p.queue.write_buffer(&buffer, offset, &[0; 2 * 27 * 4]);
    assert!(tensors.iter().enumerate().all(|(k, t)| t.to_host().unwrap() == Rng(k as u64).tensor(&[2, 3, 3, 3])));
}

/// Several handles of one wgpu device are one device; devices of other instances, which wgpu takes for equal, are others.
#[test]
fn a_wgpu_device_that_is_given_twice_is_one_device() {
    let (p, other) = (Program::new(), Program::new());
    let again = Device::from_wgpu(p.wgpu.clone(), p.queue.clone());
    assert!(again.same(&p.device) && !other.device.same(&p.device));
    let x = image(1).to_device(&again).unwrap();
    let session = session(&p.device, CompileOptions::new());
    assert_eq!(session.run_device(&[("x", &x)]).unwrap()["y"].to_host().unwrap(), run(&session, &image(1)));
}

#[test]
fn several_inputs_from_host_and_device() {
    let p = Program::new();
    let mut g = Graph::new();
    let (a, b) = (g.input("a", Desc::f32(SHAPE)).unwrap(), g.input("b", Desc::f32(SHAPE)).unwrap());
    let sum = g.binary(a, b, BinaryKind::Add).unwrap();
    let product = g.binary(a, b, BinaryKind::Mul).unwrap();
    g.output("sum", sum);
    g.output("product", product);
    let expected = g.clone().compile(&Device::cpu()).unwrap().run(&[("a", &image(1)), ("b", &image(2))]).unwrap();
    let session = g.compile(&p.device).unwrap();
    let there = image(2).to_device(&p.device).unwrap();
    let inputs = [("b", Input::Device(&there)), ("a", Input::Host(&image(1)))];
    let outputs = session.run_device(&inputs).unwrap();
    let (_buffer, product) = p.around(&Tensor::zeros(SHAPE));
    session.run_into(&inputs, &[("product", &product)]).unwrap();
    assert_eq!(outputs["sum"].to_host().unwrap(), expected["sum"]);
    assert_eq!(outputs["product"].to_host().unwrap(), expected["product"]);
    assert_eq!(product.to_host().unwrap(), expected["product"]);
}

#[test]
fn runs_are_recorded_among_passes_of_the_program() {
    ends(|| {
        let p = Program::new();
        let session = session(&p.device, CompileOptions::new());
        let expected: Vec<Tensor> = (0..4).map(|k| run(&session, &image(k))).collect();
        let x: Vec<DeviceTensor> = (0..4).map(|k| image(k).to_device(&p.device).unwrap()).collect();
        // Two in one encoder, the second on the result of the first.
        let mut encoder = p.encoder();
        let first = session.record(&mut encoder, &[("x", &x[0])]).unwrap().into_first();
        let second = session.record(&mut encoder, &[("x", &x[1])]).unwrap().into_first();
        let third = session.record(&mut encoder, &[("x", &first)]).unwrap().into_first();
        // A run in between changes neither.
        assert_eq!(run(&session, &image(2)), expected[2]);
        assert_eq!(session.run_device(&[("x", &x[3])]).unwrap()["y"].to_host().unwrap(), expected[3]);
        // Nothing reads them before they are submitted.
        for tensor in [&first, &second, &third] {
            let e = tensor.to_host().unwrap_err();
            assert!(e.kind() == ErrorKind::Argument && e.to_string().contains("not submitted"), "{e}");
        }
        let e = session.run_device(&[("x", &first)]).unwrap_err();
        assert!(e.to_string().contains("input x") && e.to_string().contains("not submitted"), "{e}");
        // Inputs that are dropped meanwhile are not given to others.
        drop(x);
        let others: Vec<_> = (5..9).map(|k| image(k).to_device(&p.device).unwrap()).collect();
        p.submit(encoder);
        assert_eq!(first.to_host().unwrap(), expected[0]);
        assert_eq!(second.to_host().unwrap(), expected[1]);
        assert_eq!(third.to_host().unwrap(), run(&session, &expected[0]));
        assert_eq!(session.run_device(&[("x", &first)]).unwrap()["y"].to_host().unwrap(), run(&session, &expected[0]));
        assert!(others.iter().zip(5..).all(|(t, k)| t.to_host().unwrap() == image(k)));
        // An encoder that is dropped has computed nothing.
        let mut encoder = p.encoder();
        let never = session.record(&mut encoder, &[("x", &first)]).unwrap().into_first();
        drop(encoder);
        assert!(never.to_host().unwrap_err().to_string().contains("not submitted"));
        // Outputs that are dropped before the commands run are given to no other tensor.
        let mut encoder = p.encoder();
        drop(session.record(&mut encoder, &[("x", &first)]).unwrap());
        let other = image(9).to_device(&p.device).unwrap();
        p.submit(encoder);
        assert_eq!(other.to_host().unwrap(), image(9));
        // Into a buffer of the program, without the session.
        let (_buffer, y) = p.around(&Tensor::zeros(SHAPE));
        let mut encoder = p.encoder();
        session.record_into(&mut encoder, &[("x", &first)], &[("y", &y)]).unwrap();
        let expected = run(&session, &expected[0]);
        drop(session);
        p.submit(encoder);
        assert_eq!(y.to_host().unwrap(), expected);
    });
}

/// Frames of a video: the memory stays as it is.
#[test]
fn three_hundred_frames_take_no_more_memory_than_one() {
    let p = Program::new();
    let session = session(&p.device, CompileOptions::new());
    let x = image(1).to_device(&p.device).unwrap();
    let (_buffer, y) = p.around(&Tensor::zeros(SHAPE));
    let frame = |into: bool| {
        let mut encoder = p.encoder();
        match into {
            true => session.record_into(&mut encoder, &[("x", &x)], &[("y", &y)]).unwrap(),
            false => drop(session.record(&mut encoder, &[("x", &x)]).unwrap()),
        }
        p.submit(encoder);
        p.wgpu.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        p.wgpu.generate_allocator_report().map_or(0, |report| report.total_allocated_bytes)
    };
    let bytes: Vec<u64> = (0..300).map(|k| frame(k % 2 == 0)).collect();
    let most = bytes[..10].iter().max().unwrap();
    assert!(bytes[10..].iter().all(|b| b <= most), "{:?}", &bytes[..20]);
    assert_eq!(y.to_host().unwrap(), run(&session, &image(1)));
}

fn refused<T>(result: convgpu::Result<T>, kind: ErrorKind, words: &[&str]) {
    let e = result.err().expect("it is refused");
    let text = e.to_string();
    assert!(e.kind() == kind && words.iter().all(|w| text.contains(w)) && !text.contains('\n'), "{kind:?}: {text}");
}

#[test]
fn mistakes_with_buffers_are_errors() {
    let [p, other] = Program::two();
    let desc = || Desc::f32(SHAPE);
    let from = |buffer: &wgpu::Buffer, offset, desc| DeviceTensor::from_buffer(&p.device, buffer.clone(), offset, desc);
    let buffer = p.buffer(1024, USAGES);
    refused(from(&buffer, 6, desc()), ErrorKind::Argument, &["offset 6", "multiple of 4"]);
    refused(from(&buffer, 608, desc()), ErrorKind::Shape, &["420 bytes from 608 on", "1024", "f32[1, 3, 5, 7]"]);
    refused(from(&buffer, u64::MAX - 3, desc()), ErrorKind::Shape, &["1024"]);
    refused(from(&buffer, 0, Desc::f32([1 << 40, 1 << 40])), ErrorKind::Shape, &["1024"]);
    let unread = p.buffer(1024, wgpu::BufferUsages::COPY_DST);
    refused(from(&unread, 0, desc()), ErrorKind::Argument, &["COPY_SRC"]);
    let foreign = other.buffer(1024, USAGES);
    refused(from(&foreign, 0, desc()), ErrorKind::Argument, &["refuses the buffer"]);
    for (device, word) in [(&Device::cpu(), "CPU reference"), (device(), "Device::from_wgpu")] {
        refused(DeviceTensor::from_buffer(device, buffer.clone(), 0, desc()), ErrorKind::Argument, &[word]);
    }
    refused(image(1).to_device(device()).unwrap().buffer(), ErrorKind::Argument, &["Device::from_wgpu"]);
    refused(image(1).to_device(&Device::cpu()).unwrap().buffer(), ErrorKind::Argument, &["no buffer"]);
    let gone = p.buffer(1024, USAGES);
    let x = from(&gone, 0, desc()).unwrap();
    gone.destroy();
    refused(from(&gone, 0, desc()), ErrorKind::Argument, &["refuses the buffer"]);
    refused(x.to_host(), ErrorKind::Device, &["destroyed"]);

    let session = session(&p.device, CompileOptions::new());
    refused(session.run_device(&[("x", &x)]), ErrorKind::Device, &["destroyed"]);
    let x = from(&buffer, 0, desc()).unwrap();
    let into = |x: &DeviceTensor, outputs: &[(&str, &DeviceTensor)]| session.run_into(&[("x", x)], outputs);
    let y = from(&p.buffer(1024, USAGES), 512, desc()).unwrap();
    into(&x, &[("y", &y)]).unwrap();
    // Parts of one buffer, beside each other and not.
    into(&x, &[("y", &from(&buffer, 512, desc()).unwrap())]).unwrap();
    refused(into(&x, &[("y", &from(&buffer, 416, desc()).unwrap())]), ErrorKind::Argument, &["y", "in common with x"]);
    refused(into(&x, &[("y", &x)]), ErrorKind::Argument, &["in common with x"]);
    refused(into(&x, &[("y", &y), ("y", &y)]), ErrorKind::Argument, &["y is given twice"]);
    refused(into(&x, &[("z", &y)]), ErrorKind::Argument, &["no output named z", "outputs: y"]);
    refused(
        into(&x, &[("y", &y.reshape([1, 3, 35]).unwrap())]),
        ErrorKind::Shape,
        &["f32[1, 3, 5, 7]", "f32[1, 3, 35]"],
    );
    let integers = from(&p.buffer(1024, USAGES), 0, Desc::new(SHAPE, DType::I32)).unwrap();
    refused(into(&x, &[("y", &integers)]), ErrorKind::Shape, &["i32[1, 3, 5, 7]"]);
    let ours = image(1).to_device(&p.device).unwrap();
    refused(into(&x, &[("y", &ours)]), ErrorKind::Argument, &["not the program's"]);
    ours.buffer().unwrap();
    into(&x, &[("y", &ours)]).unwrap();
    let read_only = from(&p.buffer(1024, wgpu::BufferUsages::COPY_SRC), 0, desc()).unwrap();
    refused(into(&x, &[("y", &read_only)]), ErrorKind::Argument, &["COPY_DST"]);
    let far = DeviceTensor::from_buffer(&other.device, foreign, 0, desc()).unwrap();
    refused(into(&x, &[("y", &far)]), ErrorKind::Argument, &["y", "on"]);
    refused(into(&far, &[("y", &y)]), ErrorKind::Argument, &["an input is on"]);
}

#[test]
fn what_cannot_be_recorded_is_an_error() {
    let p = Program::new();
    let mut encoder = p.encoder();
    let x = image(1).to_device(&p.device).unwrap();
    let parts = session(&p.device, CompileOptions::new().submit_limit(std::time::Duration::ZERO));
    refused(parts.record(&mut encoder, &[("x", &x)]), ErrorKind::Argument, &["4 parts", "submit_limit"]);
    let cpu = session(&Device::cpu(), CompileOptions::new());
    let on_cpu = image(1).to_device(&Device::cpu()).unwrap();
    refused(cpu.record(&mut encoder, &[("x", &on_cpu)]), ErrorKind::Argument, &["CPU reference"]);
    let ours = session(device(), CompileOptions::new());
    let x_there = image(1).to_device(device()).unwrap();
    refused(ours.record(&mut encoder, &[("x", &x_there)]), ErrorKind::Argument, &["Device::from_wgpu"]);
    let session = session(&p.device, CompileOptions::new());
    refused(session.record(&mut encoder, &[("x", &on_cpu)]), ErrorKind::Argument, &["an input is on"]);
    refused(session.record(&mut encoder, &[("z", &x)]), ErrorKind::Argument, &["z"]);
    // The encoder is as good as before.
    let y = session.record(&mut encoder, &[("x", &x)]).unwrap().into_first();
    p.submit(encoder);
    assert_eq!(y.to_host().unwrap(), run(&session, &image(1)));
}

/// A tensor in a buffer of the program that ends where the tensor does, at any offset, is drawn into a texture; one that is
/// recorded only once it is submitted.
#[test]
fn tensors_in_buffers_of_the_program_are_drawn() {
    use convgpu::ImageOptions;
    let p = Program::new();
    let size = wgpu::Extent3d { width: 7, height: 5, depth_or_array_layers: 1 };
    let texture = p.wgpu.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let options = ImageOptions::new();
    let drawn = |tensor: &DeviceTensor| -> convgpu::Result<Tensor> {
        tensor.to_texture(&texture, &options)?;
        DeviceTensor::from_texture(&p.device, &texture, &options)?.to_host()
    };
    let expected = drawn(&image(1).to_device(&p.device).unwrap()).unwrap();
    assert_ne!(expected, Tensor::zeros(SHAPE));
    for (offset, usage) in [(0, USAGES), (256, USAGES | wgpu::BufferUsages::STORAGE), (20, USAGES)] {
        let buffer = p.buffer(offset + BYTES, usage);
        let tensor = DeviceTensor::from_buffer(&p.device, buffer.clone(), offset, Desc::f32(SHAPE)).unwrap();
        let bytes: Vec<u8> = image(1).to_vec::<f32>().unwrap().iter().flat_map(|w| w.to_le_bytes()).collect();
        p.queue.write_buffer(&buffer, offset, &bytes);
        drawn(&image(2).to_device(&p.device).unwrap()).unwrap();
        assert_eq!(drawn(&tensor).unwrap(), expected, "from {offset} on");
    }
    let session = session(&p.device, CompileOptions::new());
    let mut encoder = p.encoder();
    let x = image(1).to_device(&p.device).unwrap();
    let recorded = session.record(&mut encoder, &[("x", &x)]).unwrap().into_first();
    refused(drawn(&recorded), ErrorKind::Argument, &["not submitted"]);
    p.submit(encoder);
    assert_eq!(drawn(&recorded).unwrap(), drawn(&run(&session, &image(1)).to_device(&p.device).unwrap()).unwrap());
}

/// The program submits recorded runs while another thread runs the session, which uses the same memory.
#[test]
fn runs_beside_submissions_of_recorded_ones() {
    let Program { wgpu, queue, device } = Program::new();
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([1000])).unwrap();
    // Whoever reads the input after another run sees what that left in its place.
    let y = (0..30).fold(x, |y, _| {
        let zero = graph.binary(y, y, BinaryKind::Sub).unwrap();
        graph.binary(y, zero, BinaryKind::Add).unwrap()
    });
    graph.output("y", y);
    let session = Session::new(&device, graph, CompileOptions::new().fusion(false)).unwrap();
    let mine = Tensor::full([1000], -7.0f32).to_device(&device).unwrap();
    std::thread::scope(|scope| {
        let recorder = scope.spawn(|| {
            for _ in 0..300 {
                let mut encoder = wgpu.create_command_encoder(&Default::default());
                let outputs = session.record(&mut encoder, &[("x", &mine)]).unwrap();
                queue.submit([encoder.finish()]);
                assert_eq!(outputs["y"].to_host().unwrap(), Tensor::full([1000], -7.0f32));
            }
        });
        let mut k = 0;
        while !recorder.is_finished() || k < 300 {
            let x = Tensor::full([1000], (k % 1000) as f32 + 100.0);
            assert_eq!(session.run(&[("x", &x)]).unwrap()["y"], x);
            k += 1;
        }
    });
}
