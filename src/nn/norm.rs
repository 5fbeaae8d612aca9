//! Normalisation layers.

use super::{Builder, Module, Slot};
use crate::error::{Error, Result};
use crate::graph::ValueId;
use crate::ops::binary::BinaryKind;
use crate::reference::activation::Activation;
use crate::shape::DType;
use crate::tensor::Tensor;

/// Batch norm of any rank; [`BatchNorm1d`] and [`BatchNorm2d`] differ in the inputs they take.
struct BatchNorm {
    features: usize,
    eps: f32,
    /// `None`: the cumulative average.
    momentum: Option<f32>,
    affine: Option<[Slot; 2]>,
    /// running_mean, running_var, num_batches_tracked
    running: Option<[Slot; 3]>,
    training: bool,
    /// Ranks of input that it takes.
    ranks: &'static [usize],
}

const AFFINE: [&str; 2] = ["weight", "bias"];
const RUNNING: [&str; 3] = ["running_mean", "running_var", "num_batches_tracked"];

impl BatchNorm {
    fn new(features: usize, ranks: &'static [usize]) -> BatchNorm {
        let count = Tensor::of([], vec![0i64]);
        BatchNorm {
            features,
            eps: 1e-5,
            momentum: Some(0.1),
            affine: Some([Slot::parameter(Tensor::full([features], 1.0)), Slot::parameter(Tensor::zeros([features]))]),
            running: Some([
                Slot::buffer(Tensor::zeros([features])),
                Slot::buffer(Tensor::full([features], 1.0)),
                Slot::buffer(count),
            ]),
            training: true,
            ranks,
        }
    }

    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let shape = b.graph.shape(x).to_vec();
        if !self.ranks.contains(&shape.len()) || shape[1] != self.features {
            let text = format!("batch norm of {} features and rank {:?} is given {shape:?}", self.features, self.ranks);
            return Err(Error::shape(text));
        }
        let affine = constants(b, &self.affine)?;
        match (&self.running, self.training) {
            (Some([mean, var, _]), false) => {
                let stats = [b.constant("running_mean", mean)?, b.constant("running_var", var)?];
                b.graph.batch_norm(x, affine, stats, self.eps)
            }
            (Some([mean, var, count]), true) => {
                let old = [b.buffer("running_mean", mean)?, b.buffer("running_var", var)?];
                let count = b.buffer("num_batches_tracked", count)?;
                let one = b.graph.constant("one", Tensor::of([], vec![1i64]))?;
                let count = b.graph.binary(count, one, BinaryKind::Add)?;
                b.update("num_batches_tracked", count);
                let (y, new) = match self.momentum {
                    Some(momentum) => {
                        let [y, mean, var] = b.graph.batch_norm_training(x, affine, Some(old), self.eps, momentum)?;
                        (y, [mean, var])
                    }
                    None => {
                        // The cumulative average: momentum is 1 / (batches seen, this one included).
                        let [y, mean, var] = b.graph.batch_norm_training(x, affine, Some(old), self.eps, 1.0)?;
                        let count = b.graph.cast(count, DType::F32)?;
                        let factor = b.graph.activation(count, Activation::Reciprocal)?;
                        let mut mix = |old: ValueId, new: ValueId| -> Result<ValueId> {
                            let change = b.graph.binary(new, old, BinaryKind::Sub)?;
                            let change = b.graph.binary(change, factor, BinaryKind::Mul)?;
                            b.graph.binary(old, change, BinaryKind::Add)
                        };
                        (y, [mix(old[0], mean)?, mix(old[1], var)?])
                    }
                };
                b.update("running_mean", new[0]);
                b.update("running_var", new[1]);
                Ok(y)
            }
            (None, _) => Ok(b.graph.batch_norm_training(x, affine, None, self.eps, 0.0)?[0]),
        }
    }

    fn slots(&self) -> Vec<(String, &Slot)> {
        let affine = self.affine.iter().flat_map(|a| AFFINE.into_iter().zip(a));
        let running = self.running.iter().flat_map(|r| RUNNING.into_iter().zip(r));
        affine.chain(running).map(|(name, s)| (name.to_owned(), s)).collect()
    }

    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        let affine = self.affine.iter_mut().flat_map(|a| AFFINE.into_iter().zip(a));
        let running = self.running.iter_mut().flat_map(|r| RUNNING.into_iter().zip(r));
        affine.chain(running).map(|(name, s)| (name.to_owned(), s)).collect()
    }

    fn set_training(&mut self, training: bool) {
        self.training = training;
        if let Some(running) = &mut self.running {
            running.iter_mut().for_each(Slot::renumber);
        }
    }

    fn describe(&self) -> String {
        let (affine, running) = (self.affine.is_some(), self.running.is_some());
        format!("BatchNorm({:?}, {affine}, {running}, {}, {})", self.momentum, self.eps, self.training)
    }
}

