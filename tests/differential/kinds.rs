//! The kinds of models, and the model of a seed.

use crate::net::{Case, Drawn, Net};
use crate::{
    attention, bits, chains, elementwise, idioms, microsoft, movement, qlinear, quantised, random, recurrent, regions,
    resize, sampling, sums, window,
};

macro_rules! kinds {
    ($($family:ident: $($kind:ident)*;)*) => {
        &[$($((concat!(stringify!($family), " ", stringify!($kind)), $family::$kind as fn(&mut Net) -> Drawn),)*)*]
    };
}

/// Its name, and what draws it.
type Kind = (&'static str, fn(&mut Net) -> Drawn);

/// Every kind; seed after seed takes the next.
pub const KINDS: &[Kind] = kinds! {
    elementwise: smooth angles of_positive with_attributes steps extremes of_integers arithmetic overflow power modulo comparison
        logic variadic choice clip prelu casts;
    movement: reshape transpose squeeze flatten concat split slice pad gather by_tuples repeat depth triangle empty
        scatter crop_or_pad compress;
    window: conv conv_transpose max_pool average_pool lp_pool global_pool;
    sums: matmul gemm einsum reduce positions top_k running_sum softmax batch_norm norm other_norm;
    resize: resize;
    sampling: grid_sample affine_grid transformer;
    attention: attention rotary_embedding;
    recurrent: lstm dynamic_quantize_lstm gru rnn reverse_sequence;
    bits: pair inverse shift;
    random: numbers bernoulli multinomial;
    regions: roi_align max_roi_pool max_unpool col2im deform_conv det;
    quantised: quantize dequantize dynamic matmul_integer conv_integer qlinear_matmul qlinear_conv chain;
    microsoft: gelu fused_conv nhwc_conv fused_matmul norm;
    qlinear: pair concat pool function gemm steps;
    chains: elementwise views image_of_bytes filled planned;
    idioms: gelu swish hard_swish layer_norm group_norm pixel_shuffle channel_shuffle reduced_pool shape_arithmetic focus
        attention blocks;
};

pub fn case(seed: u64) -> Case {
    let (kind, draw) = KINDS[seed as usize % KINDS.len()];
    Net::draw(seed, kind, draw)
}
