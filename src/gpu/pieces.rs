//! The pieces that shaders share: the files of `shaders/shared/` and `shaders/engine/`. A kernel that is a problem and an
//! engine is a file of `shaders/problem/`, which says where values are, and an engine, which has the loops and `main`.

use crate::attr::{Activation, BinaryKind, Cell, Coded, Codes, PadMode, ReduceKind, Trigonometric};
use crate::shape::DType;

/// WGSL that several kernels share.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// The file's path in `shaders/`, without `.wgsl`.
    pub(crate) name: &'static str,
    /// The contents of the file.
    pub(crate) source: &'static str,
    /// The pieces whose functions and bindings it uses.
    pub(crate) needs: &'static [Piece],
    /// The enums whose members it names.
    pub(super) codes: &'static [Codes],
}

impl Piece {
    /// The file's path in `shaders/`, without `.wgsl`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Adds the piece and what it needs to a list, each once.
    pub(super) fn collect(&self, into: &mut Vec<Piece>) {
        if into.iter().all(|piece| piece.name != self.name) {
            into.push(*self);
            self.needs.iter().for_each(|piece| piece.collect(into));
        }
    }
}

macro_rules! piece {
    ($name:literal $(, $needs:expr)* $(; $codes:ty)?) => {
        Piece {
            name: $name,
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")),
            needs: &[$($needs),*],
            codes: &[$(<$codes as Coded>::CODES)?],
        }
    };
}

/// `Six`, `next`, `store_row`: the rows of Winograd's transforms of images and weights.
pub const WINOGRAD: Piece = piece!("shared/winograd");

/// `is_nan`.
pub const NAN: Piece = piece!("shared/nan");
/// `quotient`, `root`, `logarithm`, `logarithm2` of all numbers, subnormal ones among them.
pub const SCALED: Piece = piece!("shared/scaled", NAN);
/// `sigmoid`, `tanh_accurate`, `expm1` and others: functions of one number.
pub const FUNCTIONS: Piece = piece!("shared/functions");
/// `activate`: every unary function, chosen by the override `ACT`.
pub const ACTIVATION: Piece = piece!("shared/activation", FUNCTIONS, NAN, SCALED; Activation);
/// `turned`: sine and cosine of an angle less whole quarter turns.
pub const TURNS: Piece = piece!("shared/turns");
/// `tangent`, `angle`, `sinh_positive`, `asinh_positive` and others, of magnitudes.
pub const TRIGONOMETRY: Piece = piece!("shared/trigonometry", TURNS, FUNCTIONS, NAN; Trigonometric);
/// `gate_function`: the functions of the gates of a recurrent layer.
pub const GATES: Piece = piece!("shared/gates", FUNCTIONS, NAN, SCALED; Activation);
/// The params and tensors of a step of a recurrent layer; `place`, `products`, `finish`: what a hidden unit needs.
pub const RECURRENT: Piece = piece!("shared/recurrent", GATES; Cell);

/// `narrow`: the bits that an integer type keeps.
pub const INTEGER: Piece = piece!("shared/integer"; DType);

/// `combine`: every function of two elements, chosen by the override `OP`.
pub const BINARY: Piece = piece!("shared/binary", NAN, SCALED, INTEGER; BinaryKind);
/// The params of products of row-major matrices; `pair_of`: which matrices of two broadcast batches are multiplied.
pub const MATMUL: Piece = piece!("shared/matmul");
/// Their tensors; `along_a`, `block_b`, `store4`: four consecutive elements of a row-major matrix at a time.
pub const MATMUL4: Piece = piece!("shared/matmul4", MATMUL);
/// The params and tensors of batches of products of packed matrices.
pub const GEMM: Piece = piece!("shared/gemm");
/// The params and tensors of convolutions of channels-last images by packed weights.
pub const CONV: Piece = piece!("shared/conv");
/// `row4`, `block4`, `input_at`, `store_pixel`: the operands of a convolution as a product of matrices.
pub const IMPLICIT: Piece = piece!("shared/implicit", CONV, BLOCKS);
/// `weights_at`: packed weights by 4x4 blocks.
pub const BLOCKS: Piece = piece!("shared/blocks");
/// Packed weights by columns of 4x4 blocks.
pub const COLUMNS: Piece = piece!("shared/columns");
/// Weights of a depthwise convolution.
pub const FILTERS: Piece = piece!("shared/filters");
/// The taps of a product of matrices that has one.
pub const ONE_TAP: Piece = piece!("shared/one_tap");
/// The steps of a product by tiles whose inner dimension is one run.
pub const ONE_RUN: Piece = piece!("shared/one_run");
/// The params and tensors of convolutions of row-major tensors; `place`: where an output is.
pub const DIRECT: Piece = piece!("shared/direct");
/// `elements`: operands that are broadcast and strided.
pub const STRIDED: Piece = piece!("shared/strided");

