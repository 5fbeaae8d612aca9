//! A small deterministic generator (splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): what
//! is drawn from a seed is the same on every machine, and with every version of every dependency.

use crate::shape::DType;

/// The state: any number is a seed.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// The next 64 bits.
    #[allow(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [-1, 1).
    pub fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    /// Uniform in [0, 1), with as many bits as the type has.
    pub fn unit(&mut self, dtype: DType) -> f64 {
        let bits = if dtype == DType::F64 { f64::MANTISSA_DIGITS } else { f32::MANTISSA_DIGITS };
        (self.next() >> (u64::BITS - bits)) as f64 / (1u64 << bits) as f64
    }

    /// Uniform in (0, 1).
    pub fn inside(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Normally distributed with mean 0 and variance 1 (Box and Muller, "A note on the generation of random normal deviates", 1958).
    pub fn normal(&mut self) -> f64 {
        let (radius, turn) = (self.inside(), self.inside());
        (-2.0 * radius.ln()).sqrt() * (turn * std::f64::consts::TAU).cos()
    }
}
