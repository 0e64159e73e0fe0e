//! Reading the kernel's structures, at offsets that the user side finds in its BTF.
//!
//! The offsets lie in read-only data, so that they are constants to the verifier, which then checks them against the same
//! BTF: a load costs one instruction.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use latscope_events::span::offsets::Offsets;

/// Filled in when the object is loaded.
#[unsafe(no_mangle)]
static OFFSETS: Offsets = Offsets {
    task_pid: 0,
    task_tgid: 0,
    task_comm: 0,
    task_cgroups: 0,
    task_flags: 0,
    css_set_cgroup: 0,
    cgroup_kn: 0,
    cgroup_level: 0,
    cgroup_ancestors: 0,
    kernfs_id: 0,
    request_queue: 0,
    request_length: 0,
    queue_disk: 0,
    disk_major: 0,
    disk_first_minor: 0,
    skb_head: 0,
    skb_dev: 0,
    skb_iif: 0,
    device_index: 0,
    device_net: 0,
    net_inode: 0,
    own_pid: 0,
    exit: [0; 2],
    return_pops: 0,
    regs_cs: 0,
    task_group_queue: 0,
    group_queue: 0,
    preempt_distance: 0,
    preempt_known: 0,
};

/// An offset, or another of the constants beside them.
macro_rules! offset {
    ($($field:tt)+) => {
        // SAFETY: a static is valid; volatile, since the loader rewrites it after compilation.
        unsafe { core::ptr::read_volatile(&raw const $crate::kernel::offsets().$($field)+) }
    };
}
pub(crate) use offset;

#[inline(always)]
pub(crate) fn offsets() -> &'static Offsets {
    &OFFSETS
}

/// A structure of the kernel.
#[derive(Clone, Copy)]
pub(crate) struct Object(pub(crate) *const c_void);

impl Object {
    /// A field, of a pointer whose type the verifier knows.
    #[inline(always)]
    pub(crate) fn field<T: Copy>(self, offset: u32) -> T {
        // SAFETY: the verifier checks the offset against the type; a fault reads as zero.
        unsafe { self.0.cast::<u8>().add(offset as usize).cast::<T>().read() }
    }

    /// What a field points to.
    #[inline(always)]
    pub(crate) fn follow(self, offset: u32) -> Self {
        Self(self.field(offset))
    }
}

/// A value anywhere in the kernel's memory; 0 where there is none.
#[inline(always)]
pub(crate) fn peek(address: u64) -> u64 {
    let mut value = 0_u64;
    // SAFETY: the helper checks the address.
    let failed = unsafe {
        bpf_probe_read_kernel(
            (&raw mut value).cast(),
            size_of::<u64>() as u32,
            address as *const c_void,
        )
    };
    if failed == 0 { value } else { 0 }
}
