//! What the storage bindings of every kernel hold. `CONVGPU_GENERATE=1 cargo test -p convgpu --test suite contract` writes this
//! file from the texts in `shaders/`, and the same test holds it against them.

use Element::{Other, Stored, Written};

/// The elements of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Of a type that the text names.
    Other,
    /// `Stored`: f32 or f16.
    Stored,
    /// `Written`: as `Stored`, but f32 where they are sums.
    Written,
}

/// Kernels by name: the bindings of group 0, then those of the epilogue.
#[rustfmt::skip]
pub const BINDINGS: &[(&str, &[Element])] = &[
    ("adaptive_pool2d", &[Other, Other]),
    ("adaptive_pool2d_c4", &[Stored, Stored]),
    ("adaptive_pool2d_tree", &[Other, Other]),
    ("adaptive_pool2d_tree_c4", &[Stored, Stored]),
    ("arg_reduce", &[Other, Other]),
    ("arg_reduce_tree", &[Other, Other]),
    ("batch_norm_running", &[Other, Other, Other, Other, Other, Other]),
    ("binary", &[Stored, Stored, Stored]),
    ("binary_strided", &[Other, Other, Other]),
    ("cast", &[Other, Other]),
    ("conv2d_depthwise", &[Stored, Stored, Written, Other, Stored, Other]),
    ("conv2d_depthwise_plane", &[Other, Other, Other, Other, Other, Other]),
    ("conv2d_direct", &[Other, Other, Other, Other, Other, Other]),
    ("conv2d_gemm", &[Stored, Stored, Written, Other, Stored, Other]),
    ("conv2d_pack", &[Other, Stored]),
    ("conv2d_pointwise_subgroup8", &[Other, Other, Other, Other, Other, Other]),
    ("conv2d_slide", &[Stored, Stored, Written, Other, Stored, Other]),
    ("conv2d_subgroup8", &[Stored, Stored, Written, Other, Stored, Other]),
    ("conv2d_tiled", &[Stored, Stored, Written, Other, Stored, Other]),
    ("conv2d_winograd_input", &[Other, Other]),
    ("conv2d_winograd_output", &[Other, Other, Other, Other, Other]),
    ("conv2d_winograd_weight", &[Other, Other]),
    ("conv_transpose2d_direct", &[Other, Other, Other, Other, Other, Other]),
    ("conv_transpose2d_gemm", &[Stored, Stored, Written, Other, Stored, Other]),
    ("conv_transpose2d_subgroup8", &[Stored, Stored, Written, Other, Stored, Other]),
    ("copy_rows", &[Other, Other]),
    ("copy_rows4", &[Stored, Stored]),
    ("deform_columns", &[Other, Other, Other, Other]),
    ("det", &[Other, Other, Other]),
    ("fold", &[Other, Other]),
    ("from_bytes", &[Other, Other]),
    ("from_pixels", &[Other, Other, Other, Other]),
    ("gather", &[Other, Other, Other]),
    ("gemm", &[Other, Other, Other, Other, Other, Other]),
    ("gemm_subgroup8", &[Stored, Stored, Written, Other, Stored, Other]),
    ("gemm_tiled", &[Stored, Stored, Written, Other, Stored, Other]),
    ("gemv", &[Stored, Stored, Written, Other, Stored, Other]),
    ("grid_sample", &[Other, Other, Other]),
    ("grid_sample_c4", &[Stored, Other, Stored]),
    ("local_response_norm", &[Other, Other]),
    ("lp_normalize", &[Other, Other]),
    ("matmul", &[Other, Other, Other]),
    ("matmul_integer", &[Other, Other, Other]),
    ("matmul_register", &[Other, Other, Other]),
    ("matmul_split_sum", &[Other, Other]),
    ("matmul_subgroup8", &[Other, Other, Other]),
    ("matmul_tiled", &[Other, Other, Other]),
    ("max_unpool", &[Other, Other, Other]),
    ("max_unpool_clear", &[Other]),
    ("max_unpool_mark", &[Other, Other]),
    ("moments", &[Other, Other, Other]),
    ("moments_channels_last", &[Stored, Other, Other]),
    ("moments_merge", &[Other, Other, Stored, Other, Other]),
    ("narrow", &[Other, Other]),
    ("normalize", &[Other, Other, Other, Other, Other, Other]),
    ("normalize4", &[Other, Other, Other, Other, Other, Other]),
    ("normalize_channels_last", &[Stored, Other, Other, Other, Other, Stored]),
    ("pad", &[Other, Other]),
    ("pad_c4", &[Stored, Stored]),
    ("pixel_shuffle", &[Other, Other]),
    ("pool2d", &[Other, Other]),
    ("pool2d_c4", &[Stored, Stored]),
    ("pool2d_max_indices", &[Other, Other, Other]),
    ("recurrent", &[Other, Other, Other, Other, Other, Other, Other, Other]),
    ("recurrent_team", &[Other, Other, Other, Other, Other, Other, Other, Other]),
    ("reduce", &[Other, Other]),
    ("reduce_tree", &[Other, Other]),
    ("resize", &[Other, Other, Other, Other]),
    ("resize_c4", &[Stored, Other, Other, Stored]),
    ("resize_repeat", &[Other, Other]),
    ("resize_repeat_c4", &[Stored, Stored]),
    ("roi_align", &[Other, Other, Other, Other]),
    ("roi_align_c4", &[Stored, Other, Other, Stored]),
    ("roi_pool", &[Other, Other, Other, Other]),
    ("roi_pool_c4", &[Stored, Other, Other, Stored]),
    ("roofline_copy", &[Other, Other]),
    ("roofline_fma", &[Other, Other]),
    ("select", &[Other, Other, Other, Other]),
    ("sine", &[Other, Other]),
    ("softmax", &[Other, Other]),
    ("softmax_rows4", &[Other, Other]),
    ("softmax_tree", &[Other, Other]),
    ("split_k_sum", &[Other, Stored, Other, Stored, Other]),
    ("strided_copy", &[Other, Other]),
    ("to_channels_last", &[Other, Stored]),
    ("to_channels_last4", &[Other, Stored]),
    ("to_pixels", &[Other, Other]),
    ("to_row_major", &[Stored, Other]),
    ("to_row_major4", &[Stored, Other]),
    ("top_k", &[Other, Other, Other]),
    ("transpose", &[Other, Other]),
    ("trigonometry", &[Other, Other]),
    ("unary", &[Stored, Stored]),
    ("widen", &[Other, Other]),
];

/// The bindings of the kernel of this name.
pub(super) const fn of(name: &str) -> &'static [Element] {
    let mut k = 0;
    while k < BINDINGS.len() {
        if equal(BINDINGS[k].0, name) {
            return BINDINGS[k].1;
        }
        k += 1;
    }
    &[]
}

const fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut k = 0;
    while k < a.len() && k < b.len() && a[k] == b[k] {
        k += 1;
    }
    k == a.len() && k == b.len()
}
