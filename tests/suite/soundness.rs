//! A safe program runs shaders without run-time checks only through the operators of this crate, and what a program's
//! own operator declares is validated before it is used.

use convgpu::custom::{Arg, Bounds, Kernel, Launch, Layout, Op, Params, Site, Variant};
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::ops::concat::Concat;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::ops::tile::Tile;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::session::{CompileOptions, Compiled};
use convgpu::{Desc, ErrorKind, Graph, Result, Tensor};

use crate::support::{Rng, device};

/// An operator with the launches of another one, with any declared outputs.
#[derive(Clone, Debug)]
struct Delegate<O> {
    to: O,
    output: Desc,
}

impl<O: Op + Clone> Op for Delegate<O> {
    fn name(&self) -> &'static str {
        "delegate"
    }
    fn outputs(&self, _: &[Desc]) -> Result<Vec<Desc>> {
        Ok(vec![self.output.clone()])
    }
    fn reference(&self, _: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![Tensor::zeros(self.output.shape.clone())])
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![vec![0.0; outputs[0].numel()]]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        self.to.launches(site)
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

fn plan(graph: &Graph) -> Plan {
    let caps = &device().adapter().expect("the tests have an adapter").caps;
    Plan::new(graph, caps, &PlanOptions::default()).unwrap()
}

/// A tile that writes a thousand times the size of its output.
fn overflowing() -> Graph {
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([1, 300])).unwrap();
    let op = Delegate { to: Tile { repeats: vec![1000, 1] }, output: Desc::f32([1, 4]) };
    let y = graph.apply("y", op, &[x]).unwrap();
    graph.output("y", y);
    graph
}

#[test]
fn a_borrowed_kernel_keeps_its_checks() {
    let graph = overflowing();
    assert!(plan(&graph).recording.dispatches().all(|d| d.is_checked()));
    // The same kernel in an operator of this crate runs without checks.
    let mut own = Graph::new();
    let x = own.input("x", Desc::f32([1, 300])).unwrap();
    let y = own.apply("y", Tile { repeats: vec![3, 1] }, &[x]).unwrap();
    own.output("y", y);
    assert!(plan(&own).recording.dispatches().all(|d| !d.is_checked()));
    // Nothing outside the binding is written: the process survives, and another network gives the right result.
    let x = Rng(1).tensor(&[1, 300]);
    let run = |graph: &Graph| {
        let compiled = Compiled::new(device(), graph.clone(), &CompileOptions::default()).unwrap();
        compiled.run(&[("x", &x)]).unwrap().first().clone()
    };
    run(&graph);
    assert_eq!(run(&own).as_f32().unwrap(), x.as_f32().unwrap().repeat(3));
}

/// Pipelines with and without checks are not shared.
#[test]
fn checked_and_unchecked_are_two_pipelines() {
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([1, 300])).unwrap();
    let tile = Tile { repeats: vec![2, 1] };
    let a = graph.apply("a", tile.clone(), &[x]).unwrap();
    let b = graph.apply("b", Delegate { to: tile, output: Desc::f32([2, 300]) }, &[x]).unwrap();
    graph.output("a", a);
    graph.output("b", b);
    let compiled = Compiled::new(device(), graph, &CompileOptions::default()).unwrap();
    assert_eq!(compiled.pipelines(), 2);
    let outputs = compiled.run(&[("x", &Rng(1).tensor(&[1, 300]))]).unwrap();
    assert_eq!(outputs["a"], outputs["b"]);
}

/// A convolution writes in place into a concatenation of this crate, not into an operator that only borrows its
/// launches and has a smaller output.
#[test]
fn a_borrowed_concatenation_changes_no_other_kernel() {
    let dispatches = |borrowed: bool| {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([1, 4, 5, 6])).unwrap();
        let w = graph.constant("w", Rng(1).tensor(&[8, 4, 3, 3])).unwrap();
        let y = graph.apply("conv", Conv2d::default(), &[x, w]).unwrap();
        let z = graph.apply("conv 2", Conv2d::default(), &[x, w]).unwrap();
        let concat = Concat { axis: 1 };
        let out = match borrowed {
            true => graph.apply("c", Delegate { to: concat, output: Desc::f32([1, 4, 3, 4]) }, &[y, z]),
            false => graph.apply("c", concat, &[y, z]),
        };
        graph.output("out", out.unwrap());
        let plan = plan(&graph);
        plan.recording.dispatches().filter(|d| d.node() == "c").count()
    };
    assert_eq!((dispatches(false), dispatches(true)), (0, 2));
}

