//! The plans that a session keeps: as many as fit its options.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use super::host::Ready;
use super::planned::{Memory, together};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;

/// How many plans that were dropped are remembered, for each that may be kept.
const REMEMBERED: usize = 8;

/// The inputs of a plan: types, extents, and the values of those that decide shapes.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub identity: Identity,
    /// For readers.
    pub label: String,
}

/// Plans by their inputs.
pub(super) struct Plans {
    most: usize,
    limit: Option<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The most recently used last.
    kept: Vec<Kept>,
    /// The identities of dropped plans, the latest last.
    dropped: VecDeque<Identity>,
    /// How often a plan was used.
    uses: u64,
}

struct Kept {
    key: Key,
    ready: Arc<Ready>,
    memory: Memory,
    /// The number of its last use.
    used: u64,
}

impl Plans {
    /// Room for `most` plans, which together take at most `limit` bytes of the device.
    pub fn new(most: usize, limit: Option<u64>) -> Plans {
        Plans { most, limit, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The plan with this key, which becomes the most recently used one.
    pub fn recall(&self, key: Identity) -> Option<Arc<Ready>> {
        let mut state = self.lock();
        let at = state.kept.iter().position(|k| k.key.identity == key)?;
        let mut entry = state.kept.remove(at);
        entry.used = state.used();
        let found = entry.ready.clone();
        state.kept.push(entry);
        Some(found)
    }

    /// What the plan with this key takes; it counts as not used.
    pub fn memory(&self, key: Identity) -> Option<Memory> {
        self.lock().kept.iter().find(|k| k.key.identity == key).map(|k| k.memory.clone())
    }

    /// Drops plans until a new one fits the limit.
    ///
    /// # Errors
    /// It does not fit alone.
    pub fn make_room(&self, key: &Key, memory: &Memory) -> Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        if memory.bytes() > limit {
            let text = format!("a plan for {} takes {memory}; the session's limit is {limit} bytes", key.label);
            return Err(Error::new(ErrorKind::Memory, text));
        }
        let (mut state, mut gone) = (self.lock(), vec![]);
        while together(state.kept.iter().map(|k| &k.memory).chain([memory])) > limit {
            gone.extend(state.drop_one(key.identity));
        }
        drop(state);
        Ok(())
    }

    /// Keeps a new plan, and drops another if there are too many.
    pub fn keep(&self, key: Key, ready: Arc<Ready>, memory: Memory) {
        let mut state = self.lock();
        let mut gone = vec![];
        while state.kept.len() >= self.most {
            gone.extend(state.drop_one(key.identity));
        }
        let used = state.used();
        state.kept.push(Kept { key, ready, memory, used });
        drop(state);
    }

    /// Drops the plan with this key.
    pub fn forget(&self, key: Identity) -> bool {
        let mut state = self.lock();
        let found = state.kept.iter().position(|k| k.key.identity == key).map(|at| state.kept.remove(at));
        drop(state);
        found.is_some()
    }

    /// Drops all plans.
    pub fn clear(&self) {
        let gone = std::mem::take(&mut *self.lock());
        drop(gone);
    }

    /// Inputs and plans, the most recently used last.
    pub fn list(&self) -> Vec<(String, Arc<Ready>)> {
        self.lock().kept.iter().map(|k| (k.key.label.clone(), k.ready.clone())).collect()
    }
}

impl State {
    fn used(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }

    /// Takes out a plan to make room for the one with this key: the least recently used one. If the new one was there before,
    /// more plans are in use than fit, perhaps in turn, and then the least recently used one is the one that is wanted next:
    /// any one goes, unless that one was not used for long.
    fn drop_one(&mut self, key: Identity) -> Option<Arc<Ready>> {
        let plans = self.kept.len() as u64;
        let waits = self.uses - self.kept.first()?.used;
        let at = match self.dropped.contains(&key) && waits <= 2 * plans {
            true => Identity::of(self.uses).below(plans) as usize,
            false => 0,
        };
        let gone = self.kept.remove(at);
        self.dropped.push_back(gone.key.identity);
        if self.dropped.len() > REMEMBERED * (self.kept.len() + 1) {
            self.dropped.pop_front();
        }
        Some(gone.ready)
    }
}
