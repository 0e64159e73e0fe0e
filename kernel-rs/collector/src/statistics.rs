//! Run counts and run times of eBPF programs, which the kernel keeps only while somebody asks for them.

use std::{
    fs,
    os::fd::OwnedFd,
    sync::{Arc, Weak},
};

use aya::sys::{Stats, enable_stats};
use parking_lot::Mutex;

static HELD: Mutex<Weak<OwnedFd>> = Mutex::new(Weak::new());

/// As long as one of these is held, the kernel counts. It costs every program of the host two readings of the clock a run, so
/// it is held while a session is attached and no longer.
pub(crate) type Hold = Arc<OwnedFd>;

/// Asks the kernel to count (`BPF_ENABLE_STATS`, Linux 5.8); `None` where it refuses, which is without `CAP_SYS_ADMIN`.
pub(crate) fn hold() -> Option<Hold> {
    let mut shared = HELD.lock();
    if let Some(hold) = shared.upgrade() {
        return Some(hold);
    }
    let hold = Arc::new(enable_stats(Stats::RunTime).ok()?);
    *shared = Arc::downgrade(&hold);
    Some(hold)
}

/// Whether the kernel counts now: because we hold it to, or because the host does so anyway.
pub(crate) fn on() -> bool {
    HELD.lock().strong_count() > 0
        || fs::read_to_string("/proc/sys/kernel/bpf_stats_enabled").is_ok_and(|it| it.trim() == "1")
}
