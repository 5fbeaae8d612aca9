//! What an adapter is asked, in a process of its own, since a driver may crash or hang. Each answer is a line of JSON on
//! stdout as soon as it is there.

use std::collections::BTreeSet;

use convgpu::internals::attr::BinaryKind;
use convgpu::internals::device::{computes, usable_binding};
use convgpu::internals::gpu::profile::Clock;
use convgpu::internals::ops::binary::Binary;
use convgpu::internals::ops::conv2d::Conv2d;
use convgpu::internals::plan::Plan;
use convgpu::internals::session::Compiled;
use convgpu::internals::verify::{Setup, check_node};
use convgpu::{AdapterInfo, CompileOptions, Device, DeviceChoice, Error, ErrorKind, Graph, Precision, Result, Tensor};
use serde_json::{Value, json};

use crate::console;
use crate::failure::Outcome;

/// The questions, in their order. Without the first two the others have no answers.
pub const ALL: [&str; 8] = ["opens", "computes", "kernels", "times", "f16", "subgroups", "binding", "numbers"];

/// What is said to a question.
enum Answer {
    Yes(String),
    /// The adapter does not have it.
    Without(String),
}

/// Asks the adapter at this position. A bad answer is no failure of the process.
pub fn ask(index: usize) -> Outcome<()> {
    let mut device = match Device::open(DeviceChoice::Index(index)) {
        Ok(device) => device,
        Err(e) => return tell("opens", Err(e)).map(drop),
    };
    let Some(adapter) = device.adapter().cloned() else { return Ok(()) };
    tell("opens", yes(device.to_string()))?;
    let proof = computes(&device).map(|()| Answer::Yes("a small dispatch has the right result".to_owned()));
    if !tell("computes", proof)? {
        return Ok(());
    }
    let found = kernels(&mut device, &adapter, Precision::F32);
    let subgroups = subgroups(&adapter, found.as_ref().ok());
    tell("kernels", found.map(|names| Answer::Yes(list(names))))?;
    tell("times", asked(&mut device, times))?;
    tell("f16", f16(&mut device, &adapter))?;
    tell("subgroups", subgroups)?;
    tell("binding", asked(&mut device, |device| binding(device, &adapter)))?;
    tell("numbers", asked(&mut device, numbers))?;
    Ok(())
}

/// What a question makes of a device, which is opened again if that loses it: the next one is asked of one that works.
fn asked<T>(device: &mut Device, question: impl FnOnce(&Device) -> Result<T>) -> Result<T> {
    let answer = question(device);
    if answer.as_ref().is_err_and(|e| e.kind() == ErrorKind::DeviceLost)
        && let Ok(new) = device.reopened()
    {
        *device = new;
    }
    answer
}

fn yes(text: String) -> Result<Answer> {
    Ok(Answer::Yes(text))
}

/// Prints an answer; whether it is a good one.
fn tell(question: &str, answer: Result<Answer>) -> Outcome<bool> {
    let (ok, says): (Value, String) = match answer {
        Ok(Answer::Yes(text)) => (true.into(), text),
        Ok(Answer::Without(text)) => (Value::Null, text),
        Err(e) => (false.into(), e.to_string()),
    };
    console::print_source(&format!("{}\n", json!({ "question": question, "ok": ok, "says": says })))?;
    Ok(ok != false)
}

