//! Functions of programs and libraries: called to returned; and pairs of USDT probes, from one to the other.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::bpf_get_attach_cookie,
    macros::{uprobe, uretprobe},
    programs::{ProbeContext, RetProbeContext},
};
use latscope_events::span::metric::USER_FUNCTION;

use crate::{
    call::{self, End},
    kernel::offset,
};

/// A function is entered.
#[uprobe]
pub(crate) fn latscope_call(ctx: ProbeContext) -> u32 {
    // SAFETY: the program's own context, whose registers the verifier lets it read.
    let (target, stack) = unsafe { (bpf_get_attach_cookie(ctx.as_ptr()), (*ctx.regs).rsp) };
    call::begin(USER_FUNCTION, target, stack, true);
    0
}

/// A function has returned.
#[uretprobe]
pub(crate) fn latscope_return(ctx: RetProbeContext) -> u32 {
    // SAFETY: as above.
    let (target, stack) = unsafe { (bpf_get_attach_cookie(ctx.as_ptr()), (*ctx.regs).rsp) };
    let stack = stack.wrapping_sub(u64::from(offset!(return_pops)));
    call::end(USER_FUNCTION, target, End::Frame(stack), true);
    0
}

/// The second of two USDT probes.
#[uprobe]
pub(crate) fn latscope_arrive(ctx: ProbeContext) -> u32 {
    // SAFETY: as above.
    let target = unsafe { bpf_get_attach_cookie(ctx.as_ptr()) };
    call::end(USER_FUNCTION, target, End::Latest, true);
    0
}
