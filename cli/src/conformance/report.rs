//! `--report FILE.html`: the ledgers as one page that needs no other file.

use std::collections::BTreeMap;
use std::fmt::Write;

use convgpu::conformance::{Ledger, Oracle, Row};

use super::call::Call;
use super::doubt;

/// Colours of the adapters, in their order.
const COLOURS: [&str; 6] = ["#1b6ca8", "#d1495b", "#3a7d44", "#8d5a97", "#c98a1b", "#444444"];

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}\
table{border-collapse:collapse;font-size:13px}td,th{padding:.2em .7em;text-align:left;border-bottom:1px solid #ddd}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
.wrong{color:#b00020;font-weight:600}svg text{font:12px system-ui,sans-serif}";

/// The page.
pub fn page(ledgers: &[(Call, Ledger)]) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<!doctype html><html lang=en><meta charset=utf-8><title>convgpu conformance</title><style>{STYLE}</style>"
    );
    let _ = write!(out, "<h1>convgpu {} conformance</h1>{}", env!("CARGO_PKG_VERSION"), adapters(ledgers));
    let _ = write!(
        out,
        "<h2>Error relative to its bound</h2><p>The worst element of each set of kernels. Beyond 1 a result is wrong.</p>"
    );
    let _ = write!(out, "{}", plot(ledgers));
    for (call, ledger) in ledgers {
        let _ = write!(out, "<h2>{}</h2>{}", escaped(&ledger.device), table(call, ledger));
    }
    out.push_str("</html>\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn adapters(ledgers: &[(Call, Ledger)]) -> String {
    let mut out = "<table><tr><th>adapter<th class=n>cases<th class=n>checks<th class=n>replays<th class=n>unlikely\
                   <th class=n>wrong<th class=n>seconds<th class=n>seed"
        .to_owned();
    for ((_, ledger), colour) in ledgers.iter().zip(COLOURS.iter().cycle()) {
        let _ = write!(
            out,
            "<tr><td><span style=\"color:{colour}\">&#9679;</span> {}<td class=n>{}<td class=n>{}<td class=n>{}<td class=n>{}\
             <td class=\"n{}\">{}<td class=n>{:.0}<td class=n>{}",
            escaped(&ledger.device),
            ledger.cases,
            ledger.checks(),
            ledger.replays(),
            ledger.unlikely(),
            if ledger.failures.is_empty() { "" } else { " wrong" },
            ledger.failures.len(),
            ledger.time.as_secs_f64(),
            ledger.seed
        );
    }
    out + "</table>"
}

/// Pixels: the names of operators, the width of the plot, the height of a line.
const NAMES: f64 = 190.0;
const WIDTH: f64 = 760.0;
const LINE: f64 = 18.0;

/// The least ratio of the axis, as a power of ten; what is smaller is drawn there.
const LEAST: f64 = -4.0;

/// Where a ratio lies on the axis, which ends at ten.
fn place(ratio: f64) -> f64 {
    let exponent = if ratio > 0.0 { ratio.log10().clamp(LEAST, 1.0) } else { LEAST };
    NAMES + WIDTH * (exponent - LEAST) / (1.0 - LEAST)
}

/// A line per operator, a dot per set of kernels.
fn plot(ledgers: &[(Call, Ledger)]) -> String {
    let mut lines: BTreeMap<&str, Vec<(&Row, &str, f64)>> = BTreeMap::new();
    // Adapters lie one above the other: equal errors would hide each other.
    let middle = (ledgers.len() - 1) as f64 / 2.0;
    for (k, ((_, ledger), colour)) in ledgers.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let lower = 0.4 * LINE * (k as f64 - middle) / ledgers.len() as f64;
        ledger.rows.iter().for_each(|row| lines.entry(&row.op).or_default().push((row, colour, lower)));
    }
    let height = LINE * (lines.len() as f64 + 2.0);
    let mut out = format!("<svg viewBox=\"0 0 {} {height}\" width=\"100%\">", NAMES + WIDTH + 20.0);
    for exponent in LEAST as i32..=1 {
        let (x, bold) = (place(10f64.powi(exponent)), if exponent == 0 { "#b00020" } else { "#ddd" });
        let end = height - LINE;
        let _ = write!(out, "<line x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{end}\" stroke=\"{bold}\"/>");
        let _ = write!(out, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">1e{exponent}</text>", height - 4.0);
    }
    for (k, (op, rows)) in lines.iter().enumerate() {
        let y = LINE * (k as f64 + 0.5);
        let _ = write!(out, "<text x=\"0\" y=\"{}\">{}</text>", y + 4.0, escaped(op));
        for (row, colour, lower) in rows {
            let title = format!("{}: {}", row.kernels, super::share_of_bound(row.worst));
            let _ = write!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\" fill-opacity=\".6\"><title>{}</title></circle>",
                place(row.worst),
                y + lower,
                escaped(&title)
            );
        }
    }
    out + "</svg>"
}

fn table(call: &Call, ledger: &Ledger) -> String {
    let mut out = "<table><tr><th>operator<th>kernels".to_owned();
    for oracle in Oracle::ALL {
        let _ = write!(out, "<th class=n>{oracle}");
    }
    out.push_str("<th class=n>worst<th>of<th class=n>replays<th class=n>unlikely<th>verdict");
    for row in &ledger.rows {
        let _ = write!(out, "<tr><td>{}<td>{}", escaped(&row.op), escaped(&row.kernels));
        for oracle in Oracle::ALL {
            let _ = write!(out, "<td class=n>{}", row.cases.get(&oracle).unwrap_or(&0));
        }
        let (case, what) =
            row.worst_case.as_ref().map_or_else(Default::default, |(id, what)| (id.to_string(), what.clone()));
        let class = if row.wrong > 0 { " class=wrong" } else { "" };
        let _ = write!(
            out,
            "<td class=n>{}<td title=\"{}\">{}<td class=n>{}<td class=n>{}<td{class}>{}",
            super::share_of_bound(row.worst),
            escaped(&what),
            escaped(&case),
            row.replays,
            row.unlikely,
            row.verdict()
        );
    }
    out.push_str("</table>");
    for failure in &ledger.failures {
        let again = escaped(&call.again(&failure.case));
        let _ = write!(out, "<p class=wrong>{}<br><code>{again}</code></p>", escaped(&failure.to_string()));
    }
    for (op, share) in ledger.doubtful() {
        let _ = write!(out, "<p>{}</p>", escaped(&doubt(op, share)));
    }
    let refused: usize = ledger.refused.values().sum();
    if refused > 0 {
        let _ = write!(out, "<p>{refused} cases have no kernel on this adapter:</p><ul>");
        for (reason, count) in &ledger.refused {
            let _ = write!(out, "<li>{count}: {}", escaped(reason));
        }
        out.push_str("</ul>");
    }
    out
}
