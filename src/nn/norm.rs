//! Normalisation layers.

use super::layers::{layers, slots_of};
use super::state::have;
use super::{Builder, Module, Slot};
use crate::attr::Activation;
use crate::attr::BinaryKind;
use crate::error::{Error, Result};
use crate::graph::ValueId;
use crate::shape::DType;
use crate::tensor::Tensor;

/// The optional learned scale and shift of a layer, initially ones and zeros.
#[derive(Clone, Debug)]
struct Affine {
    shape: Vec<usize>,
    wanted: bool,
    bias_wanted: bool,
    weight: Option<Slot>,
    bias: Option<Slot>,
}

impl Affine {
    fn new(shape: &[usize], wanted: bool) -> Affine {
        let affine = Affine { shape: shape.to_vec(), wanted, bias_wanted: true, weight: None, bias: None };
        affine.have(wanted, true)
    }

    fn have(mut self, wanted: bool, bias_wanted: bool) -> Affine {
        (self.wanted, self.bias_wanted) = (wanted, bias_wanted);
        have(&mut self.weight, wanted, || Slot::parameter(Tensor::full(self.shape.clone(), 1.0)));
        have(&mut self.bias, wanted && bias_wanted, || Slot::parameter(Tensor::zeros(self.shape.clone())));
        self
    }

    fn constants(&self, b: &mut Builder<'_>) -> Result<[Option<ValueId>; 2]> {
        let mut constant = |name, slot: &Option<Slot>| slot.as_ref().map(|s| b.constant(name, s)).transpose();
        Ok([constant("weight", &self.weight)?, constant("bias", &self.bias)?])
    }

    fn slots(&self) -> Vec<(String, &Slot)> {
        let both = [("weight", &self.weight), ("bias", &self.bias)];
        both.into_iter().filter_map(|(name, slot)| Some((name.to_owned(), slot.as_ref()?))).collect()
    }

    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        let both = [("weight", &mut self.weight), ("bias", &mut self.bias)];
        both.into_iter().filter_map(|(name, slot)| Some((name.to_owned(), slot.as_mut()?))).collect()
    }
}

const RUNNING: [&str; 3] = ["running_mean", "running_var", "num_batches_tracked"];

/// Normalisation of `features` channels over batches or images, with optional running statistics.
#[derive(Clone, Debug)]
struct Tracking {
    features: usize,
    eps: f32,
    momentum: Option<f32>,
    affine: Affine,
    /// running_mean, running_var, num_batches_tracked
    running: Option<[Slot; 3]>,
    training: bool,
}

impl Tracking {
    fn new(features: usize, affine: bool, track: bool) -> Tracking {
        let affine = Affine::new(&[features], affine);
        let norm = Tracking { features, eps: 1e-5, momentum: Some(0.1), affine, running: None, training: true };
        norm.track(track)
    }

    fn track(mut self, track: bool) -> Tracking {
        if !track {
            self.running = None;
        } else if self.running.is_none() {
            let slots =
                [Tensor::zeros([self.features]), Tensor::full([self.features], 1.0), Tensor::of([], vec![0i64])];
            self.running = Some(slots.map(Slot::buffer));
        }
        self
    }

    /// An error unless x has one of these ranks and the right number of channels.
    fn check(&self, b: &Builder<'_>, x: ValueId, ranks: &[usize]) -> Result<()> {
        let shape = b.graph.shape(x);
        if ranks.contains(&shape.len()) && shape[1] == self.features {
            return Ok(());
        }
        Err(Error::shape(format!("a norm of {} channels and rank {ranks:?} is given {shape:?}", self.features)))
    }

    /// Normalises with the running statistics.
    fn by_statistics(&self, b: &mut Builder<'_>, x: ValueId, [mean, var, _]: &[Slot; 3]) -> Result<ValueId> {
        let [weight, bias] = self.affine.constants(b)?;
        let stats = [b.constant(RUNNING[0], mean)?, b.constant(RUNNING[1], var)?];
        b.graph.batch_norm(x, stats, weight, bias, self.eps)
    }

    /// The running statistics as inputs.
    fn old(&self, b: &mut Builder<'_>, [mean, var, _]: &[Slot; 3]) -> Result<[ValueId; 2]> {
        Ok([b.buffer(RUNNING[0], mean)?, b.buffer(RUNNING[1], var)?])
    }

    fn update(&self, b: &mut Builder<'_>, new: [ValueId; 2]) {
        b.update(RUNNING[0], new[0]);
        b.update(RUNNING[1], new[1]);
    }

