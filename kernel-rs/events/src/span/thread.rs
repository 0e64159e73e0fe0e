//! What is known of a thread: who it is, which lanes accept it, and what it has begun.

use crate::{config::Clauses, layout};

/// Which lanes accept a task.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Accepts {
    /// Lanes whose filter clause c accepts it, subjects aside.
    pub filters: Clauses,
    /// Lanes whose exclude clause c does.
    pub exclude: Clauses,
    /// Lanes that accept it where no filter names a subject.
    pub lanes: u64,
}
layout!(Accepts, 136);

/// Who a task is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Task {
    /// Its name.
    pub comm: [u64; 2],
    /// Its cgroup of version 2.
    pub cgroup: u64,
    /// Thread group, in the host's pid namespace.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
}
layout!(Task, 32);

/// Value of the thread table, by thread id.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Thread {
    /// Which lanes accept it.
    pub accepts: Accepts,
    /// Who it is.
    pub task: Task,
    /// Generation that `accepts` was decided for.
    pub generation: u32,
    /// System call that it is in.
    pub syscall: u32,
    /// When it entered that; 0 = none.
    pub entered: u64,
    /// Since when it waits for a CPU; 0 = it does not.
    pub runnable: u64,
    /// Since when it is off the CPU; 0 = it is not.
    pub off: u64,
    /// Where the kernel keeps its cgroup.
    pub cgroup_at: u64,
}
layout!(Thread, 208);

/// A block request on its way.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// When it was queued; 0 = that is told already, or did not happen.
    pub inserted: u64,
    /// When it was issued to its device; 0 = not yet.
    pub issued: u64,
    /// Lanes that want the time in the queue.
    pub queue_lanes: u64,
    /// Lanes that want the time at the device.
    pub device_lanes: u64,
    /// In whose context it began; 0 = nobody's.
    pub task: Task,
    /// Its disk.
    pub subject: u64,
    /// Of the lanes.
    pub generation: u32,
    /// Unused.
    pub reserved: u32,
}
layout!(Request, 80);