static COPY: Kernel = Kernel::new(
    "copy_of_ones_own",
    "struct Params { count: u32 }
    @group(0) @binding(0) var<uniform> p: Params;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < p.count { y[id.x] = x[id.x]; }
    }",
);

/// Turns a correct launch into a wrong variant.
type Mistake = fn(&Site<'_>, Launch) -> Variant;

/// A copy with a mistake in its launches.
#[derive(Clone, Copy, Debug)]
struct Mistaken(Mistake);

impl Op for Mistaken {
    fn name(&self) -> &'static str {
        "mistaken"
    }
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        Ok(inputs.to_vec())
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(inputs.to_vec())
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![vec![0.0; outputs[0].numel()]]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let params = Params::new().with("count", site.inputs[0].numel());
        let launch = Launch::grid(&COPY, [1, 1, 1], params).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
        Ok(vec![self.0(site, launch)])
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

/// The launch, and before it one of `prepare` with these bindings.
fn prepared(site: &Site<'_>, launch: &Launch, reads: [Arg; 1], writes: Arg) -> Variant {
    let before = launch.clone().reads(reads).writes([writes]);
    Variant::row_major(site, vec![launch.clone()]).with_scratch(64).with_prepared(64, before)
}

fn compile(op: Mistaken) -> Result<Tensor> {
    let mut graph = Graph::new();
    let x = graph.input("x", Desc::f32([9])).unwrap();
    let y = graph.apply("mine", op, &[x]).unwrap();
    graph.output("y", y);
    let compiled = Compiled::new(device(), graph, &CompileOptions::default())?;
    Ok(compiled.run(&[("x", &Rng(3).tensor(&[9]))])?.first().clone())
}

#[test]
fn every_mistake_of_an_operator_is_one_error_that_names_it() {
    assert_eq!(compile(Mistaken(|site, l| Variant::row_major(site, vec![l]))).unwrap(), Rng(3).tensor(&[9]));
    let mistakes: [(Mistake, &str); 14] = [
        (|s, l| Variant::row_major(s, vec![l.reads([Arg::Input(1)])]), "Input(1), which is not there"),
        (|s, l| Variant::row_major(s, vec![l.writes([Arg::Output(7)])]), "Output(7), which is not there"),
        (|s, l| Variant::row_major(s, vec![l.reads([Arg::Scratch(0)])]), "Scratch(0), which is not there"),
        (|s, l| Variant::row_major(s, vec![l.reads([Arg::Table(0)])]), "Table(0), which is not there"),
        (|s, l| Variant::row_major(s, vec![l.writes([Arg::Input(0)])]), "inputs and tables are read-only"),
        (|s, l| Variant::row_major(s, vec![l.reads([Arg::Output(0)])]), "reads and writes Output(0)"),
        (|s, _| Variant::row_major(s, vec![]), "no launch writes output 0"),
        (|s, l| Variant::in_layout(s, Layout::ChannelsLast, vec![l]), "no channel axis"),
        (|s, l| Variant::row_major(s, vec![l.reads([Arg::Input(0); 9])]), "binds 10 buffers"),
        (|s, l| prepared(s, &l, [Arg::Scratch(0)], Arg::Prepared(0)), "of `prepare` binds Scratch(0)"),
        (|s, l| prepared(s, &l, [Arg::Input(0)], Arg::Scratch(0)), "of `prepare` binds Scratch(0)"),
        (|s, l| prepared(s, &l, [Arg::Output(0)], Arg::Prepared(0)), "of `prepare` binds Output(0)"),
        (
            |s, l| {
                let again = l.clone().writes([Arg::Prepared(0)]);
                let launches = vec![l.clone(), again.clone()];
                Variant::row_major(s, launches).with_prepared(64, again)
            },
            "of `run` writes Prepared(0)",
        ),
        (|s, l| Variant::row_major(s, vec![l.writes([Arg::Output(0); 2])]), "writes Output(0) through two bindings"),
    ];
    for (mistake, text) in mistakes {
        let e = compile(Mistaken(mistake)).unwrap_err();
        assert_eq!(e.node(), Some("mine"), "{e}");
        assert!(e.kind() == ErrorKind::Argument && e.to_string().contains(text), "{e}");
    }
}

/// A temporary may be as large as what a device binds.
#[test]
fn a_temporary_fits_a_binding() {
    let plan = |mistake| {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([9])).unwrap();
        let y = graph.apply("mine", Mistaken(mistake), &[x]).unwrap();
        graph.output("y", y);
        let mut caps = Caps::webgpu_default();
        caps.max_binding_bytes = 4096;
        Plan::new(&graph, &caps, &PlanOptions::default()).map(drop)
    };
    plan(|s, l| Variant::row_major(s, vec![l]).with_scratch(4096)).unwrap();
    let e = plan(|s, l| Variant::row_major(s, vec![l]).with_scratch(4097)).unwrap_err();
    assert!(e.to_string().contains("a temporary takes 4097 bytes, the device binds at most 4096"), "{e}");
}

