//! Reading the kernel's own structures, at offsets that the user side found in its BTF.

use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_probe_read_kernel};
use latscope_events::socket::{LEVELS, Offsets, Socket};

/// Where fields lie; written before the program is loaded, so that the verifier sees constants.
#[unsafe(no_mangle)]
static OFFSETS: Offsets = Offsets {
    task_tgid: 0,
    task_pid: 0,
    task_comm: 0,
    sock_cgroup: 0,
    sock_error: 0,
    sock_state: 0,
    cgroup_node: 0,
    node_id: 0,
    cgroup_level: 0,
    cgroup_ancestors: 0,
};

#[inline(always)]
pub(crate) fn offsets() -> &'static Offsets {
    &OFFSETS
}

/// An offset.
macro_rules! offset {
    ($field:ident) => {
        // SAFETY: a static is valid; volatile, since the loader rewrites it after compilation.
        u64::from(unsafe { core::ptr::read_volatile(&raw const $crate::kernel::offsets().$field) })
    };
}
pub(crate) use offset;

/// A value of the kernel's memory; `None` where there is none at that address.
#[inline(always)]
fn read<T: Copy + Default>(address: u64) -> Option<T> {
    let mut value = T::default();
    // SAFETY: the helper writes no more than the value, and takes any address.
    let failed = unsafe {
        bpf_probe_read_kernel(
            (&raw mut value).cast(),
            size_of::<T>() as u32,
            address as *const _,
        )
    };
    (failed == 0).then_some(value)
}

/// Notes the task that runs as the one that called connect.
#[inline(always)]
pub(crate) fn caller(socket: &mut Socket) {
    // SAFETY: the helper takes nothing.
    let task = unsafe { bpf_get_current_task() };
    socket.pid = read(task + offset!(task_tgid)).unwrap_or(0);
    socket.tid = read(task + offset!(task_pid)).unwrap_or(0);
    let comm = task + offset!(task_comm);
    socket.comm[0] = read(comm).unwrap_or(0);
    socket.comm[1] = read(comm + 8).unwrap_or(0);
}

/// The cgroup of a socket.
#[inline(always)]
pub(crate) fn cgroup(sock: u64) -> u64 {
    read(sock + offset!(sock_cgroup)).unwrap_or(0)
}

/// The id of a cgroup: its inode number.
#[inline(always)]
pub(crate) fn cgroup_id(cgroup: u64) -> u64 {
    let node: u64 = read(cgroup + offset!(cgroup_node)).unwrap_or(0);
    read(node + offset!(node_id)).unwrap_or(0)
}

/// The cgroup that many levels below the root, on the way to `cgroup`; 0 beyond it.
#[inline(always)]
pub(crate) fn ancestor(cgroup: u64, level: usize) -> u64 {
    let own: u32 = read(cgroup + offset!(cgroup_level)).unwrap_or(0);
    if level >= LEVELS || level as u32 > own {
        return 0;
    }
    read(cgroup + offset!(cgroup_ancestors) + 8 * level as u64).unwrap_or(0)
}

/// Why the kernel gave a socket up: an errno.
#[inline(always)]
pub(crate) fn error(sock: u64) -> u32 {
    read(sock + offset!(sock_error)).unwrap_or(0)
}
