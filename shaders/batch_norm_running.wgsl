// new_mean = (1 - momentum) running_mean + momentum mean, likewise for the variance, which is first multiplied by `correction`:
// n / (n - 1) makes the biased variance unbiased.
//   every array: [c]. One invocation: one channel.

struct Params { c: u32, keep: f32, momentum: f32, correction: f32 }

@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> variance: array<f32>;
@group(0) @binding(3) var<storage, read> running_mean: array<f32>;
@group(0) @binding(4) var<storage, read> running_var: array<f32>;
@group(0) @binding(5) var<storage, read_write> new_mean: array<f32>;
@group(0) @binding(6) var<storage, read_write> new_var: array<f32>;

fn compute(c: u32) {
    if c >= p.c { return; }
    new_mean[c] = p.keep * running_mean[c] + p.momentum * mean[c];
    new_var[c] = p.keep * running_var[c] + p.momentum * (variance[c] * p.correction);
}
