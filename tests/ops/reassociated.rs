//! Kernels as a compiler may change them that takes additions for associative: the checks find them wrong. Metal compiles all
//! kernels in this way (fast math), so where the order matters a text must not let it: docs/design.md has the list.

use std::f32::consts::PI;

use convgpu::custom::{Arg, Bounds, Kernel, Launch, Op, Params, Site, Variant};
use convgpu::internals::attr::Trigonometric;
use convgpu::internals::gpu::kernel::Grid;
use convgpu::internals::graph::Graph;
use convgpu::internals::ops::kernels;
use convgpu::internals::ops::layer_norm::LayerNorm;
use convgpu::internals::ops::sine::Sine;
use convgpu::internals::ops::softmax::Softmax;
use convgpu::internals::ops::trigonometry::Trigonometry;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::verify::{Setup, check_node};
use convgpu::{Desc, Precision, Result, Tensor};

use crate::support::{Rng, device};

/// An operator that launches what the first variant of another one does, with other texts.
#[derive(Clone, Debug)]
pub struct Mutant<O> {
    op: O,
    launches: Vec<Launch>,
}

impl<O: Op + Clone + 'static> Mutant<O> {
    /// `bindings` are those of every launch; `edits` are replaced in the texts, each somewhere.
    pub fn new(op: O, x: &Desc, bindings: &[(&[Arg], &[Arg])], edits: &[(&str, &str)]) -> Mutant<O> {
        let mut graph = Graph::new();
        let id = graph.input("x", x.clone()).unwrap();
        graph.add("node", op.clone(), &[id]).unwrap();
        let caps = &device().adapter().expect("the tests have an adapter").caps;
        let plan = Plan::new(&graph, caps, &PlanOptions::default()).unwrap();
        let dispatches: Vec<_> = plan.recording.dispatches().collect();
        assert_eq!(dispatches.len(), bindings.len(), "{plan}");
        let all: String = dispatches.iter().map(|d| d.shader().0).collect();
        edits.iter().for_each(|(from, _)| assert!(all.contains(from), "no text has {from}"));
        let launch = |(d, (reads, writes)): (_, &(&[Arg], &[Arg]))| {
            let d: &convgpu::internals::gpu::recording::Dispatch = d;
            let (text, overrides) = d.shader();
            let text = edits.iter().fold(text, |text, (from, to)| text.replace(from, to));
            let kernel = Box::leak(Box::new(Kernel::new(d.kernel(), text.leak())));
            let params = d.params().fields().iter().fold(Params::new(), |params, &(name, v)| params.with(name, v));
            let launch = Launch::grid(kernel, d.workgroups(), params).reads(*reads).writes(*writes);
            overrides.iter().fold(launch, |launch, &(name, value)| launch.set(name, value))
        };
        Mutant { op, launches: dispatches.into_iter().zip(bindings).map(launch).collect() }
    }

    /// Whether a check of it on the device finds an element outside its bound.
    pub fn fails(self, x: &Tensor) -> bool {
        let mut graph = Graph::new();
        let id = graph.input("x", x.desc()).unwrap();
        graph.add("node", self, &[id]).unwrap();
        let inputs = std::slice::from_ref(x);
        let checked = pollster::block_on(check_node(device(), &graph, 0, inputs, &Setup::default())).unwrap();
        checked.comparisons.iter().any(|comparison| !comparison.ok())
    }
}

impl<O: Op + Clone> Op for Mutant<O> {
    fn name(&self) -> &'static str {
        "mutant"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        self.op.outputs(inputs)
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.op.reference(inputs)
    }
    fn bounds(&self, inputs: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        self.op.bounds(inputs, outputs)
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let variant = Variant::row_major(site, self.launches.clone());
        // As many temporaries as any of the operators has, each as large as the input.
        let bytes = 4 * site.inputs[0].numel();
        Ok(vec![(0..2).fold(variant, |variant, _| variant.with_scratch(bytes))])
    }
    fn flops(&self, inputs: &[Desc], outputs: &[Desc]) -> u64 {
        self.op.flops(inputs, outputs)
    }
}

