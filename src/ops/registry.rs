//! The kernels of all operators.

use crate::gpu::kernel::Kernel;

macro_rules! kernels_of {
    ($($module:ident),+ $(,)?) => {
        [$(super::$module::KERNELS),+, crate::gpu::roofline::KERNELS].concat()
    };
}

/// Every kernel of the project, for the contract test and `convgpu inspect --shader`.
pub fn kernels() -> Vec<&'static Kernel> {
    kernels_of![
        adaptive_pool2d,
        batch_norm,
        binary,
        bytes,
        cast,
        conv2d,
        conv_transpose2d,
        deform_columns,
        det,
        fold,
        gather,
        grid_sample,
        local_response_norm,
        matmul,
        max_unpool,
        normalization,
        normalize,
        packing,
        pad,
        pixel_shuffle,
        pixels,
        pool2d,
        recurrent,
        reduce,
        relayout,
        resize,
        roi_align,
        roi_pool,
        rows,
        select,
        sine,
        softmax,
        strided,
        tiled,
        top_k,
        trigonometry,
        unary,
    ]
}
