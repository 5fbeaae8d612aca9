//! Textures of the program as images of networks, and back: against the reference, and against torchvision.

use convgpu::internals::ops::pixels::{Channels, FromPixels, Norm};
use convgpu::internals::ops::{Algorithm, Op, bounds};
use convgpu::internals::verify::compare;
use convgpu::wgpu::{self, TextureFormat, TextureUsages};
use convgpu::{Desc, Device, DeviceTensor, ErrorKind, Graph, ImageLayout, ImageOptions, Tensor};
use half::f16;

use crate::support::{Rng, golden};

const BYTES: [(TextureFormat, bool); 4] = [
    (TextureFormat::Rgba8Unorm, false),
    (TextureFormat::Rgba8UnormSrgb, false),
    (TextureFormat::Bgra8Unorm, true),
    (TextureFormat::Bgra8UnormSrgb, true),
];

/// Some with rows of less, of exactly and of more than 256 bytes.
const SIZES: [[usize; 2]; 5] = [[1, 1], [5, 7], [3, 64], [4, 65], [2, 130]];

/// A program's device.
struct Program {
    device: wgpu::Device,
    queue: wgpu::Queue,
    ours: Device,
}

impl Program {
    fn new() -> Program {
        Program::pair().0
    }

    /// Two devices of one instance.
    fn pair() -> (Program, Program) {
        let instance = crate::shared::instance();
        let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("there is an adapter");
        let open = || {
            let (required_features, required_limits) = Device::wanted(&adapter);
            let wanted = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
            let (device, queue) = pollster::block_on(adapter.request_device(&wanted)).expect("the adapter opens");
            Program { ours: Device::from_wgpu(device.clone(), queue.clone()), device, queue }
        };
        (open(), open())
    }

    fn texture(&self, format: TextureFormat, [h, w]: [usize; 2]) -> wgpu::Texture {
        let usage = TextureUsages::COPY_SRC | TextureUsages::COPY_DST | TextureUsages::TEXTURE_BINDING;
        self.device.create_texture(&descriptor(format, [h, w], usage))
    }

    /// A texture with these bytes, row by row.
    fn filled(&self, format: TextureFormat, [h, w]: [usize; 2], bytes: &[u8]) -> wgpu::Texture {
        let texture = self.texture(format, [h, w]);
        let bytes_per_row = Some((bytes.len() / h) as u32);
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row, rows_per_image: None };
        self.queue.write_texture(texture.as_image_copy(), bytes, layout, texture.size());
        texture
    }

    /// The bytes of a texture of 8 bits, row by row.
    fn bytes_of(&self, texture: &wgpu::Texture) -> Vec<u8> {
        let (h, w) = (texture.height() as usize, texture.width() as usize);
        let pitch = (4 * w).next_multiple_of(256);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: (pitch * h) as u64,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(pitch as u32), rows_per_image: None };
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let to = wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(texture.as_image_copy(), to, texture.size());
        self.queue.submit([encoder.finish()]);
        buffer.map_async(wgpu::MapMode::Read, .., |answer| answer.unwrap());
        self.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let view = buffer.get_mapped_range(..).unwrap();
        view.chunks_exact(pitch).flat_map(|row| row[..4 * w].to_vec()).collect()
    }

    fn read(&self, texture: &wgpu::Texture, options: &ImageOptions) -> Tensor {
        DeviceTensor::from_texture(&self.ours, texture, options).unwrap().to_host().unwrap()
    }
}

fn descriptor(format: TextureFormat, [h, w]: [usize; 2], usage: TextureUsages) -> wgpu::TextureDescriptor<'static> {
    wgpu::TextureDescriptor {
        label: Some("frame"),
        size: wgpu::Extent3d { width: w as u32, height: h as u32, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: &[],
    }
}

fn random_bytes(rng: &mut Rng, n: usize) -> Vec<u8> {
    (0..n).map(|_| rng.next() as u8).collect()
}

/// The bytes with the first and the third of every four exchanged.
fn swapped(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks_exact(4).flat_map(|p| [p[2], p[1], p[0], p[3]]).collect()
}

/// Red, green, blue and alpha as numbers.
fn raw() -> ImageOptions {
    ImageOptions::new().channels(4).scale(1.0).layout(ImageLayout::Nhwc)
}

