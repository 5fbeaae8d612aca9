//! A pool of the buffers that every run allocates and frees.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// The most bytes of free buffers that are kept for reuse.
const POOL_BYTES: u64 = 256 << 20;

type Free = Arc<Mutex<Shelf>>;

/// Free buffers by usage and size.
#[derive(Default)]
pub(crate) struct Pool(Free);

#[derive(Default)]
struct Shelf {
    free: HashMap<(wgpu::BufferUsages, u64), Vec<wgpu::Buffer>>,
    bytes: u64,
}

impl Pool {
    /// A free buffer of this usage and size, if there is one.
    pub(super) fn reuse(&self, usage: wgpu::BufferUsages, bytes: u64) -> Option<wgpu::Buffer> {
        let mut shelf = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let buffer = shelf.free.get_mut(&(usage, bytes)).and_then(Vec::pop);
        shelf.bytes -= buffer.as_ref().map_or(0, wgpu::Buffer::size);
        buffer
    }

    /// A buffer in use, which comes back here.
    pub(super) fn lend(&self, buffer: wgpu::Buffer) -> Pooled {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Pooled {
            buffer,
            home: self.0.clone(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            spent: AtomicBool::new(false),
            encoders: Mutex::default(),
        }
    }
}

/// A buffer that returns to the pool when it is dropped.
pub(crate) struct Pooled {
    buffer: wgpu::Buffer,
    home: Free,
    /// Another one for every use of a buffer.
    number: u64,
    /// Whether it must not be used again.
    spent: AtomicBool,
    /// Uses by encoders of the program: each is gone when its commands are done, or its encoder was dropped without a submit.
    encoders: Mutex<Vec<Weak<()>>>,
}

impl Pooled {
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Keeps it from the pool.
    pub fn spend(&self) {
        self.spent.store(true, Ordering::Relaxed);
    }

    pub fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed)
    }

    /// Keeps it from the pool unless this use is over before it is dropped.
    pub fn reserve(&self, used: &Arc<()>) {
        let mut encoders = self.encoders.lock().unwrap_or_else(|e| e.into_inner());
        encoders.retain(|used| used.strong_count() > 0);
        encoders.push(Arc::downgrade(used));
    }

    fn is_free(&self) -> bool {
        let encoders = self.encoders.lock().unwrap_or_else(|e| e.into_inner());
        !self.is_spent() && encoders.iter().all(|used| used.strong_count() == 0)
    }

    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if !self.is_free() {
            return;
        }
        let buffer = self.buffer.clone();
        let mut shelf = self.home.lock().unwrap_or_else(|e| e.into_inner());
        if shelf.bytes + buffer.size() <= POOL_BYTES {
            shelf.bytes += buffer.size();
            shelf.free.entry((buffer.usage(), buffer.size())).or_default().push(buffer);
        }
    }
}

/// The size of the buffer for this many bytes: four sizes per power of two, so that tensors of similar sizes reuse
/// buffers and at most a fifth of a buffer is unused; at least 1 KiB.
pub(super) fn size_class(bytes: u64) -> u64 {
    let bytes = bytes.max(1024);
    bytes.next_multiple_of(1 << (bytes.ilog2() - 2))
}
