//! From the kernel's clock to wall time.

use nix::time::{ClockId, clock_gettime};

/// What to add to `CLOCK_MONOTONIC` to get wall time, as of now. Read again for every batch: a wall clock that is set
/// changes what a person sees, never a latency (ACCURACY.md 24).
#[must_use]
pub fn wall_offset_ns() -> u64 {
    wall_ns().wrapping_sub(monotonic_ns())
}

/// Wall time, ns since 1970.
#[must_use]
pub fn wall_ns() -> u64 {
    now(ClockId::CLOCK_REALTIME)
}

/// `CLOCK_MONOTONIC`, ns.
#[must_use]
pub fn monotonic_ns() -> u64 {
    now(ClockId::CLOCK_MONOTONIC)
}

fn now(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| {
        (time.tv_sec() as u64)
            .wrapping_mul(1_000_000_000)
            .wrapping_add(time.tv_nsec() as u64)
    })
}