#[test]
fn every_format_gives_its_bytes_as_they_are() {
    let (program, mut rng) = (Program::new(), Rng(1));
    for (format, bgra) in BYTES {
        for [h, w] in SIZES {
            let bytes = random_bytes(&mut rng, 4 * h * w);
            let texture = program.filled(format, [h, w], &bytes);
            let rgba = if bgra { swapped(&bytes) } else { bytes };
            let values: Vec<f32> = rgba.iter().map(|&b| b.into()).collect();
            assert_eq!(program.read(&texture, &raw()), Tensor::new([1, h, w, 4], values).unwrap(), "{format:?}");
            let y = program.read(&texture, &ImageOptions::new());
            assert_eq!((y.shape(), y.as_f32().unwrap()[0]), (&[1, 3, h, w][..], f32::from(rgba[0]) * (1.0 / 255.0)));
        }
    }
}

#[test]
fn every_format_takes_bytes_as_they_are() {
    let (program, mut rng) = (Program::new(), Rng(2));
    for (format, bgra) in BYTES {
        for [h, w] in SIZES {
            let rgba = random_bytes(&mut rng, 4 * h * w);
            let values: Vec<f32> = rgba.iter().map(|&b| b.into()).collect();
            let image = Tensor::new([1, h, w, 4], values).unwrap().to_device(&program.ours).unwrap();
            let texture = program.texture(format, [h, w]);
            image.to_texture(&texture, &raw()).unwrap();
            let expected = if bgra { swapped(&rgba) } else { rgba };
            assert_eq!(program.bytes_of(&texture), expected, "{format:?} {h} x {w}");
        }
    }
}

/// The rectangle of 3 x 5 pixels of every option, on textures of both orders, against the reference operator.
#[test]
fn options_mean_what_the_reference_says() {
    let (program, mut rng) = (Program::new(), Rng(3));
    let (h, w) = (9, 70);
    let ([top, left], [height, width]) = ([2, 61], [6, 8]);
    for k in 0..96 {
        let (format, bgra) = BYTES[k % 4];
        let bytes = random_bytes(&mut rng, 4 * h * w);
        let texture = program.filled(format, [h, w], &bytes);
        let count = [1, 3, 4][k % 3];
        let (bgr, last, size) = (k & 8 > 0, k & 16 > 0, (k & 32 > 0).then_some([4, 11]));
        let (mean, std) = ([0.485, 0.456, 0.406, 0.5], [0.229, 0.224, 0.225, 0.25]);
        let mut options = ImageOptions::new().channels(count).bgr(bgr).crop(top, left, height, width);
        let mut norm = Norm { scale: 1.0 / 255.0, mean: [0.0; 4], std: [1.0; 4] };
        if k & 4 > 0 {
            options = options.mean(&mean[..count]).std(&std[..count]);
            norm = Norm { mean, std, ..norm };
        }
        if last {
            options = options.layout(ImageLayout::Nhwc);
        }
        if let Some(size) = size {
            options = options.size(size);
        }
        let words = |y: usize| (left..left + width).map(move |x| 4 * ((top + y) * w + x));
        let words = (0..height).flat_map(words).map(|i| u32::from_le_bytes(bytes[i..i + 4].try_into().unwrap()));
        let x = Tensor::new([height, width], words.collect::<Vec<_>>()).unwrap();
        let channels = Channels { count, swapped: bgra != (bgr && count > 1), last, norm };
        let op = FromPixels { width, size, channels };
        agrees(&program.read(&texture, &options), &op, x, &format!("{format:?} {options:?}"));
    }
}

fn agrees(y: &Tensor, op: &FromPixels, x: Tensor, what: &str) {
    let expected = op.reference(std::slice::from_ref(&x)).unwrap();
    let most = bounds(op, Algorithm::Direct, &[x], &expected).unwrap().unwrap();
    let found = compare(y, &expected[0], &most[0]);
    assert!(found.ok(), "{what}: {found}");
}

#[test]
fn values_are_those_of_torchvision() {
    let program = Program::new();
    for case in &golden("pixels") {
        let x = case.tensor("x");
        let bytes: Vec<u8> = x.to_i64s().unwrap().iter().map(|&b| b as u8).collect();
        let texture = program.filled(TextureFormat::Rgba8Unorm, [x.shape()[0], x.shape()[1]], &bytes);
        let count = case.usize("channels");
        let mut options = ImageOptions::new().channels(count).bgr(case.bool("bgr"));
        if case.bool("channels_last") {
            options = options.layout(ImageLayout::Nhwc);
        }
        if case.bool("normalize") {
            let (mean, std) = ([0.485, 0.456, 0.406, 0.5], [0.229, 0.224, 0.225, 0.25]);
            options = options.mean(&mean[..count]).std(&std[..count]);
        }
        if case.params["size"].is_array() {
            options = options.size(case.pair("size"));
        }
        let expected = case.tensor("out");
        let found = compare(&program.read(&texture, &options), expected, &vec![3e-6; expected.numel()]);
        assert!(found.ok(), "case {}: {found}", case.id);
    }
}

