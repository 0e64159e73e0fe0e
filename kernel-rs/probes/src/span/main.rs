//! Span engine: time between two points of one task, request or object, for all sessions.
//!
//! A thread is classified once for each generation of the lanes; what it begins is kept in its entry, what requests and
//! objects begin in tables of their own. Every span ends in `emit::finish`.
#![no_std]
#![no_main]
#![expect(
    clippy::needless_pass_by_value,
    reason = "so the program macros hand over the context"
)]

mod block_io;
mod call;
mod classify;
mod cpu_stall;
mod emit;
mod exit;
mod goroutine;
mod hardirq;
mod histogram;
mod interrupt;
mod kernel;
mod kernel_function;
mod lanes;
mod maps;
mod net_stack;
mod scheduler;
mod softirq;
mod syscall;
mod thread;
mod tracepoint_pair;
mod user_function;
#[path = "../wake.rs"]
mod wake;
mod who;

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