    /// Batch norm, as `torch.nn.modules.batchnorm._BatchNorm`.
    fn batch_norm(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let Some(running) = &self.running else {
            let [weight, bias] = self.affine.constants(b)?;
            return Ok(b.graph.batch_norm_training(x, None, weight, bias, 0.0, self.eps)?[0]);
        };
        if !self.training {
            return self.by_statistics(b, x, running);
        }
        let [weight, bias] = self.affine.constants(b)?;
        let old = self.old(b, running)?;
        let count = b.buffer(RUNNING[2], &running[2])?;
        let one = b.graph.constant("one", Tensor::of([], vec![1i64]))?;
        let count = b.graph.binary(count, one, BinaryKind::Add)?;
        b.update(RUNNING[2], count);
        // Without a momentum the average is cumulative: the newest batch has the weight 1 / (number of batches, this
        // one included).
        let momentum = self.momentum.unwrap_or(1.0);
        let [y, mean, var] = b.graph.batch_norm_training(x, Some(old), weight, bias, momentum, self.eps)?;
        let mut new = [mean, var];
        if self.momentum.is_none() {
            let count = b.graph.cast(count, DType::F32)?;
            let factor = b.graph.activation(count, Activation::Reciprocal)?;
            for (old, new) in old.into_iter().zip(&mut new) {
                let change = b.graph.binary(*new, old, BinaryKind::Sub)?;
                let change = b.graph.binary(change, factor, BinaryKind::Mul)?;
                *new = b.graph.binary(old, change, BinaryKind::Add)?;
            }
        }
        self.update(b, new);
        Ok(y)
    }

    /// Instance norm, as `torch.nn.modules.instancenorm._InstanceNorm`.
    fn instance_norm(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        match &self.running {
            Some(running) if !self.training => self.by_statistics(b, x, running),
            None => {
                let [weight, bias] = self.affine.constants(b)?;
                b.graph.instance_norm(x, weight, bias, self.eps)
            }
            // Every channel of every image is a channel of one wide image; the new statistics are means over the images.
            Some(running) => {
                let shape = b.graph.shape(x).to_vec();
                let (n, c) = (shape[0], shape[1]);
                let wide = b.graph.reshape(x, [&[1, n * c], &shape[2..]].concat())?;
                let [weight, bias] = self.affine.constants(b)?;
                let old = self.old(b, running)?;
                let mut repeat = |value: ValueId| b.graph.tile(value, &[n]);
                let (weight, bias) = (weight.map(&mut repeat).transpose()?, bias.map(&mut repeat).transpose()?);
                let old = [repeat(old[0])?, repeat(old[1])?];
                // PyTorch uses 0 for a missing momentum here.
                let momentum = self.momentum.unwrap_or(0.0);
                let [y, mean, var] = b.graph.batch_norm_training(wide, Some(old), weight, bias, momentum, self.eps)?;
                let mut over_images = |value: ValueId| {
                    let rows = b.graph.reshape(value, [n, c])?;
                    b.graph.mean(rows, &[0], false)
                };
                let new = [over_images(mean)?, over_images(var)?];
                self.update(b, new);
                b.graph.reshape(y, shape)
            }
        }
    }

    fn slots(&self) -> Vec<(String, &Slot)> {
        let running = self.running.iter().flat_map(|r| RUNNING.into_iter().zip(r));
        self.affine.slots().into_iter().chain(running.map(|(name, s)| (name.to_owned(), s))).collect()
    }

    fn slots_mut(&mut self) -> Vec<(String, &mut Slot)> {
        let running = self.running.iter_mut().flat_map(|r| RUNNING.into_iter().zip(r));
        self.affine.slots_mut().into_iter().chain(running.map(|(name, s)| (name.to_owned(), s))).collect()
    }
}

