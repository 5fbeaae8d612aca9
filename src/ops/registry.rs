//! The kernels of all operators.

use super::{
    adaptive_pool2d, batch_norm, binary, bytes, cast, conv_transpose2d, conv2d, gather, local_response_norm, matmul,
    normalization, normalize, pad, pixel_shuffle, pixels, pool2d, reduce, relayout, resize, rows, select, sine,
    softmax, strided, tiled, top_k, unary,
};
use crate::gpu::kernel::Kernel;
use crate::gpu::roofline;

/// Every kernel of the project, for the contract test and `convgpu inspect --shader`.
pub fn kernels() -> Vec<&'static Kernel> {
    [
        adaptive_pool2d::KERNELS,
        batch_norm::KERNELS,
        binary::KERNELS,
        bytes::KERNELS,
        cast::KERNELS,
        conv2d::KERNELS,
        conv_transpose2d::KERNELS,
        gather::KERNELS,
        local_response_norm::KERNELS,
        matmul::KERNELS,
        normalization::KERNELS,
        normalize::KERNELS,
        pad::KERNELS,
        pixel_shuffle::KERNELS,
        pixels::KERNELS,
        pool2d::KERNELS,
        reduce::KERNELS,
        relayout::KERNELS,
        resize::KERNELS,
        rows::KERNELS,
        select::KERNELS,
        sine::KERNELS,
        softmax::KERNELS,
        strided::KERNELS,
        tiled::KERNELS,
        top_k::KERNELS,
        unary::KERNELS,
        roofline::KERNELS,
    ]
    .concat()
}