/// The params and bindings of a launch are those that the text of its kernel declares.
#[test]
fn a_launch_that_does_not_fit_its_kernel_is_one_error() {
    fn with(site: &Site<'_>, params: Params) -> Variant {
        let launch = Launch::grid(&COPY, [1, 1, 1], params).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
        Variant::row_major(site, vec![launch])
    }
    static BROKEN: Kernel = Kernel::new("broken_of_ones_own", "fn main( {");
    static GROUP: Kernel = Kernel::new(
        "group_of_ones_own",
        "@group(1) @binding(2) var<storage, read_write> y: array<f32>;
        @group(0) @binding(1) var<storage, read> x: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = x[0]; }",
    );
    static VECTOR: Kernel = Kernel::new(
        "vector_of_ones_own",
        "struct Params { size: vec4<u32> }
        @group(0) @binding(0) var<uniform> p: Params;
        @group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = x[p.size.x]; }",
    );
    static FIXED: Kernel = Kernel::new(
        "fixed_of_ones_own",
        "@group(0) @binding(1) var<storage, read> x: array<f32, 1024>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = x[0]; }",
    );
    static RESULT: Kernel = Kernel::new(
        "result_of_ones_own",
        "@group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32, 1024>;
        @compute @workgroup_size(1) fn main() { y[0] = x[0]; }",
    );
    static STRUCT: Kernel = Kernel::new(
        "struct_of_ones_own",
        "struct Table { head: array<vec4<f32>, 32>, rest: array<f32> }
        @group(0) @binding(1) var<storage, read> x: Table;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = x.rest[0]; }",
    );
    static ALIGNED: Kernel = Kernel::new(
        "aligned_of_ones_own",
        "struct Params { count: u32, @align(16) more: i32 }
        @group(0) @binding(0) var<uniform> p: Params;
        @group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = x[0] + f32(p.more); }",
    );
    static INTEGERS: Kernel = Kernel::new(
        "integers_of_ones_own",
        "@group(0) @binding(1) var<storage, read> x: array<vec4<i32>>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = f32(x[0].x); }",
    );
    static NO_MAIN: Kernel = Kernel::new(
        "no_main_of_ones_own",
        "@group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn other() { y[0] = x[0]; }",
    );
    fn other(site: &Site<'_>, kernel: &'static Kernel) -> Variant {
        let launch = Launch::grid(kernel, [1, 1, 1], Params::new()).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
        Variant::row_major(site, vec![launch])
    }
    let mistakes: [(Mistake, &str); 17] = [
        (
            |s, l| {
                let into = Launch::grid(&RESULT, [1, 1, 1], Params::new()).reads([Arg::Input(0)]);
                Variant::row_major(s, vec![into.writes([Arg::Scratch(0)]), l]).with_scratch(40)
            },
            "4096 bytes at binding 2 (y), the launch binds 48",
        ),
        (|s, _| with(s, Params::new()), "declares the params {count: u32}, the launch gives {}"),
        (|s, _| with(s, Params::new().with("n", 9usize)), "the launch gives {n: u32}"),
        (|s, _| with(s, Params::new().with("count", 9.0f32)), "the launch gives {count: f32}"),
        (
            |s, _| with(s, Params::new().with("count", 9usize).with("more", 1)),
            "the launch gives {count: u32, more: i32}",
        ),
        (|s, l| Variant::row_major(s, vec![l.reads([])]), "[1 read, 2 read_write], the launch binds [1 read_write]"),
        (
            |s, l| Variant::row_major(s, vec![l.reads([Arg::Input(0); 2])]),
            "the launch binds [1 read, 2 read, 3 read_write]",
        ),
        (|s, _| other(s, &BROKEN), "kernel broken_of_ones_own: "),
        (|s, _| other(s, &GROUP), "[1 read, 2 of group 1 read_write]"),
        (|s, _| other(s, &VECTOR), "{size: (not a scalar of 4 bytes)}"),
        (|s, _| other(s, &FIXED), "4096 bytes at binding 1 (x), the launch binds 48"),
        (|s, _| other(s, &STRUCT), "528 bytes at binding 1 (x), the launch binds 48"),
        (
            |s, _| {
                let params = Params::new().with("count", 9usize).with("more", 1);
                let launch = Launch::grid(&ALIGNED, [1, 1, 1], params).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
                Variant::row_major(s, vec![launch])
            },
            "do not follow each other without gaps",
        ),
        (|s, _| other(s, &INTEGERS), "takes binding 1 (x) for i32, the tensor is of f32 (f32)"),
        (
            |s, l| {
                let params = Params::new().with("count", 9usize);
                drop(l);
                let launch = Launch::grid(&COPY, [1, 0, 1], params).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
                Variant::row_major(s, vec![launch])
            },
            "has the grid [1, 0, 1]: it runs nothing",
        ),
        (|s, _| other(s, &NO_MAIN), "kernel no_main_of_ones_own"),
        (|s, l| Variant::row_major(s, vec![l.set("NO_SUCH", 1)]), "kernel copy_of_ones_own"),
    ];
    for (mistake, text) in mistakes {
        let e = compile(Mistaken(mistake)).unwrap_err();
        assert_eq!(e.node(), Some("mine"), "{e}");
        assert!(e.to_string().contains(text) && !e.to_string().contains('\n'), "{e}");
    }
}

