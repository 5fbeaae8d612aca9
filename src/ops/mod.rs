//! Operators: the trait [`Op`], and one file per operator.
//!
//! An operator has attributes, a shape rule, a reference with a derived error bound, kernels for a device, and a cost.
//! Nothing here touches a device: [`Op::launches`] maps descriptions to descriptions.

pub mod adaptive_pool2d;
pub mod batch_norm;
pub mod binary;
mod broadcast;
pub mod bytes;
pub mod cast;
pub mod catalog;
mod checked;
pub mod concat;
pub mod conv2d;
pub mod conv_transpose2d;
pub mod deform_columns;
pub mod det;
pub mod epilogue;
pub mod expand;
pub mod fold;
pub mod gather;
mod geometry;
pub mod grid_sample;
pub mod group_norm;
mod half;
pub mod layer_norm;
pub mod local_response_norm;
pub mod matmul;
pub mod max_unpool;
mod normalization;
pub mod normalize;
mod op;
mod packing;
pub mod pad;
pub mod permute;
pub mod pixel_shuffle;
pub mod pixels;
pub mod pool2d;
pub mod prelu;
pub mod recurrent;
pub mod reduce;
mod regions;
mod registry;
pub mod relayout;
pub mod reshape;
pub mod resize;
pub mod roi_align;
pub mod roi_pool;
mod rows;
mod rows8;
pub mod select;
pub mod sine;
mod site;
pub mod slice;
pub mod softmax;
pub mod split;
mod strided;
pub mod tile;
mod tiled;
pub mod top_k;
mod tree;
pub mod trigonometry;
pub mod unary;
mod validate;
mod variant;
mod window;

pub(crate) use checked::{alternatives, only_launch};
pub use checked::{bounds, evaluate};
pub use epilogue::Epilogue;
pub use op::{Bounds, Op};
pub(crate) use op::{
    Privileges, Seal, built_in, expect_f32, expect_image, expect_inputs, moves_elements, privileged, told,
};
pub use registry::kernels;
pub use site::Site;
pub use variant::{Algorithm, Variant};
