//! Programs that do nothing: what the kernel's own accounting of a run costs, for bench/packet and bench/span to subtract.
#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::TC_ACT_UNSPEC,
    macros::{btf_tracepoint, classifier, uprobe, uretprobe},
    programs::{BtfTracePointContext, ProbeContext, RetProbeContext, TcContext},
};

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Leaves every packet to others.
#[classifier]
pub(crate) fn latscope_empty(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// On whichever raw tracepoint it is loaded for.
#[btf_tracepoint(function = "sys_enter")]
pub(crate) fn latscope_empty_tracepoint(_ctx: BtfTracePointContext) -> i32 {
    0
}

/// At the call of a function.
#[uprobe]
pub(crate) fn latscope_empty_call(_ctx: ProbeContext) -> u32 {
    0
}

/// At its return.
#[uretprobe]
pub(crate) fn latscope_empty_return(_ctx: RetProbeContext) -> u32 {
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