/// Lists that are too short, or too long.
#[test]
fn answers_that_are_not_one_per_output_are_errors() {
    #[derive(Clone, Copy, Debug)]
    struct Short {
        tensors: usize,
        bounds: usize,
        variants: bool,
    }
    impl Op for Short {
        fn name(&self) -> &'static str {
            "short"
        }
        fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
            Ok(inputs.to_vec())
        }
        fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
            Ok(vec![inputs[0].clone(); self.tensors])
        }
        fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
            Ok(Some(vec![vec![0.0; outputs[0].numel()]; self.bounds]))
        }
        fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
            // Of inputs that are not there it is told nothing, and does not panic.
            assert!(!site.is_channels_last(7));
            let params = Params::new().with("count", site.inputs[0].numel());
            let launch = Launch::grid(&COPY, [1, 1, 1], params).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
            Ok(if self.variants { vec![Variant::row_major(site, vec![launch])] } else { vec![] })
        }
        fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
            u64::MAX
        }
    }
    let x = Rng(3).tensor(&[9]);
    let verify = |op: Short| {
        let mut graph = Graph::new();
        let x_id = graph.input("x", Desc::f32([9])).unwrap();
        let y = graph.apply("mine", op, &[x_id]).unwrap();
        graph.output("y", y);
        graph.output("again", y);
        convgpu::verify::verify(device(), &graph, &[("x", &x)], &convgpu::verify::VerifyOptions::new())
    };
    let right = Short { tensors: 1, bounds: 1, variants: true };
    assert!(verify(right).unwrap().ok());
    for (op, text) in [
        (Short { tensors: 0, ..right }, "its reference gives [], its shape rule says [f32[9]]"),
        (Short { tensors: 2, ..right }, "its reference gives [f32[9], f32[9]]"),
        (Short { bounds: 0, ..right }, "it gives bounds for [] elements, but its outputs have [9]"),
        (Short { bounds: 2, ..right }, "it gives bounds for [9, 9] elements"),
        (Short { variants: false, ..right }, "no kernel of short covers this case"),
    ] {
        let e = verify(op).unwrap_err();
        assert!(e.node() == Some("mine") && e.to_string().contains(text), "{e}");
    }
}

