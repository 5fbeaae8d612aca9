//! A way to compute an operator on a device.

use super::epilogue::Epilogue;
use super::site::Site;
use crate::gpu::launch::{Arg, Launch};
use crate::shape::{Layout, Precision};

/// The algorithm of a variant, as far as its rounding errors differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// The sums of the definition, in any order or in the order that the kernels document:
    /// [`Op::bounds`](super::Op::bounds) holds.
    #[default]
    Direct,
    /// Winograd's F(4x4, 3x3): integers are not exact, and an output's error depends on its whole tile.
    Winograd,
    /// Every sum by one invocation, where another variant of the node adds in a tree: no workgroup memory, and a larger bound.
    Serial,
}

/// One way to compute an operator on a device.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The layout that every input must have.
    pub(crate) inputs: Vec<Layout>,
    /// The layout of every output.
    pub(crate) outputs: Vec<Layout>,
    /// Bytes of every temporary.
    pub(crate) scratch: Vec<usize>,
    /// Bytes of every buffer that `prepare` fills.
    pub(crate) prepared: Vec<usize>,
    /// Launches that pack or transform weights: run once if the inputs they read are constant, else in every run.
    pub(crate) prepare: Vec<Launch>,
    /// Launches of every run.
    pub(crate) run: Vec<Launch>,
    /// The algorithm, which determines the error bound.
    pub(crate) algorithm: Algorithm,
    /// How the floats of its channels-last tensors and of the buffers that its `Stored` launches prepare are stored.
    pub(crate) precision: Precision,
}

impl Variant {
    /// A variant without temporaries, with every tensor row-major.
    pub fn row_major(site: &Site<'_>, run: Vec<Launch>) -> Variant {
        Variant::in_layout(site, Layout::RowMajor, run)
    }
    /// A variant of one launch that reads all inputs and writes all outputs, in their order, every tensor row-major.
    pub(crate) fn single(site: &Site<'_>, launch: Launch) -> Variant {
        let reads: Vec<_> = (0..site.inputs.len()).map(Arg::Input).collect();
        let writes: Vec<_> = (0..site.outputs.len()).map(Arg::Output).collect();
        Variant::row_major(site, vec![launch.reads(reads).writes(writes)])
    }
    /// A variant without temporaries, with every tensor in the same layout.
    pub fn in_layout(site: &Site<'_>, layout: Layout, run: Vec<Launch>) -> Variant {
        Variant {
            inputs: vec![layout; site.inputs.len()],
            outputs: vec![layout; site.outputs.len()],
            scratch: vec![],
            prepared: vec![],
            prepare: vec![],
            run,
            algorithm: Algorithm::Direct,
            precision: Precision::F32,
        }
    }
    /// A variant per layout, with every tensor in that layout; first the present layout of input 0.
    pub fn in_both_layouts(site: &Site<'_>, run: impl Fn(Layout) -> Vec<Launch>) -> Vec<Variant> {
        let mut layouts = [Layout::RowMajor, Layout::ChannelsLast];
        if site.is_channels_last(0) {
            layouts.reverse();
        }
        layouts.map(|layout| Variant::in_layout(site, layout, run(layout))).into()
    }
    /// Adds a temporary of this many bytes; its [`Arg::Scratch`] is the number of temporaries before it. Its contents
    /// are undefined before the node and lost after it.
    #[must_use]
    pub fn with_scratch(mut self, bytes: usize) -> Variant {
        self.scratch.push(bytes);
        self
    }
    /// Adds a buffer of this many bytes that `launch` fills; its [`Arg::Prepared`] is the number of such buffers before
    /// it. It is filled once, when the session is made, if all inputs that such launches read are constant, else in
    /// every run.
    #[must_use]
    pub fn with_prepared(mut self, bytes: usize, launch: Launch) -> Variant {
        self.prepared.push(bytes);
        self.prepare.push(launch);
        self
    }
    /// A variant of an operator with image, weight and optional bias: the image is channels-last, and `packing` reads the
    /// weight and writes `bytes` bytes.
    pub(super) fn with_packed_weight(site: &Site<'_>, run: Vec<Launch>, packing: Launch, bytes: usize) -> Variant {
        let mut out = Variant::in_layout(site, Layout::ChannelsLast, run).with_epilogue(site.epilogue);
        out.inputs[1..site.own_inputs()].fill(Layout::RowMajor);
        out.with_prepared(bytes, packing.reads([Arg::Input(1)]).writes([Arg::Prepared(0)]))
    }
    /// Sets the layout of the epilogue's residual to that of the first output, and leaves its slope row-major.
    pub(crate) fn with_epilogue(mut self, epilogue: &Epilogue) -> Variant {
        if let Some(i) = epilogue.residual {
            self.inputs[i] = self.outputs[0];
        }
        if let Some(i) = epilogue.slope {
            self.inputs[i] = Layout::RowMajor;
        }
        self
    }
    /// Whether a kernel of it uses workgroup memory.
    pub(crate) fn has_workgroup_memory(&self) -> bool {
        self.launches().any(Launch::has_workgroup_memory)
    }
    /// How the floats of its channels-last tensors are stored.
    pub fn precision(&self) -> Precision {
        self.precision
    }
    /// The layout of every output.
    pub fn output_layouts(&self) -> &[Layout] {
        &self.outputs
    }
    /// The launches of a run.
    pub fn run(&self) -> &[Launch] {
        &self.run
    }
    /// The algorithm, as far as its rounding errors differ.
    #[doc(hidden)]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
    /// What distinguishes this variant from others of the same node: launches with their constants, and layouts.
    pub fn signature(&self) -> String {
        let launches: Vec<_> = self.run.iter().map(ToString::to_string).collect();
        format!("{} {:?} -> {:?}", launches.join(" + "), self.inputs, self.outputs)
    }
    /// All launches: those that prepare, then those of a run.
    pub(super) fn launches(&self) -> impl Iterator<Item = &Launch> {
        self.prepare.iter().chain(&self.run)
    }
    /// The launch whose loops take the most iterations.
    pub(super) fn longest(&self) -> Option<&Launch> {
        self.launches().max_by_key(|launch| launch.iterations)
    }
    /// The kernels of a run, for tables: `a + b x 3` where b is launched three times in a row.
    pub fn kernels(&self) -> String {
        let names = joined(self.run.iter().map(Launch::title));
        match self.precision {
            Precision::F32 => names,
            Precision::F16 => format!("{names} in f16"),
        }
    }
}

/// Names joined, each once per run of equal ones.
fn joined(names: impl Iterator<Item = String>) -> String {
    let mut runs: Vec<(String, usize)> = vec![];
    for name in names {
        match runs.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => runs.push((name, 1)),
        }
    }
    let run = |(name, count): (String, usize)| if count == 1 { name } else { format!("{name} x {count}") };
    runs.into_iter().map(run).collect::<Vec<_>>().join(" + ")
}
