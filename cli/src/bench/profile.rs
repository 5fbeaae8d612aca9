//! `bench --profile`: where the time of a run goes, by node and by operator.

use std::collections::HashMap;
use std::time::Duration;

use convgpu::bench::{Ceilings, Effort};
use convgpu::internals::bench::Samples;
use convgpu::internals::gpu::profile::{DispatchTime, Profile};
use convgpu::internals::session::Compiled;
use convgpu::{CompileOptions, Device, ValueId};
use serde_json::{Value, json};

use super::Args;
use crate::failure::Outcome;
use crate::network::Bound;
use crate::numbers;
use crate::table::{shown, table};

/// How long each ceiling is measured.
const CEILING: Duration = Duration::from_millis(100);

/// The times of one network.
pub struct Times {
    /// Every dispatch in order, with its median.
    last: Profile,
    nodes: Vec<Row>,
    /// Nodes whose results other kernels write, or that only pass a value on.
    idle: Vec<String>,
    operators: Vec<Row>,
    /// Floating-point operations per second that the device reaches.
    ceiling: f64,
    iterations: usize,
}

/// The time of a node, or of all nodes of an operator.
struct Row {
    name: String,
    op: String,
    /// How many nodes; 1 of a node.
    nodes: usize,
    /// Of a node.
    kernels: Vec<&'static str>,
    seconds: f64,
    flops: u64,
}

impl Times {
    pub fn measure(args: &Args, device: &Device, network: &Bound, options: &CompileOptions) -> Outcome<Times> {
        let compiled = Compiled::new(device, network.graph.clone(), options)?;
        let inputs = network.inputs();
        // Drivers delay some work to the first run.
        for _ in 0..args.warmup {
            compiled.profile(&inputs)?;
        }
        // All by one clock: where the device's fails, the host's times everything that follows.
        let (last, ceiling) = loop {
            let profiles = (0..args.iterations).map(|_| compiled.profile(&inputs)).collect::<Result<Vec<_>, _>>()?;
            let ceilings = pollster::block_on(Ceilings::measure(device, &Effort::new(CEILING)))?;
            if profiles.iter().all(|p| p.clock == ceilings.clock) {
                break (medians(profiles), ceilings.flops);
            }
        };
        let nodes = by_node(&compiled, &last);
        let operators = by_operator(&nodes);
        let graph = compiled.graph().nodes();
        let idle = graph.iter().map(|n| n.name.clone()).filter(|name| !nodes.iter().any(|r| r.name == *name)).collect();
        Ok(Times { last, nodes, idle, operators, ceiling, iterations: args.iterations })
    }

    fn rate(row: &Row) -> f64 {
        if row.seconds > 0.0 { row.flops as f64 / row.seconds } else { 0.0 }
    }

    /// The nodes, the slowest first, and the operators.
    pub fn as_text(&self) -> String {
        let total = self.last.total.as_secs_f64();
        let percent = |part: f64| format!("{:.1}%", 100.0 * part);
        let measures = |r: &Row| {
            let rate = if r.flops > 0 { format!("{:.2}", Times::rate(r) / 1e9) } else { String::new() };
            let of = if r.flops > 0 { percent(Times::rate(r) / self.ceiling) } else { String::new() };
            vec![format!("{:.4}", r.seconds * 1e3), percent(r.seconds / total), rate, of]
        };
        let listed = |columns: &[&str], of: &[Row], cells: fn(&Row) -> Vec<String>| {
            let heading = columns.iter().chain(&["ms", "share", "GFLOP/s", "of ceiling"]).map(|c| (*c).to_owned());
            let rows = of.iter().map(|r| [cells(r), measures(r)].concat());
            table(&std::iter::once(heading.collect()).chain(rows).collect::<Vec<_>>())
        };
        let nodes = listed(&["node", "operator", "kernels"], &self.nodes, |r| {
            vec![r.name.clone(), r.op.clone(), r.kernels.join(" + ")]
        });
        let operators = listed(&["operator", "nodes"], &self.operators, |r| vec![r.op.clone(), r.nodes.to_string()]);
        let idle = match self.idle.len() {
            0 => String::new(),
            n => format!("{n} without a kernel of their own: {}\n", shown(&self.idle)),
        };
        let other = self.last.other().as_secs_f64();
        let how = self.last.how();
        format!(
            "{nodes}{idle}\n{operators}\nupload, readback and gaps {:.4} ms, in all {:.4} ms; medians of {} runs; {how}; ceiling {:.1} GFLOP/s\n",
            other * 1e3,
            total * 1e3,
            self.iterations,
            self.ceiling / 1e9,
        )
    }

