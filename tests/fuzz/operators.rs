//! Every operator with random attributes on random shapes: mostly plausible, sometimes absurd.

use convgpu::custom::Layout;
use convgpu::internals::conformance::{Drawn, Draws, FAMILIES, Fill, Limits, Rng, Source, Values};
use convgpu::internals::gpu::caps::Caps;
use convgpu::internals::ops::Algorithm;
use convgpu::internals::plan::{Plan, PlanOptions};
use convgpu::internals::session::evaluate_with_bounds;
use convgpu::internals::verify::{Setup, alternatives, check_node};
use convgpu::{Desc, Device, ErrorKind, Graph, Precision, Tensor};

/// Of a case that is evaluated.
const LIMITS: Limits = Limits { elements: 1 << 14, flops: 1 << 20 };

fn draw(r: &mut Draws) -> Drawn {
    let family = r.one(FAMILIES);
    (family.draw)(r)
}

/// Runs an operator's shape rule, plans it, and evaluates it if it is small; returns whether it could be planned.
pub fn survives(numbers: impl Into<Source>) -> bool {
    let r = &mut Draws { rng: numbers.into(), wild: true, values: Values::Numbers };
    let Some(graph) = draw(r).graph() else { return false };
    let _ = graph.to_string();
    let inputs: Vec<Desc> = graph.inputs().map(|(_, d)| d.clone()).collect();
    let layout = |d: &Desc| if d.rank() < 2 { Layout::RowMajor } else { Layout::ChannelsLast };
    let input_layouts: Vec<Layout> = inputs.iter().map(layout).collect();
    for (alternative, input_layouts) in [(None, input_layouts), (Some(1), vec![]), (Some(usize::MAX), vec![])] {
        let options = PlanOptions { alternative, guarded: true, input_layouts, ..Default::default() };
        let _ = Plan::new(&graph, &Caps::webgpu_default(), &options);
    }
    if LIMITS.hold(&graph) {
        evaluate(r, &graph);
    }
    Plan::new(&graph, &Caps::webgpu_default(), &PlanOptions::default()).is_ok()
}

/// An operator with plausible attributes gives the same on the device and on the reference, with every variant and from
/// both layouts. Returns whether there was anything to compare.
pub fn agrees(seed: u64, device: &Device) -> bool {
    let r = &mut Draws { rng: Rng(seed).into(), wild: false, values: Values::Numbers };
    let drawn = draw(r);
    if !drawn.graph().is_some_and(|graph| LIMITS.hold(&graph)) {
        return false;
    }
    let Some((graph, inputs)) = drawn.valued(r) else { return false };
    let node = &graph.nodes()[0];
    // With f16 the variants of f32 are included.
    let half = device.adapter().is_some_and(|a| a.caps.f16);
    let precision = if half { Precision::F16 } else { Precision::F32 };
    let Ok(setups) = alternatives(device, &graph, 0, precision) else { return false };
    let last = inputs.iter().map(|t| if t.shape().len() < 2 { Layout::RowMajor } else { Layout::ChannelsLast });
    let last: Vec<Layout> = last.collect();
    for alternative in 0..setups {
        for layouts in [vec![], last.clone()] {
            let setup = Setup { alternative: Some(alternative), layouts, precision };
            let what =
                || format!("{:?} of {:?}, {setup:?}", node.op, inputs.iter().map(Tensor::desc).collect::<Vec<_>>());
            match pollster::block_on(check_node(device, &graph, 0, &inputs, &setup)) {
                Ok(c) => {
                    let c = if c.precision == Precision::F16 { c.or_overflowed().unwrap() } else { c };
                    c.comparisons.iter().for_each(|x| assert!(x.ok(), "{}, {}: {x}", what(), c.kernels));
                }
                Err(e) => assert!(matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::Argument), "{}: {e}", what()),
            }
        }
    }
    true
}

fn evaluate(r: &mut Draws, graph: &Graph) {
    let node = &graph.nodes()[0];
    let inputs: Vec<Tensor> = graph.inputs().map(|(_, d)| r.values(d, Fill::Any)).collect();
    let Ok((outputs, bounds)) = evaluate_with_bounds(node, &inputs, Algorithm::Direct) else { return };
    let described: Vec<Desc> = graph.outputs().map(|(_, d)| d.clone()).collect();
    assert_eq!(outputs.iter().map(Tensor::desc).collect::<Vec<_>>(), described, "{:?} of {inputs:?}", node.op);
    let counts: Vec<_> = outputs.iter().map(Tensor::numel).collect();
    let bounds = bounds.expect("operators of the crate know their bounds");
    assert_eq!(bounds.iter().map(Vec::len).collect::<Vec<_>>(), counts, "{:?} of {inputs:?}", node.op);
}
