//! The largest distance of a correct f32 evaluation of the whole network from the reference, element by element.
//!
//! Let `e` bound the error of a node's input. The node adds its own roundings, which `Op::bounds` gives; taken at
//! `|x| + e` it covers every input that the device may have had. The input's error changes the output by at most
//! `|W| e` if the node is linear in its input with weights `W` (convolution, averaging, reshape), and by at most
//! `max(f(x + e) - f(x), f(x) - f(x - e))` if it is a monotonic activation `f` (tanh). The reference rounds its result
//! once, which adds half an ulp.

use std::any::Any;
use std::collections::HashMap;

use convgpu::internals::graph::{Node, ValueId};
use convgpu::internals::ops::unary::Unary;
use convgpu::internals::reference::UNIT;
use convgpu::{Graph, Result, Tensor};

/// A value of the network on the reference, and the bound of its error on a device.
type Bounded = (Tensor, Tensor);

/// The output of a network with one input and one output on the reference, and the bound of every element. `graph` must
/// not be rewritten, and its nodes must be linear with constant weights, or monotonic activations.
pub fn evaluate(graph: &Graph, input: &Tensor) -> Result<Bounded> {
    let exact = |t: &Tensor| (t.clone(), Tensor::zeros(t.shape()));
    let mut values: HashMap<ValueId, Bounded> = HashMap::new();
    let mut last = exact(input);
    for node in graph.nodes() {
        let known = |id: &ValueId| match graph.constant_of(*id) {
            Some(weight) => exact(weight),
            None => values.get(id).cloned().unwrap_or_else(|| exact(input)),
        };
        last = step(node, &node.inputs.iter().map(known).collect::<Vec<_>>())?;
        values.insert(node.outputs[0], last.clone());
    }
    Ok(last)
}

fn step(node: &Node, inputs: &[Bounded]) -> Result<Bounded> {
    let op = node.op.as_ref();
    let exact: Vec<Tensor> = inputs.iter().map(|(x, _)| x.clone()).collect();
    let y = op.reference(&exact)?.remove(0);
    let carried = carried(node, inputs)?;
    let reach = inputs.iter().map(|(x, e)| zip(x, e, |x, e| x.abs() + e)).collect::<Result<Vec<_>>>()?;
    let own = op.bounds(&reach, &[zip(&y, &carried, |y, e| y.abs() + e)?])?;
    let own = own.expect("operators of the library know their bounds").remove(0);
    let own = Tensor::new(y.shape(), own)?;
    // Half an ulp for the reference's rounding, unless the node only copies; 4 UNIT for the sums of this function.
    let rounded = zip(&own, &y, |own, y| if own > 0.0 { own + UNIT * y.abs() } else { 0.0 })?;
    let bound = zip(&rounded, &carried, |own, carried| (own + carried) * (1.0 + 4.0 * UNIT))?;
    Ok((y, bound))
}

/// The bound of the output's error that comes from the input's error.
fn carried(node: &Node, inputs: &[Bounded]) -> Result<Tensor> {
    let (x, e) = &inputs[0];
    let op: &dyn Any = node.op.as_ref();
    if let Some(Unary(activation)) = op.downcast_ref() {
        let f = |x| activation.eval(x);
        return zip(x, e, |x, e| (f(x + e) - f(x)).max(f(x) - f(x - e)));
    }
    let weights = inputs[1..].iter().take(1).map(|(w, _)| zip(w, w, |w, _| w.abs()));
    let linear = [Ok(e.clone())].into_iter().chain(weights).collect::<Result<Vec<_>>>()?;
    Ok(node.op.reference(&linear)?.remove(0))
}

/// Applies `f` element by element, in f64, rounded once.
fn zip(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Result<Tensor> {
    let pairs = a.as_f32()?.iter().zip(b.as_f32()?);
    Tensor::new(a.shape(), pairs.map(|(&a, &b)| f(a.into(), b.into()) as f32).collect::<Vec<_>>())
}
