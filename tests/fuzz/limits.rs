//! The limits of one case: time, memory, no panic. A counting allocator measures the memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, Once};
use std::time::{Duration, Instant};

/// The most memory of a case, in addition to 16 times the size of its file: the known results of a model are at most 1
/// GiB, and a plan holds them twice.
const MEMORY: usize = 3 << 30;

/// How long a case may take, in [`ticks`].
const TIME: u64 = 50;

/// The time after which a case counts as never ending, in [`ticks`].
const HANGS: u64 = 600;

/// Tenths of a second.
const TICK: Duration = Duration::from_millis(100);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// Beyond this the process ends: a request for too much must not succeed, and an allocator must not panic.
static MOST: AtomicUsize = AtomicUsize::new(usize::MAX);
static SEED: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; only sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

fn count(bytes: usize) {
    let held = HELD.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(held, Relaxed);
    if held > MOST.load(Relaxed) {
        MOST.store(usize::MAX, Relaxed);
        give_up(&format!("takes too much memory (asks for {bytes} bytes more), {}", trace()));
    }
}

/// The crate's lines on the stack.
fn trace() -> String {
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    trace.lines().map(str::trim).filter(|line| line.starts_with("at ./src")).collect::<Vec<_>>().join(" ")
}

/// Ends the process with the name of the case.
fn give_up(what: &str) -> ! {
    eprintln!("CONVGPU_FUZZ_SEED={} {what}", SEED.load(Relaxed));
    std::process::abort();
}

/// The position of the last panic, and its full message.
static PANIC: Mutex<(String, String)> = Mutex::new((String::new(), String::new()));

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// Runs cases until the time is over and collects failures, one example per position.
pub struct Fuzzer {
    what: &'static str,
    seed: u64,
    /// Time left for cases, without waiting for other tests.
    left: Duration,
    cases: usize,
    useful: usize,
    findings: BTreeMap<String, (u64, String)>,
}

/// One case at a time: memory is counted for the whole process.
static ONE: Mutex<()> = Mutex::new(());

impl Fuzzer {
    /// `CONVGPU_FUZZ_SECONDS` (5) is the time of all tests of this program; this one takes `share` of it.
    /// `CONVGPU_FUZZ_SEED` runs a single case.
    pub fn new(what: &'static str, share: f64) -> Fuzzer {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            std::panic::set_hook(Box::new(|info| {
                let text = format!("{info} {}", trace()).replace('\n', " ");
                *lock(&PANIC) = (trace(), text);
            }));
        });
        let left = Duration::from_secs(number("CONVGPU_FUZZ_SECONDS").unwrap_or(5)).mul_f64(share);
        Fuzzer { what, seed: 0, left, cases: 0, useful: 0, findings: BTreeMap::new() }
    }

    /// Runs `case` on one seed after the other; it returns whether the input got past the first checks. `prepare` makes its file.
    pub fn run(mut self, prepare: impl Fn(u64) -> Vec<u8>, case: impl Fn(u64, &[u8]) -> bool) {
        let only = number("CONVGPU_FUZZ_SEED");
        while only.is_some() || !self.left.is_zero() {
            self.seed += 1;
            let seed = only.unwrap_or(self.seed);
            let file = prepare(seed);
            self.one(seed, &file, &case);
            if only.is_some() {
                break;
            }
        }
        println!("{}: {} cases, {} of them passed the first checks", self.what, self.cases, self.useful);
        let list: Vec<_> = self.findings.values().map(|(seed, e)| format!("CONVGPU_FUZZ_SEED={seed} {e}")).collect();
        list.iter().for_each(|line| eprintln!("{}: {line}", self.what));
        assert!(list.is_empty(), "see above");
        assert!(only.is_some() || self.useful * 200 > self.cases, "{}: too few cases pass the first checks", self.what);
    }

    fn one(&mut self, seed: u64, file: &[u8], case: impl Fn(u64, &[u8]) -> bool) {
        let _one = lock(&ONE);
        SEED.store(seed, Relaxed);
        let held = HELD.load(Relaxed);
        PEAK.store(held, Relaxed);
        MOST.store(held + MEMORY + 16 * file.len(), Relaxed);
        let start = Instant::now();
        let watch = Watch::new();
        let result = catch_unwind(AssertUnwindSafe(|| case(seed, file)));
        MOST.store(usize::MAX, Relaxed);
        self.cases += 1;
        self.useful += usize::from(matches!(result, Ok(true)));
        if result.is_err() {
            let (place, text) = lock(&PANIC).clone();
            self.findings.entry(place).or_insert((seed, text));
        }
        self.left = self.left.saturating_sub(start.elapsed());
        if watch.ticks() > TIME {
            let text = format!("takes more than {:?}", TICK * TIME as u32);
            self.findings.entry(text.clone()).or_insert((seed, text));
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Tenths of a second in which this process ran. A thread counts them, so that the time in which the process is stopped
/// does not count.
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Counts from its creation; ends the process if a case does not end.
struct Watch {
    start: u64,
}

static WATCHED: Mutex<Option<u64>> = Mutex::new(None);

impl Watch {
    fn new() -> Watch {
        static THREAD: Once = Once::new();
        let start = TICKS.load(Relaxed);
        *lock(&WATCHED) = Some(start);
        THREAD.call_once(|| {
            std::thread::spawn(|| {
                loop {
                    std::thread::sleep(TICK);
                    let now = TICKS.fetch_add(1, Relaxed) + 1;
                    if lock(&WATCHED).is_some_and(|start| now - start > HANGS) {
                        give_up("does not end");
                    }
                }
            });
        });
        Watch { start }
    }

    fn ticks(&self) -> u64 {
        TICKS.load(Relaxed) - self.start
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *lock(&WATCHED) = None;
    }
}
