//! The shared pieces of shaders: the files of `shaders/shared/`.

/// WGSL that several kernels share.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// The file's name without `.wgsl`.
    pub(crate) name: &'static str,
    /// The contents of the file.
    pub(crate) source: &'static str,
    /// The pieces whose functions and bindings it uses.
    pub(crate) needs: &'static [Piece],
}

impl Piece {
    /// The file's name without `.wgsl`.
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
    ($name:literal $(, $needs:expr)*) => {
        Piece { name: $name, source: include_str!(concat!("../../shaders/shared/", $name, ".wgsl")), needs: &[$($needs),*] }
    };
}

/// `flat_id`, `group_id`: the linear index of an invocation, of a workgroup, in a grid folded over two dimensions; `is_nan`.
pub const INDEX: Piece = piece!("index");
/// `activate`: every unary function, chosen by the override `ACT`.
pub const ACTIVATION: Piece = piece!("activation", INDEX);

/// `narrow`: the bits that an integer type keeps.
pub const INTEGER: Piece = piece!("integer");

/// `combine`: every function of two elements, chosen by the override `OP`.
pub const BINARY: Piece = piece!("binary", INDEX, INTEGER);
/// `matrices`: which matrices of two broadcast batches are multiplied.
pub const MATMUL: Piece = piece!("matmul");
/// `load_a`, `block_b`, `store4`: four consecutive elements of a row-major matrix at a time.
pub const MATMUL4: Piece = piece!("matmul4", MATMUL);
/// `place`, `multiply`, `store_tile`: matrix products by tiles in the registers of a subgroup of 8.
pub const ROWS8: Piece = piece!("rows8");
/// `row4`, `block4`: the operands of [`ROWS8`] for an implicit matrix product.
pub const IMPLICIT8: Piece = piece!("implicit8");
/// `pixel_of`, `tap`, `output_of`: the phases of a transposed convolution.
pub const PHASES: Piece = piece!("phases");
/// The params and bindings of an epilogue, in a group of their own.
pub const EPILOGUE: Piece = piece!("epilogue");
/// `finish`: bias, residual and activation of a row-major output.
pub const EPILOGUE1: Piece = piece!("epilogue1", EPILOGUE, ACTIVATION);
/// `finish4`: bias, residual and activation of four channels of a channels-last output.
pub const EPILOGUE4: Piece = piece!("epilogue4", EPILOGUE, ACTIVATION);
/// `finish_row`: bias, residual and activation of four consecutive elements of a channel of a row-major output.
pub const EPILOGUE_ROW: Piece = piece!("epilogue_row", EPILOGUE, ACTIVATION);

/// `source`: which element of an axis stands at a position of the padded axis.
pub const PAD: Piece = piece!("pad");

/// `inside`, `image_row`, `image_columns`: which taps of a pooling window lie inside the image, and loads for those that do not.
pub const WINDOW: Piece = piece!("window");
/// `taps_before`: how many taps of a pooling window lie before a row or column.
pub const TAPS: Piece = piece!("taps");
/// `maximum`, `maximum4`: the larger of two; NaN if either is.
pub const MAXIMUM: Piece = piece!("maximum");
/// `pool_start`, `pool_add`, `pool_end`: maximum, mean and norm of a pooling window.
pub const POOL2D: Piece = piece!("pool", WINDOW, TAPS);
/// `bin`, `pool_combine`, `pool_finish`: adaptive pooling.
pub const POOL_BIN: Piece = piece!("pool_bin", MAXIMUM);
/// `Moments`, `merge`: size, sum and sum of squared deviations of a set, and of a union.
pub const MOMENTS: Piece = piece!("moments");

/// `larger`, `term`, `share`: the steps of a softmax.
pub const SOFTMAX: Piece = piece!("softmax");

/// `start`, `map`, `join`, `finish`: the steps of a reduction, chosen by the override `KIND`.
pub const REDUCE: Piece = piece!("reduce", INDEX, INTEGER);

/// `beats`: which of two values arg-max or arg-min selects.
pub const ARG_REDUCE: Piece = piece!("arg_reduce", INDEX, INTEGER);

/// `place`, `tile`, `store_tile`: matrix products by tiles in workgroup memory.
pub const TILED: Piece = piece!("tiled");

/// Every shared file, for the contract test.
pub const PIECES: &[Piece] = &[
    INDEX,
    ACTIVATION,
    EPILOGUE,
    EPILOGUE1,
    EPILOGUE4,
    EPILOGUE_ROW,
    PAD,
    WINDOW,
    TAPS,
    MAXIMUM,
    POOL2D,
    POOL_BIN,
    MOMENTS,
    INTEGER,
    BINARY,
    MATMUL,
    MATMUL4,
    ROWS8,
    IMPLICIT8,
    PHASES,
    SOFTMAX,
    REDUCE,
    ARG_REDUCE,
    TILED,
];
