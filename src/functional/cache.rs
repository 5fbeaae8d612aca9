//! The compiled graphs that `functional` and `Module::forward` keep for a device.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Weak};

use crate::device::Device;
use crate::gpu::tensor_buffer::Watch;
use crate::identity::Identity;
use crate::session::{Compiled, Memory, together};

/// The most compiled graphs kept for a device.
const MOST: usize = 256;

/// The most calls that are remembered by their parameters.
const REMEMBERED: usize = 1024;

/// Bytes of a device that its compiled graphs may take.
static LIMIT: AtomicU64 = AtomicU64::new(1 << 30);

/// The caches of all devices.
static ALL: Mutex<Vec<Weak<Cache>>> = Mutex::new(vec![]);

/// Compiled graphs by their keys.
#[derive(Default)]
pub(super) struct Cache(Mutex<State>);

#[derive(Default)]
struct State {
    entries: HashMap<Identity, Entry>,
    /// Calls with their parameters, the latest last.
    calls: VecDeque<Identity>,
    uses: u64,
}

/// A compiled graph, and what it depends on.
pub(super) struct Entry {
    pub compiled: Arc<Compiled>,
    pub memory: Memory,
    /// The contents of the parameters that it was compiled with, and to whom they belong, by their numbers.
    pub contents: Vec<u64>,
    pub owners: Vec<u64>,
    /// The tensors that it was compiled with.
    pub tensors: Vec<Watch>,
    used: u64,
}

impl Entry {
    pub fn new(compiled: Compiled) -> Entry {
        let memory = compiled.memory();
        Entry { compiled: Arc::new(compiled), memory, contents: vec![], owners: vec![], tensors: vec![], used: 0 }
    }
}

impl Cache {
    /// The cache of a device. It is gone with the last handle to it, tensor or session on it.
    pub fn of(device: &Device) -> Arc<Cache> {
        static REFERENCE: LazyLock<Arc<Cache>> = LazyLock::new(Cache::listed);
        device.kept(Cache::listed).unwrap_or(&REFERENCE).clone()
    }

    fn listed() -> Arc<Cache> {
        let cache = Arc::new(Cache::default());
        let mut all = ALL.lock().unwrap_or_else(|e| e.into_inner());
        all.retain(|cache| cache.strong_count() > 0);
        all.push(Arc::downgrade(&cache));
        cache
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The graph with this key, if it was compiled with these contents.
    pub fn find(&self, key: Identity, contents: &[u64]) -> Option<Arc<Compiled>> {
        let mut state = self.lock();
        state.uses += 1;
        let used = state.uses;
        let entry = state.entries.get_mut(&key).filter(|entry| entry.contents == contents)?;
        entry.used = used;
        Some(entry.compiled.clone())
    }

    /// Keeps a graph, in the place of one with other contents, and drops those that were not used for longest until all fit.
    pub fn keep(&self, key: Identity, entry: Entry) {
        let mut state = self.lock();
        let used = state.uses;
        let mut gone = vec![state.entries.insert(key, Entry { used, ..entry })];
        while state.entries.len() > 1 && (state.entries.len() > MOST || state.bytes() > LIMIT.load(Ordering::Relaxed)) {
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            gone.push(oldest.and_then(|key| state.entries.remove(&key)));
        }
        drop(state);
    }

    /// Whether there was this call with these parameters before; it is remembered.
    pub fn repeats(&self, call: Identity) -> bool {
        let mut state = self.lock();
        if state.calls.contains(&call) {
            return true;
        }
        state.calls.push_back(call);
        if state.calls.len() > REMEMBERED {
            state.calls.pop_front();
        }
        false
    }

    /// Drops what was compiled with a tensor that is gone.
    pub fn drop_stale(&self) {
        self.drop_where(|entry| entry.tensors.iter().any(Watch::is_gone));
    }

    fn drop_where(&self, wanted: impl Fn(&Entry) -> bool) {
        let mut state = self.lock();
        let gone: Vec<_> = state.entries.extract_if(|_, entry| wanted(entry)).collect();
        drop(state);
        drop(gone);
    }
}

impl State {
    fn bytes(&self) -> u64 {
        together(self.entries.values().map(|entry| &entry.memory))
    }
}

fn everywhere(act: impl Fn(&Cache)) {
    let all: Vec<Weak<Cache>> = ALL.lock().unwrap_or_else(|e| e.into_inner()).clone();
    all.iter().filter_map(Weak::upgrade).for_each(|cache| act(&cache));
}

/// Drops what was compiled with parameters of this owner, on all devices.
pub(crate) fn forget_owner(owner: u64) {
    everywhere(|cache| cache.drop_where(|entry| entry.owners.contains(&owner)));
}

/// Drops every compiled graph that `functional` and [`Module::forward`](crate::nn::Module::forward) keep, and frees
/// their memory on the devices.
pub fn clear_cache() {
    everywhere(|cache| drop(std::mem::take(&mut *cache.lock())));
}

/// Sets how many bytes of each device the compiled graphs may take that `functional` and
/// [`Module::forward`](crate::nn::Module::forward) keep: activations, and weights counted once; 1 GiB unless set. Those that were
/// not used for longest are dropped first; the last one stays in any case. What belongs to a module is dropped with it,
/// what belongs to a device with the last handle to it.
///
/// ```
/// convgpu::functional::set_cache_limit(256 << 20);
/// ```
pub fn set_cache_limit(bytes: u64) {
    LIMIT.store(bytes, Ordering::Relaxed);
}
