//! Packet engine: the pair of tc programs.
#![no_std]
#![no_main]

use aya_ebpf::{bindings::TCX_NEXT, macros::classifier, programs::TcContext};

/// Sees what the interface receives.
#[classifier]
pub fn packet_ingress(_ctx: TcContext) -> i32 {
    TCX_NEXT
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
