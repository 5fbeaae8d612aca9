//! `convgpu conformance`: every operator with every kernel of an adapter, on cases whose right outputs are known.

mod call;
mod export;
mod planted;
mod report;
mod repro;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args as ClapArgs;
use convgpu::conformance::{
    CaseId, ConformanceOptions, Failure as Wrong, Ledger, Oracle, PlantedTable, Row, conformance, faults,
};
use convgpu::internals::conformance::{drift_at, fail_at};
use convgpu::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::console;
use crate::devices;
use crate::failure::{Failure, Outcome};
use crate::files::Target;
use crate::numbers;
use crate::progress::Bar;
use crate::table::table;
use call::Call;

/// Checks every operator with every kernel of an adapter, and prints a ledger
#[derive(ClapArgs)]
#[command(after_help = "Several adapters, side by side:\n  \
                        convgpu conformance --device 0 --device swiftshader\n  \
                        convgpu conformance --device all\n\n\
                        The same kernels through a browser's compiler:\n  \
                        convgpu conformance --device cpu --quick --export DIR\n  \
                        node scripts/tint.mjs DIR")]
pub struct Args {
    /// Only this operator, by its name in the ledger
    #[arg(long, value_name = "NAME")]
    op: Option<String>,
    /// Only kernels whose name contains this
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Random cases per operator [default: 60]; those with many kernels get up to eight times as many
    #[arg(long, value_name = "N")]
    cases: Option<usize>,
    /// The seed of the random cases
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How often each case runs again, to compare all bits [default: 100 times per kernel for one case, 3 for others]
    #[arg(long, value_name = "R")]
    replays: Option<usize>,
    /// Only this case, by the name that a failure prints: conv2d/integers/17
    #[arg(long, value_name = "ID")]
    case: Option<CaseId>,
    /// Write the ledger and a plot of it into this file, an HTML page that needs no other
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Write everything about the first wrong case into this folder: arrays as .npy files, shaders in every language, the adapter
    #[arg(long, value_name = "DIR")]
    repro: Option<PathBuf>,
    /// Run nothing: write the cases into this folder as data, with the kernels of the device, or with --device cpu those of
    /// hardware with WebGPU's default limits. scripts/tint.mjs runs them in a browser
    #[arg(long, value_name = "DIR", conflicts_with_all = ["report", "repro", "fail_at", "drift_at", "replays", "strict"])]
    export: Option<PathBuf>,
    /// Corrupt the results of kernels whose name contains this, to test that it is detected
    #[arg(long, value_name = "KERNEL", hide = true)]
    fail_at: Option<String>,
    /// Move an f32 result of kernels whose name contains this to 0.6 of its bound, to test --strict; replays then differ
    #[arg(long, value_name = "KERNEL", hide = true, conflicts_with = "fail_at")]
    drift_at: Option<String>,
    /// Plant faults in the commands of every operator (6 cases each, or as --cases says), and print which of them this command
    /// and `verify` find
    #[arg(long, conflicts_with_all = ["kernel", "replays", "case", "report", "repro", "export", "fail_at", "drift_at", "quick", "strict"])]
    faults: bool,
    /// A sixth of the cases
    #[arg(long)]
    quick: bool,
    /// Fail as well where a result is within its bound, but not what rounding looks like
    #[arg(long)]
    strict: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    fn options(&self) -> ConformanceOptions {
        let mut options = ConformanceOptions::new().seed(self.seed);
        if let Some(cases) = self.cases {
            options = options.cases(cases);
        }
        if self.quick {
            options = options.quick();
        }
        if let Some(replays) = self.replays {
            options = options.replays(replays);
        }
        if let Some(op) = &self.op {
            options = options.op(op);
        }
        if let Some(kernel) = &self.kernel {
            options = options.kernel(kernel);
        }
        if let Some(case) = &self.case {
            options = options.case(case.clone());
        }
        if let Some(kernel) = &self.fail_at {
            options = fail_at(options, kernel);
        }
        if let Some(kernel) = &self.drift_at {
            options = drift_at(options, kernel);
        }
        options
    }
}

/// Cases per operator in which faults are planted.
const PLANTED: usize = 6;

