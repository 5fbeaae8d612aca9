//! What the host can still allocate, so that a tensor that does not fit is an error and not the end of the program.

use std::cell::Cell;

use crate::error::{Error, ErrorKind, Result};

/// Up to this many bytes nothing is counted: reading what is free takes as long as filling them.
const SMALL: u64 = 16 << 20;

/// What Mesa's software driver takes of a limited number of addresses. With fewer it crashes, or prints lines of its own.
const DRIVER: u64 = 576 << 20;

thread_local! {
    static TRYING: Cell<bool> = const { Cell::new(false) };
    static LIMIT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// What `work` gives if no more than this many bytes count as free on this thread meanwhile, for tests.
pub fn limited<T>(bytes: u64, work: impl FnOnce() -> T) -> T {
    LIMIT.set(bytes);
    let out = work();
    LIMIT.set(u64::MAX);
    out
}

/// Whether this thread tries whether an allocation succeeds. A global allocator that ends the program when one fails must
/// not do so then.
pub fn trying() -> bool {
    TRYING.get()
}

/// An error unless the host can allocate this many bytes more for `what`: as far as the system counts what is free, and
/// as the allocator answers.
///
/// # Errors
/// [`ErrorKind::Memory`], with `what`.
pub fn afford(bytes: u64, what: impl FnOnce() -> String) -> Result<()> {
    if bytes <= SMALL {
        return Ok(());
    }
    match available().unwrap_or(u64::MAX).min(LIMIT.get()) {
        free if bytes > free => Err(refused(bytes, &what(), Some(free))),
        _ if !allocates(bytes) => Err(refused(bytes, &what(), None)),
        _ => Ok(()),
    }
}

/// An error if the limit of addresses (`ulimit -v`) leaves too few for the driver of an adapter.
///
/// # Errors
/// [`ErrorKind::Memory`].
pub fn afford_driver() -> Result<()> {
    match addresses() {
        Some(free) if free < DRIVER => Err(refused(DRIVER, "opening an adapter", Some(free))),
        _ => Ok(()),
    }
}

fn refused(bytes: u64, what: &str, free: Option<u64>) -> Error {
    let free = free.map_or("which the system does not give".to_owned(), |free| format!("{} is free", in_units(free)));
    Error::new(ErrorKind::Memory, format!("{what} takes {} of memory, {free}", in_units(bytes)))
}

/// Whether one allocation of this many bytes succeeds. Its pages are never touched.
fn allocates(bytes: u64) -> bool {
    let Ok(bytes) = usize::try_from(bytes) else { return false };
    TRYING.set(true);
    let mut buffer: Vec<u8> = vec![];
    let answer = buffer.try_reserve_exact(bytes);
    TRYING.set(false);
    std::hint::black_box(&buffer);
    answer.is_ok()
}

/// Bytes with a unit of which there are at least ten.
fn in_units(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| bytes >> shift >= 10);
    unit.map_or(format!("{bytes} bytes"), |(shift, name)| format!("{} {name}", bytes >> shift))
}

/// Free bytes by the least of what the system has, what the process's control groups leave, and its limit of addresses;
/// `None` where nothing says.
#[cfg(target_os = "linux")]
fn available() -> Option<u64> {
    [linux::system(), linux::groups(), addresses()].into_iter().flatten().min()
}

#[cfg(not(target_os = "linux"))]
fn available() -> Option<u64> {
    None
}

