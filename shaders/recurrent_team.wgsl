// One step of a recurrent layer (shared/recurrent).
// LANES invocations: one hidden unit, h' = cell(x + R h). Each sums every LANES-th product; the first adds up the sums, in order,
// and computes the unit. The lanes of a unit are UNITS apart, so that neighbours read neighbouring weights. Compared with
// recurrent: a step takes an eighth of the products one after another, and a small layer has eight times the invocations.

const WORKGROUP = 256u;
const LANES = 8u;
const UNITS = WORKGROUP / LANES;
var<workgroup> sums: array<vec4<f32>, WORKGROUP>;

fn compute(group: u32, t: u32) {
    let i = group * UNITS + t % UNITS;
    let at = place(min(i, p.units - 1u));
    sums[t] = products(at, t / UNITS, LANES);
    workgroupBarrier();
    if t >= UNITS || i >= p.units { return; }
    var sum = sums[t];
    for (var lane = 1u; lane < LANES; lane++) {
        sum += sums[lane * UNITS + t];
    }
    finish(at, sum);
}
