//! From a graph to a recording: chooses a layout per value, a variant per node and a place in memory per tensor.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::pack::{Conflicts, Tenant, lower_bound, pack};
use super::parts::{self, Parts};
use super::tuning::Tuning;
use super::{Graph, Node, ValueId};
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::caps::Caps;
use crate::gpu::kernel::{Arg, Launch, Slot};
use crate::gpu::recording::{BufferSpec, Command, Contents, Dispatch, Range, Recording};
use crate::ops::{self, Site, Variant, relayout};
use crate::shape::{DType, Desc, Layout, Precision};
use crate::tensor::Tensor;

/// Tensors start at multiples of this.
const ALIGNMENT: u64 = 256;

/// How a graph is planned.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Takes this variant of every operator (the last if there are fewer) instead of the first.
    pub alternative: Option<usize>,
    /// Converts the graph's inputs to these layouts first, in order; row-major where the list is shorter. Operators
    /// then choose their kernels as in the middle of a network.
    pub input_layouts: Vec<Layout>,
    /// Gives every tensor its own memory with a gap after it: prefilled with NaNs and checked after every run.
    pub guarded: bool,
    /// How floats are stored between kernels that support 16 bits; sums are f32 either way.
    pub precision: Precision,
    /// The most estimated work per submission; one second if `None`. A longer run is submitted in parts.
    pub submit_limit: Option<Duration>,
    /// Measured choices; a node without one takes the first of the static order. `alternative` has priority.
    pub tuning: Option<Arc<Tuning>>,
}

/// The result of planning.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The commands.
    pub recording: Recording,
    /// One entry per node, in order.
    pub nodes: Vec<PlannedNode>,
    /// Bytes of the arenas: activations and temporaries.
    pub peak_bytes: u64,
    /// The largest sum of tensors that are alive at the same time: no plan can take less.
    pub lower_bound: u64,
    /// Bytes of weights, packed or not, that stay on the device.
    pub weight_bytes: u64,
}

/// How a node was planned.
#[derive(Clone, Debug)]
pub struct PlannedNode {
    /// The node's name.
    pub name: String,
    /// The operator with its epilogue.
    pub op: String,
    /// The kernels of a run.
    pub kernels: String,
    /// Dispatches of a run, conversions of its inputs included.
    pub dispatches: usize,
    /// Shape and type of the first output.
    pub output: Desc,
    /// The number of variants that the device has for the node.
    pub alternatives: usize,
    /// The position of the chosen one.
    pub pick: usize,
    /// The layout that each input had when the choice was made.
    pub layouts: Vec<Layout>,
    /// The chosen variant.
    pub chosen: Variant,
}

/// How a tensor lies in a buffer: its layout and the width of its floats.
type Form = (Layout, Precision);

const ROW_MAJOR: Form = (Layout::RowMajor, Precision::F32);

/// Index into `Planner::places`.
type PlaceId = usize;

/// A tensor in device memory, before it has an address.
struct Place {
    label: String,
    bytes: u64,
    kind: Kind,
}

enum Kind {
    /// Uploaded before `prepare`; never written by a kernel.
    Constant(Contents),
    /// There before: never written.
    Resident,
    /// Written in `prepare` and kept.
    Prepared,
    /// In an arena from one step of the run to another.
    Temporary { first: usize, last: usize },
}

/// A launch with its tensors resolved to places.
struct Step {
    node: String,
    launch: Launch,
    reads: Vec<PlaceId>,
    writes: Vec<PlaceId>,
    /// Whether the shader keeps its run-time checks, because an operator outside this crate launches it.
    checked: bool,
}

struct Planner<'a> {
    graph: &'a Graph,
    caps: &'a Caps,
    options: &'a PlanOptions,
    places: Vec<Place>,
    /// The place of each value in every form that exists.
    homes: HashMap<(ValueId, Form), PlaceId>,
    /// The form in which each value was computed.
    native: HashMap<ValueId, Form>,
    /// How many readers each value has, graph outputs included.
    uses: Vec<usize>,
    /// The only step of the run that writes a value.
    makers: HashMap<ValueId, usize>,
    parts: Parts,
    prepare: Vec<Step>,
    run: Vec<Step>,
}

