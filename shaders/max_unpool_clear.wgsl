// taken[o] = 0: no value is there yet
// One invocation: one element of the output.

struct Params { count: u32 }

@group(0) @binding(1) var<storage, read_write> taken: array<u32>;

fn compute(i: u32) {
    if i < p.count { taken[i] = 0u; }
}
