//! What a kernel applies to its first output before it stores it: a residual, an activation.

use std::fmt;

use crate::attr::{Activation, Coded, attribute};
use crate::bound::UNIT;
use crate::gpu::launch::{Arg, EpilogueBindings, Launch, params};
use crate::parallel;
use crate::shape::Desc;
use crate::tensor::Tensor;

/// `y = activation(op(inputs) + residual)`. Its tensors follow the operator's own inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Epilogue {
    /// Which input of the node is added, a tensor of the output's shape.
    pub residual: Option<usize>,
    /// Which input of the node is the slope of a parametric relu, one number or one per channel.
    pub slope: Option<usize>,
    /// Applied last.
    pub activation: Activation,
}

attribute!(struct Epilogue { residual, slope, activation });

impl Epilogue {
    /// Nothing.
    pub const NONE: Epilogue = Epilogue { residual: None, slope: None, activation: Activation::Identity };

    /// The number of the node's inputs that belong to the epilogue.
    pub fn inputs(&self) -> usize {
        usize::from(self.residual.is_some()) + usize::from(self.slope.is_some())
    }

    /// Whether there is nothing to do.
    pub fn is_none(&self) -> bool {
        *self == Epilogue::NONE
    }

    /// The reference meaning, from the operator's own output `y`.
    pub fn reference(&self, inputs: &[Tensor], y: &Tensor) -> Tensor {
        let sums = self.sums(inputs, y);
        Tensor::of(
            y.shape(),
            parallel::collect(y.numel(), |i| {
                let (f, sum) = sums(i);
                f.eval(sum) as f32
            }),
        )
    }

    /// The bound, from the operator's own output `y` and its `bound`.
    pub fn bounds(&self, inputs: &[Tensor], y: &Tensor, bound: &[f32]) -> Vec<f32> {
        let (sums, y) = (self.sums(inputs, y), y.f32s());
        parallel::collect(y.len(), |i| {
            let (f, sum) = sums(i);
            let error = f64::from(bound[i]) + UNIT * (f64::from(y[i]).abs() + sum.abs());
            (f.spread(sum, error) + f.bound(sum, f.eval(sum))) as f32
        })
    }

    /// Of every element the activation, and what it is applied to.
    fn sums<'a>(&self, inputs: &'a [Tensor], y: &'a Tensor) -> impl Fn(usize) -> (Activation, f64) + Sync + 'a {
        let residual = self.residual.map(|i| inputs[i].f32s());
        let slope = self.slope.map(|i| inputs[i].f32s());
        let (channels, plane) = (y.shape()[1], y.shape()[2..].iter().product::<usize>());
        let (y, activation) = (y.f32s(), self.activation);
        move |i| {
            let f = match slope {
                Some(s) => Activation::LeakyRelu { slope: s[if s.len() == 1 { 0 } else { i / plane % channels }] },
                None => activation,
            };
            (f, f64::from(y[i]) + residual.map_or(0.0, |r| f64::from(r[i])))
        }
    }

    /// Completes a launch of a kernel with an epilogue whose output has these `channels`: its overrides, and the bindings
    /// of group 1 (`shaders/shared/epilogue.wgsl`). `inputs` are the node's. The output is the whole tensor: `y_pitch` is
    /// its blocks of four channels per pixel.
    pub fn attach(&self, mut launch: Launch, channels: usize, inputs: &[Desc], bias: Option<Arg>) -> Launch {
        let [act_a, act_b, act_c] = self.activation.params();
        let slopes = self.slope.map_or(1, |i| inputs[i].numel());
        let params = params!(channels, slopes, act_a, act_b, act_c, y_pitch: channels.div_ceil(4), y_first: 0u32);
        let tensors = [bias, self.residual.map(Arg::Input), self.slope.map(Arg::Input)];
        for (name, arg) in ["HAS_BIAS", "HAS_RESIDUAL", "HAS_SLOPE"].into_iter().zip(tensors) {
            launch = launch.set(name, u8::from(arg.is_some()));
        }
        launch.epilogue = Some(EpilogueBindings { params, tensors });
        launch.set("ACT", self.activation.code())
    }
}

impl Default for Epilogue {
    fn default() -> Epilogue {
        Epilogue::NONE
    }
}

impl fmt::Display for Epilogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.residual.is_some() {
            f.write_str(" + residual")?;
        }
        if self.slope.is_some() {
            f.write_str(" + prelu")?;
        }
        if self.activation != Activation::Identity {
            write!(f, " + {}", self.activation.name())?;
        }
        Ok(())
    }
}
