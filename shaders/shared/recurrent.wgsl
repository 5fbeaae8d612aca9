
// --- shared/recurrent.wgsl ---
// One step of an LSTM, a GRU or an RNN (attr::Cell), for all directions and sequences. With a = x + R h, gate by gate:
//   RNN   h' = f(a)
//   GRU   r = f(a), z = f(a), n = g(a), h' = (1 - z) n + z h;  a of n is x + R (r h), or x + r (R h + extra) if RESET_AFTER
//   LSTM  i = f(a), v = f(a), g = g(a), o = f(a), c' = v c + i g, h' = o h(c');  v = 1 - i if COUPLED; if PEEPHOLES, i and v also
//         have c times extra in a, and o has c'
//   x: row-major [steps, batch, directions, GATES, hidden], or the first two exchanged: row t step_rows + b batch_rows
//   weight: row-major [directions, hidden (of h), GATES, hidden]     extra: [directions, 1 or 3 (i o v), hidden]
//   lengths: the steps of every sequence, if LENGTHS
//   y: as x, [.., directions, hidden]; 0 beyond the end of a sequence
//   last, cell: [directions, batch, hidden], h and c after the last step
//   state: two of these, h before and after the step in turns
// If LIMITED, f and g take their arguments clipped to -limit .. limit; h does not, as in ONNX Runtime.
// The gates have PyTorch's order: i v g o, r z n. A GRU whose reset gate comes before the product takes a dispatch more per step
// (RESET), which writes r h into cell. No invocation reads what another one writes in the same dispatch.

struct Params {
    units: u32, steps: u32, batch: u32, directions: u32, hidden: u32,
    step: u32, reversed: u32, step_rows: u32, batch_rows: u32,
    f_a: f32, f_b: f32, g_a: f32, g_b: f32, h_a: f32, h_b: f32, limit: f32,
}

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> extra: array<f32>;
@group(0) @binding(4) var<storage, read> lengths: array<i32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<storage, read_write> last: array<f32>;
@group(0) @binding(7) var<storage, read_write> cell: array<f32>;
@group(0) @binding(8) var<storage, read_write> state: array<f32>;

override CELL: u32 = CELL_LSTM;
override GATES: u32 = 4;
// The gates whose products are needed: one in the pass RESET.
override PRODUCTS: u32 = 4;
override RESET: bool = false;
override RESET_AFTER: bool = false;
override RESET_BEFORE: bool = false;
override PEEPHOLES: bool = false;
override COUPLED: bool = false;
override LENGTHS: bool = false;
override LIMITED: bool = false;
override F: u32 = ACT_SIGMOID;
override G: u32 = ACT_TANH;
override H: u32 = ACT_TANH;

fn limited(a: f32) -> f32 {
    if LIMITED { return nan_passes(a, clamp(a, -p.limit, p.limit)); }
    return a;
}

fn f(a: f32) -> f32 {
    return gate_function(F, limited(a), p.f_a, p.f_b);
}

fn g(a: f32) -> f32 {
    return gate_function(G, limited(a), p.g_a, p.g_b);
}

fn h(c: f32) -> f32 {
    return gate_function(H, c, p.h_a, p.h_b);
}

// Unit i: number j of its sequence and direction d. The products of its input are in `row`; `is_over`: its sequence has ended
// before.
struct Place { i: u32, j: u32, d: u32, row: u32, is_over: bool }

fn place(i: u32) -> Place {
    let j = i % p.hidden;
    let b = i / p.hidden % p.batch;
    let d = i / p.hidden / p.batch;
    var steps = p.steps;
    if LENGTHS {
        steps = u32(clamp(lengths[b], 0, i32(p.steps)));
    }
    var t = p.step;
    if p.step < steps && d + p.reversed == 1u {
        t = steps - 1u - p.step;
    }
    return Place(i, j, d, (t * p.step_rows + b * p.batch_rows) * p.directions + d, p.step >= steps);
}

// Where the states before the step are, and, from the other one on, those after it.
fn before() -> u32 {
    return p.step % 2u * p.units;
}

// R h, gate by gate: the terms from `first` on, `stride` apart. With RESET_BEFORE the third gate has r h in place of h.
fn products(at: Place, first: u32, stride: u32) -> vec4<f32> {
    let old = before() + at.i - at.j;
    let reset = at.i - at.j;
    var sum = vec4<f32>(0.0);
    for (var k = first; k < p.hidden; k += stride) {
        let w = (at.d * p.hidden + k) * GATES * p.hidden + at.j;
        let v = state[old + k];
        sum.x += v * weight[w];
        if PRODUCTS > 1u {
            sum.y += v * weight[w + p.hidden];
            if RESET_BEFORE {
                sum.z += cell[reset + k] * weight[w + 2u * p.hidden];
            } else {
                sum.z += v * weight[w + 2u * p.hidden];
            }
        }
        if PRODUCTS > 3u {
            sum.w += v * weight[w + 3u * p.hidden];
        }
    }
    return sum;
}

fn gru(d: u32, j: u32, given: vec4<f32>, products: vec4<f32>, old: f32) -> f32 {
    let z = f(given.y + products.y);
    var n = given.z + products.z;
    if RESET_AFTER {
        n = given.z + f(given.x + products.x) * (products.z + extra[d * p.hidden + j]);
    }
    return (1.0 - z) * g(n) + z * old;
}

fn lstm(i: u32, d: u32, j: u32, given: vec4<f32>) -> f32 {
    let c = cell[i];
    let e = d * 3u * p.hidden + j;
    var a = given;
    if PEEPHOLES {
        a.x += extra[e] * c;
        a.y += extra[e + 2u * p.hidden] * c;
    }
    let entered = f(a.x);
    var kept = 1.0 - entered;
    if !COUPLED {
        kept = f(a.y);
    }
    let c_next = kept * c + entered * g(a.z);
    if PEEPHOLES {
        a.w += extra[e + p.hidden] * c_next;
    }
    cell[i] = c_next;
    return f(a.w) * h(c_next);
}

// The unit after the step, from its products.
fn finish(at: Place, products: vec4<f32>) {
    if at.is_over {
        if !RESET {
            y[at.row * p.hidden + at.j] = 0.0;
        }
        return;
    }
    let old = state[before() + at.i];
    let first = at.row * GATES * p.hidden + at.j;
    if RESET {
        cell[at.i] = f(x[first] + products.x) * old;
        return;
    }
    var next: f32;
    if CELL == CELL_RNN {
        next = f(x[first] + products.x);
    }
    if CELL == CELL_GRU {
        let given = vec4<f32>(x[first], x[first + p.hidden], x[first + 2u * p.hidden], 0.0);
        next = gru(at.d, at.j, given, products, old);
    }
    if CELL == CELL_LSTM {
        let given = vec4<f32>(x[first], x[first + p.hidden], x[first + 2u * p.hidden], x[first + 3u * p.hidden]);
        next = lstm(at.i, at.d, at.j, given + products);
    }
    y[at.row * p.hidden + at.j] = next;
    last[at.i] = next;
    state[p.units - before() + at.i] = next;
}