macro_rules! tracking {
    ($(#[$doc:meta])* $name:ident, $affine:literal, $track:literal, $ranks:expr, $build:ident, $none:literal) => {
        $(#[$doc])*
        #[doc = concat!("It is [torch.nn.", stringify!($name), "](https://docs.pytorch.org/docs/stable/generated/torch.nn.", stringify!($name), ".html).")]
        #[derive(Clone, Debug)]
        pub struct $name(Tracking);

        impl $name {
            #[doc = concat!("A norm of `num_features` channels, with eps 1e-5, momentum 0.1, affine ", $affine, ", track_running_stats ", $track, ", in training mode.")]
            pub fn new(num_features: usize) -> $name {
                $name(Tracking::new(num_features, $affine, $track))
            }
            /// Added to the variance; 1e-5 by default.
            #[must_use]
            pub fn eps(mut self, eps: f32) -> $name {
                self.0.eps = eps;
                self
            }
            /// The weight of the newest batch in the running statistics; 0.1 by default.
            #[doc = $none]
            #[must_use]
            pub fn momentum(mut self, momentum: impl Into<Option<f32>>) -> $name {
                self.0.momentum = momentum.into();
                self
            }
            #[doc = concat!("With or without a learned scale and shift per channel; ", $affine, " by default.")]
            #[must_use]
            pub fn affine(mut self, affine: bool) -> $name {
                self.0.affine = self.0.affine.have(affine, true);
                self
            }
            #[doc = concat!("With or without running statistics; ", $track, " by default. Without them evaluation and training compute the same.")]
            #[must_use]
            pub fn track_running_stats(mut self, track: bool) -> $name {
                self.0 = self.0.track(track);
                self
            }
        }

        impl Module for $name {
            fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
                self.0.check(b, x, &$ranks)?;
                self.0.$build(b, x)
            }
            slots_of!(0);
            fn set_training(&mut self, training: bool) {
                self.0.training = training;
            }
        }
    };
}

tracking! {
    /// Normalises each channel to mean 0 and standard deviation 1 over the batch, then scales and shifts it:
    /// `(x - mean) / sqrt(var + eps) weight + bias`. `[n, c]` or `[n, c, l]` to the same.
    ///
    /// In training mode, mean and (biased) variance are those of the batch, and the running statistics are updated
    /// (with the unbiased variance); in evaluation mode they are the running statistics. The state is `weight`, `bias`,
    /// `running_mean`, `running_var`, each `[c]`, and `num_batches_tracked`.
    BatchNorm1d, true, true, [2, 3], batch_norm, "With `None` they are the mean over all batches."
}

tracking! {
    /// Normalises each channel to mean 0 and standard deviation 1 over the batch, then scales and shifts it:
    /// `(x - mean) / sqrt(var + eps) weight + bias`. `[n, c, h, w]` to the same.
    ///
    /// In training mode, mean and (biased) variance are those of the batch, and the running statistics are updated
    /// (with the unbiased variance); in evaluation mode they are the running statistics. The state is `weight`, `bias`,
    /// `running_mean`, `running_var`, each `[c]`, and `num_batches_tracked`.
    ///
    /// ```
    /// use convgpu::nn::{BatchNorm2d, Module};
    /// use convgpu::{Device, ErrorKind, Tensor};
    ///
    /// let mut norm = BatchNorm2d::new(1).momentum(0.5);
    /// let x = Tensor::new([2, 1, 1, 2], vec![1.0f32, 3.0, 5.0, 7.0])?.to_device(&Device::cpu())?;
    ///
    /// // A new layer is in training mode, where a pass changes it.
    /// assert_eq!(norm.forward(&x).unwrap_err().kind(), ErrorKind::Argument);
    /// norm.forward_train(&x)?;
    /// let state = norm.state_dict();
    /// assert_eq!(state.get("running_mean").unwrap().as_f32()?, [2.0]); // half of 0, half of 4
    ///
    /// norm.eval();
    /// let y = norm.forward(&x)?.to_host()?;
    /// assert!(y.as_f32()?[0] < 0.0 && y.as_f32()?[1] > 0.0); // 1 and 3 are below and above 2
    /// # Ok::<(), convgpu::Error>(())
    /// ```
    ///
    BatchNorm2d, true, true, [4], batch_norm, "With `None` they are the mean over all batches."
}

tracking! {
    /// Normalises each channel to mean 0 and standard deviation 1 over the batch, then scales and shifts it:
    /// `(x - mean) / sqrt(var + eps) weight + bias`. `[n, c, d, h, w]` to the same.
    ///
    /// In training mode, mean and (biased) variance are those of the batch, and the running statistics are updated
    /// (with the unbiased variance); in evaluation mode they are the running statistics. The state is `weight`, `bias`,
    /// `running_mean`, `running_var`, each `[c]`, and `num_batches_tracked`.
    BatchNorm3d, true, true, [5], batch_norm, "With `None` they are the mean over all batches."
}

tracking! {
    /// Normalises each channel of each image to mean 0 and standard deviation 1, then scales and shifts it:
    /// `(x - mean) / sqrt(var + eps) weight + bias`. `[n, c, h, w]` to the same.
    ///
    /// With running statistics, evaluation normalises with them, and training updates them with the mean over the batch
    /// of the images' means and unbiased variances. The state is `weight` and `bias`, and `running_mean`,
    /// `running_var`, `num_batches_tracked` (which stays 0, as in PyTorch); by default there is no state.
    InstanceNorm2d, false, false, [4], instance_norm, "With `None` they stay as they are."
}

tracking! {
    /// Normalises each channel of each volume to mean 0 and standard deviation 1, then scales and shifts it:
    /// `(x - mean) / sqrt(var + eps) weight + bias`. `[n, c, d, h, w]` to the same.
    ///
    /// With running statistics, evaluation normalises with them, and training updates them with the mean over the batch
    /// of the volumes' means and unbiased variances. The state is `weight` and `bias`, and `running_mean`,
    /// `running_var`, `num_batches_tracked` (which stays 0, as in PyTorch); by default there is no state.
    InstanceNorm3d, false, false, [5], instance_norm, "With `None` they stay as they are."
}

/// Normalises each slice over the last axes to mean 0 and standard deviation 1, then scales and shifts each element:
/// `(x - mean) / sqrt(var + eps) weight + bias`. `[.., normalized_shape..]` to the same.
///
/// It is [torch.nn.LayerNorm](https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html). The state is
/// `weight` and `bias`, both of the normalized shape.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    eps: f32,
    affine: Affine,
}

