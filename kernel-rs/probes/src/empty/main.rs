//! A tc program that does nothing: what the kernel's own accounting of a run costs, for bench/packet to subtract.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::TC_ACT_UNSPEC, macros::classifier, programs::TcContext};

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Leaves every packet to others.
#[classifier]
pub(crate) fn latscope_empty(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