#[test]
fn the_parts_of_pi_are_not_added_up() {
    let mut rng = Rng(3);
    let x = Tensor::new([4000], (0..4000).map(|_| 8000.0 * rng.float()).collect::<Vec<_>>()).unwrap();
    let nested = "fma(-q, 7.549789954891882e-8, second)";
    let factored = "v - q * (1.5703125 + 4.837512969970703e-4 + 7.549789954891882e-8)";
    for cosine in [false, true] {
        let sine = |edits| Mutant::new(Sine { cosine }, &x.desc(), &[(&[Arg::Input(0)], &[Arg::Output(0)])], edits);
        assert!(!sine(&[]).fails(&x), "the kernel as it is");
        assert!(sine(&[(nested, factored)]).fails(&x));
    }
    // Near a pole of the tangent two of the parts are enough.
    let op = Trigonometry(Trigonometric::Tan);
    let x = Tensor::new([4000], (0..4000).map(|k| (k as f32 + 0.51) * PI).collect::<Vec<_>>()).unwrap();
    let tangent = |edits| Mutant::new(op.clone(), &x.desc(), &[(&[Arg::Input(0)], &[Arg::Output(0)])], edits);
    assert!(!tangent(&[]).fails(&x), "the kernel as it is");
    assert!(tangent(&[(nested, "first - q * (4.837512969970703e-4 + 7.549789954891882e-8)")]).fails(&x));
}

/// The logarithms of shares of sets whose values are large against their differences.
#[test]
fn the_maximum_is_not_added_to_the_logarithm_of_a_softmax() {
    let mut rng = Rng(6);
    let x = (0..600 * 30).map(|_| 3e4 + rng.float()).collect::<Vec<_>>();
    let x = Tensor::new([600, 30], x).unwrap();
    let op = Softmax { axis: 1, log: true };
    let softmax = |edits| Mutant::new(op.clone(), &x.desc(), &[(&[Arg::Input(0)], &[Arg::Output(0)])], edits);
    assert!(!softmax(&[]).fails(&x), "the kernel as it is");
    assert!(softmax(&[("apart(v, m, p.zero) - log(sum)", "v - (m + log(sum))")]).fails(&x));
}

/// The statistics of slices whose mean is a million times their deviation.
#[test]
fn the_shift_is_not_taken_out_of_the_moments() {
    let mut rng = Rng(4);
    let x = (0..8 * 6000).map(|_| 1e6 + 2.0 * rng.float()).collect::<Vec<_>>();
    let x = Tensor::new([8, 6000], x).unwrap();
    use Arg::{Input, Output, Scratch};
    let launches: [(&[Arg], &[Arg]); 3] = [
        (&[Input(0)], &[Scratch(0), Scratch(1)]),
        (&[Scratch(0), Scratch(1), Input(0)], &[Output(1), Output(2)]),
        (&[Input(0), Output(1), Output(2), Output(1), Output(1)], &[Output(0)]),
    ];
    let op = LayerNorm { axes: 1, eps: 1e-5, stats: true };
    let norm = |edits: &[(&str, &str)]| Mutant::new(op.clone(), &x.desc(), &launches, edits);
    assert!(!norm(&[]).fails(&x), "the kernels as they are");
    let apart = ("bitcast<Value>(bitcast<Word>(x - shift) ^ Word(zero))", "x");
    assert!(norm(&[apart, ("sums[i] = m.sum;", "sums[i] = m.sum - m.n * shift;")]).fails(&x));
}

/// A shift is taken off by `apart`, in which no compiler can reorder: only one that does would show that it is missing.
#[test]
fn shifts_are_taken_off_by_apart() {
    let mut count = 0;
    for kernel in kernels().into_iter().filter(|kernel| ["moments", "moments_channels_last"].contains(&kernel.name())) {
        let text = kernel.text(&[], Precision::F32, false, Grid::Whole);
        let text: String = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        let own = "bitcast<Value>(bitcast<Word>(x - shift) ^ Word(zero))";
        let others = text.replacen(own, "", 1);
        assert!(others.len() < text.len(), "{text}");
        assert!(!others.contains("- shift") && !others.contains("- (shift)"), "{others}");
        count += others.matches("shift, p.zero)").count();
    }
    assert_eq!(count, 8, "four values at a time in each kernel");
}
