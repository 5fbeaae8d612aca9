// One step of a recurrent layer (shared/recurrent).
// One invocation: one hidden unit, h' = cell(x + R h). Neighbours read neighbouring weights.

fn compute(i: u32) {
    if i >= p.units { return; }
    let at = place(i);
    finish(at, products(at, 0u, 1u));
}