macro_rules! batch_norm {
    ($name:ident, $page:literal, $ranks:expr, $takes:literal) => {
        #[doc = concat!("<https://docs.pytorch.org/docs/stable/generated/torch.nn.", $page, ".html>: ", $takes)]
        ///
        /// In training it normalises by the batch (biased variance) and its running statistics take a step (unbiased
        /// variance); in evaluation it normalises by the running statistics.
        pub struct $name(BatchNorm);

        impl $name {
            /// eps 1e-5, momentum 0.1, affine, running statistics, in training mode.
            pub fn new(num_features: usize) -> $name {
                $name(BatchNorm::new(num_features, $ranks))
            }
            /// Added to the variance.
            pub fn eps(mut self, eps: f32) -> $name {
                self.0.eps = eps;
                self
            }
            /// The weight of the newest batch in the running statistics; `None`: the cumulative average.
            pub fn momentum(mut self, momentum: Option<f32>) -> $name {
                self.0.momentum = momentum;
                self
            }
            /// With or without a learned scale and shift.
            pub fn affine(mut self, affine: bool) -> $name {
                if !affine {
                    self.0.affine = None;
                }
                self
            }
            /// With or without running statistics; without, evaluation normalises by the batch as well.
            pub fn track_running_stats(mut self, track: bool) -> $name {
                if !track {
                    self.0.running = None;
                }
                self
            }
        }

        impl Module for $name {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                self.0.build(b, x)
            }
            fn describe(&self) -> String {
                self.0.describe()
            }
            fn slots(&self) -> Vec<(String, &Slot)> {
                self.0.slots()
            }
            fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
                self.0.slots_mut()
            }
            fn set_training(&mut self, training: bool) {
                self.0.set_training(training);
            }
        }
    };
}

batch_norm!(BatchNorm1d, "BatchNorm1d", &[2, 3], "`[n, c]` or `[n, c, l]`");
batch_norm!(BatchNorm2d, "BatchNorm2d", &[4], "`[n, c, h, w]`");

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html>: over the last axes.
pub struct LayerNorm {
    normalized_shape: Vec<usize>,
    eps: f32,
    affine: Option<[Slot; 2]>,
}

impl LayerNorm {
    /// eps 1e-5, with a learned scale and shift.
    pub fn new(normalized_shape: impl Into<Vec<usize>>) -> LayerNorm {
        let shape = normalized_shape.into();
        let affine = [Slot::parameter(Tensor::full(shape.clone(), 1.0)), Slot::parameter(Tensor::zeros(shape.clone()))];
        LayerNorm { normalized_shape: shape, eps: 1e-5, affine: Some(affine) }
    }
    /// Added to the variance.
    pub fn eps(mut self, eps: f32) -> LayerNorm {
        self.eps = eps;
        self
    }
    /// With or without a learned scale and shift.
    pub fn elementwise_affine(mut self, affine: bool) -> LayerNorm {
        if !affine {
            self.affine = None;
        }
        self
    }
}

