//! Pipelines: each is compiled once per device, whichever programs use it.

#[cfg(not(target_arch = "wasm32"))]
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(not(target_arch = "wasm32"))]
use rayon::prelude::*;

use super::adapter::Gpu;
use super::pipeline_cache::{PipelineKey, Pipelines};
use super::recording::{Access, Dispatch, Recording};
use super::refused::{Form, Refused, compiling};
#[cfg(not(target_arch = "wasm32"))]
use super::specialise::specialise;
use crate::error::{Error, ErrorKind, Result};
#[cfg(not(target_arch = "wasm32"))]
use crate::threads::Beside;

/// A pipeline of a recording, as the dispatches that share it.
#[derive(Debug, Default)]
pub struct Shared<'a> {
    /// Those that run once.
    pub prepare: Vec<&'a Dispatch>,
    /// Those of every run.
    pub run: Vec<&'a Dispatch>,
}

impl<'a> Shared<'a> {
    /// The pipelines of a recording, in the order of their first dispatches.
    pub fn of(recording: &'a Recording) -> Vec<Shared<'a>> {
        let mut places = HashMap::new();
        let mut all: Vec<Shared<'a>> = vec![];
        let once = recording.preparations().map(|d| (d, true));
        for (d, is_once) in once.chain(recording.dispatches().map(|d| (d, false))) {
            let place = *places.entry(PipelineKey::of(d)).or_insert(all.len());
            if place == all.len() {
                all.push(Shared::default());
            }
            let uses = if is_once { &mut all[place].prepare } else { &mut all[place].run };
            uses.push(d);
        }
        all
    }

    /// A dispatch of the pipeline: all have the same text, overrides and bindings.
    pub fn any(&self) -> &'a Dispatch {
        self.prepare.first().or(self.run.first()).expect("a pipeline has a dispatch")
    }
}

/// What of a dispatch decides about its pipeline.
impl Dispatch {
    /// The module that the device compiles: the text with its overrides inserted.
    ///
    /// # Errors
    /// The text is not valid.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn module(&self) -> Result<naga::Module> {
        specialise(&self.wgsl(), &self.overrides)
    }

    /// Whether the shader translator adds its run-time checks.
    pub fn has_checks(&self) -> bool {
        self.checked || checked_shaders()
    }

    /// Whether workgroup memory is zero when the kernel starts. By contract kernels of this crate write it before they read it.
    pub fn clears_workgroup_memory(&self) -> bool {
        self.checked
    }
}

/// Called with the number of compiled pipelines and their total after each compilation, from any thread, in any order.
#[derive(Clone)]
pub struct Progress(pub Arc<dyn Fn(usize, usize) + Send + Sync>);

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

impl Gpu {
    /// The pipelines of these dispatches. Missing ones are compiled, in parallel where there are threads. The first time,
    /// hardware proves meanwhile that it computes at all.
    pub(super) async fn compile(&self, dispatches: &[&Dispatch], progress: Option<&Progress>) -> Result<Pipelines> {
        let mut wanted: Pipelines = HashMap::new();
        let mut missing: HashMap<PipelineKey, &Dispatch> = HashMap::new();
        {
            let cache = self.pipelines().lock();
            for d in dispatches {
                let key = PipelineKey::of(d);
                match cache.get(&key) {
                    Some(pipeline) => drop(wanted.insert(key, pipeline.clone())),
                    None => drop(missing.insert(key, d)),
                }
            }
        }
        let missing: Vec<_> = missing.into_iter().collect();
        let (all, done, begun) = (missing.len(), AtomicUsize::new(0), Begun::default());
        if all > 0 {
            self.alive().await?;
        }
        #[cfg(not(target_arch = "wasm32"))]
        let proof = self.proving(all > 0)?;
        let compile = async |one| {
            let made = self.compile_one(one, &begun).await;
            if let Some(Progress(tell)) = progress {
                tell(done.fetch_add(1, Ordering::Relaxed) + 1, all);
            }
            made
        };
        #[cfg(not(target_arch = "wasm32"))]
        let made: Vec<_> = missing.into_par_iter().map(|m| pollster::block_on(compile(m))).collect();
        #[cfg(target_arch = "wasm32")]
        let made = futures_of(missing.into_iter().map(compile)).await;
        // All or none: of a device that is lost meanwhile, some are invalid.
        let made = made.into_iter().collect::<Result<Vec<_>>>()?;
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(proof) = proof {
            self.meanwhile(proof.result()).await?;
        }
        let mut cache = self.pipelines().lock();
        cache.extend(made.iter().cloned());
        wanted.extend(made);
        Ok(wanted)
    }

    /// Starts a thread in which the device proves that it computes, if it has to and did not yet.
    ///
    /// # Errors
    /// It proved that it does not.
    #[cfg(not(target_arch = "wasm32"))]
    fn proving(&self, is_first: bool) -> Result<Option<Beside<Result<()>>>> {
        match self.proof().get() {
            Some(known) => known.clone().map(|()| None),
            None if !is_first || !self.is_to_prove() => Ok(None),
            None => {
                let gpu = self.clone();
                self.thread(async move {
                    let answer = gpu.computes().await;
                    gpu.proof().get_or_init(|| answer).clone()
                })
                .map(Some)
            }
        }
    }

