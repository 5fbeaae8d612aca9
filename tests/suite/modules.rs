//! Compares every case of the family `module` with the layer of its name: on the reference and on the test device,
//! within the bounds of the operators that ran (`traced`).

use std::collections::HashSet;

use convgpu::internals::conformance::Kind;

use crate::traced::{check, check_all};

#[test]
fn every_case_against_pytorch() {
    let cases = Kind::Module.cases().unwrap();
    let modules: HashSet<&str> = cases.iter().map(|c| c.op.as_str()).collect();
    assert_eq!((cases.len(), modules.len()), (934, 57));
    check_all(cases, |golden, device| {
        let names = golden.call(Kind::Module, device).map_err(|e| e.to_string())?.into_iter().map(|(name, _)| name);
        let expected: Vec<_> = names.zip(golden.expected()).collect();
        check(|| Ok(golden.call(Kind::Module, device)?.into_iter().map(|(_, t)| t).collect()), &expected)
    });
}
