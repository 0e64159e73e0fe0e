//! Where the kernel keeps what the programs read: found in its BTF when they are loaded, for it differs from kernel to kernel.

use crate::layout;

/// Byte offsets of fields, and what else does not change while the programs are loaded.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// `task_struct.pid`
    pub task_pid: u32,
    /// `task_struct.tgid`
    pub task_tgid: u32,
    /// `task_struct.comm`
    pub task_comm: u32,
    /// `task_struct.cgroups`
    pub task_cgroups: u32,
    /// `task_struct.flags`
    pub task_flags: u32,
    /// `css_set.dfl_cgrp`
    pub css_set_cgroup: u32,
    /// `cgroup.kn`
    pub cgroup_kn: u32,
    /// `cgroup.level`
    pub cgroup_level: u32,
    /// `cgroup.ancestors`
    pub cgroup_ancestors: u32,
    /// `kernfs_node.id`
    pub kernfs_id: u32,
    /// `request.q`
    pub request_queue: u32,
    /// `request.__data_len`
    pub request_length: u32,
    /// `request_queue.disk`
    pub queue_disk: u32,
    /// `gendisk.major`
    pub disk_major: u32,
    /// `gendisk.first_minor`
    pub disk_first_minor: u32,
    /// `sk_buff.head`
    pub skb_head: u32,
    /// `sk_buff.dev`
    pub skb_dev: u32,
    /// `sk_buff.skb_iif`
    pub skb_iif: u32,
    /// `net_device.ifindex`
    pub device_index: u32,
    /// `net_device.nd_net`
    pub device_net: u32,
    /// `net.ns.inum`
    pub net_inode: u32,
    /// This process, in the host's pid namespace: it is not measured.
    pub own_pid: u32,
    /// The system calls that never return.
    pub exit: [u32; 2],
    /// How much higher the stack pointer is after a return than at the call.
    pub return_pops: u32,
    /// `pt_regs.cs`, which tells system calls of the 32-bit kind; 0 = there are none.
    pub regs_cs: u32,
    /// `task_struct.se.cfs_rq`
    pub task_group_queue: u32,
    /// `cfs_rq.rq`
    pub group_queue: u32,
    /// From a CPU's run queue to its preempt count, bytes.
    pub preempt_distance: i32,
    /// 1: the three above are known.
    pub preempt_known: u32,
}
layout!(Offsets, 120);

/// Set in the number of a system call of the 32-bit kind.
pub const COMPAT: u32 = 1 << 16;