    async fn compile_one(
        &self,
        (key, d): (PipelineKey, &Dispatch),
        begun: &Begun,
    ) -> Result<(PipelineKey, wgpu::ComputePipeline)> {
        let form = Form::of_dispatch(d);
        let named = |e: Error| e.within(format_args!("kernel {form}")).at(d.node.clone());
        if Refused::by(&self.info().to_string()).has(&form) {
            let text = "the driver failed to compile it before, which lost the device: it is not tried again; on a device that \
                        is opened now other kernels are taken, where there are any";
            return Err(named(Error::new(ErrorKind::Device, text)));
        }
        let shader = shader(d).map_err(named)?;
        begun.add(&form);
        let made = self.guarded(|| compiling(d, || self.pipeline(d, shader))).await;
        // The error of a lost device names the kernel, unless the device belongs to the program.
        let made = match made {
            Err(e) if e.kind() == ErrorKind::DeviceLost => return Err(e),
            Ok(_) if !self.is_own() => self.alive().await.map_err(|e| begun.suspected(e)).and(made),
            made => made.map_err(named),
        }?;
        begun.remove(&form);
        Ok((key, made))
    }

    fn pipeline(&self, d: &Dispatch, Shader { source, overrides }: Shader<'_>) -> wgpu::ComputePipeline {
        self.fail_if_hooked(d.kernel.name);
        let device = self.device();
        let source = wgpu::ShaderModuleDescriptor { label: Some(d.kernel.name), source };
        #[expect(unsafe_code, reason = "the one place where a shader runs without run-time checks")]
        let module = if d.has_checks() {
            device.create_shader_module(source)
        } else {
            // SAFETY: the planner alone makes dispatches, and it leaves the checks out only where an operator of this
            // crate launches one of its kernels, on the shapes that its shape rule accepted. The contract and operator
            // tests run every kernel over shapes off its tile sizes with guarded buffers, and in checked mode, so no
            // index leaves its binding.
            unsafe { device.create_shader_module_trusted(source, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        let groups: Vec<_> = d.layout().iter().map(|group| self.group_layout(d.kernel.name, group)).collect();
        let groups: Vec<_> = groups.iter().map(Some).collect();
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(d.kernel.name),
            bind_group_layouts: &groups,
            ..Default::default()
        });
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(d.kernel.name),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: overrides,
                zero_initialize_workgroup_memory: d.clears_workgroup_memory(),
            },
            cache: None,
        })
    }
}

impl Gpu {
    fn group_layout(&self, label: &str, bindings: &[(u32, Access)]) -> wgpu::BindGroupLayout {
        let entry = |&(binding, access): &(u32, Access)| {
            let ty = match access {
                Access::Uniform => wgpu::BufferBindingType::Uniform,
                Access::Read | Access::ReadWrite => {
                    wgpu::BufferBindingType::Storage { read_only: access == Access::Read }
                }
            };
            let ty = wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
            wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
        };
        let entries: Vec<_> = bindings.iter().map(entry).collect();
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries };
        self.device().create_bind_group_layout(&descriptor)
    }
}

/// The kernels that a device compiles at once. One whose compilation fails stays.
#[derive(Default)]
struct Begun(Mutex<Vec<Form>>);

impl Begun {
    fn forms(&self) -> MutexGuard<'_, Vec<Form>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn add(&self, form: &Form) {
        self.forms().push(form.clone());
    }
    fn remove(&self, form: &Form) {
        self.forms().retain(|other| other != form);
    }
    /// The error of a device of the program that was lost while it compiled these. wgpu tells the program alone why.
    fn suspected(&self, e: Error) -> Error {
        let forms: Vec<_> = self.forms().iter().map(Form::to_string).collect();
        e.within(format_args!("while these kernels were compiled, {}", forms.join(", ")))
    }
}

/// The source of a pipeline: the kernel's text, and the overrides that the device sets.
struct Shader<'a> {
    source: wgpu::ShaderSource<'static>,
    overrides: &'a [(&'static str, f64)],
}

#[cfg(not(target_arch = "wasm32"))]
fn shader(d: &Dispatch) -> Result<Shader<'_>> {
    Ok(Shader { source: wgpu::ShaderSource::Naga(Cow::Owned(d.module()?)), overrides: &[] })
}

/// Browsers compile the text themselves.
#[cfg(target_arch = "wasm32")]
fn shader(d: &Dispatch) -> Result<Shader<'_>> {
    Ok(Shader { source: wgpu::ShaderSource::Wgsl(d.wgsl().into()), overrides: &d.overrides })
}

/// `CONVGPU_CHECKED=1` keeps the translator's bounds checks in every shader: it tells an index out of range from a driver bug.
fn checked_shaders() -> bool {
    std::env::var("CONVGPU_CHECKED").is_ok_and(|v| v == "1")
}

#[cfg(target_arch = "wasm32")]
async fn futures_of<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut out = vec![];
    for future in futures {
        out.push(future.await);
    }
    out
}
