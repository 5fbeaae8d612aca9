//! What the project's own tests and its command line need beyond the public API. No promise of stability holds here.

/// Operators, one module each.
pub mod ops {
    pub use crate::ops::{Algorithm, Alternative, Epilogue, Op, Site, kernels};
    macro_rules! operators {
        ($($name:ident)*) => {$(
            #[doc = concat!("The operators of `", stringify!($name), "`.")]
            pub mod $name {
                pub use crate::ops::$name::*;
            }
        )*};
    }
    operators! {
        adaptive_pool2d batch_norm binary cast catalog concat conv2d conv_transpose2d epilogue expand gather group_norm
        layer_norm local_response_norm matmul normalize pad permute pixel_shuffle pool2d prelu reduce relayout reshape
        resize select sine slice softmax split tile top_k unary
    }
}

/// Graphs, rewrites, plans.
pub mod graph {
    pub use crate::graph::*;
    pub mod plan {
        pub use crate::graph::plan::*;
    }
    pub mod rewrite {
        pub use crate::graph::rewrite::*;
    }
    pub mod tuning {
        pub use crate::graph::tuning::*;
    }
}

/// What a device is asked to do.
pub mod gpu {
    pub mod adapter {
        pub use crate::gpu::adapter::*;
    }
    pub mod caps {
        pub use crate::gpu::caps::*;
    }
    pub mod kernel {
        pub use crate::gpu::kernel::*;
    }
    #[cfg(not(target_arch = "wasm32"))]
    pub mod profile {
        pub use crate::gpu::profile::*;
    }
    pub mod recording {
        pub use crate::gpu::recording::*;
    }
    pub mod program {
        pub use crate::gpu::program::*;
    }
}

/// Compiled graphs.
pub mod session {
    pub use crate::session::*;
}

/// Files.
pub mod model {
    pub use crate::model::*;
    pub mod onnx {
        pub use crate::model::onnx::*;
    }
    pub mod proto {
        pub use crate::model::proto::*;
    }
    pub mod safetensors {
        pub use crate::model::safetensors::*;
    }
}

/// Comparison with the reference.
pub mod verify {
    pub use crate::verify::*;
    pub mod network {
        pub use crate::verify::network::*;
    }
}

/// Measuring.
#[cfg(not(target_arch = "wasm32"))]
pub mod bench {
    pub use crate::bench::*;
}

/// The reference's numbers.
pub mod reference {
    pub use crate::reference::UNIT;
    pub mod activation {
        pub use crate::reference::activation::*;
    }
    pub mod half {
        pub use crate::reference::half::*;
    }
}

/// Shapes.
pub mod shape {
    pub use crate::shape::*;
}
