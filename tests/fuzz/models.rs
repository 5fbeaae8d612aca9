//! A model file, from its bytes to its outputs.

use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::graph::Node;
use convgpu::internals::graph::rewrite::rewrite;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::session::{Bind, Compiled, Given};
use convgpu::{CompileOptions, DType, Data, Desc, Device, Dim, Graph, Model, Tensor, ValueInfo};

use super::mutate::edge;
use super::support::Rng;

/// The most multiplications and elements of a graph that is run.
const FLOPS: u64 = 1 << 22;
const ELEMENTS: usize = 1 << 18;

/// Reads, binds, plans, and runs on the reference if it is small; returns whether the file could be read.
pub fn survives(seed: u64, file: &[u8]) -> bool {
    let mut rng = Rng(seed ^ 0x5eed);
    let model = match Model::from_bytes(file) {
        Ok(model) => model,
        Err(e) => {
            assert!(!e.to_string().is_empty());
            return false;
        }
    };
    let _ = (format!("{model:?} {model}"), model.num_parameters(), model.operators(), model.outputs());
    let bound = model.bind(&given(&mut rng, &model, false)).is_ok_and(|graph| exercise(&mut rng, graph));
    let _ = model.bind(&given(&mut rng, &model, true)).is_ok_and(|graph| exercise(&mut rng, graph));
    bound
}

/// Descriptions for the inputs: as the file declares them with small numbers where it leaves them open, or anything.
fn given<'m>(rng: &mut Rng, model: &'m Model, hostile: bool) -> Vec<Given<'m>> {
    let shaping = model.shape_inputs();
    let one = |info: &'m ValueInfo| {
        let dims = info.dims.clone().unwrap_or(vec![Dim::Unknown; 4]);
        let mut shape: Vec<usize> = dims.iter().map(|d| extent(rng, d)).collect();
        if hostile && !shape.is_empty() {
            let k = rng.int(0, shape.len() - 1);
            shape[k] = edge(rng) as usize;
        }
        let count = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
        let small = count.filter(|&n| n <= 64 && (shaping.contains(&info.name) || rng.int(0, 9) == 0));
        let dtype = info.dtype.expect("only outputs are without a type");
        let value = small.map(|n| values(rng, dtype, &shape, n));
        Given { name: &info.name, desc: Desc::new(shape, dtype), value }
    };
    // Those that need not be given are, now and then.
    let optional = if hostile { model.optional_inputs() } else { &[] };
    model.inputs().iter().chain(optional).map(one).collect()
}

fn extent(rng: &mut Rng, dim: &Dim) -> usize {
    match dim {
        Dim::Fixed(n) => *n,
        Dim::Named(name) => 1 + name.len() % 4,
        _ => rng.int(1, 4),
    }
}

fn values(rng: &mut Rng, dtype: DType, shape: &[usize], count: usize) -> Tensor {
    let wild = rng.int(0, 3) == 0;
    let integers: Vec<i64> = (0..count).map(|_| if wild { edge(rng) } else { rng.int(0, 8) as i64 - 2 }).collect();
    let data: Data = match dtype {
        dtype if dtype.is_float() => integers.iter().map(|&v| v as f32 * 0.5).collect::<Vec<_>>().into(),
        _ => integers.into(),
    };
    Tensor::new(shape, data).expect("counted").to_dtype(dtype)
}

/// Plans the graph before and after rewriting, and runs it if it is small; returns whether it could be planned.
fn exercise(rng: &mut Rng, graph: Graph) -> bool {
    let mut fused = graph.clone();
    rewrite(&mut fused);
    let _ = (graph.to_string(), fused.to_string());
    let planned = plan(&graph);
    plan(&fused);
    let sizes = graph.nodes().iter().flat_map(|n| &n.outputs).map(|&id| graph.desc(id).numel());
    let elements = sizes.chain(graph.inputs().map(|(_, d)| d.numel())).fold(0usize, usize::saturating_add);
    if graph.flops() <= FLOPS && elements <= ELEMENTS {
        run(rng, &graph);
    }
    planned
}

/// Plans in every way. A long sequence, with a dispatch or more per step, is planned once.
fn plan(graph: &Graph) -> bool {
    let first = Plan::new(graph, &Caps::webgpu_default(), &PlanOptions::default());
    let is_long = |node: &Node| {
        let shape = &graph.desc(node.inputs[0]).shape;
        ["lstm", "gru", "rnn"].contains(&node.op.name()) && shape[0].max(shape[1]) > 10_000
    };
    if graph.nodes().iter().any(is_long) {
        return first.is_ok();
    }
    let options = |alternative, guarded| PlanOptions { alternative, guarded, ..Default::default() };
    for options in [options(Some(1), false), options(Some(usize::MAX), true)] {
        let _ = Plan::new(graph, &Caps::webgpu_default(), &options);
    }
    first.is_ok_and(|p| !p.to_string().is_empty())
}

fn run(rng: &mut Rng, graph: &Graph) {
    let wanted: Vec<(String, Desc)> = graph.inputs().map(|(name, d)| (name.to_owned(), d.clone())).collect();
    let tensors: Vec<Tensor> = wanted.iter().map(|(_, d)| values(rng, d.dtype, &d.shape, d.numel())).collect();
    let inputs: Vec<_> = wanted.iter().map(|(name, _)| name.as_str()).zip(&tensors).collect();
    let Ok(compiled) = Compiled::new(&Device::cpu(), graph.clone(), &CompileOptions::default()) else { return };
    let Ok(outputs) = compiled.run(&inputs) else { return };
    for ((name, tensor), (_, desc)) in outputs.iter().zip(graph.outputs()) {
        assert_eq!(tensor.desc(), *desc, "the output {name} does not match its description");
    }
}
