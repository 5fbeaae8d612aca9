//! Every operator on the test device, compared with PyTorch's results, with the reference, and for integers with `==`.

#[path = "../support/mod.rs"]
mod support;

mod adaptive_pool2d;
mod batch_norm;
mod binary;
mod bytes;
mod cast;
mod concat;
mod conv1d;
mod conv2d;
mod conv_transpose2d;
mod engines;
mod epilogue;
mod gather;
mod goldens;
mod grid_sample;
mod group_norm;
mod hard_numbers;
mod in_place;
mod layer_norm;
mod local_response_norm;
mod long_loops;
mod matmul;
mod movement;
mod normalize;
mod pad;
mod pixel_shuffle;
mod pixels;
mod pool2d;
mod prelu;
mod reassociated;
mod recurrent;
mod reduce;
mod resize;
mod roofline;
mod same_bits;
mod select;
mod sine;
mod softmax;
mod top_k;
mod trigonometry;
mod types;
mod unary;