/// A wrong shape from the reference: the shape rule decides.
#[test]
fn a_reference_that_breaks_its_shape_rule_is_an_error() {
    let graph = {
        let mut graph = Graph::new();
        let x = graph.input("x", Desc::f32([2, 3])).unwrap();
        let op = Delegate { to: Tile { repeats: vec![1, 1] }, output: Desc::new([2, 3], convgpu::DType::I32) };
        let y = graph.apply("y", op, &[x]).unwrap();
        graph.output("y", y);
        graph
    };
    let compiled = Compiled::new(&convgpu::Device::cpu(), graph, &CompileOptions::default()).unwrap();
    let e = compiled.run(&[("x", &Rng(1).tensor(&[2, 3]))]).unwrap_err();
    assert!(e.node() == Some("y") && e.to_string().contains("f32[2, 3]") && e.to_string().contains("i32[2, 3]"), "{e}");
}

/// Planning alone runs nothing, whatever the capabilities are.
#[test]
fn a_plan_for_another_device_is_only_a_text() {
    let plan = Plan::new(&overflowing(), &Caps::webgpu_default(), &PlanOptions::default()).unwrap();
    assert!(plan.to_string().contains("delegate"));
}

/// An operator whose shape rule changes its result.
#[derive(Debug)]
struct Fickle {
    first: Vec<usize>,
    later: Vec<usize>,
    asked: std::sync::atomic::AtomicUsize,
}

impl Fickle {
    fn new(first: &[usize], later: &[usize]) -> Fickle {
        Fickle { first: first.into(), later: later.into(), asked: 0.into() }
    }
}

impl Op for Fickle {
    fn name(&self) -> &'static str {
        "fickle"
    }
    fn outputs(&self, _: &[Desc]) -> Result<Vec<Desc>> {
        let asked = self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(vec![Desc::f32(if asked == 0 { self.first.clone() } else { self.later.clone() })])
    }
    fn reference(&self, _: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![Tensor::full(self.later.clone(), 1.0f32)])
    }
    fn bounds(&self, _: &[Tensor], outputs: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![vec![0.0; outputs[0].numel()]]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let params = Params::new().with("count", 1usize);
        let launch = Launch::grid(&COPY, [1, 1, 1], params).reads([Arg::Input(0)]).writes([Arg::Output(0)]);
        Ok(vec![Variant::row_major(site, vec![launch])])
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

/// conv + a bias with one element less than the convolution has channels, after folding: the fused kernel would read
/// beyond its buffer.
#[test]
fn a_constant_is_what_the_graph_says() {
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([1, 4, 4, 4])).unwrap();
    let one = g.constant("one", Tensor::full([1], 1.0f32)).unwrap();
    let w = g.constant("w", Rng(1).tensor(&[64, 4, 1, 1])).unwrap();
    let y = g.apply("conv", Conv2d::default(), &[x, w]).unwrap();
    let bias = g.apply("fickle", Fickle::new(&[1, 64, 1, 1], &[1]), &[one]).unwrap();
    let y = g.binary(y, bias, convgpu::functional::BinaryKind::Add).unwrap();
    g.output("y", y);
    let compiled = Compiled::new(device(), g.clone(), &CompileOptions::default()).unwrap();
    assert!(compiled.graph().nodes().iter().any(|n| n.op.name() == "fickle"), "not folded: {}", compiled.graph());
    // As a separate graph, the node would have another shape.
    let at = compiled.graph().nodes().iter().position(|n| n.op.name() == "fickle").unwrap();
    let e = convgpu::internals::verify::isolate(compiled.graph(), at).unwrap_err();
    assert!(e.node() == Some("fickle") && e.to_string().contains("gives other outputs than before"), "{e}");
    let x = Rng(2).tensor(&[1, 4, 4, 4]);
    assert!(convgpu::verify::verify(device(), &g, &[("x", &x)], &convgpu::verify::VerifyOptions::new()).is_err());
}

