//! Which adapter: what there is, best first, and what is asked for.

use std::fmt;

use super::info::{AdapterInfo, AdapterKind, describe};
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

    /// The adapters of these backends that can compute and that the environment admits, best first: discrete, integrated,
    /// virtual, software; Vulkan, Metal and DX12 before GL.
    async fn adapters(&self, of: wgpu::Backends) -> Vec<wgpu::Adapter> {
        let backends = self.backends & of;
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
        descriptor.backends = backends;
        let all = wgpu::Instance::new(descriptor).enumerate_adapters(backends).await;
        let mut found: Vec<_> = all.into_iter().filter(|a| computes(a) && self.admits(a)).collect();
        found.sort_by_key(|a| {
            let info = describe(a.get_info(), &a.limits(), a.features());
            (info.kind, software_rank(&info), a.get_info().backend == wgpu::Backend::Gl)
        });
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

/// Among software adapters, the faster first, as far as they are known.
fn software_rank(info: &AdapterInfo) -> usize {
    let known = ["llvmpipe", "SwiftShader"];
    let rank = known.iter().position(|name| info.name.contains(name)).unwrap_or(known.len());
    if info.kind == AdapterKind::Software { rank } else { 0 }
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
    Ok(found.iter().map(|a| describe(a.get_info(), &a.limits(), a.features())).collect())
}

/// The adapters that a choice allows, in the order in which they are to be tried; empty if there is none at all and the choice
/// is [`Choice::Best`].
///
/// # Errors
/// None matches.
pub async fn candidates(choice: &Choice) -> Result<Vec<wgpu::Adapter>> {
    let environment = Environment::read()?;
    if let Choice::Best = choice {
        // GL is opened only where nothing else serves: its libraries write messages of their own.
        let mut found = environment.adapters(!wgpu::Backends::GL).await;
        if found.is_empty() {
            found = environment.adapters(wgpu::Backends::GL).await;
        }
        if found.is_empty() {
            environment.blame().await?;
        }
        return Ok(found);
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
        return Ok(vec![found.swap_remove(position)]);
    }
    environment.blame().await.or_else(|e| if found.is_empty() { Err(e) } else { Ok(()) })?;
    let all = environment.adapters(wgpu::Backends::all()).await;
    Err(Error::argument(format!("no adapter matches {choice}; adapters: {}", names(&all))))
}
