//! Which adapter: what there is, best first, and what is asked for.

use std::fmt;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::OnceLock;

use super::info::{AdapterInfo, describe};
use crate::error::{Error, Result};

/// The interface through which an adapter is used.
///
/// ```
/// use convgpu::Backend;
///
/// assert_eq!(Backend::named("Vulkan"), Some(Backend::Vulkan));
/// assert_eq!(Backend::named("radeon"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// Vulkan.
    Vulkan,
    /// Metal, on Apple's systems.
    Metal,
    /// Direct3D 12, on Windows.
    Dx12,
    /// OpenGL and OpenGL ES.
    Gl,
    /// The WebGPU of a browser.
    WebGpu,
}

impl Backend {
    const ALL: [Backend; 5] = [Backend::Vulkan, Backend::Metal, Backend::Dx12, Backend::Gl, Backend::WebGpu];

    /// The backend of this name, in any case: `vulkan`, `metal`, `dx12`, `gl`, `webgpu`.
    pub fn named(name: &str) -> Option<Backend> {
        Backend::ALL.into_iter().find(|b| b.to_string().eq_ignore_ascii_case(name))
    }

    fn flag(self) -> wgpu::Backends {
        match self {
            Backend::Vulkan => wgpu::Backends::VULKAN,
            Backend::Metal => wgpu::Backends::METAL,
            Backend::Dx12 => wgpu::Backends::DX12,
            Backend::Gl => wgpu::Backends::GL,
            Backend::WebGpu => wgpu::Backends::BROWSER_WEBGPU,
        }
    }

    fn started(self) -> wgpu::Instance {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
        descriptor.backends = self.flag();
        wgpu::Instance::new(descriptor)
    }
}

/// Backends are started once per process and never closed: where one thread closes GL while another one works with Vulkan,
/// NVIDIA's driver waits for ever (580.159.04).
#[cfg(not(target_arch = "wasm32"))]
impl Backend {
    /// The adapters there are.
    async fn adapters(self) -> Vec<wgpu::Adapter> {
        static STARTED: [OnceLock<wgpu::Instance>; Backend::ALL.len()] =
            [const { OnceLock::new() }; Backend::ALL.len()];
        static GL: OnceLock<Vec<wgpu::Adapter>> = OnceLock::new();
        if self == Backend::Gl {
            return GL.get_or_init(|| pollster::block_on(self.started().enumerate_adapters(self.flag()))).clone();
        }
        STARTED[self as usize].get_or_init(|| self.started()).enumerate_adapters(self.flag()).await
    }

    /// An adapter as it is to be opened. wgpu has one context for all of a GL instance, which one thread at a time may use, so
    /// that a device needs its own.
    async fn own(adapter: wgpu::Adapter) -> wgpu::Adapter {
        if adapter.get_info().backend != wgpu::Backend::Gl {
            return adapter;
        }
        let instance = Backend::Gl.started();
        let again = instance.enumerate_adapters(wgpu::Backends::GL).await;
        std::mem::forget(instance);
        again.into_iter().find(|a| a.get_info().name == adapter.get_info().name).unwrap_or(adapter)
    }
}

/// A browser has nothing to start.
#[cfg(target_arch = "wasm32")]
impl Backend {
    async fn adapters(self) -> Vec<wgpu::Adapter> {
        self.started().enumerate_adapters(self.flag()).await
    }

    async fn own(adapter: wgpu::Adapter) -> wgpu::Adapter {
        adapter
    }
}

/// Its name on the command line.
impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::Vulkan => "vulkan",
            Backend::Metal => "metal",
            Backend::Dx12 => "dx12",
            Backend::Gl => "gl",
            Backend::WebGpu => "webgpu",
        })
    }
}

