//! `convgpu conformance --faults`: the checks are checked.

use convgpu::conformance::{Check, Planted, PlantedKind, PlantedTable};
use serde_json::{Value, json};

use crate::table::table;

/// The rows of an operator and a check.
fn of<'a>(found: &'a PlantedTable, op: &'a str, check: Check) -> impl Iterator<Item = (PlantedKind, &'a Planted)> {
    PlantedKind::ALL.into_iter().filter_map(move |kind| Some((kind, found.get(&(op.to_owned(), kind, check))?)))
}

/// The operators, each once.
fn operators(found: &PlantedTable) -> Vec<&str> {
    let mut all: Vec<&str> = found.keys().map(|(op, ..)| op.as_str()).collect();
    all.dedup();
    all
}

/// How many faults were planted.
pub fn all(found: &PlantedTable) -> usize {
    found.values().map(|planted| planted.planted).sum()
}

/// How many faults were not found.
pub fn missed(found: &PlantedTable) -> usize {
    found.values().map(|planted| planted.missed.len()).sum()
}

/// A row per operator and check: of every kind how many were found, of those that made a result wrong.
pub fn as_text(device: &str, found: &PlantedTable) -> String {
    let heads = ["operator", "found by"].map(str::to_owned).into_iter().chain(PlantedKind::ALL.map(|k| k.to_string()));
    let mut rows = vec![heads.chain(["within bound", "no effect"].map(str::to_owned)).collect::<Vec<_>>()];
    let mut totals = String::new();
    for check in Check::ALL {
        let all = || found.iter().filter(|((_, _, c), _)| *c == check).map(|(_, planted)| planted);
        let sum = |of: fn(&Planted) -> usize| all().map(of).sum::<usize>();
        totals += &format!(
            "{check}: {} planted; {} changed no result, {} changed one within its bound, {} were found, {} were not\n",
            sum(|p| p.planted),
            sum(|p| p.without_effect),
            sum(|p| p.within_bound.len()),
            sum(|p| p.found),
            sum(|p| p.missed.len()),
        );
    }
    for op in operators(found) {
        for check in Check::ALL {
            let cell = |kind| {
                let planted = found.get(&(op.to_owned(), kind, check));
                planted.map_or(String::new(), |p| format!("{}/{}", p.found, p.found + p.missed.len()))
            };
            let sum =
                |of_one: fn(&Planted) -> usize| of(found, op, check).map(|(_, p)| of_one(p)).sum::<usize>().to_string();
            let cells = PlantedKind::ALL.into_iter().map(cell);
            let unseen = [sum(|p| p.within_bound.len()), sum(|p| p.without_effect)];
            rows.push([op.to_owned(), check.to_string()].into_iter().chain(cells).chain(unseen).collect());
        }
    }
    let list = |what: &str, of: fn(&Planted) -> &Vec<String>| -> String {
        found.values().flat_map(of).map(|fault| format!("{what}: {fault}\n")).collect()
    };
    let (within, missed) = (list("within its bound", |p| &p.within_bound), list("not found", |p| &p.missed));
    format!("{device}\n{}\n{within}{missed}{totals}", table(&rows))
}

/// A row per operator, kind of fault and check.
pub fn as_json(tables: &[(String, PlantedTable)], ok: bool) -> Value {
    let row = |((op, kind, check), planted): (&(String, PlantedKind, Check), &Planted)| {
        json!({
            "op": op,
            "fault": kind.to_string(),
            "check": check.to_string(),
            "planted": planted.planted,
            "without_effect": planted.without_effect,
            "within_bound": planted.within_bound,
            "found": planted.found,
            "missed": planted.missed,
        })
    };
    let of_device = |(device, found): &(String, PlantedTable)| {
        let rows: Vec<_> = found.iter().map(row).collect();
        json!({ "device": device, "rows": rows })
    };
    json!({ "ok": ok, "faults": tables.iter().map(of_device).collect::<Vec<_>>() })
}
