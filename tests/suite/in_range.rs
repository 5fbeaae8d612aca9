//! Every index of every kernel lies within its tensor, also where nothing is made of what is read there: guarded memory shows only
//! what reaches a result. Each text is changed so that it counts the indices that do not.

use std::collections::{BTreeMap, HashMap};

use convgpu::conformance::ConformanceOptions;
use convgpu::internals::conformance::{exercises, is_refusal};
use convgpu::internals::gpu::recording::{Access, Range};
use convgpu::internals::gpu::script::{Resource, Script, Step};
use convgpu::{Device, wgpu};
use naga::AddressSpace;
use wgpu::BufferUsages;

/// The binding of the counter, behind those of any kernel.
const COUNTER: u32 = 10;

/// A text that counts the indices into its storage bindings that are out of range.
fn watched(text: &str) -> String {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    let storage = module.global_variables.iter().filter(|(_, v)| matches!(v.space, AddressSpace::Storage { .. }));
    let names: Vec<_> = storage.filter_map(|(_, v)| v.name.as_deref()).collect();
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let counter = format!(
        "@group(0) @binding({COUNTER}) var<storage, read_write> out_of_range: atomic<u32>;
        fn within(i: u32, n: u32) -> u32 {{ if i >= n {{ atomicAdd(&out_of_range, 1u); }} return i; }}"
    );
    let starts = code.match_indices("fn ").map(|(at, _)| at).filter(|&at| !code[..at].ends_with(is_word));
    let starts: Vec<_> = std::iter::once(0).chain(starts).chain([code.len()]).collect();
    let functions = starts.windows(2).map(|ends| &code[ends[0]..ends[1]]);
    functions.map(|text| watched_part(text, &visible(&names, text))).collect::<String>() + &counter
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names that neither a parameter of a function nor a variable in it has.
fn visible<'a>(names: &[&'a str], function: &str) -> Vec<&'a str> {
    let head = function.split('{').next().unwrap_or_default();
    let has = |text: &str, what: &str| {
        text.match_indices(what)
            .any(|(at, _)| !text[at + what.len()..].starts_with(is_word) && !text[..at].ends_with(is_word))
    };
    let is_shadowed = |name: &str| {
        has(head, &format!("{name}:")) || ["let", "var"].iter().any(|word| has(function, &format!("{word} {name}")))
    };
    names.iter().copied().filter(|name| !is_shadowed(name)).collect()
}

fn watched_part(text: &str, names: &[&str]) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(open) = rest.find('[') {
        let head = &rest[..open];
        let name = head.rsplit(|c| !is_word(c)).next().unwrap_or_default();
        let is_member = head[..open - name.len()].ends_with('.');
        let close = open + 1 + closing(&rest[open + 1..]);
        let index = watched_part(&rest[open + 1..close], names);
        out += head;
        out += &match names.contains(&name) && !is_member {
            true => format!("[within(u32({index}), arrayLength(&{name}))]"),
            false => format!("[{index}]"),
        };
        rest = &rest[close + 1..];
    }
    out + rest
}

/// Where the bracket closes that is open before the text.
fn closing(text: &str) -> usize {
    let mut depth = 1;
    let ends = |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        depth == 0
    };
    text.find(ends).expect("brackets match")
}

/// A wgpu device of the test's own, which runs scripts.
struct Runner {
    wgpu: wgpu::Device,
    queue: wgpu::Queue,
    /// By text and overrides.
    pipelines: HashMap<String, wgpu::ComputePipeline>,
}

impl Runner {
    fn new() -> (Runner, Device) {
        let instance = crate::shared::instance();
        let adapter = pollster::block_on(instance.request_adapter(&Default::default())).expect("there is an adapter");
        let (required_features, _) = Device::wanted(&adapter);
        let wanted =
            wgpu::DeviceDescriptor { required_features, required_limits: adapter.limits(), ..Default::default() };
        let (wgpu, queue) = pollster::block_on(adapter.request_device(&wanted)).expect("the adapter opens");
        let device = Device::from_wgpu(wgpu.clone(), queue.clone());
        (Runner { wgpu, queue, pipelines: HashMap::new() }, device)
    }

