//! Hashes that stand for what they were made of.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::LazyLock;

use xxhash_rust::xxh3::{Xxh3, xxh3_128_with_seed};

/// A hash of 128 bits, which takes the place of what it was made of: two that are equal are taken for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity(u128);

/// Another one in every process, so that no file can be made to have the hash of another.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

impl Identity {
    /// The identity of a description.
    pub fn of(description: impl Hash) -> Identity {
        let mut hasher = Xxh3::with_seed(*SEED);
        description.hash(&mut hasher);
        Identity(hasher.digest128())
    }

    /// One of the numbers below this one, each as likely.
    pub fn below(self, end: u64) -> u64 {
        (self.0 % u128::from(end.max(1))) as u64
    }

    /// The identity of bytes.
    pub fn of_bytes(bytes: &[u8]) -> Identity {
        Identity(xxh3_128_with_seed(bytes, *SEED))
    }
}
