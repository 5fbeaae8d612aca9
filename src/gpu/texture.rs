//! Textures of the program: their pixels as the input of a kernel, or its output as their pixels, in one submission.
//!
//! Bytes are copied between texture and buffer, so that nothing decodes them; halves are loaded by a shader.

pub use wgpu::Texture;
use wgpu::{BufferUsages, TextureDimension, TextureFormat, TextureUsages};

use super::adapter::Gpu;
use super::direct::{Part, dispatch};
use super::kernel::{Kernel, kernel};
use super::launch::{Launch, Params, params};
use super::tensor_buffer::TensorBuffer;
use crate::error::{Error, Result};
use crate::shape::Precision;

/// Loads halves as floats. It reads a texture, so no plan launches it, and it is none of the kernels of operators.
pub static LOAD: Kernel = kernel!("texture_load");

/// The side of the square of texels that a workgroup of [`LOAD`] loads.
pub const LOAD_TILE: usize = 8;

/// What the pixels of a texture are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// Four bytes: red, green, blue, alpha, or if `bgra` blue, green, red, alpha.
    Bytes { bgra: bool },
    /// Four halves, red first.
    Halves,
}

impl Pixels {
    fn of(format: TextureFormat) -> Option<Pixels> {
        match format {
            TextureFormat::Rgba8Unorm | TextureFormat::Rgba8UnormSrgb => Some(Pixels::Bytes { bgra: false }),
            TextureFormat::Bgra8Unorm | TextureFormat::Bgra8UnormSrgb => Some(Pixels::Bytes { bgra: true }),
            TextureFormat::Rgba16Float => Some(Pixels::Halves),
            _ => None,
        }
    }
}

/// A part of a texture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Rows above it.
    pub top: usize,
    /// Columns before it.
    pub left: usize,
    /// Its rows.
    pub height: usize,
    /// Its columns.
    pub width: usize,
}

impl Region {
    /// All of a texture.
    pub fn whole(texture: &Texture) -> Region {
        Region { top: 0, left: 0, height: texture.height() as usize, width: texture.width() as usize }
    }

    /// Words of a row of bytes in a buffer: copies want rows of a multiple of 256 bytes.
    pub fn pitch(&self) -> usize {
        self.width.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT as usize / size_of::<u32>())
    }

    /// The params of [`LOAD`].
    pub fn params(&self) -> Params {
        let Region { top, left, height, width } = *self;
        params!(left, top, width, height)
    }

    fn extent(&self) -> wgpu::Extent3d {
        wgpu::Extent3d { width: self.width as u32, height: self.height as u32, depth_or_array_layers: 1 }
    }

    fn in_texture<'a>(&self, texture: &'a Texture) -> wgpu::TexelCopyTextureInfo<'a> {
        let origin = wgpu::Origin3d { x: self.left as u32, y: self.top as u32, z: 0 };
        wgpu::TexelCopyTextureInfo { origin, ..texture.as_image_copy() }
    }

    fn in_buffer<'a>(&self, buffer: &'a wgpu::Buffer) -> wgpu::TexelCopyBufferInfo<'a> {
        let bytes_per_row = Some((self.pitch() * size_of::<u32>()) as u32);
        wgpu::TexelCopyBufferInfo {
            buffer,
            layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row, rows_per_image: None },
        }
    }
}

/// The pixels of a texture that is to be read.
///
/// # Errors
/// Its format, form or usages are not those that reading takes.
pub fn readable(texture: &Texture) -> Result<Pixels> {
    const FORMATS: &str = "rgba8unorm, bgra8unorm, their srgb forms, rgba16float";
    let pixels = Pixels::of(texture.format()).ok_or_else(|| unsupported(texture, FORMATS))?;
    let needed = match pixels {
        Pixels::Bytes { .. } => (TextureUsages::COPY_SRC, "COPY_SRC"),
        Pixels::Halves => (TextureUsages::TEXTURE_BINDING, "TEXTURE_BINDING"),
    };
    plain(texture, needed)?;
    Ok(pixels)
}

/// Whether the bytes of a texture that is to be written begin with blue.
///
/// # Errors
/// Its format, form or usages are not those that writing takes.
pub fn writable(texture: &Texture) -> Result<bool> {
    let Some(Pixels::Bytes { bgra }) = Pixels::of(texture.format()) else {
        return Err(unsupported(texture, "rgba8unorm, bgra8unorm, their srgb forms"));
    };
    plain(texture, (TextureUsages::COPY_DST, "COPY_DST"))?;
    Ok(bgra)
}

fn unsupported(texture: &Texture, formats: &str) -> Error {
    Error::unsupported(format!("a texture of format {:?}; supported: {formats}", texture.format()))
}

