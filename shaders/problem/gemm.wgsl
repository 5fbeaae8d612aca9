// Products of matrices, then the epilogue: y[k, row, oc] = epilogue(sum over ic of a[k, row, ic] w[k, ic, oc]) for every k of the
// batch. With one matrix this is a 1x1 convolution whose rows are pixels; with 36 it is the product step of Winograd's algorithm.
//   a, w, y: shared/gemm.wgsl

fn weights(matrix: u32, t: Tap) -> u32 {
    return matrix * p.ic4 * p.oc4;
}

fn row4(at: u32, c: u32) -> vec4<f32> {
    return vec4<f32>(a[at + c]);
}

fn block4(first: u32, c: u32, block: u32) -> mat4x4<f32> {
    return weights_at(first + c * p.oc4 + block);
}

fn store(matrix: u32, r: u32, block: u32, v: vec4<f32>) {
    let pixel = matrix * p.rows + r;
    y[y_at(pixel, block)] = vec4<Written>(finish4(v, block, pixel * p.oc4 + block));
}
