//! The checks are checked: faults that are planted in the dispatches of every operator are found, and named.

use convgpu::conformance::{Check, ConformanceOptions, PlantedKind, faults};
use convgpu::internals::conformance::FAMILIES;

use crate::support::device;

#[test]
fn planted_faults_are_found() {
    let table = faults(device(), &ConformanceOptions::new().cases(2)).unwrap();
    // A reshape has no kernel.
    for family in FAMILIES.iter().filter(|family| family.name != "reshape") {
        for kind in PlantedKind::ALL {
            for check in Check::ALL {
                let planted = table.get(&(family.name.to_owned(), kind, check)).map_or(0, |p| p.planted);
                assert!(planted > 0, "{}: nothing {kind} for {check}", family.name);
            }
        }
    }
    let missed: Vec<_> = table.values().flat_map(|p| &p.missed).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    // Params that only guard the order of operations, and windows of a normalisation that has almost no effect.
    let found: usize = table.values().map(|p| p.found).sum();
    let within: Vec<_> = table.values().flat_map(|p| &p.within_bound).collect();
    assert!(found > 1500 && within.len() * 50 < found, "{found} found; within their bounds: {within:#?}");
}
