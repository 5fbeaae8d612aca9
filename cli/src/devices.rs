//! `convgpu devices`: the devices that `--device` can name.

mod check;
mod questions;

use std::str::FromStr;
use std::time::Duration;

use clap::Args as ClapArgs;
use convgpu::internals::gpu::adapter::list;
use convgpu::{AdapterInfo, Device, DeviceChoice, Error};
use serde_json::{Value, json};

use self::check::Report;
use crate::console;
use crate::failure::{Failure, Outcome};
use crate::numbers;
use crate::table::table;

/// Lists every adapter, best first, and the CPU reference
#[derive(ClapArgs)]
pub struct Args {
    /// Ask each adapter, or those that --device names, whether it can be trusted with the work: whether it opens, computes, has
    /// right kernels, a clock, f16 and subgroups, and how large a binding really is. Each is asked in a process of its own
    #[arg(long)]
    pub check: bool,
    /// The most seconds that an adapter may take for --check
    #[arg(long, requires = "check", value_name = "SECONDS", default_value = "10", value_parser = numbers::seconds)]
    seconds: Duration,
    /// Answer for the adapter at this position
    #[arg(long, hide = true, value_name = "INDEX", conflicts_with = "check")]
    ask: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Lists the adapters. `named` are those that the call names, if it does.
pub fn run(args: &Args, named: Option<&[Choice]>) -> Outcome<()> {
    if let Some(index) = args.ask {
        return questions::ask(index);
    }
    let adapters = pollster::block_on(list())?;
    let reports = match args.check {
        true => checked(&adapters, named, args.seconds)?,
        false => vec![],
    };
    match args.json {
        true => console::print_json(&as_json(&adapters, args.check.then_some(&reports)))?,
        false => console::print(&as_text(&adapters, &reports))?,
    }
    let bad = |(index, report): &(usize, Report)| Some(format!("{}: {}", adapters[*index].name, report.problem()?));
    match reports.iter().find_map(bad) {
        Some(problem) => Err(Failure::check(problem)),
        None if args.check && reports.is_empty() => Err(Failure::check("there is no adapter to check")),
        None => Ok(()),
    }
}

/// Checks all adapters, or those that are named.
///
/// # Errors
/// One that is named is none, where there are others.
fn checked(adapters: &[AdapterInfo], named: Option<&[Choice]>, limit: Duration) -> Outcome<Vec<(usize, Report)>> {
    let is_none = |choice: &&Choice| !adapters.iter().enumerate().any(|(index, adapter)| choice.is(index, adapter));
    if let (Some(Choice::One(choice)), false) = (named.and_then(|all| all.iter().find(is_none)), adapters.is_empty()) {
        return Err(Failure::call(match choice {
            DeviceChoice::Cpu => "--check asks adapters, and the CPU reference is none".to_owned(),
            _ => format!("--check: no adapter matches {choice}; convgpu devices lists them"),
        }));
    }
    let mut reports = vec![];
    for (index, adapter) in adapters.iter().enumerate() {
        if named.is_none_or(|choices| choices.iter().any(|choice| choice.is(index, adapter))) {
            reports.push((index, Report::of(index, limit)?));
        }
    }
    Ok(reports)
}

fn as_text(adapters: &[AdapterInfo], reports: &[(usize, Report)]) -> String {
    let default = if adapters.is_empty() { "cpu".to_owned() } else { format!("0, {}", adapters[0].name) };
    let mut out = format!("{}\n--device auto takes {default}\n", table(&rows(adapters)));
    for adapter in adapters {
        out += &adapter.warning().map_or(String::new(), |text| format!("{}: {text}\n", adapter.name));
    }
    for (index, report) in reports {
        let verdict = if report.ok() { "can be trusted" } else { "CANNOT be trusted" };
        let heading = ["question", "answer", "details"].map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(heading).chain(report.rows()).collect();
        out += &format!("\n{index}, {} {verdict} ({:.1} s)\n{}", adapters[*index].name, report.seconds(), table(&rows));
    }
    out
}

/// What `--device` says.
#[derive(Clone, PartialEq)]
pub enum Choice {
    /// Every adapter, and then the reference.
    All,
    One(DeviceChoice),
}

impl Choice {
    /// Whether it names the adapter at this position of the list.
    fn is(&self, index: usize, adapter: &AdapterInfo) -> bool {
        let has = |name: &str| adapter.name.to_lowercase().contains(&name.to_lowercase());
        match self {
            Choice::All => true,
            Choice::One(DeviceChoice::Auto) => index == 0,
            Choice::One(DeviceChoice::Index(i)) => *i == index,
            Choice::One(DeviceChoice::Name(name)) => has(name),
            Choice::One(DeviceChoice::Backend(backend, name)) => {
                has(name) && backend.to_string().eq_ignore_ascii_case(&adapter.backend)
            }
            Choice::One(_) => false,
        }
    }
}

impl FromStr for Choice {
    type Err = Error;
    fn from_str(text: &str) -> Result<Choice, Error> {
        Ok(if text.eq_ignore_ascii_case("all") { Choice::All } else { Choice::One(text.parse()?) })
    }
}

/// The devices that `--device` names for a command that takes several, each with what names it alone. Of all adapters, one that
/// does not open is left out with a note.
pub fn open_all(choices: &[Choice]) -> Outcome<Vec<(DeviceChoice, Device)>> {
    let mut devices = vec![];
    for choice in choices {
        match choice {
            Choice::One(choice) => {
                let device = open(choice)?;
                devices.push((lasting(choice, &device)?, device));
            }
            Choice::All => {
                let adapters = pollster::block_on(list())?.len();
                if adapters == 0 {
                    console::note("no GPU adapter found: there is the CPU reference alone");
                }
                for index in 0..adapters {
                    let choice = DeviceChoice::Index(index);
                    match Device::open(choice.clone()) {
                        Ok(device) => devices.push((choice, device)),
                        Err(e) => console::note(&format!("left out: {e}")),
                    }
                }
                devices.push((DeviceChoice::Cpu, Device::cpu()));
            }
        }
    }
    Ok(devices)
}

/// The choice, or the name of the adapter which `auto` took: what it takes depends on the adapters that there are.
fn lasting(choice: &DeviceChoice, device: &Device) -> Outcome<DeviceChoice> {
    match (choice, device.adapter()) {
        (DeviceChoice::Auto, Some(adapter)) => Ok(format!("{}@{}", adapter.name, adapter.backend).parse()?),
        (DeviceChoice::Auto, None) => Ok(DeviceChoice::Cpu),
        (named, _) => Ok(named.clone()),
    }
}

/// The device that `--device` names for a command that takes one.
pub fn single(choices: &[Choice]) -> Outcome<&DeviceChoice> {
    match choices {
        [Choice::One(device)] => Ok(device),
        _ => Err(Failure::call(
            "this command takes one --device; compare, conformance and devices --check take several, and --device all",
        )),
    }
}

/// The device that `--device` names.
pub fn open(choice: &DeviceChoice) -> Outcome<Device> {
    let device = Device::open(choice.clone())?;
    if device.is_reference() && *choice != DeviceChoice::Cpu {
        console::note("no GPU adapter found: running on the CPU reference");
    }
    if let Some(warning) = device.adapter().and_then(AdapterInfo::warning) {
        console::note(warning);
    }
    Ok(device)
}

fn rows(adapters: &[AdapterInfo]) -> Vec<Vec<String>> {
    let text = |cells: [&str; 9]| cells.map(str::to_owned).to_vec();
    let yes = |b: bool| if b { "yes" } else { "no" };
    let mut rows =
        vec![text(["device", "name", "type", "backend", "driver", "f16", "subgroup", "timestamps", "largest binding"])];
    for (i, a) in adapters.iter().enumerate() {
        let kind = a.kind.to_string();
        let subgroup = a.caps.subgroup_size.map_or("no".to_owned(), |n| n.to_string());
        let binding = format!("{} MiB", a.caps.max_binding_bytes >> 20);
        let (f16, timestamps) = (yes(a.caps.f16), yes(a.caps.timestamps));
        let index = i.to_string();
        rows.push(text([&index, &a.name, &kind, &a.backend, &a.driver, f16, &subgroup, timestamps, &binding]));
    }
    rows.push(text(["cpu", "CPU reference", "reference", "", "", "no", "no", "no", "any"]));
    rows
}

fn as_json(adapters: &[AdapterInfo], reports: Option<&Vec<(usize, Report)>>) -> Value {
    let one = |(index, a): (usize, &AdapterInfo)| {
        let report = reports.into_iter().flatten().find(|(checked, _)| *checked == index);
        json!({
            "device": index.to_string(),
            "name": a.name,
            "type": a.kind.to_string(),
            "backend": a.backend,
            "driver": a.driver,
            "class": a.caps.class.to_string(),
            "f16": a.caps.f16,
            "subgroup_size": a.caps.subgroup_size,
            "timestamps": a.caps.timestamps,
            "max_binding_bytes": a.caps.max_binding_bytes,
            "warning": a.warning(),
            "check": report.map(|(_, report)| report.as_json()),
        })
    };
    let mut devices: Vec<Value> = adapters.iter().enumerate().map(one).collect();
    devices.push(json!({ "device": "cpu", "name": "CPU reference", "type": "reference" }));
    let ok = reports.map(|reports| !reports.is_empty() && reports.iter().all(|(_, report)| report.ok()));
    json!({ "default": if adapters.is_empty() { "cpu" } else { "0" }, "ok": ok, "devices": devices })
}