    fn buffer(&self, size: u64, usage: BufferUsages) -> wgpu::Buffer {
        let usage = usage | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        self.wgpu.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    }

    /// How many indices of the kernels are out of range, as `change` makes their texts.
    fn count(&mut self, script: &Script, change: &dyn Fn(String) -> String) -> u32 {
        let buffers: Vec<_> = script.buffers.iter().map(|&bytes| self.buffer(bytes, BufferUsages::STORAGE)).collect();
        for (to, bytes) in &script.writes {
            self.queue.write_buffer(&buffers[to.buffer], to.offset, bytes);
        }
        let counter = self.buffer(4, BufferUsages::STORAGE);
        let mut encoder = self.wgpu.create_command_encoder(&Default::default());
        for step in &script.steps {
            let (text, overrides) = step.dispatch.shader();
            let pipeline = self.pipeline(&change(text), overrides, step);
            let groups = self.groups(script, step, &pipeline, &buffers, &counter);
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            (0..).zip(&groups).for_each(|(k, group)| pass.set_bind_group(k, group, &[]));
            let [x, y, z] = step.dispatch.workgroups();
            pass.dispatch_workgroups(x, y, z);
        }
        let staging = self.buffer_for_reading();
        encoder.copy_buffer_to_buffer(&counter, 0, &staging, 0, 4);
        self.queue.submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |mapped| mapped.unwrap());
        self.wgpu.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let bytes = staging.get_mapped_range(..).unwrap();
        u32::from_le_bytes(bytes[..4].try_into().unwrap())
    }

    fn buffer_for_reading(&self) -> wgpu::Buffer {
        let usage = BufferUsages::COPY_DST | BufferUsages::MAP_READ;
        self.wgpu.create_buffer(&wgpu::BufferDescriptor { label: None, size: 4, usage, mapped_at_creation: false })
    }

    fn pipeline(&mut self, text: &str, overrides: &[(&str, f64)], step: &Step) -> wgpu::ComputePipeline {
        let key = format!("{overrides:?} {text}");
        if let Some(pipeline) = self.pipelines.get(&key) {
            return pipeline.clone();
        }
        let source = wgpu::ShaderSource::Wgsl(watched(text).into());
        let module = self.wgpu.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        let groups = step.bindings.iter().map(|b| b.group).max().map_or(0, |last| last + 1);
        let layouts: Vec<_> = (0..groups).map(|group| self.layout(step, group)).collect();
        let layouts: Vec<_> = layouts.iter().map(Some).collect();
        let layout = wgpu::PipelineLayoutDescriptor { bind_group_layouts: &layouts, ..Default::default() };
        let layout = self.wgpu.create_pipeline_layout(&layout);
        let pipeline = self.wgpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions { constants: overrides, ..Default::default() },
            cache: None,
        });
        self.pipelines.entry(key).or_insert(pipeline).clone()
    }

    fn layout(&self, step: &Step, group: u32) -> wgpu::BindGroupLayout {
        let own = step.bindings.iter().filter(|b| b.group == group).map(|b| (b.binding, b.access));
        let counter = (group == 0).then_some((COUNTER, Access::ReadWrite));
        let entry = |(binding, access)| {
            let read_only = matches!(access, Access::Read);
            let ty = match access {
                Access::Uniform => wgpu::BufferBindingType::Uniform,
                Access::Read | Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only },
            };
            let ty = wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
            wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
        };
        let entries: Vec<_> = own.chain(counter).map(entry).collect();
        self.wgpu.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries })
    }

    /// The bindings of a step, each as long as its tensor.
    fn groups(
        &self,
        script: &Script,
        step: &Step,
        pipeline: &wgpu::ComputePipeline,
        buffers: &[wgpu::Buffer],
        counter: &wgpu::Buffer,
    ) -> Vec<wgpu::BindGroup> {
        let last = step.bindings.iter().map(|b| b.group).max().unwrap_or(0);
        let part = |resource: &Resource| match resource {
            Resource::Part(range) => (buffers[range.buffer].clone(), range.offset, tensor(script, range)),
            Resource::Uniform(bytes) => {
                let buffer = self.buffer(bytes.len().next_multiple_of(16) as u64, BufferUsages::UNIFORM);
                self.queue.write_buffer(&buffer, 0, bytes);
                (buffer, 0, bytes.len() as u64)
            }
        };
        let group = |group: u32| {
            let own = step.bindings.iter().filter(|b| b.group == group).map(|b| (b.binding, part(&b.resource)));
            let counter = (group == 0).then(|| (COUNTER, (counter.clone(), 0, 4)));
            let parts: Vec<_> = own.chain(counter).collect();
            let entries: Vec<_> = parts.iter().map(|(binding, part)| entry(*binding, part)).collect();
            let layout = &pipeline.get_bind_group_layout(group);
            self.wgpu.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
        };
        (0..=last).map(group).collect()
    }
}