    pub fn as_json(&self) -> Value {
        let dispatch = |d: &DispatchTime| {
            let ms = d.time.as_secs_f64() * 1e3;
            json!({ "node": d.node, "kernel": d.kernel, "ms": ms })
        };
        let measured = |r: &Row, mut object: Value| {
            object["ms"] = json!(r.seconds * 1e3);
            object["gflops"] = numbers::json(Times::rate(r) / 1e9);
            object["of_ceiling"] = numbers::json(Times::rate(r) / self.ceiling);
            object
        };
        let node = |r: &Row| measured(r, json!({ "name": r.name, "op": r.op, "kernels": r.kernels.join(" + ") }));
        let operator = |r: &Row| measured(r, json!({ "name": r.op, "op": r.op, "nodes": r.nodes }));
        json!({
            "clock": self.last.clock.word(),
            "iterations": self.iterations,
            "ceiling_gflops": self.ceiling / 1e9,
            "dispatches": self.last.dispatches.iter().map(dispatch).collect::<Vec<_>>(),
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "idle": self.idle,
            "operators": self.operators.iter().map(operator).collect::<Vec<_>>(),
            "other_ms": self.last.other().as_secs_f64() * 1e3,
            "total_ms": self.last.total.as_secs_f64() * 1e3,
        })
    }

    /// The dispatches one after another, in the trace event format of Chrome
    /// (<https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>).
    pub fn trace(&self) -> Value {
        let mut at = 0.0;
        let mut events = vec![];
        for d in &self.last.dispatches {
            let duration = d.time.as_secs_f64() * 1e6;
            events.push(json!({
                "name": d.node, "cat": d.kernel, "ph": "X", "ts": at, "dur": duration, "pid": 1, "tid": 1,
                "args": { "kernel": d.kernel },
            }));
            at += duration;
        }
        json!({ "traceEvents": events, "displayTimeUnit": "ms" })
    }
}

/// One profile with the medians of several.
fn medians(mut profiles: Vec<Profile>) -> Profile {
    let median =
        |of: &dyn Fn(&Profile) -> Duration| profiles.iter().map(of).collect::<Samples>().median().unwrap_or_default();
    let times: Vec<Duration> = (0..profiles[0].dispatches.len()).map(|k| median(&|p| p.dispatches[k].time)).collect();
    let total = median(&|p| p.total);
    let mut out = profiles.swap_remove(0);
    out.dispatches.iter_mut().zip(times).for_each(|(d, time)| d.time = time);
    out.total = total;
    out
}

/// The nodes, the slowest first.
fn by_node(compiled: &Compiled, profile: &Profile) -> Vec<Row> {
    let graph = compiled.graph();
    let descs = |ids: &[ValueId]| ids.iter().map(|id| graph.desc(*id).clone()).collect::<Vec<_>>();
    let mut rows: Vec<Row> = vec![];
    let mut places: HashMap<&str, usize> = HashMap::new();
    for d in &profile.dispatches {
        let k = *places.entry(&d.node).or_insert_with(|| {
            let node = graph.nodes().iter().find(|n| n.name == d.node);
            let flops = node.map_or(0, |n| n.op.flops(&descs(&n.inputs), &descs(&n.outputs)));
            // A copy of an output to another layout has the output's name.
            let op = node.map_or("conversion", |n| n.op.name()).to_owned();
            rows.push(Row { name: d.node.clone(), op, nodes: 1, kernels: vec![], seconds: 0.0, flops });
            rows.len() - 1
        });
        let row = &mut rows[k];
        row.seconds += d.time.as_secs_f64();
        row.kernels.push(d.kernel);
    }
    rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    rows
}

/// The sums over the nodes of each operator, the slowest first.
fn by_operator(nodes: &[Row]) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![];
    for n in nodes {
        match rows.iter_mut().find(|r| r.op == n.op) {
            Some(row) => {
                row.seconds += n.seconds;
                row.flops += n.flops;
                row.nodes += 1;
            }
            None => rows.push(Row {
                name: n.op.clone(),
                op: n.op.clone(),
                nodes: 1,
                kernels: vec![],
                seconds: n.seconds,
                flops: n.flops,
            }),
        }
    }
    rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    rows
}
