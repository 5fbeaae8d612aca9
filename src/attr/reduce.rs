//! Reductions of sets of values to one.

use super::attribute;

attribute! {
    /// The kind of a reduction.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum ReduceKind, "REDUCE" {
        /// sum x
        Sum,
        /// sum x / n
        Mean,
        /// the largest; NaN if a value is NaN
        Max,
        /// the smallest; NaN if a value is NaN
        Min,
        /// product x
        Prod,
        /// sum |x|
        L1,
        /// sqrt(sum x^2)
        L2,
        /// log(sum x)
        LogSum,
        /// log(sum e^x)
        LogSumExp,
        /// sum x^2
        SumSquare,
    }
}

attribute! {
    /// Which value an arg-reduction looks for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Extreme {
        /// The largest.
        Max,
        /// The smallest.
        Min,
    }
}