/// Checks the checks.
fn plant(args: &Args, choices: &[devices::Choice]) -> Outcome<()> {
    let mut tables = vec![];
    for (_, device) in devices::open_all(choices)?.into_iter().filter(|(_, device)| !device.is_reference()) {
        let bar = Arc::new(Bar::steps());
        let options = args.options().cases(args.cases.unwrap_or(PLANTED));
        let options = options.progress(move |done, all, case| bar.at(done, all, &case.to_string()));
        tables.push((device.to_string(), faults(&device, &options)?));
    }
    let verdict = planted_verdict(&tables);
    match args.json {
        true => console::print_json(&planted::as_json(&tables, verdict.is_ok()))?,
        false => console::print(&tables.iter().map(|(device, t)| planted::as_text(device, t)).collect::<String>())?,
    }
    verdict
}

fn planted_verdict(tables: &[(String, PlantedTable)]) -> Outcome<()> {
    match tables.iter().map(|(_, found)| planted::missed(found)).sum::<usize>() {
        0 if tables.is_empty() => {
            Err(Failure::check("faults are planted in dispatches, and there is no adapter".to_owned()))
        }
        0 if tables.iter().any(|(_, found)| planted::all(found) == 0) => {
            Err(Failure::check("no fault was planted".to_owned()))
        }
        0 => Ok(()),
        n => Err(Failure::check(format!("{n} faults made results wrong and were not found"))),
    }
}

pub fn run(args: &Args, choices: &[devices::Choice]) -> Outcome<()> {
    if args.faults {
        return plant(args, choices);
    }
    if let Some(folder) = &args.export {
        return write(folder, args, choices);
    }
    let report = args.report.as_deref().map(Target::new).transpose()?;
    if report.as_ref().is_some_and(Target::is_stdout) {
        return Err(Failure::call("--report: stdout has the ledger; name a file"));
    }
    let place = args.repro.as_deref().map(repro::Place::new).transpose()?;
    let mut ledgers = vec![];
    let mut written = Ok(vec![]);
    for (choice, device) in devices::open_all(choices)? {
        let bar = Arc::new(Bar::steps());
        let shown = bar.clone();
        let options = args.options().progress(move |done, all, case| shown.at(done, all, &case.to_string()));
        let (call, ledger) = (Call::new(&choice, args), conformance(&device, &options)?);
        let is_first = written.as_ref().is_ok_and(Vec::is_empty);
        if let (Some(place), Some(wrong), true) = (&place, ledger.failures.first(), is_first) {
            let again = call.again(&wrong.case);
            written = place.write(&device, &args.options(), wrong, args.seed, &again);
        }
        ledgers.push((call, ledger));
    }
    check_call(args, &ledgers)?;
    if place.is_some() && written.as_ref().is_ok_and(Vec::is_empty) {
        console::hint("--repro: no case is wrong".to_owned());
    }
    if let Some(report) = &report {
        let page = report.write(|out| out.write_all(report::page(&ledgers).as_bytes()));
        written = written.and_then(|files| page.map(|()| files));
    }
    let (files, lost) = written.map_or_else(|lost| (vec![], Some(lost)), |files| (files, None));
    let verdict = Failure::beside(verdict(args, &ledgers), lost);
    match args.json {
        true => console::print_json(&as_json(&ledgers, &files, verdict.is_ok()))?,
        false => console::print(&as_text(&ledgers))?,
    }
    verdict
}

/// What only a run can tell of a call: that its options exclude each other, or that its fault hits no kernel, which
/// shows nothing.
fn check_call(args: &Args, ledgers: &[(Call, Ledger)]) -> Outcome<()> {
    let rows = || ledgers.iter().flat_map(|(_, ledger)| &ledger.rows);
    let is_wrong = || ledgers.iter().any(|(_, ledger)| !ledger.failures.is_empty());
    if rows().next().is_none() && !is_wrong() {
        check_case(args)?;
    }
    match args.fail_at.as_ref().or(args.drift_at.as_ref()) {
        Some(kernel) if !rows().any(|row| row.kernels.contains(kernel)) => {
            Err(Failure::call(format!("no kernel {kernel} ran")))
        }
        _ => Ok(()),
    }
}

/// An error if no case was found by a call that names one case and an operator: they exclude each other.
fn check_case(args: &Args) -> Outcome<()> {
    match (&args.case, &args.op) {
        (Some(case), Some(op)) => Err(Failure::call(format!("the case {case} runs no {op}"))),
        _ => Ok(()),
    }
}