/// GroupNorm and InstanceNorm2d: statistics of every group of channels of every image.
struct Grouped {
    channels: usize,
    groups: usize,
    eps: f32,
    affine: Option<[Slot; 2]>,
}

impl Grouped {
    fn new(channels: usize, groups: usize, affine: bool) -> Grouped {
        let slots = [Slot::parameter(Tensor::full([channels], 1.0)), Slot::parameter(Tensor::zeros([channels]))];
        Grouped { channels, groups, eps: 1e-5, affine: affine.then_some(slots) }
    }
}

/// The constants of an optional scale and shift.
fn constants(b: &mut Builder<'_>, affine: &Option<[Slot; 2]>) -> Result<Option<[ValueId; 2]>> {
    match affine {
        Some([w, bias]) => Ok(Some([b.constant("weight", w)?, b.constant("bias", bias)?])),
        None => Ok(None),
    }
}

macro_rules! affine_slots {
    ($($field:tt)+) => {
        fn slots(&self) -> Vec<(String, &Slot)> {
            let pairs = self.$($field)+.iter().flat_map(|a| AFFINE.into_iter().zip(a));
            pairs.map(|(name, s)| (name.to_owned(), s)).collect()
        }
        fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
            let pairs = self.$($field)+.iter_mut().flat_map(|a| AFFINE.into_iter().zip(a));
            pairs.map(|(name, s)| (name.to_owned(), s)).collect()
        }
    };
}

impl Module for LayerNorm {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let affine = constants(b, &self.affine)?;
        b.graph.layer_norm(x, &self.normalized_shape, affine, self.eps)
    }
    fn describe(&self) -> String {
        format!("LayerNorm({:?}, {}, {})", self.normalized_shape, self.eps, self.affine.is_some())
    }
    affine_slots!(affine);
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html>: `[n, c, ..]`.
pub struct GroupNorm(Grouped);

impl GroupNorm {
    /// eps 1e-5, with a learned scale and shift a channel.
    pub fn new(num_groups: usize, num_channels: usize) -> GroupNorm {
        GroupNorm(Grouped::new(num_channels, num_groups, true))
    }
    /// Added to the variance.
    pub fn eps(mut self, eps: f32) -> GroupNorm {
        self.0.eps = eps;
        self
    }
    /// With or without a learned scale and shift.
    pub fn affine(mut self, affine: bool) -> GroupNorm {
        if !affine {
            self.0.affine = None;
        }
        self
    }
}

/// <https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm2d.html>: `[n, c, h, w]`, without running
/// statistics, as PyTorch's default.
pub struct InstanceNorm2d(Grouped);

impl InstanceNorm2d {
    /// eps 1e-5, nothing learned.
    pub fn new(num_features: usize) -> InstanceNorm2d {
        InstanceNorm2d(Grouped::new(num_features, num_features, false))
    }
    /// Added to the variance.
    pub fn eps(mut self, eps: f32) -> InstanceNorm2d {
        self.0.eps = eps;
        self
    }
    /// With or without a learned scale and shift a channel.
    pub fn affine(mut self, affine: bool) -> InstanceNorm2d {
        self.0 = Grouped { eps: self.0.eps, ..Grouped::new(self.0.channels, self.0.groups, affine) };
        self
    }
}

macro_rules! grouped_module {
    ($name:ident) => {
        impl Module for $name {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                let affine = constants(b, &self.0.affine)?;
                if b.graph.shape(x).get(1) != Some(&self.0.channels) {
                    let text = format!("a norm of {} channels is given {:?}", self.0.channels, b.graph.shape(x));
                    return Err(Error::shape(text));
                }
                b.graph.group_norm(x, self.0.groups, affine, self.0.eps)
            }
            fn describe(&self) -> String {
                let Grouped { channels, groups, eps, affine } = &self.0;
                format!("GroupNorm({channels}, {groups}, {eps}, {})", affine.is_some())
            }
            affine_slots!(0.affine);
        }
    };
}

grouped_module!(GroupNorm);
grouped_module!(InstanceNorm2d);
