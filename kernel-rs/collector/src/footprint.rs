//! What this process costs its host.

use std::{collections::HashMap, fs, os::fd::RawFd};

/// A program that this process holds open.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Program {
    pub(crate) fd: RawFd,
    pub(crate) memory_bytes: u64,
    /// While the kernel counted.
    pub(crate) run_count: u64,
    /// Likewise.
    pub(crate) run_time_ns: u64,
    pub(crate) recursion_misses: u64,
}

/// A map that this process holds open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Map {
    pub(crate) fd: RawFd,
    pub(crate) memory_bytes: u64,
}

/// The eBPF objects that this process holds open, by id. The kernel tells of them in `/proc/self/fdinfo`, for which no
/// privilege is needed.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) programs: HashMap<u32, Program>,
    pub(crate) maps: HashMap<u32, Map>,
    /// Descriptors of types (BTF) that were loaded with programs.
    pub(crate) types: HashMap<u32, RawFd>,
}

impl Objects {
    /// Bytes of kernel memory of all of them.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let programs = self.programs.values().map(|it| it.memory_bytes);
        programs
            .chain(self.maps.values().map(|it| it.memory_bytes))
            .sum()
    }

    /// How long the programs have run while the kernel counted.
    pub(crate) fn run_time_ns(&self) -> u64 {
        self.programs.values().map(|it| it.run_time_ns).sum()
    }
}

/// Everything that is open now.
pub(crate) fn objects() -> Objects {
    let mut objects = Objects::default();
    for entry in fs::read_dir("/proc/self/fdinfo")
        .into_iter()
        .flatten()
        .flatten()
    {
        let fd = entry.file_name().to_str().and_then(|it| it.parse().ok());
        // A descriptor may be closed between the two readings.
        let (Some(fd), Ok(text)) = (fd, fs::read_to_string(entry.path())) else {
            continue;
        };
        let value = |name: &str| number(&text, name);
        if let Some(id) = value("prog_id:") {
            let program = Program {
                fd,
                memory_bytes: value("memlock:").unwrap_or(0),
                run_count: value("run_cnt:").unwrap_or(0),
                run_time_ns: value("run_time_ns:").unwrap_or(0),
                recursion_misses: value("recursion_misses:").unwrap_or(0),
            };
            objects.programs.insert(id as u32, program);
        } else if let Some(id) = value("map_id:") {
            let memory_bytes = value("memlock:").unwrap_or(0);
            objects.maps.insert(id as u32, Map { fd, memory_bytes });
        } else if let Some(id) = value("btf_id:") {
            objects.types.insert(id as u32, fd);
        }
    }
    objects
}

/// A line of fdinfo. A link has its program's id too, but it is no program.
fn number(text: &str, name: &str) -> Option<u64> {
    if name == "prog_id:" && text.contains("link_id:") {
        return None;
    }
    let line = text.lines().find_map(|it| it.strip_prefix(name))?;
    line.trim().parse().ok()
}

/// One of our programs.
pub(crate) fn program(id: u32) -> Option<Program> {
    objects().programs.get(&id).copied()
}

/// Has the allocator of the process hold on to less of what is freed; for a start.
pub fn bound() {
    /// What is larger is the kernel's again as soon as it is freed. Left alone, glibc raises this to 32 MiB with what it sees.
    #[cfg(target_env = "gnu")]
    const LARGE_BYTES: libc::c_int = 128 << 10;
    /// Pools of free memory: each is as large as the most that its threads ever had at once.
    #[cfg(target_env = "gnu")]
    const POOLS: libc::c_int = 2;
    #[cfg(target_env = "gnu")]
    // SAFETY: two numbers of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES);
        libc::mallopt(libc::M_ARENA_MAX, POOLS);
    }
}

/// Gives memory back to the host that was freed and kept: worth it after something large.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only looks through what is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Memory that the process has in RAM.
pub(crate) fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|it| it.parse::<u64>().ok());
    // SAFETY: sysconf only reads a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.unwrap_or(0) * page.try_into().unwrap_or(0)
}

/// Processor time that the process has used, in user and kernel mode.
pub(crate) fn cpu_time_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists on every Linux and writes the struct it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