/// Numbers beyond 0..1, subnormal halves among them.
#[test]
fn halves_are_loaded() {
    let (program, mut rng) = (Program::new(), Rng(4));
    for [h, w] in SIZES {
        let halves: Vec<f16> = (0..4 * h * w).map(|_| f16::from_f32(3.0 * rng.float() - 1.0)).collect();
        let small = f16::from_bits(1);
        let halves: Vec<f16> = [small].into_iter().chain(halves).take(4 * h * w).collect();
        let bytes: Vec<u8> = halves.iter().flat_map(|v| v.to_le_bytes()).collect();
        let texture = program.filled(TextureFormat::Rgba16Float, [h, w], &bytes);
        let values: Vec<f32> = halves.iter().map(|v| v.to_f32()).collect();
        let x = Tensor::new([1, h, w, 4], values.clone()).unwrap();
        assert_eq!(program.read(&texture, &raw()), x);
        let norm = Norm { scale: 1.0, mean: [0.5; 4], std: [0.25; 4] };
        let channels = Channels { count: 3, swapped: true, last: false, norm };
        let (top, left) = (h / 2, w / 3);
        let (height, width) = (h - top, w - left);
        let crop = (top..h).flat_map(|y| values[4 * (y * w + left)..4 * (y + 1) * w].to_vec()).collect::<Vec<_>>();
        let options = ImageOptions::new().bgr(true).mean([0.5]).std([0.25]).crop(top, left, height, width).size([4, 3]);
        let op = FromPixels { width, size: Some([4, 3]), channels };
        let x = Tensor::new([height, width, 4], crop).unwrap();
        agrees(&program.read(&texture, &options), &op, x, &format!("{h} x {w}"));
    }
}

/// With the same options both ways; alpha is opaque where the image has none.
#[test]
fn bytes_survive_the_way_to_an_image_and_back() {
    let (program, mut rng) = (Program::new(), Rng(5));
    let bytes = random_bytes(&mut rng, 4 * 6 * 67);
    for (format, _) in BYTES {
        let texture = program.filled(format, [6, 67], &bytes);
        for (count, bgr, layout) in [(3, false, ImageLayout::Nchw), (4, true, ImageLayout::Nhwc)] {
            let options = ImageOptions::new().channels(count).bgr(bgr).layout(layout).mean([0.4]).std([0.3]);
            let image = DeviceTensor::from_texture(&program.ours, &texture, &options).unwrap();
            let other = program.texture(format, [6, 67]);
            image.to_texture(&other, &options).unwrap();
            let alpha = |(i, &b): (usize, &u8)| if count == 3 && i % 4 == 3 { 255 } else { b };
            let expected: Vec<u8> = bytes.iter().enumerate().map(alpha).collect();
            assert_eq!(program.bytes_of(&other), expected, "{format:?} {options:?}");
        }
    }
}

#[test]
fn a_crop_is_written_and_the_rest_stays() {
    let (program, mut rng) = (Program::new(), Rng(6));
    let before = random_bytes(&mut rng, 4 * 5 * 9);
    let texture = program.filled(TextureFormat::Rgba8Unorm, [5, 9], &before);
    let gray = Tensor::new([1, 1, 2, 3], vec![0.0, 0.2, 1.0, 0.4, 2.0, f32::NAN]).unwrap();
    let gray = gray.to_device(&program.ours).unwrap();
    gray.to_texture(&texture, &ImageOptions::new().crop(3, 6, 2, 3)).unwrap();
    let mut after = before;
    for (k, v) in [0, 51, 255, 102, 255, 0].into_iter().enumerate() {
        let at = 4 * ((3 + k / 3) * 9 + 6 + k % 3);
        after[at..at + 4].copy_from_slice(&[v, v, v, 255]);
    }
    assert_eq!(program.bytes_of(&texture), after);
}

