//! Socket engine: one `sock_ops` program on the root of cgroup v2, for all sessions.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![allow(internal_features)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "so the macro hands over the context"
)]

#[path = "../class.rs"]
mod class;
mod classify;
mod emit;
mod existing;
mod histogram;
mod kernel;
mod maps;
mod measure;
mod slot;
#[path = "../wake.rs"]
mod wake;

use aya_ebpf::{macros::sock_ops, programs::SockOpsContext};

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// What a socket calls back about. 1 says that all is well: anything else would be taken for an error.
#[sock_ops]
pub(crate) fn latscope_sock_ops(ctx: SockOpsContext) -> u32 {
    measure::event(ctx.ops);
    1
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
