
// --- shared/one_tap.wgsl ---
// A product of matrices whose inner dimension is one run of steps: one tap, and a row begins where it begins.

const HAS_TAPS = false;

alias Row = u32;
alias Tap = bool;

fn no_line(matrix: u32) -> Tap {
    return false;
}

fn next_line(t: Tap) -> Tap {
    return true;
}

fn is_line(t: Tap) -> bool {
    return true;
}

fn next_tap(t: Tap) -> Tap {
    return true;
}

fn is_tap(t: Tap) -> bool {
    return true;
}

fn start(row: Row, t: Tap, block: u32) -> u32 {
    return row;
}