/// Which adapter to open.
#[derive(Clone, Debug)]
pub enum Choice {
    /// The first of [`list`] that opens.
    Best,
    /// The adapter at this position in [`list`].
    Index(usize),
    /// The first whose name contains this, ignoring case, of this backend if there is one.
    Name(String, Option<Backend>),
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Best => f.write_str("auto"),
            Choice::Index(i) => write!(f, "index {i}"),
            Choice::Name(name, None) => write!(f, "the name {name:?}"),
            Choice::Name(name, Some(backend)) if name.is_empty() => write!(f, "the backend {backend}"),
            Choice::Name(name, Some(backend)) => write!(f, "the name {name:?} and the backend {backend}"),
        }
    }
}

/// What the environment says: wgpu's `WGPU_BACKEND` and `WGPU_ADAPTER_NAME`, which narrow the list.
struct Environment {
    backends: wgpu::Backends,
    /// In lower case; empty for any.
    name: String,
    /// The variables, for errors.
    text: String,
}

impl Environment {
    /// # Errors
    /// `WGPU_BACKEND` has a name that is no backend's.
    fn read() -> Result<Environment> {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.trim().is_empty());
        let (backend, name) = (variable("WGPU_BACKEND"), variable("WGPU_ADAPTER_NAME"));
        let mut backends = wgpu::Backends::all();
        if let Some(list) = &backend {
            let known = |name: &str| !wgpu::Backends::from_comma_list(name).is_empty();
            if let Some(unknown) = list.split(',').find(|part| !known(part)) {
                let all = Backend::ALL.map(|b| b.to_string()).join(", ");
                let text = format!("WGPU_BACKEND={list}: {:?} is no backend; backends: {all}", unknown.trim());
                return Err(Error::argument(text));
            }
            backends = wgpu::Backends::from_comma_list(list);
        }
        let set = [("WGPU_BACKEND", &backend), ("WGPU_ADAPTER_NAME", &name)];
        let text: Vec<_> = set.iter().filter_map(|(k, v)| Some(format!("{k}={}", v.as_ref()?))).collect();
        Ok(Environment { backends, name: name.unwrap_or_default().to_lowercase(), text: text.join(" ") })
    }

    /// The adapters of these backends that can compute and that the environment admits, in the order of [`rank`].
    async fn adapters(&self, of: wgpu::Backends) -> Vec<wgpu::Adapter> {
        let wanted = self.backends & of & wgpu::Instance::enabled_backend_features();
        let mut found = vec![];
        for backend in Backend::ALL.into_iter().filter(|b| wanted.contains(b.flag())) {
            found.extend(backend.adapters().await);
        }
        found.retain(|a| computes(a) && self.admits(a));
        found.sort_by_cached_key(|a| rank(&described(a)));
        found
    }

    fn admits(&self, adapter: &wgpu::Adapter) -> bool {
        adapter.get_info().name.to_lowercase().contains(&self.name)
    }

    /// An error if the environment is why there is no adapter.
    async fn blame(&self) -> Result<()> {
        let open = Environment { backends: wgpu::Backends::all(), name: String::new(), text: String::new() };
        let all = open.adapters(wgpu::Backends::all()).await;
        if self.text.is_empty() || all.is_empty() {
            return Ok(());
        }
        Err(Error::argument(format!("{}: no adapter matches; adapters: {}", self.text, names(&all))))
    }
}

fn computes(adapter: &wgpu::Adapter) -> bool {
    adapter.get_info().backend != wgpu::Backend::Noop
        && adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
        && adapter.limits().max_storage_buffers_per_shader_stage >= 4
}

fn described(adapter: &wgpu::Adapter) -> AdapterInfo {
    describe(adapter.get_info(), &adapter.limits(), adapter.features())
}

/// Where an adapter stands: hardware before software; GL after the other backends, by which the same GPU mostly is there, too;
/// then by kind; of software adapters the faster first, as far as they are known; then Vulkan before Metal and DX12, whose
/// compiler may be FXC.
fn rank(info: &AdapterInfo) -> impl Ord + use<> {
    let known = ["llvmpipe", "SwiftShader"];
    let speed = known.iter().position(|name| info.name.contains(name)).unwrap_or(known.len());
    let backend = Backend::ALL.iter().position(|b| b.to_string().eq_ignore_ascii_case(&info.backend));
    let is_gl = backend.is_some_and(|at| Backend::ALL[at] == Backend::Gl);
    (
        info.caps.software,
        is_gl,
        info.kind,
        if info.caps.software { speed } else { 0 },
        backend.unwrap_or(Backend::ALL.len()),
    )
}

