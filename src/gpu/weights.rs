//! Constants on a device: each exists once, whichever programs read it. Plans of one network for several sizes, and sessions of
//! one model, share their weights.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};

use rayon::prelude::*;

use super::pipeline_cache::PipelineKey;
use super::recording::{Contents, Dispatch, Recording};
use crate::identity::Identity;

/// What a buffer of constants of this size holds.
fn of_contents(contents: &Contents, size: u64) -> Identity {
    match contents {
        Contents::Words(words) => Identity::of((words.identity(), size)),
        Contents::Made(from, params, make) => Identity::of((from.identity(), params.bytes(), *make as usize, size)),
    }
}

/// What the k-th output of a dispatch is, which reads these.
fn of_written(d: &Dispatch, k: usize, reads: &[Identity], before: Option<Identity>, size: u64) -> Identity {
    let range = |r: &super::recording::Range| (r.offset, r.bytes);
    let ranges: Vec<_> = d.reads.iter().chain(&d.writes).map(range).collect();
    Identity::of((PipelineKey::of(d), d.params.bytes(), d.workgroups, ranges, k, reads, before, size))
}

/// What each buffer of a recording holds when `prepare` is done, given the numbers of the tensors that are on the device already;
/// `None` where that depends on more than constants.
pub fn identities(recording: &Recording, resident: impl IntoIterator<Item = u64>) -> Vec<Option<Identity>> {
    let mut found = vec![None; recording.buffers.len()];
    let size = |buffer: usize| recording.buffers[buffer].bytes;
    let constants = recording.constants.par_iter();
    let constants = constants.map(|(r, contents)| (r.buffer, of_contents(contents, size(r.buffer))));
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
            found[to.buffer] = known.map(|reads| of_written(d, k, reads, before, size(to.buffer)));
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
