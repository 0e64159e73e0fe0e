//! Packet engine: one pair of tc programs an interface, for all sessions.
//!
//! A packet is parsed once, looked up once, matched with what its flow has in flight, and leaves as it came: every
//! program ends with `TC_ACT_UNSPEC` (`TCX_NEXT`), which is no verdict.
#![no_std]
#![no_main]
#![feature(core_intrinsics, asm_experimental_arch)]
#![allow(internal_features)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "so the classifier macro hands over the context"
)]

#[path = "../class.rs"]
mod class;
mod classify;
mod clock;
mod count;
mod datagram;
mod dns;
mod emit;
mod histogram;
mod icmp;
mod ip;
mod load;
mod maps;
mod measure;
mod options;
mod packet;
mod parse;
mod ring;
mod tcp;
mod track;
mod transaction;
mod tunnel;
mod udp;

use aya_ebpf::{
    EbpfContext as _, bindings::TC_ACT_UNSPEC, macros::classifier, programs::TcContext,
};

use crate::parse::Link;

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// What an Ethernet interface receives.
#[classifier]
pub(crate) fn latscope_in(ctx: TcContext) -> i32 {
    track::see(ctx.as_ptr().cast(), Link::Ethernet, false);
    TC_ACT_UNSPEC
}

/// What an Ethernet interface sends.
#[classifier]
pub(crate) fn latscope_out(ctx: TcContext) -> i32 {
    track::see(ctx.as_ptr().cast(), Link::Ethernet, true);
    TC_ACT_UNSPEC
}

/// What an interface without a link header (tun, WireGuard, PPP) receives.
#[classifier]
pub(crate) fn latscope_l3_in(ctx: TcContext) -> i32 {
    track::see(ctx.as_ptr().cast(), Link::Raw, false);
    TC_ACT_UNSPEC
}

/// What an interface without a link header sends.
#[classifier]
pub(crate) fn latscope_l3_out(ctx: TcContext) -> i32 {
    track::see(ctx.as_ptr().cast(), Link::Raw, true);
    TC_ACT_UNSPEC
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
