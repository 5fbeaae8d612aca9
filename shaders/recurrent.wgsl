// One step of an LSTM, a GRU or an RNN (attr::Cell), for all directions and sequences. With a = x + R h, gate by gate:
//   RNN   h' = f(a)
//   GRU   r = f(a), z = f(a), n = g(a), h' = (1 - z) n + z h;  a of n is x + R (r h), or x + r (R h + extra) if RESET_AFTER
//   LSTM  i = f(a), v = f(a), g = g(a), o = f(a), c' = v c + i g, h' = o h(c');  v = 1 - i if COUPLED; if PEEPHOLES, i and v also
//         have c times extra in a, and o has c'
//   x: row-major [steps, batch, directions, GATES, hidden], or the first two exchanged: row t step_rows + b batch_rows
//   weight: row-major [directions, hidden (of h), GATES, hidden]     extra: [directions, 1 or 3 (i o v), hidden]
//   lengths: the steps of every sequence, if LENGTHS
//   y: as x, [.., directions, hidden]; 0 beyond the end of a sequence
//   last, cell: [directions, batch, hidden], h and c after the last step; state: two of these, h before and after the step in turns
// If LIMITED, f and g take their arguments clipped to -limit .. limit; h does not, as in ONNX Runtime.
// The gates have PyTorch's order: i v g o, r z n. A GRU whose reset gate comes before the product takes a dispatch more per step (RESET),
// which writes r h into cell. No invocation reads what another one writes in the same dispatch.
// One invocation: one hidden unit. Neighbours read neighbouring weights, since those of one state are consecutive.

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

// R h of unit j, gate by gate: h is state from `old` on, and for the third gate of RESET_BEFORE, cell from `reset` on.
fn products(d: u32, j: u32, old: u32, reset: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var k = 0u; k < p.hidden; k++) {
        let w = (d * p.hidden + k) * GATES * p.hidden + j;
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

fn gru(d: u32, j: u32, given: vec4<f32>, products: vec4<f32>, before: f32) -> f32 {
    let z = f(given.y + products.y);
    var n = given.z + products.z;
    if RESET_AFTER {
        n = given.z + f(given.x + products.x) * (products.z + extra[d * p.hidden + j]);
    }
    return (1.0 - z) * g(n) + z * before;
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

fn compute(i: u32) {
    if i >= p.units { return; }
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
    let row = (t * p.step_rows + b * p.batch_rows) * p.directions + d;
    if p.step >= steps {
        if !RESET {
            y[row * p.hidden + j] = 0.0;
        }
        return;
    }
    let old = p.step % 2u * p.units;
    let before = state[old + i];
    let products = products(d, j, old + i - j, i - j);
    let first = row * GATES * p.hidden + j;
    if RESET {
        cell[i] = f(x[first] + products.x) * before;
        return;
    }
    var next: f32;
    if CELL == CELL_RNN {
        next = f(x[first] + products.x);
    }
    if CELL == CELL_GRU {
        let given = vec4<f32>(x[first], x[first + p.hidden], x[first + 2u * p.hidden], 0.0);
        next = gru(d, j, given, products, before);
    }
    if CELL == CELL_LSTM {
        let given = vec4<f32>(x[first], x[first + p.hidden], x[first + 2u * p.hidden], x[first + 3u * p.hidden]);
        next = lstm(i, d, j, given + products);
    }
    y[row * p.hidden + j] = next;
    last[i] = next;
    state[p.units - old + i] = next;
}