impl LayerNorm {
    /// Over the last axes, which have this shape; eps 1e-5, with a learned scale and shift.
    pub fn new(normalized_shape: impl Into<Vec<usize>>) -> LayerNorm {
        LayerNorm { eps: 1e-5, affine: Affine::new(&normalized_shape.into(), true) }
    }
    /// Added to the variance; 1e-5 by default.
    #[must_use]
    pub fn eps(mut self, eps: f32) -> LayerNorm {
        self.eps = eps;
        self
    }
    /// With or without a learned scale and shift; with them by default.
    #[must_use]
    pub fn elementwise_affine(mut self, affine: bool) -> LayerNorm {
        let bias = self.affine.bias_wanted;
        self.affine = self.affine.have(affine, bias);
        self
    }
    /// Whether a learned scale has a learned shift with it; true by default.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> LayerNorm {
        let affine = self.affine.wanted;
        self.affine = self.affine.have(affine, bias);
        self
    }
}

impl Module for LayerNorm {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        let [weight, bias] = self.affine.constants(b)?;
        b.graph.layer_norm(x, &self.affine.shape, weight, bias, self.eps)
    }
    slots_of!(affine);
}

/// Normalises each group of consecutive channels of each image to mean 0 and standard deviation 1, then scales and
/// shifts each channel: `(x - mean) / sqrt(var + eps) weight + bias`. `[n, c, ..]` to the same.
///
/// It is [torch.nn.GroupNorm](https://docs.pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html). The state is
/// `weight` and `bias`, both `[c]`.
#[derive(Clone, Debug)]
pub struct GroupNorm {
    num_groups: usize,
    num_channels: usize,
    eps: f32,
    affine: Affine,
}

impl GroupNorm {
    /// A norm of `num_channels` channels in `num_groups` groups; eps 1e-5, with a learned scale and shift per channel.
    pub fn new(num_groups: usize, num_channels: usize) -> GroupNorm {
        GroupNorm { num_groups, num_channels, eps: 1e-5, affine: Affine::new(&[num_channels], true) }
    }
    /// Added to the variance; 1e-5 by default.
    #[must_use]
    pub fn eps(mut self, eps: f32) -> GroupNorm {
        self.eps = eps;
        self
    }
    /// With or without a learned scale and shift; with them by default.
    #[must_use]
    pub fn affine(mut self, affine: bool) -> GroupNorm {
        self.affine = self.affine.have(affine, true);
        self
    }
}

impl Module for GroupNorm {
    fn build(&self, b: &mut Builder<'_>, x: ValueId) -> Result<ValueId> {
        if b.graph.shape(x).get(1) != Some(&self.num_channels) {
            let text = format!("a norm of {} channels is given {:?}", self.num_channels, b.graph.shape(x));
            return Err(Error::shape(text));
        }
        let [weight, bias] = self.affine.constants(b)?;
        b.graph.group_norm(x, self.num_groups, weight, bias, self.eps)
    }
    slots_of!(affine);
}

layers! {
    /// Normalises each value by the neighbouring channels: `x (k + alpha / size sum of x^2)^-beta`, the sum over `size`
    /// channels around its own. `[n, c, ..]` to the same.
    LocalResponseNorm {
        /// A norm over `size` neighbouring channels; alpha 1e-4, beta 0.75, k 1.
        new(size: usize);
        /// The weight of the mean square; 1e-4 by default.
        alpha: f32 = 1e-4;
        /// The exponent; 0.75 by default.
        beta: f32 = 0.75;
        /// Added to the weighted mean square; 1 by default.
        k: f32 = 1.0;
    } |layer, graph, x| graph.local_response_norm(x, layer.size, layer.alpha, layer.beta, layer.k);
}