/// What `auto` tries, best first, of the adapters of GL and of all `others`: of GL only hardware, where the others are software;
/// everything, where there are no others.
fn joined<T>(others: Vec<T>, mut gl: Vec<T>, is_software: impl Fn(&T) -> bool) -> Vec<T> {
    if !others.is_empty() {
        gl.retain(|adapter| !is_software(adapter));
    }
    gl.extend(others);
    gl
}

/// Whether a driver offers a GPU to programs. Where none does, GL is software, too: starting it takes time, and its libraries
/// write messages of their own.
fn may_have_gpu() -> bool {
    let is_render = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|e| e.file_name().to_string_lossy().starts_with("renderD"))
    };
    !cfg!(target_os = "linux")
        || std::fs::read_dir("/dev/dri").is_ok_and(|mut entries| entries.any(is_render))
        || ["/dev/nvidiactl", "/dev/dxg", "/dev/mali0", "/dev/kgsl-3d0"]
            .iter()
            .any(|node| std::path::Path::new(node).exists())
}

fn names(adapters: &[wgpu::Adapter]) -> String {
    let one = |(i, a): (usize, &wgpu::Adapter)| format!("{i}: {} ({:?})", a.get_info().name, a.get_info().backend);
    let all: Vec<_> = adapters.iter().enumerate().map(one).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// Every adapter that can compute, best first. The position is the `INDEX` of `--device INDEX`.
///
/// # Errors
/// The environment names a backend that is none, or nothing that is there.
pub async fn list() -> Result<Vec<AdapterInfo>> {
    let environment = Environment::read()?;
    let found = environment.adapters(wgpu::Backends::all()).await;
    if found.is_empty() {
        environment.blame().await?;
    }
    Ok(found.iter().map(described).collect())
}

/// The adapters that a choice allows, in the order in which they are to be tried; empty if there is none at all and the choice
/// is [`Choice::Best`].
///
/// # Errors
/// None matches.
pub async fn candidates(choice: &Choice) -> Result<Vec<wgpu::Adapter>> {
    let environment = Environment::read()?;
    if let Choice::Best = choice {
        let is_software = |a: &wgpu::Adapter| described(a).caps.software;
        let mut found = environment.adapters(!wgpu::Backends::GL).await;
        if found.is_empty() || (found.iter().all(is_software) && may_have_gpu()) {
            found = joined(found, environment.adapters(wgpu::Backends::GL).await, is_software);
        }
        if found.is_empty() {
            environment.blame().await?;
        }
        return Ok(own(found).await);
    }
    let backends = if let Choice::Name(_, Some(backend)) = choice { backend.flag() } else { wgpu::Backends::all() };
    let mut found = environment.adapters(backends).await;
    let position = match choice {
        Choice::Index(i) => (*i < found.len()).then_some(*i),
        Choice::Name(name, _) => {
            let name = name.to_lowercase();
            found.iter().position(|a| a.get_info().name.to_lowercase().contains(&name))
        }
        Choice::Best => unreachable!("handled above"),
    };
    if let Some(position) = position {
        return Ok(own(vec![found.swap_remove(position)]).await);
    }
    environment.blame().await.or_else(|e| if found.is_empty() { Err(e) } else { Ok(()) })?;
    let all = environment.adapters(wgpu::Backends::all()).await;
    Err(Error::argument(format!("no adapter matches {choice}; adapters: {}", names(&all))))
}

async fn own(adapters: Vec<wgpu::Adapter>) -> Vec<wgpu::Adapter> {
    let mut out = vec![];
    for adapter in adapters {
        out.push(Backend::own(adapter).await);
    }
    out
}

#[cfg(test)]
mod tests {
    use wgpu::Backend::{BrowserWebGpu, Dx12, Gl, Metal, Vulkan};
    use wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu};

    use super::*;

    fn adapter(&(name, of, backend): &(&str, wgpu::DeviceType, wgpu::Backend)) -> AdapterInfo {
        let info = wgpu::AdapterInfo { name: name.to_owned(), ..wgpu::AdapterInfo::new(of, backend) };
        describe(info, &wgpu::Limits::default(), wgpu::Features::empty())
    }

    type Listed = (&'static str, wgpu::DeviceType, wgpu::Backend);

    /// The best order, and each list in it reversed.
    #[test]
    fn adapters_are_in_the_order_of_their_worth() {
        let linux: &[Listed] = &[
            ("AMD Radeon RX 6800 (RADV NAVI21)", DiscreteGpu, Vulkan),
            ("Intel(R) UHD Graphics 630 (CFL GT2)", IntegratedGpu, Vulkan),
            ("Virtio-GPU Venus (Intel)", VirtualGpu, Vulkan),
            ("unknown", Other, Vulkan),
            ("Mesa Intel(R) UHD Graphics 630 (CFL GT2)", IntegratedGpu, Gl),
            ("AMD Radeon RX 6800 (radeonsi, navi21, LLVM 15.0.6)", Other, Gl),
            ("llvmpipe (LLVM 15.0.6, 256 bits)", Cpu, Vulkan),
            ("SwiftShader Device (Subzero)", Cpu, Vulkan),
            ("llvmpipe (LLVM 15.0.6, 256 bits)", Cpu, Gl),
            ("softpipe", Other, Gl),
        ];
        let windows: &[Listed] = &[
            ("NVIDIA GeForce RTX 3060", DiscreteGpu, Vulkan),
            ("NVIDIA GeForce RTX 3060", DiscreteGpu, Dx12),
            ("Intel(R) UHD Graphics 770", IntegratedGpu, Vulkan),
            ("Intel(R) UHD Graphics 770", IntegratedGpu, Dx12),
            ("NVIDIA GeForce RTX 3060/PCIe/SSE2", Other, Gl),
            ("Microsoft Basic Render Driver", Cpu, Dx12),
        ];
        let others: &[Listed] =
            &[("Apple M3", IntegratedGpu, Metal), ("", Other, BrowserWebGpu), ("SwiftShader", Cpu, Vulkan)];
        for list in [linux, windows, others] {
            let best: Vec<_> = list.iter().map(adapter).collect();
            let mut found: Vec<_> = best.iter().rev().collect();
            found.sort_by_key(|info| rank(info));
            let text = |info: &AdapterInfo| format!("{} {}", info.name, info.backend);
            assert_eq!(found.into_iter().map(text).collect::<Vec<_>>(), best.iter().map(text).collect::<Vec<_>>());
        }
    }

    #[test]
    fn hardware_by_gl_counts_against_software() {
        let names = |others: &[Listed], gl: &[Listed]| {
            let all = |list: &[Listed]| list.iter().map(adapter).collect::<Vec<_>>();
            let found = joined(all(others), all(gl), |a| a.caps.software);
            found.into_iter().map(|a| format!("{} {}", a.name, a.backend)).collect::<Vec<_>>()
        };
        let (lavapipe, llvmpipe) = (("llvmpipe", Cpu, Vulkan), ("llvmpipe", Cpu, Gl));
        let (mali, soft) = (("Mali-G52", IntegratedGpu, Gl), ("softpipe", Other, Gl));
        assert_eq!(names(&[lavapipe], &[mali, llvmpipe, soft]), ["Mali-G52 Gl", "llvmpipe Vulkan"]);
        assert_eq!(names(&[lavapipe], &[llvmpipe]), ["llvmpipe Vulkan"]);
        assert_eq!(names(&[], &[mali, llvmpipe]), ["Mali-G52 Gl", "llvmpipe Gl"]);
    }
}
