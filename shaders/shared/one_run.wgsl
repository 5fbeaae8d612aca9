
// --- shared/one_run.wgsl ---
// A product of matrices by tiles whose inner dimension is one run of blocks: a row is where it begins, a step is the block.

alias Row = u32;
alias Step = u32;

fn step_at(k: u32) -> Step {
    return k;
}

fn onward(s: Step) -> Step {
    return s + 4u;
}

fn inside(r: Row, s: Step) -> bool {
    return true;
}
