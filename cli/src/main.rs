//! The command line. Results go to stdout, messages to stderr. Exit status: 0 success, 1 the check or the run failed, 2
//! the call or the file is wrong.

mod allocator;
mod bench;
mod compare;
mod conformance;
mod console;
mod demo;
mod devices;
mod encode;
mod failure;
mod files;
mod fit;
mod input;
mod inspect;
mod invent;
mod names;
mod network;
mod npy;
mod npz;
mod numbers;
mod ops;
mod output;
mod picture;
mod pixels;
mod preset;
mod progress;
mod resample;
mod run;
mod source;
mod statistics;
mod table;
mod tune;
mod verify;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use convgpu::DeviceChoice;
use failure::{Failure, Outcome};

/// Convolutional networks on any GPU, with every result checkable against a CPU reference.
#[derive(Parser)]
#[command(name = "convgpu", version, max_term_width = 100, after_help = STATUSES)]
struct Cli {
    /// auto, cpu (the reference), an index of `convgpu devices`, a backend (vulkan, metal, dx12, gl), part of an adapter's name,
    /// or that with a backend: NAME@gl; for compare, conformance and devices --check also all
    #[arg(long, global = true, env = "CONVGPU_DEVICE", default_value = "auto")]
    device: Vec<devices::Choice>,
    /// Use no kernel with workgroup memory: slower, for drivers that synchronise it wrongly
    #[arg(long, global = true, env = "CONVGPU_AVOID_WORKGROUP_MEMORY", value_parser = yes_or_no)]
    avoid_workgroup_memory: bool,
    /// Who names the device.
    #[arg(skip)]
    device_source: Option<ValueSource>,
    #[command(subcommand)]
    command: Command,
}

const STATUSES: &str = "Exit status: 0 success; 1 the check or the run failed; 2 the call or a file is wrong.";

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Devices(devices::Args),
    Inspect(inspect::Args),
    Run(run::Args),
    Verify(verify::Args),
    Bench(bench::Args),
    Compare(compare::Args),
    Conformance(conformance::Args),
    Tune(tune::Args),
    Ops(ops::Args),
}

impl Command {
    /// Whether it runs, or plans, on the device that the call names.
    fn has_device(&self) -> bool {
        match self {
            Command::Devices(_) | Command::Ops(_) => false,
            Command::Inspect(args) => args.has_device(),
            _ => true,
        }
    }
}

fn main() -> ExitCode {
    quiet_layers();
    #[cfg(unix)]
    report_full_files();
    std::panic::set_hook(Box::new(|panic| {
        let failure = Failure::internal(panic);
        report(&failure);
        std::process::exit(failure.status.into());
    }));
    match parse().and_then(run) {
        Ok(()) => {
            console::show_hints();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            report(&failure);
            ExitCode::from(failure.status)
        }
    }
}

/// Mesa's Vulkan layer for the choice of a device asks the display, whose library writes two lines to stderr where there is
/// none. The order that the layer gives to the adapters is not used here.
#[expect(unsafe_code, reason = "setting a variable of the environment is unsafe")]
fn quiet_layers() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread exists yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// A file that exceeds the limit of the process (`ulimit -f`) is then an error of the write, and not the end of the program.
#[cfg(unix)]
#[expect(unsafe_code, reason = "a function of the C library")]
fn report_full_files() {
    // SAFETY: no handler runs: the signal is ignored.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// One line on stderr, and with `--json` an object on stdout unless one is there.
fn report(failure: &Failure) {
    console::note(&format!("convgpu: {failure}"));
    let json = std::env::args_os().skip(1).take_while(|a| a != "--").any(|a| a == "--json");
    if json && !failure.reported {
        // What cannot be written cannot be reported either.
        let _ = console::print_json(&failure.as_json());
    }
}

/// A word of CONVGPU_AVOID_WORKGROUP_MEMORY; nothing is no.
fn yes_or_no(word: &str) -> Result<bool, String> {
    match &word.to_lowercase()[..] {
        "1" | "y" | "yes" | "t" | "true" | "on" => Ok(true),
        "" | "0" | "n" | "no" | "f" | "false" | "off" => Ok(false),
        _ => Err("CONVGPU_AVOID_WORKGROUP_MEMORY may be 1 or 0".to_owned()),
    }
}

/// Variables of the environment that the library reads, with what they may be: it ignores another text without a word.
const VARIABLES: [(&str, &[&str]); 2] = [("CONVGPU_CHECKED", &["", "0", "1"]), ("CONVGPU_LIMITS", &["", "default"])];

fn check_environment() -> Outcome<()> {
    for (name, texts) in VARIABLES {
        if let Ok(text) = std::env::var(name)
            && !texts.contains(&&*text)
        {
            let known = texts.iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join(" or ");
            return Err(Failure::call(format!("{name} is {text:?}: it may be {known}, or nothing")));
        }
    }
    Ok(())
}

fn run(cli: Option<Cli>) -> Outcome<()> {
    let Some(cli) = cli else { return Ok(()) };
    check_environment()?;
    if cli.avoid_workgroup_memory {
        convgpu::internals::device::avoid_workgroup_memory();
    }
    if let Command::Compare(args) = &cli.command {
        return compare::run(args, &cli.device);
    }
    if let Command::Conformance(args) = &cli.command {
        return conformance::run(args, &cli.device);
    }
    let none = DeviceChoice::default();
    let device = match cli.command.has_device() {
        true => devices::single(&cli.device)?,
        false => &none,
    };
    let checks = matches!(&cli.command, Command::Devices(args) if args.check);
    if !cli.command.has_device() && cli.device_source == Some(ValueSource::CommandLine) && !checks {
        console::hint("--device: this command uses no device".to_owned());
    }
    match cli.command {
        Command::Demo(args) => demo::run(&args, device),
        Command::Devices(args) => {
            let is_named = cli.device_source != Some(ValueSource::DefaultValue);
            devices::run(&args, is_named.then_some(&cli.device[..]))
        }
        Command::Inspect(args) => inspect::run(&args, device),
        Command::Run(args) => run::run(&args, device),
        Command::Verify(args) => verify::run(&args, device),
        Command::Bench(args) => bench::run(&args, device),
        Command::Compare(_) | Command::Conformance(_) => unreachable!("handled above"),
        Command::Tune(args) => tune::run(&args, device),
        Command::Ops(args) => ops::run(&args),
    }
}

/// The program with the subcommand that the call names, if any.
fn named() -> String {
    let program = Cli::command();
    let mut words = std::env::args_os().skip(1);
    let found = words.find_map(|word| program.find_subcommand(word).map(|c| c.get_name().to_owned()));
    found.map_or("convgpu".to_owned(), |name| format!("convgpu {name}"))
}

fn matched() -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches()?;
    Ok(Cli { device_source: matches.value_source("device"), ..Cli::from_arg_matches(&matches)? })
}

/// Parses the call; `None` if it asked for help or the version, which are then printed.
fn parse() -> Outcome<Option<Cli>> {
    match matched() {
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
            let mut parts = text.split("\n\n").map(str::trim);
            let what = parts.next().unwrap_or_default().trim_start_matches("error: ");
            let tip = parts.find_map(|part| part.strip_prefix("tip: ")).map_or(String::new(), |tip| format!("; {tip}"));
            Err(Failure::call(format!("{what}{tip}; see {} --help", named())))
        }
    }
}