/// Nothing was exported.
fn nothing(why: &str) -> Failure {
    Failure::from(Error::new(ErrorKind::Check, format!("nothing was exported: {why}")))
}

/// Writes the cases instead of running them.
fn write(folder: &Path, args: &Args, choices: &[devices::Choice]) -> Outcome<()> {
    let [devices::Choice::One(choice)] = choices else { return Err(Failure::call("--export takes one --device")) };
    let device = devices::open(choice)?;
    let Some(written) = export::write(folder, &device, &args.options(), args.seed)? else {
        check_case(args)?;
        return Err(nothing("no case was found"));
    };
    match args.json {
        true => console::print_json(&written.as_json(folder)),
        false => console::print(&written.as_text(folder)),
    }
}

fn verdict(args: &Args, ledgers: &[(Call, Ledger)]) -> Outcome<()> {
    if let Some((ledger, wrong)) = ledgers.iter().find_map(|(_, l)| Some((l, l.failures.first()?))) {
        let count = ledger.failures.len();
        return Err(Failure::check(format!("{count} wrong on {}; the first: {wrong}", ledger.device)));
    }
    if args.strict
        && let Some((call, ledger)) = ledgers.iter().find(|(_, l)| l.unlikely() > 0)
    {
        let text = "results are within their bounds, but not what rounding looks like";
        let first = ledger.rows.iter().find_map(|row| Some((row, row.unlikely_case.as_ref()?)));
        let first = first.map_or(String::new(), |(row, (case, what))| {
            let again = call.again(case);
            format!("; the first: {case}: {what}, {}: {again} --strict", row.kernels)
        });
        return Err(Failure::check(format!("{} {text}, on {}{first}", ledger.unlikely(), ledger.device)));
    }
    let ledgers = || ledgers.iter().map(|(_, ledger)| ledger);
    // An adapter, or the reference, may have none of the kernels that the call wants; not all of them.
    if ledgers().all(|ledger| !ledger.ok()) {
        let devices: Vec<_> = ledgers().map(|ledger| &ledger.device[..]).collect();
        return Err(Failure::check(format!("no case ran on {}", devices.join(", "))));
    }
    for ledger in ledgers().filter(|ledger| !ledger.ok()) {
        console::hint(format!("no case ran on {}: it has none of these kernels", ledger.device));
    }
    Ok(())
}

fn as_text(ledgers: &[(Call, Ledger)]) -> String {
    let mut all: Vec<_> = ledgers.iter().map(|(call, ledger)| of_device(call, ledger)).collect();
    if ledgers.len() > 1 {
        all.push(side_by_side(ledgers));
    }
    all.join("\n")
}

