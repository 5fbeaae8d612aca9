//! The second stage: the steps of the chosen variants, the conversions between their forms, and the tensors that these read and
//! write.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use super::choose::{Choice, form};
use super::options::{Form, PlanOptions, ROW_MAJOR};
use crate::error::{Error, ErrorKind, Result};
use crate::gpu::caps::Caps;
use crate::gpu::launch::{Arg, Launch, Slot};
use crate::gpu::recording::Contents;
use crate::graph::{Graph, Node, ValueId};
use crate::ops::{Variant, relayout};
use crate::shape::{Layout, Precision};
use crate::tensor::Tensor;

/// Index into [`Lowered::places`].
pub(super) type PlaceId = usize;

/// A tensor in device memory, before it has an address.
pub(super) struct Place {
    pub label: String,
    pub bytes: u64,
    pub kind: Kind,
}

pub(super) enum Kind {
    /// Uploaded before `prepare`; never written by a kernel.
    Constant(Contents),
    /// There before: never written.
    Resident,
    /// Written in `prepare` and kept.
    Prepared,
    /// In an arena from one step of the run to another.
    Temporary,
}

impl Place {
    pub fn is_temporary(&self) -> bool {
        matches!(self.kind, Kind::Temporary)
    }
}

/// Whom a step belongs to: conversions of inputs come before the nodes, those of outputs after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Inputs,
    Node(usize),
    Outputs,
}

/// A launch with its tensors.
pub(super) struct Step {
    pub owner: Owner,
    /// The name of the node, or of the output.
    pub node: String,
    pub launch: Launch,
    pub reads: Vec<PlaceId>,
    pub writes: Vec<PlaceId>,
    /// Whether the shader keeps its run-time checks, because an operator outside this crate launches it.
    pub checked: bool,
    /// The value that it only copies, to this part of its output.
    pub copies: Option<(ValueId, Slot)>,
}

/// The work of a graph as steps.
pub(super) struct Lowered {
    pub places: Vec<Place>,
    pub prepare: Vec<Step>,
    pub run: Vec<Step>,
    pub inputs: Vec<PlaceId>,
    pub outputs: Vec<PlaceId>,
    /// Where each result of a node is written, except those of views, and by which node.
    pub made: HashMap<ValueId, (PlaceId, usize)>,
}

/// The steps of a graph for these choices.
///
/// # Errors
/// A tensor exceeds a limit of the device: the error names the node.
pub(super) fn lower(graph: &Graph, caps: &Caps, options: &PlanOptions, choices: &[Choice]) -> Result<Lowered> {
    let lowered =
        Lowered { places: vec![], prepare: vec![], run: vec![], inputs: vec![], outputs: vec![], made: HashMap::new() };
    let (homes, native) = (HashMap::new(), HashMap::new());
    let mut lowering = Lowering { graph, caps, owner: Owner::Inputs, homes, native, out: lowered };
    lowering.inputs(&options.input_layouts)?;
    for (k, (node, choice)) in graph.nodes.iter().zip(choices).enumerate() {
        lowering.owner = Owner::Node(k);
        lowering.node(node, &choice.variant).map_err(|e| e.at(node.name.clone()))?;
    }
    lowering.owner = Owner::Outputs;
    for (name, id) in &graph.outputs {
        let place = lowering.home(name, *id, ROW_MAJOR)?;
        lowering.out.outputs.push(place);
    }
    Ok(lowering.out)
}

struct Lowering<'a> {
    graph: &'a Graph,
    caps: &'a Caps,
    owner: Owner,
    /// The place of each value in every form that exists.
    homes: HashMap<(ValueId, Form), PlaceId>,
    /// The form in which each value was computed.
    native: HashMap<ValueId, Form>,
    out: Lowered,
}