/// An error unless the texture is one image, with the usage that is needed.
fn plain(texture: &Texture, (usage, name): (TextureUsages, &str)) -> Result<()> {
    let wgpu::Extent3d { width, height, depth_or_array_layers: layers } = texture.size();
    if texture.dimension() != TextureDimension::D2 {
        let text = format!("a texture of dimension {:?} ({width} x {height} x {layers})", texture.dimension());
        return Err(Error::unsupported(format!("{text}: it must be D2")));
    }
    let (samples, mips) = (texture.sample_count(), texture.mip_level_count());
    for (count, what) in [(samples, "samples per pixel"), (mips, "mip levels"), (layers, "layers")] {
        if count != 1 {
            return Err(Error::unsupported(format!("a texture of {count} {what}: it must have one")));
        }
    }
    if !texture.usage().contains(usage) {
        return Err(Error::argument(format!("the texture lacks the usage {name}; it has {:?}", texture.usage())));
    }
    Ok(())
}

impl Gpu {
    /// Runs a launch over the pixels of a region; the result has `bytes` bytes.
    pub(crate) async fn read_texture(
        &self,
        texture: &Texture,
        region: &Region,
        launch: &Launch,
        bytes: usize,
    ) -> Result<TensorBuffer> {
        self.alive().await?;
        let pixels = readable(texture)?;
        let size = match pixels {
            Pixels::Bytes { .. } => 4 * region.pitch() * region.height,
            Pixels::Halves => 16 * region.width * region.height,
        };
        let ready = self.ready(launch).await?;
        let corners = self.constant(BufferUsages::UNIFORM, &region.params().bytes()).await?;
        let (words, image) = (self.room(size as u64).await?, self.room(bytes as u64).await?);
        let (from, to) = (Part::of(&words, size as u64), Part::of(&image, bytes as u64));
        let work = || {
            let mut encoder = self.device().create_command_encoder(&Default::default());
            match pixels {
                Pixels::Bytes { .. } => encoder.copy_texture_to_buffer(
                    region.in_texture(texture),
                    region.in_buffer(words.place().0),
                    region.extent(),
                ),
                Pixels::Halves => {
                    let view = texture.create_view(&Default::default());
                    let view = wgpu::BindingResource::TextureView(&view);
                    let resources = [corners.as_entire_binding(), view, from.binding()];
                    let groups = [region.width, region.height].map(|n| n.div_ceil(LOAD_TILE) as u32);
                    dispatch(self, &mut encoder, self.load(), resources, [groups[0], groups[1], 1]);
                }
            }
            ready.encode(self, &mut encoder, from, to);
            self.queue().submit([encoder.finish()])
        };
        self.guarded(work).await.map_err(|e| e.within("reading a texture"))?;
        Ok(image)
    }

    /// Runs a launch over a tensor of `bytes` bytes, and writes the result to a region.
    pub(crate) async fn write_texture(
        &self,
        texture: &Texture,
        region: &Region,
        launch: &Launch,
        tensor: &TensorBuffer,
        bytes: usize,
    ) -> Result<()> {
        self.alive().await?;
        tensor.settled(self).await?;
        let ready = self.ready(launch).await?;
        let (bytes, size) = (bytes as u64, (4 * region.pitch() * region.height) as u64);
        let words = self.room(size).await?;
        let given = Part::of(tensor, bytes);
        let copy = if given.can_be_bound() { None } else { Some(self.room(bytes).await?) };
        let work = || {
            let mut encoder = self.device().create_command_encoder(&Default::default());
            if let Some(copy) = &copy {
                let ((from, at), (to, start)) = (tensor.place(), copy.place());
                encoder.copy_buffer_to_buffer(from, at, to, start, tensor.within(bytes));
            }
            let from = Part::of(copy.as_ref().unwrap_or(tensor), bytes);
            ready.encode(self, &mut encoder, from, Part::of(&words, size));
            encoder.copy_buffer_to_texture(
                region.in_buffer(words.place().0),
                region.in_texture(texture),
                region.extent(),
            );
            self.queue().submit([encoder.finish()])
        };
        self.guarded(work).await.map_err(|e| e.within("writing a texture"))?;
        Ok(())
    }

    /// The pipeline that loads halves as floats.
    fn load(&self) -> &wgpu::ComputePipeline {
        self.loader().get_or_init(|| {
            let source = wgpu::ShaderSource::Wgsl(LOAD.wgsl(&[], Precision::F32).into());
            let source = wgpu::ShaderModuleDescriptor { label: Some(LOAD.name()), source };
            let module = self.device().create_shader_module(source);
            self.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(LOAD.name()),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            })
        })
    }
}