fn of_device(call: &Call, ledger: &Ledger) -> String {
    let mut rows = vec![
        [
            "operator",
            "kernels",
            "cases",
            "integers",
            "edges",
            "pytorch",
            "worst",
            "unlikely",
            "replays",
            "verdict",
            "worst case",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    rows.extend(ledger.rows.iter().map(|row| {
        let cases = |oracle| row.cases.get(&oracle).map_or(String::new(), usize::to_string);
        vec![
            row.op.clone(),
            row.kernels.clone(),
            row.checks().to_string(),
            cases(Oracle::Integers),
            cases(Oracle::Edges),
            cases(Oracle::PyTorch),
            share_of_bound(row.worst),
            row.unlikely.to_string(),
            row.replays.to_string(),
            row.verdict().to_owned(),
            worst_case(row),
        ]
    }));
    let failures: String = ledger.failures.iter().map(|f| format!("{f}\n  {}\n", call.again(&f.case))).collect();
    let refused: usize = ledger.refused.values().sum();
    let reasons: String = ledger.refused.iter().map(|(why, n)| format!("no kernel for {n}: {why}\n")).collect();
    let doubtful: String = ledger.doubtful().map(|(op, share)| format!("{}\n", doubt(op, share))).collect();
    format!(
        "{}\n{}\n{failures}{reasons}{doubtful}{} cases, {} checks, {} replays, {refused} refused, {} unlikely, {} wrong, \
         {:.0} s (seed {})\n",
        ledger.device,
        table(&rows),
        ledger.cases,
        ledger.checks(),
        ledger.replays(),
        ledger.unlikely(),
        ledger.failures.len(),
        ledger.time.as_secs_f64(),
        ledger.seed
    )
}

/// The case with the largest error, and the shapes of its inputs.
fn worst_case(row: &Row) -> String {
    let shapes = |what: &str| what.rsplit_once(" of ").map_or(String::new(), |(_, shapes)| format!(": {shapes}"));
    row.worst_case
        .as_ref()
        .filter(|_| row.worst > 0.0)
        .map_or(String::new(), |(id, what)| format!("{id}{}", shapes(what)))
}

/// What it means that so many results of an operator are unlikely.
fn doubt(op: &str, share: f64) -> String {
    format!(
        "{op}: {:.1} % of the checks are unlikely; of kernels that are right, more than 1 % would mean that the model of \
         likely errors is wrong there",
        100.0 * share
    )
}

/// The worst error of every set of kernels on each of the adapters, and how many cases were wrong.
fn side_by_side(ledgers: &[(Call, Ledger)]) -> String {
    let mut cells: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (at, (_, ledger)) in ledgers.iter().enumerate() {
        for row in &ledger.rows {
            let wrong = if row.wrong > 0 { format!(", {} wrong", row.wrong) } else { String::new() };
            let cells = cells.entry((&row.op, &row.kernels)).or_insert_with(|| vec![String::new(); ledgers.len()]);
            cells[at] = share_of_bound(row.worst) + &wrong;
        }
    }
    let heads = (1..=ledgers.len()).map(|number| format!("adapter {number}"));
    let mut rows = vec![["operator", "kernels"].map(str::to_owned).into_iter().chain(heads).collect::<Vec<_>>()];
    rows.extend(
        cells
            .into_iter()
            .map(|((op, kernels), cells)| [op.to_owned(), kernels.to_owned()].into_iter().chain(cells).collect()),
    );
    let names: String =
        ledgers.iter().enumerate().map(|(k, (_, l))| format!("adapter {}: {}\n", k + 1, l.device)).collect();
    format!("worst error, relative to its bound, side by side\n{}\n{names}", table(&rows))
}

/// An error relative to its bound: with three digits, also far beyond it.
fn share_of_bound(worst: f64) -> String {
    if worst < 1e4 || !worst.is_finite() { format!("{worst:.3}") } else { format!("{worst:.2e}") }
}

fn as_json(ledgers: &[(Call, Ledger)], files: &[String], ok: bool) -> Value {
    let all: Vec<_> = ledgers.iter().map(|(call, ledger)| ledger_json(call, ledger)).collect();
    json!({ "ok": ok, "ledgers": all, "repro": files })
}

fn ledger_json(call: &Call, ledger: &Ledger) -> Value {
    json!({
        "device": ledger.device,
        "ok": ledger.ok(),
        "seed": ledger.seed,
        "cases": ledger.cases,
        "checks": ledger.checks(),
        "replays": ledger.replays(),
        "seconds": ledger.time.as_secs_f64(),
        "refused": ledger.refused,
        "doubtful": ledger.doubtful().map(|(op, share)| json!({ "op": op, "unlikely": share })).collect::<Vec<_>>(),
        "rows": ledger.rows.iter().map(row_json).collect::<Vec<_>>(),
        "failures": ledger.failures.iter().map(|f| failure_json(call, f)).collect::<Vec<_>>(),
    })
}

fn row_json(row: &Row) -> Value {
    let cases: serde_json::Map<_, _> = row.cases.iter().map(|(oracle, n)| (oracle.to_string(), json!(n))).collect();
    let worst_case = row.worst_case.as_ref().map(|(id, what)| json!({ "case": id.to_string(), "what": what }));
    json!({
        "op": row.op,
        "kernels": row.kernels,
        "cases": cases,
        "worst": numbers::json(row.worst),
        "worst_case": worst_case,
        "replays": row.replays,
        "unlikely": row.unlikely,
        "wrong": row.wrong,
        "bits": format!("{:016x}", row.bits),
        "verdict": row.verdict(),
    })
}

fn failure_json(call: &Call, wrong: &Wrong) -> Value {
    json!({
        "case": wrong.case.to_string(),
        "what": wrong.what,
        "kernels": wrong.kernels,
        "wrong": wrong.wrong,
        "again": call.again(&wrong.case),
    })
}
