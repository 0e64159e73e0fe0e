//! The clock of the packets: the kernel's when live, the capture's in replay.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{generated::bpf_jiffies64, generated::bpf_ktime_get_ns},
};
use latscope_matching::Clock;

use crate::load::opaque;

/// 1 in replay; a load-time choice, so that the verifier removes the branch not taken.
#[unsafe(no_mangle)]
static REPLAY: u8 = 0;

/// Whether packets carry the capture's time in `skb->tstamp`.
#[inline(always)]
pub(crate) fn replaying() -> bool {
    // SAFETY: a static is valid; volatile, since the loader rewrites it after compilation.
    unsafe { core::ptr::read_volatile(&raw const REPLAY) != 0 }
}

/// The time of one packet, asked for at most once.
pub(crate) struct Tick {
    time: u64,
}

impl Tick {
    /// `captured` is the packet's own time in replay, else 0.
    #[inline(always)]
    pub(crate) const fn new(captured: u64) -> Self {
        Self { time: captured }
    }
}

impl Clock for Tick {
    #[inline(always)]
    fn now(&mut self) -> u64 {
        if self.time == 0 {
            // SAFETY: the helper takes nothing.
            self.time = unsafe { bpf_ktime_get_ns() };
        }
        self.time
    }
}

/// The packet's own time in replay, else 0.
#[inline(always)]
pub(crate) fn captured(ctx: *mut __sk_buff) -> u64 {
    if replaying() {
        // SAFETY: ctx is the program's context.
        unsafe { (*ctx).tstamp }
    } else {
        0
    }
}

/// The interface that sees the packet. A test run takes only interfaces that exist: in replay the mark tells the capture's.
#[inline(always)]
pub(crate) fn interface(ctx: *mut __sk_buff) -> u32 {
    // SAFETY: ctx is the program's context.
    unsafe {
        // Opaque, or one load from a chosen offset is made of the two, which the verifier refuses.
        let ifindex = opaque((*ctx).ifindex);
        if replaying() { (*ctx).mark } else { ifindex }
    }
}

/// Coarse time for telling that an interface fell silent: jiffies, which cost nothing; in replay about milliseconds.
#[inline(always)]
pub(crate) fn coarse(captured: u64) -> u32 {
    if replaying() {
        (captured >> 20) as u32
    } else {
        // SAFETY: the helper takes nothing; the kernel inlines it.
        unsafe { bpf_jiffies64() as u32 }
    }
}