fn list(names: BTreeSet<String>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// A convolution for which there are kernels of every family, and its inputs: small integers.
fn convolution() -> Result<(Graph, [Tensor; 2])> {
    let integers = |shape: [usize; 4]| {
        let n = shape.iter().product::<usize>();
        Tensor::new(shape, (0..n).map(|i| (i * 7 % 11) as f32 - 5.0).collect::<Vec<_>>())
    };
    let mut graph = Graph::new();
    let values = [integers([1, 16, 14, 14])?, integers([16, 16, 3, 3])?];
    let (x, w) = (graph.input("x", values[0].desc())?, graph.constant("w", values[1].clone())?);
    let y = graph.apply("conv", Conv2d { padding: [[1; 2]; 2], ..Conv2d::default() }, &[x, w])?;
    graph.output("y", y);
    Ok((graph, values))
}

/// The kernels of a convolution that store floats so, one of each family, which all are right.
///
/// # Errors
/// Those that are not.
fn kernels(device: &mut Device, adapter: &AdapterInfo, precision: Precision) -> Result<BTreeSet<String>> {
    let (graph, values) = convolution()?;
    let (mut right, mut wrong) = (BTreeSet::new(), vec![]);
    for k in 0.. {
        let setup = Setup { alternative: Some(k), layouts: vec![], precision };
        let plan = Plan::new(&graph, &adapter.caps, &setup.plan(&graph))?.nodes.remove(0);
        if k >= plan.alternatives {
            break;
        }
        if plan.chosen.precision() != precision || !right.insert(family(&plan.kernels)) {
            continue;
        }
        let judged = asked(device, |device| {
            let checked = pollster::block_on(check_node(device, &graph, 0, &values, &setup))?;
            checked.comparisons.into_iter().try_for_each(|c| c.into_result().map(drop))
        });
        if let Err(e) = judged {
            wrong.push(format!("{}: {e}", plan.kernels));
        }
    }
    match wrong.is_empty() {
        true => Ok(right),
        false => Err(Error::new(ErrorKind::Check, wrong.join("; "))),
    }
}

/// The names of kernels without their sizes.
fn family(kernels: &str) -> String {
    let mut depth = 0;
    let outside = |c: &char| {
        depth += i32::from(*c == '(');
        let keeps = depth == 0;
        depth -= i32::from(*c == ')');
        keeps
    };
    kernels.chars().filter(outside).collect()
}

fn times(device: &Device) -> Result<Answer> {
    let (graph, [x, _]) = convolution()?;
    let profile = Compiled::new(device, graph, &CompileOptions::new())?.profile(&[("x", &x)])?;
    let sum: std::time::Duration = profile.dispatches.iter().map(|d| d.time).sum();
    let (us, total) = (sum.as_secs_f64() * 1e6, profile.total.as_secs_f64() * 1e6);
    let text = format!("{us:.1} us of dispatches in {total:.1} us of the host's clock");
    match profile.clock {
        Clock::Host => Ok(Answer::Without("no timestamps: the host's clock is used".to_owned())),
        Clock::Device if us > 0.0 && us <= total => yes(text),
        Clock::Device => Err(Error::new(ErrorKind::Device, text)),
    }
}

fn f16(device: &mut Device, adapter: &AdapterInfo) -> Result<Answer> {
    match adapter.caps.f16 {
        true => yes(list(kernels(device, adapter, Precision::F16)?)),
        false => Ok(Answer::Without("shaders have no f16".to_owned())),
    }
}

/// What the kernels say of subgroups, if they are right.
fn subgroups(adapter: &AdapterInfo, kernels: Option<&BTreeSet<String>>) -> Result<Answer> {
    let Some(size) = adapter.caps.subgroup_size else {
        return Ok(Answer::Without("none, or of several sizes".to_owned()));
    };
    let used: BTreeSet<String> = kernels.into_iter().flatten().filter(|k| k.contains("subgroup")).cloned().collect();
    match (kernels, used.is_empty()) {
        (None, _) => Err(Error::new(ErrorKind::Check, format!("of {size}; see kernels"))),
        (_, true) => Ok(Answer::Without(format!("of {size}; no kernel for this adapter uses them"))),
        (_, false) => yes(format!("of {size}: {}", list(used))),
    }
}

fn binding(device: &Device, adapter: &AdapterInfo) -> Result<Answer> {
    let (usable, limit) = (usable_binding(device)?, adapter.caps.max_binding_bytes);
    yes(format!("{} MiB of {} MiB", usable >> 20, limit >> 20))
}

/// What the device makes of numbers at the ends of f32's range: WGSL leaves that open.
fn numbers(device: &Device) -> Result<Answer> {
    const HALF: f32 = f32::MIN_POSITIVE / 2.0;
    let a = Tensor::new([4], vec![HALF, f32::MIN_POSITIVE, f32::INFINITY, -0.0])?;
    let b = Tensor::new([4], vec![2.0f32, 0.5, 0.0, 1.0])?;
    let c = Tensor::new([4], vec![0.0f32, -1.5 * f32::MIN_POSITIVE, -f32::INFINITY, -0.0])?;
    let mut graph = Graph::new();
    let [x, y, z] = [("a", &a), ("b", &b), ("c", &c)].map(|(name, tensor)| graph.input(name, tensor.desc()));
    let (x, y, z) = (x?, y?, z?);
    let products = graph.apply("products", Binary(BinaryKind::Mul), &[x, y])?;
    let sums = graph.apply("sums", Binary(BinaryKind::Add), &[x, z])?;
    graph.output("products", products);
    graph.output("sums", sums);
    let outputs = Compiled::new(device, graph, &CompileOptions::new())?.run(&[("a", &a), ("b", &b), ("c", &c)])?;
    let values = |name: &str| outputs.get(name).map_or(vec![], Tensor::to_f64s);
    let (products, sums) = (values("products"), values("sums"));
    let kept = |of: [f64; 2]| match of.map(|v| v != 0.0) {
        [true, true] => "kept",
        [false, false] => "taken for 0",
        [true, false] => "kept by products, taken for 0 by sums",
        [false, true] => "taken for 0 by products, kept by sums",
    };
    yes(format!(
        "subnormal arguments {}, subnormal results {}; 0 * inf is {}, inf - inf {}; -0 {}",
        kept([products[0], sums[0]]),
        kept([products[1], sums[1]]),
        products[2],
        sums[2],
        if products[3].is_sign_negative() && sums[3].is_sign_negative() { "is kept" } else { "loses its sign" },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first kernel is not blamed on the others, nor are the questions after it.
    #[test]
    fn a_lost_device_costs_one_answer() {
        let mut device = Device::new().unwrap();
        let adapter = device.adapter().unwrap().clone();
        convgpu::internals::device::destroy(&device);
        let e = kernels(&mut device, &adapter, Precision::F32).unwrap_err().to_string();
        assert!(e.contains("destroyed") && !e.contains("; "), "{e}");
        assert!(kernels(&mut device, &adapter, Precision::F32).is_ok());
        convgpu::internals::device::destroy(&device);
        assert!(asked(&mut device, numbers).is_err() && asked(&mut device, numbers).is_ok());
    }

    #[test]
    fn sizes_are_no_part_of_a_family() {
        assert_eq!(family("conv2d_tiled(16,16,8,2) + sums(4) in f16"), "conv2d_tiled + sums in f16");
        assert_eq!(family("conv2d"), "conv2d");
    }
}