/// Without a poll of the device: nothing waits for it.
#[test]
fn frames_pass_through_a_network() {
    let program = Program::new();
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([1, 3, 2, 3])).unwrap();
    let y = graph.permute(x, &[0, 1, 3, 2]).unwrap();
    graph.output("y", y);
    let session = graph.compile(&program.ours).unwrap();
    let bytes: Vec<u8> = (0..24).map(|k| 10 * k).collect();
    let frame = program.filled(TextureFormat::Bgra8Unorm, [2, 3], &bytes);
    let shown = program.texture(TextureFormat::Bgra8Unorm, [3, 2]);
    pollster::block_on(async {
        let image = DeviceTensor::from_texture_async(&program.ours, &frame, &ImageOptions::new()).await.unwrap();
        let turned = session.run_device_async(&[("x", &image)]).await.unwrap();
        turned.first().to_texture_async(&shown, &ImageOptions::new()).await.unwrap();
    });
    let pixel = |y: usize, x: usize| &bytes[4 * (3 * y + x)..][..3];
    let expected: Vec<u8> = (0..6).flat_map(|i| [pixel(i % 2, i / 2), &[255]].concat()).collect();
    assert_eq!(program.bytes_of(&shown), expected);
}

/// An error of this kind whose text has this part, of reading or of writing.
fn refused<T: std::fmt::Debug>(found: convgpu::Result<T>, kind: ErrorKind, says: &str) {
    let e = found.unwrap_err();
    assert_eq!(e.kind(), kind, "{e}");
    assert!(e.to_string().contains(says), "{e}");
}

#[test]
fn textures_that_cannot_be_read_or_written_are_errors() {
    let program = Program::new();
    let plain = ImageOptions::new();
    let good = descriptor(TextureFormat::Rgba8Unorm, [4, 8], TextureUsages::COPY_SRC | TextureUsages::COPY_DST);
    let image = Tensor::zeros([1, 3, 4, 8]).to_device(&program.ours).unwrap();
    let read = |d: &wgpu::TextureDescriptor<'_>| {
        DeviceTensor::from_texture(&program.ours, &program.device.create_texture(d), &plain)
    };
    let write = |d: &wgpu::TextureDescriptor<'_>| image.to_texture(&program.device.create_texture(d), &plain);
    read(&good).unwrap();
    write(&good).unwrap();

    let format = wgpu::TextureDescriptor { format: TextureFormat::R8Unorm, ..good.clone() };
    let formats = "rgba8unorm, bgra8unorm, their srgb forms";
    refused(read(&format), ErrorKind::Unsupported, &format!("R8Unorm; supported: {formats}, rgba16float"));
    refused(write(&format), ErrorKind::Unsupported, &format!("R8Unorm; supported: {formats}"));
    let usage = TextureUsages::COPY_SRC | TextureUsages::COPY_DST | TextureUsages::TEXTURE_BINDING;
    let halves = wgpu::TextureDescriptor { format: TextureFormat::Rgba16Float, usage, ..good.clone() };
    refused(write(&halves), ErrorKind::Unsupported, "Rgba16Float; supported");

    let lacks =
        |d: &wgpu::TextureDescriptor<'static>, usage| wgpu::TextureDescriptor { usage: d.usage - usage, ..d.clone() };
    refused(read(&lacks(&good, TextureUsages::COPY_SRC)), ErrorKind::Argument, "lacks the usage COPY_SRC");
    refused(write(&lacks(&good, TextureUsages::COPY_DST)), ErrorKind::Argument, "lacks the usage COPY_DST");
    let unbound = lacks(&halves, TextureUsages::TEXTURE_BINDING);
    refused(read(&unbound), ErrorKind::Argument, "lacks the usage TEXTURE_BINDING");

    let usage = TextureUsages::RENDER_ATTACHMENT | TextureUsages::TEXTURE_BINDING;
    let samples = wgpu::TextureDescriptor { sample_count: 4, usage, ..good.clone() };
    let mips = wgpu::TextureDescriptor { mip_level_count: 2, ..good.clone() };
    let size = wgpu::Extent3d { width: 8, height: 4, depth_or_array_layers: 6 };
    let layers = wgpu::TextureDescriptor { size, ..good.clone() };
    let deep = wgpu::TextureDescriptor { dimension: wgpu::TextureDimension::D3, ..layers.clone() };
    for (d, says) in [
        (samples, "4 samples per pixel: it must have one"),
        (mips, "2 mip levels: it must have one"),
        (layers, "6 layers: it must have one"),
        (deep, "dimension D3 (8 x 4 x 6): it must be D2"),
    ] {
        refused(read(&d), ErrorKind::Unsupported, says);
        refused(write(&d), ErrorKind::Unsupported, says);
    }
}