/// What the limit of addresses leaves; `None` if there is none.
fn addresses() -> Option<u64> {
    #[cfg(target_os = "linux")]
    return linux::addresses();
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::read_to_string;
    use std::path::{Path, PathBuf};

    /// The number after a word at the start of a line.
    pub fn number(text: &str, word: &str) -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(word))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Memory that is free, or that the kernel can free.
    pub fn system() -> Option<u64> {
        Some(number(&read_to_string("/proc/meminfo").ok()?, "MemAvailable:")? << 10)
    }

    /// What the limit of addresses (`ulimit -v`) leaves.
    pub fn addresses() -> Option<u64> {
        let limit = number(&read_to_string("/proc/self/limits").ok()?, "Max address space")?;
        let used = number(&read_to_string("/proc/self/status").ok()?, "VmSize:")? << 10;
        Some(limit.saturating_sub(used))
    }

    /// What the control groups of the process and those around them leave.
    pub fn groups() -> Option<u64> {
        let own = read_to_string("/proc/self/cgroup").ok()?;
        own.lines().flat_map(folders).filter_map(|(folder, names)| free(&folder, names)).min()
    }

    /// The names of a group's limit and usage, and of what of the usage are files, which can be dropped.
    type Names = [&'static str; 4];
    const V1: Names = ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ", "total_active_file "];
    const V2: Names = ["memory.max", "memory.current", "inactive_file ", "active_file "];

    /// The folders of the groups that a line of `/proc/self/cgroup` names: `number:controllers:path`. In a container the path
    /// may be the host's, of which only the root is there.
    fn folders(line: &str) -> Vec<(PathBuf, Names)> {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return vec![] };
        let (root, names) = match controllers {
            "" => ("/sys/fs/cgroup", V2),
            list if list.split(',').any(|c| c == "memory") => ("/sys/fs/cgroup/memory", V1),
            _ => return vec![],
        };
        let path = Path::new(path.trim_start_matches('/'));
        path.ancestors().map(|group| (Path::new(root).join(group), names)).collect()
    }

    /// What one group leaves; `None` if it has no limit.
    pub fn free(folder: &Path, [limit, usage, inactive, active]: Names) -> Option<u64> {
        let read = |name: &str| read_to_string(folder.join(name)).ok();
        let value = |name: &str| read(name)?.trim().parse::<u64>().ok();
        let (limit, used) = (value(limit)?, value(usage)?);
        let stat = read("memory.stat").unwrap_or_default();
        let files = [inactive, active].iter().filter_map(|word| number(&stat, word)).sum();
        Some(limit.saturating_sub(used.saturating_sub(files)))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_group_leaves_what_its_limit_says_and_files_can_be_dropped() {
            let folder = std::env::temp_dir().join(format!("convgpu-group-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
            write("memory.max", "1000\n");
            write("memory.current", "700\n");
            assert_eq!(free(&folder, V2), Some(300));
            write("memory.stat", "anon 1\ninactive_file 100\nactive_file 50\n");
            assert_eq!((free(&folder, V2), free(&folder, V1)), (Some(450), None));
            write("memory.max", "max\n");
            assert_eq!(free(&folder, V2), None);
            std::fs::remove_dir_all(&folder).unwrap();
        }

        #[test]
        fn groups_are_found_by_the_lines_of_both_versions() {
            let of = |line: &str| folders(line).into_iter().map(|(f, _)| f.display().to_string()).collect::<Vec<_>>();
            assert_eq!(of("0::/a/b"), ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup/"]);
            assert_eq!(of("9:cpu,memory:/"), ["/sys/fs/cgroup/memory/"]);
            assert!(of("8:pids:/x").is_empty() && of("odd").is_empty());
            assert!(system().is_some_and(|free| free > 1 << 20));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_what_it_is_for() {
        let e = afford(1 << 60, || "pad f32[9]".to_owned()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Memory);
        assert!(e.to_string().starts_with("pad f32[9] takes 1073741824 GiB of memory, "), "{e}");
        assert!(!allocates(1 << 60) && !trying());
        afford(17 << 20, || unreachable!()).unwrap();
        afford(1, || unreachable!()).unwrap();
    }

    #[test]
    fn units_keep_two_digits() {
        let shown = [9, 10_240, 10 << 20, (10 << 30) - 1, 10 << 30].map(in_units);
        assert_eq!(shown, ["9 bytes", "10 KiB", "10 MiB", "10239 MiB", "10 GiB"]);
    }
}