impl Lowering<'_> {
    fn inputs(&mut self, layouts: &[Layout]) -> Result<()> {
        let graph = self.graph;
        for &id in &graph.inputs {
            let place = self.row_major(id, Kind::Temporary)?;
            self.out.inputs.push(place);
        }
        for (&id, &layout) in graph.inputs.iter().zip(layouts) {
            let form = (layout, Precision::F32);
            self.home("input", id, form)?;
            self.native.insert(id, form);
        }
        for (id, _) in &graph.resident {
            self.row_major(*id, Kind::Resident)?;
        }
        Ok(())
    }

    /// A place for a value as the host has it.
    fn row_major(&mut self, id: ValueId, kind: Kind) -> Result<PlaceId> {
        let value = &self.graph.values[id.0];
        let place = self.place(&value.name, value.desc.bytes(Layout::RowMajor), kind)?;
        self.settle(id, ROW_MAJOR, place);
        Ok(place)
    }

    fn place(&mut self, label: &str, bytes: usize, kind: Kind) -> Result<PlaceId> {
        let bytes = bytes as u64;
        if bytes > self.caps.max_binding_bytes {
            let most = self.caps.max_binding_bytes;
            let mut text = format!("{label} takes {bytes} bytes, the device binds at most {most}");
            if !matches!(kind, Kind::Constant(_)) {
                let computed = self.graph.values.iter().filter(|value| value.constant.is_none());
                let largest = computed.map(|value| value.desc.bytes(Layout::RowMajor) as u64).max().unwrap_or(bytes);
                let side = 100.0 * (most as f64 / largest.max(bytes) as f64).sqrt();
                text += &format!("; of an image, {} % of the width and of the height would fit", side.floor());
            }
            return Err(Error::new(ErrorKind::Memory, text));
        }
        self.out.places.push(Place { label: label.to_owned(), bytes, kind });
        Ok(self.out.places.len() - 1)
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
        !self.out.places[place].is_temporary()
    }

    /// A place for what is made of others: kept if these are fixed.
    fn derived(&mut self, label: &str, bytes: usize, fixed: bool) -> Result<PlaceId> {
        self.place(label, bytes, if fixed { Kind::Prepared } else { Kind::Temporary })
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
        let Some(&native) = self.native.get(&id) else {
            let words = self.words(id)?;
            self.row_major(id, Kind::Constant(Contents::Words(words)))?;
            return self.home(node, id, form);
        };
        let from = self.homes[&(id, native)];
        let (fixed, value) = (self.is_fixed(from), &self.graph.values[id.0]);
        let to = self.derived(&label(&value.name, form), value.desc.bytes_in(form.0, form.1), fixed)?;
        let launch = relayout::launch(&value.desc, native, form);
        let (owner, node) = (self.owner, node.to_owned());
        let step = Step { owner, node, launch, reads: vec![from], writes: vec![to], checked: false, copies: None };
        self.add(step, fixed);
        self.homes.insert((id, form), to);
        Ok(to)
    }

    /// Adds a step that runs once, or in every run.
    fn add(&mut self, step: Step, once: bool) {
        let steps = if once { &mut self.out.prepare } else { &mut self.out.run };
        steps.push(step);
    }

    /// The elements of a constant. Bytes that are those of the host are shared with it.
    fn words(&self, id: ValueId) -> Result<Tensor> {
        let value = &self.graph.values[id.0];
        let tensor = value.constant.as_ref().expect("every value is an input, a constant or computed before");
        if tensor.desc() != value.desc {
            let text = format!("holds {}, the graph says {}", tensor.desc(), value.desc);
            return Err(Error::shape(text).at(value.name.clone()));
        }
        Ok(match tensor.to_device_bytes().map_err(|e| e.at(value.name.clone()))? {
            Cow::Borrowed(_) => tensor.clone(),
            Cow::Owned(bytes) => Tensor::from(bytemuck::pod_collect_to_vec::<u8, u32>(&bytes)),
        })
    }

    /// Adds the steps of a node with this variant.
    fn node(&mut self, node: &Node, variant: &Variant) -> Result<()> {
        let on_host = on_host(self.graph, node, variant);
        let prepare = if on_host.is_some() { &[][..] } else { &variant.prepare };
        let inputs = self.read(node, variant, prepare)?;
        if node.op.is_view() {
            let place = inputs[0].expect("a view has an input");
            self.settle(node.outputs[0], ROW_MAJOR, place);
            return Ok(());
        }
        let sources = prepare.iter().flat_map(Launch::all_reads);
        let mut sources = sources.filter_map(|arg| if let Arg::Input(k) = arg { inputs[*k] } else { None });
        let fixed = sources.all(|place| self.is_fixed(place));
        let prepared = self.prepared(node, variant, on_host, fixed)?;
        let mut scratch = vec![];
        for &bytes in &variant.scratch {
            let bytes = bytes.next_multiple_of(16).max(16);
            scratch.push(self.derived(&format!("{} scratch", node.name), bytes, false)?);
        }
        let outputs = self.results(node, variant)?;
        for (list, once) in [(prepare, fixed), (&variant.run[..], false)] {
            for launch in list {
                launch.check()?;
                let tables = launch.tables.iter().map(|t| self.table(&node.name, t)).collect::<Result<Vec<_>>>()?;
                let place = |arg: &Arg| match *arg {
                    Arg::Input(k) => inputs[k].expect("an input that is read has a place"),
                    Arg::Output(k) => outputs[k],
                    Arg::Scratch(k) => scratch[k],
                    Arg::Table(k) => tables[k],
                    Arg::Prepared(k) => prepared[k],
                };
                let step = Step {
                    owner: self.owner,
                    node: node.name.clone(),
                    launch: launch.clone(),
                    reads: launch.all_reads().map(place).collect(),
                    writes: launch.writes.iter().map(place).collect(),
                    checked: !node.op.is_built_in(),
                    copies: copied(node, launch),
                };
                self.add(step, once);
            }
        }
        Ok(())
    }

    /// The places of the inputs that launches read.
    fn read(&mut self, node: &Node, variant: &Variant, prepare: &[Launch]) -> Result<Vec<Option<PlaceId>>> {
        let launches = prepare.iter().chain(&variant.run);
        let read: HashSet<Arg> = launches.flat_map(Launch::all_reads).copied().collect();
        let mut places = vec![None; node.inputs.len()];
        for (k, id) in node.inputs.iter().enumerate() {
            if read.contains(&Arg::Input(k)) || (node.op.is_view() && k == 0) {
                let form = form(self.graph, *id, variant.inputs[k], variant.precision);
                places[k] = Some(self.home(&node.name, *id, form)?);
            }
        }
        Ok(places)
    }

    /// The places of what `prepare` makes, or the host.
    fn prepared(
        &mut self,
        node: &Node,
        variant: &Variant,
        on_host: Option<Vec<Contents>>,
        fixed: bool,
    ) -> Result<Vec<PlaceId>> {
        let mut made = on_host.into_iter().flatten();
        let mut places = vec![];
        for &bytes in &variant.prepared {
            // Room for one 4x4 matrix, the largest element of a binding, even if there are no weights.
            let bytes = bytes.next_multiple_of(16).max(64);
            let label = format!("{} prepared", node.name);
            places.push(match made.next() {
                Some(contents) => self.place(&label, bytes, Kind::Constant(contents))?,
                None => self.derived(&label, bytes, fixed)?,
            });
        }
        Ok(places)
    }

    /// The places of the outputs.
    fn results(&mut self, node: &Node, variant: &Variant) -> Result<Vec<PlaceId>> {
        let graph = self.graph;
        let mut places = vec![];
        for (k, id) in node.outputs.iter().enumerate() {
            let form = form(graph, *id, variant.outputs[k], variant.precision);
            let label = label(&graph.values[id.0].name, form);
            let place = self.derived(&label, graph.desc(*id).bytes_in(form.0, form.1), false)?;
            self.settle(*id, form, place);
            if let Owner::Node(number) = self.owner {
                self.out.made.insert(*id, (place, number));
            }
            places.push(place);
        }
        Ok(places)
    }
}

