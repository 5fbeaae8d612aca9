//! A variant that stores its tensors in f16, made from one in f32.

use super::{Site, Variant};
use crate::gpu::launch::{Arg, Launch};
use crate::shape::{DType, Layout, Precision};

use Precision::{F16, F32};

impl Variant {
    /// The same variant with its channels-last tensors and its packed weights in f16: launches whose kernels have the
    /// alias `Stored` use it as `f16`. `None` if no tensor becomes f16, or a kernel binds such a tensor as another
    /// type.
    ///
    /// Row-major tensors, scratch and tables do not change; a prepared buffer becomes f16 if its kernel writes `Stored`.
    pub(crate) fn in_half(&self, site: &Site<'_>) -> Option<Variant> {
        let of = |layout, dtype| if (layout, dtype) == (Layout::ChannelsLast, DType::F32) { F16 } else { F32 };
        let tensor = |arg: &Arg| match *arg {
            Arg::Input(k) => Some(of(self.inputs[k], site.inputs[k].dtype)),
            Arg::Output(k) => Some(of(self.outputs[k], site.outputs[k].dtype)),
            Arg::Scratch(_) | Arg::Table(_) => Some(F32),
            Arg::Prepared(_) => None,
        };
        let mut half = Variant { precision: F16, ..self.clone() };
        for launch in half.prepare.iter_mut().chain(&mut half.run) {
            launch.precision = agreed(launch, tensor)?;
        }
        let mut packed = vec![F32; self.prepared.len()];
        for launch in &half.prepare {
            for (arg, precision) in bindings(launch, launch.precision).skip(launch.reads.len()) {
                if let Arg::Prepared(k) = *arg {
                    packed[k] = precision;
                }
            }
        }
        for (k, bytes) in half.prepared.iter_mut().enumerate().filter(|(k, _)| packed[*k] == F16) {
            *bytes = (self.prepared[k] / 2).next_multiple_of(16);
        }
        let fits = |launch: &Launch| {
            bindings(launch, launch.precision).all(|(arg, seen)| match *arg {
                Arg::Prepared(k) => packed[k] == seen,
                _ => true,
            })
        };
        let fits = half.run.iter().all(fits);
        (fits && half.run.iter().any(|l| l.precision == F16)).then_some(half)
    }

    /// Which of the node's inputs the kernels read in f16.
    pub(crate) fn rounds(&self, inputs: usize) -> Vec<bool> {
        let packed = |k| self.prepare.iter().any(|l| l.precision == F16 && l.reads.contains(&Arg::Input(k)));
        let rounds = |k: usize| self.precision == F16 && (self.inputs[k] == Layout::ChannelsLast || packed(k));
        (0..inputs).map(rounds).collect()
    }
}

/// The tensors of a launch, and the precision that its kernel assumes for each if its `Stored` has this precision.
fn bindings(launch: &Launch, precision: Precision) -> impl Iterator<Item = (&Arg, Precision)> {
    let seen = launch.kernel.stored_by(launch.sums).into_iter().map(move |stored| if stored { precision } else { F32 });
    let own = launch.reads.iter().chain(&launch.writes).map(Some);
    let epilogue = launch.epilogue.iter().flat_map(|e| e.tensors.each_ref().map(Option::as_ref));
    own.chain(epilogue).zip(seen).filter_map(|(arg, seen)| Some((arg?, seen)))
}

/// The precision of a launch for which its kernel assumes the actual precision of every tensor.
fn agreed(launch: &Launch, tensor: impl Fn(&Arg) -> Option<Precision>) -> Option<Precision> {
    let stored = launch.kernel.stored_by(launch.sums).contains(&true);
    let fits = |p: &Precision| bindings(launch, *p).all(|(arg, seen)| tensor(arg).is_none_or(|t| t == seen));
    [F16, F32].into_iter().filter(|p| stored || *p == F32).find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::caps::Caps;
    use crate::ops::conv2d::Conv2d;
    use crate::ops::{Epilogue, Op};
    use crate::shape::Desc;

    #[test]
    fn inputs_are_rounded_which_a_preparation_packs_whatever_the_others_do() {
        let inputs = [Desc::f32([1, 8, 9, 9]), Desc::f32([8, 8, 3, 3])];
        let op = Conv2d::default();
        let site = Site {
            inputs: &inputs,
            outputs: &op.outputs(&inputs).unwrap(),
            layouts: &[Layout::ChannelsLast; 2],
            constant: &[false, true],
            epilogue: &Epilogue::NONE,
            precision: F16,
            caps: &Caps::webgpu_default(),
        };
        let packs = |v: &Variant| !v.prepare.is_empty() && v.inputs == [Layout::ChannelsLast, Layout::RowMajor];
        let halves = op.launches(&site).unwrap();
        let mut half = halves.iter().filter_map(|v| v.in_half(&site)).find(packs).unwrap();
        assert_eq!(half.rounds(2), [true, true]);
        let other = Launch { precision: F32, reads: vec![Arg::Input(0)], ..half.prepare[0].clone() };
        half.prepare.push(other);
        assert_eq!(half.rounds(2), [true, true]);
        half.prepare.remove(0);
        assert_eq!(half.rounds(2), [true, false]);
    }
}