fn entry(binding: u32, (buffer, offset, bytes): &(wgpu::Buffer, u64, u64)) -> wgpu::BindGroupEntry<'_> {
    let part = wgpu::BufferBinding { buffer, offset: *offset, size: std::num::NonZeroU64::new(*bytes) };
    wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(part) }
}

/// The bytes of a tensor, of a binding with the gap after it.
fn tensor(script: &Script, bound: &Range) -> u64 {
    let is_behind = |gap: &&Range| gap.buffer == bound.buffer && gap.offset > bound.offset;
    let gap = script.guards.iter().filter(is_behind).map(|gap| gap.offset).min();
    gap.map_or(bound.bytes, |gap| bound.bytes.min(gap - bound.offset))
}

/// How many indices are out of range in some cases of every operator, or of one: of each variant in `most` cases.
fn found(op: Option<&str>, most: usize, change: &dyn Fn(String) -> String) -> (usize, Vec<String>) {
    let (mut runner, device) = Runner::new();
    let options = ConformanceOptions::new().quick().cases(if op.is_some() { 40 } else { 8 });
    let options = op.into_iter().fold(options, |options, op| options.op(op));
    let (mut runs, mut wrong) = (BTreeMap::new(), vec![]);
    for (case, made) in exercises(&device, &options).unwrap() {
        let made = match made {
            Err(e) if is_refusal(&e) => continue,
            made => made.unwrap(),
        };
        for exercise in made {
            let run = runs.entry((exercise.op, exercise.kernels.clone())).or_insert(0);
            if *run == most {
                continue;
            }
            *run += 1;
            let count = runner.count(&exercise.script, change);
            if count > 0 {
                wrong.push(format!("{case}: {}, {}: {count} indices out of range", exercise.what, exercise.kernels));
            }
        }
    }
    (runs.values().sum(), wrong)
}

#[test]
fn every_index_is_within_its_tensor() {
    // A column of a matrix that fills its last word is rare.
    for (op, most, least) in [(None, 2, 250), (Some("permute"), 40, 40)] {
        let (runs, wrong) = found(op, most, &|text| text);
        assert!(wrong.is_empty(), "{} of {runs}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(runs > least, "{runs}");
    }
}

/// Rows one behind the image, of which zeros are made; elements behind a column; what is read and thrown away.
#[test]
fn an_index_behind_a_tensor_is_counted() {
    let behind = |text: String| text.replace("min(iy, p.ih - 1u)", "min(iy, p.ih)");
    let (runs, wrong) = found(Some("max_pool2d"), 6, &behind);
    assert!(wrong.len() > 3, "{} of {runs}", wrong.len());
    let behind = |text: String| text.replace("source.x < p.rows", "source.x <= p.rows");
    let (runs, wrong) = found(Some("permute"), 40, &behind);
    assert!(!wrong.is_empty(), "0 of {runs}");
}

#[test]
fn indices_are_found_in_texts() {
    let text = "@group(0) @binding(1) var<storage, read_write> y: array<u32>; // y[0]
        fn f(y: vec2<u32>) -> u32 { return y[0]; }
        fn g(i: u32) { let a = array(1u); y[y[i] + 1u] = a[i]; }";
    let watched = watched(text);
    assert!(
        watched.contains("y[within(u32(y[within(u32(i), arrayLength(&y))] + 1u), arrayLength(&y))] = a[i];"),
        "{watched}"
    );
    assert!(watched.contains("return y[0];"), "{watched}");
}
