//! Threads that end: their entries go, and what they began is told to have no end.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use core::ffi::c_void;

use latscope_events::span::metric::{KERNEL_FUNCTION, USER_FUNCTION};

use crate::{
    call,
    kernel::{Object, offset},
    maps::THREADS,
    tracepoint_pair,
};

/// `sched_process_exit(struct task_struct *p)`
#[btf_tracepoint(function = "sched_process_exit")]
pub(crate) fn latscope_exit(ctx: BtfTracePointContext) -> i32 {
    let task = Object(ctx.arg::<*const c_void>(0));
    let tid: u32 = task.field(offset!(task_pid));
    call::abandon(USER_FUNCTION, tid);
    call::abandon(KERNEL_FUNCTION, tid);
    tracepoint_pair::abandon(tid);
    let _ = THREADS.remove(tid);
    0
}
