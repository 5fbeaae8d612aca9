//! The allocator of the program: an allocation that fails ends it with one line and exit status 1, not with an abort and a
//! backtrace. What the library counts before it allocates never comes here.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use convgpu::internals::memory::trying;

#[global_allocator]
static ALLOCATOR: Checked = Checked;

/// The system's allocator, which must not fail.
struct Checked;

/// Whether a thread is about to end the program.
static ENDING: AtomicBool = AtomicBool::new(false);

#[expect(unsafe_code, reason = "the trait of global allocators is unsafe")]
// SAFETY: every call goes to `System` with the same arguments, and its answer is returned.
unsafe impl GlobalAlloc for Checked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are those that `System` asks for; so below.
        checked(unsafe { System.alloc(layout) }, layout.size())
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        checked(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        checked(unsafe { System.realloc(old, layout, size) }, size)
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

fn checked(at: *mut u8, bytes: usize) -> *mut u8 {
    if at.is_null() && !trying() {
        end(bytes);
    }
    at
}

/// Says that memory is lacking and ends the program. It allocates nothing.
#[cold]
fn end(bytes: usize) -> ! {
    // One line, even if threads fail together.
    while ENDING.swap(true, Ordering::SeqCst) {
        std::thread::park();
    }
    let mut line = [0; 128];
    let mut text = Cursor::new(&mut line[..]);
    let _ = writeln!(text, "convgpu: out of memory: {bytes} bytes more are not there");
    let length = text.position() as usize;
    system::end(&line[..length])
}

#[cfg(unix)]
mod system {
    use std::ffi::{c_int, c_void};

    #[expect(unsafe_code, reason = "functions of the C library")]
    unsafe extern "C" {
        fn write(file: c_int, bytes: *const c_void, count: usize) -> isize;
        safe fn _exit(status: c_int) -> !;
    }

    /// Without handlers of `exit`, which may allocate, and without the lock of stderr, which this thread may hold.
    pub fn end(line: &[u8]) -> ! {
        #[expect(unsafe_code, reason = "a function of the C library")]
        // SAFETY: the slice is valid for its length; a failed write changes nothing.
        unsafe {
            write(2, line.as_ptr().cast(), line.len());
        }
        _exit(1)
    }
}

#[cfg(not(unix))]
mod system {
    use std::io::Write;

    pub fn end(line: &[u8]) -> ! {
        let _ = std::io::stderr().write_all(line);
        std::process::exit(1)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// Set in the process whose allocation fails.
    const CHILD: &str = "CONVGPU_TEST_ALLOCATION";

    #[test]
    fn an_allocation_that_fails_is_one_line_and_status_1() {
        if std::env::var_os(CHILD).is_some() {
            std::hint::black_box(Vec::<u8>::with_capacity(1 << 60));
            return;
        }
        let name = "allocator::tests::an_allocation_that_fails_is_one_line_and_status_1";
        let mut call = Command::new(std::env::current_exe().unwrap());
        let done = call.args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().unwrap();
        let line = format!("convgpu: out of memory: {} bytes more are not there\n", 1u64 << 60);
        assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned()), (Some(1), line));
    }
}