#[test]
fn an_operator_without_outputs_is_an_error() {
    #[derive(Debug)]
    struct Nothing;
    impl Op for Nothing {
        fn name(&self) -> &'static str {
            "nothing"
        }
        fn outputs(&self, _: &[Desc]) -> Result<Vec<Desc>> {
            Ok(vec![])
        }
        fn reference(&self, _: &[Tensor]) -> Result<Vec<Tensor>> {
            Ok(vec![])
        }
        fn bounds(&self, _: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
            Ok(Some(vec![]))
        }
        fn launches(&self, _: &Site<'_>) -> Result<Vec<Variant>> {
            Ok(vec![])
        }
        fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
            0
        }
    }
    let mut g = Graph::new();
    let x = g.input("x", Desc::f32([2])).unwrap();
    let e = g.apply("n", Nothing, &[x]).unwrap_err();
    assert!(e.node() == Some("n") && e.to_string().contains("no outputs"), "{e}");
}

static SEVEN: Kernel = Kernel::new(
    "seven_of_ones_own",
    "struct Params { count: u32 }
    @group(0) @binding(0) var<uniform> p: Params;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x < p.count { y[id.x] = 7.0; }
    }",
);

/// It reads nothing.
#[derive(Debug)]
struct Seven;

impl Op for Seven {
    fn name(&self) -> &'static str {
        "seven"
    }
    fn outputs(&self, _: &[Desc]) -> Result<Vec<Desc>> {
        Ok(vec![Desc::f32([1, 3])])
    }
    fn reference(&self, _: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![Tensor::full([1, 3], 7.0f32)])
    }
    fn bounds(&self, _: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        Ok(Some(vec![vec![0.0; 3]]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let launch = Launch::grid(&SEVEN, [1, 1, 1], Params::new().with("count", 3usize));
        Ok(vec![Variant::row_major(site, vec![launch.writes([Arg::Output(0)])])])
    }
    fn flops(&self, _: &[Desc], _: &[Desc]) -> u64 {
        0
    }
}

/// An operator without inputs runs, and is not taken for a constant.
#[test]
fn an_operator_without_inputs_runs() {
    let mut graph = Graph::new();
    let seven = graph.apply("seven", Seven, &[]).unwrap();
    let x = graph.input("x", Desc::f32([1, 3])).unwrap();
    let y = graph.binary(seven, x, convgpu::functional::BinaryKind::Mul).unwrap();
    graph.output("seven", seven);
    graph.output("y", y);
    let x = Tensor::new([1, 3], vec![1.0f32, 2.0, 3.0]).unwrap();
    let compiled = Compiled::new(device(), graph.clone(), &CompileOptions::default()).unwrap();
    let outputs = compiled.run(&[("x", &x)]).unwrap();
    assert_eq!(outputs.first().as_f32().unwrap(), [7.0; 3]);
    assert_eq!(outputs.get("y").unwrap().as_f32().unwrap(), [7.0, 14.0, 21.0]);
    let report =
        convgpu::verify::verify(device(), &graph, &[("x", &x)], &convgpu::verify::VerifyOptions::new()).unwrap();
    assert!(report.ok() && report.nodes.len() == 2, "{report}");
}
