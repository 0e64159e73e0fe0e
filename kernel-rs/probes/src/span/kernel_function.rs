//! Functions of the kernel: called to returned. With fentry and fexit a call is told apart by the place of its arguments, which
//! the two share; with kprobes by the stack pointer.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::bpf_get_attach_cookie,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use core::ffi::c_void;
use latscope_events::span::metric::KERNEL_FUNCTION;

use crate::{
    call::{self, End},
    kernel::offset,
    who,
};

/// A function is entered.
#[fentry]
pub(crate) fn latscope_kernel_enter(ctx: FEntryContext) -> i32 {
    let (target, place) = context(ctx.as_ptr());
    call::begin(KERNEL_FUNCTION, target, place, who::in_task());
    0
}

/// It has returned.
#[fexit]
pub(crate) fn latscope_kernel_leave(ctx: FExitContext) -> i32 {
    let (target, place) = context(ctx.as_ptr());
    call::end(KERNEL_FUNCTION, target, End::Frame(place), who::in_task());
    0
}

/// A function is entered.
#[kprobe]
pub(crate) fn latscope_kernel_call(ctx: ProbeContext) -> u32 {
    // SAFETY: the program's own context, whose registers the verifier lets it read.
    let (target, stack) = unsafe { (bpf_get_attach_cookie(ctx.as_ptr()), (*ctx.regs).rsp) };
    call::begin(KERNEL_FUNCTION, target, stack, who::in_task());
    0
}

/// It has returned.
#[kretprobe]
pub(crate) fn latscope_kernel_return(ctx: RetProbeContext) -> u32 {
    // SAFETY: as above.
    let (target, stack) = unsafe { (bpf_get_attach_cookie(ctx.as_ptr()), (*ctx.regs).rsp) };
    let stack = stack.wrapping_sub(u64::from(offset!(return_pops)));
    call::end(KERNEL_FUNCTION, target, End::Frame(stack), who::in_task());
    0
}

/// The target, and where on its stack the function was called.
#[inline(always)]
fn context(ctx: *mut c_void) -> (u64, u64) {
    // SAFETY: the program's own context.
    (unsafe { bpf_get_attach_cookie(ctx) }, who::number(ctx))
}