/// A value's name, and its form if that is not the one of the host.
fn label(name: &str, (layout, precision): Form) -> String {
    let layout = if layout == Layout::RowMajor { "" } else { ", channels-last" };
    let precision = if precision == Precision::F32 { "" } else { ", f16" };
    format!("{name}{layout}{precision}")
}

/// The value that a launch only copies. The params of another kernel may be changed for this crate's operators only.
fn copied(node: &Node, launch: &Launch) -> Option<(ValueId, Slot)> {
    match (launch.copies_to, &launch.reads[..]) {
        (Some(slot), &[Arg::Input(k)]) if node.op.is_built_in() => Some((node.inputs[k], slot)),
        _ => None,
    }
}

/// The contents of the buffers that a variant prepares, if the host can make them all: each is filled by one launch, from a
/// constant.
fn on_host(graph: &Graph, node: &Node, variant: &Variant) -> Option<Vec<Contents>> {
    let one = |(k, launch): (usize, &Launch)| match (&launch.reads[..], &launch.writes[..]) {
        (&[Arg::Input(i)], &[Arg::Prepared(to)]) if to == k && launch.precision == Precision::F32 => {
            let constant = graph.constant_of(*node.inputs.get(i)?)?;
            Some(Contents::Made(constant.clone(), launch.params.clone(), launch.on_host?))
        }
        _ => None,
    };
    let made: Vec<_> = variant.prepare.iter().enumerate().map(one).collect::<Option<_>>()?;
    (made.len() == variant.prepared.len()).then_some(made)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Constant(Contents::Words(_)) => "constant",
            Kind::Constant(Contents::Made(..)) => "packed by the host",
            Kind::Resident => "resident",
            Kind::Prepared => "prepared",
            Kind::Temporary => "temporary",
        })
    }
}

/// Steps by their launches and the numbers of their tensors, after the list of these.
impl fmt::Display for Lowered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, place) in self.places.iter().enumerate() {
            writeln!(f, "%{k:<5} {:<40} {:>12} bytes  {}", place.label, place.bytes, place.kind)?;
        }
        for (title, steps) in [("prepare", &self.prepare), ("run", &self.run)] {
            writeln!(f, "{title}, {} steps:", steps.len())?;
            steps.iter().enumerate().try_for_each(|(k, step)| writeln!(f, "{k:>5}  {step}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |places: &[PlaceId]| places.iter().map(|k| format!("%{k}")).collect::<Vec<_>>().join(" ");
        let [x, y, z] = self.launch.workgroups;
        let (kernel, reads, writes) = (self.launch.title(), list(&self.reads), list(&self.writes));
        write!(f, "{:<28} {kernel:<34} {x}x{y}x{z} workgroups  {reads} -> {writes}", self.node)
    }
}
