//! Pooling.

use super::attribute;

attribute! {
    /// How adaptive pooling reduces a bin.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum PoolKind {
        /// Its mean.
        Avg,
        /// Its maximum; NaN if it has one.
        Max,
    }
}
