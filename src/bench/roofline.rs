//! The peak rates of an adapter, measured with two kernels that do nothing else (Williams, Waterman and Patterson,
//! Roofline, 2009).

use super::case::Case;
use super::race::{Contestant, Effort, by_one_clock, clock, race};
use super::samples::seconds;
use crate::bound::gamma;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::gpu::clock::Clock;
use crate::gpu::launch::{Launch, nested, params};
use crate::gpu::roofline;
use crate::ops::{Bounds, Op, Site, Variant, built_in, moves_elements};
use crate::shape::Desc;
use crate::tensor::Tensor;
use crate::verify::node::{Expected, check_against};

/// `y = u + v`, `u` and `v` being x and x + 1 after `8 rounds` additions of 1, each a fused multiply-add.
///
/// Input: x, f32, a multiple of 4 elements. Output: y, shaped like x. Integers are exact.
#[derive(Clone, Debug)]
pub struct FmaChain {
    /// The number of rounds, of eight steps each.
    pub rounds: usize,
}

/// `y = x`, through a kernel.
///
/// Input: x, f32, a multiple of 4 elements. Output: y, shaped like x.
#[derive(Clone, Debug)]
pub struct Copy;

fn like_input(op: &dyn Op, inputs: &[Desc]) -> Result<Vec<Desc>> {
    match inputs {
        [x] if *x == Desc::f32(x.shape.clone()) && x.numel().is_multiple_of(4) => Ok(vec![x.clone()]),
        _ => Err(Error::shape(format!("{} takes one f32 tensor of a multiple of 4 elements", op.name()))),
    }
}

impl Op for FmaChain {
    built_in!("fma_chain": rounds);
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        like_input(self, inputs)
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![inputs[0].map(|x| 2.0 * x + 1.0 + 16.0 * self.rounds as f64)])
    }
    /// A sum of `16 rounds + 3` terms in some order.
    fn bounds(&self, inputs: &[Tensor], _: &[Tensor]) -> Result<Bounds> {
        let terms = 16 * self.rounds;
        let bound = |x: &f32| (gamma(terms + 3) * (2.0 * f64::from(x.abs()) + 1.0 + terms as f64)) as f32;
        Ok(Some(vec![inputs[0].f32s().iter().map(bound).collect()]))
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let count4 = site.inputs[0].numel() / 4;
        let params = params!(count4, rounds: self.rounds, a: 1.0f32, b: 1.0f32);
        let launch = Launch::flat(&roofline::FMA, count4, params).iterations(nested(&[self.rounds]));
        Ok(vec![Variant::single(site, launch)])
    }
    fn flops(&self, inputs: &[Desc], _: &[Desc]) -> u64 {
        (inputs[0].numel() * 2 * 8 * self.rounds * 2) as u64
    }
}

impl Op for Copy {
    built_in!("copy");
    moves_elements!();
    fn outputs(&self, inputs: &[Desc]) -> Result<Vec<Desc>> {
        like_input(self, inputs)
    }
    fn reference(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(inputs.to_vec())
    }
    fn launches(&self, site: &Site<'_>) -> Result<Vec<Variant>> {
        let count4 = site.inputs[0].numel() / 4;
        Ok(vec![Variant::single(site, Launch::stream(&roofline::COPY, count4, params!(count4)))])
    }
}

/// The measured ceilings of a device.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ceilings {
    /// Floating-point operations per second of chains of fused multiply-adds.
    pub flops: f64,
    /// Bytes per second, read and written, of a copy larger than the caches.
    pub bytes: f64,
    /// The clock of both.
    pub clock: Clock,
}

impl Ceilings {
    /// Measures them, after both kernels have been checked.
    ///
    /// # Errors
    /// The device is the reference, is lost, or computes them wrongly.
    pub async fn measure(device: &Device, effort: &Effort) -> Result<Ceilings> {
        by_one_clock(async || clock(device).await, async |clock| Ceilings::by(clock, device, effort).await).await
    }

    async fn by(clock: Clock, device: &Device, effort: &Effort) -> Result<Ceilings> {
        let software = device.gpu().is_some_and(|gpu| gpu.caps().software);
        let integers = |n: usize| Tensor::of(vec![n], (0..n).map(|i| (i % 1021) as f32).collect::<Vec<_>>());
        let (chains, words) = if software { (1 << 17, 1 << 22) } else { (1 << 22, 1 << 25) };
        let fma = Case::new("fma", FmaChain { rounds: 64 }, vec![integers(chains)], 1)?;
        let copy = Case::new("copy", Copy, vec![integers(words)], 1)?;
        let mut rates = vec![];
        for (case, work) in [(&fma, fma.flops), (&copy, copy.bytes)] {
            let expected = Expected::of(case.node(), &case.values)?;
            let checked = check_against(device, &case.graph, &case.values, &expected, &case.setup(0)).await?;
            checked.comparisons.into_iter().try_for_each(|c| c.into_result().map(drop))?;
            let mut alone = [Contestant::new(device, case, 0, f64::INFINITY).await?];
            race(&mut alone, effort).await.map_err(|stopped| stopped.error)?;
            rates.push(work as f64 / seconds(alone[0].kernel.median()));
        }
        Ok(Ceilings { flops: rates[0], bytes: rates[1], clock })
    }
}
