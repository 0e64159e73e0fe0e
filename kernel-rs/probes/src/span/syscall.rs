//! System calls: entered to left.

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use core::ffi::c_void;
use latscope_events::span::{
    config::{Config, SYSCALLS},
    metric::SYSCALL,
    offsets::COMPAT,
    sample::SpanSample,
};

use crate::{
    emit,
    kernel::{Object, offset},
    lanes,
    thread::{self, Missing},
};

/// Selector of 32-bit code on x86-64 (`__USER32_CS`).
const USER32_CS: u16 = 0x23;
/// The largest errno (`MAX_ERRNO`).
const MAX_ERRNO: i64 = 4095;
/// What the kernel keeps to itself: the call was interrupted, and is taken up again or fails with EINTR.
const RESTARTS: core::ops::RangeInclusive<i64> = 512..=516;
const EINTR: i32 = 4;

/// `sys_enter(struct pt_regs *regs, long id)`
#[btf_tracepoint(function = "sys_enter")]
pub(crate) fn latscope_sys_enter(ctx: BtfTracePointContext) -> i32 {
    enter(&ctx);
    0
}

/// `sys_exit(struct pt_regs *regs, long ret)`
#[btf_tracepoint(function = "sys_exit")]
pub(crate) fn latscope_sys_exit(ctx: BtfTracePointContext) -> i32 {
    leave(&ctx);
    0
}

#[inline(always)]
fn enter(ctx: &BtfTracePointContext) {
    let Some((generation, config)) = lanes::current() else {
        return;
    };
    let mut number = ctx.arg::<i64>(1) as u32 & (COMPAT - 1);
    if !wanted(config, number) {
        return;
    }
    if number == offset!(exit[0]) || number == offset!(exit[1]) {
        return;
    }
    let cs = offset!(regs_cs);
    if cs != 0 && Object(ctx.arg::<*const c_void>(0)).field::<u16>(cs) == USER32_CS {
        number |= COMPAT;
    }
    let thread = match thread::of(thread::current(), generation) {
        Ok(thread) => thread,
        Err(Missing::Full) => return emit::no_slot(SYSCALL, config.wants[SYSCALL as usize]),
        Err(Missing::Ignored) => return,
    };
    if lanes::wanting(
        config,
        generation,
        &thread.accepts,
        SYSCALL,
        u64::from(number),
    ) == 0
    {
        thread.entered = 0;
        return;
    }
    thread.syscall = number;
    // SAFETY: the helper takes nothing.
    thread.entered = unsafe { bpf_ktime_get_ns() };
}

/// Whether some lane wants the call.
#[inline(always)]
fn wanted(config: &Config, number: u32) -> bool {
    match config.syscalls.get(number as usize / 64) {
        Some(word) if (number as usize) < SYSCALLS => word >> (number % 64) & 1 != 0,
        _ => true,
    }
}

#[inline(always)]
fn leave(ctx: &BtfTracePointContext) {
    let Some((generation, config)) = lanes::current() else {
        return;
    };
    let Ok(thread) = thread::of(thread::current(), generation) else {
        return;
    };
    let entered = core::mem::replace(&mut thread.entered, 0);
    if entered == 0 {
        return;
    }
    let result = ctx.arg::<i64>(1);
    let subject = u64::from(thread.syscall);
    let mut wanting = lanes::wanting(config, generation, &thread.accepts, SYSCALL, subject);
    let errno = errno(result);
    if errno == 0 {
        wanting &= !config.failed_only;
    }
    if wanting == 0 {
        return;
    }
    // SAFETY: the helper takes nothing.
    let now = unsafe { bpf_ktime_get_ns() };
    emit::finish(&SpanSample {
        lanes: wanting,
        time_ns: now,
        latency_ns: now.wrapping_sub(entered),
        task: thread.task,
        subject,
        result: errno,
        metric: SYSCALL,
    });
}

/// What a result says of failure; 0 of success.
#[inline(always)]
fn errno(result: i64) -> i32 {
    let error = result.wrapping_neg();
    if error <= 0 || error > MAX_ERRNO {
        0
    } else if RESTARTS.contains(&error) {
        EINTR
    } else {
        error as i32
    }
}