impl Plan {
    /// Plans a graph for a device.
    ///
    /// # Errors
    /// An operator has no kernel for its case, or a tensor exceeds a limit of the device: the error names the node. The
    /// precision is f16 and the device's shaders do not support it.
    pub fn new(graph: &Graph, caps: &Caps, options: &PlanOptions) -> Result<Plan> {
        if options.precision == Precision::F16 && !caps.f16 {
            return Err(Error::unsupported("precision f16: the device's shaders have no 16-bit floats (SHADER_F16)"));
        }
        let mut planner = Planner {
            graph,
            caps,
            options,
            places: vec![],
            homes: HashMap::new(),
            native: HashMap::new(),
            uses: graph.uses(),
            makers: HashMap::new(),
            parts: Parts::new(options.submit_limit.map_or(parts::SECONDS, |d| d.as_secs_f64())),
            prepare: vec![],
            run: vec![],
        };
        planner.plan()
    }

    /// Dispatches of one run.
    pub fn dispatches(&self) -> usize {
        self.recording.dispatches().count()
    }
}

impl Planner<'_> {
    fn plan(&mut self) -> Result<Plan> {
        let graph = self.graph;
        for &id in &graph.inputs {
            let value = &graph.values[id.0];
            let kind = Kind::Temporary { first: 0, last: 0 };
            let place = self.place(&value.name, value.desc.bytes(Layout::RowMajor), kind)?;
            self.settle(id, ROW_MAJOR, place);
        }
        for (&id, &layout) in graph.inputs.iter().zip(&self.options.input_layouts) {
            let form = (layout, Precision::F32);
            self.home("input", id, form)?;
            self.native.insert(id, form);
        }
        for (id, _) in &graph.resident {
            let value = &graph.values[id.0];
            let place = self.place(&value.name, value.desc.bytes(Layout::RowMajor), Kind::Resident)?;
            self.settle(*id, ROW_MAJOR, place);
        }
        let mut nodes = vec![];
        for node in &graph.nodes {
            let before = self.run.len();
            self.parts.add(before, parts::seconds(graph, node, self.caps));
            let layouts = node.inputs.iter().map(|id| self.layout_of(id)).collect();
            let (chosen, pick, alternatives) = self.node(node).map_err(|e| e.at(node.name.clone()))?;
            nodes.push(PlannedNode {
                name: node.name.clone(),
                op: format!("{}{}", node.op.name(), node.epilogue),
                kernels: chosen.kernels(),
                dispatches: self.run.len() - before,
                output: graph.desc(node.outputs[0]).clone(),
                alternatives,
                pick,
                layouts,
                chosen,
            });
        }
        let mut outputs = vec![];
        for (name, id) in &graph.outputs {
            outputs.push(self.home(name, *id, ROW_MAJOR)?);
        }
        let inputs: Vec<_> = graph.inputs.iter().map(|id| self.homes[&(*id, ROW_MAJOR)]).collect();
        self.lifetimes(&inputs, &outputs);
        Ok(self.assemble(nodes, &inputs, &outputs))
    }

    fn place(&mut self, label: &str, bytes: usize, kind: Kind) -> Result<PlaceId> {
        let bytes = bytes as u64;
        if bytes > self.caps.max_binding_bytes {
            let most = self.caps.max_binding_bytes;
            let mut text = format!("{label} takes {bytes} bytes, the device binds at most {most}");
            if !matches!(kind, Kind::Constant(_)) {
                let side = 100.0 * (most as f64 / bytes as f64).sqrt();
                text += &format!("; of an image, {} % of the width and of the height would fit", side.floor());
            }
            return Err(Error::new(ErrorKind::Memory, text));
        }
        self.places.push(Place { label: label.to_owned(), bytes, kind });
        Ok(self.places.len() - 1)
    }

    /// The form of a value in a layout, for a variant of this precision.
    fn form(&self, id: ValueId, layout: Layout, precision: Precision) -> Form {
        let narrows = layout == Layout::ChannelsLast && self.graph.desc(id).dtype == DType::F32;
        (layout, if narrows { precision } else { Precision::F32 })
    }

    /// Records the place of a value; if both layouts are the same bytes, it is recorded for both.
    fn settle(&mut self, id: ValueId, form: Form, place: PlaceId) {
        self.native.insert(id, form);
        self.homes.insert((id, form), place);
        if self.graph.desc(id).layouts_coincide() && form.1 == Precision::F32 {
            self.homes.insert((id, ROW_MAJOR), place);
            self.homes.insert((id, (Layout::ChannelsLast, Precision::F32)), place);
        }
    }

    fn is_fixed(&self, place: PlaceId) -> bool {
        !matches!(self.places[place].kind, Kind::Temporary { .. })
    }

    /// A place for a prepared buffer: kept if its sources are fixed, else a temporary of the run.
    fn derived(&mut self, label: &str, bytes: usize, fixed: bool) -> Result<PlaceId> {
        let kind = if fixed { Kind::Prepared } else { Kind::Temporary { first: usize::MAX, last: 0 } };
        self.place(label, bytes, kind)
    }

    /// A place for a launch's table.
    fn table(&mut self, node: &str, words: &[u32]) -> Result<PlaceId> {
        let bytes = (words.len() * 4).next_multiple_of(16).max(16);
        self.place(&format!("{node} table"), bytes, Kind::Constant(Contents::Words(Tensor::from(words))))
    }

    /// The place of a value in this form; uploads or converts it first if there is none.
    fn home(&mut self, node: &str, id: ValueId, form: Form) -> Result<PlaceId> {
        if let Some(&place) = self.homes.get(&(id, form)) {
            return Ok(place);
        }
        let value = &self.graph.values[id.0];
        let Some(&native) = self.native.get(&id) else {
            let tensor = value.constant.as_ref().expect("every value is an input, a constant or computed before");
            if tensor.desc() != value.desc {
                let text = format!("holds {}, the graph says {}", tensor.desc(), value.desc);
                return Err(Error::shape(text).at(value.name.clone()));
            }
            // Bytes that are those of the host are shared with it.
            let words = match tensor.to_device_bytes().map_err(|e| e.at(value.name.clone()))? {
                Cow::Borrowed(_) => tensor.clone(),
                Cow::Owned(bytes) => Tensor::from(bytemuck::pod_collect_to_vec::<u8, u32>(&bytes)),
            };
            let place =
                self.place(&value.name, value.desc.bytes(Layout::RowMajor), Kind::Constant(Contents::Words(words)))?;
            self.settle(id, ROW_MAJOR, place);
            return self.home(node, id, form);
        };
        let from = self.homes[&(id, native)];
        let fixed = self.is_fixed(from);
        let to = self.derived(&value.name, value.desc.bytes_in(form.0, form.1), fixed)?;
        let launch = relayout::launch(&value.desc, native, form);
        let step = Step { node: node.to_owned(), launch, reads: vec![from], writes: vec![to], checked: false };
        if fixed {
            self.prepare.push(step)
        } else {
            self.run.push(step)
        };
        self.homes.insert((id, form), to);
        Ok(to)
    }

    /// The layout in which a value was computed.
    fn layout_of(&self, id: &ValueId) -> Layout {
        self.native.get(id).map_or(Layout::RowMajor, |form| form.0)
    }

    /// Chooses a node's variant: the variant, its position, and the number of variants.
    fn node(&mut self, node: &Node) -> Result<(Variant, usize, usize)> {
        let graph = self.graph;
        let (inputs, outputs) = (graph.descs(&node.inputs), graph.descs(&node.outputs));
        let layouts: Vec<_> = node.inputs.iter().map(|id| self.layout_of(id)).collect();
        let constant: Vec<_> = node.inputs.iter().map(|id| graph.is_fixed(*id)).collect();
        let site = Site {
            inputs: &inputs,
            outputs: &outputs,
            layouts: &layouts,
            constant: &constant,
            epilogue: &node.epilogue,
            precision: self.options.precision,
            caps: self.caps,
        };
        let mut alternatives = ops::alternatives(&*node.op, &site)?;
        if alternatives.is_empty() {
            return Err(Error::unsupported(format!("no kernel of {} covers this case", node.op.name())));
        }
        let count = alternatives.len();
        let tuned =
            || self.options.tuning.as_ref().and_then(|t| t.pick(graph, node, self.options.precision, &alternatives));
        let pick = self.options.alternative.or_else(tuned).unwrap_or(0).min(count - 1);
        let mut chosen = alternatives.swap_remove(pick);
        self.emit(node, &mut chosen)?;
        Ok((chosen, pick, count))
    }

    /// Adds the steps of a node with this variant, and removes the copies from it that are not needed.
    fn emit(&mut self, node: &Node, way: &mut Variant) -> Result<()> {
        let graph = self.graph;
        let before = self.run.len();
        let on_host = on_host(graph, node, way);
        let prepare = if on_host.is_some() { &[][..] } else { &way.prepare };
        let launches = || prepare.iter().chain(&way.run);
        let read: HashSet<Arg> = launches().flat_map(|l| l.reads.iter().copied()).collect();
        let mut inputs = vec![None; node.inputs.len()];
        for (k, id) in node.inputs.iter().enumerate() {
            if read.contains(&Arg::Input(k)) || (node.op.is_view() && k == 0) {
                inputs[k] = Some(self.home(&node.name, *id, self.form(*id, way.inputs[k], way.precision))?);
            }
        }
        if node.op.is_view() {
            let place = inputs[0].expect("a view has an input");
            self.settle(node.outputs[0], ROW_MAJOR, place);
            return Ok(());
        }
        let sources = prepare.iter().flat_map(|l| &l.reads).filter_map(|a| match a {
            Arg::Input(k) => inputs[*k],
            _ => None,
        });
        let fixed = sources.collect::<Vec<_>>().into_iter().all(|p| self.is_fixed(p));
        let mut prepared = vec![];
        let mut made = on_host.into_iter().flatten();
        for &bytes in &way.prepared {
            // Room for one 4x4 matrix, the largest element of a binding, even if there are no weights.
            let bytes = bytes.next_multiple_of(16).max(64);
            let label = format!("{} prepared", node.name);
            prepared.push(match made.next() {
                Some(contents) => self.place(&label, bytes, Kind::Constant(contents))?,
                None => self.derived(&label, bytes, fixed)?,
            });
        }
        let mut scratch = vec![];
        for &bytes in &way.scratch {
            let bytes = bytes.next_multiple_of(16).max(16);
            scratch.push(self.derived(&format!("{} scratch", node.name), bytes, false)?);
        }
        let mut outputs = vec![];
        for (k, id) in node.outputs.iter().enumerate() {
            let form = self.form(*id, way.outputs[k], way.precision);
            let place = self.derived(&graph.values[id.0].name, graph.desc(*id).bytes_in(form.0, form.1), false)?;
            self.settle(*id, form, place);
            outputs.push(place);
        }
        // Only for this crate's operators the params of another kernel may be changed.
        let own = node.op.is_built_in();
        way.run.retain(|launch| match (launch.copies_to, &launch.reads[..]) {
            (Some(slot), &[Arg::Input(k)]) if own => !self.write_in_place(node.inputs[k], inputs[k], outputs[0], slot),
            _ => true,
        });
        let resolve = |args: &[Arg], tables: &[PlaceId]| -> Vec<PlaceId> {
            let one = |a: &Arg| match *a {
                Arg::Input(k) => inputs[k].expect("an input that is read has a place"),
                Arg::Output(k) => outputs[k],
                Arg::Scratch(k) => scratch[k],
                Arg::Table(k) => tables[k],
                Arg::Prepared(k) => prepared[k],
            };
            args.iter().map(one).collect()
        };
        for (list, once) in [(prepare, fixed), (&way.run[..], false)] {
            for launch in list {
                launch.check()?;
                let tables = launch.tables.iter().map(|t| self.table(&node.name, t)).collect::<Result<Vec<_>>>()?;
                let (reads, writes) = (resolve(&launch.reads, &tables), resolve(&launch.writes, &tables));
                let checked = !node.op.is_built_in();
                let step = Step { node: node.name.clone(), launch: launch.clone(), reads, writes, checked };
                if once {
                    self.prepare.push(step)
                } else {
                    self.run.push(step)
                };
            }
        }
        for (id, place) in node.outputs.iter().zip(outputs) {
            let mut writers = (before..self.run.len()).filter(|&i| self.run[i].writes.contains(&place));
            if let (Some(step), None) = (writers.next(), writers.next()) {
                self.makers.insert(*id, step);
            }
        }
        Ok(())
    }

    /// Makes the kernel that computes the value at `from` write into a slot of `to`, if nothing else reads the value there.
    fn write_in_place(&mut self, id: ValueId, from: Option<PlaceId>, to: PlaceId, slot: Slot) -> bool {
        let Some(&maker) = self.makers.get(&id) else { return false };
        let step = &mut self.run[maker];
        let Some(written) = step.writes.iter_mut().find(|place| Some(**place) == from) else { return false };
        let can = self.uses[id.0] == 1 && step.launch.write_into(slot);
        if can {
            *written = to;
        }
        can
    }

    /// Computes the first and the last step of every temporary.
    fn lifetimes(&mut self, inputs: &[PlaceId], outputs: &[PlaceId]) {
        let end = self.run.len();
        let mut touch = |place: PlaceId, step: usize| {
            if let Kind::Temporary { first, last } = &mut self.places[place].kind {
                *first = step.min(*first);
                *last = step.max(*last);
            }
        };
        for (i, step) in self.run.iter().enumerate() {
            step.reads.iter().chain(&step.writes).for_each(|&p| touch(p, i));
        }
        inputs.iter().for_each(|&p| touch(p, 0));
        outputs.iter().for_each(|&p| touch(p, end));
        if self.options.guarded {
            (0..self.places.len()).for_each(|p| {
                if let Kind::Temporary { first, last } = &mut self.places[p].kind {
                    (*first, *last) = (0, end);
                }
            });
        }
    }

    /// For every place, those that one dispatch reads while it writes this one, or writes while it reads this one:
    /// WebGPU forbids them to share a buffer.
    fn conflicts(&self) -> Conflicts {
        let mut conflicts = Conflicts::new();
        for step in &self.run {
            for (&r, &w) in step.reads.iter().flat_map(|r| step.writes.iter().map(move |w| (r, w))) {
                conflicts.entry(r).or_default().push(w);
                conflicts.entry(w).or_default().push(r);
            }
        }
        conflicts
    }

    fn assemble(&self, nodes: Vec<PlannedNode>, inputs: &[PlaceId], outputs: &[PlaceId]) -> Plan {
        let guard = if self.options.guarded { ALIGNMENT } else { 0 };
        let temporaries: Vec<_> = self
            .places
            .iter()
            .enumerate()
            .filter_map(|(id, p)| match p.kind {
                Kind::Temporary { first, last } => Some(Tenant {
                    id,
                    bytes: p.bytes.next_multiple_of(ALIGNMENT) + guard,
                    first,
                    last: last.max(first),
                }),
                _ => None,
            })
            .filter(|t| t.first != usize::MAX)
            .collect();
        let packed = pack(&temporaries, &self.conflicts(), self.caps.max_buffer_bytes);
        let mut recording = Recording::new();
        let mut ranges: HashMap<PlaceId, Range> = HashMap::new();
        for (k, &bytes) in packed.arenas.iter().enumerate() {
            recording.buffers.push(BufferSpec { label: format!("arena {k}"), bytes });
        }
        for t in &temporaries {
            let (buffer, offset) = packed.at[&t.id];
            let bytes = self.places[t.id].bytes;
            ranges.insert(t.id, Range { buffer, offset, bytes });
            if guard > 0 {
                let offset = offset + bytes.next_multiple_of(ALIGNMENT);
                recording.guards.push(Range { buffer, offset, bytes: guard });
            }
        }
        let of_run: HashSet<_> = self.run.iter().flat_map(|s| &s.reads).chain(outputs).copied().collect();
        let mut weight_bytes = 0;
        for (id, place) in self.places.iter().enumerate().filter(|(_, p)| !matches!(p.kind, Kind::Temporary { .. })) {
            let buffer = recording.buffers.len();
            recording.buffers.push(BufferSpec { label: place.label.clone(), bytes: place.bytes });
            let range = Range { buffer, offset: 0, bytes: place.bytes };
            ranges.insert(id, range);
            match &place.kind {
                Kind::Constant(contents) => recording.constants.push((range, contents.clone())),
                Kind::Resident => recording.resident.push(buffer),
                Kind::Prepared | Kind::Temporary { .. } => {}
            }
            if of_run.contains(&id) {
                weight_bytes += place.bytes;
            } else {
                recording.transient.push(buffer);
            }
        }
        let dispatch = |s: &Step| {
            Command::Dispatch(Dispatch {
                node: s.node.clone(),
                kernel: s.launch.kernel,
                overrides: s.launch.overrides.clone(),
                consts: s.launch.consts.clone(),
                precision: s.launch.precision,
                sums: s.launch.sums,
                params: s.launch.params.clone(),
                reads: s.reads.iter().map(|p| ranges[p]).collect(),
                writes: s.writes.iter().map(|p| ranges[p]).collect(),
                workgroups: s.launch.workgroups,
                checked: s.checked,
            })
        };
        recording.prepare = self.prepare.iter().map(dispatch).collect();
        let upload = |(slot, place): (usize, &PlaceId)| Command::Upload { slot, to: ranges[place] };
        let download = |(slot, place): (usize, &PlaceId)| Command::Download { slot, from: ranges[place] };
        recording.run.extend(inputs.iter().enumerate().map(upload));
        let mut cuts: HashSet<usize> = self.parts.cuts.iter().copied().collect();
        for (i, step) in self.run.iter().enumerate() {
            recording.run.extend(cuts.remove(&i).then_some(Command::Submit));
            recording.run.extend((!step.launch.workgroups.contains(&0)).then(|| dispatch(step)));
        }
        recording.run.extend(outputs.iter().enumerate().map(download));
        Plan {
            recording,
            nodes,
            peak_bytes: packed.arenas.iter().sum(),
            lower_bound: lower_bound(&temporaries),
            weight_bytes,
        }
    }
}

