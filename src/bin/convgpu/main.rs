//! The command line. stdout carries results, stderr messages; exit status 0 done, 1 the check or the run failed,
//! 2 the call or the file is wrong.

mod console;
mod demo;
mod devices;
mod failure;
mod table;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use convgpu::Device;
use failure::{Failure, Outcome};

/// Convolutional networks on any GPU, every result checkable against a CPU reference.
#[derive(Parser)]
#[command(name = "convgpu", version, max_term_width = 100)]
struct Cli {
    /// auto, cpu (the reference), an index of `convgpu devices`, or part of an adapter's name
    #[arg(long, global = true, env = "CONVGPU_DEVICE", default_value = "auto")]
    device: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Devices(devices::Args),
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        console::note(&format!("convgpu: internal error: {}", failure::one_line(&panic.to_string())));
        std::process::exit(1);
    }));
    match parse().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::note(&format!("convgpu: {failure}"));
            ExitCode::from(failure.status)
        }
    }
}

fn run(cli: Option<Cli>) -> Outcome<()> {
    let Some(cli) = cli else { return Ok(()) };
    match cli.command {
        Command::Demo(args) => demo::run(&args, &open(&cli.device)?),
        Command::Devices(args) => devices::run(&args),
    }
}

/// The call; `None` if it asked for help or the version, which are then printed.
fn parse() -> Outcome<Option<Cli>> {
    match Cli::try_parse() {
        Ok(cli) => Ok(Some(cli)),
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            console::print(&e.to_string())?;
            Ok(None)
        }
        Err(e) if e.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Err(Failure::call("no command given; see convgpu --help"))
        }
        Err(e) => {
            let text = e.to_string();
            let what = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
            Err(Failure::call(format!("{what}; see convgpu --help")))
        }
    }
}

fn open(choice: &str) -> Outcome<Device> {
    let device = Device::open(choice)?;
    if device.is_reference() && !choice.eq_ignore_ascii_case("cpu") {
        console::note("no GPU adapter found: running on the CPU reference");
    }
    Ok(device)
}
