//! `convgpu devices`: the devices that `--device` can name.

use std::str::FromStr;

use clap::Args as ClapArgs;
use convgpu::internals::gpu::adapter::list;
use convgpu::{AdapterInfo, Device, DeviceChoice, Error};
use serde_json::{Value, json};

use crate::console;
use crate::failure::{Failure, Outcome};
use crate::table::table;

/// Lists every adapter, best first, and the CPU reference
#[derive(ClapArgs)]
pub struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Outcome<()> {
    let adapters = pollster::block_on(list())?;
    if args.json {
        return console::print_json(&as_json(&adapters));
    }
    let default = if adapters.is_empty() { "cpu".to_owned() } else { format!("0, {}", adapters[0].name) };
    console::print(&format!("{}\n--device auto takes {default}\n", table(&rows(&adapters))))
}

/// What `--device` says.
#[derive(Clone, PartialEq)]
pub enum Choice {
    /// Every adapter, and then the reference.
    All,
    One(DeviceChoice),
}

impl FromStr for Choice {
    type Err = Error;
    fn from_str(text: &str) -> Result<Choice, Error> {
        Ok(if text.eq_ignore_ascii_case("all") { Choice::All } else { Choice::One(text.parse()?) })
    }
}

/// The devices that `--device` names for a command that takes several. Of all adapters, one that does not open is left out with a
/// note.
pub fn open_all(choices: &[Choice]) -> Outcome<Vec<Device>> {
    let mut devices = vec![];
    for choice in choices {
        match choice {
            Choice::One(choice) => devices.push(open(choice)?),
            Choice::All => {
                for index in 0..pollster::block_on(list())?.len() {
                    match Device::open(DeviceChoice::Index(index)) {
                        Ok(device) => devices.push(device),
                        Err(e) => console::note(&format!("left out: {e}")),
                    }
                }
                devices.push(Device::cpu());
            }
        }
    }
    Ok(devices)
}

/// The device that `--device` names for a command that takes one.
pub fn single(choices: &[Choice]) -> Outcome<&DeviceChoice> {
    match choices {
        [Choice::One(device)] => Ok(device),
        _ => Err(Failure::call("this command takes one --device; compare takes several, and --device all")),
    }
}

/// The device that `--device` names.
pub fn open(choice: &DeviceChoice) -> Outcome<Device> {
    let device = Device::open(choice.clone())?;
    if device.is_reference() && *choice != DeviceChoice::Cpu {
        console::note("no GPU adapter found: running on the CPU reference");
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

fn as_json(adapters: &[AdapterInfo]) -> Value {
    let one = |(index, a): (usize, &AdapterInfo)| {
        json!({
            "device": index.to_string(),
            "name": a.name,
            "type": a.kind.to_string(),
            "backend": a.backend,
            "driver": a.driver,
            "f16": a.caps.f16,
            "subgroup_size": a.caps.subgroup_size,
            "timestamps": a.caps.timestamps,
            "max_binding_bytes": a.caps.max_binding_bytes,
        })
    };
    let mut devices: Vec<Value> = adapters.iter().enumerate().map(one).collect();
    devices.push(json!({ "device": "cpu", "name": "CPU reference", "type": "reference" }));
    json!({ "default": if adapters.is_empty() { "cpu" } else { "0" }, "devices": devices })
}
