//! The thread table.

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::generated::bpf_get_current_task_btf};
use latscope_events::span::thread::{Task, Thread};

use crate::{
    classify::classify,
    kernel::{Object, offset},
    maps::{NEW_THREAD, THREADS},
};

/// `PF_EXITING`
const EXITING: u32 = 4;

/// The task in whose context the program runs.
#[inline(always)]
pub(crate) fn current() -> Object {
    // SAFETY: the helper takes nothing.
    Object(unsafe { bpf_get_current_task_btf() }.cast_const().cast())
}

/// Who a task is, and where its cgroup is kept.
#[inline(always)]
fn identify(task: Object) -> (Task, Object) {
    let cgroup = task
        .follow(offset!(task_cgroups))
        .follow(offset!(css_set_cgroup));
    let comm = offset!(task_comm);
    let identity = Task {
        comm: [task.field(comm), task.field(comm + 8)],
        cgroup: cgroup.follow(offset!(cgroup_kn)).field(offset!(kernfs_id)),
        pid: task.field(offset!(task_tgid)),
        tid: task.field(offset!(task_pid)),
    };
    (identity, cgroup)
}

/// Why there is no entry for a task.
pub(crate) enum Missing {
    /// It is one of ours, or idle, or on its way out: whatever is kept of it would stay for ever.
    Ignored,
    /// The table is full.
    Full,
}

/// The entry of a task, made and brought up to date if need be.
#[inline(always)]
pub(crate) fn of(task: Object, generation: u32) -> Result<&'static mut Thread, Missing> {
    if task.field::<u32>(offset!(task_flags)) & EXITING != 0 {
        return Err(Missing::Ignored);
    }
    let (identity, cgroup) = identify(task);
    if identity.tid == 0 || identity.pid == offset!(own_pid) {
        return Err(Missing::Ignored);
    }
    let thread = match THREADS.get_ptr_mut(identity.tid) {
        Some(thread) => thread,
        None => insert(identity.tid).ok_or(Missing::Full)?,
    };
    // SAFETY: a map value. What others write of it meanwhile are single words.
    let thread = unsafe { &mut *thread };
    if thread.generation != generation
        || thread.task.comm[0] != identity.comm[0]
        || thread.task.comm[1] != identity.comm[1]
        || thread.task.cgroup != identity.cgroup
    {
        // Whoever looks meanwhile decides for itself.
        thread.generation = 0;
        thread.task.comm[0] = identity.comm[0];
        thread.task.comm[1] = identity.comm[1];
        thread.task.cgroup = identity.cgroup;
        thread.task.pid = identity.pid;
        thread.task.tid = identity.tid;
        thread.cgroup_at = cgroup.0 as u64;
        classify(thread, generation);
    }
    Ok(thread)
}

#[inline(always)]
fn insert(tid: u32) -> Option<*mut Thread> {
    // SAFETY: never written.
    let new = NEW_THREAD.get(0)?;
    // Another CPU may have been faster.
    let _ = THREADS.insert(tid, new, u64::from(BPF_NOEXIST));
    THREADS.get_ptr_mut(tid)
}