/// The contents of the buffers that a variant prepares, if the host can make them all: each is filled by one launch, from a
/// constant.
fn on_host(graph: &Graph, node: &Node, way: &Variant) -> Option<Vec<Contents>> {
    let one = |(k, launch): (usize, &Launch)| match (&launch.reads[..], &launch.writes[..]) {
        (&[Arg::Input(i)], &[Arg::Prepared(to)]) if to == k && launch.precision == Precision::F32 => {
            let constant = graph.constant_of(*node.inputs.get(i)?)?;
            Some(Contents::Made(constant.clone(), launch.params.clone(), launch.on_host?))
        }
        _ => None,
    };
    let made: Vec<_> = way.prepare.iter().enumerate().map(one).collect::<Option<_>>()?;
    (made.len() == way.prepared.len()).then_some(made)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<30} {:<26} {:<34} {:>10}  output", "node", "operator", "kernels", "dispatches")?;
        for n in &self.nodes {
            writeln!(f, "{:<30} {:<26} {:<34} {:>10}  {}", n.name, n.op, n.kernels, n.dispatches, n.output)?;
        }
        let over = self.peak_bytes as f64 / self.lower_bound.max(1) as f64;
        let parts = self.recording.parts();
        let parts = if parts > 1 { format!(" in {parts} parts") } else { String::new() };
        writeln!(
            f,
            "{} dispatches{parts}; activations {} bytes, {over:.2} times the lower bound {}; weights {} bytes",
            self.dispatches(),
            self.peak_bytes,
            self.lower_bound,
            self.weight_bytes
        )
    }
}
