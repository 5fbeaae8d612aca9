//! Where an operator stands in a plan.

use super::epilogue::Epilogue;
use crate::gpu::caps::Caps;
use crate::gpu::launch::Arg;
use crate::shape::{Desc, Layout, Precision};

/// The context of an operator in a plan: all that the choice of kernels may depend on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Site<'a> {
    /// The operator's inputs, then those of the epilogue.
    pub inputs: &'a [Desc],
    /// The outputs.
    pub outputs: &'a [Desc],
    /// The present layout of each input; another one costs a conversion.
    pub layouts: &'a [Layout],
    /// Which inputs are constant: `prepare` launches that only read these run once.
    pub constant: &'a [bool],
    /// The capabilities of the device.
    pub caps: &'a Caps,
    /// What the kernel applies to the first output.
    pub(crate) epilogue: &'a Epilogue,
    /// How floats are stored where there is a choice. With f16, each variant is preceded by its form in f16
    /// (`Variant::in_half`); the operator need not know of it.
    pub(crate) precision: Precision,
}

impl Site<'_> {
    /// Whether input `i` is channels-last (or has the same bytes in both layouts); false if there is no such input.
    pub fn is_channels_last(&self, i: usize) -> bool {
        self.layouts.get(i) == Some(&Layout::ChannelsLast) || self.inputs.get(i).is_some_and(Desc::layouts_coincide)
    }
    /// The number of the operator's own inputs.
    pub(super) fn own_inputs(&self) -> usize {
        self.inputs.len() - self.epilogue.inputs()
    }
    /// The bias of an operator with image, weight and optional bias.
    pub(super) fn bias(&self) -> Option<Arg> {
        (self.own_inputs() == 3).then_some(Arg::Input(2))
    }
}
