//! Constants on a device: each exists once, whichever programs read it. Plans of one network for several sizes, and sessions of
//! one model, share their weights.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, LazyLock, Mutex, Weak};

use rayon::prelude::*;
use xxhash_rust::xxh3::{Xxh3, xxh3_128_with_seed};

use super::pipelines::PipelineKey;
use super::recording::{Contents, Dispatch, Recording};

/// What a buffer of constants holds, as a hash of 128 bits: of the elements, and of the steps that made it from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity(u128);

/// Another one in every process, so that no file can be made to have the hash of another.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

impl Identity {
    fn of(description: impl Hash) -> Identity {
        let mut hasher = Xxh3::with_seed(*SEED);
        description.hash(&mut hasher);
        Identity(hasher.digest128())
    }

    /// The identity of bytes.
    pub fn of_bytes(bytes: &[u8]) -> Identity {
        Identity(xxh3_128_with_seed(bytes, *SEED))
    }

    fn of_contents(contents: &Contents, size: u64) -> Identity {
        match contents {
            Contents::Words(words) => Identity::of((Identity::of_bytes(words.data().bytes()), size)),
            Contents::Made(from, params, make) => {
                Identity::of((Identity::of_bytes(from.data().bytes()), params.bytes(), *make as usize, size))
            }
        }
    }

    /// What the k-th output of a dispatch is, which reads these.
    fn of_written(d: &Dispatch, k: usize, reads: &[Identity], before: Option<Identity>, size: u64) -> Identity {
        let range = |r: &super::recording::Range| (r.offset, r.bytes);
        let ranges: Vec<_> = d.reads.iter().chain(&d.writes).map(range).collect();
        Identity::of((PipelineKey::of(d), d.params.bytes(), d.workgroups, ranges, k, reads, before, size))
    }
}

/// What each buffer of a recording holds when `prepare` is done, given the numbers of the tensors that are on the device already;
/// `None` where that depends on more than constants.
pub fn identities(recording: &Recording, resident: impl IntoIterator<Item = u64>) -> Vec<Option<Identity>> {
    let mut found = vec![None; recording.buffers.len()];
    let size = |buffer: usize| recording.buffers[buffer].bytes;
    let constants = recording.constants.par_iter();
    let constants = constants.map(|(r, contents)| (r.buffer, Identity::of_contents(contents, size(r.buffer))));
    constants.collect::<Vec<_>>().into_iter().for_each(|(buffer, identity)| found[buffer] = Some(identity));
    for (&buffer, number) in recording.resident.iter().zip(resident) {
        found[buffer] = Some(Identity::of(("resident", number, size(buffer))));
    }
    let mut unknown: HashSet<usize> = HashSet::new();
    for d in recording.preparations() {
        let reads: Option<Vec<Identity>> = d.reads.iter().map(|r| found[r.buffer]).collect();
        for (k, to) in d.writes.iter().enumerate() {
            let before = found[to.buffer];
            let known = reads.as_ref().filter(|_| !unknown.contains(&to.buffer));
            found[to.buffer] = known.map(|reads| Identity::of_written(d, k, reads, before, size(to.buffer)));
            if found[to.buffer].is_none() {
                unknown.insert(to.buffer);
            }
        }
    }
    found
}

/// The constants of a device that a program holds.
#[derive(Default)]
pub(crate) struct Weights(Mutex<HashMap<Identity, Weak<wgpu::Buffer>>>);

impl Weights {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Identity, Weak<wgpu::Buffer>>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The buffer that holds this, if a program has one.
    pub fn find(&self, identity: Identity) -> Option<Arc<wgpu::Buffer>> {
        self.lock().get(&identity).and_then(Weak::upgrade)
    }

    /// Those of these that programs have.
    pub fn held(&self, wanted: &[(Identity, u64)]) -> Vec<Arc<wgpu::Buffer>> {
        wanted.iter().filter_map(|(identity, _)| self.find(*identity)).collect()
    }

    /// Lets other programs find a buffer. What fills it must have been given to the queue.
    pub fn share(&self, identity: Identity, buffer: &Arc<wgpu::Buffer>) {
        let mut held = self.lock();
        if held.len() == held.capacity() {
            held.retain(|_, buffer| buffer.strong_count() > 0);
        }
        held.insert(identity, Arc::downgrade(buffer));
    }
}
