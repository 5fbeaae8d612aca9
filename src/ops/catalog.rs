//! The table of operators: `convgpu ops` prints it, and docs/operators.md holds it.

/// An operator, or several operators with the same description.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name here, as in reports and errors.
    pub name: &'static str,
    /// PyTorch's functions or modules.
    pub torch: &'static str,
    /// The ONNX operators that become it.
    pub onnx: &'static str,
    /// What is supported.
    pub notes: &'static str,
}

const fn entry(name: &'static str, torch: &'static str, onnx: &'static str, notes: &'static str) -> Entry {
    Entry { name, torch, onnx, notes }
}

/// Every operator.
pub const CATALOG: &[Entry] = &[
    entry(
        "conv2d",
        "conv1d, conv2d, conv3d, linear",
        "Conv, Gemm, MatMul, QLinearConv, ConvInteger",
        "stride, padding per side or same/valid, dilation, groups (depthwise included), bias; one, two or three axes; padding \
         modes zeros, reflect, replicate, circular; activation and residual fused",
    ),
    entry(
        "conv_transpose2d",
        "conv_transpose2d, conv_transpose3d",
        "ConvTranspose",
        "stride, padding, output_padding, dilation, groups, bias; one, two or three axes; activation and residual fused",
    ),
    entry(
        "deform_columns",
        "deform_conv2d",
        "DeformConv",
        "offsets, mask, groups, groups of offsets, stride, padding, dilation, bias; the columns are multiplied by conv2d",
    ),
    entry(
        "matmul",
        "matmul, affine_grid, scaled_dot_product_attention, MultiheadAttention",
        "MatMul, Gemm, Einsum, QLinearMatMul, MatMulInteger, AffineGrid, Attention",
        "batched, broadcast; both operands may be known only at run time; of integers, which wrap, too",
    ),
    entry("det", "det", "Det", "batches of matrices of at most 32 rows; partial pivoting"),
    entry(
        "max_pool2d",
        "max_pool2d, max_pool2d_with_indices, max_pool3d",
        "MaxPool, GlobalMaxPool",
        "padding, dilation, ceil_mode, indices (of images); one, two or three axes",
    ),
    entry(
        "avg_pool2d",
        "avg_pool2d, avg_pool3d",
        "AveragePool, GlobalAveragePool",
        "padding, dilation, ceil_mode, count_include_pad, divisor_override; one, two or three axes",
    ),
    entry(
        "lp_pool2d",
        "lp_pool2d, lp_pool3d",
        "LpPool, GlobalLpPool",
        "padding, dilation, ceil_mode; of absolute values (ONNX), or of signed values, with windows beyond the image scaled up (PyTorch)",
    ),
    entry(
        "max_unpool",
        "max_unpool2d",
        "MaxUnpool",
        "any axes; indices of a plane (PyTorch) or of the tensor (ONNX), output size given or not; the last of several values stays",
    ),
    entry("fold", "fold", "Col2Im", "padding, stride, dilation; up to six axes in ONNX"),
    entry(
        "adaptive_avg_pool2d, adaptive_max_pool2d",
        "adaptive_avg_pool2d, adaptive_max_pool2d, adaptive_avg_pool3d, adaptive_max_pool3d",
        "",
        "any output size; of images and volumes",
    ),
    entry(
        "resize2d",
        "interpolate, Upsample",
        "Resize, Upsample",
        "nearest (all roundings), linear, cubic; by size or scale; every coordinate transformation of ONNX; antialias; volumes (in PyTorch by nearest and trilinear)",
    ),
    entry(
        "grid_sample",
        "grid_sample",
        "GridSample",
        "images and volumes; bilinear, nearest, of images bicubic; zeros, border or reflection beyond; align_corners",
    ),
    entry(
        "roi_align",
        "roi_align",
        "RoiAlign",
        "torchvision's function; mean or, in ONNX, maximum, of which a NaN is one; up to 4096 samples per axis, or as many as pixels; \
         aligned; images that are computed",
    ),
    entry(
        "roi_pool",
        "roi_pool",
        "MaxRoiPool",
        "torchvision's function, but a NaN in a bin is its maximum; any number of bins",
    ),
    entry("from_bytes", "", "", "uploads of 8-bit integers and booleans as bytes"),
    entry(
        "from_pixels, to_pixels",
        "",
        "",
        "textures of 8 bits or f16 as images and back: crop, antialiased resize, mean and std, BGR, NHWC, grey",
    ),
    entry(
        "pixel_shuffle, pixel_unshuffle",
        "pixel_shuffle, pixel_unshuffle",
        "DepthToSpace, SpaceToDepth",
        "both orders (DCR, CRD)",
    ),
    entry(
        "batch_norm, batch_norm_training",
        "batch_norm, batch_norm_training",
        "BatchNormalization",
        "`[n, c, ..]`; with stored statistics, or with those of the batch and an update of the running ones",
    ),
    entry("layer_norm", "layer_norm", "LayerNormalization, RMSNormalization", "any trailing axes"),
    entry(
        "group_norm",
        "group_norm, instance_norm",
        "GroupNormalization, InstanceNormalization",
        "with or without weight and bias",
    ),
    entry("local_response_norm", "local_response_norm", "LRN", "any window; even sizes as in PyTorch or in ONNX"),
    entry("lp_normalize", "normalize", "LpNormalization", "order 1 or 2, any axis"),
    entry("mean_variance_normalize", "", "MeanVarianceNormalization", ""),
    entry("softmax, log_softmax", "softmax, log_softmax", "Softmax, LogSoftmax", "any axis; the softmax of -inf is 0"),
    entry(
        "reduce_sum, reduce_mean, reduce_max, reduce_min, reduce_prod, reduce_l1, reduce_l2, reduce_log_sum, reduce_log_sum_exp, reduce_sum_square",
        "sum, mean, amax, amin, prod, norm, logsumexp",
        "ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceSumSquare, CumSum",
        "any axes; floats, integers without roots and logarithms, extremes of booleans",
    ),
    entry(
        "arg_max, arg_min",
        "argmax, argmin",
        "ArgMax, ArgMin, Hardmax",
        "any axis; among equal values the first or the last",
    ),
    entry(
        "top_k",
        "topk",
        "TopK",
        "any axis, with at most 65 536 values on a device; equal values in the order of the input",
    ),
    entry(
        "unary functions",
        "relu, relu6, leaky_relu, elu, selu, celu, gelu, sigmoid, tanh, hardsigmoid, hardswish, silu, mish, softplus, softsign, threshold, clamp, fake_quantize_per_tensor_affine, exp, log, sqrt, reciprocal, abs, neg, floor, ceil, round, sign, erf",
        "Relu, LeakyRelu, Elu, Selu, Celu, Gelu, Sigmoid, Tanh, HardSigmoid, HardSwish, Swish, Mish, Softplus, Softsign, ThresholdedRelu, Clip, QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, Exp, Log, Sqrt, Reciprocal, Abs, Neg, Floor, Ceil, Round, Sign, Erf",
        "any shape; fused into the operator before if that has an epilogue; relu, relu6, clamp, abs, neg, sign and rounding also of integers",
    ),
    entry("sin, cos", "sin, cos", "Sin, Cos", "any angle; absolute error bound up to 8192"),
    entry(
        "tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh",
        "tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh",
        "Tan, Asin, Acos, Atan, Sinh, Cosh, Asinh, Acosh, Atanh",
        "any number; relative error bounds, of tan up to 8192 and but for poles",
    ),
    entry("prelu", "prelu", "PRelu", "the slope broadcasts"),
    entry(
        "binary functions",
        "add, sub, mul, div, maximum, minimum, pow, remainder, fmod, eq, lt, gt, le, ge, logical_and, logical_or, logical_xor, bitwise_and, bitwise_or, bitwise_xor, bitwise_not, bitwise_left_shift, bitwise_right_shift",
        "Add, Sub, Mul, Div, Max, Min, Pow, Mod, Equal, Less, Greater, LessOrEqual, GreaterOrEqual, And, Or, Xor, Not, BitwiseAnd, \
         BitwiseOr, BitwiseXor, BitwiseNot, BitShift, IsNaN, IsInf, RotaryEmbedding",
        "NumPy's broadcasting",
    ),
    entry("where", "where_", "Where, Trilu, OneHot, EyeLike, Shrink", "NumPy's broadcasting"),
    entry("cast", "", "Cast, CastLike", "every type; integers wrap, f16 and bf16 round"),
    entry(
        "lstm, gru, rnn",
        "LSTM, GRU, RNN",
        "LSTM, GRU, RNN",
        "both directions, several layers, states given and returned; ONNX's sequence_lens, peepholes, clip, input_forget, \
         layout, linear_before_reset, all activations; weights quantised (DynamicQuantizeLSTM)",
    ),
    entry("concat", "cat", "Concat", "any axis"),
    entry("split", "split", "Split", "any axis"),
    entry("slice", "narrow", "Slice", "any axes, steps, negative ones included"),
    entry(
        "gather",
        "index_select",
        "Gather, GatherElements, GatherND, ScatterElements, ScatterND, Compress, ReverseSequence",
        "any axis; indices known or computed, for scatter and Compress known",
    ),
    entry("expand", "expand", "Expand", "NumPy's broadcasting"),
    entry("tile", "tile", "Tile", "any axes"),
    entry(
        "pad",
        "pad",
        "Pad, CenterCropPad",
        "constant, reflect, replicate, circular, over up to six axes; negative padding crops",
    ),
    entry("permute", "permute, transpose", "Transpose", "any rank"),
    entry("reshape", "reshape, flatten", "Reshape, Flatten, Squeeze, Unsqueeze", "a view: nothing is copied"),
];

/// The table as GitHub's Markdown.
pub fn markdown() -> String {
    let row = |e: &Entry| format!("| {} | {} | {} | {} |\n", e.name, e.torch, e.onnx, e.notes);
    let head = "| operator | PyTorch | ONNX | supported |\n|---|---|---|---|\n";
    head.to_owned() + &CATALOG.iter().map(row).collect::<String>()
}
