//! Functions of Go programs: entered to left by a `RET` of theirs. Threads take turns to run a goroutine, and its stack moves: a
//! call is known by the goroutine, whose `runtime.g` is in R14 (Go's internal ABI), and by how far below the top of the stack it
//! began.

use aya_ebpf::{
    EbpfContext as _,
    bindings::BPF_NOEXIST,
    helpers::generated::{bpf_get_attach_cookie, bpf_get_current_pid_tgid, bpf_probe_read_user},
    macros::uprobe,
    programs::ProbeContext,
};
use core::ffi::c_void;
use latscope_events::span::{
    frames::{FRAMES, Frames, Goroutine},
    metric::USER_FUNCTION,
};

use crate::{
    call::{self, End},
    maps::{GOROUTINES, NEW_FRAMES},
};

/// `runtime.g` begins with the bounds of its stack: `lo`, `hi`.
const STACK_HI: u64 = 8;

/// A function is entered, and has the stack it needs.
#[uprobe]
pub(crate) fn latscope_go_call(ctx: ProbeContext) -> u32 {
    let (target, goroutine, depth) = place(&ctx);
    call::begin_in(USER_FUNCTION, target, depth, true, |_| frames(goroutine));
    0
}

/// A function is about to return.
#[uprobe]
pub(crate) fn latscope_go_return(ctx: ProbeContext) -> u32 {
    let (target, goroutine, depth) = place(&ctx);
    call::end_in(USER_FUNCTION, target, End::Frame(depth), true, |_| {
        GOROUTINES.get_ptr_mut(goroutine)
    });
    leave(goroutine);
    0
}

/// Forgets a goroutine that is in no function any more: most are not for long.
#[inline(always)]
fn leave(goroutine: Goroutine) {
    let Some(frames) = GOROUTINES.get_ptr_mut(goroutine) else {
        return;
    };
    let mut busy = 0;
    for at in 0..FRAMES {
        // SAFETY: only the goroutine itself writes it.
        busy |= unsafe { (*frames).frame[at].time };
    }
    if busy == 0 {
        let _ = GOROUTINES.remove(goroutine);
    }
}

/// What the program is attached for, the goroutine, and how deep in its stack it is.
#[inline(always)]
fn place(ctx: &ProbeContext) -> (u64, Goroutine, u64) {
    // SAFETY: the program's own context, whose registers the verifier lets it read.
    let (target, address, stack) = unsafe {
        (
            bpf_get_attach_cookie(ctx.as_ptr()),
            (*ctx.regs).r14,
            (*ctx.regs).rsp,
        )
    };
    let mut top = 0_u64;
    // SAFETY: the helper checks the address, and leaves zeros where it cannot read.
    unsafe {
        bpf_probe_read_user(
            (&raw mut top).cast(),
            size_of::<u64>() as u32,
            (address + STACK_HI) as *const c_void,
        )
    };
    let goroutine = Goroutine {
        address,
        // SAFETY: the helper takes nothing.
        pid: (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32,
        reserved: 0,
    };
    (target, goroutine, top.wrapping_sub(stack))
}

#[inline(always)]
fn frames(key: Goroutine) -> Option<*mut Frames> {
    if let Some(known) = GOROUTINES.get_ptr_mut(key) {
        return Some(known);
    }
    let _ = GOROUTINES.insert(key, NEW_FRAMES.get(0)?, u64::from(BPF_NOEXIST));
    GOROUTINES.get_ptr_mut(key)
}