/// `main`: an invocation per index.
pub const FLAT: Piece = piece!("engine/flat");
/// `main`: vec4s in a stream, four per invocation.
pub const STREAM: Piece = piece!("engine/stream");
/// `main`: a workgroup per index.
pub const TEAM: Piece = piece!("engine/team");

/// `main`: products of matrices in registers.
pub const REGISTERS: Piece = piece!("engine/registers", FLAT);
/// `main`: products of matrices by tiles in the registers of a subgroup of 8.
pub const SUBGROUP8: Piece = piece!("engine/subgroup8");
/// `main`: products of matrices by tiles in workgroup memory.
pub const WORKGROUP: Piece = piece!("engine/workgroup", TEAM);

/// The params and bindings of an epilogue, in a group of their own.
pub const EPILOGUE: Piece = piece!("shared/epilogue");
/// `finish`: bias, residual and activation of a row-major output.
pub const EPILOGUE1: Piece = piece!("shared/epilogue1", EPILOGUE, ACTIVATION);
/// `finish4`: bias, residual and activation of four channels of a channels-last output.
pub const EPILOGUE4: Piece = piece!("shared/epilogue4", EPILOGUE, ACTIVATION);
/// `finish_row`: bias, residual and activation of four consecutive elements of a channel of a row-major output.
pub const EPILOGUE_ROW: Piece = piece!("shared/epilogue_row", EPILOGUE, ACTIVATION);

/// `source`: which element of an axis stands at a position of the padded axis.
pub const PAD: Piece = piece!("shared/pad"; PadMode);

/// `inside`, `image_row`, `image_columns`: which taps of a pooling window lie inside the image, and loads for those that do not.
pub const WINDOW: Piece = piece!("shared/window");
/// `taps_before`: how many taps of a pooling window lie before a row or column.
pub const TAPS: Piece = piece!("shared/taps");
/// `blocks_of`: kernels for both layouts.
pub const CHANNELS: Piece = piece!("shared/channels");
/// `maximum`: the larger of two; NaN if either is.
pub const MAXIMUM: Piece = piece!("shared/maximum");
/// `pool_start`, `pool_add`, `pool_end`: maximum, mean and norm of a pooling window.
pub const POOL2D: Piece = piece!("shared/pool", WINDOW, TAPS);
/// `bin`, `pool_combine`, `pool_finish`: adaptive pooling.
pub const POOL_BIN: Piece = piece!("shared/pool_bin", MAXIMUM, CHANNELS);
/// The tensors of a pooling of regions; `place_of`, `corner`, `pixel`: what an invocation computes.
pub const REGIONS: Piece = piece!("shared/regions", CHANNELS);
/// `apart`: a difference that no compiler takes apart again.
pub const APART: Piece = piece!("shared/apart");
/// `Moments`, `merge`: size, sum and sum of squared deviations of a set, and of a union.
pub const MOMENTS: Piece = piece!("shared/moments", APART);

/// The taps of every row and column of a resampled image.
pub const TAP_TABLE: Piece = piece!("shared/tap_table");
/// The params of resampling.
pub const RESIZE_TAPS: Piece = piece!("shared/resize", TAP_TABLE, CHANNELS);

/// `scale_of`: statistics, and what is left out, of a normalisation.
pub const NORMALIZE: Piece = piece!("shared/normalize");

/// `tree_sum`: sums of the values of a team of invocations.
pub const TREE_SUM: Piece = piece!("shared/tree");
/// `larger`, `term`, `share`: the steps of a softmax.
pub const SOFTMAX: Piece = piece!("shared/softmax", NAN, APART);
/// `tree_larger`: the maximum of the values of a team.
pub const SOFTMAX_TREE: Piece = piece!("shared/softmax_tree", SOFTMAX, TREE_SUM);

/// `start`, `map`, `join`, `finish`: the steps of a reduction, chosen by the override `KIND`.
pub const REDUCE: Piece = piece!("shared/reduce", NAN, SCALED, INTEGER; ReduceKind);

/// `precedes`: which of two values arg-max or arg-min selects.
pub const ARG_REDUCE: Piece = piece!("shared/arg_reduce", NAN, INTEGER);
/// The params and tensors of arg-max and arg-min; `better`: one more value of a set.
pub const ARG_SET: Piece = piece!("shared/arg_set", ARG_REDUCE);
