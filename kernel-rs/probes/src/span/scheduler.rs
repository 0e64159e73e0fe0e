//! Waiting for a CPU, and being off it: both end with the same switch.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use core::ffi::c_void;
use latscope_events::span::{
    config::Config,
    metric::{OFF_CPU, RUN_QUEUE},
    sample::SpanSample,
    thread::{Task, Thread},
};

use crate::{
    emit,
    kernel::{Object, offset},
    lanes,
    maps::IDLE,
    thread::{self, Missing},
};

/// `TASK_RUNNING`
const RUNNING: u32 = 0;

/// `sched_wakeup(struct task_struct *p)`
#[btf_tracepoint(function = "sched_wakeup")]
pub(crate) fn latscope_wakeup(ctx: BtfTracePointContext) -> i32 {
    wake(Object(ctx.arg::<*const c_void>(0)));
    0
}

/// `sched_wakeup_new(struct task_struct *p)`
#[btf_tracepoint(function = "sched_wakeup_new")]
pub(crate) fn latscope_wakeup_new(ctx: BtfTracePointContext) -> i32 {
    wake(Object(ctx.arg::<*const c_void>(0)));
    0
}

/// `sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next, unsigned int prev_state)`
#[btf_tracepoint(function = "sched_switch")]
pub(crate) fn latscope_switch(ctx: BtfTracePointContext) -> i32 {
    switch(&ctx);
    0
}

/// A task becomes runnable.
#[inline(always)]
fn wake(task: Object) {
    let Some((generation, config)) = lanes::current() else {
        return;
    };
    let Some(thread) = wanted(task, config, generation) else {
        return;
    };
    if lanes::wanting(config, generation, &thread.accepts, RUN_QUEUE, 0) != 0 {
        // SAFETY: the helper takes nothing.
        thread.runnable = unsafe { bpf_ktime_get_ns() };
    }
}

#[inline(always)]
fn switch(ctx: &BtfTracePointContext) {
    let Some((generation, config)) = lanes::current() else {
        return;
    };
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_ns() };
    let (prev, next) = (
        Object(ctx.arg::<*const c_void>(1)),
        Object(ctx.arg::<*const c_void>(2)),
    );
    let stays_runnable = ctx.arg::<u64>(0) as u8 != 0 || ctx.arg::<u64>(3) as u32 == RUNNING;
    if prev.field::<u32>(offset!(task_pid)) == 0 {
        idle_leaves(config, now);
    } else if let Some(thread) = wanted(prev, config, generation) {
        thread.off = now;
        thread.runnable = if stays_runnable { now } else { 0 };
    }
    if next.field::<u32>(offset!(task_pid)) == 0 {
        idle_returns(next, config, now);
    } else if let Some(thread) = wanted(next, config, generation) {
        let runnable = core::mem::replace(&mut thread.runnable, 0);
        let off = core::mem::replace(&mut thread.off, 0);
        ran(config, generation, thread, RUN_QUEUE, runnable, now);
        ran(config, generation, thread, OFF_CPU, off, now);
    }
}

/// A task that some lane wants the switches of.
#[inline(always)]
fn wanted(task: Object, config: &Config, generation: u32) -> Option<&'static mut Thread> {
    let lanes = config.wants[RUN_QUEUE as usize] | config.wants[OFF_CPU as usize];
    match thread::of(task, generation) {
        Ok(thread) if thread.accepts.lanes & lanes != 0 => Some(thread),
        Ok(_) | Err(Missing::Ignored) => None,
        Err(Missing::Full) => {
            emit::no_slot(RUN_QUEUE, config.wants[RUN_QUEUE as usize]);
            emit::no_slot(OFF_CPU, config.wants[OFF_CPU as usize]);
            None
        }
    }
}

/// A task is on the CPU again.
#[inline(always)]
fn ran(config: &Config, generation: u32, thread: &Thread, metric: u32, since: u64, now: u64) {
    if since == 0 {
        return;
    }
    let wanting = lanes::wanting(config, generation, &thread.accepts, metric, 0);
    if wanting != 0 {
        emit::finish(&SpanSample {
            lanes: wanting,
            time_ns: now,
            latency_ns: now.wrapping_sub(since),
            task: thread.task,
            subject: 0,
            result: 0,
            metric,
        });
    }
}

/// The idle task of this CPU makes room.
#[inline(always)]
fn idle_leaves(config: &Config, now: u64) {
    if config.idle != 0
        && let Some(since) = IDLE.get_ptr_mut(0)
    {
        // SAFETY: this CPU's own value.
        unsafe { *since = now };
    }
}

/// It is back: the CPU was busy so long.
#[inline(always)]
fn idle_returns(task: Object, config: &Config, now: u64) {
    let wanting = config.idle & config.nobody.lanes;
    if wanting == 0 {
        return;
    }
    let Some(since) = IDLE.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: this CPU's own value.
    let since = unsafe { core::mem::replace(&mut *since, 0) };
    if since == 0 {
        return;
    }
    let comm = offset!(task_comm);
    emit::finish(&SpanSample {
        lanes: wanting,
        time_ns: now,
        latency_ns: now.wrapping_sub(since),
        task: Task {
            comm: [task.field(comm), task.field(comm + 8)],
            cgroup: 0,
            pid: 0,
            tid: 0,
        },
        subject: 0,
        result: 0,
        metric: OFF_CPU,
    });
}
