
// --- common/rows8.wgsl ---
// What a subgroup of 8 holds of a product of matrices: 8 rows, and of each row a lane's own 4 columns.
struct Rows8 { low: mat4x4<f32>, high: mat4x4<f32> }

// c += x m: lane l gives four values x of row l, and m a 4x4 block for its own columns. The subgroup passes the rows round;
// the lane of a broadcast must be a constant.
fn add_rows8(c: ptr<function, Rows8>, m: mat4x4<f32>, x: vec4<f32>) {
    (*c).low += m * mat4x4<f32>(
        subgroupBroadcast(x, 0u), subgroupBroadcast(x, 1u), subgroupBroadcast(x, 2u), subgroupBroadcast(x, 3u)
    );
    (*c).high += m * mat4x4<f32>(
        subgroupBroadcast(x, 4u), subgroupBroadcast(x, 5u), subgroupBroadcast(x, 6u), subgroupBroadcast(x, 7u)
    );
}