#[test]
fn textures_of_elsewhere_are_errors() {
    let (program, other) = Program::pair();
    let plain = ImageOptions::new();
    let image = Tensor::zeros([1, 3, 4, 8]).to_device(&program.ours).unwrap();
    for format in [TextureFormat::Rgba8Unorm, TextureFormat::Rgba16Float] {
        let read = |texture: &wgpu::Texture| DeviceTensor::from_texture(&program.ours, texture, &plain);
        refused(read(&other.texture(format, [4, 8])), ErrorKind::Device, "reading a texture: ");
        let destroyed = program.texture(format, [4, 8]);
        destroyed.destroy();
        refused(read(&destroyed), ErrorKind::Device, "destroyed");
        read(&program.texture(format, [4, 8])).unwrap();
    }
    let texture = |of: &Program| of.texture(TextureFormat::Rgba8Unorm, [4, 8]);
    refused(image.to_texture(&texture(&other), &plain), ErrorKind::Device, "writing a texture: ");
    let destroyed = texture(&program);
    destroyed.destroy();
    refused(image.to_texture(&destroyed, &plain), ErrorKind::Device, "destroyed");
    image.to_texture(&texture(&program), &plain).unwrap();

    let read = |device: &Device| DeviceTensor::from_texture(device, &texture(&program), &plain);
    refused(read(&Device::cpu()), ErrorKind::Unsupported, "the CPU reference has no textures");
    let on_host = Tensor::zeros([1, 3, 4, 8]).to_device(&Device::cpu()).unwrap();
    refused(
        on_host.to_texture(&texture(&program), &plain),
        ErrorKind::Unsupported,
        "the CPU reference has no textures",
    );
    let own = crate::support::device();
    if !own.is_reference() {
        refused(read(own), ErrorKind::Argument, "Device::from_wgpu");
    }
}

#[test]
fn options_and_images_that_do_not_fit_are_errors() {
    let program = Program::new();
    let texture = program.texture(TextureFormat::Rgba8Unorm, [4, 8]);
    let plain = ImageOptions::new();
    let read = |options: ImageOptions, kind, says: &str| {
        refused(DeviceTensor::from_texture(&program.ours, &texture, &options), kind, says);
    };
    let outside = "the crop of 3 x 8 pixels from row 2 and column 0 is not inside the texture of 4 x 8";
    read(plain.clone().crop(2, 0, 3, 8), ErrorKind::Argument, outside);
    read(plain.clone().crop(0, usize::MAX, 1, 2), ErrorKind::Argument, "is not inside");
    read(plain.clone().crop(0, 0, 0, 2), ErrorKind::Argument, "no pixels: 0 x 2");
    read(plain.clone().size([0, 3]), ErrorKind::Shape, "4 pixels to 0");
    read(plain.clone().channels(2), ErrorKind::Argument, "2 channels: an image has 1, 3 or 4");
    read(plain.clone().mean([0.1, 0.2]), ErrorKind::Argument, "mean has 2 numbers, the image 3 channels");
    read(plain.clone().std([]), ErrorKind::Argument, "std has 0 numbers, the image 3 channels");
    read(plain.clone().std([0.0]), ErrorKind::Argument, "scale and std not 0");
    read(plain.clone().scale(f32::NAN), ErrorKind::Argument, "must be finite");
    read(plain.clone().channels(9).mean([0.0; 9]), ErrorKind::Argument, "mean has 9 numbers");

    let write = |shape: &[usize], options: &ImageOptions, kind, says: &str| {
        let image = Tensor::zeros(shape).to_device(&program.ours).unwrap();
        refused(image.to_texture(&texture, options), kind, says);
    };
    write(&[1, 3, 4, 7], &plain, ErrorKind::Shape, "an image of 4 x 7 for 4 x 8 pixels of the texture");
    write(&[1, 3, 4, 8], &plain.clone().crop(0, 0, 2, 2), ErrorKind::Shape, "an image of 4 x 8 for 2 x 2 pixels");
    write(&[3, 4, 8], &plain, ErrorKind::Shape, "f32[3, 4, 8] is no image of layout Nchw");
    write(&[2, 3, 4, 8], &plain, ErrorKind::Shape, "f32[2, 3, 4, 8] is no image");
    write(&[1, 2, 4, 8], &plain, ErrorKind::Argument, "2 channels");
    write(&[1, 3, 4, 8], &plain.clone().size(4), ErrorKind::Argument, "a size of 4 x 4: writing");
    let integers = Tensor::new([1, 3, 4, 8], vec![1i32; 96]).unwrap().to_device(&program.ours).unwrap();
    refused(integers.to_texture(&texture, &plain), ErrorKind::Shape, "not i32[1, 3, 4, 8]");
}
